//! Calls that fail.

use std::cell::Cell;

use cofferdam::kernel::{Call, Errno, Interceptor, Kernel};

use crate::choice::Choices;

/// Lets a call fail, once.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// How many calls are made before the one that fails, and how it fails.
    next: Cell<Option<(u16, Errno)>>,
}

impl Faults {
    /// Decides whether, and when, a call is to fail; with what.
    pub(super) fn arm(&self, choices: &mut Choices<'_>) -> Option<Errno> {
        let when = choices.byte();
        if when == 0 {
            self.next.set(None);
            return None;
        }
        let errno = choices.one_of(&[
            Errno::EIO,
            Errno::EIO,
            Errno::ENOMEM,
            Errno::EPERM,
            Errno::EBUSY,
            Errno::EINVAL,
            Errno::ENOENT,
            Errno::EEXIST,
            Errno::ENOSPC,
            Errno::EMFILE,
        ]);
        self.next.set(Some((u16::from(when) - 1, errno)));
        Some(errno)
    }

    /// From now on nothing fails; whether something has.
    pub(super) fn disarm(&self) -> bool {
        self.next.take().is_some_and(|(left, _)| left == u16::MAX)
    }
}

impl Interceptor for Faults {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        // close(2) lets go of the descriptor even if it fails, which a call that is not made would not. umask(2), getpid(2)
        // and their like never fail.
        let can_fail = !matches!(call, Call::Close { .. } | Call::Umask { .. } | Call::Getpid {} | Call::Getppid {});
        match self.next.get() {
            Some((0, errno)) if can_fail => {
                // Counted down no more: it has happened.
                self.next.set(Some((u16::MAX, errno)));
                Err(errno)
            }
            Some((left, errno)) if can_fail && left < u16::MAX => {
                self.next.set(Some((left - 1, errno)));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
