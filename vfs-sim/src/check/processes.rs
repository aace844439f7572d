//! Processes, and who keeps their tables and namespaces.

use super::counts::Counts;
use super::{Inconsistency, agree, ensure, find, name};
use crate::arena::{Arena, Id};
use crate::filesystem::{FilesystemType, OpenEntry, OpenMountTable};
use crate::linux::Linux;
use crate::namespace::{MountNamespace, NamespaceRef, OtherNamespace, PidNamespace, UserNamespace};
use crate::process::{OpenFileKind, Task, TaskState};

/// How often namespaces are kept.
struct KeptNamespaces {
    mounts: Counts<MountNamespace>,
    users: Counts<UserNamespace>,
    pids: Counts<PidNamespace>,
    others: Counts<OtherNamespace>,
}

impl KeptNamespaces {
    fn over(linux: &Linux) -> Self {
        Self {
            mounts: Counts::over(&linux.mount_namespaces),
            users: Counts::over(&linux.user_namespaces),
            pids: Counts::over(&linux.pid_namespaces),
            others: Counts::over(&linux.other_namespaces),
        }
    }

    fn add(&mut self, namespace: NamespaceRef) {
        match namespace {
            NamespaceRef::Mount(id) => self.mounts.add(id),
            NamespaceRef::User(id) => self.users.add(id),
            NamespaceRef::Pid(id) => self.pids.add(id),
            NamespaceRef::Other(id) => self.others.add(id),
        }
    }
}

impl Linux {
    /// Whether processes find their parents, their children and their ids.
    pub(super) fn check_families(&self) -> Result<(), Inconsistency> {
        for (id, task) in self.tasks.iter() {
            let object = name("process", id);
            match task.parent {
                Some(parent) => {
                    let parent = find(&self.tasks, parent, object, "the parent")?;
                    ensure(parent.children.contains(&id), object, "its parent knows it")?;
                }
                None => ensure(id == self.init, object, "only init has no parent")?,
            }
            for child in &task.children {
                let child = find(&self.tasks, *child, object, "a child")?;
                ensure(child.parent == Some(id), object, "its children know it")?;
            }
            let pid = self.pid_in(self.initial_pid_namespace, id);
            ensure(pid == task.pid && pid != 0, object, "it has its id in the initial pid namespace")?;
        }
        for (id, namespace) in self.pid_namespaces.iter() {
            let object = name("pid namespace", id);
            let members = self.tasks.iter().filter(|(task, _)| self.pid_in(id, *task) != 0).count();
            ensure(members == namespace.tasks.len(), object, "it knows all its processes")?;
            for (pid, task) in &namespace.tasks {
                find(&self.tasks, *task, object, "a process")?;
                ensure(self.pid_in(id, *task) == *pid, object, "its processes have the ids under which it knows them")?;
            }
        }
        Ok(())
    }

    /// The numbers of references to what processes share.
    pub(super) fn check_what_processes_keep(&self) -> Result<(), Inconsistency> {
        let (mut tables, mut states) = (Counts::over(&self.fd_tables), Counts::over(&self.fs_states));
        let mut files = Counts::over(&self.files);
        for (_, task) in self.running() {
            tables.add(task.files);
            states.add(task.fs);
        }
        for (_, table) in self.fd_tables.iter() {
            table.descriptors.iter().flatten().for_each(|descriptor| files.add(descriptor.file));
        }
        compare("descriptor table", &self.fd_tables, &tables, |table| table.references)?;
        compare("fs state", &self.fs_states, &states, |state| state.references)?;
        compare("open file", &self.files, &files, |file| file.references)?;
        self.check_namespaces()
    }

    fn check_namespaces(&self) -> Result<(), Inconsistency> {
        let mut found = KeptNamespaces::over(self);
        self.count_references_of_tasks(&mut found);
        self.count_references_of_objects(&mut found);
        compare("user namespace", &self.user_namespaces, &found.users, |object| object.references)?;
        compare("pid namespace", &self.pid_namespaces, &found.pids, |object| object.references)?;
        compare("namespace", &self.other_namespaces, &found.others, |object| object.references)?;
        // That of a detached tree is kept by its mounts.
        for (id, namespace) in self.mount_namespaces.iter() {
            let references = if namespace.is_anonymous { 0 } else { namespace.references };
            agree(references, found.mounts.of(id), name("mount namespace", id), "the number of references")?;
        }
        ensure_all_exist("mount namespace", &self.mount_namespaces, &found.mounts)
    }

    fn running(&self) -> impl Iterator<Item = (Id<Task>, &Task)> {
        self.tasks.iter().filter(|(_, task)| task.state == TaskState::Running)
    }

    fn count_references_of_tasks(&self, found: &mut KeptNamespaces) {
        // Those that the kernel boots with are always there; the others of init come with it.
        found.users.add(self.initial_user_namespace);
        found.pids.add(self.initial_pid_namespace);
        // No other one is older. Its number may be another one than that of the first of all, which a host's table replaced.
        let initial = self.mount_namespaces.iter().min_by_key(|(_, namespace)| namespace.sequence);
        if let Some((id, _)) = initial {
            found.mounts.add(id);
        }
        for (_, task) in self.tasks.iter() {
            found.users.add(task.credentials.user_namespace);
            found.pids.add(task.pid_namespace);
            if task.state == TaskState::Running {
                found.users.add(task.memory_namespace);
                found.mounts.add(task.mount_namespace);
                found.pids.add(task.namespaces.pid_for_children);
                task.namespaces.others().into_iter().for_each(|namespace| found.others.add(namespace));
            }
        }
    }

    fn count_references_of_objects(&self, found: &mut KeptNamespaces) {
        for (_, superblock) in self.superblocks.iter() {
            found.users.add(superblock.user_namespace);
            superblock.overlay.iter().for_each(|overlay| found.users.add(overlay.user_namespace()));
            superblock.pid_namespace.into_iter().for_each(|namespace| found.pids.add(namespace));
            // That of an mqueue keeps the mqueue, not the other way round.
            let kept = superblock.kernel_namespace.filter(|_| superblock.filesystem != FilesystemType::Mqueue);
            if let Some(namespace) = kept {
                found.others.add(namespace);
            }
        }
        self.mounts.iter().filter_map(|(_, mount)| mount.idmap).for_each(|namespace| found.users.add(namespace));
        for (_, namespace) in self.mount_namespaces.iter() {
            found.users.add(namespace.user_namespace);
        }
        for (_, namespace) in self.pid_namespaces.iter() {
            found.users.add(namespace.user_namespace);
            namespace.parent.into_iter().for_each(|parent| found.pids.add(parent));
        }
        for (_, namespace) in self.other_namespaces.iter() {
            found.users.add(namespace.user_namespace);
        }
        for (_, namespace) in self.user_namespaces.iter() {
            namespace.parent.into_iter().for_each(|parent| found.users.add(parent));
        }
        for (_, context) in self.contexts.iter() {
            found.users.add(context.user_namespace);
            found.users.add(context.credentials.user_namespace);
            context.parameters.user_namespace().into_iter().for_each(|namespace| found.users.add(namespace));
            context.pid_namespace.into_iter().for_each(|namespace| found.pids.add(namespace));
            context.kernel_namespace.into_iter().for_each(|namespace| found.others.add(namespace));
        }
        for (_, file) in self.files.iter() {
            found.users.add(file.credentials.user_namespace);
            match file.kind {
                OpenFileKind::MountTable(OpenMountTable { namespace, .. }) => found.mounts.add(namespace),
                OpenFileKind::Entry(OpenEntry::Map { namespace, .. }) => found.users.add(namespace),
                _ => {}
            }
        }
        self.internal.namespace_files.keys().for_each(|namespace| found.add(*namespace));
    }
}

/// That the objects of a kind have as many references as were counted.
fn compare<T>(
    kind: &'static str,
    objects: &Arena<T>,
    counted: &Counts<T>,
    stored: impl Fn(&T) -> u32,
) -> Result<(), Inconsistency> {
    for (id, object) in objects.iter() {
        agree(stored(object), counted.of(id), name(kind, id), "the number of references")?;
    }
    ensure_all_exist(kind, objects, counted)
}

/// That what was counted is there.
fn ensure_all_exist<T>(kind: &'static str, objects: &Arena<T>, counted: &Counts<T>) -> Result<(), Inconsistency> {
    match counted.dangling(objects) {
        Some(id) => Err(Inconsistency::Dangling { object: format!("who keeps {}", name(kind, id)), what: "it" }),
        None => Ok(()),
    }
}
