//! What an agent does that starts again after something went wrong.

use std::cell::RefCell;
use std::cmp::Reverse;

use cofferdam::isolator::Isolator;
use cofferdam::kernel::{AtFlags, Call, Errno, Fd, Intercepted, Interceptor, Kernel, Value};
use cofferdam::messages::ContainerId;
use cofferdam_vfs_sim::{Process, Propagation};

use crate::invariants::{self, Baseline, Violation};
use crate::operation::State;
use crate::steps;

/// Starts an agent, which recovers, twice; ends all containers, cleans all up, and checks what must hold then.
pub fn settle(state: &State, baseline: &Baseline) -> Result<(), Violation> {
    let mut settled = state.clone();
    settled.machine.act_as(|init, process| restart(init, process, process, state))??;
    baseline.check_end(&settled)
}

/// The same, with the calls that were made, as strace prints them.
pub fn tell(state: &State, baseline: &Baseline) -> (Vec<String>, Result<(), Violation>) {
    let lines = Lines::default();
    let mut settled = state.clone();
    let done = settled.machine.act_as(|init, process| {
        let kernel = Intercepted::new(process, &lines);
        restart(init, process, &kernel, state)
    });
    let result = done.map_err(Violation::from).and_then(|done| done).and_then(|()| baseline.check_end(&settled));
    (lines.0.into_inner(), result)
}

/// Calls in words.
#[derive(Default)]
struct Lines(RefCell<Vec<String>>);

impl Interceptor for Lines {
    fn after(&self, _: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        self.0.borrow_mut().push(call.with_result(result).to_string());
    }
}

/// What a process does whose calls are made on this kernel.
fn restart(init: &Process, process: &Process, kernel: &dyn Kernel, state: &State) -> Result<(), Violation> {
    start(kernel, state)?;
    let before = mounts(process);
    let agent = start(kernel, state)?;
    if before != mounts(process) {
        return Err(Violation::of("idempotence", "a second recovery has changed mounts"));
    }
    for program in state.containers.values().flat_map(|container| &container.processes) {
        init.other(*program).exit(137);
    }
    clean_up(agent)?;
    steps::undo(init, state);
    Ok(())
}

/// An agent that has recovered.
fn start<'k>(kernel: &'k dyn Kernel, state: &State) -> Result<Isolator<&'k dyn Kernel>, Violation> {
    let mut agent = state.agent(kernel).map_err(|error| Violation::of("recovery", error))?;
    let recovery = agent.recover(&state.known(), &[]);
    let recovery = recovery.map_err(|error| Violation::of("recovery", format!("{:?}", error.errors)))?;
    if let Some(foreign) = recovery.foreign.first() {
        return Err(Violation::of("recovery", format!("{foreign} is taken for somebody else's")));
    }
    for id in agent.containers().filter(|id| !state.containers.contains_key(*id)) {
        // Nobody has learnt of it. It may be there, if it was prepared to the end.
        let info = agent.config().layout.container_launch_info(id);
        if kernel.statx(Fd::CWD, &info, AtFlags::empty()).is_err() {
            return Err(Violation::of(
                "recovery",
                format!("{id} was not prepared to the end, and is taken for a container"),
            ));
        }
    }
    Ok(agent)
}

/// All mounts of the machine, with whom they share.
fn mounts(process: &Process) -> Vec<(u64, Propagation)> {
    process.linux().mounts().map(|mount| (mount.unique_id().0, mount.propagation())).collect()
}

/// Cleans up all containers, the innermost first.
fn clean_up(mut agent: Isolator<&dyn Kernel>) -> Result<(), Violation> {
    let mut ids: Vec<ContainerId> = agent.containers().cloned().collect();
    ids.sort_by_key(|id| Reverse(id.depth()));
    for id in ids {
        let failed = |error: String| Violation::of("cleanup", format!("{id}: {error}"));
        let sandbox = agent.container(&id).map(|container| container.sandbox().to_path_buf());
        agent.cleanup(&id).map_err(|error| failed(error.to_string()))?;
        if let Some(sandbox) = sandbox {
            agent.remove(&id, &sandbox).map_err(|error| failed(error.to_string()))?;
        }
    }
    Ok(())
}

/// That an operation which has failed has left the host as it was.
pub fn check_unchanged(before: &State, after: &State, error: &str) -> Result<(), Violation> {
    let (was, is) = (invariants::tables(before), invariants::tables(after));
    if was != is {
        return Err(Violation::of("rollback", format!("{}although it says: {error}", was.difference(&is))));
    }
    let (was, is) = (invariants::records(before)?, invariants::records(after)?);
    if was != is {
        let left: Vec<_> = is.keys().filter(|name| !was.contains_key(*name)).map(String::as_str).collect();
        return Err(Violation::of("rollback", format!("left: {}, although it says: {error}", left.join(", "))));
    }
    Ok(())
}
