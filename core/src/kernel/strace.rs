//! Calls and their results as strace(1) prints them.

use std::fmt;

use super::bytes::Bytes;
use super::errno::Errno;
use super::flags::{
    AtFlags, CloneFlags, CloseRangeFlags, FlockOperation, FsmountFlags, FsopenFlags, FspickFlags, MountAttrFlags,
    MountFlags, MoveMountFlags, OpenFlags, OpenTreeFlags, RenameFlags, StatMountMask, UmountFlags, WaitOptions,
};
use super::syscalls::{Call, Value};
use super::types::{
    CapabilitySets, DeviceNumber, DirectoryEntry, Fd, FsConfig, Mode, MountAttr, NodeMode, OpenHow, Pid, Prctl, Rlimit,
    RlimitResource, Signal, SignalAction, SignalInfo, SignalMaskHow, SignalSet, Stat, StatFs, StatMount, UniqueMountId,
    Utsname, WaitStatus, Whence,
};

/// How long a string is printed before it is cut, in bytes.
const LONGEST_DATA: usize = 64;

/// A value as strace prints it, among the arguments or as a result.
pub(super) trait Strace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// What stands behind `=`, if the value itself stands among the arguments.
    fn return_value(&self) -> u64 {
        0
    }
}

/// Prints arguments with commas in between, and the output buffer in its place.
pub(super) struct Arguments<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    output: Option<(usize, Option<&'a dyn Strace>)>,
    printed: usize,
}

impl Arguments<'_, '_> {
    pub(super) fn push(&mut self, argument: &dyn Strace) -> fmt::Result {
        self.print_output_if_it_is_next()?;
        self.separate()?;
        argument.fmt(self.f)
    }

    pub(super) fn finish(&mut self) -> fmt::Result {
        self.print_output_if_it_is_next()
    }

    fn print_output_if_it_is_next(&mut self) -> fmt::Result {
        match self.output {
            Some((position, output)) if position == self.printed => {
                self.separate()?;
                match output {
                    Some(output) => output.fmt(self.f),
                    // strace prints the address of the buffer that was not filled.
                    None => self.f.write_str("..."),
                }
            }
            _ => Ok(()),
        }
    }

    fn separate(&mut self) -> fmt::Result {
        self.printed += 1;
        if self.printed > 1 { self.f.write_str(", ") } else { Ok(()) }
    }
}

/// A call with its result; see [`Call::with_result`].
struct WithResult<'a>(&'a Call, &'a Result<Value, Errno>);

impl fmt::Display for WithResult<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(call, result) = self;
        match result {
            Ok(value) => {
                call.fmt_with_output(f, Some(value.as_strace()))?;
                f.write_str(" = ")?;
                match call.output_position() {
                    Some(_) => write!(f, "{}", value.as_strace().return_value()),
                    None => value.as_strace().fmt(f),
                }
            }
            Err(errno) => {
                call.fmt_with_output(f, None)?;
                write!(f, " = -1 {errno}")
            }
        }
    }
}

impl Call {
    /// The call with its result, in the form of strace(1):
    /// `openat2(AT_FDCWD, "/", {flags=O_PATH, mode=0, resolve=0}) = 3`.
    pub fn with_result<'a>(&'a self, result: &'a Result<Value, Errno>) -> impl fmt::Display + 'a {
        WithResult(self, result)
    }

    fn fmt_with_output(&self, f: &mut fmt::Formatter<'_>, output: Option<&dyn Strace>) -> fmt::Result {
        write!(f, "{}(", self.name())?;
        self.fmt_arguments(&mut Arguments {
            output: self.output_position().map(|position| (position, output)),
            f,
            printed: 0,
        })?;
        f.write_str(")")
    }
}

/// The call without a result.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_with_output(f, None)
    }
}

macro_rules! strace_is_display {
    ($($type:ty),*) => {$(
        impl Strace for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )*};
}

macro_rules! strace_is_debug {
    ($($type:ty),*) => {$(
        impl Strace for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self:?}")
            }
        }
    )*};
}

strace_is_display!(
    u32,
    u64,
    i32,
    i64,
    usize,
    Mode,
    NodeMode,
    Signal,
    MountFlags,
    UmountFlags,
    AtFlags,
    OpenTreeFlags,
    MoveMountFlags,
    FsopenFlags,
    FsmountFlags,
    FspickFlags,
    MountAttrFlags,
    CloneFlags,
    RenameFlags,
    CloseRangeFlags,
    StatMountMask,
    FlockOperation,
    WaitOptions
);
strace_is_debug!(RlimitResource);

impl Strace for () {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0")
    }
}

impl Strace for Fd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Fd::CWD { f.write_str("AT_FDCWD") } else { write!(f, "{}", self.0) }
    }
}

impl Strace for (Fd, Fd) {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.0.0, self.1.0)
    }
}

impl Strace for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Strace for UniqueMountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ROOT { f.write_str("LSMT_ROOT") } else { write!(f, "{:#x}", self.0) }
    }
}

impl Strace for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..LONGEST_DATA) {
            // Paths are printed whole whatever their length: where a trace is cut it can't be acted upon.
            Some(start) if self.0.len() > 4096 || self.0.contains(&b'\n') => {
                write!(f, "{}...", super::bytes::quoted(start))
            }
            _ => write!(f, "{self}"),
        }
    }

    fn return_value(&self) -> u64 {
        self.0.len() as u64
    }
}

impl Strace for Option<Bytes> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Some(bytes) => Strace::fmt(bytes, f),
            None => f.write_str("NULL"),
        }
    }
}

/// An owner or a group that is left as it is.
impl Strace for Option<u32> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Some(id) => write!(f, "{id}"),
            None => f.write_str("-1"),
        }
    }
}

impl<T: Strace> Strace for Vec<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            value.fmt(f)?;
        }
        f.write_str("]")
    }

    fn return_value(&self) -> u64 {
        self.len() as u64
    }
}

impl Strace for OpenFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.intersects(Self::O_WRONLY | Self::O_RDWR | Self::O_PATH) {
            write!(f, "{self}")
        } else if self.is_empty() {
            f.write_str("O_RDONLY")
        } else {
            write!(f, "O_RDONLY|{self}")
        }
    }
}

impl Strace for OpenHow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{flags=")?;
        Strace::fmt(&self.flags, f)?;
        write!(f, ", mode={}, resolve={}}}", self.mode, self.resolve)
    }
}

impl Strace for MountAttr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{attr_set={}, attr_clr={}, propagation={}", self.attr_set, self.attr_clr, self.propagation)?;
        if let Some(fd) = self.userns_fd {
            write!(f, ", userns_fd={}", fd.0)?;
        }
        f.write_str("}")
    }
}

impl Strace for FsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetFlag { key } => write!(f, "FSCONFIG_SET_FLAG, {key}, NULL, 0"),
            Self::SetString { key, value } => write!(f, "FSCONFIG_SET_STRING, {key}, {value}, 0"),
            Self::SetBinary { key, value } => write!(f, "FSCONFIG_SET_BINARY, {key}, {value}, {}", value.0.len()),
            Self::SetPath { key, dirfd, path } => {
                write!(f, "FSCONFIG_SET_PATH, {key}, {path}, ")?;
                Strace::fmt(dirfd, f)
            }
            Self::SetFd { key, fd } => write!(f, "FSCONFIG_SET_FD, {key}, NULL, {}", fd.0),
            Self::Create => f.write_str("FSCONFIG_CMD_CREATE, NULL, NULL, 0"),
            Self::CreateExclusive => f.write_str("FSCONFIG_CMD_CREATE_EXCL, NULL, NULL, 0"),
            Self::Reconfigure => f.write_str("FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0"),
        }
    }
}

impl Strace for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "makedev({:#x}, {:#x})", self.major, self.minor)
    }
}

impl Strace for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = NodeMode { file_type: self.file_type, mode: self.mode };
        write!(f, "{{stx_mode={node}, stx_uid={}, stx_gid={}, stx_size={}", self.uid, self.gid, self.size)?;
        if self.rdev != DeviceNumber::NONE {
            write!(f, ", stx_rdev={}:{}", self.rdev.major, self.rdev.minor)?;
        }
        write!(f, ", stx_mnt_id={}, ...}}", self.mount_id)
    }
}

impl Strace for StatFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{f_type={:#x}, f_bsize={}, f_blocks={}, f_bfree={}, f_files={}, f_ffree={}, f_flags={:#x}, ...}}",
            self.magic, self.block_size, self.blocks, self.free_blocks, self.files, self.free_files, self.flags
        )
    }
}

impl Strace for StatMount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{mask={}, mnt_id={:#x}, mnt_parent_id={:#x}, mnt_root={}, mnt_point={}, ...}}",
            self.mask, self.mount_id, self.parent_id, self.root, self.mountpoint
        )
    }
}

impl Strace for DirectoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)
    }
}

impl Strace for Utsname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{sysname={}, release={}, machine={}, ...}}", self.sysname, self.release, self.machine)
    }
}

impl Strace for CapabilitySets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{effective={}, permitted={}, inheritable={}}}", self.effective, self.permitted, self.inheritable)
    }
}

impl Strace for Prctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetParentDeathSignal(Some(signal)) => write!(f, "PR_SET_PDEATHSIG, {signal}"),
            Self::SetParentDeathSignal(None) => f.write_str("PR_SET_PDEATHSIG, 0"),
            Self::SetDumpable(on) => write!(f, "PR_SET_DUMPABLE, {}", i32::from(*on)),
            Self::SetKeepCapabilities(on) => write!(f, "PR_SET_KEEPCAPS, {}", i32::from(*on)),
            Self::ReadBoundingCapability(number) => write!(f, "PR_CAPBSET_READ, {}", capability(*number)),
            Self::DropBoundingCapability(number) => write!(f, "PR_CAPBSET_DROP, {}", capability(*number)),
            Self::RaiseAmbientCapability(number) => {
                write!(f, "PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, {}, 0, 0", capability(*number))
            }
            Self::ClearAmbientCapabilities => f.write_str("PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0"),
            Self::SetNoNewPrivileges => f.write_str("PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0"),
        }
    }
}

fn capability(number: u32) -> impl fmt::Display {
    let bit = 1u64.checked_shl(number).unwrap_or(0);
    super::flags::Capabilities::from_bits_retain(bit)
}

impl Strace for Rlimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = |limit: Option<u64>| limit.map_or("RLIM64_INFINITY".into(), |limit| limit.to_string());
        write!(f, "{{rlim_cur={}, rlim_max={}}}", limit(self.soft), limit(self.hard))
    }
}

impl Strace for SignalAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "{sa_handler=SIG_DFL}",
            Self::Ignore => "{sa_handler=SIG_IGN}",
        })
    }
}

impl Strace for SignalMaskHow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Block => "SIG_BLOCK",
            Self::Unblock => "SIG_UNBLOCK",
            Self::SetMask => "SIG_SETMASK",
        })
    }
}

impl Strace for SignalSet {
    /// Of a large set, as strace does, those that are not in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let large = self.0.count_ones() > 32;
        let shown = if large { Self(!self.0) } else { *self };
        let names: Vec<String> = shown.iter().map(|signal| signal.to_string().replacen("SIG", "", 1)).collect();
        write!(f, "{}[{}]", if large { "~" } else { "" }, names.join(" "))
    }
}

impl Strace for SignalInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{si_signo={}, si_code={:#x}, si_pid={}}}", self.signal, self.code, self.sender.0)
    }

    fn return_value(&self) -> u64 {
        u64::try_from(self.signal.0).unwrap_or(0)
    }
}

impl Strace for Option<(Pid, WaitStatus)> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            None => f.write_str("NULL"),
            Some((_, WaitStatus::Exited(status))) => write!(f, "[{{WIFEXITED(s) && WEXITSTATUS(s) == {status}}}]"),
            Some((_, WaitStatus::Signaled(signal))) => write!(f, "[{{WIFSIGNALED(s) && WTERMSIG(s) == {signal}}}]"),
            Some((_, WaitStatus::Stopped(signal))) => write!(f, "[{{WIFSTOPPED(s) && WSTOPSIG(s) == {signal}}}]"),
            Some((_, WaitStatus::Continued)) => f.write_str("[{WIFCONTINUED(s)}]"),
        }
    }

    fn return_value(&self) -> u64 {
        self.and_then(|(pid, _)| u64::try_from(pid.0).ok()).unwrap_or(0)
    }
}

impl Strace for Whence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "SEEK_SET",
            Self::Current => "SEEK_CUR",
            Self::End => "SEEK_END",
        })
    }
}
