//! Arguments of `cofferdam mounts` and `cofferdam graph`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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

/// Whose mounts, and which of them.
#[derive(Debug, Args)]
pub(crate) struct ChosenMounts {
    /// The mounts that this process sees, instead of our own
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Only the mounts on PATH and below it
    #[arg(long, value_name = "PATH")]
    pub(crate) under: Option<PathBuf>,
}

/// Arguments of `cofferdam mounts`.
#[derive(Debug, Args)]
pub(crate) struct MountsArguments {
    /// The mounts in this file, a copy of a /proc/PID/mountinfo; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "pid")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) chosen: ChosenMounts,
    /// Only the mount that PATH is in, and those that it is mounted on, step by step
    #[arg(long, value_name = "PATH", conflicts_with_all = ["under", "peers_of", "diff"])]
    pub(crate) containing: Option<PathBuf>,
    /// Where what is mounted at PATH appears as well, and from where something would appear there
    #[arg(long, value_name = "PATH", conflicts_with_all = ["under", "diff"])]
    pub(crate) peers_of: Option<PathBuf>,
    /// What is different from the mounts in this file
    #[arg(long, value_name = "FILE", conflicts_with = "under")]
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

pub(crate) const GRAPH_EXAMPLES: &str = "\
Examples:
  cofferdam graph > mounts.svg
  cofferdam graph --under /srv --all-namespaces > srv.svg
  cofferdam graph --file node1 --format dot | dot -Tpdf > node1.pdf
  cofferdam graph --file host --file container > both.svg

Each mount is a box, below the one that it is on. A line of a colour joins the mounts of a peer group: what is mounted on one \
is mounted on all of them, and, by the dashed arrows, on their slaves.";

/// Arguments of `cofferdam graph`.
#[derive(Debug, Args)]
pub(crate) struct GraphArguments {
    /// The mounts in this file, a copy of a /proc/PID/mountinfo; `-` is standard input. Of several, which have to be of one
    /// boot of one machine, each is a mount namespace
    #[arg(long, value_name = "FILE", conflicts_with = "pid")]
    pub(crate) file: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) chosen: ChosenMounts,
    /// All mount namespaces that can be seen, with those of their mounts that receive from, or send to, the ones that are shown
    #[arg(long, conflicts_with = "file")]
    pub(crate) all_namespaces: bool,
    /// How the picture is written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: GraphFormat,
}

/// How a picture is written.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum GraphFormat {
    /// A picture, as browsers show it
    #[default]
    Svg,
    /// For Graphviz
    Dot,
    /// For Mermaid, in Markdown
    Mermaid,
}
