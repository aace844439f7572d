//! What the calls take and give besides numbers, paths and flags.

mod file;
mod mount;
mod process;

pub use file::{DeviceNumber, DirectoryEntry, Fd, FileType, Mode, NodeMode, OpenHow, Stat, StatFs, Whence};
pub use mount::{FsConfig, MountAttr, StatMount, UniqueMountId};
pub use process::{
    CapabilitySets, Pid, Prctl, Rlimit, RlimitResource, Signal, SignalAction, SignalInfo, SignalMaskHow, SignalSet,
    Utsname, WaitStatus,
};
