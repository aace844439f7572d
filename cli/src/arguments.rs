//! The command line.

mod container;
#[cfg(test)]
mod examples;
mod generated;
mod launcher;
#[cfg_attr(
    not(all(target_os = "linux", not(feature = "sim"))),
    allow(dead_code, reason = "only a real kernel keeps what one command leaves to the next")
)]
mod life_cycle;
mod mounts;
mod plan;
mod replay;
mod run;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use cofferdam::kernel::Bytes;

pub(crate) use container::{ContainerOptions, PersistentVolumeArgument};
pub(crate) use generated::{CompletionsArguments, ManArguments, SchemaArguments};
pub(crate) use launcher::LaunchArguments;
pub(crate) use life_cycle::{CleanupArguments, LaunchContainer, LifeCycleCommand};
pub(crate) use mounts::{GraphArguments, GraphFormat, MountsArguments};
pub(crate) use plan::PlanArguments;
pub(crate) use replay::ReplayArguments;
pub(crate) use run::RunArguments;
pub(crate) use verify::VerifyArguments;

/// Where the agent's durable state is unless said otherwise.
pub(crate) const DEFAULT_WORK_DIR: &str = "/var/lib/cofferdam";
/// Where the agent's other state is unless said otherwise.
pub(crate) const DEFAULT_RUNTIME_DIR: &str = "/run/cofferdam";

const SIM_EXAMPLES: &str = "\
Examples:
  cofferdam sim
  cofferdam sim script.sh one two
  cofferdam sim -c 'mount -t tmpfs none /mnt; findmnt /mnt'
  cofferdam sim --state machine.state -c 'mount --bind /srv /mnt'
  cofferdam sim --mountinfo /proc/self/mountinfo -c 'umount -l /home; findmnt'
  cofferdam sim --explain -c 'cd /srv; umount /srv'

Exit status: that of the last command, as with sh; 125 if cofferdam failed.";

/// Isolates the filesystem of a container on Linux, and leaves the host as it was.
#[derive(Debug, Parser)]
#[command(name = "cofferdam", version, max_term_width = 120)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a program in a container of its own, and clean up after it
    #[command(after_help = run::EXAMPLES)]
    Run(Box<RunArguments>),
    /// Tell what a container will do to this host, or to another one, without doing it; needs no root
    #[command(after_help = plan::EXAMPLES)]
    Plan(Box<PlanArguments>),
    /// Tell whether a running container, and the host around it, are still as they were made
    #[command(after_help = verify::EXAMPLES)]
    Verify(VerifyArguments),
    /// Run a shell on a simulated machine: scripts that mount, without root
    #[command(after_help = SIM_EXAMPLES)]
    Sim(SimArguments),
    /// Show what is mounted where, as a tree, and who receives what is mounted on what
    #[command(after_help = mounts::EXAMPLES)]
    Mounts(MountsArguments),
    /// Draw what is mounted on what, and what is propagated where
    #[command(after_help = mounts::GRAPH_EXAMPLES)]
    Graph(GraphArguments),
    /// Replay a log of strace on a simulated machine: why a mount failed, and whether anything else would have come of it
    #[command(after_help = replay::EXAMPLES)]
    Replay(ReplayArguments),
    /// Carry out a launch info and become its program (what `run` and `launch` start; the process is of no other use)
    #[command(hide = true)]
    Launcher(LaunchArguments),
    #[command(flatten)]
    LifeCycle(LifeCycleCommand),
    /// Print the JSON Schema of a message, or of the agent's configuration
    #[command(after_help = generated::SCHEMA_EXAMPLES)]
    Schema(SchemaArguments),
    /// Print a script with which a shell completes the arguments of cofferdam
    #[command(after_help = generated::COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArguments),
    /// Print a manual page, in roff, or write all of them
    #[command(after_help = generated::MAN_EXAMPLES)]
    Man(ManArguments),
}

/// Which agent a command acts for.
#[derive(Clone, Debug, Args)]
pub(crate) struct AgentArguments {
    /// Configuration of the agent, in TOML or JSON (see `cofferdam schema agent-config`); options override it
    #[arg(long, value_name = "FILE")]
    pub(crate) agent_config: Option<PathBuf>,
    /// Directory for sandboxes and persistent volumes; must exist, but for the default one [default: /var/lib/cofferdam]
    #[arg(long, value_name = "DIR", value_parser = bytes())]
    pub(crate) work_dir: Option<Bytes>,
    /// Directory for state that a reboot forgets [default: /run/cofferdam]
    #[arg(long, value_name = "DIR", value_parser = bytes())]
    pub(crate) runtime_dir: Option<Bytes>,
}

/// Arguments of `cofferdam sim`.
#[derive(Debug, Args)]
pub(crate) struct SimArguments {
    /// Load the machine from this file, and save it there afterwards; a new machine if there is no such file
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Begin with the mounts of this mountinfo, such as /proc/self/mountinfo of a host, instead of those of a sample host
    #[arg(long, value_name = "FILE")]
    pub(crate) mountinfo: Option<PathBuf>,
    /// Begin in this directory of the simulated machine [default: /]
    #[arg(long, value_name = "DIR", value_parser = bytes())]
    pub(crate) directory: Option<Bytes>,
    /// After each error message, show the system calls that failed, and why: by which rule of the kernel
    #[arg(long)]
    pub(crate) explain: bool,
    /// Execute these commands; of the other arguments the first is $0
    #[arg(short = 'c', value_name = "COMMANDS", value_parser = bytes())]
    pub(crate) commands: Option<Bytes>,
    /// Script of this machine, and its arguments; without one, commands are read from standard input
    #[arg(trailing_var_arg = true, value_name = "SCRIPT", value_parser = bytes())]
    pub(crate) operands: Vec<Bytes>,
}

/// Parses the command line. The error is one to print: a mistake, or the help that was asked for.
pub(crate) fn parse() -> Result<Command, clap::Error> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match started_often(&arguments) {
        Some(command) => Ok(command),
        None => parse_from(arguments),
    }
}

/// The commands that containers are waiting for, without a description of all the others. `None` if it is not one of them, and
/// for whatever there is to print, which is the same for all commands.
fn started_often(arguments: &[OsString]) -> Option<Command> {
    let (name, arguments) = arguments.get(1..)?.split_first()?;
    match name.to_str()? {
        "run" => parse_alone(arguments).map(|parsed| Command::Run(Box::new(parsed))),
        "launcher" => parse_alone(arguments).map(Command::Launcher),
        _ => None,
    }
}

fn parse_alone<A: Args>(arguments: &[OsString]) -> Option<A> {
    let command = A::augment_args(clap::Command::new("cofferdam").no_binary_name(true));
    A::from_arg_matches(&command.try_get_matches_from(arguments).ok()?).ok()
}

/// The description of all commands.
pub(crate) fn description() -> clap::Command {
    CommandLine::command()
}

/// Parses a command line, the name of the program included.
pub(crate) fn parse_from<T: Into<OsString> + Clone>(
    arguments: impl IntoIterator<Item = T>,
) -> Result<Command, clap::Error> {
    CommandLine::try_parse_from(arguments).map(|line| line.command)
}

/// Paths and arguments are bytes, in any encoding or none.
fn bytes() -> impl clap::builder::TypedValueParser<Value = Bytes> {
    os_string_parser(|text| Ok::<_, String>(Bytes(text.into_encoded_bytes())))
}

fn os_string_parser<T, F>(parse: F) -> impl clap::builder::TypedValueParser<Value = T>
where
    T: Clone + Send + Sync + 'static,
    F: Fn(OsString) -> Result<T, String> + Clone + Send + Sync + 'static,
{
    use clap::builder::{OsStringValueParser, TypedValueParser};
    OsStringValueParser::new().try_map(parse)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn an_unknown_option_is_no_command() {
        assert!(CommandLine::try_parse_from(["cofferdam", "run", "--no-such-option", "ls"]).is_err());
        assert!(CommandLine::try_parse_from(["cofferdam", "run", "--", "--no-such-option"]).is_ok());
    }

    #[rstest]
    #[case(&["run", "--rootfs", "/r", "--env", "A=b", "--", "ls", "--id", "x"])]
    #[case(&["run", "ls"])]
    #[case(&["launcher", "--launch-info", "/i", "--pid-file", "/p", "--pid-file", "/q", "--begin", "3"])]
    fn what_is_started_often_is_parsed_alike(#[case] arguments: &[&str]) {
        let line: Vec<OsString> = ["cofferdam"].iter().chain(arguments).map(Into::into).collect();
        let alone = started_often(&line).map(|command| format!("{command:?}"));
        assert_eq!(alone, Some(format!("{:?}", parse_from(line).unwrap())));
    }

    #[rstest]
    #[case(&[])]
    #[case(&["--version"])]
    #[case(&["list"])]
    #[case(&["run"])]
    #[case(&["run", "--help"])]
    #[case(&["run", "--version"])]
    #[case(&["run", "--timings", "--sim", "ls"])]
    #[case(&["launcher", "--no-such-option"])]
    fn whatever_is_printed_is_printed_for_all_commands_alike(#[case] arguments: &[&str]) {
        let line: Vec<OsString> = ["cofferdam"].iter().chain(arguments).map(Into::into).collect();
        assert!(started_often(&line).is_none());
    }

    #[test]
    fn options_after_the_command_are_its_own() {
        let line = CommandLine::try_parse_from(["cofferdam", "run", "--trace", "ls", "--id", "x"]).unwrap();
        let Command::Run(arguments) = line.command else { panic!("not run") };
        assert!(arguments.trace && arguments.container.id.is_none());
        assert_eq!(arguments.command, ["ls", "--id", "x"].map(Bytes::from));
    }
}
