//! State on disk: whole files, by trusted paths.

use typed_path::{UnixPath, UnixPathBuf};

use crate::error::{CallError, Doing};
use crate::kernel::{
    AtFlags, Bytes, Descriptor, DirectoryEntry, Errno, Fd, Kernel, Mode, OpenFlags, OpenHow, RenameFlags, ResolveFlags,
};

/// How much is asked of one read(2) at first, and at most, in bytes. A mount table is given a page at a time, whatever is asked
/// for.
const CHUNK: usize = 1 << 12;
const LARGEST_CHUNK: usize = 1 << 16;

/// The whole content of a file.
///
/// # Errors
///
/// Those of openat2(2) and read(2).
pub fn read(kernel: &dyn Kernel, path: &UnixPath) -> Result<Vec<u8>, CallError> {
    read_open(kernel, &open(kernel, path, OpenFlags::empty(), Mode(0))?, path)
}

/// The same of a file that is open.
fn read_open(kernel: &dyn Kernel, file: &Descriptor<'_>, path: &UnixPath) -> Result<Vec<u8>, CallError> {
    let mut content = Vec::new();
    let mut asked = CHUNK;
    loop {
        let Bytes(chunk) = kernel.read(file.fd(), asked).doing("read", path)?;
        if chunk.is_empty() {
            return Ok(content);
        }
        if chunk.len() == asked {
            asked = (2 * asked).min(LARGEST_CHUNK);
        }
        content.extend_from_slice(&chunk);
    }
}

/// The same of a regular file that is open, and as long as `size` says: one that has not grown takes one read.
pub(crate) fn read_regular(
    kernel: &dyn Kernel,
    file: &Descriptor<'_>,
    size: u64,
    path: &UnixPath,
) -> Result<Vec<u8>, CallError> {
    let size = usize::try_from(size).unwrap_or(LARGEST_CHUNK).min(LARGEST_CHUNK);
    // A regular file gives less than is asked for only at its end (read(2)).
    let Bytes(mut content) = kernel.read(file.fd(), size + 1).doing("read", path)?;
    if content.len() > size {
        content.extend(read_open(kernel, file, path)?);
    }
    Ok(content)
}

/// The entries of a directory, without `.` and `..`.
///
/// # Errors
///
/// Those of openat2(2) and getdents64(2).
pub fn list(kernel: &dyn Kernel, path: &UnixPath) -> Result<Vec<DirectoryEntry>, CallError> {
    let directory = open(kernel, path, OpenFlags::O_DIRECTORY, Mode(0))?;
    let mut entries = Vec::new();
    loop {
        let batch = kernel.getdents64(directory.fd()).doing("read directory", path)?;
        if batch.is_empty() {
            return Ok(entries);
        }
        entries.extend(batch.into_iter().filter(|entry| entry.name.0 != b"." && entry.name.0 != b".."));
    }
}

/// Writes a file so that, whenever the machine stops, either the old content is there or the new one: a new file is
/// written, synced, and renamed over the old one.
///
/// # Errors
///
/// Those of openat2(2), write(2), fsync(2) and renameat2(2). The old content is then still there.
pub fn write(kernel: &dyn Kernel, path: &UnixPath, content: &[u8], mode: Mode) -> Result<(), CallError> {
    let temporary = UnixPathBuf::from([path.as_bytes(), b".new"].concat());
    let written = write_new(kernel, &temporary, content, mode).and_then(|()| {
        kernel.renameat2(Fd::CWD, &temporary, Fd::CWD, path, RenameFlags::empty()).doing("rename the new file to", path)
    });
    if written.is_err() {
        // The error is what went wrong before.
        let _ = kernel.unlinkat(Fd::CWD, &temporary, AtFlags::empty());
        return written;
    }
    sync_directory(kernel, path.parent().unwrap_or(path))
}

/// Waits until what was made, renamed or removed in a directory is on disk.
pub(crate) fn sync_directory(kernel: &dyn Kernel, directory: &UnixPath) -> Result<(), CallError> {
    let opened = open(kernel, directory, OpenFlags::O_DIRECTORY, Mode(0))?;
    kernel.fsync(opened.fd()).doing("write to disk", directory)
}

fn write_new(kernel: &dyn Kernel, path: &UnixPath, content: &[u8], mode: Mode) -> Result<(), CallError> {
    // What a crash has left there is worth nothing.
    match kernel.unlinkat(Fd::CWD, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(errno) => return Err(CallError::new("remove", path, errno)),
    }
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_EXCL;
    let file = open(kernel, path, flags, mode)?;
    let mut rest = content;
    while !rest.is_empty() {
        let written = kernel.write(file.fd(), rest).doing("write", path)?;
        rest = &rest[written.min(rest.len())..];
    }
    kernel.fsync(file.fd()).doing("write to disk", path)?;
    file.close().doing("write", path)
}

/// Opens a file by a trusted path.
pub(crate) fn open<'k>(
    kernel: &'k dyn Kernel,
    path: &UnixPath,
    flags: OpenFlags,
    mode: Mode,
) -> Result<Descriptor<'k>, CallError> {
    let how = OpenHow { flags: flags | OpenFlags::O_CLOEXEC, mode, resolve: ResolveFlags::empty() };
    let opened = kernel.openat2(Fd::CWD, path, how).doing("open", path)?;
    Ok(Descriptor::new(kernel, opened))
}
