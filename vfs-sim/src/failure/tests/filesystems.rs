//! Filesystems, their parameters, and overlays.
