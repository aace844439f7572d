//! Interception: the one place at which calls can be traced, counted and made to fail.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::RefCell;

use cofferdam::UnixPath;
use cofferdam::checkpoint;
use cofferdam::kernel::{Call, Errno, Fd, Intercepted, Interceptor, Kernel, Mode};
use cofferdam_linux::LinuxKernel;
use tempfile::TempDir;

/// Makes the nth call fail, and counts.
struct FailsAt {
    nth: usize,
    errno: Errno,
    calls: RefCell<usize>,
}

impl Interceptor for FailsAt {
    fn before(&self, _: &dyn Kernel, _: &Call) -> Result<(), Errno> {
        let mut calls = self.calls.borrow_mut();
        *calls += 1;
        if *calls == self.nth { Err(self.errno) } else { Ok(()) }
    }
}

fn file(directory: &TempDir) -> Vec<u8> {
    directory.path().join("file").into_os_string().into_encoded_bytes()
}

#[test]
fn a_call_that_is_made_to_fail_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(&directory);
    let faults = FailsAt { nth: 1, errno: Errno::ENOSPC, calls: RefCell::default() };
    let kernel = Intercepted::new(&LinuxKernel, &faults);
    assert_eq!(kernel.mkdirat(Fd::CWD, UnixPath::new(&path), Mode(0o700)), Err(Errno::ENOSPC));
    assert!(!directory.path().join("file").exists());
    assert_eq!(kernel.mkdirat(Fd::CWD, UnixPath::new(&path), Mode(0o700)), Ok(()));
}

/// Whichever call fails, the file has the old content or the new one, and nothing else is left.
#[test]
fn a_checkpoint_is_old_or_new_whatever_fails() {
    for nth in 1.. {
        let directory = tempfile::tempdir().unwrap();
        let path = file(&directory);
        std::fs::write(directory.path().join("file"), "old").unwrap();
        let faults = FailsAt { nth, errno: Errno::EIO, calls: RefCell::default() };
        let kernel = Intercepted::new(&LinuxKernel, &faults);
        let result = checkpoint::write(&kernel, UnixPath::new(&path), b"new", Mode(0o600));
        let content = std::fs::read_to_string(directory.path().join("file")).unwrap();
        if *faults.calls.borrow() < nth {
            assert_eq!((result, content.as_str()), (Ok(()), "new"));
            assert!(nth > 5, "there were calls to fail");
            return;
        }
        assert!(content == "old" || content == "new", "{content}");
        if let Err(error) = result {
            assert_eq!(error.errno, Errno::EIO, "{error}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "call {nth} leaves a file behind");
    }
}
