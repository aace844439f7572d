//! Where there is no real kernel that can isolate filesystems, or none is wanted: only simulated hosts.

use cofferdam::kernel::Kernel;

use crate::agent::Agent;
use crate::arguments::{LaunchArguments, LifeCycleCommand, RunArguments};
use crate::run::Failure;
use crate::simulated::{self, KnownUsers};

/// There is none to look at.
pub(crate) fn this_machine() -> Result<(&'static dyn Kernel, Box<dyn KnownUsers>), Failure> {
    Err("this cofferdam is built for simulated hosts, and has no host to look at; name a mount table with --mountinfo"
        .into())
}

/// `cofferdam run`.
pub(crate) fn run(arguments: &RunArguments, agent: &Agent) -> Result<i32, Failure> {
    if arguments.timings {
        return Err("this cofferdam is built for simulated hosts: --timings needs a real one".into());
    }
    simulated::run(arguments, agent)
}

/// A command of the life cycle.
pub(crate) fn life_cycle(command: &LifeCycleCommand, _: &Agent) -> Result<i32, Failure> {
    let name = command.name();
    Err(format!("this cofferdam is built for simulated hosts: {name} needs a real one").into())
}

/// `cofferdam launcher`.
pub(crate) fn launch(_: &LaunchArguments) -> Result<i32, Failure> {
    Err("this cofferdam is built for simulated hosts, on which `run` launches by itself; it can't launch on a real one"
        .into())
}
