//! What a step is made from: chance, and the state of the simulated kernel as a process sees it.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, Errno, Fd, FileType, OpenFlags, OpenHow, Pid, Rlimit, RlimitResource, Stat, UniqueMountId,
    Value,
};
use cofferdam_vfs_sim::DescriptorKind;
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::{OWN_USER_NAMESPACE, Past};
use crate::sequence::TaskIndex;
use crate::simulated::Simulated;

/// The process that acts, in the state that it is in.
pub(super) struct Scene<'a> {
    rng: &'a mut ChaCha8Rng,
    pub(super) kernel: &'a Simulated,
    /// A copy of it to ask: even a question can leave traces, such as on a mount that is about to expire.
    oracle: Option<Simulated>,
    pub(super) task: TaskIndex,
    most_tasks: usize,
    pub(super) past: &'a Past,
    mounts: Option<Vec<MountedAt>>,
}

/// A mount that the process sees.
#[derive(Clone, Debug)]
pub(super) struct MountedAt {
    pub(super) id: u64,
    pub(super) path: Bytes,
    pub(super) filesystem: Bytes,
    /// The options of the superblock, as mountinfo has them.
    pub(super) options: Bytes,
}

impl MountedAt {
    /// Whether its filesystem belongs to the sequence alone, so that it may be changed.
    fn is_of_sequence(&self) -> bool {
        matches!(self.filesystem.0.as_slice(), b"tmpfs" | b"ramfs" | b"devpts" | b"mqueue" | b"overlay")
    }
}

/// What a path is to lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Anything,
    Directory,
    File,
    Symlink,
    /// Nothing yet, in a directory that exists.
    New,
}

/// The magic number of proc(5), which tells sizes and numbers that are the machine's.
pub(super) const PROC: u64 = 0x9fa0;
/// That of tmpfs.
pub(super) const TMPFS: u64 = 0x0102_1994;
/// That of pipes.
pub(super) const PIPES: u64 = 0x5049_5045;

const DIRECTORIES: &[&str] = &[
    "/",
    "/a",
    "/b",
    "/c",
    "/a/d",
    "/a/e",
    "/b/d",
    "/b/e",
    "/c/d",
    "/c/e",
    "/a/d/x",
    "/b/closed",
    "/c/sticky",
    "/a b\\\n#",
    "/n0",
    "/n1",
    "/a/n0",
    "/b/n1",
    "/c/d/n0",
    "/b/e/n1",
    "/a/relative",
    "/a/absolute",
    "/a/up/b",
    "/c/chain",
    "/a/d/../e",
    "/d",
    "/e",
    "/d/x",
    ".",
    "..",
    "d",
    "e",
    "../b",
    "../../c/e",
];
const FILES: &[&str] = &[
    "/a/f",
    "/b/f",
    "/c/f",
    "/own",
    "/b/closed/f",
    "/n2",
    "/a/n2",
    "/b/n3",
    "/c/sticky/n2",
    "/f",
    "f",
    "../f",
    "../c/f",
];
const SYMLINKS: &[&str] = &[
    "/a/relative",
    "/a/absolute",
    "/a/dangling",
    "/a/loop",
    "/a/up",
    "/c/chain",
    "/c/n3",
    "/b/n0",
    "relative",
    "/relative",
];
/// Directories that the kernel makes, some of which go with a process.
const OF_PROC: &[&str] = &[
    "/proc",
    "/proc/sys",
    "/proc/sys/kernel",
    "/proc/self",
    "/proc/thread-self",
    "/proc/1",
    "/proc/2",
    "/proc/2/task/2",
    "/proc/self/fd",
    "/proc/self/ns",
    "/proc/2/ns",
    "/proc/self/task",
];
/// Names that do not exist at the beginning.
const NEW_NAMES: &[&str] = &["n0", "n1", "n2", "n3", "n 4\n"];
/// What may be in an overlay.
const BELOW_OVERLAYS: &[&str] = &[
    "",
    "d",
    "e",
    "f",
    "d/x",
    "n0",
    "n1",
    "n2",
    "d/n0",
    "e/n1",
    "e/n2",
    "relative",
    "absolute",
    "dangling",
    "up",
    "fifo",
    "closed",
    "closed/f",
    "sticky",
    "sticky/n2",
    "n0/n1",
    "d/x/n2",
    "n3",
    "a",
    "b",
    "b/f",
    "b/e",
];
/// What stays inside a directory.
const RELATIVE: &[&str] = &["d", "e", "f", "d/x", "a", "b", "c", "a/d", "b/e", ".", "..", "n0", "n2"];

impl<'a> Scene<'a> {
    pub(super) fn new(
        rng: &'a mut ChaCha8Rng,
        kernel: &'a Simulated,
        task: TaskIndex,
        most_tasks: usize,
        past: &'a Past,
    ) -> Self {
        Self { rng, kernel, oracle: None, task, most_tasks, past, mounts: None }
    }

    /// A name for one more process, if there may be one.
    pub(super) fn free_task(&self) -> Option<TaskIndex> {
        self.kernel.census().free_name().filter(|name| *name < self.most_tasks)
    }

    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_ratio(percent.min(100), 100)
    }

    /// The same, with a chance in per mille.
    pub(super) fn rarely(&mut self, per_mille: u32) -> bool {
        self.rng.random_ratio(per_mille.min(1000), 1000)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.rng.random_range(0..end.max(1))
    }

    /// One out of a table, which must not be empty.
    pub(super) fn pick<T: Clone>(&mut self, table: &[T]) -> T {
        let index = self.rng.random_range(0..table.len());
        table[index].clone()
    }

    pub(super) fn pick_any<T: Clone>(&mut self, choice: &[T]) -> Option<T> {
        choice.choose(self.rng).cloned()
    }

    /// One out of a table with weights, at least one of which is not 0.
    pub(super) fn weighted<T: Copy>(&mut self, table: &[(u32, T)]) -> T {
        let total: u32 = table.iter().map(|(weight, _)| weight).sum();
        let mut rest = self.rng.random_range(0..total);
        for (weight, value) in table {
            match rest.checked_sub(*weight) {
                Some(less) => rest = less,
                None => return *value,
            }
        }
        table[0].1
    }

    /// Some of the flags: each with a chance.
    pub(super) fn some<F: std::ops::BitOr<Output = F> + Copy>(&mut self, none: F, flags: &[F], percent: u32) -> F {
        flags.iter().fold(none, |set, flag| if self.chance(percent) { set | *flag } else { set })
    }

    /// Asks the simulated kernel as the process that acts.
    pub(super) fn ask(&mut self, call: &Call) -> Option<Value> {
        let (kernel, task) = (self.kernel, self.task);
        let oracle = self.oracle.get_or_insert_with(|| {
            let mut oracle = kernel.clone();
            // To ask what a path leads to takes a descriptor, of which the process may have none left.
            let limit = Rlimit { soft: Some(1024), hard: Some(1024) };
            let _ = oracle.ask(task, &Call::Setrlimit { resource: RlimitResource::RLIMIT_NOFILE, limit });
            oracle
        });
        oracle.ask(task, call).ok()
    }

    /// The error with which the simulated kernel refuses a call of the process that acts.
    pub(super) fn refusal(&mut self, call: &Call) -> Option<Errno> {
        self.oracle.get_or_insert_with(|| self.kernel.clone()).ask(self.task, call).err()
    }

    fn stat(&mut self, dirfd: Fd, path: &Bytes, flags: AtFlags) -> Option<Stat> {
        match self.ask(&Call::Statx { dirfd, path: path.clone(), flags })? {
            Value::Stat(stat) => Some(stat),
            _ => None,
        }
    }

    /// The type of filesystem that a path leads to, by its magic number.
    pub(super) fn magic_at(&mut self, dirfd: Fd, path: &Bytes, follows: bool) -> Option<u64> {
        let flags = if follows { OpenFlags::O_PATH } else { OpenFlags::O_PATH | OpenFlags::O_NOFOLLOW };
        let how = OpenHow { flags, ..OpenHow::default() };
        // Nothing is the descriptor itself, or the working directory (`AT_EMPTY_PATH`).
        let is_directory = path.0.is_empty() && dirfd == Fd::CWD;
        let path = if is_directory { ".".into() } else { path.clone() };
        let opened = (!path.0.is_empty()).then(|| self.ask(&Call::Openat2 { dirfd, path, how }));
        let fd = match opened {
            Some(Some(Value::Descriptor(fd))) => fd,
            Some(_) => return None,
            None => dirfd,
        };
        let magic = self.magic_of(fd);
        if opened.is_some() {
            self.ask(&Call::Close { fd });
        }
        magic
    }

    /// Whether a descriptor is of a file of proc(5).
    pub(super) fn is_on_proc(&mut self, fd: Fd) -> bool {
        self.magic_of(fd) == Some(PROC)
    }

    /// Whether a directory is in a mount that the process can see.
    pub(super) fn is_attached(&mut self, dirfd: Fd) -> bool {
        let (path, flags) = if dirfd == Fd::CWD { (".", AtFlags::empty()) } else { ("", AtFlags::AT_EMPTY_PATH) };
        let stat = self.stat(dirfd, &path.into(), flags);
        stat.is_some_and(|stat| self.mounts().iter().any(|mount| mount.id == stat.mount_id))
    }

    /// Whether the process is in a user namespace that the sequence has made.
    pub(super) fn has_own_user_namespace(&mut self) -> bool {
        match self.ask(&Call::Readlinkat { dirfd: Fd::CWD, path: OWN_USER_NAMESPACE.into() }) {
            Some(Value::Bytes(link)) => self.past.first_user_namespace.as_ref().is_some_and(|first| *first != link),
            _ => false,
        }
    }

    /// A mount whose unique id was told in the sequence; it may be gone, or elsewhere.
    pub(super) fn told(&mut self) -> Option<UniqueMountId> {
        let told: Vec<_> = self.past.told.iter().copied().collect();
        self.pick_any(&told)
    }

    /// Whether a mount's unique id was told in the sequence: only then the real kernel's can be found.
    pub(super) fn knows(&self, mount: UniqueMountId) -> bool {
        self.past.told.contains(&mount)
    }

    fn is(&mut self, dirfd: Fd, path: &Bytes, want: Want) -> bool {
        let flags = if want == Want::Symlink { AtFlags::AT_SYMLINK_NOFOLLOW } else { AtFlags::empty() };
        let found = self.stat(dirfd, path, flags).map(|stat| stat.file_type);
        match want {
            Want::Anything => found.is_some(),
            Want::Directory => found == Some(FileType::Directory),
            Want::File => found == Some(FileType::Regular),
            Want::Symlink => found == Some(FileType::Symlink),
            Want::New => found.is_none(),
        }
    }

    /// A path from the root or the working directory, which mostly leads to what is wanted.
    pub(super) fn path(&mut self, want: Want) -> Bytes {
        const ATTEMPTS: usize = 6;
        let mut path = Bytes::from("/a");
        for _ in 0..ATTEMPTS {
            path = self.candidate(want);
            if self.is(Fd::CWD, &path, want) {
                break;
            }
        }
        path
    }

    fn candidate(&mut self, want: Want) -> Bytes {
        if want != Want::New
            && want != Want::Anything
            && self.chance(30)
            && let Some(overlay) = self.overlay()
        {
            let below = self.pick(BELOW_OVERLAYS);
            return join(&overlay, below);
        }
        match want {
            Want::Directory | Want::File if self.chance(4) => self.through_proc(want),
            Want::Directory if self.chance(25) => self.mountpoint().unwrap_or_else(|| "/".into()),
            Want::Directory if self.chance(3) => self.pick(OF_PROC).into(),
            Want::Directory => self.pick(DIRECTORIES).into(),
            Want::File => self.pick(FILES).into(),
            Want::Symlink => self.pick(SYMLINKS).into(),
            Want::Anything => {
                let want = self.weighted(&[(5, Want::Directory), (4, Want::File), (2, Want::Symlink)]);
                self.candidate(want)
            }
            Want::New => {
                let directory = self.path(Want::Directory);
                let name = self.pick(NEW_NAMES);
                join(&directory, name)
            }
        }
    }

    /// A path through a link that no text stands for: to where a process stands, or to what it has open.
    fn through_proc(&mut self, want: Want) -> Bytes {
        let process = self.pick(&["self", "1", "2", "3", "thread-self"]);
        let link = match self.any_descriptor() {
            Some(fd) if self.chance(40) => format!("fd/{}", fd.0),
            _ => self.pick(&["root", "cwd"]).into(),
        };
        let below = match want {
            _ if self.chance(40) => "",
            Want::File => self.pick(&["/a/f", "/f", "/d/../f"]),
            _ => self.pick(&["/a", "/a/d", "/d", "/..", "/.", "/"]),
        };
        Bytes::from(format!("/proc/{process}/{link}{below}"))
    }

    /// A path with the directory that it starts in.
    pub(super) fn place(&mut self, want: Want) -> (Fd, Bytes) {
        if self.chance(20)
            && let Some(fd) = self.descriptor(&[DescriptorKind::Directory, DescriptorKind::Place, DescriptorKind::Tree])
        {
            for _ in 0..4 {
                let path = Bytes::from(if want == Want::New { self.pick(NEW_NAMES) } else { self.pick(RELATIVE) });
                if self.is(fd, &path, want) {
                    return (fd, path);
                }
            }
        }
        (Fd::CWD, self.path(want))
    }

    /// The open descriptors of these kinds, ascending.
    pub(super) fn descriptors(&self, kinds: &[DescriptorKind]) -> Vec<Fd> {
        let open = self.kernel.descriptors(self.task);
        open.into_iter().filter(|(_, kind)| kinds.contains(kind)).map(|(fd, _)| fd).collect()
    }

    /// An open descriptor of one of these kinds.
    pub(super) fn descriptor(&mut self, kinds: &[DescriptorKind]) -> Option<Fd> {
        let fitting = self.descriptors(kinds);
        self.pick_any(&fitting)
    }

    /// The highest descriptor of one of these kinds, and of a filesystem with this magic number if one is given.
    pub(super) fn last_descriptor(&mut self, kinds: &[DescriptorKind], magic: Option<u64>) -> Option<Fd> {
        let fitting = self.descriptors(kinds);
        fitting.into_iter().rev().find(|fd| magic.is_none_or(|magic| self.magic_of(*fd) == Some(magic)))
    }

    fn magic_of(&mut self, fd: Fd) -> Option<u64> {
        match self.ask(&Call::Fstatfs { fd })? {
            Value::StatFs(stat) => Some(stat.magic),
            _ => None,
        }
    }

    /// The last of the children of the process that acts which live, by its name and its number.
    pub(super) fn child(&self) -> Option<(TaskIndex, Pid)> {
        let census = self.kernel.census();
        let members = census.living().filter_map(|task| Some((task, census.get(task)?)));
        members
            .filter(|(task, member)| *task != self.task && member.parent == self.task)
            .map(|(task, member)| (task, member.pid))
            .last()
    }

    /// Any open descriptor.
    pub(super) fn any_descriptor(&mut self) -> Option<Fd> {
        let open: Vec<_> = self.kernel.descriptors(self.task).into_iter().map(|(fd, _)| fd).collect();
        self.pick_any(&open)
    }

    /// The mounts that the process sees.
    pub(super) fn mounts(&mut self) -> &[MountedAt] {
        let (kernel, task) = (self.kernel, self.task);
        self.mounts.get_or_insert_with(|| {
            let table = kernel.mountinfo(task);
            cofferdam::mountinfo::entries(&table)
                .filter_map(Result::ok)
                .map(|entry| MountedAt {
                    id: entry.id().into(),
                    path: Bytes::from(entry.mountpoint().as_ref()),
                    filesystem: Bytes::from(entry.filesystem_type().as_ref()),
                    options: Bytes::from(entry.super_options_raw()),
                })
                .collect()
        })
    }

    /// Where something is mounted.
    pub(super) fn mountpoint(&mut self) -> Option<Bytes> {
        let mounts = self.mounts().to_vec();
        self.pick_any(&mounts).map(|mount| mount.path)
    }

    /// Where a filesystem is mounted that belongs to the sequence alone.
    pub(super) fn mountpoint_to_change(&mut self) -> Option<Bytes> {
        let owned: Vec<_> =
            self.mounts().iter().filter(|mount| mount.is_of_sequence()).map(|mount| mount.path.clone()).collect();
        self.pick_any(&owned)
    }

    /// Where something is mounted that the universe does not have from the beginning.
    pub(super) fn own_mountpoint(&mut self) -> Option<Bytes> {
        let mounts: Vec<_> =
            self.mounts().iter().filter(|mount| mount.path.0 != b"/" && mount.path.0 != b"/proc").cloned().collect();
        self.pick_any(&mounts).map(|mount| mount.path)
    }
}

pub(super) fn join(directory: &Bytes, name: &str) -> Bytes {
    let mut path = directory.0.clone();
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name.as_bytes());
    Bytes(path)
}
