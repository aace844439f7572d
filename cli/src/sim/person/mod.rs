//! The person at the terminal: what is typed in, and Ctrl-C, which is for what runs on the machine and not for us.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGINT;

/// The person at the terminal.
#[derive(Debug)]
pub(crate) struct Person {
    has_interrupted: Arc<AtomicBool>,
    #[cfg(unix)]
    waiting: wait::Waiting,
}

impl Person {
    /// From now on, `SIGINT` does nothing but be noticed here.
    pub(crate) fn new() -> io::Result<Self> {
        let has_interrupted = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGINT, Arc::clone(&has_interrupted))?;
        Ok(Self {
            has_interrupted,
            // After the flag: whoever is woken finds it set.
            #[cfg(unix)]
            waiting: wait::Waiting::new()?,
        })
    }

    /// Whether Ctrl-C was pressed since this was last asked.
    pub(crate) fn take_interrupt(&self) -> bool {
        self.has_interrupted.load(Ordering::Relaxed) && self.has_interrupted.swap(false, Ordering::Relaxed)
    }

    /// Waits until there is something to read, or the end of it, or Ctrl-C, which is left to be taken; whether it is that.
    /// (On Windows nobody waits here: Ctrl-C is noticed at the end of the line.)
    #[cfg_attr(not(unix), allow(clippy::unnecessary_wraps, reason = "who waits can fail"))]
    pub(crate) fn wait_for_input(&self) -> io::Result<bool> {
        #[cfg(unix)]
        while !self.has_interrupted.load(Ordering::Relaxed) {
            if self.waiting.is_readable()? {
                return Ok(false);
            }
        }
        Ok(self.has_interrupted.load(Ordering::Relaxed))
    }
}

#[cfg(unix)]
mod wait {
    use std::io::{self, Read as _};
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use signal_hook::consts::SIGINT;

    /// A handler can only set a flag, and one that is set between a look at it and the wait would be missed: it writes here
    /// as well.
    #[derive(Debug)]
    pub(super) struct Waiting {
        woken: UnixStream,
    }

    impl Waiting {
        pub(super) fn new() -> io::Result<Self> {
            let (woken, waker) = UnixStream::pair()?;
            woken.set_nonblocking(true)?;
            signal_hook::low_level::pipe::register(SIGINT, waker)?;
            Ok(Self { woken })
        }

        /// Waits for something at standard input, or for a signal. False if it is only the signal, which may be an old one.
        pub(super) fn is_readable(&self) -> io::Result<bool> {
            let input = io::stdin();
            let wanted = |fd| PollFd::new(fd, PollFlags::POLLIN);
            let mut awaited = [wanted(self.woken.as_fd()), wanted(input.as_fd())];
            match poll(&mut awaited, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let is_readable = awaited[1].any() == Some(true);
            if awaited[0].any() == Some(true) {
                // As many signals as there were, they are one.
                while (&self.woken).read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
            }
            Ok(is_readable)
        }
    }
}
