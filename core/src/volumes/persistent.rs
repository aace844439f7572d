//! Persistent volumes: directories whose data outlives containers.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use typed_path::{UnixPath, UnixPathBuf};

use crate::error::CallError;
use crate::isolator::UpdateError;
use crate::kernel::{Bytes, Kernel, Mode};
use crate::layout::{InvalidComponent, Layout, check_component};
use crate::messages::{
    DiskInfo, DiskSource, DiskSourceRoot, DiskSourceType, OtherFields, Persistence, Resource, Volume, VolumeMode,
};
use crate::root::create_directories;

/// A persistent volume: what there is to know of the resource that it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "VolumeRecord", try_from = "VolumeRecord")]
pub struct PersistentVolume {
    /// The persistence id.
    pub id: String,
    /// The directory with the data, on the host.
    pub source: UnixPathBuf,
    /// Its name in the sandbox.
    pub name: UnixPathBuf,
    /// Whether the container may only read it.
    pub read_only: bool,
    /// Whether several containers may use it.
    pub is_shared: bool,
    /// Whether it comes from a resource provider.
    pub is_from_provider: bool,
}

/// As it is written down.
#[derive(Serialize, Deserialize)]
struct VolumeRecord {
    id: String,
    source: Bytes,
    name: Bytes,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    shared: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    from_provider: bool,
}

impl From<PersistentVolume> for VolumeRecord {
    fn from(volume: PersistentVolume) -> Self {
        Self {
            id: volume.id,
            source: volume.source.into(),
            name: volume.name.into(),
            read_only: volume.read_only,
            shared: volume.is_shared,
            from_provider: volume.is_from_provider,
        }
    }
}

impl TryFrom<VolumeRecord> for PersistentVolume {
    type Error = InvalidComponent;

    fn try_from(record: VolumeRecord) -> Result<Self, InvalidComponent> {
        check_component(&record.name.0)?;
        Ok(Self {
            id: record.id,
            source: record.source.0.into(),
            name: record.name.0.into(),
            read_only: record.read_only,
            is_shared: record.shared,
            is_from_provider: record.from_provider,
        })
    }
}

/// Tells the mounts of persistent volumes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeMount<'v> {
    // First, as sources differ at their ends only.
    name: &'v UnixPath,
    source: &'v UnixPath,
    read_only: bool,
}

/// By the name, which is one component: few in a sandbox have the same, and paths are hashed by component.
impl Hash for VolumeMount<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.as_bytes().hash(state);
    }
}

impl PersistentVolume {
    /// Which mount it is. What else the resource says makes no difference.
    pub fn mount(&self) -> VolumeMount<'_> {
        VolumeMount { name: &self.name, source: &self.source, read_only: self.read_only }
    }

    /// Whether both are the same mount.
    pub fn is_same_mount(&self, other: &Self) -> bool {
        self.mount() == other.mount()
    }

    /// The persistent volume that a resource is; `None` if it is none, or one whose `container_path` is no single name.
    ///
    /// # Errors
    ///
    /// If its role or id can't be a path component, or its source is of a kind that has no directory.
    pub fn from_resource(resource: &Resource, layout: &Layout) -> Result<Option<Self>, UpdateError> {
        let Some(disk) = &resource.disk else { return Ok(None) };
        let (Some(persistence), Some(volume)) = (&disk.persistence, &disk.volume) else { return Ok(None) };
        let invalid = |reason: String| UpdateError::InvalidVolume { id: persistence.id.clone(), reason };
        if volume.container_path.0.contains(&b'/') {
            tracing::warn!(
                volume = persistence.id,
                container_path = %volume.container_path,
                "skipped: the container path of a persistent volume must be one name, without a slash"
            );
            return Ok(None);
        }
        check_component(&volume.container_path.0).map_err(|error| invalid(format!("container path: {error}")))?;
        let layout_below = |root: UnixPathBuf| {
            let role = resource.reservation_role().ok_or_else(|| invalid("it is reserved for no role".into()))?;
            Layout::persistent_volume(&root, role, &persistence.id).map_err(|error| invalid(error.to_string()))
        };
        let source = match &disk.source {
            None => layout_below(layout.work_dir.clone())?,
            Some(DiskSource { kind: DiskSourceType::Path, path: Some(path), .. }) if path.root.is_some() => {
                layout_below(absolute(layout, path.root.as_ref()))?
            }
            Some(DiskSource { kind: DiskSourceType::Mount, mount: Some(mount), .. }) if mount.root.is_some() => {
                absolute(layout, mount.root.as_ref())
            }
            Some(DiskSource { kind, .. }) => {
                return Err(invalid(format!("a disk source of type {kind:?} without a root is not supported")));
            }
        };
        Ok(Some(Self {
            id: persistence.id.clone(),
            source,
            name: volume.container_path.as_path().to_path_buf(),
            read_only: volume.mode == VolumeMode::ReadOnly,
            is_shared: resource.shared.is_some(),
            is_from_provider: resource.provider_id.is_some(),
        }))
    }

    /// A resource that is this volume: [`from_resource`](Self::from_resource) makes the same of it. It names the directory, and
    /// not the role from which the directory was found.
    pub fn to_resource(&self) -> Resource {
        let other = OtherFields::default;
        let present = |is_present: bool| is_present.then(|| serde_json::Value::Object(serde_json::Map::new()));
        let volume = Volume {
            container_path: (&*self.name).into(),
            mode: if self.read_only { VolumeMode::ReadOnly } else { VolumeMode::ReadWrite },
            host_path: None,
            source: None,
            other: other(),
        };
        let source = DiskSource {
            kind: DiskSourceType::Mount,
            path: None,
            mount: Some(DiskSourceRoot { root: Some((&*self.source).into()) }),
            other: other(),
        };
        let disk = DiskInfo {
            persistence: Some(Persistence { id: self.id.clone(), other: other() }),
            volume: Some(volume),
            source: Some(source),
            other: other(),
        };
        Resource {
            name: "disk".into(),
            role: None,
            reservations: Vec::new(),
            disk: Some(disk),
            shared: present(self.is_shared),
            provider_id: present(self.is_from_provider),
            other: other(),
        }
    }

    /// Makes the volume's directory if it does not exist yet, as the agent does when a volume is created.
    ///
    /// # Errors
    ///
    /// Those of mkdirat(2).
    pub fn create(&self, kernel: &dyn Kernel) -> Result<(), CallError> {
        create_directories(kernel, &self.source, Mode(0o755))?;
        Ok(())
    }
}

/// A root is relative to work_dir if it is relative.
fn absolute(layout: &Layout, root: Option<&Bytes>) -> UnixPathBuf {
    root.map_or_else(|| layout.work_dir.clone(), |root| layout.work_dir.join(root.as_path()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn volume(disk: &Value) -> Result<Option<PersistentVolume>, UpdateError> {
        let resource = json!({ "name": "disk", "reservations": [{ "role": "eng/web" }], "disk": disk });
        let layout = Layout { work_dir: "/w".into(), runtime_dir: "/r".into() };
        PersistentVolume::from_resource(&serde_json::from_value(resource).unwrap(), &layout)
    }

    fn disk(container_path: &str, source: Value) -> Value {
        let mut disk = json!({
            "persistence": { "id": "db" },
            "volume": { "container_path": container_path, "mode": "RO" },
        });
        if !source.is_null() {
            disk["source"] = source;
        }
        disk
    }

    #[rstest]
    #[case(Value::Null, "/w/volumes/roles/eng web/db")]
    #[case(json!({ "type": "PATH", "path": { "root": "/disk" } }), "/disk/volumes/roles/eng web/db")]
    #[case(json!({ "type": "PATH", "path": { "root": "disk" } }), "/w/disk/volumes/roles/eng web/db")]
    #[case(json!({ "type": "MOUNT", "mount": { "root": "/disk" } }), "/disk")]
    #[case(json!({ "type": "MOUNT", "mount": { "root": "disk" } }), "/w/disk")]
    fn the_source_tells_where_the_data_is(#[case] source: Value, #[case] expected: &str) {
        let volume = volume(&disk("data", source)).unwrap().unwrap();
        assert_eq!(volume.source, UnixPathBuf::from(expected));
        assert_eq!(volume.name, UnixPathBuf::from("data"));
        assert!(volume.read_only);
    }

    #[test]
    fn a_volume_is_a_resource_again() {
        let layout = Layout { work_dir: "/w".into(), runtime_dir: "/r".into() };
        let found = volume(&disk("data", Value::Null)).unwrap().unwrap();
        let others = [
            PersistentVolume { read_only: false, is_shared: true, ..found.clone() },
            PersistentVolume { is_from_provider: true, ..found.clone() },
        ];
        for volume in others.into_iter().chain([found]) {
            assert_eq!(PersistentVolume::from_resource(&volume.to_resource(), &layout), Ok(Some(volume)));
        }
    }

    #[test]
    fn a_container_path_with_a_slash_is_skipped() {
        assert_eq!(volume(&disk("a/b", Value::Null)).unwrap(), None);
        assert_eq!(volume(&disk("/a", Value::Null)).unwrap(), None);
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let volume = volume(&disk("data", Value::Null)).unwrap().unwrap();
        let mut record = serde_json::to_value(&volume).unwrap();
        assert_eq!(serde_json::from_value::<PersistentVolume>(record.clone()).unwrap(), volume);
        record["name"] = json!("../data");
        assert!(serde_json::from_value::<PersistentVolume>(record).is_err());
    }

    #[rstest]
    #[case("..", Value::Null)]
    #[case("", Value::Null)]
    #[case("data", json!({ "type": "BLOCK" }))]
    #[case("data", json!({ "type": "PATH" }))]
    fn what_can_not_be_mounted_is_an_error(#[case] container_path: &str, #[case] source: Value) {
        assert!(volume(&disk(container_path, source)).is_err());
    }

    #[test]
    fn other_disks_are_no_persistent_volumes() {
        assert_eq!(volume(&json!({})).unwrap(), None);
    }
}
