//! The arguments of each call.

use std::fmt::{self, Write as _};

use cofferdam::kernel::{
    Bytes, Call, DeviceNumber, Fd, FsConfig, MountAttr, NodeMode, OpenFlags, OpenHow, Prctl, SignalAction,
    SignalMaskHow, Whence,
};
use libc::c_long;

/// One argument, as the kernel takes it.
pub enum Argument {
    /// A number.
    Number(i64),
    /// The address of bytes; those of a string end in a NUL, which the C program adds.
    Input(Vec<u8>),
    /// The address of a buffer for a result.
    Output(usize),
    /// The address of an array of strings.
    Strings(Vec<Bytes>),
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "={number}"),
            Self::Input(bytes) => write!(f, "<{}", hex(bytes)),
            Self::Output(size) => write!(f, ">{size}"),
            Self::Strings(strings) => {
                let strings: Vec<_> = strings.iter().map(|string| hex(&string.0)).collect();
                write!(f, "@{}", strings.join(","))
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn number(number: impl Into<i64>) -> Argument {
    Argument::Number(number.into())
}

/// Bits of 64, as the register holds them.
fn bits(bits: u64) -> Argument {
    Argument::Number(bits.cast_signed())
}

fn fd(Fd(fd): Fd) -> Argument {
    number(fd)
}

fn string(bytes: &Bytes) -> Argument {
    Argument::Input(bytes.0.clone())
}

fn optional(bytes: Option<&Bytes>) -> Argument {
    bytes.map_or(number(0), string)
}

pub fn words(words: &[u64]) -> Argument {
    Argument::Input(words.iter().flat_map(|word| word.to_ne_bytes()).collect())
}

fn half_words(words: &[u32]) -> Argument {
    Argument::Input(words.iter().flat_map(|word| word.to_ne_bytes()).collect())
}

const SIGNAL_SET: i64 = 8;
const SIGNAL_INFO: usize = 128;
const STATX: usize = 256;
const PAGE: usize = 4096;
/// `SYS_open_tree_attr`, the same everywhere.
const OPEN_TREE_ATTR: c_long = 467;

/// The call's number and arguments; `None` if it is not known how they lie in memory.
pub fn encode(call: &Call) -> Option<(c_long, Vec<Argument>)> {
    mounts(call).or_else(|| files(call)).or_else(|| processes(call))
}

/// struct mount_attr
fn attr(attr: &MountAttr) -> Argument {
    let userns = attr.userns_fd.map_or(0, |Fd(fd)| i64::from(fd).cast_unsigned());
    words(&[attr.attr_set.bits(), attr.attr_clr.bits(), attr.propagation.bits().into(), userns])
}

const ATTR_SIZE: i64 = 32;

fn mounts(call: &Call) -> Option<(c_long, Vec<Argument>)> {
    Some(match call {
        Call::Mount { source, target, filesystemtype, mountflags, data } => {
            let (source, data) = (optional(source.as_ref()), optional(data.as_ref()));
            let filesystem = optional(filesystemtype.as_ref());
            (libc::SYS_mount, vec![source, string(target), filesystem, number(mountflags.bits()), data])
        }
        Call::Umount2 { target, flags } => (libc::SYS_umount2, vec![string(target), number(flags.bits())]),
        Call::PivotRoot { new_root, put_old } => (libc::SYS_pivot_root, vec![string(new_root), string(put_old)]),
        Call::OpenTree { dirfd, path, flags } => {
            (libc::SYS_open_tree, vec![fd(*dirfd), string(path), number(flags.bits())])
        }
        Call::MoveMount { from_dirfd, from_path, to_dirfd, to_path, flags } => {
            let flags = number(flags.bits());
            (libc::SYS_move_mount, vec![fd(*from_dirfd), string(from_path), fd(*to_dirfd), string(to_path), flags])
        }
        Call::MountSetattr { dirfd, path, flags, attr: attributes } => {
            let arguments =
                vec![fd(*dirfd), string(path), number(flags.bits()), attr(attributes), Argument::Number(ATTR_SIZE)];
            (libc::SYS_mount_setattr, arguments)
        }
        Call::OpenTreeAttr { dirfd, path, flags, attr: attributes } => {
            let arguments =
                vec![fd(*dirfd), string(path), number(flags.bits()), attr(attributes), Argument::Number(ATTR_SIZE)];
            (OPEN_TREE_ATTR, arguments)
        }
        Call::Fsopen { fsname, flags } => (libc::SYS_fsopen, vec![string(fsname), number(flags.bits())]),
        Call::Fsconfig { fd: context, config } => (libc::SYS_fsconfig, filesystem_config(*context, config)?),
        Call::Fsmount { fd: context, flags, attr_flags } => {
            (libc::SYS_fsmount, vec![fd(*context), number(flags.bits()), bits(attr_flags.bits())])
        }
        Call::Fspick { dirfd, path, flags } => (libc::SYS_fspick, vec![fd(*dirfd), string(path), number(flags.bits())]),
        Call::Statfs { path } => (libc::SYS_statfs, vec![string(path), Argument::Output(STATX)]),
        Call::Fstatfs { fd: opened } => (libc::SYS_fstatfs, vec![fd(*opened), Argument::Output(STATX)]),
        _ => return None,
    })
}

/// enum fsconfig_command of linux/mount.h
fn filesystem_config(context: Fd, config: &FsConfig) -> Option<Vec<Argument>> {
    let none = || number(0);
    let [command, key, value, auxiliary] = match config {
        FsConfig::SetFlag { key } => [number(0), string(key), none(), none()],
        FsConfig::SetString { key, value } => [number(1), string(key), string(value), none()],
        FsConfig::SetBinary { key, value } => {
            [number(2), string(key), string(value), number(i64::try_from(value.0.len()).ok()?)]
        }
        FsConfig::SetPath { key, dirfd, path } => [number(3), string(key), string(path), fd(*dirfd)],
        FsConfig::SetFd { key, fd: value } => [number(5), string(key), none(), fd(*value)],
        FsConfig::Create => [number(6), none(), none(), none()],
        FsConfig::Reconfigure => [number(7), none(), none(), none()],
        FsConfig::CreateExclusive => [number(8), none(), none(), none()],
    };
    Some(vec![fd(context), command, key, value, auxiliary])
}

/// The four flags whose bits other architectures than x86 have in another order.
fn open_flags(flags: OpenFlags) -> u64 {
    let here = [
        (OpenFlags::O_DIRECT, libc::O_DIRECT),
        (OpenFlags::O_LARGEFILE, 0),
        (OpenFlags::O_DIRECTORY, libc::O_DIRECTORY),
        (OpenFlags::O_NOFOLLOW, libc::O_NOFOLLOW),
    ];
    let others = here.iter().fold(flags, |rest, (flag, _)| rest - *flag).bits();
    here.iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .fold(others.into(), |bits, (_, here)| bits | u64::from(here.cast_unsigned()))
}

fn open_how(how: &OpenHow) -> [Argument; 2] {
    let words = words(&[open_flags(how.flags), how.mode.0.into(), how.resolve.bits()]);
    [words, Argument::Number(24)]
}

fn device(DeviceNumber { major, minor }: DeviceNumber) -> Argument {
    bits(libc::makedev(major, minor))
}

fn node_mode(mode: NodeMode) -> Argument {
    number(mode.file_type.bits() | mode.mode.0)
}

/// An owner or a group; -1 leaves it as it is.
fn id(id: Option<u32>) -> Argument {
    number(id.map_or(-1, i64::from))
}

fn files(call: &Call) -> Option<(c_long, Vec<Argument>)> {
    Some(match call {
        Call::Chroot { path } => (libc::SYS_chroot, vec![string(path)]),
        Call::Chdir { path } => (libc::SYS_chdir, vec![string(path)]),
        Call::Fchdir { fd: opened } => (libc::SYS_fchdir, vec![fd(*opened)]),
        Call::Getcwd {} => (libc::SYS_getcwd, vec![Argument::Output(PAGE), number(4096)]),
        Call::Openat2 { dirfd, path, how } => {
            let [how, size] = open_how(how);
            (libc::SYS_openat2, vec![fd(*dirfd), string(path), how, size])
        }
        Call::Close { fd: opened } => (libc::SYS_close, vec![fd(*opened)]),
        Call::CloseRange { first, last, flags } => {
            (libc::SYS_close_range, vec![number(*first), number(*last), number(flags.bits())])
        }
        Call::Dup3 { oldfd, newfd, flags } => (libc::SYS_dup3, vec![fd(*oldfd), fd(*newfd), bits(open_flags(*flags))]),
        Call::Mkdirat { dirfd, path, mode } => (libc::SYS_mkdirat, vec![fd(*dirfd), string(path), number(mode.0)]),
        Call::Mknodat { dirfd, path, mode, device: numbers } => {
            (libc::SYS_mknodat, vec![fd(*dirfd), string(path), node_mode(*mode), device(*numbers)])
        }
        Call::Symlinkat { target, dirfd, path } => {
            (libc::SYS_symlinkat, vec![string(target), fd(*dirfd), string(path)])
        }
        Call::Unlinkat { dirfd, path, flags } => {
            (libc::SYS_unlinkat, vec![fd(*dirfd), string(path), number(flags.bits())])
        }
        Call::Renameat2 { old_dirfd, old_path, new_dirfd, new_path, flags } => {
            let flags = number(flags.bits());
            (libc::SYS_renameat2, vec![fd(*old_dirfd), string(old_path), fd(*new_dirfd), string(new_path), flags])
        }
        Call::Readlinkat { dirfd, path } => {
            (libc::SYS_readlinkat, vec![fd(*dirfd), string(path), Argument::Output(PAGE), number(4096)])
        }
        Call::Statx { dirfd, path, flags } => {
            let mask = number(libc::STATX_BASIC_STATS | libc::STATX_MNT_ID);
            (libc::SYS_statx, vec![fd(*dirfd), string(path), number(flags.bits()), mask, Argument::Output(STATX)])
        }
        Call::Fchmod { fd: opened, mode } => (libc::SYS_fchmod, vec![fd(*opened), number(mode.0)]),
        Call::Fchmodat { dirfd, path, mode } => (libc::SYS_fchmodat, vec![fd(*dirfd), string(path), number(mode.0)]),
        Call::Fchownat { dirfd, path, owner, group, flags } => {
            (libc::SYS_fchownat, vec![fd(*dirfd), string(path), id(*owner), id(*group), number(flags.bits())])
        }
        Call::Getdents64 { fd: opened } => {
            (libc::SYS_getdents64, vec![fd(*opened), Argument::Output(8 * PAGE), number(8 * 4096)])
        }
        Call::Read { fd: opened, count } => {
            let size = number(i64::try_from(*count).ok()?);
            (libc::SYS_read, vec![fd(*opened), Argument::Output(*count), size])
        }
        Call::Write { fd: opened, data } => {
            (libc::SYS_write, vec![fd(*opened), string(data), number(i64::try_from(data.0.len()).ok()?)])
        }
        Call::Lseek { fd: opened, offset, whence } => {
            let whence = match whence {
                Whence::Start => libc::SEEK_SET,
                Whence::Current => libc::SEEK_CUR,
                Whence::End => libc::SEEK_END,
            };
            (libc::SYS_lseek, vec![fd(*opened), number(*offset), number(whence)])
        }
        Call::Ftruncate { fd: opened, length } => (libc::SYS_ftruncate, vec![fd(*opened), bits(*length)]),
        Call::Flock { fd: opened, operation } => (libc::SYS_flock, vec![fd(*opened), number(operation.bits())]),
        Call::Linkat { old_dirfd, old_path, new_dirfd, new_path, flags } => {
            let flags = number(flags.bits());
            (libc::SYS_linkat, vec![fd(*old_dirfd), string(old_path), fd(*new_dirfd), string(new_path), flags])
        }
        Call::Fsync { fd: opened } => (libc::SYS_fsync, vec![fd(*opened)]),
        Call::Pipe2 { flags } => (libc::SYS_pipe2, vec![Argument::Output(8), bits(open_flags(*flags))]),
        Call::Umask { mask } => (libc::SYS_umask, vec![number(mask.0)]),
        _ => return None,
    })
}

/// `_LINUX_CAPABILITY_VERSION_3`, and 0 for the calling thread.
fn capability_header() -> Argument {
    half_words(&[0x2008_0522, 0])
}

/// struct __user_cap_data_struct, twice: the lower halves of the sets, then the upper ones.
fn capability_data(sets: [u64; 3]) -> Argument {
    // The lower and the upper 32 bits.
    #[allow(clippy::cast_possible_truncation, reason = "see above")]
    let halves: Vec<u32> = [0, 32].iter().flat_map(|shift| sets.map(|set| (set >> shift) as u32)).collect();
    half_words(&halves)
}

fn process_control(operation: Prctl) -> Vec<Argument> {
    let (option, second, third) = match operation {
        Prctl::SetParentDeathSignal(signal) => (libc::PR_SET_PDEATHSIG, signal.map_or(0, |signal| signal.0.into()), 0),
        Prctl::SetDumpable(dumpable) => (libc::PR_SET_DUMPABLE, dumpable.into(), 0),
        Prctl::SetKeepCapabilities(keep) => (libc::PR_SET_KEEPCAPS, keep.into(), 0),
        Prctl::ReadBoundingCapability(number) => (libc::PR_CAPBSET_READ, number.into(), 0),
        Prctl::DropBoundingCapability(number) => (libc::PR_CAPBSET_DROP, number.into(), 0),
        Prctl::RaiseAmbientCapability(number) => {
            (libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE.into(), number.into())
        }
        Prctl::ClearAmbientCapabilities => (libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL.into(), 0),
        Prctl::SetNoNewPrivileges => (libc::PR_SET_NO_NEW_PRIVS, 1, 0),
    };
    vec![number(option), Argument::Number(second), Argument::Number(third), number(0), number(0)]
}

fn processes(call: &Call) -> Option<(c_long, Vec<Argument>)> {
    Some(match call {
        Call::Unshare { flags } => (libc::SYS_unshare, vec![bits(flags.bits())]),
        Call::Setns { fd: namespace, nstype } => (libc::SYS_setns, vec![fd(*namespace), bits(nstype.bits())]),
        Call::Getpid {} => (libc::SYS_getpid, vec![]),
        Call::Getppid {} => (libc::SYS_getppid, vec![]),
        Call::Geteuid {} => (libc::SYS_geteuid, vec![]),
        Call::Uname {} => (libc::SYS_uname, vec![Argument::Output(PAGE)]),
        Call::Capget {} => (libc::SYS_capget, vec![capability_header(), Argument::Output(24)]),
        Call::Capset { sets } => {
            let sets = [sets.effective, sets.permitted, sets.inheritable].map(|set| set.bits());
            (libc::SYS_capset, vec![capability_header(), capability_data(sets)])
        }
        Call::Prctl { operation } => (libc::SYS_prctl, process_control(*operation)),
        Call::Setgroups { groups } => {
            (libc::SYS_setgroups, vec![number(i64::try_from(groups.len()).ok()?), half_words(groups)])
        }
        Call::Setresgid { real, effective, saved } => {
            (libc::SYS_setresgid, vec![number(*real), number(*effective), number(*saved)])
        }
        Call::Setresuid { real, effective, saved } => {
            (libc::SYS_setresuid, vec![number(*real), number(*effective), number(*saved)])
        }
        Call::Sigaction { signal, action: SignalAction::Default } => {
            // `SIG_DFL`, no flags, nothing masked.
            (libc::SYS_rt_sigaction, vec![number(signal.0), words(&[0; 4]), number(0), Argument::Number(SIGNAL_SET)])
        }
        Call::Sigprocmask { how, set } => {
            let how = match how {
                SignalMaskHow::Block => libc::SIG_BLOCK,
                SignalMaskHow::Unblock => libc::SIG_UNBLOCK,
                SignalMaskHow::SetMask => libc::SIG_SETMASK,
            };
            let arguments = vec![number(how), words(&[set.0]), Argument::Output(8), Argument::Number(SIGNAL_SET)];
            (libc::SYS_rt_sigprocmask, arguments)
        }
        Call::Sigwaitinfo { set } => {
            let arguments =
                vec![words(&[set.0]), Argument::Output(SIGNAL_INFO), number(0), Argument::Number(SIGNAL_SET)];
            (libc::SYS_rt_sigtimedwait, arguments)
        }
        Call::Wait4 { pid, options } => {
            (libc::SYS_wait4, vec![number(pid.0), Argument::Output(4), number(options.bits()), number(0)])
        }
        Call::Execve { path, argv, envp } => {
            let strings = |strings: &[Bytes]| Argument::Strings(strings.to_vec());
            (libc::SYS_execve, vec![string(path), strings(argv), strings(envp)])
        }
        _ => return None,
    })
}
