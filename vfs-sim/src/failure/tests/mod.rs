//! What the kernel says of calls that fail: the rule that was met, and no other with the same error number.

mod filesystems;
mod mounts;
mod namespaces;
mod paths;

use cofferdam::kernel::Errno;

use crate::handle::Process;
use crate::linux::Linux;
use crate::sample;

/// Asserts that a call on the sample host, made by its first process, fails by a rule that says this.
#[track_caller]
fn assert_why<R: std::fmt::Debug>(
    call: impl FnOnce(&Process) -> Result<R, Errno>,
    errno: Errno,
    function: &str,
    sentence: &str,
) {
    let process = Process::init(sample::host());
    let error = call(&process).expect_err("the call fails");
    let linux = process.linux();
    let rule = linux.why().expect("there is a rule");
    assert_eq!((error, rule.errno()), (errno, errno), "{rule}");
    assert_eq!((rule.function(), rule.sentence()), (function, sentence));
}

#[test]
fn what_succeeds_has_no_reason() {
    use cofferdam::UnixPath;
    use cofferdam::kernel::Kernel;

    let process = Process::init(Linux::new());
    assert!(process.linux().why().is_none());
    assert_eq!(process.chdir(UnixPath::new("/missing")), Err(Errno::ENOENT));
    assert!(process.linux().why().is_some());
    process.chdir(UnixPath::new("/")).unwrap();
    assert!(process.linux().why().is_none());
}

#[test]
fn failures_are_noted_for_each_process() {
    use cofferdam::UnixPath;
    use cofferdam::kernel::{CloneFlags, Fd, Kernel, OpenFlags};

    let process = Process::init(Linux::new());
    let (missing, root) = (UnixPath::new("/missing"), UnixPath::new("/"));
    process.chdir(missing).unwrap_err();
    assert!(process.linux().take_failures(process.task()).is_empty(), "nobody has asked for notes");

    process.linux().note_failures(true);
    let child = process.fork(CloneFlags::empty()).unwrap();
    process.chdir(missing).unwrap_err();
    process.chdir(root).unwrap();
    child.mkdirat(Fd::CWD, root, cofferdam::kernel::Mode(0o755)).unwrap_err();
    // It would be made again, and wait.
    let (reading, _writing) = process.pipe2(OpenFlags::empty()).unwrap();
    assert_eq!(process.read(reading, 1), Err(Errno::EDEADLK));

    let failures = |process: &Process| {
        process.linux().take_failures(process.task()).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(process.linux().failures().count(), 2);
    let of_init = failures(&process);
    assert_eq!(of_init.len(), 1, "{of_init:?}");
    assert!(of_init[0].starts_with(r#"chdir("/missing") = -1 ENOENT: "#), "{of_init:?}");
    assert!(failures(&process).is_empty(), "they were taken");
    let of_child = failures(&child);
    assert!(of_child[0].starts_with(r#"mkdirat(AT_FDCWD, "/", 0755) = -1 EEXIST: "#), "{of_child:?}");

    child.chdir(missing).unwrap_err();
    child.exit(0);
    process.wait4(cofferdam::kernel::Pid(-1), cofferdam::kernel::WaitOptions::empty()).unwrap();
    let next = process.fork(CloneFlags::empty()).unwrap();
    assert_eq!(next.task(), child.task(), "the id is used again");
    assert!(failures(&next).is_empty());
}

#[test]
fn a_child_that_failed_does_not_make_its_birth_a_failure() {
    use cofferdam::UnixPath;
    use cofferdam::kernel::{CloneFlags, Kernel};

    let process = Process::init(Linux::new());
    process
        .clone3(CloneFlags::empty(), &mut |kernel| i32::from(kernel.chdir(UnixPath::new("/missing")).is_err()))
        .unwrap();
    assert!(process.linux().why().is_none());
}
