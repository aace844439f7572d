//! Processes, namespaces, credentials and signals.

use std::ffi::{c_int, c_long, c_ulong};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::panic::AssertUnwindSafe;
use std::ptr;

use cofferdam::UnixPath;
use cofferdam::kernel::{
    Bytes, Capabilities, CapabilitySets, ChildProgram, CloneFlags, Errno, Fd, Pid, Prctl, Rlimit, RlimitResource,
    Signal, SignalAction, SignalInfo, SignalMaskHow, SignalSet, Utsname, WaitOptions, WaitStatus,
};
use linux_raw_sys::general;
use nix::unistd::{Gid, Uid};
use rustix::process::Resource;
use rustix::thread::CapabilitySet;

use crate::LinuxKernel;
use crate::convert::{borrowed, c_path, c_strings, check, from_nix, from_rustix};
use crate::stack::Stack;

pub fn unshare(flags: CloneFlags) -> Result<(), Errno> {
    // C's function takes an int; the kernel, which takes more, knows no flag beyond one.
    let flags = c_int::try_from(flags.bits()).map_err(|_| Errno::EINVAL)?;
    nix::sched::unshare(nix::sched::CloneFlags::from_bits_retain(flags)).map_err(from_nix)
}

pub fn setns(fd: Fd, nstype: CloneFlags) -> Result<(), Errno> {
    #[allow(clippy::cast_possible_truncation, reason = "the call takes an int, and so sees no bits beyond")]
    let nstype = nix::sched::CloneFlags::from_bits_retain(nstype.bits() as c_int);
    nix::sched::setns(borrowed(fd), nstype).map_err(from_nix)
}

/// The child has a copy of our memory and returns from the call as we do, on a copy of our stack. That is sound as
/// long as neither memory nor thread-local storage is shared, and ours is the only thread: locks that others held
/// would stay locked. It never gets out of this function.
pub fn clone3(flags: CloneFlags, child: &mut ChildProgram<'_>) -> Result<Pid, Errno> {
    const UNSOUND: u64 = (general::CLONE_VM | general::CLONE_SETTLS) as u64;
    if flags.is_vfork() {
        return vfork(flags, child);
    }
    if flags.bits() & UNSOUND != 0 {
        return Err(Errno::EINVAL);
    }
    let arguments = general::clone_args {
        flags: flags.bits(),
        pidfd: 0,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: 0,
    };
    // SAFETY: the structure is at least as large as the size given. No stack is given and no memory shared, so that
    // this is fork(2), which is sound in a process with one thread: the trait demands it.
    let pid = check(unsafe {
        libc::syscall(libc::SYS_clone3, &raw const arguments, general::CLONE_ARGS_SIZE_VER0 as usize)
    })?;
    if pid == 0 {
        run_child(child)
    }
    Ok(Pid(c_int::try_from(pid).map_err(|_| Errno::ESRCH)?))
}

/// The child has a stack of its own, and uses the rest of our memory while we wait: nothing runs at the same time. What it has
/// allocated when it executes a program is never freed.
fn vfork(flags: CloneFlags, child: &mut ChildProgram<'_>) -> Result<Pid, Errno> {
    let flags = c_int::try_from(flags.bits()).map_err(|_| Errno::EINVAL)?;
    let flags = nix::sched::CloneFlags::from_bits_retain(flags);
    let mut stack = Stack::new()?;
    let run = Box::new(|| run_child(child));
    // SAFETY: the kernel lets us go on when the child has no use for our memory any more, so that all that it refers to
    // outlives it. Its stack ends with a page that nothing can be written to. It has no signal handlers but ours, and does
    // not return.
    let pid = unsafe { nix::sched::clone(run, stack.usable(), flags, Some(libc::SIGCHLD)) };
    Ok(Pid(pid.map_err(from_nix)?.as_raw()))
}

/// Neither returns nor unwinds: both would be into a copy of what the parent is doing.
fn run_child(child: &mut ChildProgram<'_>) -> ! {
    /// What a Rust process that panics exits with.
    const PANICKED: i32 = 101;
    let status = match std::panic::catch_unwind(AssertUnwindSafe(|| child(&LinuxKernel))) {
        Ok(status) => status,
        Err(payload) => {
            // To drop it could panic again.
            std::mem::forget(payload);
            PANICKED
        }
    };
    // SAFETY: it has no preconditions. Handlers of the parent (atexit(3)) are not run.
    unsafe { libc::_exit(status) }
}

pub fn wait4(pid: Pid, options: WaitOptions) -> Result<Option<(Pid, WaitStatus)>, Errno> {
    let mut status = 0;
    // SAFETY: the status is written to a valid place; the resource usage is not asked for.
    let pid = check(unsafe { libc::wait4(pid.0, &raw mut status, options.bits().cast_signed(), ptr::null_mut()) })?;
    Ok((pid != 0).then(|| (Pid(pid), wait_status(status))))
}

fn wait_status(status: c_int) -> WaitStatus {
    if libc::WIFEXITED(status) {
        WaitStatus::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSTOPPED(status) {
        WaitStatus::Stopped(Signal(libc::WSTOPSIG(status)))
    } else if libc::WIFCONTINUED(status) {
        WaitStatus::Continued
    } else {
        WaitStatus::Signaled(Signal(libc::WTERMSIG(status)))
    }
}

pub fn execve(path: &UnixPath, argv: &[Bytes], envp: &[Bytes]) -> Result<(), Errno> {
    let (path, argv, envp) = (c_path(path)?, c_strings(argv)?, c_strings(envp)?);
    match nix::unistd::execve(&path, &argv, &envp) {
        Ok(never) => match never {},
        Err(errno) => Err(from_nix(errno)),
    }
}

pub fn uname() -> Result<Utsname, Errno> {
    let name = nix::sys::utsname::uname().map_err(from_nix)?;
    Ok(Utsname {
        sysname: Bytes::from(name.sysname().as_bytes()),
        release: Bytes::from(name.release().as_bytes()),
        machine: Bytes::from(name.machine().as_bytes()),
    })
}

pub fn getpid() -> Pid {
    Pid(nix::unistd::getpid().as_raw())
}

pub fn getppid() -> Pid {
    Pid(nix::unistd::getppid().as_raw())
}

pub fn geteuid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

pub fn capget() -> Result<CapabilitySets, Errno> {
    let capabilities = |set: CapabilitySet| Capabilities::from_bits_retain(set.bits());
    let sets = rustix::thread::capabilities(None).map_err(from_rustix)?;
    Ok(CapabilitySets {
        effective: capabilities(sets.effective),
        permitted: capabilities(sets.permitted),
        inheritable: capabilities(sets.inheritable),
    })
}

pub fn capset(sets: CapabilitySets) -> Result<(), Errno> {
    let capabilities = |set: Capabilities| CapabilitySet::from_bits_retain(set.bits());
    let sets = rustix::thread::CapabilitySets {
        effective: capabilities(sets.effective),
        permitted: capabilities(sets.permitted),
        inheritable: capabilities(sets.inheritable),
    };
    rustix::thread::set_capabilities(None, sets).map_err(from_rustix)
}

/// C's, as nix and rustix take only the signals and capabilities that they know.
pub fn prctl(operation: Prctl) -> Result<i32, Errno> {
    let (option, arguments) = match operation {
        Prctl::SetParentDeathSignal(signal) => {
            (libc::PR_SET_PDEATHSIG, [c_long::from(signal.map_or(0, |signal| signal.0)).cast_unsigned(), 0])
        }
        Prctl::SetDumpable(dumpable) => (libc::PR_SET_DUMPABLE, [dumpable.into(), 0]),
        Prctl::SetKeepCapabilities(keep) => (libc::PR_SET_KEEPCAPS, [keep.into(), 0]),
        Prctl::ReadBoundingCapability(number) => (libc::PR_CAPBSET_READ, [number.into(), 0]),
        Prctl::DropBoundingCapability(number) => (libc::PR_CAPBSET_DROP, [number.into(), 0]),
        Prctl::RaiseAmbientCapability(number) => {
            (libc::PR_CAP_AMBIENT, [libc::PR_CAP_AMBIENT_RAISE as c_ulong, number.into()])
        }
        Prctl::ClearAmbientCapabilities => (libc::PR_CAP_AMBIENT, [libc::PR_CAP_AMBIENT_CLEAR_ALL as c_ulong, 0]),
        Prctl::SetNoNewPrivileges => (libc::PR_SET_NO_NEW_PRIVS, [1, 0]),
    };
    let unused: c_ulong = 0;
    // SAFETY: none of the operations takes an address.
    check(unsafe { libc::prctl(option, arguments[0], arguments[1], unused, unused) })
}

pub fn setgroups(groups: &[u32]) -> Result<(), Errno> {
    let groups: Vec<_> = groups.iter().copied().map(Gid::from_raw).collect();
    nix::unistd::setgroups(&groups).map_err(from_nix)
}

pub fn setresgid(real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
    nix::unistd::setresgid(Gid::from_raw(real), Gid::from_raw(effective), Gid::from_raw(saved)).map_err(from_nix)
}

pub fn setresuid(real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
    nix::unistd::setresuid(Uid::from_raw(real), Uid::from_raw(effective), Uid::from_raw(saved)).map_err(from_nix)
}

/// rustix's, whose limits are 64 bits everywhere.
pub fn setrlimit(resource: RlimitResource, limit: Rlimit) -> Result<(), Errno> {
    let resource = match resource {
        RlimitResource::RLIMIT_AS => Resource::As,
        RlimitResource::RLIMIT_CORE => Resource::Core,
        RlimitResource::RLIMIT_CPU => Resource::Cpu,
        RlimitResource::RLIMIT_DATA => Resource::Data,
        RlimitResource::RLIMIT_FSIZE => Resource::Fsize,
        RlimitResource::RLIMIT_LOCKS => Resource::Locks,
        RlimitResource::RLIMIT_MEMLOCK => Resource::Memlock,
        RlimitResource::RLIMIT_MSGQUEUE => Resource::Msgqueue,
        RlimitResource::RLIMIT_NICE => Resource::Nice,
        RlimitResource::RLIMIT_NOFILE => Resource::Nofile,
        RlimitResource::RLIMIT_NPROC => Resource::Nproc,
        RlimitResource::RLIMIT_RSS => Resource::Rss,
        RlimitResource::RLIMIT_RTPRIO => Resource::Rtprio,
        RlimitResource::RLIMIT_RTTIME => Resource::Rttime,
        RlimitResource::RLIMIT_SIGPENDING => Resource::Sigpending,
        RlimitResource::RLIMIT_STACK => Resource::Stack,
    };
    let limit = rustix::process::Rlimit { current: limit.soft, maximum: limit.hard };
    rustix::process::setrlimit(resource, limit).map_err(from_rustix)
}

/// C's, as nix knows no real-time signals.
pub fn sigaction(signal: Signal, action: SignalAction) -> Result<(), Errno> {
    // SAFETY: zeros are a value of it: no flags, no signals masked.
    let mut new: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    new.sa_sigaction = match action {
        SignalAction::Default => libc::SIG_DFL,
        SignalAction::Ignore => libc::SIG_IGN,
    };
    // SAFETY: the structure is valid and names no handler; the old one is not asked for.
    check(unsafe { libc::sigaction(signal.0, &raw const new, ptr::null_mut()) })?;
    Ok(())
}

/// The system call, whose set is the same 64 bits; C's set is larger, and has no bits but one by one.
pub fn sigprocmask(how: SignalMaskHow, set: SignalSet) -> Result<SignalSet, Errno> {
    /// 32 and 33, which C libraries need for themselves (nptl(7)).
    const RESERVED: u64 = 0b11 << 31;
    let how = match how {
        SignalMaskHow::Block => libc::SIG_BLOCK,
        SignalMaskHow::Unblock => libc::SIG_UNBLOCK,
        SignalMaskHow::SetMask => libc::SIG_SETMASK,
    };
    let new = set.0 & !RESERVED;
    let mut old = 0_u64;
    // SAFETY: both sets are as large as is said.
    check(unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const new, &raw mut old, size_of::<u64>()) })?;
    Ok(SignalSet(old))
}

/// Ends with `EINTR` when a signal handler ran.
pub fn sigwaitinfo(set: SignalSet) -> Result<SignalInfo, Errno> {
    let mut signals = MaybeUninit::uninit();
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    // SAFETY: `sigemptyset` initializes the set; signals that C keeps for itself it refuses to add, and they stay out.
    let signals = unsafe {
        libc::sigemptyset(signals.as_mut_ptr());
        for signal in set.iter() {
            libc::sigaddset(signals.as_mut_ptr(), signal.0);
        }
        signals.assume_init()
    };
    // SAFETY: the set is initialized, and the information is written to a valid place.
    check(unsafe { libc::sigwaitinfo(&raw const signals, info.as_mut_ptr()) })?;
    // SAFETY: the call has succeeded, which initializes all of it.
    let info = unsafe { info.assume_init() };
    // SAFETY: the kernel zeroes what a kind of signal does not have.
    let sender = unsafe { info.si_pid() };
    Ok(SignalInfo { signal: Signal(info.si_signo), code: info.si_code, sender: Pid(sender) })
}

pub fn kill(pid: Pid, signal: Signal) -> Result<(), Errno> {
    // SAFETY: the call takes numbers only.
    check(unsafe { libc::kill(pid.0, signal.0) })?;
    Ok(())
}
