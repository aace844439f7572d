//! Starts the launcher: in a process of its own, which executes this program anew and dies with this process.

use cofferdam::error::CallError;
use cofferdam::kernel::{Bytes, CloneFlags, Descriptor, Errno, Fd, Kernel, Mode, OpenFlags, Pid, WaitOptions};
use cofferdam::launch::execute_again;
use cofferdam::messages::ContainerLaunchInfo;
use cofferdam::{UnixPath, checkpoint};

use crate::arguments::LaunchArguments;
use crate::held::Held;
use crate::host::Host;
use crate::run::{Failure, failed};

/// A launcher that has nothing to carry out yet.
///
/// Where the processes of the host run side by side, it starts while we prepare what it is to do: that takes about as long as
/// it takes a process to start. It is told to go on by a byte in a pipe; if the pipe is closed, it ends.
pub(crate) struct Launcher<'k> {
    kernel: &'k dyn Kernel,
    host: &'k dyn Host,
    arguments: LaunchArguments,
    waiting: Option<Waiting<'k>>,
    /// What its container's program waits for.
    held: Option<Held<'k>>,
}

/// A process that waits for a byte.
struct Waiting<'k> {
    child: Pid,
    pipe: Descriptor<'k>,
}

impl<'k> Launcher<'k> {
    /// One that will be told by these arguments where to find what it is to carry out.
    pub(crate) fn new(
        kernel: &'k dyn Kernel,
        host: &'k dyn Host,
        arguments: LaunchArguments,
        held: Option<Held<'k>>,
    ) -> Result<Self, CallError> {
        let arguments = match &held {
            Some(held) => held.arguments(arguments),
            None => arguments,
        };
        let Pid(ourselves) =
            kernel.getpid().map_err(|errno| CallError::new("find out the id of", UnixPath::new("cofferdam"), errno))?;
        let arguments = LaunchArguments { die_with_parent: Some(ourselves), ..arguments };
        let mut launcher = Self { kernel, host, arguments, waiting: None, held };
        if host.runs_side_by_side() {
            launcher.waiting = Some(launcher.start_early()?);
        }
        Ok(launcher)
    }

    fn start_early(&self) -> Result<Waiting<'k>, CallError> {
        // The launcher's end is not closed by execve(2); we execute nothing.
        let ends = self.kernel.pipe2(OpenFlags::empty());
        let (read, write) =
            ends.map_err(|errno| CallError::new("make a pipe for", UnixPath::new("the launcher"), errno))?;
        let [read, pipe] = [read, write].map(|end| Descriptor::new(self.kernel, end));
        let arguments = LaunchArguments { begin: Some(read.fd().0), ..self.arguments.clone() };
        let child = self.in_child(&mut |kernel| {
            // With a copy of our end it would wait for itself.
            let _ = kernel.close(pipe.fd());
            self.become_launcher(kernel, &arguments)
        })?;
        Ok(Waiting { child, pipe })
    }

    /// Writes what it is to carry out to where its arguments say, and has it begin. Gives its process, and what its container's
    /// program waits for.
    pub(crate) fn begin(mut self, info: &ContainerLaunchInfo) -> Result<(Pid, Option<Held<'k>>), Failure> {
        // It may hold secrets of the environment.
        checkpoint::write(self.kernel, self.arguments.launch_info.as_path(), &serde_json::to_vec(info)?, Mode(0o600))?;
        let Some(Waiting { child, pipe }) = self.waiting.take() else {
            let child = self.in_child(&mut |kernel| self.become_launcher(kernel, &self.arguments))?;
            return Ok((child, self.held.take()));
        };
        match self.kernel.write(pipe.fd(), &[0]) {
            // If it has ended, its exit status will tell.
            Ok(_) | Err(Errno::EPIPE) => Ok((child, self.held.take())),
            Err(errno) => {
                self.waiting = Some(Waiting { child, pipe });
                Err(CallError::new("write to the pipe of", UnixPath::new("the launcher"), errno).into())
            }
        }
    }

    fn in_child(&self, child: &mut dyn FnMut(&dyn Kernel) -> i32) -> Result<Pid, CallError> {
        self.kernel
            .clone3(CloneFlags::empty(), child)
            .map_err(|errno| CallError::new("make a process for", UnixPath::new("the launcher"), errno))
    }

    /// Executes this program anew, so that the launcher has nothing of our memory, and no environment.
    fn become_launcher(&self, kernel: &dyn Kernel, arguments: &LaunchArguments) -> i32 {
        if let Some(held) = &self.held {
            held.close_ours(kernel);
        }
        match execute_again(kernel, &arguments.command_line(), &[]) {
            Ok(()) => self.host.launched(kernel, arguments),
            Err(error) => failed(kernel, &error),
        }
    }
}

impl Drop for Launcher<'_> {
    /// One that was not told to begin ends, and is reaped.
    fn drop(&mut self) {
        let Some(Waiting { child, pipe }) = self.waiting.take() else { return };
        drop(pipe);
        while let Err(Errno::EINTR) = self.kernel.wait4(child, WaitOptions::empty()) {}
    }
}

/// In a launcher: waits until it is told to begin. If it is not, who started it has failed or is gone.
pub(crate) fn is_to_begin(kernel: &dyn Kernel, pipe: Fd) -> bool {
    let pipe = Descriptor::new(kernel, pipe);
    loop {
        match kernel.read(pipe.fd(), 1) {
            Err(Errno::EINTR) => {}
            Ok(Bytes(read)) => return !read.is_empty(),
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use cofferdam_vfs_sim::sample;

    use super::*;

    #[test]
    fn a_launcher_begins_when_it_is_told_to() {
        let sample::Agent { kernel, .. } = sample::agent();
        let (read, write) = kernel.pipe2(OpenFlags::empty()).unwrap();
        kernel.write(write, &[0]).unwrap();
        assert!(is_to_begin(&kernel, read));
        assert_eq!(kernel.close(read), Err(Errno::EBADF), "the program would get it");
    }

    #[test]
    fn a_launcher_that_nobody_can_tell_to_begin_does_not() {
        let sample::Agent { kernel, .. } = sample::agent();
        let (read, write) = kernel.pipe2(OpenFlags::empty()).unwrap();
        kernel.close(write).unwrap();
        assert!(!is_to_begin(&kernel, read));
        assert!(!is_to_begin(&kernel, read));
    }
}
