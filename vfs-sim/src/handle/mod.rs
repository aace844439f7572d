//! A simulated kernel in the hands of a process: [`Kernel`] on a [`Linux`].

mod kernel;

use std::cell::RefCell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cofferdam::kernel::{Call, CloneFlags, Errno, Value};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::process::Task;

/// How a process gets at its kernel, for the time of one call.
pub trait Access: Clone {
    /// Does something with the kernel.
    fn with<R>(&self, act: impl FnOnce(&mut Linux) -> R) -> R;
}

impl Access for Arc<Mutex<Linux>> {
    fn with<R>(&self, act: impl FnOnce(&mut Linux) -> R) -> R {
        // A panic in the middle of a call is a bug of the simulation; what is left can still be looked at.
        let mut linux = self.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut linux);
        linux.end_call();
        result
    }
}

impl Access for &RefCell<&mut Linux> {
    fn with<R>(&self, act: impl FnOnce(&mut Linux) -> R) -> R {
        let mut linux = self.borrow_mut();
        let result = act(&mut linux);
        linux.end_call();
        result
    }
}

/// A process of a simulated kernel. Several can be at work on one kernel; each call is made on its own.
#[derive(Clone, Debug)]
pub struct Process<L = Arc<Mutex<Linux>>> {
    linux: L,
    task: Id<Task>,
    /// Which of all processes that ever were: ids are used again.
    serial: Option<u64>,
}

impl<L: Access> Process<L> {
    fn new(linux: L, task: Id<Task>) -> Self {
        let serial = linux.with(|linux| linux.serial_of(task));
        Self { linux, task, serial }
    }

    /// Ends the process with an exit status (`_exit(2)`), unless it has ended already.
    pub fn exit(&self, status: i32) {
        // A signal can have ended it before, and another process can have its id.
        self.linux.with(|linux| {
            if linux.serial_of(self.task) == self.serial {
                linux.exit(self.task, status);
            }
        });
    }

    /// Makes a call. A process that has ended gets `ESRCH`; one that is stopped, and so makes no call, `EDEADLK`.
    fn call<R>(
        &self,
        call: impl FnOnce() -> Call,
        make: impl FnOnce(&mut Linux) -> Result<R, Failure>,
    ) -> Result<R, Errno> {
        self.linux.with(|linux| {
            let result = self.may_call(linux).and_then(|()| make(linux));
            linux.answer(self.task, call, result)
        })
    }

    fn may_call(&self, linux: &Linux) -> Result<(), Failure> {
        if linux.serial_of(self.task) != self.serial {
            return Err(fail!(ESRCH, "do_exit()", "the process has ended"));
        }
        linux.may_call(self.task)
    }
}

impl Process {
    /// The first process of a kernel.
    pub fn init(linux: Linux) -> Self {
        let task = linux.init();
        Self::new(Arc::new(Mutex::new(linux)), task)
    }

    /// A process of a kernel; none if there is no such process, or it has ended.
    pub fn of(linux: Linux, task: Id<Task>) -> Option<Self> {
        linux.is_running(task).then(|| Self::new(Arc::new(Mutex::new(linux)), task))
    }

    /// The kernel.
    pub fn linux(&self) -> MutexGuard<'_, Linux> {
        self.linux.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which process this is.
    pub fn task(&self) -> Id<Task> {
        self.task
    }

    /// Another process of the same kernel. If there is none with this id, its calls fail with `ESRCH`.
    #[must_use]
    pub fn other(&self, task: Id<Task>) -> Self {
        Self::new(self.linux.clone(), task)
    }

    /// Makes a child process, as [`Linux::fork`] does, for those who let several processes act in turns.
    ///
    /// # Errors
    ///
    /// Those of clone3(2).
    pub fn fork(&self, flags: CloneFlags) -> Result<Self, Errno> {
        let child = self.call(|| Call::Clone3 { flags }, |linux| linux.new_child(self.task, flags))?;
        Ok(self.other(child))
    }

    /// Whether the process has not ended: it can be stopped.
    pub fn is_running(&self) -> bool {
        self.linux.with(|linux| linux.serial_of(self.task) == self.serial && linux.is_running(self.task))
    }
}

impl Linux {
    /// Makes a call as one of the processes.
    ///
    /// # Errors
    ///
    /// Those of the call; `ESRCH` if there is no such process, or it has ended; `EDEADLK` if it is stopped.
    pub fn call(&mut self, task: Id<Task>, call: &Call) -> Result<Value, Errno> {
        call.apply(&Process::new(&RefCell::new(self), task))
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::Kernel as _;
    use rstest::rstest;

    use super::*;
    use crate::Process;

    #[rstest]
    #[case::as_vfork(0x4100, Ok(()))]
    #[case::as_vfork_with_mounts(0x2_4100, Ok(()))]
    #[case::with_signal_handlers(0x4900, Err(Errno::EINVAL))]
    #[case::without_waiting(0x100, Err(Errno::EINVAL))]
    #[case::waiting_alone(0x4000, Ok(()))]
    fn who_gets_our_memory(#[case] flags: u64, #[case] expected: Result<(), Errno>) {
        let kernel = Process::init(Linux::new());
        let mut written = 0;
        let result = kernel.clone3(CloneFlags::from_bits_retain(flags), &mut |_| {
            written += 1;
            0
        });
        assert_eq!(result.map(drop), expected);
        assert_eq!(written, i32::from(expected.is_ok()));
    }
}
