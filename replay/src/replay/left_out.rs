//! Which calls are left out, and why.

use cofferdam::kernel::{Call, Errno, Fd, FileType, Value};
use cofferdam_vfs_sim::{Id, Location, Task};

use super::Replay;
use crate::decode::{Action, Given};
use crate::uses::descriptors_of;
use crate::world::Descriptor;

pub(super) const NOT_REPLAYED: &str = "not replayed";
pub(super) const FOREIGN: &str = "on a descriptor of what is not simulated";
pub(super) const UNKNOWN: &str = "on a descriptor that no call in the log has given";
pub(super) const ENDED: &str = "of a process that the simulated kernel has ended already";
pub(super) const CONTENT: &str = "contents of files are not replayed";
pub(super) const WAITS: &str = "would wait for another process";
pub(super) const INTERRUPTED: &str = "interrupted, or to be tried again";
pub(super) const NOT_SIMULATED: &str = "on a file of the kernel that is not simulated";
pub(super) const DEVICE: &str = "on a device, fifo or socket, with nothing behind it";
pub(super) const TYPE: &str = "of a filesystem that is not simulated";
pub(super) const PROCESSES: &str = "about a process that is not in the log";

impl Replay<'_> {
    /// Whether one of the descriptors is not simulated, and the call does more than pass it on.
    pub(super) fn uses_what_is_not_simulated(
        &mut self,
        task: Id<Task>,
        action: &Action,
        recorded: &Result<Given, Errno>,
    ) -> Option<&'static str> {
        let passes_it_on = matches!(
            action,
            Action::Call(Call::Close { .. }) | Action::Duplicate { .. } | Action::SetCloseOnExec { .. }
        );
        descriptors_of(action).into_iter().find_map(|fd| match self.world.descriptor(task, fd) {
            Descriptor::Unknown if recorded != &Err(Errno::EBADF) => Some(UNKNOWN),
            Descriptor::Foreign if !passes_it_on => Some(FOREIGN),
            _ => None,
        })
    }

    /// Why it is no difference that a call gave something else, if it is none.
    pub(super) fn is_to_be_left_out(
        &self,
        task: Id<Task>,
        call: &Call,
        recorded: &Result<Given, Errno>,
        simulated: &Result<Value, Errno>,
    ) -> Option<&'static str> {
        if matches!(recorded, Err(Errno::EINTR | Errno::EAGAIN)) {
            return Some(INTERRUPTED);
        }
        if simulated == &Err(Errno::EDEADLK) {
            return Some(WAITS);
        }
        if self.leads_to_what_is_not_simulated(task, call) {
            return Some(FOREIGN);
        }
        let of_devices = [Errno::ENXIO, Errno::ENODEV, Errno::EIO, Errno::ENOMEDIUM, Errno::EBUSY, Errno::ENOTTY];
        let is_of_devices = |result: Option<&Errno>| result.is_some_and(|errno| of_devices.contains(errno));
        match call {
            Call::Openat2 { .. } if is_of_devices(recorded.as_ref().err()) => Some(DEVICE),
            Call::Openat2 { .. } if is_of_devices(simulated.as_ref().err()) => Some(DEVICE),
            Call::Mount { .. } | Call::Fsopen { .. } if recorded.is_err() && simulated == &Err(Errno::ENODEV) => {
                Some(TYPE)
            }
            Call::Fsconfig { .. } if !self.report.replaced.is_empty() => Some(TYPE),
            Call::Kill { .. } if recorded != &Err(Errno::EPERM) && simulated != &Err(Errno::EPERM) => Some(PROCESSES),
            _ => None,
        }
    }

    /// Whether a path goes by way of proc to something behind a descriptor that is not simulated.
    fn leads_to_what_is_not_simulated(&self, task: Id<Task>, call: &Call) -> bool {
        let (dirfd, path) = match call {
            Call::Openat2 { dirfd, path, .. }
            | Call::Statx { dirfd, path, .. }
            | Call::Readlinkat { dirfd, path }
            | Call::Fchmodat { dirfd, path, .. }
            | Call::Fchownat { dirfd, path, .. } => (*dirfd, path),
            Call::OpenTree { dirfd, path, .. } | Call::MoveMount { to_dirfd: dirfd, to_path: path, .. } => {
                (*dirfd, path)
            }
            Call::Execve { path, .. } | Call::Mount { target: path, .. } | Call::Umount2 { target: path, .. } => {
                (Fd::CWD, path)
            }
            _ => return false,
        };
        let located = self.world.linux.locate(task, dirfd, &path.0, true);
        let is_none_of_a_path = |file_type| matches!(file_type, FileType::Fifo | FileType::Anonymous);
        match located {
            Ok(Location::Found { place, file_type }) => is_none_of_a_path(file_type) && !place.path.0.starts_with(b"/"),
            _ => false,
        }
    }
}
