//! Where sequences start.

use cofferdam::kernel::{Bytes, Call, DeviceNumber, Fd, FileType, Mode, MountFlags, NodeMode};
use cofferdam_vfs_sim::Linux;

/// A machine with a few directories, files and links, a proc, and the layers of an overlay.
///
/// # Panics
///
/// If a call fails: every kernel can do this.
pub(super) fn make() -> Linux {
    let mut linux = Linux::new();
    let init = linux.init();
    for call in calls() {
        if let Err(errno) = linux.call(init, &call) {
            panic!("{call}: {errno}");
        }
    }
    linux
}

fn calls() -> Vec<Call> {
    let mut calls: Vec<_> = ["/a", "/b", "/a/c", "/b/c", "/w", "/proc"].map(directory).into();
    calls.extend(["/a/f", "/b/f"].map(file));
    calls.extend([("c", "/a/l"), ("/b/c", "/b/l")].map(|(target, path)| link(target, path)));
    calls.push(mount("proc", "/proc"));
    calls
}

fn directory(path: &str) -> Call {
    Call::Mkdirat { dirfd: Fd::CWD, path: path.into(), mode: Mode(0o755) }
}

fn file(path: &str) -> Call {
    let mode = NodeMode { file_type: FileType::Regular, mode: Mode(0o644) };
    Call::Mknodat { dirfd: Fd::CWD, path: path.into(), mode, device: DeviceNumber::NONE }
}

fn link(target: &str, path: &str) -> Call {
    Call::Symlinkat { target: target.into(), dirfd: Fd::CWD, path: path.into() }
}

fn mount(kind: &str, target: &str) -> Call {
    Call::Mount {
        source: Some(kind.into()),
        target: Bytes::from(target),
        filesystemtype: Some(kind.into()),
        mountflags: MountFlags::empty(),
        data: None,
    }
}
