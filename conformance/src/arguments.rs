//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::exhaustive::alphabet::Alphabet;
use crate::generate::Profile;
use crate::sequence::{Looks, MAX_TASKS};
use crate::universe::Privileges;

/// Proves that the simulated kernel does, call by call, what the real one does.
///
/// Sequences of calls are carried out on both, and every result and every mount table compared. On the real kernel this
/// happens in mount and pid namespaces of their own; that needs root, or the right to make user namespaces.
#[derive(Debug, Parser)]
#[command(name = "conform", version, max_term_width = 120)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try random sequences; a sequence on which the kernels differ is shrunk, printed and saved
    Random(RandomArguments),
    /// Try every sequence up to a depth over a few directories and calls
    Exhaustive(ExhaustiveArguments),
    /// Try saved sequences
    Replay(ReplayArguments),
    /// Show which outcomes of which calls random sequences reach; fails if one that should occur does not
    Coverage(CoverageArguments),
    /// Let everything go wrong in what the isolator does, on the simulated kernel; fails if an invariant does not hold
    Explore(ExploreArguments),
    /// Try sequences for another conform (not for people)
    #[command(hide = true)]
    Worker,
}

/// Arguments of `conform random`.
#[derive(Debug, Args)]
pub(crate) struct RandomArguments {
    /// How many calls to make at least
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) ops: u64,
    /// Where chance starts; the same seed gives the same sequences [default: a fresh one, which is printed]
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Where to save the sequences on which the kernels differ
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    /// Go on until there are so many sequences that differ in different ways
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) divergences: usize,
    /// Save a report of the outcomes that occurred, as JSON, and print it
    #[arg(long, value_name = "FILE")]
    pub(crate) coverage: Option<PathBuf>,
    /// Print sequences as they were found, without shrinking them
    #[arg(long)]
    pub(crate) no_shrink: bool,
    /// Compare the real kernel with itself: what differs depends on more than the sequence
    #[arg(long, hide = true)]
    pub(crate) real_only: bool,
    /// What the calls are about
    #[arg(long, value_enum, default_value_t)]
    pub(crate) profile: Profile,
    #[command(flatten)]
    pub(crate) sequences: SequenceArguments,
    #[command(flatten)]
    pub(crate) running: RunningArguments,
}

/// What sequences are like.
#[derive(Debug, Args)]
pub(crate) struct SequenceArguments {
    /// How many processes a sequence has at most
    #[arg(long, value_name = "K", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=MAX_TASKS as u64))]
    pub(crate) tasks: u64,
    /// How many steps a sequence has
    #[arg(long, value_name = "L", default_value_t = 80, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) length: u64,
    /// Compare the mount tables of all processes after every call, not only at the end of the sequence
    #[arg(long)]
    pub(crate) check_every_call: bool,
}

impl SequenceArguments {
    pub(crate) fn looks(&self) -> Looks {
        if self.check_every_call { Looks::AfterEveryCall } else { Looks::AtTheEnd }
    }
}

/// How the work is done.
#[derive(Debug, Args)]
pub(crate) struct RunningArguments {
    /// How many sequences to try at a time [default: twice as many as there are processors, as the kernel often waits]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) jobs: Option<u32>,
    /// Privileges of the sequences [default: root, or else a user namespace]
    #[arg(long, value_enum)]
    pub(crate) privileges: Option<Privileges>,
}

/// Arguments of `conform exhaustive`.
#[derive(Debug, Args)]
pub(crate) struct ExhaustiveArguments {
    /// How many calls a sequence has at most
    #[arg(long, value_name = "D", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub(crate) depth: u32,
    /// Directories and calls
    #[arg(long, value_enum, default_value_t)]
    pub(crate) universe: Alphabet,
    /// Where to save the sequences on which the kernels differ
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    /// Go on until there are so many sequences that differ in different ways
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) divergences: usize,
    /// Save a report of the outcomes that occurred, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) coverage: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) running: RunningArguments,
}

/// Arguments of `conform replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// Files with sequences, as `random` saves them, or with what `explore` has found
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print every sequence with what the real kernel did
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Compare the mount tables after every call, whatever the files say
    #[arg(long)]
    pub(crate) check_every_call: bool,
    /// Shrink sequences on which the kernels differ, and save them in place
    #[arg(long)]
    pub(crate) shrink: bool,
    /// Privileges of the sequences [default: root, or else a user namespace]
    #[arg(long, value_enum)]
    pub(crate) privileges: Option<Privileges>,
}

/// Arguments of `conform explore`.
#[derive(Debug, Args)]
pub(crate) struct ExploreArguments {
    /// Only scenarios with this in their names
    #[arg(long, value_name = "TEXT")]
    pub(crate) scenario: Option<String>,
    /// List the scenarios
    #[arg(long)]
    pub(crate) list: bool,
    /// Go less far, as described for the other options: takes less than 40 s
    #[arg(long)]
    pub(crate) bounded: bool,
    /// Let something go wrong at every Nth call [default: 1, or 5 if bounded]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) every: Option<u16>,
    /// After a call that failed, let the operation die before each of the N calls that follow [default: 8, or 0 if
    /// bounded]
    #[arg(long, value_name = "N")]
    pub(crate) deaths: Option<usize>,
    /// After a call that failed, let each of the N calls that follow fail as well, in every way [default: 1, or 0 if
    /// bounded]
    #[arg(long, value_name = "N")]
    pub(crate) failures: Option<usize>,
    /// After a death, let the recovery die before each of its first N calls [default: 1000, or 100 if
    /// bounded]
    #[arg(long, value_name = "N")]
    pub(crate) recovery: Option<usize>,
    /// How many threads to use [default: one for each processor]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<std::num::NonZeroU16>,
    /// Where to save what was found, for `conform replay`
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    /// Stop when so many violations were found
    #[arg(long, value_name = "N")]
    pub(crate) violations: Option<usize>,
}

/// Arguments of `conform coverage`.
#[derive(Debug, Args)]
pub(crate) struct CoverageArguments {
    /// How many calls to make at least
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub(crate) ops: u64,
    /// Where chance starts
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// What the calls are about [default: each in turn]
    #[arg(long, value_enum)]
    pub(crate) profile: Option<Profile>,
    /// Print the report as Markdown
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Where to save the sequences on which the kernels differ
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) output: PathBuf,
    /// Where to save the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sequences: SequenceArguments,
    #[command(flatten)]
    pub(crate) running: RunningArguments,
}
