//! A process and what it has open.

use std::fmt;

use cofferdam::kernel::{Bytes, Capabilities, Fd, OpenFlags, Pid, WaitStatus};

use super::{MountView, NamespaceView};
use crate::arena::Id;
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::{Credentials, FsState, OpenFile, Task, TaskState};

/// A process of a kernel, to be looked at.
#[derive(Clone, Copy)]
pub struct TaskView<'a> {
    linux: &'a Linux,
    id: Id<Task>,
}

/// An open file of a process.
#[derive(Clone, Copy)]
pub struct FileView<'a> {
    linux: &'a Linux,
    file: Id<OpenFile>,
    /// The descriptor.
    pub fd: Fd,
    /// Whether execve(2) closes it.
    pub close_on_exec: bool,
}

impl<'a> TaskView<'a> {
    pub(super) fn new(linux: &'a Linux, id: Id<Task>) -> Self {
        Self { linux, id }
    }

    fn object(&self) -> &'a Task {
        &self.linux.tasks[self.id]
    }

    fn credentials(&self) -> &'a Credentials {
        &self.object().credentials
    }

    /// What the process is called inside the simulation.
    pub fn key(&self) -> Id<Task> {
        self.id
    }

    /// The process id.
    pub fn pid(&self) -> Pid {
        Pid(self.object().pid)
    }

    /// The parent, if it has one.
    pub fn parent(&self) -> Option<TaskView<'a>> {
        self.object().parent.and_then(|parent| self.linux.task(parent))
    }

    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        self.object().state == TaskState::Running
    }

    /// How it has ended.
    pub fn status(&self) -> Option<WaitStatus> {
        match self.object().state {
            TaskState::Zombie(status) => Some(status),
            TaskState::Running | TaskState::Exiting(_) => None,
        }
    }

    /// What a process has as long as it has not ended.
    fn running(&self) -> Option<&'a Task> {
        self.is_running().then(|| self.object())
    }

    fn fs_state(&self) -> Option<&'a FsState> {
        self.running().map(|task| &self.linux.fs_states[task.fs])
    }

    /// Its mount namespace; none if it has ended, as for all that follows.
    pub fn mount_namespace(&self) -> Option<NamespaceView<'a>> {
        self.running().map(|task| NamespaceView::new(self.linux, task.mount_namespace))
    }

    /// Its root directory, as a path from the root of its namespace's tree of mounts.
    pub fn root(&self) -> Option<Bytes> {
        self.place(self.fs_state()?.root)
    }

    /// The mount whose root is its root directory; none if that is further inside of a mount.
    pub fn root_mount(&self) -> Option<MountView<'a>> {
        let root = self.fs_state()?.root;
        (self.linux.mounts[root.mount].root == root.dentry).then(|| MountView::new(self.linux, root.mount))
    }

    /// Its working directory, as a path from the root of its namespace's tree of mounts.
    pub fn cwd(&self) -> Option<Bytes> {
        self.place(self.fs_state()?.cwd)
    }

    fn place(&self, place: Path) -> Option<Bytes> {
        let namespace = &self.linux.mount_namespaces[self.running()?.mount_namespace];
        Some(self.linux.place_text(place, self.linux.root_of(namespace.root)))
    }

    /// The text of its `/proc/<pid>/mountinfo`.
    pub fn mountinfo(&self) -> Option<Vec<u8>> {
        let root = self.fs_state()?.root;
        Some(self.linux.mountinfo_text(self.running()?.mount_namespace, root))
    }

    /// The name of the program that it, or the process that it was copied from, executed last, if that is one of
    /// [`named_program`](crate::named_program).
    pub fn program_name(&self) -> Option<String> {
        let content = self.linux.program_content(self.object().memory.executable?);
        crate::process::program_name(&content.read(0, usize::MAX)).map(str::to_owned)
    }

    /// The arguments of that program, its name first, as execve(2) has them: those of an interpreter if it is a script.
    pub fn arguments(&self) -> &'a [Bytes] {
        &self.object().memory.arguments
    }

    /// The environment of that program, as `NAME=value`.
    pub fn environment(&self) -> &'a [Bytes] {
        &self.object().memory.environment
    }

    /// The real and the effective user, as its own user namespace has them: getuid(2), geteuid(2).
    pub fn users(&self) -> (u32, u32) {
        let namespace = &self.linux.user_namespaces[self.credentials().user_namespace];
        (namespace.shown_uid(self.credentials().uid), namespace.shown_uid(self.credentials().effective_uid))
    }

    /// The real and the effective group, as its own user namespace has them: getgid(2), getegid(2).
    pub fn groups(&self) -> (u32, u32) {
        let namespace = &self.linux.user_namespaces[self.credentials().user_namespace];
        (namespace.shown_gid(self.credentials().gid), namespace.shown_gid(self.credentials().effective_gid))
    }

    /// The capabilities that are in effect, in its user namespace.
    pub fn capabilities(&self) -> Capabilities {
        self.credentials().effective
    }

    /// Whether it is in the initial user namespace.
    pub fn is_in_initial_user_namespace(&self) -> bool {
        self.credentials().user_namespace == self.linux.initial_user_namespace
    }

    /// Its open files, by descriptor.
    pub fn files(&self) -> impl Iterator<Item = FileView<'a>> + use<'a> {
        let linux = self.linux;
        let table = linux.fd_tables.get(self.object().files).filter(|_| self.is_running());
        let descriptors = table.map_or(&[][..], |table| &table.descriptors);
        (0..).zip(descriptors).filter_map(move |(number, descriptor)| {
            let descriptor = (*descriptor)?;
            let close_on_exec = descriptor.close_on_exec;
            Some(FileView { linux, file: descriptor.file, fd: Fd(number), close_on_exec })
        })
    }
}

impl fmt::Debug for TaskView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskView({})", self.pid().0)
    }
}

impl<'a> FileView<'a> {
    fn object(&self) -> &'a OpenFile {
        &self.linux.files[self.file]
    }

    /// What was opened, as a path from the root of the tree of mounts that it is in.
    pub fn path(&self) -> Bytes {
        let place = self.object().path;
        let mut top = place.mount;
        while self.linux.has_parent(top) {
            top = self.linux.mounts[top].parent;
        }
        self.linux.place_text(place, self.linux.root_of(top))
    }

    /// The mount that it was opened through.
    pub fn mount(&self) -> MountView<'a> {
        MountView::new(self.linux, self.object().path.mount)
    }

    /// How it was opened.
    pub fn flags(&self) -> OpenFlags {
        self.object().flags
    }

    /// Where reading and writing go on.
    pub fn position(&self) -> u64 {
        self.object().position
    }
}

impl fmt::Debug for FileView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileView({} {})", self.fd.0, self.path())
    }
}
