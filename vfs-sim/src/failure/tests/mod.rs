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
