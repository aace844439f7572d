//! Why the kernel can return an error and no sequence makes it do so.

/// There are no bad addresses.
pub const ADDRESSES: &str = "there are no bad addresses: the calls of `Kernel` take references";
/// Memory does not run out.
pub const MEMORY: &str = "the kernel's memory does not run out, and the simulation has no end of it";
/// Every call exists.
pub const EXISTS: &str = "Linux 6.18 has all of these calls";
/// Nothing interrupts.
pub const INTERRUPTION: &str =
    "nothing interrupts a call: no call waits, and the processes of a sequence act one after the other";
/// The size of a structure.
pub const SIZES: &str =
    "the size of a structure, a buffer or a signal set is the backend's business, which gets it right";
/// The machine's table of open files.
pub const FILE_TABLE: &str =
    "the table of the machine's open files (fs.file-max) belongs to the machine, and does not bind root";
/// Limits of the machine.
pub const MACHINE_LIMIT: &str = "limits that belong to the machine or the user as a whole \
     (fs.mount-max, pid_max, RLIMIT_NPROC), so that a sequence that reached them would disturb others";
/// Numbers of which there are very many.
pub const NUMBERS: &str =
    "the numbers of anonymous devices and peer groups do not run out: there are a million and more";
/// Devices and their filesystems.
pub const DEVICES: &str = "there are no block devices, nor the filesystems on them; the only device is null";
/// Another process at the same time.
pub const RACE: &str = "another process would have to act during the call; \
     what others on the machine do in that time is undone by repeating the call";
/// Quotas.
pub const QUOTA: &str = "no filesystem has quotas (the tmpfs of the sequences is mounted without `quota`)";
/// Running programs and leases.
pub const NO_HOLDERS: &str = "no program runs, no lease is held and no swap is on";
/// Other filesystems.
pub const OTHER_FILESYSTEMS: &str = "only filesystems say so that are not modelled";
/// Overlays whose layers were changed.
pub const LAYERS: &str = "only where the layers of an overlay were changed, or moved, behind its back";
/// An overlay that is mounted.
pub const MOUNTED_OVERLAY: &str = "only where an overlay can't do in its layers what it has to do when it is mounted";
/// A copy into the upper layer of an overlay.
pub const COPY_UP: &str = "only where an overlay can't copy up what is to be changed: it is too large, there is no room, or something is in its place";
/// A number for a process.
pub const PROCESS_FD: &str = "only for a pidfd that has nowhere to be written, if there can be no more descriptors";
/// The reasons for which an outcome is so seldom that no run has to produce it.
pub const SELDOM: &[&str] = &[LAYERS, MOUNTED_OVERLAY, COPY_UP, PROCESS_FD];
/// Operations that the trait does not have.
pub const NOT_IN_THE_TRAIT: &str = "only for operations of the call, or for targets, that `Kernel` does not have";
/// 64 bits.
pub const WIDE: &str = "file sizes and positions have 64 bits";
