//! `cofferdam list` and `cofferdam state`: what is there, without changing anything.

use std::fmt::Write as _;

use cofferdam::error::CallError;
use cofferdam::isolator::{Isolator, IsolatorError, Unreadable};
use cofferdam::kernel::{AtFlags, Bytes, Errno, Fd, Kernel};
use cofferdam::locks::RunningLock;
use cofferdam::messages::ContainerId;
use cofferdam::mountinfo::Table;
use cofferdam::{UnixPath, checkpoint};
use serde::Serialize;

use super::{LifeCycleError, input};
use crate::agent::Agent;
use crate::host::Host;
use crate::progress::counted;
use crate::run::Failure;

/// How far a container has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// It is being prepared or cleaned up, or whoever did so has died, or its record is damaged: `cofferdam recover` and
    /// `cleanup` help.
    Unfinished,
    /// An agent has told of it after a reboot: it can be cleaned up.
    Known,
    /// It can be launched.
    Prepared,
    /// Its program runs.
    Running,
}

impl Status {
    fn text(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Known => "known",
            Self::Prepared => "prepared",
            Self::Running => "running",
        }
    }
}

/// What is told of a container.
#[derive(Debug, Serialize)]
struct State {
    id: String,
    container_id: ContainerId,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rootfs: Option<Bytes>,
    volumes: Vec<VolumeState>,
    /// Where something is mounted at or below the sandbox, on the host.
    mounts: Vec<Bytes>,
}

#[derive(Debug, Serialize)]
struct VolumeState {
    name: Bytes,
    source: Bytes,
    mode: &'static str,
}

/// Tells of every container.
pub(super) fn list(kernel: &dyn Kernel, host: &dyn Host, agent: &Agent, json: bool) -> Result<(), Failure> {
    let states = counted(kernel, |kernel| states(kernel, host, agent))?;
    if json {
        return input::write(&states.unwrap_or_default());
    }
    let Some(states) = states else { return Ok(()) };
    let width = states.iter().map(|state| state.id.len()).max().unwrap_or(0).max(2);
    let mut lines = format!("{:width$}  STATUS      PID      SANDBOX\n", "ID");
    for state in &states {
        let pid = state.pid.map_or_else(|| "-".into(), |pid| pid.to_string());
        let sandbox = state.sandbox.as_ref().map_or_else(|| "-".into(), ToString::to_string);
        writeln!(lines, "{:width$}  {:10}  {pid:7}  {sandbox}", state.id, state.status.text())?;
    }
    Ok(input::print(lines.as_bytes())?)
}

/// The states of all containers; `None` if the directories are not there.
fn states(kernel: &dyn Kernel, host: &dyn Host, agent: &Agent) -> Result<Option<Vec<State>>, Failure> {
    let Some(Found { isolator, unfinished }) = open(kernel, host, agent)? else { return Ok(None) };
    let text = checkpoint::read(kernel, UnixPath::new("/proc/thread-self/mountinfo"))?;
    let table = Table::parse(&text)?;
    let mut ids: Vec<_> = isolator.containers().chain(&unfinished).collect();
    ids.sort_by_key(|id| names(id));
    let mut states = Vec::new();
    for id in ids {
        states.extend(state_of(kernel, &isolator, id, &table)?);
    }
    Ok(Some(states))
}

/// Tells of one container.
pub(super) fn state(
    kernel: &dyn Kernel,
    host: &dyn Host,
    agent: &Agent,
    id: &ContainerId,
    json: bool,
) -> Result<(), Failure> {
    let unknown = || LifeCycleError::Unknown(id.clone());
    let Found { isolator, unfinished } = open(kernel, host, agent)?.ok_or_else(unknown)?;
    if isolator.container(id).is_none() && !unfinished.contains(id) {
        return Err(unknown().into());
    }
    let table = checkpoint::read(kernel, UnixPath::new("/proc/thread-self/mountinfo"))?;
    let state = state_of(kernel, &isolator, id, &Table::parse(&table)?)?.ok_or_else(unknown)?;
    if json {
        return input::write(&state);
    }
    let mut lines = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| writeln!(lines, "{name:8} {value}");
    line("id", &state.id)?;
    line("status", &state.status.text())?;
    if let Some(pid) = state.pid {
        line("pid", &pid)?;
    }
    if let Some(sandbox) = &state.sandbox {
        line("sandbox", sandbox)?;
    }
    if let Some(rootfs) = &state.rootfs {
        line("rootfs", rootfs)?;
    }
    for volume in &state.volumes {
        line("volume", &format!("{} on {}, {}", volume.source, volume.name, volume.mode))?;
    }
    for mount in &state.mounts {
        line("mount", mount)?;
    }
    Ok(input::print(lines.as_bytes())?)
}

/// The names of a container and of those that it is nested in, the outermost first.
fn names(id: &ContainerId) -> Vec<&str> {
    let mut names = id.parent().map_or_else(Vec::new, names);
    names.push(id.value());
    names
}

/// What is there, by one look at the records: commands may be at work.
pub(super) struct Found<'k> {
    /// It knows the containers that can be used.
    pub(super) isolator: Isolator<&'k dyn Kernel>,
    /// The others.
    unfinished: Vec<ContainerId>,
}

/// What is recorded; `None` if the directories are not there, and so no container is.
pub(super) fn open<'k>(kernel: &'k dyn Kernel, host: &dyn Host, agent: &Agent) -> Result<Option<Found<'k>>, Failure> {
    match Isolator::open(kernel, agent.config.clone(), host.users()) {
        Ok(mut isolator) => {
            let mut unfinished = Vec::new();
            for Unreadable { id, error } in isolator.resume()? {
                // What may not be read is not damaged.
                if error.is_refusal() {
                    return Err(error.into());
                }
                unfinished.push(id);
            }
            Ok(Some(Found { isolator, unfinished }))
        }
        Err(IsolatorError::Call(error)) if error.errno == Errno::ENOENT => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn exists(kernel: &dyn Kernel, path: &UnixPath) -> Result<bool, Failure> {
    match kernel.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::ENOENT) => Ok(false),
        Err(errno) => Err(CallError::new("look at", path, errno).into()),
    }
}

/// The state of a container; `None` if it is gone by now.
fn state_of(
    kernel: &dyn Kernel,
    isolator: &Isolator<&dyn Kernel>,
    id: &ContainerId,
    table: &Table<'_>,
) -> Result<Option<State>, Failure> {
    let layout = &isolator.config().layout;
    if !exists(kernel, &layout.container_runtime(id))? {
        return Ok(None);
    }
    let config = match isolator.recorded_config(id) {
        Err(error) if error.is_refusal() => return Err(error.into()),
        config => config.ok(),
    };
    // Its record may have gone since it was read: it is being cleaned up.
    let known = isolator.container(id).filter(|_| config.is_some());
    let status = match known {
        None => Status::Unfinished,
        Some(_) if RunningLock::is_taken(kernel, layout, id)? => Status::Running,
        Some(_) if exists(kernel, &layout.container_launch_info(id))? => Status::Prepared,
        Some(_) => Status::Known,
    };
    let pid = if status == Status::Running { super::launch::read_pid(kernel, layout, id)? } else { None };
    let mut mounts = Vec::new();
    if let Some(known) = known {
        mounts.extend(table.at_or_below(known.sandbox()).map(|mount| Bytes::from(mount.mountpoint().into_owned())));
    }
    let volumes = known.iter().flat_map(cofferdam::isolator::ContainerView::volumes).map(|volume| VolumeState {
        name: volume.name.as_path().into(),
        source: volume.source.as_path().into(),
        mode: if volume.read_only { "RO" } else { "RW" },
    });
    Ok(Some(State {
        id: id.to_string(),
        container_id: id.clone(),
        status,
        pid,
        sandbox: config.as_ref().map(|config| config.directory.clone()),
        rootfs: config.and_then(|config| config.rootfs),
        volumes: volumes.collect(),
        mounts,
    }))
}
