//! Volumes of containers.

mod gids;
mod host;
mod persistent;

pub use gids::{AllocatedGid, GidError, GidGauges, GidManager, VolumeKind};
pub(crate) use host::path_in_sandbox;
pub use host::{ContainerPaths, HostVolumes, VolumeError, VolumeProblem};
pub use persistent::PersistentVolume;
