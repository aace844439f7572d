//! Locks on files.

use cofferdam::kernel::{Fd, FlockOperation};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::FileLock;
use crate::linux::Linux;
use crate::process::{Task, WOULD_WAIT};

/// A kind of lock that Linux had once: the call does nothing (`LOCK_MAND`).
const LOCK_MAND: u32 = 32;

impl Linux {
    /// flock(2): [`WOULD_WAIT`] where it would wait for another lock to go.
    pub(crate) fn flock(&mut self, task: Id<Task>, fd: Fd, operation: FlockOperation) -> Result<(), Failure> {
        if operation.bits() & LOCK_MAND != 0 {
            return Ok(());
        }
        let is_exclusive = match operation.difference(FlockOperation::LOCK_NB) {
            FlockOperation::LOCK_SH => Some(false),
            FlockOperation::LOCK_EX => Some(true),
            FlockOperation::LOCK_UN => None,
            _ => {
                return Err(fail!(
                    EINVAL,
                    "flock_translate_cmd()",
                    "the operation is none of LOCK_SH, LOCK_EX and LOCK_UN, with or without LOCK_NB"
                ));
            }
        };
        let file = self.readable_file(task, fd)?;
        let object = &self.files[file];
        if is_exclusive.is_some() && !object.can_read && !object.can_write {
            return Err(fail!(EBADF, "sys_flock()", "the descriptor is open neither for reading nor for writing"));
        }
        let inode = self.dentries[object.path.dentry].inode;
        let locks = &mut self.inodes[inode].locks;
        let Some(is_exclusive) = is_exclusive else {
            locks.retain(|lock| lock.file != file);
            return Ok(());
        };
        let lock = FileLock { file, is_exclusive };
        if locks.contains(&lock) {
            return Ok(());
        }
        // A lock of the other kind goes even if the new one is not granted (`flock_lock_inode()`).
        locks.retain(|lock| lock.file != file);
        if locks.iter().any(|other| is_exclusive || other.is_exclusive) {
            let waits = !operation.contains(FlockOperation::LOCK_NB);
            return Err(if waits {
                WOULD_WAIT
            } else {
                fail!(EAGAIN, "flock_lock_inode()", "another open file has a lock on the file, and LOCK_NB is given")
            });
        }
        locks.push(lock);
        Ok(())
    }
}
