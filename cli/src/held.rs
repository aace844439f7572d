//! A container that is complete, and waits: its program begins once somebody has looked at its mounts.

use cofferdam::UnixPath;
use cofferdam::error::CallError;
use cofferdam::kernel::{Bytes, Descriptor, Errno, Fd, Kernel, OpenFlags, Pid};

use crate::arguments::LaunchArguments;

/// Longer than any number of a process.
const LINE: usize = 64;

/// A pipe, with its reading end first. The launcher inherits both.
type Pipe<'k> = (Descriptor<'k>, Descriptor<'k>);

/// What a launcher is held by.
pub(crate) struct Held<'k> {
    kernel: &'k dyn Kernel,
    /// The launcher writes the number of the container's process there.
    ready: Pipe<'k>,
    /// It reads there before the program begins.
    release: Pipe<'k>,
}

impl<'k> Held<'k> {
    pub(crate) fn new(kernel: &'k dyn Kernel) -> Result<Self, CallError> {
        let pipe = || -> Result<Pipe<'k>, CallError> {
            let ends = kernel.pipe2(OpenFlags::empty());
            let (read, write) =
                ends.map_err(|errno| CallError::new("make a pipe for", UnixPath::new("the launcher"), errno))?;
            Ok((Descriptor::new(kernel, read), Descriptor::new(kernel, write)))
        };
        Ok(Self { kernel, ready: pipe()?, release: pipe()? })
    }

    /// What the launcher is told.
    pub(crate) fn arguments(&self, mut arguments: LaunchArguments) -> LaunchArguments {
        let Fd(ready) = self.ready.1.fd();
        arguments.pid_file.push(format!("/proc/self/fd/{ready}").into());
        arguments.hold = Some(self.release.0.fd().0);
        arguments
    }

    /// In the launcher: with a copy of our end it would wait for itself.
    pub(crate) fn close_ours(&self, kernel: &dyn Kernel) {
        let _ = kernel.close(self.release.1.fd());
        let _ = kernel.close(self.ready.0.fd());
    }

    /// Waits until the container is complete. Gives its process, and what holds it; `None` if it has failed before.
    pub(crate) fn wait(self) -> Result<Option<(Pid, Release<'k>)>, CallError> {
        let Self { kernel, ready: (ready, theirs), release: (its, release) } = self;
        // If it dies, there is nobody left who could write.
        drop((theirs, its));
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            match kernel.read(ready.fd(), LINE) {
                Err(Errno::EINTR) => {}
                Ok(Bytes(read)) if read.is_empty() => return Ok(None),
                Ok(Bytes(read)) => line.extend(read),
                Err(errno) => {
                    return Err(CallError::new("read from the pipe of", UnixPath::new("the launcher"), errno));
                }
            }
        }
        let pid = std::str::from_utf8(&line).ok().and_then(|line| line.trim().parse().ok());
        Ok(pid.map(|pid| (Pid(pid), Release { kernel, pipe: release })))
    }
}

/// What holds a container's program. Dropped, it never begins.
pub(crate) struct Release<'k> {
    kernel: &'k dyn Kernel,
    pipe: Descriptor<'k>,
}

impl Release<'_> {
    /// Lets the program begin.
    pub(crate) fn release(self) -> Result<(), CallError> {
        match self.kernel.write(self.pipe.fd(), &[0]) {
            // If it has ended, its exit status will tell.
            Ok(_) | Err(Errno::EPIPE) => Ok(()),
            Err(errno) => Err(CallError::new("write to the pipe of", UnixPath::new("the launcher"), errno)),
        }
    }
}
