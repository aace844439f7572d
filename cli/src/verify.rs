//! `cofferdam verify`: whether a running container, and the host around it, are still as they were made.
//!
//! What they should be is predicted as `cofferdam plan` does: on a simulated kernel with this host's mounts, the container is
//! cleaned up, and made anew as its record says. What is different on the real kernel has been changed by somebody else.

use std::fmt::Write as _;

use cofferdam::agent::AgentConfig;
use cofferdam::isolator::{Isolator, IsolatorError};
use cofferdam::kernel::{Errno, Kernel, Pid};
use cofferdam::locks::RunningLock;
use cofferdam::messages::ContainerId;
use cofferdam::mountinfo::{Entry, Table};
use cofferdam::root::real_path;
use cofferdam::user::NumericUsers;
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_view::difference::{self, Difference};
use cofferdam_view::host::{Host, Namespace};
use cofferdam_view::json::{self, DifferenceReport};
use cofferdam_view::{Look, printable};
use serde::Serialize;

use crate::agent::Agent;
use crate::arguments::VerifyArguments;
use crate::held::Held;
use crate::host;
use crate::life_cycle::{self, LifeCycleError};
use crate::mounts::tables::Source;
use crate::mounts::{has_unicode, write};
use crate::plan::made_anew;
use crate::run::Failure;

/// The exit status if there is a difference, as with diff(1).
const DRIFTED: i32 = 1;

/// A container can't be verified.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error("container {0} is nested in another one, whose processes are not simulated: verify {1} instead")]
    Nested(ContainerId, ContainerId),
    #[error("container {0} does not run: there are no mounts of its own to look at")]
    DoesNotRun(ContainerId),
    #[error("the program of container {id} was not begun, as its mounts are not those that were predicted\n{}", .text.trim_end())]
    Drifted { id: ContainerId, text: String },
    #[error("cannot tell what container {id} should be like: {error}")]
    Prediction { id: ContainerId, error: Failure },
}

/// Prints what is different. Gives the exit status.
pub(crate) fn print(arguments: &VerifyArguments) -> Result<i32, Failure> {
    let agent = arguments.agent.agent()?;
    let id = &arguments.id;
    if let Some(parent) = id.parent() {
        return Err(VerifyError::Nested(id.clone(), parent.top_level().clone()).into());
    }
    let (kernel, _) = host::this_machine()?;
    let layout = &agent.config.layout;
    let pid = match life_cycle::read_pid(kernel, layout, id)? {
        Some(pid) if RunningLock::is_taken(kernel, layout, id)? => pid,
        _ if recorded(kernel, &agent)?.contains(id) => return Err(VerifyError::DoesNotRun(id.clone()).into()),
        _ => return Err(LifeCycleError::Unknown(id.clone()).into()),
    };
    let container = Source::Process(pid.unsigned_abs()).read()?;
    let drift = Drift::find(kernel, &agent, id, &container.bytes)?;
    let output = if arguments.json {
        format!("{}\n", serde_json::to_string_pretty(&drift.report(id)?)?)
    } else {
        let look = Look { is_ascii: !has_unicode(), has_colors: true };
        drift.text(id, look)?
    };
    write(&output)?;
    Ok(if drift.is_none()? { 0 } else { DRIFTED })
}

/// Lets a container's program begin, if it finds the mounts that it is to find.
pub(crate) fn verify_and_release(
    kernel: &dyn Kernel,
    config: &AgentConfig,
    id: &ContainerId,
    held: Held<'_>,
) -> Result<(), Failure> {
    let Some((Pid(pid), release)) = held.wait()? else { return Ok(()) };
    let container = Source::Process(pid.unsigned_abs()).read()?;
    let agent = Agent { config: config.clone(), has_default_work_dir: true };
    let drift = Drift::find(kernel, &agent, id, &container.bytes)?;
    if !drift.is_none()? {
        let text = drift.text(id, Look { is_ascii: !has_unicode(), has_colors: false })?;
        return Err(VerifyError::Drifted { id: id.clone(), text }.into());
    }
    Ok(release.release()?)
}

/// What is, and what should be.
struct Drift {
    host: Tables,
    container: Tables,
}

struct Tables {
    expected: Vec<u8>,
    found: Vec<u8>,
}

impl Drift {
    /// That of a container with this mount table.
    fn find(kernel: &dyn Kernel, agent: &Agent, id: &ContainerId, container: &[u8]) -> Result<Self, Failure> {
        let host = Source::Ourselves.read()?;
        let predicted = made_anew(id, agent, &host);
        let (expected, own) = predicted.map_err(|error| VerifyError::Prediction { id: id.clone(), error })?;
        let others = not_its_own(kernel, agent, id)?;
        let tables = |expected: &[u8], found: &[u8]| -> Result<Tables, Failure> {
            Ok(Tables { expected: without(expected, &others)?, found: without(found, &others)? })
        };
        Ok(Self { host: tables(&expected, &host.bytes)?, container: tables(&own, container)? })
    }

    /// Whether there is none.
    fn is_none(&self) -> Result<bool, Failure> {
        Ok(self.host.difference()?.is_none() && self.container.difference()?.is_none())
    }

    /// For people.
    fn text(&self, id: &ContainerId, look: Look) -> Result<String, Failure> {
        if self.is_none()? {
            return Ok(format!("Container {id} and the host's mounts are as they were made.\n"));
        }
        let mut text = String::new();
        for (what, tables) in [("The host's mounts", &self.host), ("The mounts of the container", &self.container)] {
            if !tables.difference()?.is_none() {
                writeln!(text, "{what}: missing (-), not made by cofferdam (+), changed (~)")?;
                text.push_str(&tables.text(look)?);
            }
        }
        Ok(text)
    }

    fn report(&self, id: &ContainerId) -> Result<Report, Failure> {
        Ok(Report {
            id: printable(id.to_string().as_bytes()),
            drifted: !self.is_none()?,
            host: self.host.report()?,
            container: self.container.report()?,
        })
    }
}

impl Tables {
    fn difference(&self) -> Result<Difference, Failure> {
        Ok(Difference::between(&Table::parse(&self.expected)?, &Table::parse(&self.found)?))
    }

    fn text(&self, look: Look) -> Result<String, Failure> {
        let (expected, found) = (Table::parse(&self.expected)?, Table::parse(&self.found)?);
        Ok(difference::text(&Difference::between(&expected, &found), &expected, &found, look))
    }

    fn report(&self) -> Result<DifferenceReport, Failure> {
        let host = |table| Host::new(vec![Namespace { name: String::new(), table }]);
        let (expected, found) = (host(Table::parse(&self.expected)?), host(Table::parse(&self.found)?));
        Ok(json::difference(&self.difference()?, &expected, &found))
    }
}

/// For machines.
#[derive(Debug, Serialize)]
struct Report {
    id: String,
    drifted: bool,
    /// From what should be to what is.
    host: DifferenceReport,
    container: DifferenceReport,
}

/// The paths, or their ends, at which something may be mounted that is not the container's: the sandboxes of those that are
/// nested in it, and what the agent keeps for launches, which depends on the order in which mount namespaces were made.
fn not_its_own(kernel: &dyn Kernel, agent: &Agent, id: &ContainerId) -> Result<Vec<UnixPathBuf>, Failure> {
    let others = recorded(kernel, agent)?.into_iter().filter(|other| other.is_nested_in(id));
    let mut paths: Vec<_> = others.map(|other| UnixPath::new("containers").join(other.value())).collect();
    paths.push(real_path(kernel, &agent.config.layout.launch_directory())?);
    Ok(paths)
}

/// The containers that there is something recorded of.
fn recorded(kernel: &dyn Kernel, agent: &Agent) -> Result<Vec<ContainerId>, Failure> {
    match Isolator::open(kernel, agent.config.clone(), Box::new(NumericUsers)) {
        Ok(isolator) => Ok(isolator.recorded_containers()?),
        Err(IsolatorError::Call(error)) if error.errno == Errno::ENOENT => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// A table without what is mounted at or below paths that end so.
fn without(text: &[u8], others: &[UnixPathBuf]) -> Result<Vec<u8>, Failure> {
    let table = Table::parse(text)?;
    let is_other = |entry: &&Entry<'_>| {
        let mountpoint = entry.mountpoint().into_owned();
        mountpoint.ancestors().any(|path| others.iter().any(|other| path.ends_with(other)))
    };
    let kept = table.entries().iter().filter(|entry| !is_other(entry));
    Ok(kept.flat_map(|entry| entry.as_bytes().iter().copied().chain([b'\n'])).collect())
}
