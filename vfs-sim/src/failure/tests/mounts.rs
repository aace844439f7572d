//! Calls about mounts.
