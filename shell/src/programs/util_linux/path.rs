//! Paths, as the C library and libmount make them canonical.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, Kernel as _, Stat};
use cofferdam_vfs_sim::Process;

use crate::directory::working_directory;

/// So many links in one path are too many (`SYMLOOP_MAX` of the C library).
const MOST_LINKS: u32 = 40;

/// realpath(3).
///
/// # Errors
///
/// `ENOENT` for an empty path, or a working directory out of reach; `ELOOP`; those of readlink(2).
pub(crate) fn real_path(process: &Process, path: &[u8]) -> Result<Vec<u8>, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let mut resolved = if path.starts_with(b"/") { Vec::new() } else { directory_above(process)? };
    let mut rest: Vec<Vec<u8>> = names(path);
    let mut links = 0;
    while let Some(name) = rest.pop() {
        match &name[..] {
            b"" | b"." => {}
            b".." => resolved.truncate(resolved.iter().rposition(|byte| *byte == b'/').unwrap_or(0)),
            _ => {
                let next = [&resolved, &b"/"[..], &name].concat();
                match process.readlinkat(Fd::CWD, UnixPath::new(&next)) {
                    Ok(target) => {
                        links += 1;
                        if links > MOST_LINKS {
                            return Err(Errno::ELOOP);
                        }
                        if target.0.starts_with(b"/") {
                            resolved.clear();
                        }
                        rest.extend(names(&target.0));
                    }
                    Err(Errno::EINVAL) => {
                        // Nothing but a directory can have a slash behind it.
                        if rest.last().is_some_and(|name| matches!(&name[..], b"" | b"." | b"..")) {
                            stat(process, &[&next[..], b"/"].concat())?;
                        }
                        resolved = next;
                    }
                    Err(errno) => return Err(errno),
                }
            }
        }
    }
    Ok(if resolved.is_empty() { b"/".to_vec() } else { resolved })
}

/// The path as realpath(3) has it; as it is if that fails (`canonicalize_path()` of util-linux).
pub(crate) fn canonical(process: &Process, path: &[u8]) -> Vec<u8> {
    real_path(process, path).unwrap_or_else(|_| path.to_vec())
}

/// The path from the root directory on, with nothing resolved; `None` without a working directory.
pub(crate) fn absolute(process: &Process, path: &[u8]) -> Option<Vec<u8>> {
    if path.starts_with(b"/") {
        return Some(path.to_vec());
    }
    let directory = directory_above(process).ok()?;
    Some([&directory, &b"/"[..], path.strip_prefix(b"./").unwrap_or(path)].concat())
}

/// Whether two paths are the same but for repeated slashes and slashes at the end.
pub(crate) fn are_equal(one: &[u8], other: &[u8]) -> bool {
    normal(one) == normal(other)
}

fn normal(path: &[u8]) -> Vec<u8> {
    let mut normal = path.to_vec();
    normal.dedup_by(|one, other| *one == b'/' && *other == b'/');
    if normal.ends_with(b"/") {
        normal.pop();
    }
    normal
}

/// stat(2).
pub(crate) fn stat(process: &Process, path: &[u8]) -> Result<Stat, Errno> {
    process.statx(Fd::CWD, UnixPath::new(path), AtFlags::AT_NO_AUTOMOUNT)
}

/// lstat(2).
pub(crate) fn lstat(process: &Process, path: &[u8]) -> Result<Stat, Errno> {
    process.statx(Fd::CWD, UnixPath::new(path), AtFlags::AT_NO_AUTOMOUNT | AtFlags::AT_SYMLINK_NOFOLLOW)
}

/// getcwd(3), without the slash if it is the root directory.
fn directory_above(process: &Process) -> Result<Vec<u8>, Errno> {
    let directory = working_directory(process)?;
    Ok(if directory == b"/" { Vec::new() } else { directory })
}

/// The names in a path, the last one first.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec).collect()
}
