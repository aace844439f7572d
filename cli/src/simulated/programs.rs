//! Programs of a simulated host that do something. On the simulated kernel a program is a file that can be executed, and
//! whatever is to happen then happens by calls of the process that has executed it.

use cofferdam_shell::Machine;
use cofferdam_vfs_sim::Process;

/// What programs do.
pub(crate) trait Programs {
    /// Carries out the program that a process has just executed: its root, working directory, credentials and descriptors
    /// are what the launcher has left it. Standard output and error are printed as they are written.
    ///
    /// Gives its exit status, with which the process then ends, unless a signal has ended it before; `None` if it is not
    /// known what the program does.
    fn run(&self, machine: &Machine, process: &Process) -> Option<i32>;

    /// Whether there is one. If not, all goes on to where it would be executed.
    fn has_program(&self) -> bool {
        true
    }
}

/// The programs of the shell for simulated machines, sh and mount among them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShellPrograms;

impl Programs for ShellPrograms {
    fn run(&self, machine: &Machine, process: &Process) -> Option<i32> {
        machine.carry_out(process)
    }
}
