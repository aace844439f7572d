//! The state of a host, to compare before and after.

use super::Host;

/// The mount table of a host, and what is in some of its directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    lines: Vec<String>,
}

impl Snapshot {
    pub(crate) fn of(host: &Host, directories: &[&str]) -> Self {
        let mountinfo = String::from_utf8_lossy(&host.mountinfo()).into_owned();
        let mut lines: Vec<String> = mountinfo.lines().map(|line| format!("mount: {line}")).collect();
        lines.extend(directories.iter().flat_map(|directory| host.tree(directory)));
        Self { lines }
    }

    /// What is in one only: `-` what has gone, `+` what has come.
    pub(crate) fn changes(&self, later: &Self) -> Vec<String> {
        let only = |sign, these: &Self, those: &Self| -> Vec<String> {
            these.lines.iter().filter(|line| !those.lines.contains(line)).map(|line| format!("{sign} {line}")).collect()
        };
        [only('-', self, later), only('+', later, self)].concat()
    }

    /// Fails unless the host is still the same.
    #[track_caller]
    pub(crate) fn assert_unchanged(&self, host: &Host, directories: &[&str]) {
        let changes = self.changes(&Self::of(host, directories));
        assert!(changes.is_empty(), "this has changed on the host:\n{}", changes.join("\n"));
    }
}
