//! Arguments of `cofferdam plan`.

use std::path::PathBuf;

use clap::Args;
use cofferdam::kernel::Bytes;

use super::{ContainerOptions, bytes};

pub(crate) const EXAMPLES: &str = "\
Examples:
  cofferdam plan --rootfs /srv/busybox --persistent-volume web/db:data -- /bin/sh
  cofferdam plan --rootfs /srv/busybox --mountinfo copy-of-mountinfo
  cofferdam plan --id web --json < config.json

The second one is for a host that is elsewhere: /proc/self/mountinfo there is enough. The third one takes what `prepare` \
takes, and plans create, prepare, launch and cleanup; the others plan `run`.

The same code runs on a simulated kernel with the host's mounts, and looks on the host's disks for what it asks for. What \
the plan says of errors is what the real run would say.

Exit status: 0 if the host's mounts stay as they are, 1 if they change, 2 if the container would fail; 125 if there is no \
plan.";

/// Arguments of `cofferdam plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    pub(crate) container: ContainerOptions,
    /// Plan for the host with these mounts, a copy of its /proc/self/mountinfo, instead of this one; `-` is standard input.
    /// What the arguments name is taken to be there
    #[arg(long, value_name = "FILE")]
    pub(crate) mountinfo: Option<PathBuf>,
    /// Show the system calls that fail on the way, and why: by which rule of the kernel
    #[arg(long)]
    pub(crate) explain: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Draw the tree with ASCII characters, as where the locale has no others
    #[arg(long)]
    pub(crate) ascii: bool,
    /// Program and its arguments; without one, all but its execution is planned
    #[arg(trailing_var_arg = true, value_name = "CMD", value_parser = bytes())]
    pub(crate) command: Vec<Bytes>,
}
