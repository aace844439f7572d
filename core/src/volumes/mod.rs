//! Volumes of containers.

mod host;
mod persistent;

pub use host::{ContainerPaths, HostVolumes, VolumeError, VolumeProblem};
pub use persistent::PersistentVolume;
