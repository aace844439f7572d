//! Arguments of `cofferdam run`.

use std::path::PathBuf;

use clap::Args;
use cofferdam::kernel::Bytes;

use super::{ContainerOptions, bytes};

pub(crate) const EXAMPLES: &str = "\
Examples:
  cofferdam run -- sh -c 'cat /proc/self/mountinfo'
  cofferdam run --rootfs /srv/busybox -- /bin/sh
  cofferdam run --rootfs /srv/busybox --persistent-volume web/db:data -- /bin/sh -c 'echo kept > data/file'
  cofferdam run --rootfs /srv/busybox --trace -- /bin/true
  cofferdam run --rootfs /srv/busybox --timings -- /bin/true
  cofferdam run --sim --rootfs /srv/busybox -- /bin/sh

The last one needs no root: it runs on a simulated host, which has a root filesystem of that name, and shows what the \
program would see.

Exit status: that of CMD; 128+n if signal n killed it; 125 if cofferdam failed, 126 if CMD can't be executed, 127 if it \
is not found.";

/// Arguments of `cofferdam run`.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) container: ContainerOptions,
    /// Print every system call of the isolator and the launcher to standard error, as strace does
    #[arg(long)]
    pub(crate) trace: bool,
    /// Print to standard error where the time went, once the container has ended
    #[arg(long, conflicts_with_all = ["sim", "mountinfo"])]
    pub(crate) timings: bool,
    /// Before the program begins, verify that the mounts are those that `plan` predicts; if not, tell the difference, and do
    /// not begin
    #[arg(long, conflicts_with_all = ["sim", "mountinfo"])]
    pub(crate) verify: bool,
    /// Run on a simulated host, fresh each time, without root: prints what the program would see and reach, and what
    /// becomes of the host. A root filesystem is in /srv/busybox; the host's users are root, nobody and alice, among others
    #[arg(long)]
    pub(crate) sim: bool,
    /// Give the simulated host the mounts of a real one: a copy of its /proc/self/mountinfo; implies --sim
    #[arg(long, value_name = "FILE")]
    pub(crate) mountinfo: Option<PathBuf>,
    /// Program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_name = "CMD", value_parser = bytes())]
    pub(crate) command: Vec<Bytes>,
}
