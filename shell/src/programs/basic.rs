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
