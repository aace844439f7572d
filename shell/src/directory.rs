//! Reading directories, and finding the working directory's path by that.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, DeviceNumber, DirectoryEntry, Errno, Fd, FileType, Kernel as _, OpenFlags, OpenHow};
use cofferdam_vfs_sim::Process;

#[cfg(test)]
mod tests;

/// What tells a file from all others for the C library.
type Identity = (DeviceNumber, u64);

/// All that a directory lists from the descriptor's position on, as readdir(3) gives it: to the C library the `ENOENT` of a
/// directory that was removed is the end of it.
///
/// # Errors
///
/// Those of getdents64(2).
pub(crate) fn read_directory(process: &Process, fd: Fd) -> Result<Vec<DirectoryEntry>, Errno> {
    let mut all = Vec::new();
    loop {
        match process.getdents64(fd) {
            Ok(entries) if entries.is_empty() => return Ok(all),
            Ok(entries) => all.extend(entries),
            Err(Errno::ENOENT) => return Ok(all),
            Err(errno) => return Err(errno),
        }
    }
}

/// getcwd(3) of the GNU C library: where the kernel gives no path from the root directory, since the working directory is
/// in another mount namespace or the path is too long, it is found from below.
///
/// # Errors
///
/// `ENOENT` for a directory that was removed, or is not below the root directory; those of openat2(2).
pub(crate) fn working_directory(process: &Process) -> Result<Vec<u8>, Errno> {
    match process.getcwd() {
        Ok(path) if path.0.starts_with(b"/") => Ok(path.0),
        Ok(_) | Err(Errno::ENAMETOOLONG) => climb(process),
        Err(errno) => Err(errno),
    }
}

/// The path of the working directory, by the name that each directory on the way to the root has in the one above.
fn climb(process: &Process) -> Result<Vec<u8>, Errno> {
    let root = identity(process, Fd::CWD, b"/")?.0;
    let mut here = identity(process, Fd::CWD, b".")?.0;
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut directory = Fd::CWD;
    let result = loop {
        if here == root {
            names.reverse();
            break Ok([b"/", &names.join(&b'/')[..]].concat());
        }
        let flags = OpenFlags::O_DIRECTORY | OpenFlags::O_CLOEXEC;
        let how = OpenHow { flags, ..OpenHow::default() };
        match process.openat2(directory, UnixPath::new(".."), how) {
            Ok(above) => {
                close(process, directory);
                directory = above;
            }
            Err(errno) => break Err(errno),
        }
        match step(process, directory, here) {
            Ok((name, above)) => {
                names.push(name);
                here = above;
            }
            Err(errno) => break Err(errno),
        }
    };
    close(process, directory);
    result
}

/// The name that a directory has in the one above, and what the latter is.
fn step(process: &Process, above: Fd, wanted: Identity) -> Result<(Vec<u8>, Identity), Errno> {
    let parent = identity(process, above, b".")?.0;
    let entries = read_directory(process, above)?;
    let is_wanted = |name: &[u8]| identity(process, above, name) == Ok((wanted, FileType::Directory));
    let named: Vec<&DirectoryEntry> =
        entries.iter().filter(|entry| !matches!(&entry.name.0[..], b"." | b"..")).collect();
    // An entry has the number of what is mounted on, not of what is mounted there.
    let is_mountpoint = parent.0 != wanted.0;
    let likely = named.iter().filter(|entry| is_mountpoint || entry.inode == wanted.1);
    let found = likely.chain(&named).find(|entry| is_wanted(&entry.name.0)).ok_or(Errno::ENOENT)?;
    Ok((found.name.0.clone(), parent))
}

fn identity(process: &Process, directory: Fd, name: &[u8]) -> Result<(Identity, FileType), Errno> {
    let flags = AtFlags::AT_SYMLINK_NOFOLLOW | AtFlags::AT_NO_AUTOMOUNT;
    let stat = process.statx(directory, UnixPath::new(name), flags)?;
    Ok(((stat.device, stat.inode), stat.file_type))
}

fn close(process: &Process, directory: Fd) {
    if directory != Fd::CWD {
        // It was only read.
        let _ = process.close(directory);
    }
}
