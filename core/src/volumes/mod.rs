//! Volumes of containers.

mod gids;
mod persistent;

pub use gids::{GidError, GidGauges, GidManager, VolumeKind};
pub use persistent::PersistentVolume;
