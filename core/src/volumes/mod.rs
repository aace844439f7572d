//! Volumes of containers.

mod persistent;

pub use persistent::PersistentVolume;
