//! Mounts.

use std::ffi::{CStr, c_int, c_uint};

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, Bytes, DeviceNumber, Errno, Fd, FsConfig, FsmountFlags, FsopenFlags, FspickFlags, MountAttr,
    MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, StatFs, StatMount, StatMountMask, UmountFlags,
    UniqueMountId,
};
use libc::c_long;
use linux_raw_sys::general;
use nix::mount::{MntFlags, MsFlags};

use crate::convert::{borrowed, c_path, c_string, check, from_nix, from_rustix, new_fd, optional_c_string};

pub fn mount(
    source: Option<&UnixPath>,
    target: &UnixPath,
    filesystemtype: Option<&[u8]>,
    mountflags: MountFlags,
    data: Option<&[u8]>,
) -> Result<(), Errno> {
    let source = optional_c_string(source.map(UnixPath::as_bytes))?;
    let filesystemtype = optional_c_string(filesystemtype)?;
    let data = optional_c_string(data)?;
    nix::mount::mount(
        source.as_deref(),
        c_path(target)?.as_c_str(),
        filesystemtype.as_deref(),
        MsFlags::from_bits_retain(mountflags.bits().into()),
        data.as_deref(),
    )
    .map_err(from_nix)
}

pub fn umount2(target: &UnixPath, flags: UmountFlags) -> Result<(), Errno> {
    nix::mount::umount2(c_path(target)?.as_c_str(), MntFlags::from_bits_retain(flags.bits().cast_signed()))
        .map_err(from_nix)
}

pub fn pivot_root(new_root: &UnixPath, put_old: &UnixPath) -> Result<(), Errno> {
    nix::unistd::pivot_root(c_path(new_root)?.as_c_str(), c_path(put_old)?.as_c_str()).map_err(from_nix)
}

pub fn open_tree(dirfd: Fd, path: &UnixPath, flags: OpenTreeFlags) -> Result<Fd, Errno> {
    let flags = rustix::mount::OpenTreeFlags::from_bits_retain(flags.bits());
    rustix::mount::open_tree(borrowed(dirfd), c_path(path)?, flags).map(new_fd).map_err(from_rustix)
}

pub fn move_mount(
    from_dirfd: Fd,
    from_path: &UnixPath,
    to_dirfd: Fd,
    to_path: &UnixPath,
    flags: MoveMountFlags,
) -> Result<(), Errno> {
    let flags = rustix::mount::MoveMountFlags::from_bits_retain(flags.bits());
    let (from_path, to_path) = (c_path(from_path)?, c_path(to_path)?);
    rustix::mount::move_mount(borrowed(from_dirfd), from_path, borrowed(to_dirfd), to_path, flags).map_err(from_rustix)
}

fn mount_attr(attr: &MountAttr) -> general::mount_attr {
    general::mount_attr {
        attr_set: attr.attr_set.bits(),
        attr_clr: attr.attr_clr.bits(),
        propagation: attr.propagation.bits().into(),
        userns_fd: attr.userns_fd.map_or(0, |fd| i64::from(fd.0).cast_unsigned()),
    }
}

pub fn mount_setattr(dirfd: Fd, path: &UnixPath, flags: AtFlags, attr: &MountAttr) -> Result<(), Errno> {
    let path = c_path(path)?;
    let attr = mount_attr(attr);
    // SAFETY: the path ends in a NUL, and the size is that of the structure; the call reads both and keeps neither.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            dirfd.0,
            path.as_ptr(),
            flags.bits(),
            &raw const attr,
            size_of_val(&attr),
        )
    })?;
    Ok(())
}

pub fn open_tree_attr(dirfd: Fd, path: &UnixPath, flags: OpenTreeFlags, attr: &MountAttr) -> Result<Fd, Errno> {
    let path = c_path(path)?;
    let attr = mount_attr(attr);
    // SAFETY: the path ends in a NUL, and the size is that of the structure; the call reads both and keeps neither.
    let fd = check(unsafe {
        libc::syscall(
            c_long::from(general::__NR_open_tree_attr),
            dirfd.0,
            path.as_ptr(),
            flags.bits(),
            &raw const attr,
            size_of_val(&attr),
        )
    })?;
    // A descriptor is an `int`, which C returns in a `long`.
    Ok(Fd(c_int::try_from(fd).map_err(|_| Errno::EBADF)?))
}

pub fn fsopen(fsname: &[u8], flags: FsopenFlags) -> Result<Fd, Errno> {
    let flags = rustix::mount::FsOpenFlags::from_bits_retain(flags.bits());
    rustix::mount::fsopen(c_string(fsname)?, flags).map(new_fd).map_err(from_rustix)
}

pub fn fsconfig(fd: Fd, config: &FsConfig) -> Result<(), Errno> {
    let fd = borrowed(fd);
    match config {
        FsConfig::SetFlag { key } => rustix::mount::fsconfig_set_flag(fd, c_string(key)?),
        FsConfig::SetString { key, value } => rustix::mount::fsconfig_set_string(fd, c_string(key)?, c_string(value)?),
        FsConfig::SetBinary { key, value } => rustix::mount::fsconfig_set_binary(fd, c_string(key)?, &value.0),
        FsConfig::SetPath { key, dirfd, path } => {
            rustix::mount::fsconfig_set_path(fd, c_string(key)?, c_string(path)?, borrowed(*dirfd))
        }
        FsConfig::SetFd { key, fd: value } => rustix::mount::fsconfig_set_fd(fd, c_string(key)?, borrowed(*value)),
        FsConfig::Create => rustix::mount::fsconfig_create(fd),
        FsConfig::CreateExclusive => rustix::mount::fsconfig_create_exclusive(fd),
        FsConfig::Reconfigure => rustix::mount::fsconfig_reconfigure(fd),
    }
    .map_err(from_rustix)
}

pub fn fsmount(fd: Fd, flags: FsmountFlags, attr_flags: MountAttrFlags) -> Result<Fd, Errno> {
    // The call takes 32 bits, mount_setattr(2) 64 of the same flags; C would cut off the rest too.
    #[allow(clippy::cast_possible_truncation, reason = "see above")]
    let attr_flags = rustix::mount::MountAttrFlags::from_bits_retain(attr_flags.bits() as c_uint);
    let flags = rustix::mount::FsMountFlags::from_bits_retain(flags.bits());
    rustix::mount::fsmount(borrowed(fd), flags, attr_flags).map(new_fd).map_err(from_rustix)
}

pub fn fspick(dirfd: Fd, path: &UnixPath, flags: FspickFlags) -> Result<Fd, Errno> {
    let flags = rustix::mount::FsPickFlags::from_bits_retain(flags.bits());
    rustix::mount::fspick(borrowed(dirfd), c_path(path)?, flags).map(new_fd).map_err(from_rustix)
}

fn mount_request(mount: UniqueMountId, param: u64) -> general::mnt_id_req {
    // The size that Linux 6.8 knows; `mnt_ns_id`, beyond it, is not read.
    general::mnt_id_req { size: general::MNT_ID_REQ_SIZE_VER0, spare: 0, mnt_id: mount.0, param, mnt_ns_id: 0 }
}

/// The strings' length is not known before: while they do not fit (`EOVERFLOW`), the buffer grows.
pub fn statmount(mount: UniqueMountId, mask: StatMountMask) -> Result<StatMount, Errno> {
    const FIRST_SIZE: usize = 4 << 10;
    const LAST_SIZE: usize = 1 << 20;
    let request = mount_request(mount, mask.bits());
    let mut size = FIRST_SIZE;
    loop {
        // Words, as the structure at the beginning is aligned to 8.
        let mut buffer = vec![0_u64; size / size_of::<u64>()];
        // SAFETY: the request is as large as it says, and the call writes no more than `size` bytes.
        let result = check(unsafe {
            libc::syscall(c_long::from(general::__NR_statmount), &raw const request, buffer.as_mut_ptr(), size, 0)
        });
        match result {
            Ok(_) => return Ok(parse_statmount(&buffer)),
            Err(Errno::EOVERFLOW) if size < LAST_SIZE => size *= 2,
            Err(errno) => return Err(errno),
        }
    }
}

fn parse_statmount(buffer: &[u64]) -> StatMount {
    let size = size_of_val(buffer);
    assert!(size >= size_of::<general::statmount>());
    // SAFETY: the buffer is long enough, as was just checked, and aligned; any bits are a value of the structure.
    let reply = unsafe { &*buffer.as_ptr().cast::<general::statmount>() };
    // SAFETY: these are the initialized bytes of the buffer, which is borrowed.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.as_ptr().cast::<u8>(), size) };
    let mask = StatMountMask::from_bits_retain(reply.mask);
    // Strings one behind the other, each with its NUL.
    let strings = |field, offset: u32, count: u32| {
        let mut rest = bytes.get(size_of::<general::statmount>() + offset as usize..).unwrap_or_default();
        let next = || {
            let string = CStr::from_bytes_until_nul(rest).ok()?;
            rest = rest.get(string.count_bytes() + 1..)?;
            Some(Bytes::from(string.to_bytes()))
        };
        let count = if mask.contains(field) { count as usize } else { 0 };
        std::iter::from_fn(next).take(count).collect::<Vec<_>>()
    };
    let string = |field, offset| strings(field, offset, 1).pop().unwrap_or_default();
    StatMount {
        mask,
        device: DeviceNumber { major: reply.sb_dev_major, minor: reply.sb_dev_minor },
        magic: reply.sb_magic,
        super_flags: MountFlags::from_bits_retain(reply.sb_flags),
        mount_id: reply.mnt_id,
        parent_id: reply.mnt_parent_id,
        old_mount_id: reply.mnt_id_old,
        old_parent_id: reply.mnt_parent_id_old,
        attributes: MountAttrFlags::from_bits_retain(reply.mnt_attr),
        // `MS_*` have 32 bits.
        propagation: MountFlags::from_bits_retain(u32::try_from(reply.mnt_propagation).unwrap_or(u32::MAX)),
        peer_group: reply.mnt_peer_group,
        master: reply.mnt_master,
        propagate_from: reply.propagate_from,
        root: string(StatMountMask::STATMOUNT_MNT_ROOT, reply.mnt_root),
        mountpoint: string(StatMountMask::STATMOUNT_MNT_POINT, reply.mnt_point),
        filesystem_type: string(StatMountMask::STATMOUNT_FS_TYPE, reply.fs_type),
        filesystem_subtype: string(StatMountMask::STATMOUNT_FS_SUBTYPE, reply.fs_subtype),
        namespace_id: reply.mnt_ns_id,
        options: string(StatMountMask::STATMOUNT_MNT_OPTS, reply.mnt_opts),
        option_array: strings(StatMountMask::STATMOUNT_OPT_ARRAY, reply.opt_array, reply.opt_num),
        security_option_array: strings(StatMountMask::STATMOUNT_OPT_SEC_ARRAY, reply.opt_sec_array, reply.opt_sec_num),
        source: string(StatMountMask::STATMOUNT_SB_SOURCE, reply.sb_source),
        uid_map: strings(StatMountMask::STATMOUNT_MNT_UIDMAP, reply.mnt_uidmap, reply.mnt_uidmap_num),
        gid_map: strings(StatMountMask::STATMOUNT_MNT_GIDMAP, reply.mnt_gidmap, reply.mnt_gidmap_num),
        supported_mask: StatMountMask::from_bits_retain(reply.supported_mask),
    }
}

/// As many calls as it takes to get them all.
pub fn listmount(mount: UniqueMountId, last: u64) -> Result<Vec<UniqueMountId>, Errno> {
    const BATCH: usize = 512;
    let mut mounts = Vec::new();
    let mut last = last;
    loop {
        let request = mount_request(mount, last);
        let mut batch = [0_u64; BATCH];
        // SAFETY: the request is as large as it says, and the call writes no more than `BATCH` ids.
        let count = check(unsafe {
            libc::syscall(c_long::from(general::__NR_listmount), &raw const request, batch.as_mut_ptr(), BATCH, 0)
        })?;
        let ids = usize::try_from(count).ok().and_then(|count| batch.get(..count)).unwrap_or_default();
        mounts.extend(ids.iter().copied().map(UniqueMountId));
        match ids.last() {
            Some(id) if ids.len() == BATCH => last = *id,
            _ => return Ok(mounts),
        }
    }
}

pub fn statfs(path: &UnixPath) -> Result<StatFs, Errno> {
    rustix::fs::statfs(c_path(path)?).map(stat_fs).map_err(from_rustix)
}

pub fn fstatfs(fd: Fd) -> Result<StatFs, Errno> {
    rustix::fs::fstatfs(borrowed(fd)).map(stat_fs).map_err(from_rustix)
}

#[allow(clippy::cast_sign_loss, reason = "none of the fields is negative")]
#[allow(clippy::unnecessary_cast, reason = "their types differ between architectures")]
fn stat_fs(stat: rustix::fs::StatFs) -> StatFs {
    // SAFETY: it is two numbers of 32 bits, which C hides (`__kernel_fsid_t`); any bits are such numbers.
    let [first, second]: [u32; 2] = unsafe { std::mem::transmute(stat.f_fsid) };
    StatFs {
        magic: stat.f_type as u64,
        block_size: stat.f_bsize as u64,
        fragment_size: stat.f_frsize as u64,
        blocks: stat.f_blocks as u64,
        free_blocks: stat.f_bfree as u64,
        available_blocks: stat.f_bavail as u64,
        files: stat.f_files as u64,
        free_files: stat.f_ffree as u64,
        id: u64::from(first) | u64::from(second) << 32,
        name_length: stat.f_namelen as u64,
        flags: stat.f_flags as u64,
    }
}
