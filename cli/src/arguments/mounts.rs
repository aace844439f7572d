//! Arguments of `cofferdam mounts`.

use std::path::PathBuf;

use clap::Args;

pub(crate) const EXAMPLES: &str = "\
Examples:
  cofferdam mounts
  cofferdam mounts --under /run
  cofferdam mounts --pid 812 --containing /etc/resolv.conf
  cofferdam mounts --peers-of /mnt/data
  cofferdam mounts --file saved-mountinfo --json
  cat /proc/self/mountinfo > before; systemctl start docker; cofferdam mounts --diff before

In the last column, `shared 5 with /b; sends to /c` says: in peer group 5, as /b is; what is mounted here is mounted on /b \
and on /c as well. `slave of 5 (/a)` says: what is mounted on /a is mounted here, and nothing goes back. Peer groups with \
more than one mount have a colour on a terminal (NO_COLOR=1 for none, CLICOLOR_FORCE=1 for colours anywhere).

Exit status: 0; with --diff 1 if there is a difference; 125 if cofferdam failed.";

/// Arguments of `cofferdam mounts`.
#[derive(Debug, Args)]
pub(crate) struct MountsArguments {
    /// The mounts that this process sees, instead of our own
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// The mounts in this file, a copy of a /proc/PID/mountinfo; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "pid")]
    pub(crate) file: Option<PathBuf>,
    /// Only the mount that PATH is in, and those that it is mounted on, step by step
    #[arg(long, value_name = "PATH", conflicts_with_all = ["under", "peers_of", "diff"])]
    pub(crate) containing: Option<PathBuf>,
    /// Only the mounts on PATH and below it
    #[arg(long, value_name = "PATH", conflicts_with_all = ["peers_of", "diff"])]
    pub(crate) under: Option<PathBuf>,
    /// Where what is mounted at PATH appears as well, and from where something would appear there
    #[arg(long, value_name = "PATH", conflicts_with = "diff")]
    pub(crate) peers_of: Option<PathBuf>,
    /// What is different from the mounts in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) diff: Option<PathBuf>,
    /// Do not look into other mount namespaces for those that receive; with many mounts and containers that takes its time
    #[arg(long)]
    pub(crate) this_namespace: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Draw the tree with ASCII characters, as where the locale has no others
    #[arg(long)]
    pub(crate) ascii: bool,
}
