//! Volumes of containers.

mod gids;
mod host;
mod persistent;

pub use gids::{GidError, GidGauges, GidManager, VolumeKind};
pub use host::{ContainerPaths, HostVolumes, VolumeError, VolumeProblem};
pub use persistent::PersistentVolume;
