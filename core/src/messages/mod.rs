//! The messages between an agent, the isolator and the launcher.
//!
//! They keep the field names of Mesos' protobuf messages in their JSON form, so that an existing agent's JSON is read
//! and written unchanged. Fields that cofferdam does not use are carried along in `other`.

mod container;
mod launch_info;
mod process;
mod resource;

pub use container::{
    ContainerClass, ContainerConfig, ContainerId, ContainerInfo, ContainerState, ExecutorInfo, InvalidContainerId,
    LinuxInfo, RecoverRequest,
};
pub use launch_info::{
    ContainerFileOperation, ContainerLaunchInfo, ContainerMountInfo, FileOperationKind, Mkdir, Namespace, Rename,
    Symlink,
};
pub use process::{
    CapabilityInfo, CapabilityName, CommandInfo, Environment, EnvironmentVariable, Rlimit, RlimitInfo, RlimitType,
};
pub use resource::{
    DiskInfo, DiskSource, DiskSourceRoot, DiskSourceType, HostPath, MountPropagation, MountPropagationMode,
    Persistence, Resource, ResourceReservation, SandboxPath, SandboxPathType, Volume, VolumeMode, VolumeSource,
};

/// Fields that cofferdam does not use.
pub type OtherFields = serde_json::Map<String, serde_json::Value>;
