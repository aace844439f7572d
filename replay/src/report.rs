//! What came of a replay.

use std::fmt;

use serde::Serialize;

/// What came of a replay, for people (`Display`) and for programs (`Serialize`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many calls the simulated kernel made, and gave what was recorded.
    pub replayed: usize,
    /// Calls that were left out, by name and reason.
    pub skipped: Vec<Skipped>,
    /// How many files the log has shown to be on the traced machine.
    pub files: usize,
    /// Filesystems in whose place there is a tmpfs.
    pub replaced: Vec<Replaced>,
    /// Calls about mounts that failed on both machines.
    pub failures: Vec<Failure>,
    /// The first call that gave something else. What came after it was not replayed.
    pub difference: Option<Difference>,
}

/// Calls that were left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: usize,
    /// The line of the first.
    pub line: usize,
}

/// A filesystem in whose place there is a tmpfs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replaced {
    /// Its type.
    pub filesystem: String,
    /// The line at which it was mounted, or opened.
    pub line: usize,
}

/// A call that failed on both machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The line.
    pub line: usize,
    /// The process.
    pub pid: u32,
    /// As it was recorded.
    pub call: String,
    /// Why it failed: the rule of the kernel that it met, with the function in which that stands.
    pub reason: Option<String>,
    /// What made it meet the rule, by name, as far as the state of the mounts shows it.
    pub detail: Option<String>,
}

/// A call that gave something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The line.
    pub line: usize,
    /// The process.
    pub pid: u32,
    /// As it was recorded.
    pub call: String,
    /// What the simulated kernel gave.
    pub simulated: String,
    /// Why one of them failed, as far as that can be told.
    pub reason: Option<String>,
    /// What is so that it failed, by name.
    pub detail: Option<String>,
}

impl Report {
    /// Notes that a call was left out.
    pub(crate) fn skip(&mut self, name: &str, reason: impl Into<String>, line: usize) {
        let reason = reason.into();
        match self.skipped.iter_mut().find(|skipped| skipped.name == name && skipped.reason == reason) {
            Some(skipped) => skipped.count += 1,
            None => self.skipped.push(Skipped { name: name.into(), reason, count: 1, line }),
        }
    }

    /// Each reason, with the calls that were left out for it, those of which there are most first.
    fn skipped_by_reason(&self) -> Vec<(&str, Vec<String>)> {
        let mut sorted: Vec<&Skipped> = self.skipped.iter().collect();
        sorted.sort_by_key(|skipped| std::cmp::Reverse(skipped.count));
        let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
        for Skipped { name, reason, count, .. } in sorted {
            let call = format!("{count} {name}");
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, calls)) => calls.push(call),
                None => reasons.push((reason, vec![call])),
            }
        }
        reasons
    }

    /// How many calls were left out.
    pub fn count_of_skipped(&self) -> usize {
        self.skipped.iter().map(|skipped| skipped.count).sum()
    }
}

fn plural(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(difference) = &self.difference {
            writeln!(f, "{difference}")?;
        }
        if !self.failures.is_empty() {
            writeln!(f, "Calls about mounts that failed, here as there:")?;
            for failure in &self.failures {
                writeln!(f, "{failure}")?;
            }
        }
        for replaced in &self.replaced {
            let Replaced { filesystem, line } = replaced;
            writeln!(f, "line {line}: a filesystem of type {filesystem} is not simulated; a tmpfs is in its place")?;
        }
        for Skipped { name, reason, count, line } in self.skipped.iter().filter(|skipped| skipped.is_about_mounts()) {
            let calls = plural(*count, "call", "calls");
            writeln!(f, "line {line}: {calls} of {name} left out, so that later ones may be different: {reason}")?;
        }
        if !self.skipped.is_empty() {
            writeln!(f, "Left out:")?;
            for (reason, calls) in self.skipped_by_reason() {
                writeln!(f, "  {reason}: {}", calls.join(", "))?;
            }
        }
        let replayed = plural(self.replayed, "call was", "calls were");
        let files = plural(self.files, "file", "files");
        write!(f, "{replayed} replayed with the same result, {} left out; ", self.count_of_skipped())?;
        writeln!(f, "{files} of the traced machine became known by them.")?;
        f.write_str(match self.difference {
            Some(_) => "The call above gave something else.\n",
            None => "No call gave anything else.\n",
        })
    }
}

impl Skipped {
    /// Whether what comes later depends on it.
    fn is_about_mounts(&self) -> bool {
        const NAMES: [&str; 14] = [
            "chroot",
            "clone",
            "clone3",
            "fsmount",
            "fsopen",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "open_tree_attr",
            "pivot_root",
            "setns",
            "umount2",
            "unshare",
        ];
        NAMES.contains(&self.name.as_str())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, pid, call, reason, detail } = self;
        write!(f, "line {line}, process {pid}: {call}")?;
        reason.iter().chain(detail).try_for_each(|text| write!(f, "\n  {text}"))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, pid, call, simulated, reason, detail } = self;
        writeln!(f, "line {line}, process {pid}: the first call that gives something else")?;
        writeln!(f, "  recorded   {call}")?;
        writeln!(f, "  simulated  = {simulated}")?;
        reason.iter().chain(detail).try_for_each(|text| writeln!(f, "  {text}"))
    }
}
