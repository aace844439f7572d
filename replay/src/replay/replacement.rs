//! What stands for filesystems that are not simulated.

use cofferdam::kernel::{Bytes, Call, Errno, FsopenFlags, MountFlags};

use crate::decode::Given;

/// The types whose mounts are simulated.
const SIMULATED: [&[u8]; 8] = [b"tmpfs", b"ramfs", b"proc", b"sysfs", b"devpts", b"devtmpfs", b"overlay", b"mqueue"];

/// What stands for a filesystem that was mounted, or opened, and is not simulated; with its type.
pub(super) fn replacement(call: &Call, recorded: &Result<Given, Errno>) -> Option<(String, Call)> {
    let is_missing = |name: &Bytes| recorded.is_ok() && !SIMULATED.contains(&&name.0[..]);
    let name = |name: &Bytes| String::from_utf8_lossy(&name.0).into_owned();
    match call {
        Call::Mount { source, target, filesystemtype: Some(filesystem), mountflags, .. } if is_missing(filesystem) => {
            let others = MountFlags::MS_BIND
                | MountFlags::MS_MOVE
                | MountFlags::MS_REMOUNT
                | MountFlags::MS_SHARED
                | MountFlags::MS_SLAVE
                | MountFlags::MS_PRIVATE
                | MountFlags::MS_UNBINDABLE;
            let call = Call::Mount {
                source: source.clone(),
                target: target.clone(),
                filesystemtype: Some("tmpfs".into()),
                mountflags: *mountflags,
                data: None,
            };
            (!mountflags.intersects(others)).then(|| (name(filesystem), call))
        }
        Call::Fsopen { fsname, flags } if is_missing(fsname) => {
            let call = Call::Fsopen { fsname: "tmpfs".into(), flags: FsopenFlags::from_bits_retain(flags.bits()) };
            Some((name(fsname), call))
        }
        _ => None,
    }
}
