//! A launch, and what the launcher says.

use cofferdam::kernel::{Call, CloneFlags, Errno, Fd, Intercepted, Interceptor, Kernel, OpenFlags, WaitStatus};
use cofferdam::launch::{LaunchRequest, launch};

use crate::scenarios::{Instead, Program, wait};

/// Launches a program of ours. Gives how it ended, and what the launcher wrote to standard error.
pub fn told(kernel: &dyn Kernel, request: &LaunchRequest, program: &Program<'_>) -> (WaitStatus, String) {
    let (read, write) = kernel.pipe2(OpenFlags::O_CLOEXEC | OpenFlags::O_NONBLOCK).unwrap();
    let teller = Teller(write);
    let mut body = |kernel: &dyn Kernel| {
        let kernel = Intercepted::new(kernel, &teller);
        launch(&Intercepted::new(&kernel, &Instead(program)), request)
    };
    let status = wait(kernel, kernel.clone3(CloneFlags::empty(), &mut body).unwrap());
    let message = kernel.read(read, 1 << 14).map(|bytes| bytes.0).unwrap_or_default();
    for fd in [read, write] {
        kernel.close(fd).unwrap();
    }
    (status, String::from_utf8_lossy(&message).into_owned())
}

/// Takes down what the launcher writes to standard error.
struct Teller(Fd);

impl Interceptor for Teller {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        match call {
            Call::Write { fd: Fd::STDERR, data } => {
                // It is closed when the program begins, which tells what is wrong by itself.
                let _ = kernel.write(self.0, &data.0);
                Err(Errno::EPIPE)
            }
            _ => Ok(()),
        }
    }
}
