//! The hosts that cofferdam can work on: the real one, if it is built for one, and a simulated one.

use cofferdam::kernel::Kernel;
use cofferdam::user::UserDatabase;

use crate::arguments::{LaunchArguments, LifeCycleCommand, RunArguments};
use crate::run::Failure;
use crate::simulated;
use crate::timings::{Phase, Timings};

cfg_if::cfg_if! {
    if #[cfg(all(target_os = "linux", not(feature = "sim")))] {
        mod linux;
        use linux as default;
    } else {
        mod none;
        use none as default;
    }
}

pub(crate) use default::{launch, this_machine};

/// `cofferdam run`: on a simulated host if one is asked for, else on the one that this was built for.
pub(crate) fn run(arguments: &RunArguments) -> Result<i32, Failure> {
    let agent = arguments.container.agent.agent()?;
    if arguments.sim || arguments.mountinfo.is_some() {
        simulated::run(arguments, &agent)
    } else {
        default::run(arguments, &agent)
    }
}

/// A command of the life cycle, on the host that this was built for.
pub(crate) fn life_cycle(command: &LifeCycleCommand) -> Result<i32, Failure> {
    let agent = command.common().agent.agent()?;
    default::life_cycle(command, &agent)
}

/// What `run` needs of a host besides its kernel.
pub(crate) trait Host {
    /// Its users.
    fn users(&self) -> Box<dyn UserDatabase>;

    /// An id that no container on it has.
    fn unused_id(&self, kernel: &dyn Kernel) -> String;

    /// What the process does that has executed the launcher. On a real kernel execve(2) does not return, and nobody is left
    /// to call this; a simulated one runs no programs, so that the process goes on here.
    fn launched(&self, kernel: &dyn Kernel, arguments: &LaunchArguments) -> i32;

    /// Whether its processes run side by side. On a simulated kernel a child runs to its end before clone3(2) returns.
    fn runs_side_by_side(&self) -> bool {
        false
    }

    /// Where the beginning of a phase is noted, if somebody wants to know where the time goes.
    fn timings(&self) -> Option<&Timings<'_>> {
        None
    }

    /// A phase begins now.
    fn begin(&self, phase: Phase) {
        if let Some(timings) = self.timings() {
            timings.begin(phase);
        }
    }
}
