//! The real kernel.

use std::ffi::CString;
use std::time::{SystemTime, UNIX_EPOCH};

use cofferdam::kernel::Kernel;
use cofferdam::user::{Credentials, UnknownUser, UserDatabase};
use cofferdam_linux::{LinuxKernel, require_supported};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use super::Host;
use crate::agent::Agent;
use crate::arguments::{LaunchArguments, LifeCycleCommand, RunArguments};
use crate::launch::launch as carry_out;
use crate::life_cycle;
use crate::run::{Failure, run_on};
use crate::simulated::KnownUsers;
use crate::timings::{Timings, now, timed};
use crate::trace::traced;

/// This machine.
#[derive(Default)]
struct Machine<'t> {
    timings: Option<&'t Timings<'t>>,
}

impl Host for Machine<'_> {
    fn users(&self) -> Box<dyn UserDatabase> {
        Box::new(HostUsers)
    }

    /// The process id tells those apart that run now, the time those that left something.
    fn unused_id(&self, _: &dyn Kernel) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("run-{}-{:x}", std::process::id(), now.as_nanos())
    }

    fn launched(&self, _: &dyn Kernel, _: &LaunchArguments) -> i32 {
        0
    }

    fn runs_side_by_side(&self) -> bool {
        true
    }

    fn timings(&self) -> Option<&Timings<'_>> {
        self.timings
    }
}

/// Its kernel and its users, to be asked.
pub(crate) fn this_machine() -> Result<(&'static dyn Kernel, Box<dyn KnownUsers>), Failure> {
    require_supported()?;
    Ok((&LinuxKernel, Box::new(HostUsers)))
}

/// `cofferdam run`.
pub(crate) fn run(arguments: &RunArguments, agent: &Agent) -> Result<i32, Failure> {
    let start = now();
    require_supported()?;
    if arguments.timings {
        timed(&LinuxKernel, start, |timings| run_with(Some(timings), arguments, agent))?
    } else {
        run_with(None, arguments, agent)
    }
}

fn run_with(timings: Option<&Timings<'_>>, arguments: &RunArguments, agent: &Agent) -> Result<i32, Failure> {
    traced(&LinuxKernel, arguments.trace, |kernel| run_on(kernel, &Machine { timings }, arguments, agent))
}

/// A command of the life cycle.
pub(crate) fn life_cycle(command: &LifeCycleCommand, agent: &Agent) -> Result<i32, Failure> {
    require_supported()?;
    let trace = matches!(command, LifeCycleCommand::Launch(arguments) if arguments.trace);
    traced(&LinuxKernel, trace, |kernel| life_cycle::run_on(kernel, &Machine::default(), agent, command))
}

/// `cofferdam launcher`.
pub(crate) fn launch(arguments: &LaunchArguments) -> Result<i32, Failure> {
    require_supported()?;
    traced(&LinuxKernel, arguments.trace, |kernel| carry_out(kernel, arguments, &HostUsers))
}

/// The users of the host, by name service: passwd(5), or what nsswitch.conf(5) says.
#[derive(Debug)]
struct HostUsers;

impl UserDatabase for HostUsers {
    fn look_up(&self, text: &str) -> Result<Credentials, UnknownUser> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let known = find_user(user)?;
        let uid = match (&known, number(user)) {
            (Some(known), _) => known.uid.as_raw(),
            (None, Some(uid)) => uid,
            (None, None) => return Err(UnknownUser(format!("there is no user {user:?} on this host"))),
        };
        let gid = match (group, &known) {
            (Some(group), _) => find_group(group)?,
            (None, Some(known)) => known.gid.as_raw(),
            // A uid that nobody has: a group that nobody has either, rather than root's.
            (None, None) => uid,
        };
        let groups = match (group, &known) {
            (None, Some(known)) => supplementary_groups(known)?,
            _ => Vec::new(),
        };
        Ok(Credentials { uid, gid, groups })
    }
}

impl KnownUsers for HostUsers {
    fn name_of(&self, uid: u32) -> Option<String> {
        User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name)
    }
}

/// A uid or gid; -1 is none (setresuid(2)).
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX)
}

fn find_user(text: &str) -> Result<Option<User>, UnknownUser> {
    let found = match number(text) {
        Some(uid) => User::from_uid(Uid::from_raw(uid)),
        None => User::from_name(text),
    };
    found.map_err(|errno| UnknownUser(format!("cannot look up user {text:?}: {errno}")))
}

fn find_group(text: &str) -> Result<u32, UnknownUser> {
    if let Some(gid) = number(text) {
        return Ok(gid);
    }
    match Group::from_name(text) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(UnknownUser(format!("there is no group {text:?} on this host"))),
        Err(errno) => Err(UnknownUser(format!("cannot look up group {text:?}: {errno}"))),
    }
}

fn supplementary_groups(user: &User) -> Result<Vec<u32>, UnknownUser> {
    let failed = |reason: String| UnknownUser(format!("cannot look up the groups of user {:?}: {reason}", user.name));
    let name = CString::new(user.name.as_str()).map_err(|error| failed(error.to_string()))?;
    let groups = getgrouplist(&name, user.gid).map_err(|errno| failed(errno.to_string()))?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("root", 0, 0)]
    #[case("0", 0, 0)]
    #[case("root:7", 0, 7)]
    #[case("4000000000", 4_000_000_000, 4_000_000_000)]
    #[case("4000000000:root", 4_000_000_000, 0)]
    fn users_by_name_and_by_number(#[case] text: &str, #[case] uid: u32, #[case] gid: u32) {
        let found = HostUsers.look_up(text).unwrap();
        assert_eq!((found.uid, found.gid), (uid, gid));
    }

    #[rstest]
    #[case("no-such-user")]
    #[case("")]
    #[case("root:no-such-group")]
    #[case("root:")]
    #[case("-1")]
    #[case("4294967295")]
    fn unknown_users(#[case] text: &str) {
        assert!(HostUsers.look_up(text).is_err());
    }
}
