//! The command line.

#[cfg_attr(
    not(all(target_os = "linux", not(feature = "sim"))),
    allow(dead_code, reason = "only a real kernel keeps what one command leaves to the next")
)]
mod life_cycle;
mod mounts;
mod replay;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use cofferdam::kernel::Bytes;
use cofferdam::messages::{ContainerId, EnvironmentVariable};

pub(crate) use life_cycle::{CleanupArguments, LaunchContainer, LifeCycleCommand};
pub(crate) use mounts::{GraphArguments, GraphFormat, MountsArguments};
pub(crate) use replay::ReplayArguments;

/// Where the agent's durable state is unless said otherwise.
pub(crate) const DEFAULT_WORK_DIR: &str = "/var/lib/cofferdam";
/// Where the agent's other state is unless said otherwise.
pub(crate) const DEFAULT_RUNTIME_DIR: &str = "/run/cofferdam";

const RUN_EXAMPLES: &str = "\
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

const PLAN_EXAMPLES: &str = "\
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

const VERIFY_EXAMPLES: &str = "\
Examples:
  cofferdam verify --id web
  cofferdam verify --id web --json || logger 'the mounts of web have drifted'

What should be there is found out on a simulated kernel, on which the container is made anew; needs root.

Exit status: 0 if nothing is different, 1 if something is, 125 if that can't be told.";

const SIM_EXAMPLES: &str = "\
Examples:
  cofferdam sim
  cofferdam sim script.sh one two
  cofferdam sim -c 'mount -t tmpfs none /mnt; findmnt /mnt'
  cofferdam sim --state machine.state -c 'mount --bind /srv /mnt'
  cofferdam sim --mountinfo /proc/self/mountinfo -c 'umount -l /home; findmnt'
  cofferdam sim --explain -c 'cd /srv; umount /srv'

Exit status: that of the last command, as with sh; 125 if cofferdam failed.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  cofferdam completions bash > /usr/share/bash-completion/completions/cofferdam
  cofferdam completions zsh > /usr/local/share/zsh/site-functions/_cofferdam
  cofferdam completions fish > ~/.config/fish/completions/cofferdam.fish";

const MAN_EXAMPLES: &str = "\
Examples:
  cofferdam man run | man -l -
  cofferdam man --directory /usr/local/share/man/man1";

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
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArguments>),
    /// Tell what a container will do to this host, or to another one, without doing it; needs no root
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(Box<PlanArguments>),
    /// Tell whether a running container, and the host around it, are still as they were made
    #[command(after_help = VERIFY_EXAMPLES)]
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
    Schema(SchemaArguments),
    /// Print a script with which a shell completes the arguments of cofferdam
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArguments),
    /// Print a manual page, in roff, or write all of them
    #[command(after_help = MAN_EXAMPLES)]
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

/// Arguments of `cofferdam schema`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArguments {
    /// Which schema; without it, the names are printed
    #[arg(value_parser = PossibleValuesParser::new(cofferdam::schema::NAMES))]
    pub(crate) name: Option<String>,
}

/// Arguments of `cofferdam completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// Shell that is to complete them
    pub(crate) shell: clap_complete::Shell,
}

/// Arguments of `cofferdam man`.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Command whose page is printed; without it, the page about all of cofferdam
    pub(crate) command: Option<String>,
    /// Write the pages of all commands there, instead
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub(crate) directory: Option<PathBuf>,
}

/// The options that say what container a program gets.
#[derive(Clone, Debug, Args)]
pub(crate) struct ContainerOptions {
    #[command(flatten)]
    pub(crate) agent: AgentArguments,
    /// Id of the container [default: one that is not in use]
    #[arg(long, value_name = "ID", value_parser = |id: &str| id.parse::<ContainerId>())]
    pub(crate) id: Option<ContainerId>,
    /// Root filesystem of the container; without it the container sees the host's
    #[arg(long, value_name = "DIR", value_parser = bytes())]
    pub(crate) rootfs: Option<Bytes>,
    /// User, and group, that the program runs as: names of the host or numbers
    #[arg(long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Variable for the program's environment, which has little else
    #[arg(long, value_name = "K=V", value_parser = os_string_parser(environment_variable))]
    pub(crate) env: Vec<EnvironmentVariable>,
    /// Leave the program all capabilities, those included that lead out of a container
    #[arg(long)]
    pub(crate) privileged: bool,
    /// Share the host's pid namespace: the program sees all processes, and nothing in /proc is masked
    #[arg(long)]
    pub(crate) share_pid: bool,
    /// Persistent volume to mount at NAME in the sandbox; created if it does not exist
    #[arg(long, value_name = "ROLE/ID:NAME[:ro|rw]", value_parser = persistent_volume)]
    pub(crate) persistent_volume: Vec<PersistentVolumeArgument>,
}

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

/// Arguments of `cofferdam verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    #[command(flatten)]
    pub(crate) agent: AgentArguments,
    /// Id of the container
    #[arg(long, value_name = "ID", value_parser = life_cycle::container_id)]
    pub(crate) id: ContainerId,
    /// Print the differences as JSON
    #[arg(long)]
    pub(crate) json: bool,
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

/// Arguments of `cofferdam launcher`.
#[derive(Clone, Debug, Args)]
pub(crate) struct LaunchArguments {
    /// The launch info: what `prepare` decided, as JSON
    #[arg(long, value_name = "FILE", value_parser = bytes())]
    pub(crate) launch_info: Bytes,
    /// Kill the container when this process, which started this one, dies
    #[arg(long, value_name = "PID")]
    pub(crate) die_with_parent: Option<i32>,
    /// Process of the container that this one is nested in
    #[arg(long, value_name = "PID")]
    pub(crate) parent: Option<i32>,
    /// Write the number of the container's process there once its filesystem is complete
    #[arg(long, value_name = "FILE", value_parser = bytes())]
    pub(crate) pid_file: Vec<Bytes>,
    /// Print every system call to standard error, as strace does
    #[arg(long)]
    pub(crate) trace: bool,
    /// Note the beginning of each phase in this descriptor
    #[arg(long, value_name = "FD")]
    pub(crate) timings: Option<i32>,
    /// Begin once there is a byte to read from this descriptor; end if it is closed instead
    #[arg(long, value_name = "FD")]
    pub(crate) begin: Option<i32>,
    /// Execute the program once there is a byte to read from this descriptor; end if it is closed instead
    #[arg(long, value_name = "FD")]
    pub(crate) hold: Option<i32>,
}

impl LaunchArguments {
    /// The command line that says so.
    pub(crate) fn command_line(&self) -> Vec<Bytes> {
        let mut line: Vec<Bytes> = vec!["cofferdam".into(), "launcher".into()];
        if let Some(parent) = self.die_with_parent {
            line.extend(["--die-with-parent".into(), parent.to_string().into()]);
        }
        if let Some(parent) = self.parent {
            line.extend(["--parent".into(), parent.to_string().into()]);
        }
        for path in &self.pid_file {
            line.extend(["--pid-file".into(), path.clone()]);
        }
        if self.trace {
            line.push("--trace".into());
        }
        if let Some(notes) = self.timings {
            line.extend(["--timings".into(), notes.to_string().into()]);
        }
        if let Some(pipe) = self.begin {
            line.extend(["--begin".into(), pipe.to_string().into()]);
        }
        if let Some(pipe) = self.hold {
            line.extend(["--hold".into(), pipe.to_string().into()]);
        }
        line.extend(["--launch-info".into(), self.launch_info.clone()]);
        line
    }
}

/// A persistent volume: `ROLE/ID:NAME[:ro|rw]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PersistentVolumeArgument {
    pub(crate) role: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) read_only: bool,
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

fn environment_variable(text: OsString) -> Result<EnvironmentVariable, String> {
    let text = text.into_encoded_bytes();
    match text.iter().position(|byte| *byte == b'=') {
        None | Some(0) => Err("it must be NAME=VALUE".into()),
        Some(equals) => Ok(EnvironmentVariable::new(&text[..equals], &text[equals + 1..])),
    }
}

fn persistent_volume(text: &str) -> Result<PersistentVolumeArgument, String> {
    let usage = || "it must be ROLE/ID:NAME, with :ro or :rw after it if you like".to_string();
    let (volume, place) = text.split_once(':').ok_or_else(usage)?;
    let (role, id) = volume.rsplit_once('/').ok_or_else(usage)?;
    let (name, read_only) = match place.rsplit_once(':') {
        Some((name, "ro")) => (name, true),
        Some((name, "rw")) => (name, false),
        Some(_) => return Err(usage()),
        None => (place, false),
    };
    if role.is_empty() || id.is_empty() || name.is_empty() {
        return Err(usage());
    }
    if name.contains('/') {
        return Err(format!("the name {name:?} must be one in the sandbox, without a slash"));
    }
    Ok(PersistentVolumeArgument { role: role.into(), id: id.into(), name: name.into(), read_only })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        CommandLine::command().debug_assert();
    }

    #[rstest]
    #[case("web/db:data", "web", "db", "data", false)]
    #[case("eng/web/db:data:ro", "eng/web", "db", "data", true)]
    #[case("web/db:data:rw", "web", "db", "data", false)]
    fn volumes(#[case] text: &str, #[case] role: &str, #[case] id: &str, #[case] name: &str, #[case] read_only: bool) {
        let expected = PersistentVolumeArgument { role: role.into(), id: id.into(), name: name.into(), read_only };
        assert_eq!(persistent_volume(text), Ok(expected));
    }

    #[rstest]
    #[case("web:data")]
    #[case("web/db")]
    #[case("web/db:")]
    #[case("/db:data")]
    #[case("web/:data")]
    #[case("web/db:data:rx")]
    #[case("web/db:a/b")]
    #[case("web/db:/a")]
    fn mistaken_volumes(#[case] text: &str) {
        assert!(persistent_volume(text).is_err());
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
