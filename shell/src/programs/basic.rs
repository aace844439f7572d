//! Programs that do next to nothing.

use crate::execution::Execution;

/// true(1)
#[allow(clippy::unused_async, reason = "all programs are")]
pub(crate) async fn succeed(_: &mut Execution) -> i32 {
    0
}

/// false(1)
#[allow(clippy::unused_async, reason = "all programs are")]
pub(crate) async fn fail(_: &mut Execution) -> i32 {
    1
}

/// sync(1), without arguments: there is no disk.
pub(crate) use succeed as sync;

/// busybox(1): the program that it is called as, or that its first argument names.
pub(crate) async fn busybox(execution: &mut Execution) -> i32 {
    let base = |path: &[u8]| path.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
    if execution.arguments.first().is_some_and(|name| base(name) == b"busybox") {
        execution.arguments.remove(0);
    }
    let Some(path) = execution.arguments.first().cloned() else {
        execution.print("usage: busybox PROGRAM [ARGUMENT]...\n");
        return 0;
    };
    let name = base(&path);
    let program = std::str::from_utf8(&name).ok().filter(|name| *name != "busybox").and_then(super::program);
    let Some(program) = program else {
        execution.write_error(&[&name[..], b": applet not found\n"].concat()).await;
        return 127;
    };
    execution.become_program(program, name).await
}
