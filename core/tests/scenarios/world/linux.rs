//! The real kernel.

use std::io::Write as _;

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, Intercepted, Kernel, MountAttr, MountFlags, OlderKernel, UmountFlags};
use cofferdam_linux::LinuxKernel;

use super::oldest::unshare_as_the_oldest;
use super::{World, aftermath, mount_table};

/// Runs a scenario on the real kernel, in a mount namespace of its own; skips it, visibly, without root.
pub fn run(name: &str, scenario: fn(&World<'_>)) {
    run_in(name, || in_a_new_namespace(scenario));
}

/// The same on what is left of the kernel when it is made the oldest one that we support.
pub fn run_as_5_12(name: &str, scenario: fn(&World<'_>)) {
    run_in(name, || in_a_new_namespace_as_5_12(scenario));
}

fn run_in(name: &str, scenario: impl FnOnce() + Send) {
    if LinuxKernel.geteuid() != Ok(0) {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{name}: in CI nothing is skipped");
        // Not eprintln, which the test harness keeps to itself.
        #[allow(clippy::explicit_write, reason = "see above")]
        writeln!(std::io::stderr(), "skipped: needs root: {name}").unwrap();
        return;
    }
    // A mount namespace belongs to a thread.
    let result = std::thread::scope(|scope| scope.spawn(scenario).join());
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// Runs a scenario in a new mount namespace, which the calling thread keeps. Once an agent has cleaned up, its mount table is
/// what it was before.
pub fn in_a_new_namespace(scenario: fn(&World<'_>)) {
    in_a_namespace_of(&LinuxKernel, scenario);
}

/// The same on what is left of the kernel when it is made the oldest one that we support.
pub fn in_a_new_namespace_as_5_12(scenario: fn(&World<'_>)) {
    in_a_namespace_of(&Intercepted::new(&LinuxKernel, &OlderKernel::LINUX_5_12), scenario);
}

fn in_a_namespace_of(kernel: &dyn Kernel, scenario: fn(&World<'_>)) {
    unshare_as_the_oldest().unwrap();
    let private = MountAttr { propagation: MountFlags::MS_PRIVATE, ..MountAttr::default() };
    kernel.mount_setattr(Fd::CWD, UnixPath::new("/"), AtFlags::AT_RECURSIVE, &private).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = std::fs::canonicalize(directory.path()).unwrap();
    let path = UnixPath::new(path.as_os_str().as_encoded_bytes());
    let tmpfs = Some(UnixPath::new("world"));
    kernel.mount(tmpfs, path, Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
    let before = mount_table(kernel);
    let world = World::new(kernel, path.to_path_buf());
    scenario(&world);
    aftermath::clean_up(&world);
    assert_eq!(mount_table(kernel), before);
    // So that the directory can be removed. The rest goes with the thread.
    while kernel.umount2(path, UmountFlags::MNT_DETACH) != Err(Errno::EINVAL) {}
}
