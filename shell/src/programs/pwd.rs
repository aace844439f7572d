//! pwd(1)

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Fd, Kernel as _};

use crate::directory::working_directory;
use crate::execution::Execution;
use crate::getopt::{Order, Takes, option, parse};

/// pwd(1) of GNU: `-P`, which is the default, and `-L`.
pub(crate) async fn pwd(execution: &mut Execution) -> i32 {
    let known =
        [option("logical", 'L', "logical", Takes::Nothing), option("physical", 'P', "physical", Takes::Nothing)];
    let given = match parse(&known, Order::Permute, execution.arguments.get(1..).unwrap_or_default()) {
        Ok(given) => given,
        Err(message) => {
            execution.complain(message).await;
            let hint = execution.help_hint();
            execution.report_line(hint);
            return 1;
        }
    };
    if !given.operands.is_empty() {
        execution.complain("ignoring non-option arguments").await;
    }
    let is_logical = given.options.last().is_some_and(|(id, _)| *id == "logical");
    if is_logical
        && let Some(path) = execution.variable("PWD").map(<[u8]>::to_vec)
        && path.starts_with(b"/")
        && is_here(execution, &path)
    {
        execution.print([&path[..], b"\n"].concat());
        return 0;
    }
    match working_directory(&execution.process) {
        Ok(path) => {
            execution.print([&path[..], b"\n"].concat());
            0
        }
        Err(errno) => {
            execution.complain(format!("cannot get the current directory: {}", errno.description())).await;
            1
        }
    }
}

fn is_here(execution: &Execution, path: &[u8]) -> bool {
    let stat = |path: &[u8]| execution.process.statx(Fd::CWD, UnixPath::new(path), AtFlags::empty());
    match (stat(path), stat(b".")) {
        (Ok(there), Ok(here)) => (there.device, there.inode) == (here.device, here.inode),
        _ => false,
    }
}
