//! `cofferdam recover`

use cofferdam::isolator::{Isolator, Unreadable};
use cofferdam::kernel::{Bytes, Errno, Kernel, Mode};
use cofferdam::layout::Layout;
use cofferdam::locks::{ContainerLock, RunningLock};
use cofferdam::messages::{ContainerId, RecoverRequest};
use cofferdam::record::{self, RecordError};
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};
use serde::Serialize;

use super::{LifeCycleError, Session, Sharing, cleanup, input};
use crate::agent::Agent;
use crate::host::Host;
use crate::progress::counted;
use crate::run::{self, Failure};

/// What is told of a recovery.
#[derive(Debug, Default, Serialize)]
struct Told {
    /// The containers that are known now.
    known: Vec<ContainerId>,
    /// Those among them that the agent has named as orphans, and that are to be cleaned up.
    orphans: Vec<ContainerId>,
    /// Those that were cleaned up.
    cleaned: Vec<ContainerId>,
    /// Those that have mounts, and that nobody knows.
    foreign: Vec<ContainerId>,
}

/// Cleans up what commands that have died have left, and remembers the containers that standard input names.
pub(super) fn recover(kernel: &dyn Kernel, host: &dyn Host, agent: &Agent) -> Result<(), Failure> {
    let request: Option<RecoverRequest> = input::read_if_there("list of states (see `cofferdam schema states`)")?;
    let (told, mut problems) = counted(kernel, |kernel| carry_out(kernel, host, agent, &request.unwrap_or_default()))?;
    let told = input::write(&told);
    if problems.is_empty() {
        return told;
    }
    problems.extend(told.err());
    Err(LifeCycleError::NotRecovered(problems).into())
}

/// Gives what is to be told, and what did not work.
fn carry_out(
    kernel: &dyn Kernel,
    host: &dyn Host,
    agent: &Agent,
    request: &RecoverRequest,
) -> Result<(Told, Vec<Failure>), Failure> {
    let mut session = Session::begin(kernel, host, agent, Sharing::Alone)?;
    let isolator = &mut session.isolator;
    let mut told = Told::default();
    let mut problems = Vec::new();
    let (refused, unusable): (Vec<_>, Vec<_>) = isolator.resume()?.into_iter().partition(|one| one.error.is_refusal());
    problems.extend(refused.into_iter().map(|one| Failure::from(one.error)));
    clean_up_after_runs(isolator, &mut told, &mut problems)?;
    if let Err(error) = recover_gids(isolator) {
        problems.push(error);
    }
    let recovery = match isolator.recover(&request.states, &request.orphans) {
        Ok(recovery) => recovery,
        Err(error) => {
            problems.extend(error.errors.into_iter().map(Failure::from));
            error.recovery
        }
    };
    // Whoever was at work has died, and recovery has taken that back; or the agent has said what the record does not.
    let recorded = isolator.recorded_containers()?;
    let is_left = |one: &Unreadable| isolator.container(&one.id).is_none() && recorded.contains(&one.id);
    let left = unusable.into_iter().filter(is_left);
    problems.extend(left.map(|Unreadable { id, error }| LifeCycleError::Unreadable { id, error }.into()));
    // Those that had not come far have only been taken back by now.
    remove_sandboxes_of_runs(isolator, &mut problems)?;
    told.orphans = recovery.orphans;
    told.cleaned.extend(recovery.cleaned);
    told.foreign = recovery.foreign;
    told.known = isolator.containers().cloned().collect();
    forget_locks(kernel, &isolator.config().layout)?;
    Ok((told, problems))
}

/// Removes the lock files of containers that are gone.
fn forget_locks(kernel: &dyn Kernel, layout: &Layout) -> Result<(), Failure> {
    for name in ContainerLock::names(kernel, layout)? {
        drop(ContainerLock::take(kernel, layout, &name)?);
    }
    Ok(())
}

/// Frees the gids of volumes that are gone, and remembers that this was done since the machine was started.
fn recover_gids(isolator: &Isolator<&dyn Kernel>) -> Result<(), Failure> {
    let kernel: &dyn Kernel = *isolator.kernel();
    let booted = Bytes(checkpoint::read(kernel, UnixPath::new("/proc/sys/kernel/random/boot_id"))?);
    let layout = &isolator.config().layout;
    let path = layout.boot_id();
    let before: Result<Bytes, _> = record::read(kernel, layout, &path);
    let (rebooted, damage) = match before {
        Ok(before) => (before != booted, None),
        Err(RecordError::Call(error)) if error.errno == Errno::ENOENT => (false, None),
        // Those of containers that run must not be freed. From the next time on it is known again.
        Err(error @ RecordError::Damaged { .. }) => (false, Some(error)),
        Err(error) => return Err(error.into()),
    };
    isolator.recover_gids(rebooted)?;
    record::write(kernel, layout, &path, &booted, Mode(0o644))?;
    damage.map_or(Ok(()), |error| Err(error.into()))
}

/// Cleans up after each `cofferdam run` that has died, and after what was nested in its container.
fn clean_up_after_runs(
    isolator: &mut Isolator<&dyn Kernel>,
    told: &mut Told,
    problems: &mut Vec<Failure>,
) -> Result<(), Failure> {
    let layout = isolator.config().layout.clone();
    let kernel: &dyn Kernel = *isolator.kernel();
    let mut containers = isolator.recorded_containers()?;
    // The innermost first.
    containers.reverse();
    for id in containers {
        let Some(sandbox) = run::sandbox_of_run(&layout, id.top_level()) else { continue };
        let recorded = match isolator.recorded_sandbox(id.top_level()) {
            Ok(recorded) => recorded,
            Err(error) => {
                problems.push(error.into());
                continue;
            }
        };
        if recorded.as_ref() != Some(&sandbox) || RunningLock::is_taken(kernel, &layout, id.top_level())? {
            continue;
        }
        match cleanup::clean_up(isolator, &id, true) {
            Ok(()) => told.cleaned.push(id),
            Err(error) => problems.push(error),
        }
    }
    Ok(())
}

/// Removes the sandboxes of each `cofferdam run` that has no container any more.
fn remove_sandboxes_of_runs(isolator: &Isolator<&dyn Kernel>, problems: &mut Vec<Failure>) -> Result<(), Failure> {
    let layout = isolator.config().layout.clone();
    let kernel: &dyn Kernel = *isolator.kernel();
    let recorded = isolator.recorded_containers()?;
    for (id, sandbox) in sandboxes_of_runs(kernel, &layout)? {
        if recorded.contains(&id) {
            continue;
        }
        match isolator.remove_sandbox(&id, &sandbox) {
            Ok(()) => run::remove_empty_directories_above(kernel, &sandbox, &layout),
            Err(error) => problems.push(error.into()),
        }
    }
    run::remove_empty_directories_above(kernel, &run::executors_of_runs(&layout).join("none"), &layout);
    Ok(())
}

/// The sandboxes that are there of any `cofferdam run`.
fn sandboxes_of_runs(kernel: &dyn Kernel, layout: &Layout) -> Result<Vec<(ContainerId, UnixPathBuf)>, Failure> {
    let entries = match checkpoint::list(kernel, &run::executors_of_runs(layout)) {
        Err(error) if error.errno == Errno::ENOENT => return Ok(Vec::new()),
        entries => entries?,
    };
    let ids = entries.into_iter().filter_map(|entry| ContainerId::new(String::from_utf8(entry.name.0).ok()?).ok());
    Ok(ids.filter_map(|id| run::sandbox_of_run(layout, &id).map(|sandbox| (id, sandbox))).collect())
}
