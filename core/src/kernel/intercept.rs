//! The one place at which calls can be intercepted.

use std::fmt;

use super::errno::Errno;
use super::syscalls::{Call, Kernel, Value};

/// Sees every call before and after it is made: to trace, record or count calls, to make one fail, to do something else
/// in between.
pub trait Interceptor {
    /// Before the call is made by the process whose kernel is given, which may be asked for more.
    ///
    /// # Errors
    ///
    /// With an error the call is not made, and fails with it.
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        let _ = (kernel, call);
        Ok(())
    }

    /// What the caller gets instead of the call's result; `None` for the result itself. A value that is of another kind than
    /// the call's gives `EPROTO`.
    fn instead(&self, call: &Call, result: &Result<Value, Errno>) -> Option<Result<Value, Errno>> {
        let _ = (call, result);
        None
    }

    /// After the call, with what the caller gets, whether it was made or was refused by [`before`](Self::before), with the kernel of the process that
    /// made it. Not reached by a call that does not return, such as a successful execve(2); on a simulated kernel that one
    /// returns as well, and the kernel is that of the process that has become the program.
    fn after(&self, kernel: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        let _ = (kernel, call, result);
    }

    /// A child process that was made through an intercepted kernel has done its part, and ends with this status. Not reached
    /// if it has executed a program, or was killed.
    fn ended(&self, kernel: &dyn Kernel, status: i32) {
        let _ = (kernel, status);
    }
}

/// A kernel all of whose calls, and those of the child processes made through it, pass an [`Interceptor`].
pub struct Intercepted<'a, K: ?Sized, I: ?Sized> {
    kernel: &'a K,
    interceptor: &'a I,
}

impl<'a, K: Kernel + ?Sized, I: Interceptor + ?Sized> Intercepted<'a, K, I> {
    /// Puts the interceptor before the kernel.
    pub fn new(kernel: &'a K, interceptor: &'a I) -> Self {
        Self { kernel, interceptor }
    }

    pub(super) fn interceptor(&self) -> &'a I {
        self.interceptor
    }

    pub(super) fn around<T: Clone + Into<Value> + TryFrom<Value>>(
        &self,
        call: &Call,
        make: impl FnOnce(&K) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let result = self.interceptor.before(&self.kernel, call).and_then(|()| make(self.kernel));
        let value = result.clone().map(Into::into);
        let (result, value) = match self.interceptor.instead(call, &value) {
            None => (result, value),
            Some(answer) => (answer.clone().and_then(|value| value.try_into().map_err(|_| Errno::EPROTO)), answer),
        };
        self.interceptor.after(&self.kernel, call, &value);
        result
    }
}

impl<K: ?Sized, I: ?Sized> fmt::Debug for Intercepted<'_, K, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intercepted").finish_non_exhaustive()
    }
}
