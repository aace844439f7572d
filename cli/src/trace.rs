//! `--trace`: every system call with its result, as strace prints it.

use std::io::Write as _;

use cofferdam::kernel::{Call, Errno, Intercepted, Interceptor, Kernel, Pid, Value};

/// Prints calls to standard error.
struct Tracer;

impl Interceptor for Tracer {
    fn before(&self, kernel: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        // The one call that, if all goes well, we can't print a result of.
        if let Call::Execve { .. } = call {
            print(kernel, &format!("{call} ..."));
        }
        Ok(())
    }

    fn after(&self, kernel: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        print(kernel, &call.with_result(result).to_string());
    }
}

/// One write(2) a line, so that lines of several processes do not mix.
fn print(kernel: &dyn Kernel, text: &str) {
    let Pid(pid) = kernel.getpid().unwrap_or(Pid(0));
    let line = format!("[pid {pid}] {text}\n");
    // The trace must not change what is traced: if it can't be written, it is not.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Runs `body` on the kernel, or on the traced kernel.
pub(crate) fn traced<R>(kernel: &dyn Kernel, trace: bool, body: impl FnOnce(&dyn Kernel) -> R) -> R {
    if trace { body(&Intercepted::new(kernel, &Tracer)) } else { body(kernel) }
}
