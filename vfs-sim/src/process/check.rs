//! Whether all counts of references are right: a proof that nothing is forgotten, and nothing let go of twice.

use std::collections::BTreeMap;

use super::{OpenFileKind, Task, TaskState};
use crate::arena::{Arena, Id};
use crate::filesystem::{OpenEntry, OpenMountTable};
use crate::linux::Linux;
use crate::namespace::NamespaceRef;

impl Linux {
    /// Counts anew who refers to namespaces, tables of descriptors, open files, and roots and working directories, and looks
    /// whether processes find their parents, their children and their ids.
    ///
    /// # Errors
    ///
    /// What is wrong; that is a bug of the simulation.
    pub fn check_process_references(&self) -> Result<(), String> {
        self.check_families()?;
        self.check_namespaces()?;
        let running = || self.tasks.iter().map(|(_, task)| task).filter(|task| task.state == TaskState::Running);
        let count = |what: &str, found: BTreeMap<u32, u32>, stored: Vec<(u32, u32)>| {
            let is_right = stored.iter().all(|(id, references)| found.get(id) == Some(references));
            if is_right && found.len() == stored.len() {
                return Ok(());
            }
            Err(format!("{what} by id with references are {stored:?}, but found {found:?}"))
        };
        count("tables of descriptors", tally(running().map(|task| task.files.number())), {
            list(&self.fd_tables, |table| table.references)
        })?;
        count("fs states", tally(running().map(|task| task.fs.number())), {
            list(&self.fs_states, |fs| fs.references)
        })?;
        let descriptors = self.fd_tables.iter().flat_map(|(_, table)| table.descriptors.iter().flatten());
        count("open files", tally(descriptors.map(|descriptor| descriptor.file.number())), {
            list(&self.files, |file| file.references)
        })
    }

    fn check_families(&self) -> Result<(), String> {
        for (id, task) in self.tasks.iter() {
            let is_child = match task.parent {
                Some(parent) => self.tasks.get(parent).is_some_and(|parent| parent.children.contains(&id)),
                None => id == self.init,
            };
            let is_parent = |child: &Id<Task>| self.tasks.get(*child).is_some_and(|child| child.parent == Some(id));
            if !is_child || !task.children.iter().all(is_parent) {
                return Err(format!("the family of process {} is wrong", task.pid));
            }
            if self.pid_in(self.initial_pid_namespace, id) != task.pid || task.pid == 0 {
                return Err(format!("process {} has the ids {:?}", task.pid, task.pids));
            }
        }
        for (id, namespace) in self.pid_namespaces.iter() {
            let members = self.tasks.iter().filter(|(task, _)| self.pid_in(id, *task) != 0).count();
            let is_found =
                |(pid, task): (&i32, &Id<Task>)| self.tasks.get(*task).is_some() && self.pid_in(id, *task) == *pid;
            if members != namespace.tasks.len() || !namespace.tasks.iter().all(is_found) {
                return Err(format!("pid namespace {id:?} knows {:?} of {members} processes", namespace.tasks));
            }
        }
        Ok(())
    }

    fn check_namespaces(&self) -> Result<(), String> {
        let found = tally(self.references_of_tasks().into_iter().chain(self.references_of_objects()));
        let mut stored = BTreeMap::new();
        stored.extend(self.user_namespaces.iter().map(|(id, object)| (NamespaceRef::User(id), object.references)));
        stored.extend(self.pid_namespaces.iter().map(|(id, object)| (NamespaceRef::Pid(id), object.references)));
        stored.extend(self.other_namespaces.iter().map(|(id, object)| (NamespaceRef::Other(id), object.references)));
        // That of a detached tree is kept by its mounts.
        let mount = self.mount_namespaces.iter().filter(|(_, object)| !object.is_anonymous);
        stored.extend(mount.map(|(id, object)| (NamespaceRef::Mount(id), object.references)));
        let wrong = |namespace: &NamespaceRef| {
            let (found, stored) = (found.get(namespace), stored.get(namespace));
            (found != stored).then(|| format!("{namespace:?} has {stored:?} references, but found {found:?}"))
        };
        match found.keys().chain(stored.keys()).find_map(wrong) {
            Some(message) => Err(message),
            None => Ok(()),
        }
    }

    fn references_of_tasks(&self) -> Vec<NamespaceRef> {
        // Those that the kernel boots with are always there; the others of init come with it.
        let mut found =
            vec![NamespaceRef::User(self.initial_user_namespace), NamespaceRef::Pid(self.initial_pid_namespace)];
        found.extend(self.mount_namespaces.iter().map(|(id, _)| NamespaceRef::Mount(id)).next());
        for (_, task) in self.tasks.iter() {
            found.push(NamespaceRef::User(task.credentials.user_namespace));
            found.push(NamespaceRef::Pid(task.pid_namespace));
            if task.state == TaskState::Running {
                found.push(NamespaceRef::User(task.memory_namespace));
                found.push(NamespaceRef::Mount(task.mount_namespace));
                found.push(NamespaceRef::Pid(task.namespaces.pid_for_children));
                found.extend(task.namespaces.others().map(NamespaceRef::Other));
            }
        }
        found
    }

    fn references_of_objects(&self) -> Vec<NamespaceRef> {
        let mut users = Vec::new();
        users.extend(self.files.iter().map(|(_, file)| file.credentials.user_namespace));
        users.extend(self.superblocks.iter().map(|(_, superblock)| superblock.user_namespace));
        users.extend(self.mounts.iter().filter_map(|(_, mount)| mount.idmap));
        users.extend(self.mount_namespaces.iter().map(|(_, namespace)| namespace.user_namespace));
        users.extend(self.pid_namespaces.iter().map(|(_, namespace)| namespace.user_namespace));
        users.extend(self.other_namespaces.iter().map(|(_, namespace)| namespace.user_namespace));
        users.extend(self.user_namespaces.iter().filter_map(|(_, namespace)| namespace.parent));
        for (_, context) in self.contexts.iter() {
            users.extend([context.user_namespace, context.credentials.user_namespace]);
            users.extend(context.parameters.user_namespace());
        }
        let overlays = self.superblocks.iter().filter_map(|(_, superblock)| superblock.overlay.as_deref());
        users.extend(overlays.map(crate::filesystem::Overlay::user_namespace));
        let mut pids = Vec::new();
        pids.extend(self.pid_namespaces.iter().filter_map(|(_, namespace)| namespace.parent));
        pids.extend(self.superblocks.iter().filter_map(|(_, superblock)| superblock.pid_namespace));
        pids.extend(self.contexts.iter().filter_map(|(_, context)| context.pid_namespace));
        let mut files: Vec<_> = self.internal.namespace_files.keys().copied().collect();
        files.extend(self.files.iter().filter_map(|(_, file)| match file.kind {
            OpenFileKind::MountTable(OpenMountTable { namespace, .. }) => Some(NamespaceRef::Mount(namespace)),
            OpenFileKind::Entry(OpenEntry::Map { namespace, .. }) => Some(NamespaceRef::User(namespace)),
            _ => None,
        }));
        users.into_iter().map(NamespaceRef::User).chain(pids.into_iter().map(NamespaceRef::Pid)).chain(files).collect()
    }
}

fn tally<T: Ord>(references: impl Iterator<Item = T>) -> BTreeMap<T, u32> {
    let mut counts = BTreeMap::new();
    for reference in references {
        *counts.entry(reference).or_default() += 1;
    }
    counts
}

fn list<T>(arena: &Arena<T>, references: impl Fn(&T) -> u32) -> Vec<(u32, u32)> {
    arena.iter().map(|(id, object)| (id.number(), references(object))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::PROGRAM;
    use crate::process::execute::tests::make_program;
    use cofferdam::kernel::{
        Bytes, Call, CloneFlags, Fd, MountFlags, OpenFlags, OpenHow, Pid, Prctl, Signal, SignalAction, SignalMaskHow,
        SignalSet, UmountFlags, WaitOptions,
    };

    /// Numbers that look random, always the same (`xorshift64*`).
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
        }

        fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
            choices[usize::try_from(self.below(choices.len() as u64)).unwrap()].clone()
        }
    }

    const FLAGS: [u64; 14] = [
        0,
        0,
        0x200,
        0x400,
        0x600,
        0x2_0000,
        0x1000_0000,
        0x1002_0000,
        0x2000_0000,
        0x3000_0000,
        0x4E00_0080,
        0x7E02_0000,
        0x80,
        0x1000,
    ];

    fn call(numbers: &mut Numbers) -> Call {
        let flags = CloneFlags::from_bits_retain(numbers.one_of(&FLAGS));
        let pid = Pid(numbers.one_of(&[-1, 0, 1, 2, 3, 4, 5, 6, 7]));
        let signal = Signal(numbers.one_of(&[0, 9, 15, 17, 18, 19, 20, 40]));
        let path: Bytes = numbers.one_of(&["/a", "/a/b", "/", "/program", "."]).into();
        let fd = Fd(i32::try_from(numbers.below(4)).unwrap());
        let set = SignalSet(numbers.one_of(&[0, 1 << 16, 1 << 14, u64::MAX]));
        match numbers.below(17) {
            0 | 1 => Call::Unshare { flags },
            2 => Call::Kill { pid, signal },
            3 | 4 => Call::Wait4 { pid, options: WaitOptions::WNOHANG | WaitOptions::WUNTRACED },
            5 => {
                let how = OpenHow { flags: OpenFlags::O_PATH | OpenFlags::O_CLOEXEC, ..OpenHow::default() };
                Call::Openat2 { dirfd: Fd::CWD, path, how }
            }
            6 => Call::Close { fd },
            7 => Call::Chdir { path },
            8 => Call::Chroot { path },
            9 => Call::Mount {
                source: None,
                target: path,
                filesystemtype: Some("tmpfs".into()),
                mountflags: MountFlags::empty(),
                data: None,
            },
            10 => Call::Umount2 { target: path, flags: UmountFlags::MNT_DETACH },
            11 => Call::Sigprocmask { how: SignalMaskHow::SetMask, set },
            12 => Call::Sigaction { signal, action: numbers.one_of(&[SignalAction::Default, SignalAction::Ignore]) },
            13 => Call::Prctl { operation: Prctl::SetParentDeathSignal(Some(signal)) },
            14 => Call::Setresuid { real: 0, effective: numbers.one_of(&[0, 1000]), saved: 0 },
            15 => Call::Execve { path, argv: vec!["x".into()], envp: Vec::new() },
            _ => Call::Sigwaitinfo { set },
        }
    }

    /// What one process after the other does at random; how many were made.
    fn random_life(seed: u64) -> u32 {
        let mut linux = Linux::new();
        let init = linux.init();
        linux.mkdirat(init, Fd::CWD, b"/a", cofferdam::kernel::Mode(0o755)).unwrap();
        make_program(&mut linux, b"/program", PROGRAM);
        let mut numbers = Numbers(seed);
        let mut made = 0;
        for step in 0..200 {
            let tasks: Vec<_> = linux.tasks.iter().map(|(id, _)| id).collect();
            let task = numbers.one_of(&tasks);
            let what = match numbers.below(6) {
                0 if tasks.len() < 12 => {
                    let flags = CloneFlags::from_bits_retain(numbers.one_of(&FLAGS));
                    made += u32::from(linux.fork(task, flags).is_ok());
                    format!("fork({flags})")
                }
                1 if numbers.below(3) == 0 => {
                    linux.exit(task, 3);
                    "exit".to_owned()
                }
                _ => {
                    let call = call(&mut numbers);
                    let result = linux.call(task, &call);
                    format!("{call} = {result:?}")
                }
            };
            if let Err(message) = linux.check_process_references() {
                panic!("seed {seed}, step {step}: {task:?}: {what}: {message}");
            }
        }
        end_all(&mut linux);
        made
    }

    /// Ends and reaps all processes but init: nothing of them is left.
    fn end_all(linux: &mut Linux) {
        let init = linux.init();
        linux.set_ignored(init, Signal::CHLD, true).unwrap();
        let others = |linux: &Linux| linux.tasks.iter().map(|(id, _)| id).filter(|id| *id != init).collect::<Vec<_>>();
        while let Some(task) = others(linux).first().copied() {
            // One that has ended already is gone once its parent is.
            let victim = others(linux).into_iter().find(|task| linux.is_running(*task)).unwrap_or(task);
            if linux.is_running(victim) {
                linux.end_task(victim, cofferdam::kernel::WaitStatus::Signaled(Signal::KILL));
            }
            while linux.wait_for_child(init, Pid(-1), WaitOptions::WNOHANG).is_ok_and(|child| child.is_some()) {}
        }
        linux.check_process_references().unwrap();
        let own = linux.tasks[init].credentials.user_namespace;
        assert!(own != linux.initial_user_namespace || linux.pid_namespaces.len() <= 2);
        assert_eq!((linux.fs_states.len(), linux.fd_tables.len()), (1, 1));
    }

    #[test]
    fn counts_are_right_whatever_processes_do() {
        let made: u32 = (1..=150).map(random_life).sum();
        assert!(made > 1000, "{made}");
    }
}
