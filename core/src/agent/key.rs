//! What is wrong with a configuration, and where.

use std::fmt;

/// A configuration that can't be used: every mistake in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct InvalidConfig(pub Vec<Problem>);

/// A mistake in a configuration. It is displayed as `devices[2]: "a/b" contains a slash`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub key: Key,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

/// A place in a configuration, displayed in the words of TOML: `special_mounts[2].flags[0]`. Indices begin with 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(pub Vec<KeyPart>);

/// A step towards a place in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// To the value of this name in a table.
    Name(String),
    /// To the element of an array with this number.
    Index(usize),
}

impl Key {
    /// A key of the configuration itself.
    pub(super) fn new(name: &str) -> Self {
        Self(vec![KeyPart::Name(name.into())])
    }

    /// A key of the table that this one leads to.
    pub(super) fn name(&self, name: &str) -> Self {
        self.with(KeyPart::Name(name.into()))
    }

    /// An element of the array that this one leads to.
    pub(super) fn index(&self, index: usize) -> Self {
        self.with(KeyPart::Index(index))
    }

    fn with(&self, part: KeyPart) -> Self {
        Self(self.0.iter().cloned().chain([part]).collect())
    }

    pub(super) fn problem(self, message: impl Into<String>) -> Problem {
        Problem { key: self, message: message.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            match part {
                KeyPart::Index(index) => write!(f, "[{index}]")?,
                KeyPart::Name(name) => {
                    if index > 0 {
                        f.write_str(".")?;
                    }
                    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
                    if !name.is_empty() && name.bytes().all(is_bare) {
                        f.write_str(name)?;
                    } else {
                        write!(f, "{name:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_displayed_as_in_toml() {
        let key = Key::new("special_mounts").index(2).name("flags").index(0);
        assert_eq!(key.to_string(), "special_mounts[2].flags[0]");
        assert_eq!(Key::new("tmpfs_sizes").name("/dev/shm").to_string(), "tmpfs_sizes.\"/dev/shm\"");
        assert_eq!(Key::new("a").name("").to_string(), "a.\"\"");
    }
}
