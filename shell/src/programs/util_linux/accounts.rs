//! Users and groups, from the files of the simulated machine.

use crate::execution::Execution;

/// A user (passwd(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: Vec<u8>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A group (group(5)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: Vec<u8>,
    pub(crate) gid: u32,
    pub(crate) members: Vec<Vec<u8>>,
}

/// All users; none if there is no such file.
pub(crate) async fn users(execution: &mut Execution) -> Vec<User> {
    let user = |fields: &[&[u8]]| match fields {
        [name, _, uid, gid, ..] => Some(User { name: name.to_vec(), uid: id(uid)?, gid: id(gid)? }),
        _ => None,
    };
    read(execution, b"/etc/passwd", user).await
}

/// All groups; none if there is no such file.
pub(crate) async fn groups(execution: &mut Execution) -> Vec<Group> {
    let group = |fields: &[&[u8]]| match fields {
        [name, _, gid, members, ..] => {
            let members = members.split(|byte| *byte == b',').filter(|member| !member.is_empty());
            Some(Group { name: name.to_vec(), gid: id(gid)?, members: members.map(<[u8]>::to_vec).collect() })
        }
        _ => None,
    };
    read(execution, b"/etc/group", group).await
}

async fn read<T>(execution: &mut Execution, path: &[u8], parse: impl Fn(&[&[u8]]) -> Option<T>) -> Vec<T> {
    let text = execution.read_file(path).await.unwrap_or_default();
    let fields = |line: &'_ [u8]| parse(&line.split(|byte| *byte == b':').collect::<Vec<_>>());
    text.split(|byte| *byte == b'\n').filter_map(fields).collect()
}

/// The number of a user or a group.
pub(crate) fn id(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok().filter(|text| !text.starts_with('+'))?.parse().ok()
}

/// The effective user and group of the caller.
pub(crate) fn own(execution: &Execution) -> (u32, u32) {
    let linux = execution.process.linux();
    linux.task(execution.process.task()).map_or((0, 0), |task| (task.users().1, task.groups().1))
}
