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
