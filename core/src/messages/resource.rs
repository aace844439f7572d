//! Resources, of which the persistent volumes matter here.

use serde::{Deserialize, Serialize};

use super::OtherFields;
use crate::kernel::Bytes;

/// A resource of a container. It is a persistent volume if it has `disk.persistence` and `disk.volume`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Resource {
    /// Its name; `disk` for persistent volumes.
    pub name: String,
    /// The role that it is reserved for, in the form without refinement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The reservations, the most refined one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reservations: Vec<ResourceReservation>,
    /// For disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskInfo>,
    /// Present if several containers may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<serde_json::Value>,
    /// Present if it comes from a resource provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<serde_json::Value>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// Numbers in fields that cofferdam does not use are compared as they are written.
impl Eq for Resource {}

impl Resource {
    /// The role that it is reserved for.
    pub fn reservation_role(&self) -> Option<&str> {
        match self.reservations.last() {
            Some(reservation) => reservation.role.as_deref(),
            None => self.role.as_deref(),
        }
    }
}

/// A reservation of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResourceReservation {
    /// The role that it is reserved for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// What is special about a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiskInfo {
    /// Present if data on it outlives containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<Persistence>,
    /// Where the container sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// Where the data is; absent for work_dir.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<DiskSource>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// The persistence of a disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Persistence {
    /// The id, unique in the role.
    pub id: String,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// Where a container sees a volume, and, unless that is told elsewhere, what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Volume {
    /// A path, for persistent volumes one name in the sandbox.
    pub container_path: Bytes,
    /// Whether the container may write.
    pub mode: VolumeMode,
    /// A path of the host: the short form of a source of type `HOST_PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_path: Option<Bytes>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<VolumeSource>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// What a volume is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VolumeSource {
    /// The kind of source. Of those that are not for a filesystem isolator only the name is known.
    #[serde(rename = "type")]
    pub kind: String,
    /// For `HOST_PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_path: Option<HostPath>,
    /// For `SANDBOX_PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox_path: Option<SandboxPath>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// A path of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HostPath {
    /// The path.
    pub path: Bytes,
    /// How mounts below it spread; from the host to the container if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_propagation: Option<MountPropagation>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// How mounts below a volume spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MountPropagation {
    /// Which way.
    #[serde(default)]
    pub mode: MountPropagationMode,
}

/// Which way mounts below a volume spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MountPropagationMode {
    /// As `HOST_TO_CONTAINER`.
    #[default]
    Unknown,
    /// What the host mounts arrives in the container.
    HostToContainer,
    /// What the container mounts arrives on the host as well.
    Bidirectional,
}

/// A path of a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SandboxPath {
    /// Whose sandbox.
    #[serde(rename = "type")]
    pub kind: SandboxPathType,
    /// The path, relative to the sandbox.
    pub path: Bytes,
}

/// Whose sandbox a path is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SandboxPathType {
    /// The container's own.
    #[serde(rename = "SELF")]
    Own,
    /// That of the container that it is nested in.
    Parent,
}

/// Whether a container may write to a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum VolumeMode {
    /// Read and write.
    #[serde(rename = "RW")]
    ReadWrite,
    /// Read only.
    #[serde(rename = "RO")]
    ReadOnly,
}

/// Where the data of a disk is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiskSource {
    /// The kind of source.
    #[serde(rename = "type")]
    pub kind: DiskSourceType,
    /// For `PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<DiskSourceRoot>,
    /// For `MOUNT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<DiskSourceRoot>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// The kind of a disk's source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DiskSourceType {
    /// Volumes lie below the root, laid out as in work_dir.
    Path,
    /// The root is the volume.
    Mount,
    /// A block device; not supported here.
    Block,
    /// A raw disk; not supported here.
    Raw,
}

/// The root of a disk's source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DiskSourceRoot {
    /// A directory; relative to work_dir if it is relative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Bytes>,
}
