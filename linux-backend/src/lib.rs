//! The Linux kernel as cofferdam's [`Kernel`]: every method is the system call, made for the calling process or thread.
//!
//! Arguments reach the kernel as they are, bits without a name included, and its answers and error numbers come back as
//! they are: policy is the caller's.
//!
//! ```
//! use cofferdam::UnixPath;
//! use cofferdam::kernel::{Errno, Fd, Kernel, OpenFlags, OpenHow, ResolveFlags};
//! use cofferdam_linux::LinuxKernel;
//!
//! let kernel = LinuxKernel;
//! let how = OpenHow { resolve: ResolveFlags::RESOLVE_BENEATH, ..OpenHow::default() };
//! let directory = OpenHow { flags: OpenFlags::O_PATH | OpenFlags::O_DIRECTORY | OpenFlags::O_CLOEXEC, ..how };
//! let fd = kernel.openat2(Fd::CWD, UnixPath::new("."), directory)?;
//! // The path would leave the directory.
//! assert_eq!(kernel.openat2(fd, UnixPath::new(".."), how), Err(Errno::EXDEV));
//! kernel.close(fd)?;
//! # Ok::<(), Errno>(())
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!("cofferdam-linux makes system calls of Linux");

#[cfg(any(
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6",
    target_arch = "sparc",
    target_arch = "sparc64",
))]
compile_error!("on this architecture the numbers of errors and signals are not those of cofferdam::kernel");

mod convert;
mod features;
mod file;
mod mount;
mod process;
mod stack;

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, Bytes, CapabilitySets, ChildProgram, CloneFlags, CloseRangeFlags, DeviceNumber, DirectoryEntry, Errno, Fd,
    FlockOperation, FsConfig, FsmountFlags, FsopenFlags, FspickFlags, Kernel, Mode, MountAttr, MountAttrFlags,
    MountFlags, MoveMountFlags, NodeMode, OpenFlags, OpenHow, OpenTreeFlags, Pid, Prctl, RenameFlags, Rlimit,
    RlimitResource, Signal, SignalAction, SignalInfo, SignalMaskHow, SignalSet, Stat, StatFs, StatMount, StatMountMask,
    UmountFlags, UniqueMountId, Utsname, WaitOptions, WaitStatus, Whence,
};

pub use features::{Features, require_supported};

/// The kernel that this process runs on.
///
/// Where it gives or takes descriptors, these are the process's own, as plain numbers: to close, or replace, one that a
/// `File` or another owner holds breaks what that relies on.
///
/// [`Kernel::clone3`] must only be called while the process has no other thread. Its child lives in a copy of the
/// process as it was at the call, or in that very memory with the flags of vfork(2), and exits with status 101 if it panics.
/// `CLONE_VM` otherwise, and `CLONE_SETTLS`, are refused with `EINVAL`. The C library does not hear of the birth: what it remembers of the thread's id is the parent's, so the
/// child must not use raise(3) or abort(3).
///
/// [`Kernel::setgroups`], [`Kernel::setresgid`] and [`Kernel::setresuid`] are those of C, which apply to all threads.
/// [`Kernel::sigprocmask`], [`Kernel::sigaction`] and [`Kernel::sigwaitinfo`] leave out signals 32 and 33, which C keeps
/// for itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxKernel;

impl Kernel for LinuxKernel {
    fn mount(
        &self,
        source: Option<&UnixPath>,
        target: &UnixPath,
        filesystemtype: Option<&[u8]>,
        mountflags: MountFlags,
        data: Option<&[u8]>,
    ) -> Result<(), Errno> {
        mount::mount(source, target, filesystemtype, mountflags, data)
    }

    fn umount2(&self, target: &UnixPath, flags: UmountFlags) -> Result<(), Errno> {
        mount::umount2(target, flags)
    }

    fn pivot_root(&self, new_root: &UnixPath, put_old: &UnixPath) -> Result<(), Errno> {
        mount::pivot_root(new_root, put_old)
    }

    fn open_tree(&self, dirfd: Fd, path: &UnixPath, flags: OpenTreeFlags) -> Result<Fd, Errno> {
        mount::open_tree(dirfd, path, flags)
    }

    fn move_mount(
        &self,
        from_dirfd: Fd,
        from_path: &UnixPath,
        to_dirfd: Fd,
        to_path: &UnixPath,
        flags: MoveMountFlags,
    ) -> Result<(), Errno> {
        mount::move_mount(from_dirfd, from_path, to_dirfd, to_path, flags)
    }

    fn mount_setattr(&self, dirfd: Fd, path: &UnixPath, flags: AtFlags, attr: &MountAttr) -> Result<(), Errno> {
        mount::mount_setattr(dirfd, path, flags, attr)
    }

    fn open_tree_attr(&self, dirfd: Fd, path: &UnixPath, flags: OpenTreeFlags, attr: &MountAttr) -> Result<Fd, Errno> {
        mount::open_tree_attr(dirfd, path, flags, attr)
    }

    fn fsopen(&self, fsname: &[u8], flags: FsopenFlags) -> Result<Fd, Errno> {
        mount::fsopen(fsname, flags)
    }

    fn fsconfig(&self, fd: Fd, config: &FsConfig) -> Result<(), Errno> {
        mount::fsconfig(fd, config)
    }

    fn fsmount(&self, fd: Fd, flags: FsmountFlags, attr_flags: MountAttrFlags) -> Result<Fd, Errno> {
        mount::fsmount(fd, flags, attr_flags)
    }

    fn fspick(&self, dirfd: Fd, path: &UnixPath, flags: FspickFlags) -> Result<Fd, Errno> {
        mount::fspick(dirfd, path, flags)
    }

    fn statmount(&self, mount: UniqueMountId, mask: StatMountMask) -> Result<StatMount, Errno> {
        mount::statmount(mount, mask)
    }

    fn listmount(&self, mount: UniqueMountId, last: u64) -> Result<Vec<UniqueMountId>, Errno> {
        mount::listmount(mount, last)
    }

    fn statfs(&self, path: &UnixPath) -> Result<StatFs, Errno> {
        mount::statfs(path)
    }

    fn fstatfs(&self, fd: Fd) -> Result<StatFs, Errno> {
        mount::fstatfs(fd)
    }

    fn chroot(&self, path: &UnixPath) -> Result<(), Errno> {
        file::chroot(path)
    }

    fn chdir(&self, path: &UnixPath) -> Result<(), Errno> {
        file::chdir(path)
    }

    fn fchdir(&self, fd: Fd) -> Result<(), Errno> {
        file::fchdir(fd)
    }

    fn getcwd(&self) -> Result<Bytes, Errno> {
        file::getcwd()
    }

    fn unshare(&self, flags: CloneFlags) -> Result<(), Errno> {
        process::unshare(flags)
    }

    fn setns(&self, fd: Fd, nstype: CloneFlags) -> Result<(), Errno> {
        process::setns(fd, nstype)
    }

    fn openat2(&self, dirfd: Fd, path: &UnixPath, how: OpenHow) -> Result<Fd, Errno> {
        file::openat2(dirfd, path, how)
    }

    fn close(&self, fd: Fd) -> Result<(), Errno> {
        file::close(fd)
    }

    fn close_range(&self, first: u32, last: u32, flags: CloseRangeFlags) -> Result<(), Errno> {
        file::close_range(first, last, flags)
    }

    fn dup3(&self, oldfd: Fd, newfd: Fd, flags: OpenFlags) -> Result<Fd, Errno> {
        file::dup3(oldfd, newfd, flags)
    }

    fn mkdirat(&self, dirfd: Fd, path: &UnixPath, mode: Mode) -> Result<(), Errno> {
        file::mkdirat(dirfd, path, mode)
    }

    fn mknodat(&self, dirfd: Fd, path: &UnixPath, mode: NodeMode, device: DeviceNumber) -> Result<(), Errno> {
        file::mknodat(dirfd, path, mode, device)
    }

    fn symlinkat(&self, target: &UnixPath, dirfd: Fd, path: &UnixPath) -> Result<(), Errno> {
        file::symlinkat(target, dirfd, path)
    }

    fn linkat(
        &self,
        old_dirfd: Fd,
        old_path: &UnixPath,
        new_dirfd: Fd,
        new_path: &UnixPath,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        file::linkat(old_dirfd, old_path, new_dirfd, new_path, flags)
    }

    fn unlinkat(&self, dirfd: Fd, path: &UnixPath, flags: AtFlags) -> Result<(), Errno> {
        file::unlinkat(dirfd, path, flags)
    }

    fn renameat2(
        &self,
        old_dirfd: Fd,
        old_path: &UnixPath,
        new_dirfd: Fd,
        new_path: &UnixPath,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        file::renameat2(old_dirfd, old_path, new_dirfd, new_path, flags)
    }

    fn readlinkat(&self, dirfd: Fd, path: &UnixPath) -> Result<Bytes, Errno> {
        file::readlinkat(dirfd, path)
    }

    fn statx(&self, dirfd: Fd, path: &UnixPath, flags: AtFlags) -> Result<Stat, Errno> {
        file::statx(dirfd, path, flags)
    }

    fn fchmod(&self, fd: Fd, mode: Mode) -> Result<(), Errno> {
        file::fchmod(fd, mode)
    }

    fn fchmodat(&self, dirfd: Fd, path: &UnixPath, mode: Mode) -> Result<(), Errno> {
        file::fchmodat(dirfd, path, mode)
    }

    fn fchownat(
        &self,
        dirfd: Fd,
        path: &UnixPath,
        owner: Option<u32>,
        group: Option<u32>,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        file::fchownat(dirfd, path, owner, group, flags)
    }

    fn getdents64(&self, fd: Fd) -> Result<Vec<DirectoryEntry>, Errno> {
        file::getdents64(fd)
    }

    fn read(&self, fd: Fd, count: usize) -> Result<Bytes, Errno> {
        file::read(fd, count)
    }

    fn write(&self, fd: Fd, data: &[u8]) -> Result<usize, Errno> {
        file::write(fd, data)
    }

    fn lseek(&self, fd: Fd, offset: i64, whence: Whence) -> Result<u64, Errno> {
        file::lseek(fd, offset, whence)
    }

    fn ftruncate(&self, fd: Fd, length: u64) -> Result<(), Errno> {
        file::ftruncate(fd, length)
    }

    fn fsync(&self, fd: Fd) -> Result<(), Errno> {
        file::fsync(fd)
    }

    fn flock(&self, fd: Fd, operation: FlockOperation) -> Result<(), Errno> {
        file::flock(fd, operation)
    }

    fn pipe2(&self, flags: OpenFlags) -> Result<(Fd, Fd), Errno> {
        file::pipe2(flags)
    }

    fn umask(&self, mask: Mode) -> Result<Mode, Errno> {
        Ok(file::umask(mask))
    }

    fn uname(&self) -> Result<Utsname, Errno> {
        process::uname()
    }

    fn getpid(&self) -> Result<Pid, Errno> {
        Ok(process::getpid())
    }

    fn getppid(&self) -> Result<Pid, Errno> {
        Ok(process::getppid())
    }

    fn geteuid(&self) -> Result<u32, Errno> {
        Ok(process::geteuid())
    }

    fn capget(&self) -> Result<CapabilitySets, Errno> {
        process::capget()
    }

    fn capset(&self, sets: CapabilitySets) -> Result<(), Errno> {
        process::capset(sets)
    }

    fn prctl(&self, operation: Prctl) -> Result<i32, Errno> {
        process::prctl(operation)
    }

    fn setgroups(&self, groups: &[u32]) -> Result<(), Errno> {
        process::setgroups(groups)
    }

    fn setresgid(&self, real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
        process::setresgid(real, effective, saved)
    }

    fn setresuid(&self, real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
        process::setresuid(real, effective, saved)
    }

    fn setrlimit(&self, resource: RlimitResource, limit: Rlimit) -> Result<(), Errno> {
        process::setrlimit(resource, limit)
    }

    fn sigaction(&self, signal: Signal, action: SignalAction) -> Result<(), Errno> {
        process::sigaction(signal, action)
    }

    fn sigprocmask(&self, how: SignalMaskHow, set: SignalSet) -> Result<SignalSet, Errno> {
        process::sigprocmask(how, set)
    }

    fn sigwaitinfo(&self, set: SignalSet) -> Result<SignalInfo, Errno> {
        process::sigwaitinfo(set)
    }

    fn kill(&self, pid: Pid, signal: Signal) -> Result<(), Errno> {
        process::kill(pid, signal)
    }

    fn wait4(&self, pid: Pid, options: WaitOptions) -> Result<Option<(Pid, WaitStatus)>, Errno> {
        process::wait4(pid, options)
    }

    fn execve(&self, path: &UnixPath, argv: &[Bytes], envp: &[Bytes]) -> Result<(), Errno> {
        process::execve(path, argv, envp)
    }

    fn clone3(&self, flags: CloneFlags, child: &mut ChildProgram<'_>) -> Result<Pid, Errno> {
        process::clone3(flags, child)
    }
}
