//! The users of a simulated host: its passwd(5) and group(5).

use std::rc::Rc;

use cofferdam::UnixPath;
use cofferdam::checkpoint;
use cofferdam::error::CallError;
use cofferdam::kernel::Kernel;
use cofferdam::user::{Credentials, UnknownUser, UserDatabase};

/// The users of a host that have names.
pub(crate) trait KnownUsers: UserDatabase {
    /// The name of a user.
    fn name_of(&self, uid: u32) -> Option<String>;
}

/// A database that several use.
#[derive(Clone)]
pub(super) struct Shared(pub(super) Rc<dyn KnownUsers>);

impl UserDatabase for Shared {
    fn look_up(&self, text: &str) -> Result<Credentials, UnknownUser> {
        self.0.look_up(text)
    }
}

/// The database as it is read.
#[derive(Clone, Debug)]
pub(super) struct Users {
    passwd: Vec<User>,
    group: Vec<Group>,
}

#[derive(Clone, Debug)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
}

#[derive(Clone, Debug)]
struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

impl Users {
    /// Reads the database of the host that a process is on.
    pub(super) fn read(kernel: &dyn Kernel) -> Result<Self, CallError> {
        let text = |path: &str| -> Result<String, CallError> {
            let text = checkpoint::read(kernel, UnixPath::new(path))?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        };
        Ok(Self::parse(&text("/etc/passwd")?, &text("/etc/group")?))
    }

    /// Lines that are none of these files are passed over, as getpwnam(3) does.
    fn parse(passwd: &str, group: &str) -> Self {
        let user = |line: &str| -> Option<User> {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let (_, uid, gid) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            Some(User { name, uid, gid })
        };
        let group_of = |line: &str| -> Option<Group> {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let (_, gid) = (fields.next()?, fields.next()?.parse().ok()?);
            let members = fields.next()?.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
            Some(Group { name, gid, members })
        };
        Self { passwd: passwd.lines().filter_map(user).collect(), group: group.lines().filter_map(group_of).collect() }
    }

    fn find_group(&self, text: &str) -> Result<u32, UnknownUser> {
        let known = || self.group.iter().find(|group| group.name == text).map(|group| group.gid);
        let unknown = || UnknownUser(format!("there is no group {text:?} on the simulated host"));
        number(text).or_else(known).ok_or_else(unknown)
    }

    fn groups_of(&self, user: &User) -> Vec<u32> {
        let others = self.group.iter().filter(|group| group.gid != user.gid && group.members.contains(&user.name));
        std::iter::once(user.gid).chain(others.map(|group| group.gid)).collect()
    }
}

impl KnownUsers for Users {
    fn name_of(&self, uid: u32) -> Option<String> {
        self.passwd.iter().find(|user| user.uid == uid).map(|user| user.name.clone())
    }
}

/// A uid or gid; -1 is none (setresuid(2)).
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX)
}

impl UserDatabase for Users {
    fn look_up(&self, text: &str) -> Result<Credentials, UnknownUser> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let known = match number(user) {
            Some(uid) => self.passwd.iter().find(|known| known.uid == uid),
            None => self.passwd.iter().find(|known| known.name == user),
        };
        let uid = known.map(|known| known.uid).or_else(|| number(user));
        let Some(uid) = uid else {
            let names: Vec<_> = self.passwd.iter().map(|user| &user.name[..]).collect();
            let message = format!("there is no user {user:?} on the simulated host, but {}", names.join(", "));
            return Err(UnknownUser(message));
        };
        Ok(match (group, known) {
            (Some(group), _) => Credentials { uid, gid: self.find_group(group)?, groups: Vec::new() },
            (None, Some(known)) => Credentials { uid, gid: known.gid, groups: self.groups_of(known) },
            // A uid that nobody has: a group that nobody has either, rather than root's.
            (None, None) => Credentials { uid, gid: uid, groups: Vec::new() },
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# not a user\nalice:x:1000:1001::/:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:alice,bob\nalice:x:1001:alice\nusers:x:100:bob\n";

    #[rstest]
    #[case("root", 0, 0, &[0])]
    #[case("0", 0, 0, &[0])]
    #[case("root:7", 0, 7, &[])]
    #[case("alice", 1000, 1001, &[1001, 4])]
    #[case("1000", 1000, 1001, &[1001, 4])]
    #[case("alice:users", 1000, 100, &[])]
    #[case("4000000000", 4_000_000_000, 4_000_000_000, &[])]
    fn users_by_name_and_by_number(#[case] text: &str, #[case] uid: u32, #[case] gid: u32, #[case] groups: &[u32]) {
        let expected = Credentials { uid, gid, groups: groups.to_vec() };
        assert_eq!(Users::parse(PASSWD, GROUP).look_up(text), Ok(expected));
    }

    #[rstest]
    #[case("bob")]
    #[case("")]
    #[case("root:bob")]
    #[case("root:")]
    #[case("-1")]
    #[case("4294967295")]
    fn unknown_users(#[case] text: &str) {
        assert!(Users::parse(PASSWD, GROUP).look_up(text).is_err());
    }
}
