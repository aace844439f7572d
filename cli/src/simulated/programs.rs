//! Programs of a simulated host that do something. On the simulated kernel a program is a file that can be executed, and
//! whatever is to happen then happens by calls of the process that has executed it.

use cofferdam::UnixPath;
use cofferdam::kernel::{Bytes, Kernel};

/// What programs do.
pub(crate) trait Programs {
    /// Carries out a program as the process that has executed it: its root, working directory, credentials and descriptors
    /// are what the launcher has left it. Standard output and error are printed as they are written.
    ///
    /// Gives its exit status, with which the process then ends, unless a signal has ended it before; `None` if it is not
    /// known what the program does.
    fn run(&self, process: &dyn Kernel, path: &UnixPath, argv: &[Bytes], envp: &[Bytes]) -> Option<i32>;
}

/// Of no program it is known what it does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoPrograms;

impl Programs for NoPrograms {
    fn run(&self, _: &dyn Kernel, _: &UnixPath, _: &[Bytes], _: &[Bytes]) -> Option<i32> {
        None
    }
}
