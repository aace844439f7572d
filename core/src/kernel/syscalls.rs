//! The table of system calls: one declaration each, from which come the method of [`Kernel`], the variant of [`Call`],
//! [`Call::apply`], the display as strace prints it, and the forwarding of [`Intercepted`].
//!
//! A row reads `Variant = method(argument: borrowed type as type that is recorded, ...) -> result => index;`. `as` is
//! left out where both types are the same; the index, where there is one, is the position among the arguments at which
//! the C call takes the buffer that the result comes in, where strace prints it.

use serde::{Deserialize, Serialize};
use typed_path::UnixPath;

use super::argument::Argument;
use super::bytes::Bytes;
use super::errno::Errno;
use super::flags::{
    AtFlags, CloneFlags, CloseRangeFlags, FlockOperation, FsmountFlags, FsopenFlags, FspickFlags, MountAttrFlags,
    MountFlags, MoveMountFlags, OpenFlags, OpenTreeFlags, RenameFlags, StatMountMask, UmountFlags, WaitOptions,
};
use super::intercept::{Intercepted, Interceptor};
use super::strace::{Arguments, Strace};
use super::types::{
    CapabilitySets, DeviceNumber, DirectoryEntry, Fd, FsConfig, Mode, MountAttr, NodeMode, OpenHow, Pid, Prctl, Rlimit,
    RlimitResource, Signal, SignalAction, SignalInfo, SignalMaskHow, SignalSet, Stat, StatFs, StatMount, UniqueMountId,
    Utsname, WaitStatus, Whence,
};

/// What a process of a kernel does between its birth and its end; the number is its exit status.
pub type ChildProgram<'a> = dyn FnMut(&dyn Kernel) -> i32 + 'a;

macro_rules! recorded {
    ($borrowed:ty) => {
        $borrowed
    };
    ($borrowed:ty, $recorded:ty) => {
        $recorded
    };
}

macro_rules! output_position {
    () => {
        None
    };
    ($position:literal) => {
        Some($position)
    };
}

macro_rules! syscalls {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident = $method:ident($($argument:ident: $borrowed:ty $(as $recorded:ty)?),*) -> $result:ty $(=> $output:literal)?;
    )*) => {
        /// One process's view of Linux, at the level of system calls.
        ///
        /// A method is a system call: its name, its arguments, its error numbers, no policy. An implementation acts for
        /// one process: the calling one for the Linux backend, a simulated one for the simulation. Methods take
        /// `&self`, as a process may be in several hands.
        ///
        /// Paths and strings are bytes without a NUL; one with a NUL, which C could not pass, gives `EINVAL`.
        /// Descriptors are plain numbers; [`Descriptor`](super::Descriptor) closes one on drop.
        ///
        /// The errors are those of the manual page that each method names.
        pub trait Kernel {
            $(
                $(#[doc = $doc])+
                fn $method(&self, $($argument: $borrowed),*) -> Result<$result, Errno>;
            )*

            /// clone3(2) with the exit signal `SIGCHLD`: makes a child process that runs `child` and exits with the
            /// status that it returns. It gets copies of our memory and descriptors, as after fork(2).
            ///
            /// With the flags of vfork(2) it gets no copy of our memory, but uses ours, while we wait until it has executed a
            /// program or has ended ([`CloneFlags::is_vfork`]). Any other sharing of memory is `EINVAL`.
            ///
            /// The child uses the kernel that it is handed, not ours. The calling process must be single-threaded,
            /// as only the calling thread exists in the child.
            fn clone3(&self, flags: CloneFlags, child: &mut ChildProgram<'_>) -> Result<Pid, Errno>;
        }

        /// A borrowed kernel is as good as an owned one.
        impl<K: Kernel + ?Sized> Kernel for &K {
            $(
                fn $method(&self, $($argument: $borrowed),*) -> Result<$result, Errno> {
                    (**self).$method($($argument),*)
                }
            )*

            fn clone3(&self, flags: CloneFlags, child: &mut ChildProgram<'_>) -> Result<Pid, Errno> {
                (**self).clone3(flags, child)
            }
        }

        /// A system call as data: it can be displayed, recorded, generated, and applied to any kernel.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(tag = "call", rename_all = "snake_case")]
        pub enum Call {
            $(
                #[doc = concat!("[`Kernel::", stringify!($method), "`]")]
                #[allow(missing_docs, reason = "the arguments are those of the call")]
                $variant { $($argument: recorded!($borrowed $(, $recorded)?)),* },
            )*
            /// [`Kernel::clone3`]. What the child does is no data.
            Clone3 {
                /// What is not shared with the child.
                flags: CloneFlags,
            },
        }

        impl Call {
            /// The names of all system calls, in the order of the table.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($method),)* "clone3"];

            /// Makes this call on a kernel. For `clone3`, whose child is no data, the child exits at once with status 0.
            ///
            /// # Errors
            ///
            /// Those of the call.
            pub fn apply(&self, kernel: &dyn Kernel) -> Result<Value, Errno> {
                match self {
                    $(
                        Self::$variant { $($argument),* } => kernel.$method($(Argument::lend($argument)),*).map(Value::from),
                    )*
                    Self::Clone3 { flags } => kernel.clone3(*flags, &mut |_| 0).map(Value::from),
                }
            }

            /// The name of the system call.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => stringify!($method),)*
                    Self::Clone3 { .. } => "clone3",
                }
            }

            /// Where strace prints the buffer that the result comes in.
            pub(super) fn output_position(&self) -> Option<usize> {
                match self {
                    $(Self::$variant { .. } => output_position!($($output)?),)*
                    Self::Clone3 { .. } => None,
                }
            }

            pub(super) fn fmt_arguments(&self, arguments: &mut Arguments<'_, '_>) -> std::fmt::Result {
                match self {
                    $(
                        Self::$variant { $($argument),* } => {
                            $(arguments.push($argument)?;)*
                            arguments.finish()
                        }
                    )*
                    Self::Clone3 { flags } => {
                        arguments.push(flags)?;
                        arguments.finish()
                    }
                }
            }
        }

        impl<K: Kernel + ?Sized, I: Interceptor + ?Sized> Kernel for Intercepted<'_, K, I> {
            $(
                fn $method(&self, $($argument: $borrowed),*) -> Result<$result, Errno> {
                    let call = Call::$variant { $($argument: Argument::record(&$argument)),* };
                    self.around(&call, |kernel| kernel.$method($($argument),*))
                }
            )*

            fn clone3(&self, flags: CloneFlags, child: &mut ChildProgram<'_>) -> Result<Pid, Errno> {
                self.around(&Call::Clone3 { flags }, |kernel| {
                    kernel.clone3(flags, &mut |kernel| {
                        let status = child(&Intercepted::new(kernel, self.interceptor()));
                        self.interceptor().ended(&kernel, status);
                        status
                    })
                })
            }
        }
    };
}

syscalls! {
    // Mounts.

    /// mount(2).
    Mount = mount(
        source: Option<&UnixPath> as Option<Bytes>, target: &UnixPath as Bytes,
        filesystemtype: Option<&[u8]> as Option<Bytes>, mountflags: MountFlags, data: Option<&[u8]> as Option<Bytes>
    ) -> ();
    /// umount2(2).
    Umount2 = umount2(target: &UnixPath as Bytes, flags: UmountFlags) -> ();
    /// pivot_root(2).
    PivotRoot = pivot_root(new_root: &UnixPath as Bytes, put_old: &UnixPath as Bytes) -> ();
    /// open_tree(2): a descriptor of a mount object (`OPEN_TREE_CLONE`: a detached copy), or of a path as with `O_PATH`.
    OpenTree = open_tree(dirfd: Fd, path: &UnixPath as Bytes, flags: OpenTreeFlags) -> Fd;
    /// move_mount(2): attaches a detached mount, or moves a mount.
    MoveMount = move_mount(
        from_dirfd: Fd, from_path: &UnixPath as Bytes, to_dirfd: Fd, to_path: &UnixPath as Bytes, flags: MoveMountFlags
    ) -> ();
    /// mount_setattr(2) (Linux 5.12).
    MountSetattr = mount_setattr(dirfd: Fd, path: &UnixPath as Bytes, flags: AtFlags, attr: &MountAttr as MountAttr) -> ();
    /// open_tree_attr(2) (Linux 6.15): open_tree(2), and mount_setattr(2) on the copy before anyone sees it.
    OpenTreeAttr = open_tree_attr(
        dirfd: Fd, path: &UnixPath as Bytes, flags: OpenTreeFlags, attr: &MountAttr as MountAttr
    ) -> Fd;
    /// fsopen(2): a context in which a filesystem is configured.
    Fsopen = fsopen(fsname: &[u8] as Bytes, flags: FsopenFlags) -> Fd;
    /// fsconfig(2).
    Fsconfig = fsconfig(fd: Fd, config: &FsConfig as FsConfig) -> ();
    /// fsmount(2): a detached mount of the filesystem that the context created.
    Fsmount = fsmount(fd: Fd, flags: FsmountFlags, attr_flags: MountAttrFlags) -> Fd;
    /// fspick(2): a context of an existing filesystem.
    Fspick = fspick(dirfd: Fd, path: &UnixPath as Bytes, flags: FspickFlags) -> Fd;
    /// statmount(2) (Linux 6.8).
    Statmount = statmount(mount: UniqueMountId, mask: StatMountMask) -> StatMount => 2;
    /// listmount(2) (Linux 6.8): every mount below `mount` in the caller's namespace, in the order of the ids; after
    /// `last`, if that is not 0.
    Listmount = listmount(mount: UniqueMountId, last: u64) -> Vec<UniqueMountId> => 2;
    /// statfs(2).
    Statfs = statfs(path: &UnixPath as Bytes) -> StatFs => 1;
    /// fstatfs(2).
    Fstatfs = fstatfs(fd: Fd) -> StatFs => 1;

    // Root, working directory, namespaces.

    /// chroot(2).
    Chroot = chroot(path: &UnixPath as Bytes) -> ();
    /// chdir(2).
    Chdir = chdir(path: &UnixPath as Bytes) -> ();
    /// fchdir(2).
    Fchdir = fchdir(fd: Fd) -> ();
    /// getcwd(2), as the kernel gives it: a directory outside the root starts with `(unreachable)`.
    Getcwd = getcwd() -> Bytes => 0;
    /// unshare(2).
    Unshare = unshare(flags: CloneFlags) -> ();
    /// setns(2).
    Setns = setns(fd: Fd, nstype: CloneFlags) -> ();

    // Paths and files.

    /// openat2(2).
    Openat2 = openat2(dirfd: Fd, path: &UnixPath as Bytes, how: OpenHow) -> Fd;
    /// close(2).
    Close = close(fd: Fd) -> ();
    /// close_range(2): closes the descriptors `first` to `last`, both included.
    CloseRange = close_range(first: u32, last: u32, flags: CloseRangeFlags) -> ();
    /// dup3(2).
    Dup3 = dup3(oldfd: Fd, newfd: Fd, flags: OpenFlags) -> Fd;
    /// mkdirat(2).
    Mkdirat = mkdirat(dirfd: Fd, path: &UnixPath as Bytes, mode: Mode) -> ();
    /// mknodat(2); makes regular files too.
    Mknodat = mknodat(dirfd: Fd, path: &UnixPath as Bytes, mode: NodeMode, device: DeviceNumber) -> ();
    /// symlinkat(2).
    Symlinkat = symlinkat(target: &UnixPath as Bytes, dirfd: Fd, path: &UnixPath as Bytes) -> ();
    /// linkat(2).
    Linkat = linkat(
        old_dirfd: Fd, old_path: &UnixPath as Bytes, new_dirfd: Fd, new_path: &UnixPath as Bytes, flags: AtFlags
    ) -> ();
    /// unlinkat(2).
    Unlinkat = unlinkat(dirfd: Fd, path: &UnixPath as Bytes, flags: AtFlags) -> ();
    /// renameat2(2).
    Renameat2 = renameat2(
        old_dirfd: Fd, old_path: &UnixPath as Bytes, new_dirfd: Fd, new_path: &UnixPath as Bytes, flags: RenameFlags
    ) -> ();
    /// readlinkat(2), the whole target.
    Readlinkat = readlinkat(dirfd: Fd, path: &UnixPath as Bytes) -> Bytes => 2;
    /// statx(2) with `STATX_BASIC_STATS | STATX_MNT_ID`.
    Statx = statx(dirfd: Fd, path: &UnixPath as Bytes, flags: AtFlags) -> Stat => 3;
    /// fchmod(2).
    Fchmod = fchmod(fd: Fd, mode: Mode) -> ();
    /// fchmodat(2); follows a symbolic link at the end of the path.
    Fchmodat = fchmodat(dirfd: Fd, path: &UnixPath as Bytes, mode: Mode) -> ();
    /// fchownat(2); `None` leaves the owner or the group as it is.
    Fchownat = fchownat(dirfd: Fd, path: &UnixPath as Bytes, owner: Option<u32>, group: Option<u32>, flags: AtFlags) -> ();
    /// getdents64(2): some entries from the descriptor's position on, `.` and `..` among them; none at the end.
    Getdents64 = getdents64(fd: Fd) -> Vec<DirectoryEntry> => 1;
    /// read(2) of at most `count` bytes.
    Read = read(fd: Fd, count: usize) -> Bytes => 1;
    /// write(2): how many bytes were written.
    Write = write(fd: Fd, data: &[u8] as Bytes) -> usize;
    /// lseek(2).
    Lseek = lseek(fd: Fd, offset: i64, whence: Whence) -> u64;
    /// ftruncate(2).
    Ftruncate = ftruncate(fd: Fd, length: u64) -> ();
    /// fsync(2).
    Fsync = fsync(fd: Fd) -> ();
    /// flock(2).
    Flock = flock(fd: Fd, operation: FlockOperation) -> ();
    /// pipe2(2): the reading and the writing end.
    Pipe2 = pipe2(flags: OpenFlags) -> (Fd, Fd) => 0;
    /// umask(2): the mask before. It never fails.
    Umask = umask(mask: Mode) -> Mode;

    // Processes and credentials.

    /// uname(2).
    Uname = uname() -> Utsname => 0;
    /// getpid(2). It never fails.
    Getpid = getpid() -> Pid;
    /// getppid(2): 0 if the parent is in no pid namespace that we can see. It never fails.
    Getppid = getppid() -> Pid;
    /// geteuid(2). It never fails.
    Geteuid = geteuid() -> u32;
    /// capget(2) of the calling thread.
    Capget = capget() -> CapabilitySets => 1;
    /// capset(2) of the calling thread.
    Capset = capset(sets: CapabilitySets) -> ();
    /// prctl(2).
    Prctl = prctl(operation: Prctl) -> i32;
    /// setgroups(2).
    Setgroups = setgroups(groups: &[u32] as Vec<u32>) -> ();
    /// setresgid(2).
    Setresgid = setresgid(real: u32, effective: u32, saved: u32) -> ();
    /// setresuid(2).
    Setresuid = setresuid(real: u32, effective: u32, saved: u32) -> ();
    /// setrlimit(2).
    Setrlimit = setrlimit(resource: RlimitResource, limit: Rlimit) -> ();
    /// sigaction(2), without a handler.
    Sigaction = sigaction(signal: Signal, action: SignalAction) -> ();
    /// sigprocmask(2): the mask before.
    Sigprocmask = sigprocmask(how: SignalMaskHow, set: SignalSet) -> SignalSet => 2;
    /// sigwaitinfo(2): waits for one of the signals, which must be blocked.
    Sigwaitinfo = sigwaitinfo(set: SignalSet) -> SignalInfo => 1;
    /// kill(2).
    Kill = kill(pid: Pid, signal: Signal) -> ();
    /// wait4(2): `None` if `WNOHANG` was given and no child has changed state.
    Wait4 = wait4(pid: Pid, options: WaitOptions) -> Option<(Pid, WaitStatus)> => 1;
    /// execve(2). On success the kernel does not return to the caller; a simulated one returns `Ok`, upon which the
    /// caller has nothing left to do.
    Execve = execve(path: &UnixPath as Bytes, argv: &[Bytes] as Vec<Bytes>, envp: &[Bytes] as Vec<Bytes>) -> ();
}

impl std::fmt::Debug for dyn Kernel + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kernel")
    }
}

macro_rules! values {
    ($($(#[doc = $doc:literal])+ $variant:ident($type:ty);)*) => {
        /// What a successful call gives, as data.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[allow(clippy::large_enum_variant, reason = "there are few at a time")]
        pub enum Value {
            /// Nothing but success.
            Done,
            $($(#[doc = $doc])+ $variant($type),)*
        }

        impl From<()> for Value {
            fn from((): ()) -> Self {
                Self::Done
            }
        }

        /// The error is a value of another kind.
        impl TryFrom<Value> for () {
            type Error = Value;

            fn try_from(value: Value) -> Result<Self, Value> {
                match value {
                    Value::Done => Ok(()),
                    other => Err(other),
                }
            }
        }

        $(
            impl From<$type> for Value {
                fn from(value: $type) -> Self {
                    Self::$variant(value)
                }
            }

            /// The error is a value of another kind.
            impl TryFrom<Value> for $type {
                type Error = Value;

                fn try_from(value: Value) -> Result<Self, Value> {
                    match value {
                        Value::$variant(value) => Ok(value),
                        other => Err(other),
                    }
                }
            }
        )*

        impl Value {
            pub(super) fn as_strace(&self) -> &dyn Strace {
                match self {
                    Self::Done => &(),
                    $(Self::$variant(value) => value,)*
                }
            }
        }
    };
}

values! {
    /// A new descriptor.
    Descriptor(Fd);
    /// Two new descriptors.
    Descriptors((Fd, Fd));
    /// A process.
    Process(Pid);
    /// Bytes that were read.
    Bytes(Bytes);
    /// A file's metadata.
    Stat(Stat);
    /// A filesystem's metadata.
    StatFs(StatFs);
    /// A mount's metadata.
    StatMount(StatMount);
    /// Mounts.
    Mounts(Vec<UniqueMountId>);
    /// Directory entries.
    Entries(Vec<DirectoryEntry>);
    /// How many bytes.
    Count(usize);
    /// A position in a file.
    Offset(u64);
    /// A user.
    User(u32);
    /// What prctl(2) returned.
    Number(i32);
    /// The umask before.
    Mode(Mode);
    /// The kernel's name and version.
    Utsname(Utsname);
    /// Capability sets.
    Capabilities(CapabilitySets);
    /// The signal mask before.
    Signals(SignalSet);
    /// A signal that arrived.
    Signal(SignalInfo);
    /// The state of a child.
    Child(Option<(Pid, WaitStatus)>);
}
