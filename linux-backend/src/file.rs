//! Root, working directory, paths and files.

use std::ffi::c_uint;

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, Bytes, CloseRangeFlags, DeviceNumber, DirectoryEntry, Errno, Fd, FileType, FlockOperation, Mode, NodeMode,
    OpenFlags, OpenHow, RenameFlags, Stat, Whence,
};
use nix::fcntl::{OFlag, ResolveFlag};
use nix::sys::stat::{FchmodatFlags, SFlag};
use nix::unistd::{Gid, Uid};
use rustix::fs::{RawDir, StatxAttributes, StatxFlags};

use crate::convert::{borrowed, c_path, check, from_nix, from_rustix, new_fd, open_flags};

pub fn chroot(path: &UnixPath) -> Result<(), Errno> {
    nix::unistd::chroot(c_path(path)?.as_c_str()).map_err(from_nix)
}

pub fn chdir(path: &UnixPath) -> Result<(), Errno> {
    nix::unistd::chdir(c_path(path)?.as_c_str()).map_err(from_nix)
}

pub fn fchdir(fd: Fd) -> Result<(), Errno> {
    nix::unistd::fchdir(borrowed(fd)).map_err(from_nix)
}

/// Not C's function, which fails where the kernel says `(unreachable)`.
pub fn getcwd() -> Result<Bytes, Errno> {
    // The kernel gives no longer one (`ENAMETOOLONG`).
    const PATH_MAX: usize = 4096;
    let mut buffer = vec![0_u8; PATH_MAX];
    // SAFETY: the call writes no more than the length that it is given.
    let length = check(unsafe { libc::syscall(libc::SYS_getcwd, buffer.as_mut_ptr(), buffer.len()) })?;
    // The length counts the NUL at the end.
    buffer.truncate(usize::try_from(length).unwrap_or_default().saturating_sub(1));
    Ok(Bytes(buffer))
}

pub fn openat2(dirfd: Fd, path: &UnixPath, how: OpenHow) -> Result<Fd, Errno> {
    let how = nix::fcntl::OpenHow::new()
        .flags(OFlag::from_bits_retain(open_flags(how.flags)))
        .mode(nix_mode(how.mode))
        .resolve(ResolveFlag::from_bits_retain(how.resolve.bits()));
    nix::fcntl::openat2(borrowed(dirfd), c_path(path)?.as_c_str(), how).map(new_fd).map_err(from_nix)
}

pub fn close(fd: Fd) -> Result<(), Errno> {
    nix::unistd::close(fd.0).map_err(from_nix)
}

pub fn close_range(first: c_uint, last: c_uint, flags: CloseRangeFlags) -> Result<(), Errno> {
    // SAFETY: the call takes numbers only.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags.bits()) })?;
    Ok(())
}

pub fn dup3(oldfd: Fd, newfd: Fd, flags: OpenFlags) -> Result<Fd, Errno> {
    let flags = OFlag::from_bits_retain(open_flags(flags));
    // SAFETY: `newfd` is closed only in the sense of the call, which is what the caller asks for; the owner that this
    // gives is dissolved at once.
    unsafe { nix::unistd::dup3_raw(borrowed(oldfd), newfd.0, flags) }.map(new_fd).map_err(from_nix)
}

pub fn mkdirat(dirfd: Fd, path: &UnixPath, mode: Mode) -> Result<(), Errno> {
    nix::sys::stat::mkdirat(borrowed(dirfd), c_path(path)?.as_c_str(), nix_mode(mode)).map_err(from_nix)
}

pub fn mknodat(dirfd: Fd, path: &UnixPath, mode: NodeMode, device: DeviceNumber) -> Result<(), Errno> {
    nix::sys::stat::mknodat(
        borrowed(dirfd),
        c_path(path)?.as_c_str(),
        SFlag::from_bits_retain(mode.file_type.bits()),
        nix_mode(mode.mode),
        libc::makedev(device.major, device.minor),
    )
    .map_err(from_nix)
}

pub fn symlinkat(target: &UnixPath, dirfd: Fd, path: &UnixPath) -> Result<(), Errno> {
    nix::unistd::symlinkat(c_path(target)?.as_c_str(), borrowed(dirfd), c_path(path)?.as_c_str()).map_err(from_nix)
}

pub fn linkat(
    old_dirfd: Fd,
    old_path: &UnixPath,
    new_dirfd: Fd,
    new_path: &UnixPath,
    flags: AtFlags,
) -> Result<(), Errno> {
    nix::unistd::linkat(
        borrowed(old_dirfd),
        c_path(old_path)?.as_c_str(),
        borrowed(new_dirfd),
        c_path(new_path)?.as_c_str(),
        nix_at_flags(flags),
    )
    .map_err(from_nix)
}

/// rustix's, as nix takes no other flag than `AT_REMOVEDIR`.
pub fn unlinkat(dirfd: Fd, path: &UnixPath, flags: AtFlags) -> Result<(), Errno> {
    let flags = rustix::fs::AtFlags::from_bits_retain(flags.bits());
    rustix::fs::unlinkat(borrowed(dirfd), c_path(path)?, flags).map_err(from_rustix)
}

/// rustix's, as nix has it for glibc only.
pub fn renameat2(
    old_dirfd: Fd,
    old_path: &UnixPath,
    new_dirfd: Fd,
    new_path: &UnixPath,
    flags: RenameFlags,
) -> Result<(), Errno> {
    let flags = rustix::fs::RenameFlags::from_bits_retain(flags.bits());
    let (old_path, new_path) = (c_path(old_path)?, c_path(new_path)?);
    rustix::fs::renameat_with(borrowed(old_dirfd), old_path, borrowed(new_dirfd), new_path, flags).map_err(from_rustix)
}

/// rustix's, as nix calls fstatat(2) too.
pub fn readlinkat(dirfd: Fd, path: &UnixPath) -> Result<Bytes, Errno> {
    let target = rustix::fs::readlinkat(borrowed(dirfd), c_path(path)?, Vec::new()).map_err(from_rustix)?;
    Ok(Bytes(target.into_bytes()))
}

pub fn statx(dirfd: Fd, path: &UnixPath, flags: AtFlags) -> Result<Stat, Errno> {
    let flags = rustix::fs::AtFlags::from_bits_retain(flags.bits());
    let mask = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let stat = rustix::fs::statx(borrowed(dirfd), c_path(path)?, flags, mask).map_err(from_rustix)?;
    let mode = u32::from(stat.stx_mode);
    Ok(Stat {
        file_type: FileType::from_mode(mode),
        mode: Mode(mode & 0o7777),
        links: stat.stx_nlink,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        size: stat.stx_size,
        inode: stat.stx_ino,
        device: DeviceNumber { major: stat.stx_dev_major, minor: stat.stx_dev_minor },
        rdev: DeviceNumber { major: stat.stx_rdev_major, minor: stat.stx_rdev_minor },
        mount_id: stat.stx_mnt_id,
        is_mount_root: stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT),
    })
}

pub fn fchmod(fd: Fd, mode: Mode) -> Result<(), Errno> {
    nix::sys::stat::fchmod(borrowed(fd), nix_mode(mode)).map_err(from_nix)
}

pub fn fchmodat(dirfd: Fd, path: &UnixPath, mode: Mode) -> Result<(), Errno> {
    let path = c_path(path)?;
    nix::sys::stat::fchmodat(borrowed(dirfd), path.as_c_str(), nix_mode(mode), FchmodatFlags::FollowSymlink)
        .map_err(from_nix)
}

pub fn fchownat(
    dirfd: Fd,
    path: &UnixPath,
    owner: Option<u32>,
    group: Option<u32>,
    flags: AtFlags,
) -> Result<(), Errno> {
    let (owner, group) = (owner.map(Uid::from_raw), group.map(Gid::from_raw));
    nix::unistd::fchownat(borrowed(dirfd), c_path(path)?.as_c_str(), owner, group, nix_at_flags(flags))
        .map_err(from_nix)
}

pub fn getdents64(fd: Fd) -> Result<Vec<DirectoryEntry>, Errno> {
    const BUFFER_SIZE: usize = 32 << 10;
    let mut buffer = Vec::with_capacity(BUFFER_SIZE);
    let mut directory = RawDir::new(borrowed(fd), buffer.spare_capacity_mut());
    let mut entries = Vec::new();
    // `next` makes the call when the buffer is empty: the first time, and then not again.
    while entries.is_empty() || !directory.is_buffer_empty() {
        let Some(entry) = directory.next() else { break };
        let entry = entry.map_err(from_rustix)?;
        entries.push(DirectoryEntry {
            inode: entry.ino(),
            file_type: file_type(entry.file_type()),
            name: Bytes::from(entry.file_name().to_bytes()),
        });
    }
    Ok(entries)
}

fn file_type(file_type: rustix::fs::FileType) -> Option<FileType> {
    Some(match file_type {
        rustix::fs::FileType::RegularFile => FileType::Regular,
        rustix::fs::FileType::Directory => FileType::Directory,
        rustix::fs::FileType::Symlink => FileType::Symlink,
        rustix::fs::FileType::CharacterDevice => FileType::CharacterDevice,
        rustix::fs::FileType::BlockDevice => FileType::BlockDevice,
        rustix::fs::FileType::Fifo => FileType::Fifo,
        rustix::fs::FileType::Socket => FileType::Socket,
        rustix::fs::FileType::Unknown => return None,
    })
}

/// Reads less than a `count` that is larger than any sensible buffer, as read(2) may.
pub fn read(fd: Fd, count: usize) -> Result<Bytes, Errno> {
    const LARGEST_READ: usize = 1 << 20;
    let count = count.min(LARGEST_READ);
    let mut buffer = Vec::with_capacity(count);
    // Not by nix, whose buffer is to be filled before: a mount table is given a page at a time, whatever is asked for.
    let (read, _) = rustix::io::read(borrowed(fd), &mut buffer.spare_capacity_mut()[..count]).map_err(from_rustix)?;
    let length = read.len();
    // SAFETY: the call has initialized the first `length` bytes.
    unsafe { buffer.set_len(length) };
    Ok(Bytes(buffer))
}

pub fn write(fd: Fd, data: &[u8]) -> Result<usize, Errno> {
    nix::unistd::write(borrowed(fd), data).map_err(from_nix)
}

pub fn lseek(fd: Fd, offset: i64, whence: Whence) -> Result<u64, Errno> {
    let whence = match whence {
        Whence::Start => nix::unistd::Whence::SeekSet,
        Whence::Current => nix::unistd::Whence::SeekCur,
        Whence::End => nix::unistd::Whence::SeekEnd,
    };
    nix::unistd::lseek64(borrowed(fd), offset, whence).map(i64::cast_unsigned).map_err(from_nix)
}

/// rustix's, whose length is 64 bits everywhere.
pub fn ftruncate(fd: Fd, length: u64) -> Result<(), Errno> {
    rustix::fs::ftruncate(borrowed(fd), length).map_err(from_rustix)
}

pub fn fsync(fd: Fd) -> Result<(), Errno> {
    nix::unistd::fsync(borrowed(fd)).map_err(from_nix)
}

/// C's, as nix and rustix take only the operations that make sense.
pub fn flock(fd: Fd, operation: FlockOperation) -> Result<(), Errno> {
    // SAFETY: the call takes numbers only.
    check(unsafe { libc::flock(fd.0, operation.bits().cast_signed()) })?;
    Ok(())
}

pub fn pipe2(flags: OpenFlags) -> Result<(Fd, Fd), Errno> {
    let (read, write) = nix::unistd::pipe2(OFlag::from_bits_retain(open_flags(flags))).map_err(from_nix)?;
    Ok((new_fd(read), new_fd(write)))
}

pub fn umask(mask: Mode) -> Mode {
    Mode(nix::sys::stat::umask(nix_mode(mask)).bits())
}

fn nix_mode(mode: Mode) -> nix::sys::stat::Mode {
    nix::sys::stat::Mode::from_bits_retain(mode.0)
}

fn nix_at_flags(flags: AtFlags) -> nix::fcntl::AtFlags {
    nix::fcntl::AtFlags::from_bits_retain(flags.bits().cast_signed())
}
