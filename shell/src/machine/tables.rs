//! The mount tables of a machine: those of its mount namespaces, each as somebody in it sees it.

use std::collections::HashSet;

use cofferdam_vfs_sim::{Linux, Process};

/// The mount table of a mount namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountTable {
    /// Who sees it, `sleep[34]`; what it is called by the kernel, `mnt:[4026532301]`, if no process is in it. Empty for the
    /// one that was asked for.
    pub name: String,
    /// The text of a `/proc/<pid>/mountinfo`.
    pub text: Vec<u8>,
}

/// The tables of which mount namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// That of the process alone.
    Own,
    /// That of the process, and all others that another process is in.
    WithProcesses,
    /// Those that nobody is in and a file keeps as well.
    All,
}

impl MountTable {
    /// The mount table of a process, first, and those of other mount namespaces of its machine.
    pub fn seen_by(process: &Process, which: Namespaces) -> Vec<Self> {
        let linux: &Linux = &process.linux();
        let own = process.task();
        let mut tables = vec![Self { name: String::new(), text: linux.mountinfo_table(own).unwrap_or_default() }];
        let namespace = |task| linux.task(task).and_then(|task| task.mount_namespace()).and_then(|view| view.inode());
        let mut seen = HashSet::from([namespace(own)]);
        for task in linux.tasks().filter(|task| which != Namespaces::Own && task.is_running()) {
            if seen.insert(namespace(task.key()))
                && let Some(text) = task.mountinfo()
            {
                let name = task.program_name().unwrap_or_else(|| "init".to_owned());
                tables.push(Self { name: format!("{name}[{}]", task.pid().0), text });
            }
        }
        for view in linux.mount_namespaces().filter(|_| which == Namespaces::All) {
            if let Some(inode) = view.inode()
                && seen.insert(Some(inode))
            {
                tables.push(Self { name: format!("mnt:[{inode}]"), text: view.mountinfo() });
            }
        }
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Trial;

    #[test]
    fn each_namespace_has_its_table() {
        let trial = Trial::new();
        for command in ["mkdir /run/kept", "touch /run/kept/mnt", "mount --bind /run/kept /run/kept"] {
            trial.quietly(command);
        }
        trial.quietly("mount --make-private /run/kept");
        trial.quietly("unshare --mount=/run/kept/mnt true");
        let tables = |which| MountTable::seen_by(trial.machine.init(), which);
        assert_eq!(tables(Namespaces::Own).len(), 1);
        assert_eq!(tables(Namespaces::WithProcesses).len(), 1, "nobody is in the other one");
        let all = tables(Namespaces::All);
        assert_eq!(all.len(), 2);
        assert!(all[0].name.is_empty() && all[1].name.starts_with("mnt:["), "{}", all[1].name);
        let kept = String::from_utf8_lossy(&all[1].text).into_owned();
        assert!(kept.contains(" / / rw"), "{kept}");
    }
}
