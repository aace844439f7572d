//! Opening fifos: the two that open the ends meet.
//!
//! In the kernel both are in open(2) at the same time (`fifo_open()`). Here the call of one has ended before that of the other
//! begins, so that neither would find the other. A reader that waits therefore keeps the reading end open in a way that does
//! not wait; a writer that finds it stays until the reader has had its turn.

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, FileType, Kernel as _, OpenFlags, OpenHow};
use cofferdam_vfs_sim::Process;

use super::Machine;

impl Machine {
    /// open(2), which waits for somebody at the other end of a fifo.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    pub(crate) async fn open(&self, process: &Process, path: &[u8], how: OpenHow) -> Result<Fd, Errno> {
        let path = UnixPath::new(path);
        let open = |how| process.openat2(Fd::CWD, path, how);
        match open(how) {
            Err(Errno::EDEADLK) if !how.flags.intersects(OpenFlags::O_WRONLY | OpenFlags::O_RDWR) => {
                self.open_reading_end(process, path, how).await
            }
            Err(Errno::EDEADLK) => self.open_writing_end(process, path, how).await,
            result => {
                // Whoever waits at the other end goes on before this end can be closed again.
                if let Ok(fd) = result
                    && is_fifo(process, fd)
                {
                    self.yield_now().await;
                }
                result
            }
        }
    }

    async fn open_reading_end(&self, process: &Process, path: &UnixPath, how: OpenHow) -> Result<Fd, Errno> {
        let at_once = OpenHow { flags: how.flags | OpenFlags::O_NONBLOCK, ..how };
        let kept = Kept { process, fd: process.openat2(Fd::CWD, path, at_once)? };
        let fd = self.waiting(|| process.openat2(Fd::CWD, path, how)).await?;
        // The lowest number that was free, as it would have been.
        let number = kept.release();
        let flags = how.flags & OpenFlags::O_CLOEXEC;
        process.dup3(fd, number, flags)?;
        process.close(fd)?;
        Ok(number)
    }

    async fn open_writing_end(&self, process: &Process, path: &UnixPath, how: OpenHow) -> Result<Fd, Errno> {
        let fd = self.waiting(|| process.openat2(Fd::CWD, path, how)).await?;
        self.yield_now().await;
        Ok(fd)
    }
}

/// A reading end that is open while its process waits for a writer: closed if that fails, or is given up.
struct Kept<'p> {
    process: &'p Process,
    fd: Fd,
}

impl Kept<'_> {
    fn release(self) -> Fd {
        let fd = self.fd;
        std::mem::forget(self);
        fd
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        // A process that was killed has no descriptors any more.
        if self.process.is_running() {
            let _ = self.process.close(self.fd);
        }
    }
}

fn is_fifo(process: &Process, fd: Fd) -> bool {
    let stat = process.statx(fd, UnixPath::new(""), AtFlags::AT_EMPTY_PATH);
    stat.is_ok_and(|stat| stat.file_type == FileType::Fifo)
}
