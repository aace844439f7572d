//! `cofferdam run` on a simulated host: nothing but memory is changed, and nobody needs root.
//!
//! `session` has the same code at work as on a real host, in a process of the simulated kernel. What the program finds
//! where it would begin is kept as a snapshot, from which `container` reads what it sees and tries what it may do, always
//! by calls of that process. `report` prints it.

pub(crate) mod container;
mod programs;
pub(crate) mod report;
mod session;
mod users;

use std::rc::Rc;

use cofferdam_shell::Machine;
use cofferdam_vfs_sim::{Linux, LoadError, Process};

pub(crate) use self::programs::Programs;
use self::programs::ShellPrograms;
pub(crate) use self::session::{Begun, Session};
pub(crate) use self::users::KnownUsers;
use self::users::Users;
use crate::agent::Agent;
use crate::arguments::RunArguments;
use crate::run::Failure;
use crate::streams::StandardStreams;

/// Where the simulated host has this program.
const COFFERDAM: &str = "/usr/bin/cofferdam";

/// The simulated host can't be made.
#[derive(Debug, thiserror::Error)]
enum HostError {
    #[error("cannot read the mount table {}: {error}", path.display())]
    Read { path: std::path::PathBuf, error: std::io::Error },
    #[error("{} is no mount table: {error}", path.display())]
    Load { path: std::path::PathBuf, error: LoadError },
}

/// Runs a program in a container on a simulated host of its own, and reports. Gives the exit status.
pub(crate) fn run(arguments: &RunArguments, agent: &Agent) -> Result<i32, Failure> {
    let linux = host(arguments)?;
    let users = Users::read(&Process::init(linux.clone()))?;
    let session = Session::start(linux, Box::new(StandardStreams::default()), Rc::new(users), COFFERDAM.into())?;
    let before = session.mountinfo();
    let status = session.run(&ShellPrograms, arguments, agent)?;
    if let Some(begun) = session.begun() {
        let after = session.mountinfo();
        report::print(report::Report { arguments, agent, before: &before, begun: &begun, after: &after })?;
    }
    Ok(status)
}

fn host(arguments: &RunArguments) -> Result<Linux, Failure> {
    let Some(path) = &arguments.mountinfo else { return Ok(Machine::boot()) };
    let text = std::fs::read(path).map_err(|error| HostError::Read { path: path.clone(), error })?;
    let linux = Linux::from_mountinfo(&text).map_err(|error| HostError::Load { path: path.clone(), error })?;
    Ok(Machine::furnish(linux)?)
}
