//! What every process is asked at the end of a sequence: what the steps before have led to shows in the answers.

use cofferdam::kernel::{AtFlags, Call, Fd};

use crate::sequence::{Action, Step, TaskIndex};

const PATHS: [&str; 8] = ["/", ".", "..", "/a", "/a/d", "/b/e", "/c/f", "/n0"];

/// The questions to a process.
pub(super) fn questions(task: TaskIndex) -> impl Iterator<Item = Step> {
    let stats =
        PATHS.map(|path| Call::Statx { dirfd: Fd::CWD, path: path.into(), flags: AtFlags::AT_SYMLINK_NOFOLLOW });
    let calls = stats.into_iter().chain([Call::Getcwd {}, Call::Statfs { path: "/".into() }, Call::Capget {}]);
    calls.map(move |call| Step { task, action: Action::Call(call) })
}
