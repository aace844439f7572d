//! The command line.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::Failure;

/// Measures cofferdam next to what would be used instead, side by side in one run. `benches/run` builds what it needs.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = false)]
pub struct Arguments {
    /// A process of a run.
    #[command(subcommand)]
    pub process: Option<Process>,
    /// What to measure.
    #[command(flatten)]
    pub run: RunArguments,
}

/// What is measured, and what becomes of it.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Few samples of small hosts: shows that everything works, not how fast it is
    #[arg(long)]
    pub quick: bool,
    /// Only this part
    #[arg(long)]
    pub only: Option<Part>,
    /// How often each thing is measured [default: 30; with --quick: 3]
    #[arg(long)]
    pub samples: Option<usize>,
    /// Write the results to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the plots in this directory, as SVG
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
    /// What the programs are.
    #[command(flatten)]
    pub programs: Programs,
    /// How the hosts' mounts propagate: as with systemd, or as without
    #[arg(long, value_enum, default_value_t = Propagation::Shared)]
    pub propagation: Propagation,
}

/// What is compared.
#[derive(Clone, Debug, Args)]
pub struct Programs {
    /// The root filesystem of the containers, with a /bin/true and a /bin/cat
    #[arg(long, value_name = "DIR")]
    pub rootfs: Option<PathBuf>,
    /// The command cofferdam [default: the one beside this program]
    #[arg(long, value_name = "PROGRAM")]
    pub cofferdam: Option<PathBuf>,
    /// benches/peers/launch.c, compiled; without it, the launcher is compared with nothing
    #[arg(long, value_name = "PROGRAM")]
    pub replayer: Option<PathBuf>,
    /// bubblewrap; without it, it is left out
    #[arg(long, value_name = "PROGRAM")]
    pub bwrap: Option<PathBuf>,
    /// runc; without it, it is left out
    #[arg(long, value_name = "PROGRAM")]
    pub runc: Option<PathBuf>,
}

impl Programs {
    /// The root filesystem and the command, without which there is nothing to measure.
    pub fn required(&self) -> Result<(&Path, &Path), Failure> {
        match (&self.rootfs, &self.cofferdam) {
            (Some(rootfs), Some(cofferdam)) => Ok((rootfs, cofferdam)),
            _ => Err("--rootfs and --cofferdam are needed".into()),
        }
    }
}

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Launches of containers.
    Launch,
    /// What an agent does with many containers.
    Agent,
}

/// How the mounts of a host propagate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Propagation {
    /// Every mount is in a peer group.
    Shared,
    /// None is.
    Private,
}

impl Propagation {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Private => "private",
        }
    }
}

/// The processes of a run, which it starts itself.
#[derive(Debug, Subcommand)]
pub enum Process {
    /// A host on which containers are launched
    #[command(hide = true)]
    LaunchHost(LaunchHostArguments),
    /// A host with an agent
    #[command(hide = true)]
    AgentHost(AgentHostArguments),
    /// cofferdam's launcher
    #[command(hide = true)]
    Launcher {
        /// Once, and not for each line of standard input
        #[arg(long)]
        once: bool,
        /// What to launch
        launch_info: String,
    },
    /// cofferdam's launcher, which writes its system calls to standard error
    #[command(hide = true)]
    Recorder {
        /// What to launch
        launch_info: String,
    },
}

/// A host.
#[derive(Clone, Debug, Args)]
pub struct HostArguments {
    /// An empty directory to mount on
    #[arg(long)]
    pub scratch: PathBuf,
    /// How many mounts there are
    #[arg(long)]
    pub mounts: usize,
    /// How they propagate
    #[arg(long, value_enum)]
    pub propagation: Propagation,
}

/// A host on which containers are launched.
#[derive(Debug, Args)]
pub struct LaunchHostArguments {
    /// The host.
    #[command(flatten)]
    pub host: HostArguments,
    /// The programs.
    #[command(flatten)]
    pub programs: Programs,
}

/// A host with an agent.
#[derive(Debug, Args)]
pub struct AgentHostArguments {
    /// The host.
    #[command(flatten)]
    pub host: HostArguments,
    /// The programs.
    #[command(flatten)]
    pub programs: Programs,
    /// How many containers there are besides the one that is measured
    #[arg(long)]
    pub containers: usize,
    /// How many volumes each of them has
    #[arg(long)]
    pub volumes: usize,
}
