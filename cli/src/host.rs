//! The hosts that cofferdam can work on: the real one, if it is built for one, and a simulated one.

use cofferdam::kernel::Kernel;
use cofferdam::user::UserDatabase;

use crate::arguments::LaunchArguments;

cfg_if::cfg_if! {
    if #[cfg(all(target_os = "linux", not(feature = "sim")))] {
        mod linux;
        pub(crate) use linux::{launch, run};
    } else {
        mod none;
        pub(crate) use none::{launch, run};
    }
}

/// What `run` needs of a host besides its kernel.
pub(crate) trait Host {
    /// Its users.
    fn users(&self) -> Box<dyn UserDatabase>;

    /// An id that no container on it has.
    fn unused_id(&self, kernel: &dyn Kernel) -> String;

    /// What the process does that has executed the launcher. On a real kernel execve(2) does not return, and nobody is left
    /// to call this; a simulated one runs no programs, so that the process goes on here.
    fn launched(&self, kernel: &dyn Kernel, arguments: &LaunchArguments) -> i32;
}
