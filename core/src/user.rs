//! Users, which a caller looks up for us.

/// What a user name stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The uid.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

/// A user or a group that is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownUser(pub String);

/// Finds users by name: the host's user database, or a table in a test.
pub trait UserDatabase {
    /// The credentials of `USER` or `USER:GROUP`, each a name or a number.
    ///
    /// # Errors
    ///
    /// If there is no such user or group, or the database can't be read; the message says which.
    fn look_up(&self, user: &str) -> Result<Credentials, UnknownUser>;
}

/// Users by their numbers alone: `UID` or `UID:GID`; without a group, the one of the same number. For hosts without a user
/// database, and for tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumericUsers;

impl UserDatabase for NumericUsers {
    fn look_up(&self, user: &str) -> Result<Credentials, UnknownUser> {
        let (uid, gid) = user.split_once(':').unwrap_or((user, user));
        // -1 is none (setresuid(2)).
        let number = |text: &str| text.parse().ok().filter(|number| *number != u32::MAX);
        match (number(uid), number(gid)) {
            (Some(uid), Some(gid)) => Ok(Credentials { uid, gid, groups: Vec::new() }),
            _ => Err(UnknownUser(format!(
                "{user:?} is no user: users are known by their numbers alone here, as in 1000:1000"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_numbers() {
        let found = |user: &str| NumericUsers.look_up(user).map(|found| (found.uid, found.gid)).ok();
        assert_eq!(found("7"), Some((7, 7)));
        assert_eq!(found("7:8"), Some((7, 8)));
        assert!(["", "root", "7:", ":7", "-1", "4294967295"].iter().all(|user| found(user).is_none()));
    }
}
