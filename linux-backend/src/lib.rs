//! The Linux kernel.
