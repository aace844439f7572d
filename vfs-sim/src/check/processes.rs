//! Processes, and who keeps their tables and namespaces.

use super::counts::Counts;
use super::{Inconsistency, agree, ensure, find, name};
use crate::arena::{Arena, Id};
use crate::filesystem::{OpenEntry, OpenMountTable};
use crate::linux::Linux;
use crate::namespace::NamespaceRef;
use crate::process::{OpenFileKind, Task, TaskState};

impl Linux {
    /// Whether processes find their parents, their children and their ids.
    pub(super) fn check_families(&self) -> Result<(), Inconsistency> {
        for (id, task) in self.tasks.iter() {
            let object = name("process", id);
            match task.parent {
                Some(parent) => {
                    let parent = find(&self.tasks, parent, &object, "the parent")?;
                    ensure(parent.children.contains(&id), &object, "its parent knows it")?;
                }
                None => ensure(id == self.init, &object, "only init has no parent")?,
            }
            for child in &task.children {
                let child = find(&self.tasks, *child, &object, "a child")?;
                ensure(child.parent == Some(id), &object, "its children know it")?;
            }
            let pid = self.pid_in(self.initial_pid_namespace, id);
            ensure(pid == task.pid && pid != 0, &object, "it has its id in the initial pid namespace")?;
        }
        for (id, namespace) in self.pid_namespaces.iter() {
            let object = name("pid namespace", id);
            let members = self.tasks.iter().filter(|(task, _)| self.pid_in(id, *task) != 0).count();
            ensure(members == namespace.tasks.len(), &object, "it knows all its processes")?;
            for (pid, task) in &namespace.tasks {
                find(&self.tasks, *task, &object, "a process")?;
                ensure(
                    self.pid_in(id, *task) == *pid,
                    &object,
                    "its processes have the ids under which it knows them",
                )?;
            }
        }
        Ok(())
    }

    /// The numbers of references to what processes share.
    pub(super) fn check_what_processes_keep(&self) -> Result<(), Inconsistency> {
        let (mut tables, mut states, mut files) = (Counts::default(), Counts::default(), Counts::default());
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
        let mut found = Counts::default();
        self.references_of_tasks().into_iter().chain(self.references_of_objects()).for_each(|kept| found.add(kept));
        let mut stored = Vec::new();
        stored.extend(self.user_namespaces.iter().map(|(id, object)| (NamespaceRef::User(id), object.references)));
        stored.extend(self.pid_namespaces.iter().map(|(id, object)| (NamespaceRef::Pid(id), object.references)));
        stored.extend(self.other_namespaces.iter().map(|(id, object)| (NamespaceRef::Other(id), object.references)));
        // That of a detached tree is kept by its mounts.
        let mount = self.mount_namespaces.iter().filter(|(_, object)| !object.is_anonymous);
        stored.extend(mount.map(|(id, object)| (NamespaceRef::Mount(id), object.references)));
        for (namespace, references) in stored {
            let counted = found.take(&namespace);
            agree(references, counted, format_args!("{namespace:?}"), "the number of references")?;
        }
        match found.keys().next() {
            Some(namespace) => {
                Err(Inconsistency::Dangling { object: format!("who keeps {namespace:?}"), what: "the namespace" })
            }
            None => Ok(()),
        }
    }

    fn running(&self) -> impl Iterator<Item = (Id<Task>, &Task)> {
        self.tasks.iter().filter(|(_, task)| task.state == TaskState::Running)
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
        let overlays = self.superblocks.iter().filter_map(|(_, superblock)| superblock.overlay.as_deref());
        users.extend(overlays.map(crate::filesystem::Overlay::user_namespace));
        for (_, context) in self.contexts.iter() {
            users.extend([context.user_namespace, context.credentials.user_namespace]);
            users.extend(context.parameters.user_namespace());
        }
        let mut pids = Vec::new();
        pids.extend(self.pid_namespaces.iter().filter_map(|(_, namespace)| namespace.parent));
        pids.extend(self.superblocks.iter().filter_map(|(_, superblock)| superblock.pid_namespace));
        pids.extend(self.contexts.iter().filter_map(|(_, context)| context.pid_namespace));
        let mut others = Vec::new();
        others.extend(self.superblocks.iter().filter_map(|(_, superblock)| superblock.kernel_namespace));
        others.extend(self.contexts.iter().filter_map(|(_, context)| context.kernel_namespace));
        let mut files: Vec<_> = self.internal.namespace_files.keys().copied().collect();
        files.extend(self.files.iter().filter_map(|(_, file)| match file.kind {
            OpenFileKind::MountTable(OpenMountTable { namespace, .. }) => Some(NamespaceRef::Mount(namespace)),
            OpenFileKind::Entry(OpenEntry::Map { namespace, .. }) => Some(NamespaceRef::User(namespace)),
            _ => None,
        }));
        let users = users.into_iter().map(NamespaceRef::User);
        let pids = pids.into_iter().map(NamespaceRef::Pid);
        users.chain(pids).chain(others.into_iter().map(NamespaceRef::Other)).chain(files).collect()
    }
}

/// That the objects of a kind have as many references as were counted.
fn compare<T>(
    kind: &str,
    objects: &Arena<T>,
    counted: &Counts<Id<T>>,
    stored: impl Fn(&T) -> u32,
) -> Result<(), Inconsistency> {
    for (id, object) in objects.iter() {
        agree(stored(object), counted.of(&id), name(kind, id), "the number of references")?;
    }
    match counted.keys().find(|id| objects.get(**id).is_none()) {
        Some(id) => Err(Inconsistency::Dangling { object: format!("who keeps {}", name(kind, *id)), what: "it" }),
        None => Ok(()),
    }
}
