//! What the isolator asks of an operating system: one process's view of Linux, at the level of system calls.
//!
//! - [`Kernel`] is the trait: a method per system call.
//! - [`Call`] is a call as data, [`Value`] its result; [`Call::apply`] makes it on any kernel.
//! - [`Intercepted`] puts an [`Interceptor`] before a kernel: the one place for tracing, recording and fault injection.
//! - [`OlderKernel`] is such an interceptor: it makes an older release of a kernel.
//! - [`Support`] says which of the newer calls a kernel has.
//! - [`Descriptor`] owns a file descriptor.
//!
//! Which calls there are is said once, in the table in `syscalls.rs`.

mod argument;
mod bytes;
mod descriptor;
mod errno;
mod flags;
mod intercept;
mod older;
mod release;
mod strace;
mod support;
mod syscalls;
mod types;

#[cfg(test)]
mod tests;

pub use argument::Argument;
pub use bytes::{Bytes, Quoted, quoted};
pub use descriptor::Descriptor;
pub use errno::Errno;
pub use flags::{
    AtFlags, Capabilities, CloneFlags, CloseRangeFlags, FlockOperation, FsmountFlags, FsopenFlags, FspickFlags,
    MountAttrFlags, MountFlags, MoveMountFlags, OpenFlags, OpenTreeFlags, RenameFlags, ResolveFlags, StatMountMask,
    UmountFlags, WaitOptions,
};
pub use intercept::{Intercepted, Interceptor};
pub use older::OlderKernel;
pub use release::Release;
pub use support::{MissingCall, Support, UnsupportedKernel};
pub use syscalls::{Call, ChildProgram, Kernel, Value};
pub use types::{
    CapabilitySets, DeviceNumber, DirectoryEntry, Fd, FileType, FsConfig, Mode, MountAttr, NodeMode, OpenHow, Pid,
    Prctl, Rlimit, RlimitResource, Signal, SignalAction, SignalInfo, SignalMaskHow, SignalSet, Stat, StatFs, StatMount,
    UniqueMountId, Utsname, WaitStatus, Whence,
};
