//! Descriptors.

use cofferdam::kernel::{CloseRangeFlags, Fd, OpenFlags};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::process::{OpenFd, Task};

impl Linux {
    /// close(2)
    pub(crate) fn close(&mut self, task: Id<Task>, fd: Fd) -> Result<(), Failure> {
        let file = self.fd_tables[self.tasks[task].files].take(fd)?;
        self.file_put(file);
        Ok(())
    }

    /// close_range(2)
    pub(crate) fn close_range(
        &mut self,
        task: Id<Task>,
        first: u32,
        last: u32,
        flags: CloseRangeFlags,
    ) -> Result<(), Failure> {
        let known = CloseRangeFlags::CLOSE_RANGE_UNSHARE | CloseRangeFlags::CLOSE_RANGE_CLOEXEC;
        if !known.contains(flags) {
            return Err(fail!(
                EINVAL,
                "sys_close_range()",
                "a flag is not one that the call knows: CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC"
            ));
        }
        if first > last {
            return Err(fail!(EINVAL, "sys_close_range()", "the first descriptor is greater than the last one"));
        }
        if flags.contains(CloseRangeFlags::CLOSE_RANGE_UNSHARE) {
            self.unshare_descriptors(task);
        }
        let table = self.tasks[task].files;
        let is_in_range = |index: usize| (first..=last).contains(&u32::try_from(index).unwrap_or(u32::MAX));
        let mut closed = Vec::new();
        let table = &mut self.fd_tables[table];
        if !flags.contains(CloseRangeFlags::CLOSE_RANGE_CLOEXEC) {
            table.next = table.next.min(usize::try_from(first).unwrap_or(usize::MAX));
        }
        for (index, slot) in table.descriptors.iter_mut().enumerate() {
            if !is_in_range(index) {
                continue;
            }
            if flags.contains(CloseRangeFlags::CLOSE_RANGE_CLOEXEC) {
                if let Some(descriptor) = slot {
                    descriptor.close_on_exec = true;
                }
            } else {
                closed.extend(slot.take());
            }
        }
        for descriptor in closed {
            self.file_put(descriptor.file);
        }
        Ok(())
    }

    /// dup3(2)
    pub(crate) fn dup3(&mut self, task: Id<Task>, oldfd: Fd, newfd: Fd, flags: OpenFlags) -> Result<Fd, Failure> {
        if !OpenFlags::O_CLOEXEC.contains(flags) {
            return Err(fail!(EINVAL, "ksys_dup3()", "a flag is not one that the call knows: O_CLOEXEC"));
        }
        if oldfd == newfd {
            return Err(fail!(EINVAL, "ksys_dup3()", "the two descriptors are the same"));
        }
        let is_beyond =
            fail!(EBADF, "ksys_dup3()", "the new descriptor is negative, or not below the process's RLIMIT_NOFILE");
        let index = usize::try_from(newfd.0).map_err(|_| is_beyond)?;
        if index >= self.descriptor_limit(task) {
            return Err(is_beyond);
        }
        let file = self.file(task, oldfd)?;
        let table = &mut self.fd_tables[self.tasks[task].files];
        let replaced = table.take(newfd).ok();
        let descriptor = OpenFd { file, close_on_exec: flags.contains(OpenFlags::O_CLOEXEC) };
        let fd = table.set(index, descriptor).map_err(|_| is_beyond)?;
        self.files[file].references += 1;
        if let Some(replaced) = replaced {
            self.file_put(replaced);
        }
        Ok(fd)
    }
}
