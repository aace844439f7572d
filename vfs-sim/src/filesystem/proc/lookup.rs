//! Names in proc: found, made, and forgotten.

use super::{ProcEntry, TaskEntry, access::HiddenFrom, tables::What};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{Dentry, Entry, FilesystemType, HidePid, Inode, InodeKind, Name, Parameters, SuperBlock};
use crate::linux::Linux;
use crate::process::{OpenFd, Task};

/// What is to be made.
struct Made {
    name: Name,
    kind: InodeKind,
    mode: u32,
    links: u32,
    entry: Entry,
}

/// A name that is a number, without zeros in front (`name_to_int()`).
fn number(name: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(name).ok()?;
    let is_plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|number| is_plain && *number != u32::MAX)
}

/// What a directory of proc says of a name that it has not.
fn no_such_name(directory: ProcEntry) -> Failure {
    match directory {
        ProcEntry::Directory(super::Directory::Root) => fail!(
            ENOENT,
            "proc_root_lookup()",
            "proc has no entry of this name, and its PID namespace no process with this number"
        ),
        ProcEntry::Directory(directory) if directory.is_sysctl() => {
            fail!(ENOENT, "proc_sys_lookup()", "there is no such setting of sysctl(5)")
        }
        ProcEntry::Task { entry: TaskEntry::Descriptors | TaskEntry::DescriptorInfos, .. } => {
            fail!(ENOENT, "proc_lookupfd_common()", "the process has no such file descriptor open")
        }
        ProcEntry::Task { entry: TaskEntry::Threads, .. } => {
            fail!(ENOENT, "proc_task_lookup()", "the process has no such thread")
        }
        ProcEntry::Task { .. } => {
            fail!(ENOENT, "proc_pident_lookup()", "the process has ended, or there is no such entry for processes")
        }
        _ => fail!(ENOENT, "proc_lookup_de()", "there is no such entry in proc"),
    }
}

impl Linux {
    /// The names in the root of proc that stand for no process.
    pub fn names_in_proc() -> impl Iterator<Item = &'static str> {
        super::Directory::Root.nodes().iter().map(|node| node.name)
    }

    /// Whether a name in the root of proc that stands for no process stands for a file.
    pub(crate) fn is_file_in_proc(name: &[u8]) -> bool {
        let is_file = |what: What| !matches!(what, What::Directory(_) | What::MountPoint);
        super::Directory::Root.nodes().iter().any(|node| node.name.as_bytes() == name && is_file(node.what))
    }

    /// Takes what is at these paths, which begin at the root of proc, out of it, as a kernel has it that was configured without
    /// what they stand for. To be called before a process has looked there.
    pub fn omit_in_proc<'a>(&mut self, paths: impl IntoIterator<Item = &'a str>) {
        self.missing_in_proc.extend(paths.into_iter().map(str::to_owned));
    }

    /// Adds a path, which begins at the root of proc, to it, as a kernel has it that can more: a file of which nothing is told, or
    /// an empty directory. To be called before a process has looked there. What is there already stays.
    pub fn add_in_proc(&mut self, path: &str, is_directory: bool) {
        if !super::Directory::has(path) {
            self.further_in_proc.insert(path.to_owned(), is_directory);
        }
    }

    /// What such a path stands for.
    fn further_entry(&self, parent: super::Directory, directory: Id<Dentry>, name: &[u8]) -> Option<Made> {
        let (kind, mode, links, entry) = if self.is_further_directory(directory, name)? {
            let empty = if parent.is_sysctl() { super::Directory::SysEmpty } else { super::Directory::Empty };
            (InodeKind::Directory, 0o555, empty.links(), ProcEntry::Directory(empty))
        } else {
            // It says no more than any other of which nothing is told.
            let nodes = super::Directory::Root.nodes();
            let position = nodes.iter().position(|node| node.what == What::Silent)?;
            let entry = ProcEntry::File(super::Directory::Root, u16::try_from(position).ok()?);
            (InodeKind::Regular(std::sync::Arc::default()), 0o400, 1, entry)
        };
        Some(Made { name: Name::from(name), kind, mode, links, entry: Entry::Proc(entry) })
    }

    /// A name in a directory of proc: found among those that are known, if it still is right, or made; none for a directory
    /// of another filesystem (`proc_lookup()`, `proc_pid_lookup()` and others, `pid_revalidate()`).
    pub(crate) fn find_in_proc(
        &mut self,
        task: Id<Task>,
        directory: Id<Dentry>,
        name: &[u8],
    ) -> Option<Result<Id<Dentry>, Failure>> {
        let entry = self.proc_entry(self.dentries[directory].inode)?;
        Some(self.find_proc_entry(task, directory, entry, name).ok_or_else(|| no_such_name(entry)))
    }

    pub(super) fn find_proc_entry(
        &mut self,
        task: Id<Task>,
        directory: Id<Dentry>,
        entry: ProcEntry,
        name: &[u8],
    ) -> Option<Id<Dentry>> {
        let scope = self.scope_in_proc(task, entry);
        let key = Dentry::key_of(&Name::from(name), scope);
        if let Some(dentry) = self.dentries[directory].children.get(&key).copied() {
            if self.revalidate(dentry) {
                return Some(dentry);
            }
            self.invalidate(dentry);
            return None;
        }
        let superblock = self.dentries[directory].superblock;
        let made = match entry {
            ProcEntry::Directory(super::Directory::Root) => self
                .process_by_name(task, superblock, name)
                .map(|process| self.task_entry(process, name, 0o555, TaskEntry::Process))
                .or_else(|| self.generic_entry(task, directory, super::Directory::Root, name)),
            ProcEntry::Directory(generic) => {
                self.ask_in_proc(directory, name);
                self.generic_entry(task, directory, generic, name)
            }
            ProcEntry::Task { task, pid, entry } => {
                let process = self.proc_task(task, pid)?;
                let (mode, entry) = self.entry_of_task(superblock, process, entry, name)?;
                Some(self.task_entry(process, name, mode, entry))
            }
            _ => None,
        };
        made.map(|made| self.make_proc_entry(directory, made, scope))
    }

    /// A directory that is no process's, found in a directory of proc; none if there is none, or in another filesystem.
    pub(crate) fn find_directory_in_proc(&mut self, directory: Id<Dentry>, name: &[u8]) -> Option<Id<Dentry>> {
        let ProcEntry::Directory(generic) = self.proc_entry(self.dentries[directory].inode)? else { return None };
        let is_directory = |what: What| matches!(what, What::Directory(_) | What::MountPoint);
        let is_there = self.is_further_directory(directory, name) == Some(true)
            || generic.nodes().iter().any(|node| node.name.as_bytes() == name && is_directory(node.what))
                && !self.misses_in_proc(directory, name);
        let init = self.init;
        if is_there { self.find_in_proc(init, directory, name)?.ok() } else { None }
    }

    fn process_by_name(&self, task: Id<Task>, superblock: Id<SuperBlock>, name: &[u8]) -> Option<Id<Task>> {
        let pid = number(name).and_then(|number| i32::try_from(number).ok())?;
        let namespace = self.superblocks[superblock].pid_namespace?;
        let process = self.pid_namespaces[namespace].tasks.get(&pid).copied()?;
        let is_hidden = self.hide_pid(superblock) == HidePid::NotPtraceable
            && self.hides(task, superblock, process, HiddenFrom::Looking);
        (!is_hidden).then_some(process)
    }

    /// What a name in a directory of a process stands for.
    fn entry_of_task(
        &self,
        superblock: Id<SuperBlock>,
        task: Id<Task>,
        directory: TaskEntry,
        name: &[u8],
    ) -> Option<(u32, TaskEntry)> {
        match directory {
            TaskEntry::Threads => {
                let own = i32::try_from(number(name)?).ok()? == self.pid_on(superblock, task);
                own.then_some((0o555, TaskEntry::Thread))
            }
            TaskEntry::Descriptors => {
                let fd = number(name)?;
                self.descriptor_of(task, fd)
                    .map(|descriptor| (self.mode_of_descriptor(descriptor), TaskEntry::Descriptor(fd)))
            }
            TaskEntry::DescriptorInfos => {
                let fd = number(name)?;
                self.descriptor_of(task, fd).map(|_| (0o444, TaskEntry::DescriptorInfo(fd)))
            }
            fixed => fixed.fixed_entry(name),
        }
    }

    /// A descriptor of a process that has not ended.
    pub(super) fn descriptor_of(&self, task: Id<Task>, fd: u32) -> Option<OpenFd> {
        let table = self.running_files(task)?;
        usize::try_from(fd).ok().and_then(|fd| table.descriptors.get(fd).copied().flatten())
    }

    /// The permissions of a link in `fd` say how the file was opened (`tid_fd_update_inode()`).
    fn mode_of_descriptor(&self, descriptor: OpenFd) -> u32 {
        let file = &self.files[descriptor.file];
        let read = if file.can_read { 0o500 } else { 0 };
        let write = if file.can_write { 0o300 } else { 0 };
        read | write
    }

    fn task_entry(&self, task: Id<Task>, name: &[u8], mode: u32, entry: TaskEntry) -> Made {
        let kind = if entry.is_directory() {
            InodeKind::Directory
        } else if entry.is_link() {
            InodeKind::Symlink(Name::from(""))
        } else {
            InodeKind::Regular(std::sync::Arc::default())
        };
        let pid = self.tasks[task].pid;
        let links = entry.links();
        Made { name: Name::from(name), kind, mode, links, entry: Entry::Proc(ProcEntry::Task { task, pid, entry }) }
    }

    /// An entry that is no process's; with `subset=pid` there are none in the root.
    fn generic_entry(
        &self,
        task: Id<Task>,
        parent: Id<Dentry>,
        directory: super::Directory,
        name: &[u8],
    ) -> Option<Made> {
        let is_left_out =
            directory == super::Directory::Root && self.has_processes_only(self.dentries[parent].superblock);
        if is_left_out || self.misses_in_proc(parent, name) {
            return None;
        }
        let Some(position) = directory.nodes().iter().position(|node| node.name.as_bytes() == name) else {
            return self.further_entry(directory, parent, name);
        };
        let node = &directory.nodes()[position];
        let (kind, links, entry) = match node.what {
            What::Directory(inner) => (InodeKind::Directory, inner.links(), Entry::Proc(ProcEntry::Directory(inner))),
            What::MountPoint => (InodeKind::Directory, 2, Entry::EmptyDirectory),
            What::Link(target) => (InodeKind::Symlink(Name::from(target)), 1, Entry::None),
            What::UserLimit(counted) => {
                let namespace = self.tasks[task].credentials.user_namespace;
                let number = self.user_namespaces[namespace].inode;
                let entry = Entry::Proc(ProcEntry::UserLimit { namespace, number, counted });
                (InodeKind::Regular(std::sync::Arc::default()), 1, entry)
            }
            _ => {
                let position = u16::try_from(position).ok()?;
                let entry = Entry::Proc(ProcEntry::File(directory, position));
                (InodeKind::Regular(std::sync::Arc::default()), 1, entry)
            }
        };
        Some(Made { name: Name::from(name), kind, mode: node.mode, links, entry })
    }

    fn make_proc_entry(&mut self, directory: Id<Dentry>, made: Made, scope: Option<u64>) -> Id<Dentry> {
        let superblock = self.dentries[directory].superblock;
        let inode = self.new_inode(superblock, made.kind, made.mode, (0, 0));
        self.inodes[inode].links = made.links;
        self.inodes[inode].entry = made.entry;
        let dentry = self.new_scoped_dentry(directory, made.name, inode, scope);
        if let Some(ProcEntry::Task { entry: TaskEntry::Descriptor(_) | TaskEntry::DescriptorInfo(_), .. }) =
            self.proc_entry(inode)
        {
            // `proc_splice_unmountable()`
            self.dentries[dentry].cant_mount = true;
        }
        self.revalidate(dentry);
        dentry
    }

    /// Whether checking a name in a directory takes references (`tid_fd_revalidate()`, `proc_misc_d_revalidate()`): not so
    /// for what is a process's, but its descriptors.
    pub(crate) fn needs_references_to_check(&self, directory: Id<Dentry>) -> bool {
        match self.proc_entry(self.dentries[directory].inode) {
            Some(ProcEntry::Task { entry, .. }) => {
                matches!(entry, TaskEntry::Descriptors | TaskEntry::DescriptorInfos)
            }
            entry => entry.is_some(),
        }
    }

    /// Whether a name is still right; then its owner and permissions are brought up to date (`pid_revalidate()`,
    /// `tid_fd_revalidate()`).
    pub(super) fn revalidate(&mut self, dentry: Id<Dentry>) -> bool {
        let inode = self.dentries[dentry].inode;
        let Some(ProcEntry::Task { task, pid, entry }) = self.proc_entry(inode) else { return true };
        let Some(task) = self.proc_task(task, pid) else { return false };
        if let TaskEntry::Descriptor(fd) | TaskEntry::DescriptorInfo(fd) = entry {
            let Some(descriptor) = self.descriptor_of(task, fd) else { return false };
            if matches!(entry, TaskEntry::Descriptor(_)) {
                self.inodes[inode].mode = self.mode_of_descriptor(descriptor);
            }
        }
        self.update_owner(task, inode, entry);
        true
    }

    fn update_owner(&mut self, task: Id<Task>, inode: Id<Inode>, entry: TaskEntry) {
        let object = &self.inodes[inode];
        let is_open_to_all = object.is_directory() && object.mode == 0o555;
        let is_descriptor = matches!(entry, TaskEntry::Descriptor(_) | TaskEntry::DescriptorInfo(_));
        let (uid, gid) = self.dump_owner(task, is_open_to_all && !is_descriptor);
        let object = &mut self.inodes[inode];
        (object.uid, object.gid) = (uid, gid);
    }

    /// Takes a name away, and all that is mounted on it and below it (`d_invalidate()`). What is in use below it keeps its
    /// name, as does the path to it.
    pub(super) fn invalidate(&mut self, dentry: Id<Dentry>) {
        let mut all = vec![dentry];
        let mut next = 0;
        while let Some(directory) = all.get(next).copied() {
            all.extend(self.dentries[directory].children.values());
            next += 1;
        }
        for dentry in &all {
            self.dentry_get(*dentry);
        }
        for below in &all {
            // A thread's directory goes as its process's does (`proc_invalidate_siblings_dcache()`).
            let entry = self.proc_entry(self.dentries[*below].inode);
            if *below == dentry || matches!(entry, Some(ProcEntry::Task { entry: TaskEntry::Thread, .. })) {
                self.unhash(*below);
            }
            self.detach_mounts(*below);
        }
        for below in all.into_iter().rev() {
            self.dentry_put(below);
        }
    }

    /// A process was waited for: nothing of it is found any more, and what is mounted there is unmounted
    /// (`proc_flush_pid()`).
    pub(crate) fn forget_task(&mut self, task: Id<Task>) {
        let procs = self.superblocks_of(&FilesystemType::Proc);
        let all: Vec<_> = procs.map(|superblock| (superblock, self.pid_on(superblock, task))).collect();
        for (superblock, pid) in all {
            // What was unmounted from one directory may have been the last mount of another proc.
            let Some(object) = self.superblocks.get(superblock) else { continue };
            let name = pid.to_string();
            if let Some(dentry) = self.dentries[object.root].children.get(name.as_bytes()).copied() {
                self.invalidate(dentry);
            }
        }
    }

    /// The id of a process as a proc shows it; 0 if it does not.
    pub(super) fn pid_on(&self, superblock: Id<SuperBlock>, task: Id<Task>) -> i32 {
        self.superblocks[superblock].pid_namespace.map_or(0, |namespace| self.pid_in(namespace, task))
    }

    /// Whether a directory is a proc's root, which lists processes last.
    pub(crate) fn lists_processes(&self, directory: Id<Dentry>) -> bool {
        self.proc_entry(self.dentries[directory].inode) == Some(ProcEntry::Directory(super::Directory::Root))
    }

    pub(super) fn hide_pid(&self, superblock: Id<SuperBlock>) -> HidePid {
        match &self.superblocks[superblock].parameters {
            Parameters::Proc(parameters) => parameters.hide_pid.unwrap_or_default(),
            _ => HidePid::Off,
        }
    }

    pub(super) fn has_processes_only(&self, superblock: Id<SuperBlock>) -> bool {
        matches!(&self.superblocks[superblock].parameters, Parameters::Proc(own) if own.pid_only == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"0", Some(0))]
    #[case(b"12", Some(12))]
    #[case(b"012", None)]
    #[case(b"+1", None)]
    #[case(b"-1", None)]
    #[case(b"4294967295", None)]
    #[case(b"4294967296", None)]
    #[case(b"", None)]
    fn numbers(#[case] name: &[u8], #[case] expected: Option<u32>) {
        assert_eq!(number(name), expected);
    }
}
