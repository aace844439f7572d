//! Ways that might lead out of a container, each tried on a copy of the kernel of its own.

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, CloneFlags, DeviceNumber, Errno, Fd, FileType, Kernel, Mode, MountFlags, NodeMode, OpenFlags, UmountFlags,
};
use cofferdam::mountinfo::Table;
use cofferdam_vfs_sim::Process;

use super::super::session::Begun;
use super::open;

/// Something that was tried.
#[derive(Clone, Debug)]
pub(in super::super) struct Attempt {
    /// As one would type it.
    pub(in super::super) what: String,
    /// What came of it.
    pub(in super::super) result: Result<Outcome, Errno>,
}

/// What came of something that no call refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Outcome {
    /// It was done.
    Done,
    /// It led nowhere else.
    StaysInside,
    /// It led to another root directory.
    LeadsOutside,
}

type Try<'a> = dyn Fn(&Process) -> Result<Outcome, Errno> + 'a;

/// Tries all.
pub(in super::super) fn attempts(begun: &Begun, table: &Table<'_>, work_dir: &UnixPath) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let mut attempt = |what: String, act: &Try<'_>| {
        if let Some(process) = begun.process() {
            attempts.push(Attempt { what, result: act(&process) });
        }
    };
    let masks = ["/proc/keys", "/proc/acpi", "/sys/firmware"].map(UnixPath::new);
    if let Some(path) = masks.into_iter().find(|path| table.at(path).next().is_some()) {
        attempt(format!("umount {}", shown(path)), &|process| unmount(process, path));
        attempt(format!("unshare --user --mount umount {}", shown(path)), &|process| {
            process.unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
            unmount(process, path)
        });
    }
    let settings = UnixPath::new("/proc/sys");
    attempt("mount -o remount,bind,rw /proc/sys".into(), &|process| {
        process.mount(None, settings, None, MountFlags::MS_REMOUNT | MountFlags::MS_BIND, None).map(done)
    });
    attempt("mount -t tmpfs tmpfs /proc/sys".into(), &|process| {
        process.mount(Some(UnixPath::new("tmpfs")), settings, Some(b"tmpfs"), MountFlags::empty(), None).map(done)
    });
    for path in ["/proc/sys/kernel/hostname", "/proc/sysrq-trigger"] {
        attempt(format!("open {path} for writing"), &|process| {
            open(process, UnixPath::new(path), OpenFlags::O_WRONLY).map(done)
        });
    }
    attempt("mknod disk b 8 0".into(), &|process| {
        let node = NodeMode { file_type: FileType::BlockDevice, mode: Mode(0o600) };
        process.mknodat(Fd::CWD, UnixPath::new("disk"), node, DeviceNumber { major: 8, minor: 0 }).map(done)
    });
    attempt("ls /proc/1/root/".into(), &|process| {
        let opened = open(process, UnixPath::new("/proc/1/root/"), OpenFlags::O_DIRECTORY)?;
        let (reached, root) = (identity(process, opened.fd(), "")?, identity(process, Fd::CWD, "/")?);
        Ok(if reached == root { Outcome::StaysInside } else { Outcome::LeadsOutside })
    });
    attempt("nsenter --mount --target 1".into(), &|process| {
        let namespace = open(process, UnixPath::new("/proc/1/ns/mnt"), OpenFlags::empty())?;
        process.setns(namespace.fd(), CloneFlags::CLONE_NEWNS).map(done)
    });
    attempt("chroot dev; cd ../../../..; chroot .".into(), &leave_by_chroot);
    attempt(format!("ls {}", shown(work_dir)), &|process| open(process, work_dir, OpenFlags::O_DIRECTORY).map(done));
    attempts
}

fn done<T>(_: T) -> Outcome {
    Outcome::Done
}

fn shown(path: &UnixPath) -> String {
    path.as_bytes().escape_ascii().to_string()
}

fn unmount(process: &Process, path: &UnixPath) -> Result<Outcome, Errno> {
    process.umount2(path, UmountFlags::empty()).map(done)
}

/// Which directory something is: its mount and its inode.
fn identity(process: &Process, directory: Fd, path: &str) -> Result<(u64, u64), Errno> {
    let stat = process.statx(directory, UnixPath::new(path), AtFlags::AT_EMPTY_PATH)?;
    Ok((stat.mount_id, stat.inode))
}

/// A working directory that is not below the root directory is stopped by nothing on its way up but the root of the mount
/// namespace (chroot(2), NOTES).
fn leave_by_chroot(process: &Process) -> Result<Outcome, Errno> {
    let root = identity(process, Fd::CWD, "/")?;
    process.chdir(UnixPath::new("/"))?;
    process.chroot(UnixPath::new("dev"))?;
    process.chdir(UnixPath::new("../../../.."))?;
    process.chroot(UnixPath::new("."))?;
    let reached = identity(process, Fd::CWD, "/")?;
    Ok(if reached == root { Outcome::StaysInside } else { Outcome::LeadsOutside })
}
