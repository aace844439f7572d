//! The system calls of a process of a simulated kernel.

use cofferdam::UnixPath;
use cofferdam::kernel::{
    Argument, AtFlags, Bytes, Call, CapabilitySets, ChildProgram, CloneFlags, CloseRangeFlags, DeviceNumber,
    DirectoryEntry, Errno, Fd, FlockOperation, FsConfig, FsmountFlags, FsopenFlags, FspickFlags, Kernel, Mode,
    MountAttr, MountAttrFlags, MountFlags, MoveMountFlags, NodeMode, OpenFlags, OpenHow, OpenTreeFlags, Pid, Prctl,
    RenameFlags, Rlimit, RlimitResource, Signal, SignalAction, SignalInfo, SignalMaskHow, SignalSet, Stat, StatFs,
    StatMount, StatMountMask, UmountFlags, UniqueMountId, Utsname, WaitOptions, WaitStatus, Whence,
};

use super::{Access, Process};
use crate::failure::{Failure, fail};
use crate::linux::Linux;

fn bytes(path: &UnixPath) -> Result<&[u8], Failure> {
    let path = path.as_bytes();
    if path.contains(&0) { Err(fail!(EINVAL, "getname()", "a path of a call ends at its first NUL")) } else { Ok(path) }
}

/// A call as data, if somebody wants to know.
macro_rules! call {
    ($call:ident { $($argument:ident),* }) => {
        || Call::$call { $($argument: Argument::record(&$argument)),* }
    };
}

impl<L: Access> Kernel for Process<L> {
    fn mount(
        &self,
        source: Option<&UnixPath>,
        target: &UnixPath,
        filesystemtype: Option<&[u8]>,
        mountflags: MountFlags,
        data: Option<&[u8]>,
    ) -> Result<(), Errno> {
        self.call(call!(Mount { source, target, filesystemtype, mountflags, data }), |linux| {
            linux.mount(self.task, source.map(bytes).transpose()?, bytes(target)?, filesystemtype, mountflags, data)
        })
    }

    fn umount2(&self, target: &UnixPath, flags: UmountFlags) -> Result<(), Errno> {
        self.call(call!(Umount2 { target, flags }), |linux| linux.umount2(self.task, bytes(target)?, flags))
    }

    fn pivot_root(&self, new_root: &UnixPath, put_old: &UnixPath) -> Result<(), Errno> {
        self.call(call!(PivotRoot { new_root, put_old }), |linux| {
            linux.pivot_root(self.task, bytes(new_root)?, bytes(put_old)?)
        })
    }

    fn open_tree(&self, dirfd: Fd, path: &UnixPath, flags: OpenTreeFlags) -> Result<Fd, Errno> {
        self.call(call!(OpenTree { dirfd, path, flags }), |linux| {
            linux.open_tree(self.task, dirfd, bytes(path)?, flags)
        })
    }

    fn move_mount(
        &self,
        from_dirfd: Fd,
        from_path: &UnixPath,
        to_dirfd: Fd,
        to_path: &UnixPath,
        flags: MoveMountFlags,
    ) -> Result<(), Errno> {
        self.call(call!(MoveMount { from_dirfd, from_path, to_dirfd, to_path, flags }), |linux| {
            linux.move_mount(self.task, from_dirfd, bytes(from_path)?, to_dirfd, bytes(to_path)?, flags)
        })
    }

    fn mount_setattr(&self, dirfd: Fd, path: &UnixPath, flags: AtFlags, attr: &MountAttr) -> Result<(), Errno> {
        self.call(call!(MountSetattr { dirfd, path, flags, attr }), |linux| {
            linux.mount_setattr(self.task, dirfd, bytes(path)?, flags, attr)
        })
    }

    fn open_tree_attr(&self, dirfd: Fd, path: &UnixPath, flags: OpenTreeFlags, attr: &MountAttr) -> Result<Fd, Errno> {
        self.call(call!(OpenTreeAttr { dirfd, path, flags, attr }), |linux| {
            linux.open_tree_attr(self.task, dirfd, bytes(path)?, flags, attr)
        })
    }

    fn fsopen(&self, fsname: &[u8], flags: FsopenFlags) -> Result<Fd, Errno> {
        self.call(call!(Fsopen { fsname, flags }), |linux| linux.fsopen(self.task, fsname, flags))
    }

    fn fsconfig(&self, fd: Fd, config: &FsConfig) -> Result<(), Errno> {
        self.call(call!(Fsconfig { fd, config }), |linux| linux.fsconfig(self.task, fd, config))
    }

    fn fsmount(&self, fd: Fd, flags: FsmountFlags, attr_flags: MountAttrFlags) -> Result<Fd, Errno> {
        self.call(call!(Fsmount { fd, flags, attr_flags }), |linux| linux.fsmount(self.task, fd, flags, attr_flags))
    }

    fn fspick(&self, dirfd: Fd, path: &UnixPath, flags: FspickFlags) -> Result<Fd, Errno> {
        self.call(call!(Fspick { dirfd, path, flags }), |linux| linux.fspick(self.task, dirfd, bytes(path)?, flags))
    }

    fn statmount(&self, mount: UniqueMountId, mask: StatMountMask) -> Result<StatMount, Errno> {
        self.call(call!(Statmount { mount, mask }), |linux| linux.statmount(self.task, mount, mask))
    }

    fn listmount(&self, mount: UniqueMountId, last: u64) -> Result<Vec<UniqueMountId>, Errno> {
        self.call(call!(Listmount { mount, last }), |linux| linux.listmount(self.task, mount, last))
    }

    fn statfs(&self, path: &UnixPath) -> Result<StatFs, Errno> {
        self.call(call!(Statfs { path }), |linux| linux.statfs(self.task, bytes(path)?))
    }

    fn fstatfs(&self, fd: Fd) -> Result<StatFs, Errno> {
        self.call(call!(Fstatfs { fd }), |linux| linux.fstatfs(self.task, fd))
    }

    fn chroot(&self, path: &UnixPath) -> Result<(), Errno> {
        self.call(call!(Chroot { path }), |linux| linux.chroot(self.task, bytes(path)?))
    }

    fn chdir(&self, path: &UnixPath) -> Result<(), Errno> {
        self.call(call!(Chdir { path }), |linux| linux.chdir(self.task, bytes(path)?))
    }

    fn fchdir(&self, fd: Fd) -> Result<(), Errno> {
        self.call(call!(Fchdir { fd }), |linux| linux.fchdir(self.task, fd))
    }

    fn getcwd(&self) -> Result<Bytes, Errno> {
        self.call(call!(Getcwd {}), |linux| linux.getcwd(self.task))
    }

    fn unshare(&self, flags: CloneFlags) -> Result<(), Errno> {
        self.call(call!(Unshare { flags }), |linux| linux.unshare(self.task, flags))
    }

    fn setns(&self, fd: Fd, nstype: CloneFlags) -> Result<(), Errno> {
        self.call(call!(Setns { fd, nstype }), |linux| linux.setns(self.task, fd, nstype))
    }

    fn openat2(&self, dirfd: Fd, path: &UnixPath, how: OpenHow) -> Result<Fd, Errno> {
        self.call(call!(Openat2 { dirfd, path, how }), |linux| linux.openat2(self.task, dirfd, bytes(path)?, how))
    }

    fn close(&self, fd: Fd) -> Result<(), Errno> {
        self.call(call!(Close { fd }), |linux| linux.close(self.task, fd))
    }

    fn close_range(&self, first: u32, last: u32, flags: CloseRangeFlags) -> Result<(), Errno> {
        self.call(call!(CloseRange { first, last, flags }), |linux| linux.close_range(self.task, first, last, flags))
    }

    fn dup3(&self, oldfd: Fd, newfd: Fd, flags: OpenFlags) -> Result<Fd, Errno> {
        self.call(call!(Dup3 { oldfd, newfd, flags }), |linux| linux.dup3(self.task, oldfd, newfd, flags))
    }

    fn mkdirat(&self, dirfd: Fd, path: &UnixPath, mode: Mode) -> Result<(), Errno> {
        self.call(call!(Mkdirat { dirfd, path, mode }), |linux| linux.mkdirat(self.task, dirfd, bytes(path)?, mode))
    }

    fn mknodat(&self, dirfd: Fd, path: &UnixPath, mode: NodeMode, device: DeviceNumber) -> Result<(), Errno> {
        self.call(call!(Mknodat { dirfd, path, mode, device }), |linux| {
            linux.mknodat(self.task, dirfd, bytes(path)?, mode, device)
        })
    }

    fn symlinkat(&self, target: &UnixPath, dirfd: Fd, path: &UnixPath) -> Result<(), Errno> {
        self.call(call!(Symlinkat { target, dirfd, path }), |linux| {
            linux.symlinkat(self.task, bytes(target)?, dirfd, bytes(path)?)
        })
    }

    fn linkat(
        &self,
        old_dirfd: Fd,
        old_path: &UnixPath,
        new_dirfd: Fd,
        new_path: &UnixPath,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        self.call(call!(Linkat { old_dirfd, old_path, new_dirfd, new_path, flags }), |linux| {
            linux.linkat(self.task, old_dirfd, bytes(old_path)?, new_dirfd, bytes(new_path)?, flags)
        })
    }

    fn unlinkat(&self, dirfd: Fd, path: &UnixPath, flags: AtFlags) -> Result<(), Errno> {
        self.call(call!(Unlinkat { dirfd, path, flags }), |linux| linux.unlinkat(self.task, dirfd, bytes(path)?, flags))
    }

    fn renameat2(
        &self,
        old_dirfd: Fd,
        old_path: &UnixPath,
        new_dirfd: Fd,
        new_path: &UnixPath,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        self.call(call!(Renameat2 { old_dirfd, old_path, new_dirfd, new_path, flags }), |linux| {
            linux.renameat2(self.task, old_dirfd, bytes(old_path)?, new_dirfd, bytes(new_path)?, flags)
        })
    }

    fn readlinkat(&self, dirfd: Fd, path: &UnixPath) -> Result<Bytes, Errno> {
        self.call(call!(Readlinkat { dirfd, path }), |linux| linux.readlinkat(self.task, dirfd, bytes(path)?))
    }

    fn statx(&self, dirfd: Fd, path: &UnixPath, flags: AtFlags) -> Result<Stat, Errno> {
        self.call(call!(Statx { dirfd, path, flags }), |linux| linux.statx(self.task, dirfd, bytes(path)?, flags))
    }

    fn fchmod(&self, fd: Fd, mode: Mode) -> Result<(), Errno> {
        self.call(call!(Fchmod { fd, mode }), |linux| linux.fchmod(self.task, fd, mode))
    }

    fn fchmodat(&self, dirfd: Fd, path: &UnixPath, mode: Mode) -> Result<(), Errno> {
        self.call(call!(Fchmodat { dirfd, path, mode }), |linux| linux.fchmodat(self.task, dirfd, bytes(path)?, mode))
    }

    fn fchownat(
        &self,
        dirfd: Fd,
        path: &UnixPath,
        owner: Option<u32>,
        group: Option<u32>,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        self.call(call!(Fchownat { dirfd, path, owner, group, flags }), |linux| {
            linux.fchownat(self.task, dirfd, bytes(path)?, owner, group, flags)
        })
    }

    fn getdents64(&self, fd: Fd) -> Result<Vec<DirectoryEntry>, Errno> {
        self.call(call!(Getdents64 { fd }), |linux| linux.getdents64(self.task, fd))
    }

    fn read(&self, fd: Fd, count: usize) -> Result<Bytes, Errno> {
        self.call(call!(Read { fd, count }), |linux| linux.read(self.task, fd, count))
    }

    fn write(&self, fd: Fd, data: &[u8]) -> Result<usize, Errno> {
        self.call(call!(Write { fd, data }), |linux| linux.write(self.task, fd, data))
    }

    fn lseek(&self, fd: Fd, offset: i64, whence: Whence) -> Result<u64, Errno> {
        self.call(call!(Lseek { fd, offset, whence }), |linux| linux.lseek(self.task, fd, offset, whence))
    }

    fn ftruncate(&self, fd: Fd, length: u64) -> Result<(), Errno> {
        self.call(call!(Ftruncate { fd, length }), |linux| linux.ftruncate(self.task, fd, length))
    }

    fn fsync(&self, fd: Fd) -> Result<(), Errno> {
        self.call(call!(Fsync { fd }), |linux| linux.fsync(self.task, fd))
    }

    fn flock(&self, fd: Fd, operation: FlockOperation) -> Result<(), Errno> {
        self.call(call!(Flock { fd, operation }), |linux| linux.flock(self.task, fd, operation))
    }

    fn pipe2(&self, flags: OpenFlags) -> Result<(Fd, Fd), Errno> {
        self.call(call!(Pipe2 { flags }), |linux| linux.pipe2(self.task, flags))
    }

    fn umask(&self, mask: Mode) -> Result<Mode, Errno> {
        self.call(call!(Umask { mask }), |linux| linux.umask(self.task, mask))
    }

    fn uname(&self) -> Result<Utsname, Errno> {
        self.call(call!(Uname {}), |linux| linux.uname(self.task))
    }

    fn getpid(&self) -> Result<Pid, Errno> {
        self.call(call!(Getpid {}), |linux| linux.getpid(self.task))
    }

    fn getppid(&self) -> Result<Pid, Errno> {
        self.call(call!(Getppid {}), |linux| linux.getppid(self.task))
    }

    fn geteuid(&self) -> Result<u32, Errno> {
        self.call(call!(Geteuid {}), |linux| linux.geteuid(self.task))
    }

    fn capget(&self) -> Result<CapabilitySets, Errno> {
        self.call(call!(Capget {}), |linux| linux.capget(self.task))
    }

    fn capset(&self, sets: CapabilitySets) -> Result<(), Errno> {
        self.call(call!(Capset { sets }), |linux| linux.capset(self.task, sets))
    }

    fn prctl(&self, operation: Prctl) -> Result<i32, Errno> {
        self.call(call!(Prctl { operation }), |linux| linux.prctl(self.task, operation))
    }

    fn setgroups(&self, groups: &[u32]) -> Result<(), Errno> {
        self.call(call!(Setgroups { groups }), |linux| linux.setgroups(self.task, groups))
    }

    fn setresgid(&self, real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
        self.call(call!(Setresgid { real, effective, saved }), |linux| {
            linux.setresgid(self.task, real, effective, saved)
        })
    }

    fn setresuid(&self, real: u32, effective: u32, saved: u32) -> Result<(), Errno> {
        self.call(call!(Setresuid { real, effective, saved }), |linux| {
            linux.setresuid(self.task, real, effective, saved)
        })
    }

    fn setrlimit(&self, resource: RlimitResource, limit: Rlimit) -> Result<(), Errno> {
        self.call(call!(Setrlimit { resource, limit }), |linux| linux.setrlimit(self.task, resource, limit))
    }

    fn sigaction(&self, signal: Signal, action: SignalAction) -> Result<(), Errno> {
        self.call(call!(Sigaction { signal, action }), |linux| linux.sigaction(self.task, signal, action))
    }

    fn sigprocmask(&self, how: SignalMaskHow, set: SignalSet) -> Result<SignalSet, Errno> {
        self.call(call!(Sigprocmask { how, set }), |linux| linux.sigprocmask(self.task, how, set))
    }

    fn sigwaitinfo(&self, set: SignalSet) -> Result<SignalInfo, Errno> {
        self.call(call!(Sigwaitinfo { set }), |linux| linux.sigwaitinfo(self.task, set))
    }

    fn kill(&self, pid: Pid, signal: Signal) -> Result<(), Errno> {
        self.call(call!(Kill { pid, signal }), |linux| linux.kill(self.task, pid, signal))
    }

    fn wait4(&self, pid: Pid, options: WaitOptions) -> Result<Option<(Pid, WaitStatus)>, Errno> {
        self.call(call!(Wait4 { pid, options }), |linux| linux.wait4(self.task, pid, options))
    }

    fn execve(&self, path: &UnixPath, argv: &[Bytes], envp: &[Bytes]) -> Result<(), Errno> {
        self.call(call!(Execve { path, argv, envp }), |linux| linux.execve(self.task, bytes(path)?, argv, envp))
    }

    fn clone3(&self, flags: CloneFlags, child: &mut ChildProgram<'_>) -> Result<Pid, Errno> {
        // Its part is done before ours goes on, whether it has our memory or not.
        let flags = if flags.is_vfork() { flags - CloneFlags::CLONE_VM } else { flags };
        let (task, pid) = self.call(call!(Clone3 { flags }), |linux| {
            let task = linux.new_child(self.task, flags)?;
            Ok((task, Pid(linux.pid_seen_by(self.task, task))))
        })?;
        let kernel = Self::new(self.linux.clone(), task);
        let status = child(&kernel);
        kernel.exit(status);
        // Its calls are not this one.
        self.linux.with(Linux::forget_why);
        Ok(pid)
    }
}
