//! A session: the first process of a sequence, in namespaces of its own.

use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam::kernel::{CloneFlags, Errno, Fd, Kernel, OpenFlags};
use cofferdam_linux::LinuxKernel;
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};

use super::runner::Runner;
use super::sandbox::close_others;
use super::token::write_all;
use crate::control;
use crate::observation::Observation;
use crate::sequence::{Action, Item, Plan};
use crate::universe::{self, PreparationError, Privileges};

/// The exit status of a session that did not begin.
const NOT_BEGUN: i32 = 112;

/// What the first process does; gives its exit status. When it ends the kernel ends all others.
pub(super) fn session(plan: &Plan, privileges: Privileges, reference: &[Observation], results: &OwnedFd) -> i32 {
    let made = set_up(plan, results)
        .map_err(|errno| PreparationError { call: "a call that makes the session".into(), errno })
        .and_then(|()| universe::make(|call| call.apply(&LinuxKernel), &universe::calls(plan.universe, privileges)));
    if report(&made).is_err() || made.is_err() {
        return NOT_BEGUN;
    }
    Runner::first(plan, reference).run()
}

fn set_up(plan: &Plan, results: &OwnedFd) -> Result<(), Errno> {
    let kernel = LinuxKernel;
    // kill(2) with 0 must not reach the driver.
    nix::unistd::setsid().map_err(|errno| Errno::from_raw(errno as i32))?;
    kernel.dup3(Fd(results.as_raw_fd()), control::RESULTS, OpenFlags::O_CLOEXEC)?;
    close_others(&kernel)?;
    stay_on_this_processor().map_err(|errno| Errno::from_raw(errno as i32))?;
    kernel.unshare(CloneFlags::CLONE_NEWNS)?;
    let children = plan.items.iter().filter_map(|item| match item {
        Item::Step(_, step) => match step.action {
            Action::Fork { child, .. } => Some(child),
            _ => None,
        },
        Item::Look(_) => None,
    });
    let mut tasks: Vec<_> = children.filter(|child| *child < crate::sequence::MAX_TASKS).collect();
    tasks.sort_unstable();
    tasks.dedup();
    if tasks.is_empty() {
        return Ok(());
    }
    for task in tasks.into_iter().filter(|task| *task != 0).chain([0]) {
        let (read, write) = kernel.pipe2(OpenFlags::O_CLOEXEC)?;
        kernel.dup3(read, control::turn_of(task), OpenFlags::O_CLOEXEC)?;
        kernel.dup3(write, control::turn_to(task), OpenFlags::O_CLOEXEC)?;
        kernel.close(read)?;
        kernel.close(write)?;
    }
    Ok(())
}

/// Each processor gives out the ids of namespaces from a stock of its own (`gen_cookie_next()`), and by them the kernel
/// tells which of two namespaces is older. So all namespaces of a sequence must be made on one processor.
fn stay_on_this_processor() -> nix::Result<()> {
    let mut processors = CpuSet::new();
    processors.set(sched_getcpu()?)?;
    sched_setaffinity(nix::unistd::Pid::from_raw(0), &processors)
}

/// The first thing that is written: whether the universe could be made.
fn report(made: &Result<(), PreparationError>) -> Result<(), Errno> {
    let message = rmp_serde::to_vec(&made.as_ref().err()).map_err(|_| Errno::EPROTO)?;
    write_all(&LinuxKernel, control::RESULTS, &message)
}
