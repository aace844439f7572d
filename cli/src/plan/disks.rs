//! What is on the disks of the machine that we are on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use cofferdam::kernel::{
    AtFlags, Bytes, Descriptor, Errno, Fd, FileType, Kernel, Mode, OpenFlags, OpenHow, ResolveFlags, Stat,
};
use cofferdam::mountinfo::Table;
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};
use cofferdam_vfs_sim::{File, FileKind};

use super::knowledge::{Answer, Door, Knowledge, Place, doors};
use crate::simulated::KnownUsers;

/// So much of a file is read, in bytes: more than a record of ours has, or the beginning of a program that the kernel looks at.
const LONGEST: usize = 1 << 20;

/// Where proc is.
const PROC: &str = "/proc";

/// So much is read at a time.
const CHUNK: usize = 1 << 16;

/// A machine, which is looked at and left as it is.
pub(super) struct Disks<'k> {
    kernel: &'k dyn Kernel,
    users: Rc<dyn KnownUsers>,
    doors: Vec<Door>,
    executable: Bytes,
    working_directory: Bytes,
    unseen: RefCell<BTreeMap<UnixPathBuf, Errno>>,
}

impl<'k> Disks<'k> {
    /// A machine with this table of mounts.
    pub(super) fn new(
        kernel: &'k dyn Kernel,
        users: Rc<dyn KnownUsers>,
        table: &Table<'_>,
        executable: Bytes,
        working_directory: Bytes,
    ) -> Self {
        Self { kernel, users, doors: doors(table), executable, working_directory, unseen: RefCell::default() }
    }

    /// Opens a place by the first mount that leads to it, and tells the path that was taken. `None` if none does.
    fn open(&self, place: &Place, flags: OpenFlags) -> Option<(UnixPathBuf, Result<Descriptor<'k>, Errno>)> {
        let ways = self.doors.iter().filter_map(|door| Some((door, door.way_to(place)?)));
        for (door, way) in ways {
            let Ok(mountpoint) = self.enter(door) else { continue };
            let path = if way.as_bytes().is_empty() { door.mountpoint.clone() } else { door.mountpoint.join(way) };
            if way.as_bytes().is_empty() && flags.contains(OpenFlags::O_PATH) {
                return Some((path, Ok(mountpoint)));
            }
            let (directory, way) = match way.as_bytes() {
                b"" => (Fd::CWD, &*path),
                _ => (mountpoint.fd(), way),
            };
            let opened = self.open_below(directory, way, flags);
            // Something is mounted over it here; elsewhere perhaps not.
            if matches!(opened, Err(Errno::EXDEV)) {
                continue;
            }
            return Some((path, opened));
        }
        None
    }

    /// The root of a mount, if a lookup of its mountpoint ends there.
    fn enter(&self, door: &Door) -> Result<Descriptor<'k>, Errno> {
        let how =
            OpenHow { flags: OpenFlags::O_PATH | OpenFlags::O_NOFOLLOW | OpenFlags::O_CLOEXEC, ..OpenHow::default() };
        let opened = Descriptor::new(self.kernel, self.kernel.openat2(Fd::CWD, &door.mountpoint, how)?);
        let stat = self.kernel.statx(opened.fd(), UnixPath::new(""), AtFlags::AT_EMPTY_PATH)?;
        if stat.mount_id == door.id { Ok(opened) } else { Err(Errno::EXDEV) }
    }

    fn open_below(&self, directory: Fd, way: &UnixPath, flags: OpenFlags) -> Result<Descriptor<'k>, Errno> {
        let resolve = if directory == Fd::CWD {
            ResolveFlags::RESOLVE_NO_SYMLINKS
        } else {
            ResolveFlags::RESOLVE_NO_XDEV | ResolveFlags::RESOLVE_NO_SYMLINKS | ResolveFlags::RESOLVE_BENEATH
        };
        let how = OpenHow { flags: flags | OpenFlags::O_NOFOLLOW | OpenFlags::O_CLOEXEC, mode: Mode(0), resolve };
        Ok(Descriptor::new(self.kernel, self.kernel.openat2(directory, way, how)?))
    }

    fn file(&self, place: &Place, opened: &Descriptor<'_>) -> Result<Option<File>, Errno> {
        let empty = UnixPath::new("");
        let stat = self.kernel.statx(opened.fd(), empty, AtFlags::AT_EMPTY_PATH)?;
        let kind = match stat.file_type {
            FileType::Directory => FileKind::Directory,
            FileType::Regular => FileKind::Regular(Bytes(self.content(place))),
            FileType::Symlink => FileKind::Symlink(self.kernel.readlinkat(opened.fd(), empty)?),
            FileType::CharacterDevice => FileKind::CharacterDevice(stat.rdev),
            FileType::BlockDevice => FileKind::BlockDevice(stat.rdev),
            FileType::Fifo => FileKind::Fifo,
            FileType::Socket => FileKind::Socket,
            // The files of namespaces and their like, which are on no disk.
            FileType::Anonymous => return Ok(None),
        };
        Ok(Some(File { kind, mode: stat.mode, uid: stat.uid, gid: stat.gid }))
    }

    /// The content of a regular file, as far as it can be read.
    fn content(&self, place: &Place) -> Vec<u8> {
        let flags = OpenFlags::O_NONBLOCK | OpenFlags::O_NOCTTY;
        let Some((path, opened)) = self.open(place, flags) else { return Vec::new() };
        let mut content = Vec::new();
        let read = opened.and_then(|opened| {
            while content.len() < LONGEST {
                match self.kernel.read(opened.fd(), CHUNK) {
                    Ok(Bytes(read)) if read.is_empty() => break,
                    Ok(Bytes(read)) => content.extend(read),
                    Err(Errno::EINTR) => {}
                    Err(errno) => return Err(errno),
                }
            }
            Ok(())
        });
        if let Err(errno) = read {
            self.unseen.borrow_mut().insert(path, errno);
        }
        content
    }

    /// What is at a path of proc; `EXDEV` if something is mounted on the way to it, or there is no proc.
    fn stat_in_proc(&self, path: &UnixPath) -> Result<Stat, Errno> {
        let flags = OpenFlags::O_PATH | OpenFlags::O_DIRECTORY | OpenFlags::O_CLOEXEC;
        let how = OpenHow { flags, ..OpenHow::default() };
        let proc = Descriptor::new(self.kernel, self.kernel.openat2(Fd::CWD, UnixPath::new(PROC), how)?);
        let stat = |directory: &Descriptor<'_>, name: &[u8]| {
            self.kernel.statx(directory.fd(), UnixPath::new(name), AtFlags::AT_SYMLINK_NOFOLLOW)
        };
        stat(&proc, b"thread-self").map_err(|_| Errno::EXDEV)?;
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::EXDEV) };
        stat(&self.open_below(proc.fd(), above, OpenFlags::O_PATH)?, name)
    }

    fn names(&self, opened: &Descriptor<'_>) -> Result<Vec<Bytes>, Errno> {
        let mut names = Vec::new();
        loop {
            let entries = self.kernel.getdents64(opened.fd())?;
            if entries.is_empty() {
                return Ok(names);
            }
            let all = entries.into_iter().map(|entry| entry.name);
            names.extend(all.filter(|name| !matches!(&name.0[..], b"." | b"..")));
        }
    }
}

impl Knowledge for Disks<'_> {
    fn is_file(&self, mount: u32) -> bool {
        let door = self.doors.iter().find(|door| door.id == u64::from(mount));
        let Some(Ok(root)) = door.map(|door| self.enter(door)) else { return false };
        let stat = self.kernel.statx(root.fd(), UnixPath::new(""), AtFlags::AT_EMPTY_PATH);
        stat.is_ok_and(|stat| stat.file_type != FileType::Directory)
    }

    fn look(&self, place: &Place) -> Answer {
        let Some((path, opened)) = self.open(place, OpenFlags::O_PATH) else { return Answer::Unknown };
        match opened.and_then(|opened| self.file(place, &opened)) {
            Ok(Some(file)) => Answer::File(file),
            Ok(None) => Answer::Unknown,
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG) => Answer::Nothing,
            Err(errno) => {
                self.unseen.borrow_mut().insert(path, errno);
                Answer::Unknown
            }
        }
    }

    fn list(&self, place: &Place) -> Vec<Bytes> {
        let Some((path, opened)) = self.open(place, OpenFlags::O_DIRECTORY) else { return Vec::new() };
        match opened.and_then(|opened| self.names(&opened)) {
            Ok(names) => names,
            // There was none before the simulated one was made.
            Err(Errno::ENOENT | Errno::ENOTDIR) => Vec::new(),
            Err(errno) => {
                self.unseen.borrow_mut().insert(path, errno);
                Vec::new()
            }
        }
    }

    fn names_in_proc(&self) -> Option<BTreeMap<String, bool>> {
        let proc = UnixPath::new(PROC);
        // Where no proc is mounted there is nothing to learn.
        self.kernel.statx(Fd::CWD, &proc.join("thread-self"), AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
        let entries = checkpoint::list(self.kernel, proc).ok()?;
        let names = entries.into_iter().filter_map(|entry| {
            let name = String::from_utf8(entry.name.0).ok()?;
            let is_process = name.bytes().all(|byte| byte.is_ascii_digit());
            let is_known = is_process || matches!(&name[..], "." | ".." | "self" | "thread-self");
            (!is_known).then_some((name, entry.file_type == Some(FileType::Directory)))
        });
        Some(names.collect())
    }

    fn look_in_proc(&self, path: &UnixPath) -> Answer {
        match self.stat_in_proc(path) {
            Ok(stat) => {
                let is_directory = stat.file_type == FileType::Directory;
                let kind = if is_directory { FileKind::Directory } else { FileKind::Regular(Bytes::default()) };
                Answer::File(File { kind, mode: stat.mode, uid: stat.uid, gid: stat.gid })
            }
            Err(Errno::ENOENT | Errno::ENOTDIR) => Answer::Nothing,
            Err(Errno::EXDEV) => Answer::Unknown,
            Err(errno) => {
                self.unseen.borrow_mut().insert(UnixPath::new(PROC).join(path), errno);
                Answer::Unknown
            }
        }
    }

    fn users(&self) -> Rc<dyn KnownUsers> {
        self.users.clone()
    }

    fn executable(&self) -> Bytes {
        self.executable.clone()
    }

    fn working_directory(&self) -> Bytes {
        self.working_directory.clone()
    }

    fn unseen(&self) -> Vec<(UnixPathBuf, Errno)> {
        self.unseen.borrow().iter().map(|(path, errno)| (path.clone(), *errno)).collect()
    }
}
