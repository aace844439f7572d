//! From bytes to actions.

use std::fmt;

use cofferdam::kernel::{
    AtFlags, Bytes, Call, CloneFlags, CloseRangeFlags, DeviceNumber, Fd, FileType, FlockOperation, FsConfig,
    FsmountFlags, FsopenFlags, FspickFlags, Mode, MountAttr, MountFlags, NodeMode, OpenFlags, OpenHow, Pid, Prctl,
    Signal, StatMountMask, UniqueMountId, WaitOptions, Whence,
};
use cofferdam_vfs_sim::{Id, Task};

use super::names;
use crate::choice::Choices;

/// What a process does at its turn.
pub(super) struct Step {
    pub(super) task: Id<Task>,
    pub(super) action: Action,
}

pub(super) enum Action {
    Call(Call),
    Fork(CloneFlags),
    Exit,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call) => write!(f, "{call}"),
            Self::Fork(flags) => write!(f, "fork({flags})"),
            Self::Exit => f.write_str("exit()"),
        }
    }
}

/// Bytes from this one on end a sequence.
const END: u8 = 160;

type Maker = fn(&mut Choices<'_>) -> Action;

/// The families. What matters most has several numbers, so that chance finds it more often.
const MAKERS: [Maker; 64] = [
    mount,
    mount_meaning,
    umount,
    pivot_root,
    chroot,
    open_tree,
    move_mount,
    mount_setattr,
    fsopen,
    fsconfig,
    fsmount,
    fspick,
    statmount,
    listmount,
    unshare,
    setns,
    fork,
    exit,
    openat,
    openat,
    close,
    dup,
    mkdir,
    mknod,
    symlink,
    link,
    unlink,
    rename,
    read,
    write,
    chdir,
    fchdir,
    mount,
    mount_meaning,
    mount_meaning,
    umount,
    umount,
    open_tree,
    move_mount,
    move_mount,
    mount_setattr,
    unshare,
    fork,
    stat,
    statfs,
    read_directory,
    read_link,
    getcwd,
    owner,
    mode,
    seek,
    truncate,
    lock,
    pipe,
    kill,
    wait,
    user,
    close_range,
    execute,
    open_tree_attr,
    namespace,
    namespace,
    overlay,
    overlay,
];

impl Action {
    /// The next action; `None` at the end of a sequence.
    pub(super) fn choose(choices: &mut Choices<'_>) -> Option<Self> {
        let number = choices.byte();
        let place = usize::from(number) * MAKERS.len() / usize::from(END);
        MAKERS.get(place).map(|maker| maker(choices))
    }
}

fn place(choices: &mut Choices<'_>) -> Bytes {
    choices.one_of(&names::PLACES).into()
}

fn path(choices: &mut Choices<'_>) -> Bytes {
    choices.one_of(&names::PATHS).into()
}

fn descriptor(choices: &mut Choices<'_>) -> Fd {
    choices.one_of(&names::DESCRIPTORS)
}

fn directory(choices: &mut Choices<'_>) -> Fd {
    choices.one_of(&names::DIRECTORIES)
}

fn mount(choices: &mut Choices<'_>) -> Action {
    let filesystemtype = choices.one_of(&names::TYPES);
    Action::Call(Call::Mount {
        source: Some(choices.one_of(&["none", "s 1\n#", ""]).into()),
        target: place(choices),
        filesystemtype: Some(filesystemtype.into()),
        mountflags: choices.one_of(&names::ATTRIBUTES_OF_MOUNT),
        data: choices.one_of(&names::DATA).map(Bytes::from),
    })
}

fn overlay(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Mount {
        source: Some("o".into()),
        target: place(choices),
        filesystemtype: Some("overlay".into()),
        mountflags: MountFlags::empty(),
        data: Some(
            choices
                .one_of(&[
                    "lowerdir=/a,upperdir=/b/c,workdir=/w",
                    "lowerdir=/a:/b",
                    "lowerdir=/b,upperdir=/a,workdir=/w",
                ])
                .into(),
        ),
    })
}

fn mount_meaning(choices: &mut Choices<'_>) -> Action {
    let meaning = choices.one_of(&names::MEANINGS);
    let has_source = meaning.intersects(MountFlags::MS_BIND | MountFlags::MS_MOVE);
    let source = (has_source && !meaning.contains(MountFlags::MS_REMOUNT)).then(|| path(choices));
    let data = meaning.contains(MountFlags::MS_REMOUNT).then(|| choices.one_of(&names::DATA)).flatten();
    let target = if source.as_ref().is_some_and(|source| source.0.ends_with(b"mnt") || source.0.ends_with(b"f")) {
        path(choices)
    } else {
        place(choices)
    };
    let data = data.map(Bytes::from);
    Action::Call(Call::Mount { source, target, filesystemtype: None, mountflags: meaning, data })
}

fn umount(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Umount2 { target: place(choices), flags: choices.one_of(&names::UNMOUNTS) })
}

fn pivot_root(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::PivotRoot { new_root: place(choices), put_old: place(choices) })
}

fn chroot(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Chroot { path: place(choices) })
}

fn chdir(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Chdir { path: place(choices) })
}

fn fchdir(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Fchdir { fd: descriptor(choices) })
}

fn getcwd(_: &mut Choices<'_>) -> Action {
    Action::Call(Call::Getcwd {})
}

fn open_tree(choices: &mut Choices<'_>) -> Action {
    let (dirfd, path, flags) = (directory(choices), path(choices), choices.one_of(&names::TREES));
    Action::Call(Call::OpenTree { dirfd, path, flags })
}

fn attr(choices: &mut Choices<'_>) -> MountAttr {
    let attr_set = choices.one_of(&names::ATTRIBUTES);
    let is_idmap = attr_set.contains(cofferdam::kernel::MountAttrFlags::MOUNT_ATTR_IDMAP);
    MountAttr {
        attr_set,
        attr_clr: choices.one_of(&names::ATTRIBUTES),
        propagation: choices.one_of(&names::PROPAGATIONS),
        userns_fd: is_idmap.then(|| descriptor(choices)),
    }
}

fn open_tree_attr(choices: &mut Choices<'_>) -> Action {
    let (dirfd, path, flags) = (directory(choices), path(choices), choices.one_of(&names::TREES));
    Action::Call(Call::OpenTreeAttr { dirfd, path, flags, attr: attr(choices) })
}

fn move_mount(choices: &mut Choices<'_>) -> Action {
    use cofferdam::kernel::MoveMountFlags;

    let flags = choices.one_of(&names::MOVES);
    let by_descriptor = flags.contains(MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH);
    let (from_dirfd, from_path) =
        if by_descriptor { (descriptor(choices), Bytes::default()) } else { (Fd::CWD, path(choices)) };
    let (to_dirfd, to_path) = if flags.contains(MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH) {
        (descriptor(choices), Bytes::default())
    } else {
        (Fd::CWD, path(choices))
    };
    Action::Call(Call::MoveMount { from_dirfd, from_path, to_dirfd, to_path, flags })
}

fn mount_setattr(choices: &mut Choices<'_>) -> Action {
    let flags = choices.one_of(&names::ATS);
    let (dirfd, path) = if flags.contains(AtFlags::AT_EMPTY_PATH) {
        (descriptor(choices), Bytes::default())
    } else {
        (Fd::CWD, place(choices))
    };
    Action::Call(Call::MountSetattr { dirfd, path, flags, attr: attr(choices) })
}

fn fsopen(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Fsopen { fsname: choices.one_of(&names::TYPES).into(), flags: FsopenFlags::empty() })
}

fn fsconfig(choices: &mut Choices<'_>) -> Action {
    let fd = descriptor(choices);
    let config = match choices.below(8) {
        0..3 => FsConfig::Create,
        3 => FsConfig::CreateExclusive,
        4 => FsConfig::Reconfigure,
        5 => FsConfig::SetFd {
            key: choices.one_of(&["lowerdir+", "upperdir", "workdir"]).into(),
            fd: descriptor(choices),
        },
        _ => match choices.one_of(&names::PARAMETERS) {
            (key, Some(value)) => FsConfig::SetString { key: key.into(), value: value.into() },
            (key, None) => FsConfig::SetFlag { key: key.into() },
        },
    };
    Action::Call(Call::Fsconfig { fd, config })
}

fn fsmount(choices: &mut Choices<'_>) -> Action {
    let (fd, attr_flags) = (descriptor(choices), choices.one_of(&names::ATTRIBUTES));
    Action::Call(Call::Fsmount { fd, flags: FsmountFlags::empty(), attr_flags })
}

fn fspick(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Fspick { dirfd: directory(choices), path: path(choices), flags: FspickFlags::FSPICK_EMPTY_PATH })
}

/// Unique ids start behind 2^31.
fn mount_id(choices: &mut Choices<'_>) -> UniqueMountId {
    match choices.below(32) {
        0 => UniqueMountId::ROOT,
        number => UniqueMountId((1 << 31) + u64::from(number)),
    }
}

fn statmount(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Statmount { mount: mount_id(choices), mask: StatMountMask::all() })
}

fn listmount(choices: &mut Choices<'_>) -> Action {
    let mount = if choices.bit() { UniqueMountId::ROOT } else { mount_id(choices) };
    Action::Call(Call::Listmount { mount, last: if choices.bit() { mount_id(choices).0 } else { 0 } })
}

fn unshare(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Unshare { flags: choices.one_of(&names::NAMESPACES) })
}

fn setns(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Setns { fd: descriptor(choices), nstype: CloneFlags::empty() })
}

/// Opens the file of a namespace, or what belongs to one.
fn namespace(choices: &mut Choices<'_>) -> Action {
    const FILES: [(&str, OpenFlags); 8] = [
        ("/proc/self/ns/mnt", OpenFlags::empty()),
        ("/proc/self/ns/user", OpenFlags::empty()),
        ("/proc/1/ns/mnt", OpenFlags::empty()),
        ("/proc/2/ns/mnt", OpenFlags::empty()),
        ("/proc/2/ns/user", OpenFlags::empty()),
        ("/proc/self/uid_map", OpenFlags::O_WRONLY),
        ("/proc/self/gid_map", OpenFlags::O_WRONLY),
        ("/proc/self/ns/pid_for_children", OpenFlags::empty()),
    ];
    let (path, flags) = choices.one_of(&FILES);
    Action::Call(Call::Openat2 { dirfd: Fd::CWD, path: path.into(), how: OpenHow { flags, ..OpenHow::default() } })
}

fn fork(choices: &mut Choices<'_>) -> Action {
    Action::Fork(choices.one_of(&names::NAMESPACES))
}

fn exit(_: &mut Choices<'_>) -> Action {
    Action::Exit
}

fn openat(choices: &mut Choices<'_>) -> Action {
    let (dirfd, path, flags) = (directory(choices), path(choices), choices.one_of(&names::OPENS));
    let mode = Mode(if flags.contains(OpenFlags::O_CREAT) { 0o644 } else { 0 });
    let resolve = choices.one_of(&names::RESOLVES);
    Action::Call(Call::Openat2 { dirfd, path, how: OpenHow { flags, mode, resolve } })
}

fn close(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Close { fd: descriptor(choices) })
}

fn close_range(choices: &mut Choices<'_>) -> Action {
    let flags = if choices.bit() { CloseRangeFlags::CLOSE_RANGE_UNSHARE } else { CloseRangeFlags::empty() };
    let first = u32::from(choices.below(4));
    Action::Call(Call::CloseRange { first, last: first + u32::from(choices.below(4)), flags })
}

fn dup(choices: &mut Choices<'_>) -> Action {
    let (oldfd, newfd) = (descriptor(choices), descriptor(choices));
    Action::Call(Call::Dup3 { oldfd, newfd, flags: OpenFlags::empty() })
}

fn mkdir(choices: &mut Choices<'_>) -> Action {
    let mode = Mode(choices.one_of(&[0o755, 0o777, 0o1777, 0, 0o2755]));
    Action::Call(Call::Mkdirat { dirfd: directory(choices), path: path(choices), mode })
}

fn mknod(choices: &mut Choices<'_>) -> Action {
    let (file_type, device) = choices.one_of(&[
        (FileType::Regular, DeviceNumber::NONE),
        (FileType::Fifo, DeviceNumber::NONE),
        // The whiteout of an overlay.
        (FileType::CharacterDevice, DeviceNumber::NONE),
        (FileType::CharacterDevice, DeviceNumber::NULL),
        (FileType::Socket, DeviceNumber::NONE),
    ]);
    let mode = NodeMode { file_type, mode: Mode(0o644) };
    Action::Call(Call::Mknodat { dirfd: directory(choices), path: path(choices), mode, device })
}

fn symlink(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Symlinkat { target: path(choices), dirfd: directory(choices), path: path(choices) })
}

fn link(choices: &mut Choices<'_>) -> Action {
    let flags = choices.one_of(&names::ATS);
    let (old_dirfd, old_path) = (directory(choices), path(choices));
    Action::Call(Call::Linkat { old_dirfd, old_path, new_dirfd: directory(choices), new_path: path(choices), flags })
}

fn unlink(choices: &mut Choices<'_>) -> Action {
    let flags = if choices.bit() { AtFlags::AT_REMOVEDIR } else { AtFlags::empty() };
    Action::Call(Call::Unlinkat { dirfd: directory(choices), path: path(choices), flags })
}

fn rename(choices: &mut Choices<'_>) -> Action {
    let flags = choices.one_of(&names::RENAMES);
    let (old_dirfd, old_path) = (directory(choices), path(choices));
    Action::Call(Call::Renameat2 { old_dirfd, old_path, new_dirfd: directory(choices), new_path: path(choices), flags })
}

fn read(choices: &mut Choices<'_>) -> Action {
    let count = choices.one_of(&[1, 64, 65536]);
    Action::Call(Call::Read { fd: descriptor(choices), count })
}

fn write(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Write { fd: descriptor(choices), data: choices.one_of(&names::TEXTS).into() })
}

fn seek(choices: &mut Choices<'_>) -> Action {
    let offset = choices.one_of(&[0, 1, -1, 4096, i64::MAX]);
    let whence = choices.one_of(&[Whence::Start, Whence::Current, Whence::End]);
    Action::Call(Call::Lseek { fd: descriptor(choices), offset, whence })
}

fn truncate(choices: &mut Choices<'_>) -> Action {
    let length = choices.one_of(&[0, 1, 5000, u64::MAX]);
    Action::Call(Call::Ftruncate { fd: descriptor(choices), length })
}

fn lock(choices: &mut Choices<'_>) -> Action {
    let operation = choices.one_of(&[FlockOperation::LOCK_SH, FlockOperation::LOCK_EX, FlockOperation::LOCK_UN]);
    Action::Call(Call::Flock { fd: descriptor(choices), operation })
}

fn pipe(_: &mut Choices<'_>) -> Action {
    Action::Call(Call::Pipe2 { flags: OpenFlags::empty() })
}

fn stat(choices: &mut Choices<'_>) -> Action {
    let flags = choices.one_of(&names::ATS);
    Action::Call(Call::Statx { dirfd: directory(choices), path: path(choices), flags })
}

fn statfs(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Statfs { path: path(choices) })
}

fn read_directory(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Getdents64 { fd: descriptor(choices) })
}

fn read_link(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Readlinkat { dirfd: directory(choices), path: path(choices) })
}

fn owner(choices: &mut Choices<'_>) -> Action {
    let owner = Some(choices.one_of(&[0, 1000, u32::MAX - 1]));
    let flags = choices.one_of(&names::ATS);
    Action::Call(Call::Fchownat { dirfd: directory(choices), path: path(choices), owner, group: None, flags })
}

fn mode(choices: &mut Choices<'_>) -> Action {
    let mode = Mode(choices.one_of(&[0, 0o700, 0o4755, 0o1777]));
    Action::Call(Call::Fchmodat { dirfd: directory(choices), path: path(choices), mode })
}

fn kill(choices: &mut Choices<'_>) -> Action {
    let pid = Pid(choices.one_of(&[1, 2, 3, 4, -1, 0]));
    let signal = choices.one_of(&[Signal::KILL, Signal::TERM, Signal(0), Signal(19), Signal(18)]);
    Action::Call(Call::Kill { pid, signal })
}

fn wait(choices: &mut Choices<'_>) -> Action {
    let pid = Pid(choices.one_of(&[-1, 2, 3]));
    Action::Call(Call::Wait4 { pid, options: WaitOptions::WNOHANG })
}

fn user(choices: &mut Choices<'_>) -> Action {
    Action::Call(match choices.below(4) {
        0 => Call::Setresuid { real: 1000, effective: 1000, saved: 1000 },
        1 => Call::Setresuid { real: 0, effective: 1000, saved: 0 },
        2 => Call::Setresuid { real: 0, effective: 0, saved: 0 },
        _ => Call::Prctl { operation: Prctl::SetDumpable(choices.bit()) },
    })
}

fn execute(choices: &mut Choices<'_>) -> Action {
    Action::Call(Call::Execve { path: path(choices), argv: vec!["x".into()], envp: Vec::new() })
}
