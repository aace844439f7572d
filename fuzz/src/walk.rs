//! Walks along paths: trees of directories, links and mounts, in which paths are opened with limits of openat2(2).
//!
//! What is checked, without knowing how the walk is done:
//!
//! - `RESOLVE_BENEATH` and `RESOLVE_IN_ROOT` never give anything outside of the directory: its name begins with that of the
//!   directory, and from a directory `..` leads up to it.
//! - `RESOLVE_IN_ROOT` gives what a process sees whose root the directory is.
//! - A limit only forbids: what is opened in spite of it is what is opened without it.
//! - statx(2) of a path says the same as that of a descriptor of it.
//! - What `/proc/self/fd` says where a file is leads there again, unless the mount table says that another mount hides it.

use std::fmt;

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, Bytes, Call, DeviceNumber, Errno, Fd, FileType, Mode, MountFlags, NodeMode, OpenFlags, OpenHow,
    RenameFlags, ResolveFlags, Stat, Value,
};
use cofferdam::mountinfo::Table;
use cofferdam_vfs_sim::{Id, Linux, Task};

use crate::choice::Choices;

/// A tree has no more than this many nodes, and is not walked more often.
const MAX_STEPS: u8 = 24;

/// Nor does it grow further with more mounts: recursive binds double them each time.
const MAX_MOUNTS: usize = 64;

const NAMES: [&str; 16] = [
    "a",
    "b",
    "c",
    "l",
    "m",
    "..",
    ".",
    "",
    "a",
    "b",
    "l",
    "proc/self/root",
    "proc/self/cwd",
    "proc/self/fd/0",
    "proc/1",
    "...",
];

const RESOLVES: [ResolveFlags; 8] = [
    ResolveFlags::empty(),
    ResolveFlags::RESOLVE_BENEATH,
    ResolveFlags::RESOLVE_IN_ROOT,
    ResolveFlags::RESOLVE_NO_SYMLINKS,
    ResolveFlags::RESOLVE_NO_XDEV,
    ResolveFlags::RESOLVE_NO_MAGICLINKS,
    ResolveFlags::RESOLVE_BENEATH.union(ResolveFlags::RESOLVE_NO_XDEV),
    ResolveFlags::RESOLVE_IN_ROOT.union(ResolveFlags::RESOLVE_NO_SYMLINKS),
];

thread_local! {
    static START: Linux = start();
}

/// A machine with a proc.
fn start() -> Linux {
    let mut walker = Walker::new(Linux::new());
    for path in ["/proc", "/a", "/b", "/a/b"] {
        walker.must(&Call::Mkdirat { dirfd: Fd::CWD, path: path.into(), mode: Mode(0o755) });
    }
    walker.must(&mount(Some("proc"), "/proc", Some("proc"), MountFlags::empty()));
    walker.linux
}

fn mount(source: Option<&str>, target: &str, kind: Option<&str>, mountflags: MountFlags) -> Call {
    let (source, filesystemtype) = (source.map(Into::into), kind.map(Into::into));
    Call::Mount { source, target: target.into(), filesystemtype, mountflags, data: None }
}

/// Makes the tree that an input is, and walks in it.
pub fn run(input: &[u8]) {
    let mut walker = Walker::new(START.with(Linux::clone));
    let mut choices = Choices::new(input);
    for _ in 0..choices.below(MAX_STEPS) {
        walker.grow(&mut choices);
        if walker.linux.mounts().count() > MAX_MOUNTS {
            break;
        }
    }
    for _ in 0..MAX_STEPS {
        if choices.are_over() {
            break;
        }
        walker.walk(&mut choices);
    }
    if let Err(inconsistency) = walker.linux.check() {
        panic!("{inconsistency}");
    }
}

/// A path of a few names, relative or not.
fn path(choices: &mut Choices<'_>) -> Bytes {
    let shape = choices.byte();
    let mut path = String::new();
    if shape & 1 == 1 {
        path.push('/');
    }
    for number in 0..(shape >> 2) % 6 {
        if number > 0 {
            path.push('/');
        }
        path.push_str(choices.one_of(&NAMES));
    }
    if shape & 2 == 2 {
        path.push('/');
    }
    path.into()
}

/// The name of a place, without the note that there is none of the name any more (`d_path()`).
fn without_deleted(place: &Bytes) -> &[u8] {
    place.0.strip_suffix(b" (deleted)").unwrap_or(&place.0)
}

/// A process that walks.
struct Walker {
    linux: Linux,
    task: Id<Task>,
}

/// Which file something is, and through which mount.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: DeviceNumber,
    inode: u64,
    mount: u64,
}

impl From<Stat> for Identity {
    fn from(stat: Stat) -> Self {
        Self { device: stat.device, inode: stat.inode, mount: stat.mount_id }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} inode {} in mount {}", self.device.major, self.device.minor, self.inode, self.mount)
    }
}

impl Walker {
    fn new(linux: Linux) -> Self {
        let task = linux.init();
        Self { linux, task }
    }

    fn must(&mut self, call: &Call) -> Value {
        match self.linux.call(self.task, call) {
            Ok(value) => value,
            Err(errno) => panic!("{call}: {errno}\n{self}"),
        }
    }

    fn open(&mut self, dirfd: Fd, path: &Bytes, flags: OpenFlags, resolve: ResolveFlags) -> Result<Fd, Errno> {
        let how = OpenHow { flags: flags | OpenFlags::O_PATH, mode: Mode(0), resolve };
        match self.linux.call(self.task, &Call::Openat2 { dirfd, path: path.clone(), how })? {
            Value::Descriptor(fd) => Ok(fd),
            other => panic!("{other:?} is no descriptor"),
        }
    }

    fn close(&mut self, fd: Fd) {
        self.must(&Call::Close { fd });
    }

    fn stat(&mut self, dirfd: Fd, path: &Bytes, flags: AtFlags) -> Result<Stat, Errno> {
        match self.linux.call(self.task, &Call::Statx { dirfd, path: path.clone(), flags })? {
            Value::Stat(stat) => Ok(stat),
            other => panic!("{other:?} is no stat"),
        }
    }

    fn stat_of(&mut self, fd: Fd) -> Stat {
        match self.stat(fd, &Bytes::default(), AtFlags::AT_EMPTY_PATH) {
            Ok(stat) => stat,
            Err(errno) => panic!("statx of a descriptor: {errno}"),
        }
    }

    fn identity(&mut self, fd: Fd) -> Identity {
        self.stat_of(fd).into()
    }

    /// Where `/proc/self/fd` says that a file is.
    fn place(&mut self, fd: Fd) -> Bytes {
        let path = format!("/proc/self/fd/{}", fd.0).into();
        match self.linux.call(self.task, &Call::Readlinkat { dirfd: Fd::CWD, path }) {
            Ok(Value::Bytes(place)) => place,
            // Something else is mounted on /proc.
            _ => Bytes::default(),
        }
    }

    /// Adds something to the tree, or changes it.
    fn grow(&mut self, choices: &mut Choices<'_>) {
        let dirfd = Fd::CWD;
        let call = match choices.below(12) {
            0..3 => Call::Mkdirat { dirfd, path: path(choices), mode: Mode(0o755) },
            3..5 => Call::Symlinkat { target: path(choices), dirfd, path: path(choices) },
            5 => Call::Mount {
                source: None,
                target: path(choices),
                filesystemtype: Some("tmpfs".into()),
                mountflags: MountFlags::empty(),
                data: None,
            },
            6 | 7 => Call::Mount {
                source: Some(path(choices)),
                target: path(choices),
                filesystemtype: None,
                mountflags: MountFlags::MS_BIND | if choices.bit() { MountFlags::MS_REC } else { MountFlags::empty() },
                data: None,
            },
            8 => {
                let mode = NodeMode { file_type: FileType::Regular, mode: Mode(0o644) };
                Call::Mknodat { dirfd, path: path(choices), mode, device: DeviceNumber::NONE }
            }
            9 => Call::Chdir { path: path(choices) },
            10 => {
                let how = OpenHow { flags: OpenFlags::O_PATH, ..OpenHow::default() };
                Call::Openat2 { dirfd, path: path(choices), how }
            }
            _ => Call::Renameat2 {
                old_dirfd: dirfd,
                old_path: path(choices),
                new_dirfd: dirfd,
                new_path: path(choices),
                flags: RenameFlags::empty(),
            },
        };
        // Whatever comes of it.
        let _ = self.linux.call(self.task, &call);
    }

    /// Opens a path from a directory, and asks everything about it.
    fn walk(&mut self, choices: &mut Choices<'_>) {
        let start = path(choices);
        let Ok(directory) = self.open(Fd::CWD, &start, OpenFlags::O_DIRECTORY, ResolveFlags::empty()) else { return };
        let path = path(choices);
        let resolve = choices.one_of(&RESOLVES);
        let nofollow = if choices.bit() { OpenFlags::O_NOFOLLOW } else { OpenFlags::empty() };
        let question = Question { directory, path, resolve, nofollow };
        let opened = self.open(directory, &question.path, nofollow, resolve);
        if let Ok(fd) = opened {
            self.check_limits(&question, fd);
            self.check_place(&question, fd);
            self.close(fd);
        }
        self.check_freedom(&question, opened.is_ok());
        if resolve == ResolveFlags::RESOLVE_IN_ROOT {
            self.check_in_root(&question);
        }
        self.close(directory);
    }

    /// That what was opened within limits is within them.
    fn check_limits(&mut self, question: &Question, fd: Fd) {
        let Question { directory, resolve, nofollow, .. } = *question;
        let found = self.stat_of(fd);
        if resolve.intersects(ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_IN_ROOT) {
            self.check_inside(question, fd);
        }
        if resolve.contains(ResolveFlags::RESOLVE_NO_XDEV) {
            let from_root = question.path.0.starts_with(b"/");
            let start =
                if from_root { self.stat(Fd::CWD, &"/".into(), AtFlags::empty()) } else { Ok(self.stat_of(directory)) };
            assert_eq!(start.map(|stat| stat.mount_id), Ok(found.mount_id), "{question} stays in its mount\n{self}");
        }
        let is_link = found.file_type == FileType::Symlink;
        // A magic link leads where it leads, to a symbolic link too.
        let may_be_link = !nofollow.is_empty() || !resolve.contains(ResolveFlags::RESOLVE_NO_SYMLINKS);
        assert!(!is_link || may_be_link, "{question} is a symbolic link\n{self}");
    }

    fn check_inside(&mut self, question: &Question, fd: Fd) {
        let (outer, inner) = (self.place(question.directory), self.place(fd));
        let prefix = outer.0.strip_suffix(b"/").unwrap_or(&outer.0);
        let rest = inner.0.strip_prefix(prefix);
        let is_named_inside = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
        // Behind the name of what is not there any more stands " (deleted)".
        let is_deleted = outer.0.ends_with(b" (deleted)");
        assert!(is_named_inside || is_deleted, "{question}: {inner} is not in {outer}\n{self}");
        if self.stat_of(fd).file_type != FileType::Directory {
            return;
        }
        let goal = self.identity(question.directory);
        let mut here = fd;
        let mut is_inside = false;
        for _ in 0..64 {
            let identity = self.identity(here);
            // What is stacked on the process's root is found by `..`, and has the root's name, also if it is a mount of a
            // directory that was removed; nothing leads down again.
            let place = self.place(here);
            is_inside = identity == goal || place == outer || without_deleted(&place) == outer.0;
            if is_inside {
                break;
            }
            let Ok(above) = self.open(here, &"..".into(), OpenFlags::empty(), ResolveFlags::empty()) else { break };
            if here != fd {
                self.close(here);
            }
            here = above;
            if self.identity(here) == identity {
                break;
            }
        }
        if here != fd {
            self.close(here);
        }
        assert!(is_inside, "{question}: .. does not lead from {inner} to {outer}\n{self}");
    }

    /// That the name of a file leads to it.
    fn check_place(&mut self, question: &Question, fd: Fd) {
        let place = self.place(fd);
        if !place.0.starts_with(b"/") || place.0.ends_with(b" (deleted)") {
            return;
        }
        let identity = self.identity(fd);
        let text = self.linux.mountinfo_table(self.task).unwrap_or_default();
        let table = match Table::parse(&text) {
            Ok(table) => table,
            Err(error) => panic!("{error}\n{self}"),
        };
        let in_table = table.containing(UnixPath::new(&place.0)).map(|entry| u64::from(entry.id()));
        // No link is on the way to a file that is in sight; one on the way to a hidden one may lead anywhere.
        let again = self.open(Fd::CWD, &place, OpenFlags::O_NOFOLLOW, ResolveFlags::RESOLVE_NO_SYMLINKS);
        let again = again.map(|fd| {
            let found = self.identity(fd);
            self.close(fd);
            found
        });
        if in_table == Some(identity.mount) {
            assert_eq!(again, Ok(identity), "{question}: {place} is another file\n{self}");
        } else if let Ok(again) = again {
            assert_ne!(again.mount, identity.mount, "{question}: the table says that {place} is hidden\n{self}");
            assert_eq!(in_table, Some(again.mount), "{question}: the table says where {place} is\n{self}");
        }
    }

    /// That without limits the same is found, if anything is found within them, and that statx(2) says the same.
    fn check_freedom(&mut self, question: &Question, was_opened: bool) {
        let Question { directory, path, resolve, nofollow } = question;
        let free = self.open(*directory, path, *nofollow, ResolveFlags::empty());
        let follow = if nofollow.is_empty() { AtFlags::empty() } else { AtFlags::AT_SYMLINK_NOFOLLOW };
        let stat = self.stat(*directory, path, follow);
        let stat_of_descriptor = free.map(|fd| self.stat_of(fd));
        assert_eq!(stat_of_descriptor, stat, "{question}: statx(2) and openat2(2)\n{self}");
        if was_opened && !resolve.contains(ResolveFlags::RESOLVE_IN_ROOT) {
            let limited = self.open(*directory, path, *nofollow, *resolve);
            let limited_stat = limited.map(|fd| self.stat_of(fd));
            assert_eq!(limited_stat, stat, "{question}: a limit changes what is found\n{self}");
            if let Ok(fd) = limited {
                self.close(fd);
            }
        }
        if let Ok(fd) = free {
            self.close(fd);
        }
    }

    /// That a process whose root is the directory finds the same.
    fn check_in_root(&mut self, question: &Question) {
        let Question { directory, path, resolve, nofollow } = question;
        let scoped = self.open(*directory, path, *nofollow, *resolve);
        // What it does not allow: magic links.
        if scoped == Err(Errno::EXDEV) {
            return;
        }
        let scoped = scoped.map(|fd| self.stat_of(fd));
        let mut other = Self { linux: self.linux.clone(), task: self.task };
        other.must(&Call::Fchdir { fd: *directory });
        other.must(&Call::Chroot { path: ".".into() });
        let rooted = other.open(Fd::CWD, path, *nofollow, ResolveFlags::empty()).map(|fd| other.stat_of(fd));
        assert_eq!(scoped, rooted, "{question}: as in its root\n{self}");
    }
}

/// The mounts, for messages.
impl fmt::Display for Walker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.linux.mountinfo_table(self.task).unwrap_or_default();
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

/// What is opened, and how.
struct Question {
    directory: Fd,
    path: Bytes,
    resolve: ResolveFlags,
    nofollow: OpenFlags,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {} with {} {}", self.path, self.directory.0, self.resolve, self.nofollow)
    }
}
