//! A host on which containers are launched, by cofferdam and by others: `performance launch-host`.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use cofferdam::messages::{CommandInfo, ContainerId, ContainerLaunchInfo};
use cofferdam::mountinfo::entries;

use crate::arguments::LaunchHostArguments;
use crate::command_line::{self, CommandLine};
use crate::host::Host;
use crate::in_a_row::in_a_row;
use crate::racer::{Racer, serve};
use crate::results::{Greeting, Skipped};
use crate::{Failure, agent, encode, recorder};

/// What is measured.
enum Contender {
    Command(CommandLine),
    Process(Racer),
}

impl Contender {
    fn measure(&mut self) -> Result<Duration, Failure> {
        match self {
            Self::Command(command) => command.measure(),
            Self::Process(racer) => in_a_row(|| racer.measure("launch")),
        }
    }
}

/// Those that work here, and why the others do not.
#[derive(Default)]
struct Contenders {
    ready: Vec<(&'static str, Contender)>,
    skipped: Vec<Skipped>,
}

impl Contenders {
    /// One that does not work is left out.
    fn add(&mut self, name: &'static str, made: Result<Contender, Failure>) {
        let tried = made.and_then(|mut contender| contender.measure().map(|_| contender));
        match tried {
            Ok(contender) => self.ready.push((name, contender)),
            Err(error) => self.skip(name, error.to_string()),
        }
    }

    fn skip(&mut self, name: &'static str, reason: String) {
        self.skipped.push(Skipped { name: name.into(), reason });
    }

    fn add_peer(
        &mut self,
        name: &'static str,
        program: Option<&PathBuf>,
        make: impl FnOnce(&Path) -> Result<CommandLine, Failure>,
    ) {
        match program {
            Some(program) => self.add(name, make(program).map(Contender::Command)),
            None => self.skip(name, format!("no --{name} is given")),
        }
    }
}

/// Measures for each line on standard input.
pub fn run(arguments: &LaunchHostArguments) -> Result<(), Failure> {
    let LaunchHostArguments { host: size, programs } = arguments;
    let (rootfs, cofferdam) = programs.required()?;
    let mut host = Host::new(&size.scratch, size.propagation)?;
    let mut contenders = Contenders::default();
    // What fails here is what this is all about.
    let mut run = Contender::Command(command_line::cofferdam(&host, cofferdam, rootfs)?);
    run.measure()?;
    contenders.ready.push(("run", run));
    contenders.add_peer("bwrap", programs.bwrap.as_ref(), |program| command_line::bwrap(&host, program, rootfs));
    contenders.add_peer("runc", programs.runc.as_ref(), |program| command_line::runc(&host, program, rootfs));
    contenders.add("unshare", command_line::unshare(&host, rootfs).map(Contender::Command));

    let layout = host.layout("agent")?;
    agent::create(cofferdam, &layout)?;
    let info = agent::prepare(cofferdam, &layout, &ContainerId::new("c")?, rootfs)?;
    let mounts = host.fill(size.mounts, size.propagation)?;
    let launches = Launches { directory: host.directory("launches")? };
    contenders.ready.push(("launch", launches.cofferdam(&info)?));
    match &programs.replayer {
        Some(replayer) => contenders.add("replay", launches.replayer(&info, replayer)),
        None => contenders.skip("replay", "no --replayer is given".into()),
    }

    let Contenders { mut ready, skipped } = contenders;
    let names = ready.iter().map(|(name, _)| String::from(*name)).collect();
    let greeting = Greeting { mounts, contenders: names, skipped, memory: None };
    serve(&serde_json::to_string(&greeting)?, |what| {
        let contender = ready.iter_mut().find(|(name, _)| *name == what);
        contender.ok_or_else(|| format!("there is no contender {what}"))?.1.measure()
    })
}

/// Launches without the rest of a command.
struct Launches {
    directory: PathBuf,
}

impl Launches {
    /// cofferdam's launcher.
    fn cofferdam(&self, info: &ContainerLaunchInfo) -> Result<Contender, Failure> {
        let mut command = ourselves()?;
        command.arg("launcher").arg(self.write("true.json", info)?);
        Ok(Contender::Process(Racer::start("cofferdam's launcher", &mut command)?))
    }

    /// The C program with the calls that cofferdam's launcher makes, here and now. That its containers have the same
    /// mounts is checked first.
    fn replayer(&self, info: &ContainerLaunchInfo, replayer: &Path) -> Result<Contender, Failure> {
        let mut showing = info.clone();
        let show = ["/bin/cat", "/proc/self/mountinfo"].map(Into::into).to_vec();
        showing.command = Some(CommandInfo::program(show));
        let mut ours = ourselves()?;
        ours.args(["launcher", "--once"]).arg(self.write("show.json", &showing)?);
        let mut theirs = Command::new(replayer);
        theirs.arg("--once").arg(self.record("show", &showing)?);
        let (ours, theirs) = (shown(&mut ours)?, shown(&mut theirs)?);
        if ours != theirs {
            return Err(format!(
                "the containers of the C program have other mounts than cofferdam's:\n{ours}\nand not\n{theirs}"
            )
            .into());
        }
        let mut command = Command::new(replayer);
        command.arg(self.record("true", info)?);
        Ok(Contender::Process(Racer::start("the C program", &mut command)?))
    }

    /// The list of the calls of a launch.
    fn record(&self, name: &str, info: &ContainerLaunchInfo) -> Result<PathBuf, Failure> {
        let calls = self.directory.join(format!("{name}.calls"));
        let mut command = ourselves()?;
        command.arg("recorder").arg(self.write(&format!("{name}.json"), info)?);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(OpenOptions::new().create(true).append(true).open(&calls)?);
        let status = command.status()?;
        let recorded = recorder::read(&calls)?;
        if !status.success() {
            return Err(format!("the launch that was recorded ended with {status}").into());
        }
        let list = self.directory.join(format!("{name}.list"));
        fs::write(&list, encode::list(&recorded)?)?;
        Ok(list)
    }

    fn write(&self, name: &str, info: &ContainerLaunchInfo) -> Result<PathBuf, Failure> {
        let path = self.directory.join(name);
        fs::write(&path, serde_json::to_vec(info)?)?;
        Ok(path)
    }
}

fn ourselves() -> Result<Command, Failure> {
    Ok(Command::new(std::env::current_exe()?))
}

/// The mount table that a program prints, without the numbers that differ each time: one mount a line.
fn shown(command: &mut Command) -> Result<String, Failure> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}", output.status).into());
    }
    let mut shown = String::new();
    for entry in entries(&output.stdout) {
        let entry = entry?;
        let parts = [
            entry.mountpoint_raw(),
            entry.root_raw(),
            entry.mount_options_raw(),
            entry.optional_fields_raw(),
            entry.filesystem_type_raw(),
            entry.source_raw(),
            entry.super_options_raw(),
        ];
        shown.push_str(&parts.map(|part| String::from_utf8_lossy(part)).join(" "));
        shown.push('\n');
    }
    if shown.is_empty() {
        return Err(format!("{command:?} has shown no mounts").into());
    }
    Ok(shown)
}
