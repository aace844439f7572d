//! pivot_root(8) and switch_root(8) of util-linux 2.38.1.

use cofferdam::UnixPath;
use cofferdam::kernel::{CloneFlags, Errno, Fd, FileType, Kernel as _, MountFlags, OpenFlags, UmountFlags};

use super::util_linux::path::stat;
use super::util_linux::{Usage, go_on_as, open, warn, warn_errno};
use crate::execution::Execution;
use crate::getopt::{Order, Takes, option};

const PIVOT_ROOT: Usage = Usage {
    options: &[option("version", 'V', "version", Takes::Nothing), option("help", 'h', "help", Takes::Nothing)],
    order: Order::Permute,
    exclusive: &[],
    refused: &[],
    mistake: 1,
    synopsis: &["[options] new_root put_old"],
};

const SWITCH_ROOT: Usage =
    Usage { order: Order::Strict, synopsis: &["[options] <newrootdir> <init> <args to init>"], ..PIVOT_ROOT };

/// pivot_root(8)
pub(super) async fn pivot_root(execution: &mut Execution) -> i32 {
    let parsed = match PIVOT_ROOT.take(execution).await {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let [new_root, put_old] = &parsed.operands[..] else { return PIVOT_ROOT.bad_usage(execution).await };
    match execution.process.pivot_root(UnixPath::new(new_root), UnixPath::new(put_old)) {
        Ok(()) => 0,
        Err(errno) => {
            let text = [b"failed to change root from `", &new_root[..], b"' to `", put_old, b"'"].concat();
            warn_errno(execution, text, errno).await;
            1
        }
    }
}

/// switch_root(8)
pub(super) async fn switch_root(execution: &mut Execution) -> i32 {
    let parsed = match SWITCH_ROOT.take(execution).await {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let [new_root, init @ ..] = &parsed.operands[..] else {
        return SWITCH_ROOT.refuse(execution, "not enough arguments").await;
    };
    let Some(program) = init.first() else {
        return SWITCH_ROOT.refuse(execution, "not enough arguments").await;
    };
    if new_root.is_empty() || program.is_empty() {
        return SWITCH_ROOT.bad_usage(execution).await;
    }
    if let Err((text, errno)) = switch(execution, new_root).await {
        if let Some(errno) = errno {
            warn_errno(execution, text, errno).await;
        }
        warn(execution, "failed. Sorry.").await;
        return 1;
    }
    go_on_as(execution, init).await
}

/// What was being done, and why it failed; nothing if that has been said.
type Reason = (Vec<u8>, Option<Errno>);

fn reason(parts: &[&[u8]]) -> impl FnOnce(Errno) -> Reason {
    let text = parts.concat();
    move |errno| (text, Some(errno))
}

async fn switch(execution: &mut Execution, new_root: &[u8]) -> Result<(), Reason> {
    let process = execution.process.clone();
    let old_device = stat(&process, b"/").map_err(reason(&[b"stat of / failed"]))?.device;
    let new_device = stat(&process, new_root).map_err(reason(&[b"stat of ", new_root, b" failed"]))?.device;
    for directory in [&b"/dev"[..], b"/proc", b"/sys", b"/run"] {
        let path = UnixPath::new(directory);
        let is_mounted = stat(&process, directory).is_ok_and(|file| file.device != old_device);
        if !is_mounted && stat(&process, directory).is_ok() {
            continue;
        }
        let place = [new_root, directory].concat();
        if stat(&process, &place).map(|file| file.device) != Ok(new_device) {
            let _ = process.umount2(path, UmountFlags::MNT_DETACH);
            continue;
        }
        if let Err(errno) = process.mount(Some(path), UnixPath::new(&place), None, MountFlags::MS_MOVE, None) {
            warn_errno(execution, [b"failed to mount moving ", directory, b" to ", &place].concat(), errno).await;
            warn(execution, [b"forcing unmount of ", directory].concat()).await;
            let _ = process.umount2(path, UmountFlags::MNT_FORCE);
        }
    }
    let root = UnixPath::new("/");
    process.chdir(UnixPath::new(new_root)).map_err(reason(&[b"failed to change directory to ", new_root]))?;
    let old_root = open(execution, b"/", OpenFlags::empty()).map_err(reason(&[b"cannot open /"]))?;
    process.mount(Some(UnixPath::new(new_root)), root, None, MountFlags::MS_MOVE, None).map_err(reason(&[
        b"failed to mount moving ",
        new_root,
        b" to /",
    ]))?;
    process.chroot(UnixPath::new(".")).map_err(reason(&[b"failed to change root"]))?;
    process.chdir(root).map_err(reason(&[b"cannot change directory to /"]))?;
    remove_old_root(execution, old_root)
}

/// Removes what was in memory, in a process of its own.
fn remove_old_root(execution: &mut Execution, old_root: Fd) -> Result<(), Reason> {
    const RAMFS: u64 = 0x8584_58f6;
    const TMPFS: u64 = 0x0102_1994;
    let forked = execution.fork(CloneFlags::empty(), move |mut child| {
        Box::pin(async move {
            match child.process.fstatfs(old_root).map(|filesystem| filesystem.magic) {
                Ok(RAMFS | TMPFS) => remove_below(&mut child, old_root).await,
                result => {
                    let errno = result.err().unwrap_or(Errno::ENODEV);
                    warn_errno(&mut child, "old root filesystem is not an initramfs", errno).await;
                }
            }
            0
        })
    });
    let _ = execution.process.close(old_root);
    forked.map(drop).map_err(|_| (Vec::new(), None))
}

/// Removes all below a directory that is on the same device.
async fn remove_below(execution: &mut Execution, directory: Fd) {
    use cofferdam::kernel::{AtFlags, OpenHow};
    let process = execution.process.clone();
    let stay = AtFlags::AT_SYMLINK_NOFOLLOW;
    let Ok(device) = process.statx(directory, UnixPath::new(""), AtFlags::AT_EMPTY_PATH).map(|file| file.device) else {
        return;
    };
    // Directories to list, and with `true` those to remove, with the directory that they are in.
    let mut waiting = vec![(directory, None)];
    let mut emptied: Vec<(Fd, Fd, Vec<u8>)> = Vec::new();
    while let Some((fd, place)) = waiting.pop() {
        if let Some((parent, name)) = place {
            emptied.push((fd, parent, name));
        }
        while let Ok(entries) = process.getdents64(fd) {
            if entries.is_empty() {
                break;
            }
            for entry in entries.into_iter().map(|entry| entry.name.0).filter(|name| !matches!(&name[..], b"." | b".."))
            {
                let name = UnixPath::new(&entry);
                let Ok(file) = process.statx(fd, name, stay) else { continue };
                if file.device != device {
                    continue;
                }
                if file.file_type != FileType::Directory {
                    if let Err(errno) = process.unlinkat(fd, name, AtFlags::empty()) {
                        warn_errno(execution, [b"failed to unlink ", &entry[..]].concat(), errno).await;
                    }
                } else if let Ok(below) = process.openat2(fd, name, OpenHow::default()) {
                    waiting.push((below, Some((fd, entry))));
                }
            }
        }
    }
    for (fd, parent, name) in emptied.into_iter().rev() {
        let _ = process.close(fd);
        if let Err(errno) = process.unlinkat(parent, UnixPath::new(&name), AtFlags::AT_REMOVEDIR) {
            warn_errno(execution, [b"failed to unlink ", &name[..]].concat(), errno).await;
        }
    }
}
