//! A sample host, for whoever has none at hand: the mounts of a server with systemd, the files that one finds on it, and a
//! root filesystem for containers.
//!
//! ```
//! use cofferdam::UnixPath;
//! use cofferdam::kernel::{Kernel, MountFlags};
//! use cofferdam_vfs_sim::{Process, sample};
//!
//! let process = Process::init(sample::host());
//! process.mount(Some(UnixPath::new("/home")), UnixPath::new("/mnt"), None, MountFlags::MS_BIND, None)?;
//! // What systemd shares is shared.
//! let table = String::from_utf8_lossy(&process.linux().mountinfo_table(process.task()).expect("it runs")).into_owned();
//! assert!(table.ends_with(" / /mnt rw,nosuid,nodev,relatime shared:32 - ext4 /dev/sdb1 rw\n"), "{table}");
//! # Ok::<(), cofferdam::kernel::Errno>(())
//! ```

mod agent;
mod entry;
mod files;

pub use agent::{Agent, agent};
use cofferdam::UnixPath;
use cofferdam::error::CallError;
use cofferdam::kernel::{Errno, Kernel as _, Mode, MountFlags};

use crate::handle::Process;
use crate::linux::Linux;
use crate::mount::MntFlags;

/// The mount table of the sample host.
pub const MOUNTINFO: &[u8] = include_bytes!("mountinfo");

/// The root filesystem for containers: busybox, with a link to it by the name of each of its commands.
pub const ROOTFS: &str = "/srv/busybox";

/// An image that tries to lead the mounts of a container elsewhere: its `/dev` is a symbolic link to `/etc`.
pub const HOSTILE_ROOTFS: &str = "/srv/evil";

/// The sample host.
///
/// # Panics
///
/// Never: the table and the files are constant, and a test makes the host.
#[allow(clippy::expect_used, reason = "see above")]
pub fn host() -> Linux {
    furnished(Linux::from_mountinfo(MOUNTINFO).expect("it is a mount table")).expect("there is room for the files")
}

/// A host with other mounts, such as [`Linux::from_mountinfo`] makes of the table of a real one, with the files of the
/// sample host: root filesystems, `/etc/passwd`, programs in `/usr/bin`, standard devices. What is there already stays.
///
/// # Errors
///
/// If a file can't be made: a full filesystem, or something else at its place. Filesystems that are read-only do not
/// matter: on a real host they have been filled before.
pub fn furnished(linux: Linux) -> Result<Linux, CallError> {
    furnished_with(linux, [])
}

/// The same with more programs in `/usr/bin`, each a [`named_program`](crate::named_program).
///
/// # Errors
///
/// As of [`furnished`].
pub fn furnished_with<'a>(mut linux: Linux, programs: impl IntoIterator<Item = &'a str>) -> Result<Linux, CallError> {
    let read_only = ReadOnly::take(&mut linux);
    let process = Process::init(linux);
    let made = furnish(&process, programs.into_iter());
    let mut linux = process.linux().clone();
    read_only.give_back(&mut linux);
    made.map(|()| linux)
}

fn furnish<'a>(process: &Process, programs: impl Iterator<Item = &'a str>) -> Result<(), CallError> {
    let failed = |errno| CallError::new("set the umask of", UnixPath::new("init"), errno);
    let umask = process.umask(Mode(0)).map_err(failed)?;
    let programs = programs.map(files::program);
    let entries = files::host().chain(programs).chain(files::rootfs()).chain(files::hostile_rootfs());
    for entry in entries {
        match entry.make(process) {
            // Below something that is no directory there can't be anything; the file that is there is the host's own.
            Ok(()) | Err(CallError { errno: Errno::EEXIST | Errno::ENOTDIR, .. }) => {}
            Err(error) => return Err(error),
        }
    }
    process.umask(umask).map(drop).map_err(failed)
}

/// What of a kernel is read-only, while it is not.
struct ReadOnly {
    mounts: Vec<crate::arena::Id<crate::mount::Mount>>,
    superblocks: Vec<crate::arena::Id<crate::filesystem::SuperBlock>>,
}

impl ReadOnly {
    fn take(linux: &mut Linux) -> Self {
        let mounts = linux.mounts.iter().filter(|(_, mount)| mount.flags.contains(MntFlags::READONLY));
        let mounts: Vec<_> = mounts.map(|(id, _)| id).collect();
        let superblocks = linux.superblocks.iter().filter(|(_, object)| object.flags.contains(MountFlags::MS_RDONLY));
        let superblocks: Vec<_> = superblocks.map(|(id, _)| id).collect();
        for id in &mounts {
            linux.mounts[*id].flags.remove(MntFlags::READONLY);
        }
        for id in &superblocks {
            linux.superblocks[*id].flags.remove(MountFlags::MS_RDONLY);
        }
        Self { mounts, superblocks }
    }

    fn give_back(self, linux: &mut Linux) {
        for id in self.mounts {
            linux.mounts[id].flags.insert(MntFlags::READONLY);
        }
        for id in self.superblocks {
            linux.superblocks[id].flags.insert(MountFlags::MS_RDONLY);
        }
    }
}

#[cfg(test)]
mod tests;
