//! What the launcher is to do.

use serde::{Deserialize, Serialize};

use super::OtherFields;
use super::process::{CapabilityInfo, CommandInfo, Environment, RlimitInfo};
use crate::kernel::{Bytes, CloneFlags, MountFlags};

/// A decision of the isolator that the launcher carries out, in the order of
/// [`launch`](crate::launch::launch).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContainerLaunchInfo {
    /// The root filesystem, in the host's filesystem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rootfs: Option<Bytes>,
    /// Directories, in the host's filesystem, in which others than the operator can write: sandboxes above all. A source or
    /// target of `mounts` that is one, or lies below one, is resolved below it, and no symbolic link in it is followed. The
    /// root filesystem is such a directory without being named here. (A field of cofferdam's own.)
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untrusted_directories: Vec<Bytes>,
    /// The directory, in the host's filesystem, in which an agent keeps a mount namespace with next to nothing in it
    /// ([`Isolator::prepare_launches`](crate::isolator::Isolator::prepare_launches)). A container with a root filesystem begins
    /// in a copy of that, instead of one of the host's, if it is there. (A field of cofferdam's own.)
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launch_directory: Option<Bytes>,
    /// The namespaces of the parent container to join.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enter_namespaces: Vec<Namespace>,
    /// The namespaces to make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clone_namespaces: Vec<Namespace>,
    /// The mounts, made in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<ContainerMountInfo>,
    /// Paths, in the host's filesystem, that are hidden after all mounts are made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked_paths: Vec<Bytes>,
    /// Operations after the masks, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub file_operations: Vec<ContainerFileOperation>,
    /// The user that the program runs as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Supplementary groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supplementary_groups: Vec<u32>,
    /// Supplementary groups of a command task with its own rootfs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub task_supplementary_groups: Vec<u32>,
    /// The program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandInfo>,
    /// Its environment, the whole of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Its working directory, as it sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<Bytes>,
    /// The capabilities that it starts with. A program of root has those of the bounding set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_capabilities: Option<CapabilityInfo>,
    /// The capabilities that it can ever get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounding_capabilities: Option<CapabilityInfo>,
    /// Its resource limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rlimits: Option<RlimitInfo>,
    /// Whether execve(2) grants it nothing that it does not have (`PR_SET_NO_NEW_PRIVS`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_new_privileges: Option<bool>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl ContainerLaunchInfo {
    /// The namespaces to make, as flags of clone(2).
    pub fn clone_flags(&self) -> CloneFlags {
        self.clone_namespaces.iter().fold(CloneFlags::empty(), |flags, namespace| flags | namespace.flag())
    }
}

/// A kind of namespace, in JSON the value of its `CLONE_NEW*` flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Namespace(CloneFlags);

impl Namespace {
    /// `CLONE_NEWNS`
    pub const MOUNT: Self = Self(CloneFlags::CLONE_NEWNS);
    /// `CLONE_NEWPID`
    pub const PID: Self = Self(CloneFlags::CLONE_NEWPID);
    /// `CLONE_NEWIPC`
    pub const IPC: Self = Self(CloneFlags::CLONE_NEWIPC);
    /// `CLONE_NEWUTS`
    pub const UTS: Self = Self(CloneFlags::CLONE_NEWUTS);
    /// `CLONE_NEWNET`
    pub const NET: Self = Self(CloneFlags::CLONE_NEWNET);
    /// `CLONE_NEWCGROUP`
    pub const CGROUP: Self = Self(CloneFlags::CLONE_NEWCGROUP);

    /// Every kind that the launcher knows.
    pub(crate) const ALL: [Self; 6] = [Self::MOUNT, Self::PID, Self::IPC, Self::UTS, Self::NET, Self::CGROUP];

    /// Its name in `/proc/<pid>/ns`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PID => "pid",
            Self::IPC => "ipc",
            Self::UTS => "uts",
            Self::NET => "net",
            Self::CGROUP => "cgroup",
            _ => "mnt",
        }
    }

    /// The flag.
    pub fn flag(self) -> CloneFlags {
        self.0
    }
}

impl TryFrom<u64> for Namespace {
    type Error = String;

    fn try_from(flag: u64) -> Result<Self, String> {
        Self::ALL.into_iter().find(|namespace| namespace.0.bits() == flag).ok_or_else(|| {
            format!("{flag} is not the CLONE_NEW* flag of a mount, pid, ipc, uts, net or cgroup namespace")
        })
    }
}

impl From<Namespace> for u64 {
    fn from(namespace: Namespace) -> Self {
        namespace.0.bits()
    }
}

/// A mount of a container, in the terms of mount(2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContainerMountInfo {
    /// Where, an absolute path in the host's filesystem.
    pub target: Bytes,
    /// What: for a bind an absolute path in the host's filesystem, else what mountinfo shows as the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Bytes>,
    /// The type of a new filesystem.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub filesystem_type: Option<Bytes>,
    /// `MS_*` flags, in JSON as a number.
    ///
    /// `MS_SHARED` with `MS_BIND` makes it bidirectional: the mount stays in the peer group of its source, so what is mounted
    /// or unmounted below it by the container is so on the host. All other mounts receive what the host mounts, and send
    /// nothing.
    #[serde(default, with = "flag_bits", skip_serializing_if = "MountFlags::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "u32"))]
    pub flags: MountFlags,
    /// Options of a new filesystem, with commas in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Bytes>,
}

impl ContainerMountInfo {
    /// A bind of `source`.
    pub fn bind(source: impl Into<Bytes>, target: impl Into<Bytes>, flags: MountFlags) -> Self {
        Self {
            target: target.into(),
            source: Some(source.into()),
            filesystem_type: None,
            flags: flags | MountFlags::MS_BIND,
            options: None,
        }
    }

    /// A new filesystem whose source, as mountinfo shows it, is its type.
    pub fn filesystem(
        filesystem_type: &str,
        target: impl Into<Bytes>,
        flags: MountFlags,
        options: Option<&str>,
    ) -> Self {
        Self {
            target: target.into(),
            source: Some(filesystem_type.into()),
            filesystem_type: Some(filesystem_type.into()),
            flags,
            options: options.map(Bytes::from),
        }
    }
}

mod flag_bits {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::kernel::MountFlags;

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(flags: &MountFlags, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(flags.bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MountFlags, D::Error> {
        u32::deserialize(deserializer).map(MountFlags::from_bits_retain)
    }
}

/// An operation on the container's filesystem. The parameters of `operation` are in the field of its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContainerFileOperation {
    /// Which operation.
    pub operation: FileOperationKind,
    /// For `SYMLINK`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symlink: Option<Symlink>,
    /// For `MKDIR`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mkdir: Option<Mkdir>,
    /// For `RENAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename: Option<Rename>,
    /// For `MOUNT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount: Option<ContainerMountInfo>,
}

impl ContainerFileOperation {
    /// Makes a symbolic link at `target` that says `source`.
    pub fn symlink(source: impl Into<Bytes>, target: impl Into<Bytes>) -> Self {
        Self {
            operation: FileOperationKind::Symlink,
            symlink: Some(Symlink { source: source.into(), target: target.into() }),
            mkdir: None,
            rename: None,
            mount: None,
        }
    }
}

/// The kind of a [`ContainerFileOperation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FileOperationKind {
    /// Make a symbolic link.
    Symlink,
    /// Make a mount.
    Mount,
    /// Rename a path.
    Rename,
    /// Make a directory.
    Mkdir,
}

/// A symbolic link to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Symlink {
    /// What the link says.
    pub source: Bytes,
    /// Where the link is, an absolute path in the host's filesystem.
    pub target: Bytes,
}

/// A directory to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Mkdir {
    /// The directory, an absolute path in the host's filesystem.
    pub target: Bytes,
    /// Whether to make missing parents, and to accept that it exists.
    #[serde(default)]
    pub recursive: bool,
}

/// A path to rename.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rename {
    /// The path, absolute in the host's filesystem.
    pub source: Bytes,
    /// The new path, absolute in the host's filesystem.
    pub target: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_is_that_of_mesos() {
        let json = serde_json::json!({
            "rootfs": "/r",
            "clone_namespaces": [0x20000, 0x2000_0000],
            "mounts": [
                { "target": "/r", "source": "/r", "flags": 20480 },
                { "target": "/r/dev", "source": "tmpfs", "type": "tmpfs", "flags": 16_777_226, "options": "mode=755" },
            ],
            "masked_paths": ["/r/proc/kcore"],
            "file_operations": [
                { "operation": "SYMLINK", "symlink": { "source": "/proc/self/fd", "target": "/r/dev/fd" } },
                { "operation": "MKDIR", "mkdir": { "target": "/r/x", "recursive": true } },
            ],
            "tty_slave_path": "/dev/pts/1",
        });
        let info: ContainerLaunchInfo = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(info.clone_flags(), CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID);
        assert_eq!(info.mounts[0].flags, MountFlags::MS_BIND | MountFlags::MS_REC);
        assert_eq!(serde_json::to_value(&info).unwrap(), json);
    }

    #[test]
    fn a_namespace_that_is_none_is_refused() {
        assert!(serde_json::from_str::<ContainerLaunchInfo>(r#"{"clone_namespaces":[3]}"#).is_err());
    }

    #[test]
    fn paths_that_are_not_utf8_survive() {
        let info = ContainerLaunchInfo { rootfs: Some(Bytes::from(&b"/\xff"[..])), ..Default::default() };
        let json = serde_json::to_string(&info).unwrap();
        assert_eq!(serde_json::from_str::<ContainerLaunchInfo>(&json).unwrap(), info);
    }
}
