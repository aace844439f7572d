//! The calls that need a process with one thread, or change all of it. libtest starts threads, so this is a program of
//! its own, with the same output.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[macro_use]
mod harness;

use std::cell::RefCell;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use cofferdam::UnixPath;
use cofferdam::checkpoint;
use cofferdam::kernel::{
    AtFlags, Bytes, Call, Capabilities, CapabilitySets, CloneFlags, CloseRangeFlags, Errno, Fd, Intercepted,
    Interceptor, Kernel, Mode, OpenFlags, OpenHow, Pid, Prctl, Rlimit, RlimitResource, Signal, SignalAction,
    SignalInfo, SignalMaskHow, SignalSet, Value, WaitOptions, WaitStatus,
};
use cofferdam_linux::LinuxKernel;

use common::is_root;

const KERNEL: LinuxKernel = LinuxKernel;
const NONE: CloneFlags = CloneFlags::empty();
const VFORK: CloneFlags = CloneFlags::CLONE_VM.union(CloneFlags::CLONE_VFORK);

fn main() {
    let tests = tests! {
        a_child_runs_on_a_copy_of_our_memory
        a_child_that_panics_exits_with_101_and_never_returns_here
        a_child_that_a_signal_ends_is_told_so
        a_child_is_seen_to_stop_and_continue
        a_child_as_of_vfork_runs_on_our_memory_while_we_wait
        a_child_as_of_vfork_that_panics_exits_with_101
        a_child_as_of_vfork_can_not_write_beyond_its_stack
        a_child_as_of_vfork_executes_a_program
        clone3_refuses_what_would_share_memory
        clone3_as_data_makes_a_child_that_exits
        the_calls_of_a_child_are_intercepted_too
        recorded_calls_can_be_made_again
        waiting_without_children_is_echild
        execve_passes_arguments_and_environment
        execve_tells_why_it_failed
        a_signal_that_is_blocked_is_taken
        a_signal_that_is_ignored_does_nothing
        waiting_for_a_signal_ends_when_we_are_stopped
        the_umask_before_is_returned
        a_limit_is_set
        no_new_privileges_are_gained_once_forbidden
        settings_of_prctl_are_seen_in_proc
        a_range_of_descriptors_is_closed
        a_new_pid_namespace_begins_with_1
        root_gives_up_its_credentials
        a_capability_leaves_the_bounding_set
        an_ambient_capability_is_raised_and_cleared
    };
    harness::run(&tests);
}

/// Its exit status tells: what it sees in memory we don't.
fn the_calls_of_a_child_are_intercepted_too() {
    struct NoWorkingDirectory;
    impl Interceptor for NoWorkingDirectory {
        fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
            if matches!(call, Call::Getcwd {}) { Err(Errno::EPERM) } else { Ok(()) }
        }
    }
    let kernel = Intercepted::new(&KERNEL, &NoWorkingDirectory);
    let child = kernel.clone3(NONE, &mut |kernel| i32::from(kernel.getcwd() == Err(Errno::EPERM)) + 6).unwrap();
    let ended = kernel.wait4(child, WaitOptions::empty()).unwrap();
    assert_eq!(ended, Some((child, WaitStatus::Exited(7))));
}

/// Records each call with its result.
#[derive(Default)]
struct Recorder(RefCell<Vec<(Call, Result<Value, Errno>)>>);

impl Interceptor for Recorder {
    fn after(&self, _: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        self.0.borrow_mut().push((call.clone(), result.clone()));
    }
}

/// Here, as other threads would take the numbers of its descriptors.
fn recorded_calls_can_be_made_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    let path = file.as_os_str().as_bytes();
    let recorder = Recorder::default();
    let kernel = Intercepted::new(&KERNEL, &recorder);
    checkpoint::write(&kernel, UnixPath::new(path), b"content", Mode(0o600)).unwrap();
    let calls = recorder.0.into_inner();
    assert!(calls.iter().any(|(call, _)| matches!(call, Call::Renameat2 { .. })));
    std::fs::remove_file(&file).unwrap();
    for (call, result) in calls {
        let json = serde_json::to_string(&call).unwrap();
        let call: Call = serde_json::from_str(&json).unwrap();
        assert_eq!(call.apply(&KERNEL), result, "{call}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"content");
}

fn set(signals: &[Signal]) -> SignalSet {
    signals.iter().copied().collect()
}

fn wait(pid: Pid) -> WaitStatus {
    let (waited, status) = KERNEL.wait4(pid, WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(waited, pid);
    status
}

/// The assertions in `child` are this process's: it fails if the child does not end well.
fn in_child(flags: CloneFlags, child: impl Fn(&dyn Kernel)) {
    let pid = KERNEL.clone3(flags, &mut |kernel| {
        child(kernel);
        0
    });
    assert_eq!(wait(pid.unwrap()), WaitStatus::Exited(0));
}

fn status_field(name: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
}

fn a_child_runs_on_a_copy_of_our_memory() {
    let mut value = 1;
    let pid = KERNEL.clone3(NONE, &mut |kernel| {
        value += 1;
        assert_eq!(kernel.getpid().unwrap().0.cast_unsigned(), std::process::id());
        40 + value
    });
    assert_eq!(wait(pid.unwrap()), WaitStatus::Exited(42));
    assert_eq!(value, 1);
}

fn a_child_that_panics_exits_with_101_and_never_returns_here() {
    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("while the panic is dropped");
        }
    }
    let parent = KERNEL.getpid();
    let pid = KERNEL.clone3(NONE, &mut |_| {
        std::panic::set_hook(Box::new(|_| ()));
        std::panic::panic_any(PanicsOnDrop)
    });
    assert_eq!(KERNEL.getpid(), parent);
    assert_eq!(wait(pid.unwrap()), WaitStatus::Exited(101));
}

fn a_child_that_a_signal_ends_is_told_so() {
    for signal in [Signal::KILL, Signal::TERM, Signal(34), Signal(64)] {
        let pid = KERNEL.clone3(NONE, &mut |kernel| {
            kernel.kill(kernel.getpid().unwrap(), signal).unwrap();
            0
        });
        assert_eq!(wait(pid.unwrap()), WaitStatus::Signaled(signal));
    }
}

fn a_child_is_seen_to_stop_and_continue() {
    const STOP: Signal = Signal(19);
    let pid = KERNEL.clone3(NONE, &mut |kernel| {
        kernel.kill(kernel.getpid().unwrap(), STOP).unwrap();
        7
    });
    let pid = pid.unwrap();
    let wait = |options| KERNEL.wait4(Pid(-1), options).unwrap();
    assert_eq!(wait(WaitOptions::WUNTRACED), Some((pid, WaitStatus::Stopped(STOP))));
    assert_eq!(wait(WaitOptions::WNOHANG), None);
    KERNEL.kill(pid, Signal::CONT).unwrap();
    assert_eq!(wait(WaitOptions::WCONTINUED), Some((pid, WaitStatus::Continued)));
    assert_eq!(wait(WaitOptions::empty()), Some((pid, WaitStatus::Exited(7))));
}

fn exit_status_of(flags: CloneFlags, child: &mut dyn FnMut(&dyn Kernel) -> i32) -> WaitStatus {
    let pid = KERNEL.clone3(flags, child).unwrap();
    let (ended, status) = KERNEL.wait4(pid, WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(ended, pid);
    status
}

fn a_child_as_of_vfork_runs_on_our_memory_while_we_wait() {
    let before = KERNEL.getcwd().unwrap();
    let mut written = Vec::new();
    let status = exit_status_of(VFORK, &mut |kernel| {
        std::thread::sleep(Duration::from_millis(50));
        written = vec![7; 1 << 20];
        let pipe = kernel.pipe2(OpenFlags::O_CLOEXEC).unwrap();
        kernel.chdir(UnixPath::new("/")).unwrap();
        assert_ne!(pipe.0, pipe.1);
        3
    });
    assert_eq!(status, WaitStatus::Exited(3));
    assert_eq!(written, vec![7; 1 << 20]);
    // All else is its own.
    assert_eq!(KERNEL.getcwd().unwrap(), before);
    let new = KERNEL.pipe2(OpenFlags::O_CLOEXEC).unwrap();
    let again = exit_status_of(VFORK, &mut |kernel| kernel.close(new.0).map_or(1, |()| 0));
    assert_eq!(again, WaitStatus::Exited(0));
    KERNEL.close(new.0).unwrap();
    KERNEL.close(new.1).unwrap();
}

fn a_child_as_of_vfork_that_panics_exits_with_101() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for _ in 0..3 {
        assert_eq!(exit_status_of(VFORK, &mut |_| panic!("on purpose")), WaitStatus::Exited(101));
    }
    // We can still panic ourselves.
    assert!(std::panic::catch_unwind(|| panic!("on purpose")).is_err());
    std::panic::set_hook(hook);
}

fn a_child_as_of_vfork_can_not_write_beyond_its_stack() {
    #[allow(unconditional_recursion, reason = "it is to use up the stack")]
    fn deeper(level: usize) -> usize {
        let large = std::hint::black_box([level; 512]);
        deeper(level + 1) + large[level % 512]
    }
    let status = exit_status_of(VFORK, &mut |kernel| {
        // Rust's handler of this signal would look for the guard of the stack of a thread.
        kernel.sigaction(Signal(11), SignalAction::Default).unwrap();
        i32::from(deeper(0) == 0)
    });
    assert_eq!(status, WaitStatus::Signaled(Signal(11)));
}

fn a_child_as_of_vfork_executes_a_program() {
    let argv: [Bytes; 3] = ["sh".into(), "-c".into(), "sleep 0.1; exit 4".into()];
    let status = exit_status_of(VFORK, &mut |kernel| {
        let error = kernel.execve(UnixPath::new("/bin/sh"), &argv, &[]);
        panic!("{error:?}")
    });
    assert_eq!(status, WaitStatus::Exited(4));
    let status = exit_status_of(VFORK, &mut |kernel| {
        let error = kernel.execve(UnixPath::new("/nowhere"), &argv, &[]);
        i32::from(error == Err(Errno::ENOENT))
    });
    assert_eq!(status, WaitStatus::Exited(1));
}

fn clone3_refuses_what_would_share_memory() {
    const VM: u64 = 0x100;
    const VFORK: u64 = 0x4000;
    const SIGHAND: u64 = 0x800;
    const THREAD: u64 = 0x1_0000;
    const SETTLS: u64 = 0x8_0000;
    for flags in [
        VM | VFORK | SIGHAND,
        VM | VFORK | SETTLS,
        VM | VFORK | 0x11,
        VM,
        VM | SIGHAND,
        VM | SIGHAND | THREAD,
        SIGHAND,
        THREAD,
        SETTLS,
        1 << 63,
    ] {
        let result = KERNEL.clone3(CloneFlags::from_bits_retain(flags), &mut |_| 0);
        assert_eq!(result, Err(Errno::EINVAL), "{flags:#x}");
    }
}

fn clone3_as_data_makes_a_child_that_exits() {
    let Ok(Value::Process(pid)) = (Call::Clone3 { flags: NONE }).apply(&KERNEL) else { panic!("no process") };
    let child = Call::Wait4 { pid, options: WaitOptions::empty() }.apply(&KERNEL);
    assert_eq!(child, Ok(Value::Child(Some((pid, WaitStatus::Exited(0))))));
}

fn waiting_without_children_is_echild() {
    assert_eq!(KERNEL.wait4(Pid(-1), WaitOptions::WNOHANG), Err(Errno::ECHILD));
}

fn execve_passes_arguments_and_environment() {
    let script = "test \"$0 $1\" = 'zero one' && test \"$VARIABLE\" = value && test -z \"$PATH_OF_OURS\" && exit 3";
    let argv: [Bytes; 5] = ["sh".into(), "-c".into(), script.into(), "zero".into(), "one".into()];
    let pid = KERNEL.clone3(NONE, &mut |kernel| {
        let error = kernel.execve(UnixPath::new("/bin/sh"), &argv, &["VARIABLE=value".into()]);
        panic!("{error:?}");
    });
    assert_eq!(wait(pid.unwrap()), WaitStatus::Exited(3));
}

fn execve_tells_why_it_failed() {
    let execve = |path: &str| KERNEL.execve(UnixPath::new(path), &["x".into()], &[]);
    assert_eq!(execve("/nonexistent"), Err(Errno::ENOENT));
    assert_eq!(execve("/etc/passwd"), Err(Errno::EACCES));
    assert_eq!(execve("/"), Err(Errno::EACCES));
    let long = Bytes::from("x".repeat(1 << 20));
    assert_eq!(KERNEL.execve(UnixPath::new("/bin/sh"), &[long], &[]), Err(Errno::E2BIG));
}

fn a_signal_that_is_blocked_is_taken() {
    let signals = set(&[Signal::USR1, Signal(40), Signal::CHLD]);
    let before = KERNEL.sigprocmask(SignalMaskHow::Block, signals).unwrap();
    let own = KERNEL.getpid().unwrap();
    for signal in [Signal::USR1, Signal(40)] {
        KERNEL.kill(own, signal).unwrap();
        assert_eq!(KERNEL.sigwaitinfo(signals), Ok(SignalInfo { signal, code: 0, sender: own }));
    }
    let pid = KERNEL.clone3(NONE, &mut |_| 0).unwrap();
    let info = KERNEL.sigwaitinfo(SignalSet(signals.0 | 0b11 << 31)).unwrap();
    assert_eq!((info.signal, info.sender), (Signal::CHLD, pid));
    assert_eq!(wait(pid), WaitStatus::Exited(0));
    assert_eq!(KERNEL.sigprocmask(SignalMaskHow::SetMask, before), Ok(SignalSet(before.0 | signals.0)));
}

fn a_signal_that_is_ignored_does_nothing() {
    for signal in [Signal::USR2, Signal(50)] {
        KERNEL.sigaction(signal, SignalAction::Ignore).unwrap();
        KERNEL.kill(KERNEL.getpid().unwrap(), signal).unwrap();
        KERNEL.sigaction(signal, SignalAction::Default).unwrap();
        let pid = KERNEL.clone3(NONE, &mut |kernel| {
            kernel.kill(kernel.getpid().unwrap(), signal).unwrap();
            0
        });
        assert_eq!(wait(pid.unwrap()), WaitStatus::Signaled(signal));
    }
}

fn waiting_for_a_signal_ends_when_we_are_stopped() {
    const STOP: Signal = Signal(19);
    let usr1 = set(&[Signal::USR1]);
    let before = KERNEL.sigprocmask(SignalMaskHow::Block, usr1).unwrap();
    let pid = KERNEL.clone3(NONE, &mut |kernel| i32::from(kernel.sigwaitinfo(usr1) == Err(Errno::EINTR))).unwrap();
    // There is nothing else that the child sleeps in.
    let stat = format!("/proc/{}/stat", pid.0);
    while !std::fs::read_to_string(&stat).unwrap().contains(") S ") {
        std::thread::sleep(Duration::from_millis(1));
    }
    KERNEL.kill(pid, STOP).unwrap();
    assert_eq!(KERNEL.wait4(pid, WaitOptions::WUNTRACED), Ok(Some((pid, WaitStatus::Stopped(STOP)))));
    KERNEL.kill(pid, Signal::CONT).unwrap();
    assert_eq!(wait(pid), WaitStatus::Exited(1));
    KERNEL.sigprocmask(SignalMaskHow::SetMask, before).unwrap();
}

fn the_umask_before_is_returned() {
    let before = KERNEL.umask(Mode(0o10_027)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("directory");
    let path = UnixPath::new(path.as_os_str().as_bytes());
    KERNEL.mkdirat(Fd::CWD, path, Mode(0o777)).unwrap();
    assert_eq!(KERNEL.statx(Fd::CWD, path, AtFlags::empty()).unwrap().mode, Mode(0o750));
    assert_eq!(KERNEL.umask(before), Ok(Mode(0o027)));
}

fn a_limit_is_set() {
    in_child(NONE, |kernel| {
        let limit = |soft, hard| Rlimit { soft, hard };
        kernel.setrlimit(RlimitResource::RLIMIT_NOFILE, limit(Some(3), Some(3))).unwrap();
        assert_eq!(kernel.pipe2(OpenFlags::empty()), Err(Errno::EMFILE));
        assert_eq!(kernel.setrlimit(RlimitResource::RLIMIT_CORE, limit(Some(2), Some(1))), Err(Errno::EINVAL));
        assert_eq!(kernel.setrlimit(RlimitResource::RLIMIT_CORE, limit(None, Some(1))), Err(Errno::EINVAL));
        assert_eq!(kernel.setrlimit(RlimitResource::RLIMIT_CORE, limit(Some(0), Some(0))), Ok(()));
    });
}

fn no_new_privileges_are_gained_once_forbidden() {
    in_child(NONE, |kernel| {
        assert_eq!(kernel.prctl(Prctl::SetNoNewPrivileges), Ok(0));
        assert_eq!(status_field("NoNewPrivs:"), "1");
    });
}

fn settings_of_prctl_are_seen_in_proc() {
    in_child(NONE, |kernel| {
        assert_eq!(kernel.prctl(Prctl::SetParentDeathSignal(Some(Signal::KILL))), Ok(0));
        assert_eq!(kernel.prctl(Prctl::SetParentDeathSignal(None)), Ok(0));
        assert_eq!(kernel.prctl(Prctl::SetKeepCapabilities(true)), Ok(0));
        assert_eq!(kernel.prctl(Prctl::SetKeepCapabilities(false)), Ok(0));
        assert_eq!(kernel.prctl(Prctl::ClearAmbientCapabilities), Ok(0));
        assert_eq!(status_field("CapAmb:"), "0000000000000000");
        assert_eq!(kernel.prctl(Prctl::SetDumpable(false)), Ok(0));
        assert!(nix::sys::prctl::get_dumpable().is_ok_and(|dumpable| !dumpable));
    });
}

fn a_range_of_descriptors_is_closed() {
    in_child(NONE, |kernel| {
        let (reader, _) = kernel.pipe2(OpenFlags::empty()).unwrap();
        kernel.close_range(3, u32::MAX, CloseRangeFlags::CLOSE_RANGE_UNSHARE).unwrap();
        assert_eq!(kernel.close(reader), Err(Errno::EBADF));
        let root = kernel.openat2(Fd::CWD, UnixPath::new("/"), OpenHow::default());
        assert_eq!(root, Ok(Fd(3)));
    });
}

fn a_new_pid_namespace_begins_with_1() {
    if !is_root("a_new_pid_namespace_begins_with_1") {
        return;
    }
    let namespaces = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS;
    in_child(namespaces | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWNET, |kernel| {
        assert_eq!(kernel.getpid(), Ok(Pid(1)));
        let pid = kernel.clone3(NONE, &mut |kernel| kernel.getpid().unwrap().0).unwrap();
        assert_eq!(kernel.wait4(pid, WaitOptions::empty()), Ok(Some((Pid(2), WaitStatus::Exited(2)))));
    });
}

fn root_gives_up_its_credentials() {
    if !is_root("root_gives_up_its_credentials") {
        return;
    }
    in_child(NONE, |kernel| {
        let all = kernel.capget().unwrap();
        kernel.setgroups(&[5, 6]).unwrap();
        kernel.setresgid(1000, 1001, 1002).unwrap();
        kernel.prctl(Prctl::SetKeepCapabilities(true)).unwrap();
        kernel.setresuid(2000, 2001, 2002).unwrap();
        assert_eq!(kernel.geteuid(), Ok(2001));
        assert_eq!(status_field("Groups:"), "5 6");
        assert_eq!(status_field("Gid:"), "1000\t1001\t1002\t1001");
        assert_eq!(status_field("Uid:"), "2000\t2001\t2002\t2001");
        let effective = Capabilities::empty();
        assert_eq!(kernel.capget(), Ok(CapabilitySets { effective, ..all }));
        kernel.capset(CapabilitySets::default()).unwrap();
        assert_eq!(kernel.setresuid(0, 0, 0), Err(Errno::EPERM));
        assert_eq!(kernel.setresuid(u32::MAX, 2000, u32::MAX), Ok(()));
        assert_eq!(kernel.setgroups(&[]), Err(Errno::EPERM));
        assert_eq!(kernel.unshare(CloneFlags::CLONE_NEWNS), Err(Errno::EPERM));
        let chroot = kernel.chroot(UnixPath::new("/"));
        assert_eq!(chroot, Err(Errno::EPERM));
    });
}

fn a_capability_leaves_the_bounding_set() {
    const CHOWN: u32 = 0;
    if !is_root("a_capability_leaves_the_bounding_set") {
        return;
    }
    in_child(NONE, |kernel| {
        assert_eq!(kernel.prctl(Prctl::ReadBoundingCapability(CHOWN)), Ok(1));
        assert_eq!(kernel.prctl(Prctl::DropBoundingCapability(CHOWN)), Ok(0));
        assert_eq!(kernel.prctl(Prctl::ReadBoundingCapability(CHOWN)), Ok(0));
        assert_eq!(kernel.prctl(Prctl::DropBoundingCapability(64)), Err(Errno::EINVAL));
    });
}

fn an_ambient_capability_is_raised_and_cleared() {
    const CHOWN: u32 = 0;
    if !is_root("an_ambient_capability_is_raised_and_cleared") {
        return;
    }
    in_child(NONE, |kernel| {
        assert_eq!(kernel.prctl(Prctl::RaiseAmbientCapability(CHOWN)), Err(Errno::EPERM));
        let sets = kernel.capget().unwrap();
        kernel.capset(CapabilitySets { inheritable: Capabilities::CAP_CHOWN, ..sets }).unwrap();
        assert_eq!(kernel.prctl(Prctl::RaiseAmbientCapability(CHOWN)), Ok(0));
        assert_eq!(status_field("CapAmb:"), "0000000000000001");
        assert_eq!(kernel.prctl(Prctl::ClearAmbientCapabilities), Ok(0));
        assert_eq!(status_field("CapAmb:"), "0000000000000000");
    });
}
