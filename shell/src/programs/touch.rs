//! touch(1): there are no times in the simulation, so all that is left of it is that files come to be.

use cofferdam::kernel::{Errno, Kernel as _, Mode, OpenFlags, OpenHow};

use super::support::options::{take_options, usage};
use crate::execution::Execution;
use crate::getopt::{Opt, Order, Takes, option};

const OPTIONS: &[Opt] = &[
    option("access", 'a', "", Takes::Nothing),
    option("modify", 'm', "", Takes::Nothing),
    option("force", 'f', "", Takes::Nothing),
    option("no-create", 'c', "no-create", Takes::Nothing),
    option("no-dereference", 'h', "no-dereference", Takes::Nothing),
    option("date", 'd', "date", Takes::Argument),
    option("reference", 'r', "reference", Takes::Argument),
    option("time", 't', "", Takes::Argument),
    option("which", '\0', "time", Takes::Argument),
];

/// touch(1)
pub(crate) async fn touch(execution: &mut Execution) -> i32 {
    let parsed = match take_options(execution, OPTIONS, Order::Permute, 1) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    if parsed.operands.is_empty() {
        return usage(execution, "missing file operand", 1);
    }
    if let Some(reference) = parsed.value("reference")
        && let Err(errno) = execution.stat(reference)
    {
        return execution.report_failure("failed to get attributes of", reference, errno);
    }
    let follows = !parsed.has("no-dereference");
    let creates = !parsed.has("no-create") && follows;
    let mut status = 0;
    for path in &parsed.operands {
        if let Err((action, errno)) = touch_one(execution, path, creates, follows).await {
            status = execution.report_failure(action, path, errno);
        }
    }
    status
}

async fn touch_one(
    execution: &mut Execution,
    path: &[u8],
    creates: bool,
    follows: bool,
) -> Result<(), (&'static str, Errno)> {
    let mut open_error = None;
    if path == b"-" {
        return Ok(());
    }
    if creates {
        let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_NONBLOCK | OpenFlags::O_NOCTTY;
        let how = OpenHow { flags, mode: Mode(0o666), ..OpenHow::default() };
        match execution.open(path, how).await {
            Ok(fd) => {
                let _ = execution.process.close(fd);
                return Ok(());
            }
            Err(errno) => open_error = Some(errno),
        }
    }
    // The times can be set of what can't be opened.
    let stat = if follows { execution.stat(path) } else { execution.lstat(path) };
    match (stat, open_error) {
        (Ok(_), Some(Errno::EROFS)) => Err(("cannot touch", Errno::EROFS)),
        (Ok(_), _) | (Err(Errno::ENOENT), None) if follows => Ok(()),
        (Ok(_), _) => Ok(()),
        (Err(_), Some(errno)) if errno != Errno::EISDIR => Err(("cannot touch", errno)),
        (Err(errno), _) => Err(("setting times of", errno)),
    }
}
