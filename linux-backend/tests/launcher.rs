//! The launcher while somebody changes the image between two of its calls. It changes all of a process, so this is a
//! program without threads.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[macro_use]
mod harness;

use std::cell::Cell;

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, Call, CloneFlags, Errno, Fd, Intercepted, Interceptor, Kernel, MountFlags, OpenFlags, Value, WaitOptions,
    WaitStatus,
};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam_linux::LinuxKernel;

const KERNEL: LinuxKernel = LinuxKernel;

fn main() {
    let tests = tests! {
        masks_and_read_only_paths_stay_on_the_proc_that_was_mounted
    };
    harness::run(&tests);
}

/// Lets the other side act once proc is mounted. When the program is to be executed, it looks instead where the masks
/// are.
struct Pause<'a> {
    mounts: Cell<usize>,
    /// Where to say that it is time, and where to hear that it is done.
    ends: &'a [Fd; 2],
}

impl Interceptor for Pause<'_> {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if matches!(call, Call::Execve { .. }) { Err(verdict()) } else { Ok(()) }
    }

    fn after(&self, _: &dyn Kernel, call: &Call, _: &Result<Value, Errno>) {
        const PROC: usize = 2;
        if !matches!(call, Call::MoveMount { .. }) {
            return;
        }
        self.mounts.set(self.mounts.get() + 1);
        if self.mounts.get() == PROC {
            KERNEL.write(self.ends[0], b"!").unwrap();
            KERNEL.read(self.ends[1], 1).unwrap();
        }
    }
}

/// What execve(2) is to fail with: `ENOENT` if the proc that now is at /moved has its mask and its read-only part.
fn verdict() -> Errno {
    let mount = |path: &str| KERNEL.statx(Fd::CWD, UnixPath::new(path), AtFlags::empty()).map(|stat| stat.mount_id);
    match (mount("/moved"), mount("/moved/keys"), mount("/moved/sys")) {
        (Ok(proc), Ok(keys), Ok(sys)) if keys != proc && sys != proc => Errno::ENOENT,
        _ => Errno::EPERM,
    }
}

fn masks_and_read_only_paths_stay_on_the_proc_that_was_mounted() {
    if !common::is_root("masks_and_read_only_paths_stay_on_the_proc_that_was_mounted") {
        return;
    }
    assert!(std::path::Path::new("/proc/keys").exists(), "this kernel has no /proc/keys (CONFIG_KEYS) to be masked");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().as_os_str().as_encoded_bytes();
    let image = UnixPath::new(path);
    let below = |name: &str| image.join(name).to_string();
    let read_only = MountFlags::MS_BIND | MountFlags::MS_RDONLY;
    let info = serde_json::json!({
        "rootfs": image.to_string(),
        "clone_namespaces": [CloneFlags::CLONE_NEWNS.bits()],
        "mounts": [
            { "source": image.to_string(), "target": image.to_string(), "flags": MountFlags::MS_BIND.bits() },
            { "type": "proc", "target": below("proc") },
            { "source": below("proc/sys"), "target": below("proc/sys"), "flags": read_only.bits() },
        ],
        "masked_paths": [below("proc/keys")],
        "command": { "shell": false, "value": "/program" },
    });
    let info = serde_json::from_value(info).unwrap();
    let request = LaunchRequest { info, ..LaunchRequest::default() };
    let (time, say_time) = KERNEL.pipe2(OpenFlags::O_CLOEXEC).unwrap();
    let (done, say_done) = KERNEL.pipe2(OpenFlags::O_CLOEXEC).unwrap();
    let child = KERNEL
        .clone3(CloneFlags::empty(), &mut |kernel| {
            let pause = Pause { mounts: Cell::new(0), ends: &[say_time, done] };
            launch(&Intercepted::new(kernel, &pause), &request)
        })
        .unwrap();
    KERNEL.close(say_time).unwrap();
    assert_eq!(KERNEL.read(time, 1).unwrap().0, b"!");
    // Here nothing is mounted on it, so it can be renamed, and what is mounted on it there goes along.
    std::fs::rename(directory.path().join("proc"), directory.path().join("moved")).unwrap();
    std::fs::create_dir(directory.path().join("proc")).unwrap();
    KERNEL.write(say_done, b"!").unwrap();
    let ended = KERNEL.wait4(child, WaitOptions::empty()).unwrap();
    assert_eq!(ended, Some((child, WaitStatus::Exited(127))), "126 is the verdict that the masks are elsewhere");
    for end in [time, done, say_done] {
        KERNEL.close(end).unwrap();
    }
}
