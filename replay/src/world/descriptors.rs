//! Descriptors, by the numbers that they had.

use cofferdam::kernel::{AtFlags, Bytes, Call, Errno, Fd, OpenFlags, Value};
use cofferdam_vfs_sim::{Id, Task};

use super::World;

/// What is known of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Descriptor {
    /// It is simulated.
    Known,
    /// It stands for what is not simulated.
    Foreign,
    /// The log does not tell where it comes from.
    Unknown,
}

fn flags(close_on_exec: bool) -> OpenFlags {
    if close_on_exec { OpenFlags::O_CLOEXEC } else { OpenFlags::empty() }
}

impl World {
    /// What is known of a descriptor of a process.
    pub(crate) fn descriptor(&mut self, task: Id<Task>, fd: Fd) -> Descriptor {
        match self.inode(task, fd) {
            None => Descriptor::Unknown,
            Some(inode) if self.foreign.contains(&inode) => Descriptor::Foreign,
            Some(_) => Descriptor::Known,
        }
    }

    /// What a descriptor is open on: device and inode.
    fn inode(&mut self, task: Id<Task>, fd: Fd) -> Option<(u32, u32, u64)> {
        let call = Call::Statx { dirfd: fd, path: Bytes::default(), flags: AtFlags::AT_EMPTY_PATH };
        match self.call(task, &call) {
            Ok(Value::Stat(stat)) => Some((stat.device.major, stat.device.minor, stat.inode)),
            _ => None,
        }
    }

    /// Whether execve(2) closes a descriptor.
    fn is_closed_on_exec(&self, task: Id<Task>, fd: Fd) -> bool {
        let file = self.linux.task(task).and_then(|task| task.files().find(|file| file.fd == fd));
        file.is_some_and(|file| file.close_on_exec)
    }

    /// The path of what a descriptor is open on, if that is in a proc.
    pub(crate) fn file_in_proc(&self, task: Id<Task>, fd: Fd) -> Option<Bytes> {
        let file = self.linux.task(task)?.files().find(|file| file.fd == fd)?;
        (file.mount().filesystem_type() == b"proc").then(|| file.path())
    }

    /// Makes `new` another descriptor of what `old` is for, in the place of what it was.
    pub(crate) fn duplicate(&mut self, task: Id<Task>, old: Fd, new: Fd, close_on_exec: bool) -> Result<(), Errno> {
        if old != new {
            self.call(task, &Call::Dup3 { oldfd: old, newfd: new, flags: flags(close_on_exec) })?;
        }
        Ok(())
    }

    /// Gives a new descriptor the number that it had.
    pub(crate) fn settle(&mut self, task: Id<Task>, fd: Fd, number: Fd) -> Result<(), Errno> {
        let close_on_exec = self.is_closed_on_exec(task, fd);
        if fd != number {
            self.duplicate(task, fd, number, close_on_exec)?;
            self.call(task, &Call::Close { fd })?;
        }
        Ok(())
    }

    /// The same for both ends of a pipe.
    pub(crate) fn settle_pair(&mut self, task: Id<Task>, fds: (Fd, Fd), numbers: (Fd, Fd)) -> Result<(), Errno> {
        let aside = self.unused(task, &[fds.0, fds.1, numbers.0, numbers.1]);
        self.settle(task, fds.1, aside)?;
        self.settle(task, fds.0, numbers.0)?;
        self.settle(task, aside, numbers.1)
    }

    /// A number that is no descriptor, and none of these.
    fn unused(&self, task: Id<Task>, others: &[Fd]) -> Fd {
        let open: Vec<i32> =
            self.linux.task(task).map(|task| task.files().map(|file| file.fd.0).collect()).unwrap_or_default();
        let is_free = |number: &i32| !open.contains(number) && !others.contains(&Fd(*number));
        Fd((0..i32::MAX).find(is_free).unwrap_or(i32::MAX))
    }

    /// Says whether execve(2) closes a descriptor: a new one can say so.
    pub(crate) fn set_close_on_exec(&mut self, task: Id<Task>, fd: Fd, on: bool) -> Result<(), Errno> {
        let aside = self.unused(task, &[fd]);
        self.duplicate(task, fd, aside, on)?;
        self.duplicate(task, aside, fd, on)?;
        self.call(task, &Call::Close { fd: aside }).map(drop)
    }

    /// Puts a descriptor there that stands for what is not simulated.
    pub(crate) fn place_foreign(&mut self, task: Id<Task>, number: Fd, close_on_exec: bool) -> Result<(), Errno> {
        let Value::Descriptors((read, write)) = self.call(task, &Call::Pipe2 { flags: flags(close_on_exec) })? else {
            return Err(Errno::EBADF);
        };
        let inode = self.inode(task, read);
        self.foreign.extend(inode);
        let aside = self.unused(task, &[read, write, number]);
        self.settle(task, read, aside)?;
        self.call(task, &Call::Close { fd: write })?;
        self.settle(task, aside, number)
    }

    /// Closes what execve(2) closes: where a program is executed that is not simulated.
    pub(crate) fn close_on_exec(&mut self, task: Id<Task>) -> Result<(), Errno> {
        let closed: Vec<Fd> = match self.linux.task(task) {
            Some(view) => view.files().filter(|file| file.close_on_exec).map(|file| file.fd).collect(),
            None => Vec::new(),
        };
        closed.into_iter().try_for_each(|fd| self.call(task, &Call::Close { fd }).map(drop))
    }
}
