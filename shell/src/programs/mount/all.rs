//! Several mounts at once: the table that is shown, and all that fstab has.

use cofferdam::kernel::MountFlags;

use super::attempt::{Attempt, Request};
use super::fstab::{self, Line};
use super::message::{FAILED, SYSTEM_ERROR};
use super::options::Options;
use crate::execution::Execution;
use crate::programs::util_linux::path::{are_equal, canonical};
use crate::programs::util_linux::table::{Direction, MountTable, OWN_TABLE, has_device, is_pseudo, type_matches};
use crate::programs::util_linux::warn_errno;

/// Some worked.
const SOME_WORKED: i32 = 64;

/// Shows the mount table.
pub(super) async fn show(execution: &mut Execution, types: Option<&[u8]>) -> i32 {
    let table = match MountTable::read(execution, OWN_TABLE).await {
        Ok(table) => table,
        Err(errno) => {
            warn_errno(execution, "failed to read mtab", errno).await;
            return SYSTEM_ERROR;
        }
    };
    for mount in &table.mounts {
        if types.is_some_and(|types| !type_matches(&mount.kind, types)) {
            continue;
        }
        let source = if has_device(&mount.kind) && !mount.source.is_empty() {
            canonical(&execution.process, &mount.source)
        } else {
            mount.source.clone()
        };
        let target: Vec<u8> =
            mount.target.iter().map(|byte| if byte.is_ascii_control() { b'?' } else { *byte }).collect();
        let parts = [&source, &b" on "[..], &target, b" type ", &mount.kind, b" (", &mount.options(), b")\n"];
        execution.print(parts.concat());
    }
    0
}

/// What is left out of `--all`, or has been done.
enum Skipped {
    Ignored,
    Mounted,
}

/// Mounts all that fstab has; `request` has the options that all get, and as its pattern the types that are wanted.
pub(super) async fn mount_all(execution: &mut Execution, request: Request, is_verbose: bool) -> i32 {
    let Some(lines) = fstab::lines(execution, &request).await else { return 0 };
    let (mut worked, mut failed) = (0, 0);
    for line in lines.iter().cloned() {
        let name = String::from_utf8_lossy(&line.target).into_owned();
        if let Some(skipped) = skipped(execution, &line, request.pattern.as_deref()).await {
            if is_verbose {
                execution.print(match skipped {
                    Skipped::Ignored => format!("{name:<25}: ignored\n"),
                    Skipped::Mounted => format!("{name:<25}: already mounted\n"),
                });
            }
            continue;
        }
        let mut one = Request { pattern: None, ..request.clone() };
        fstab::apply(&mut one, line);
        let attempt = Attempt::make(execution, one).await;
        count(execution, &attempt, &mut worked, &mut failed, (is_verbose, "mounted")).await;
    }
    overall(worked, failed)
}

/// Remounts all that is mounted.
pub(super) async fn remount_all(execution: &mut Execution, request: Request, is_verbose: bool) -> i32 {
    // Without a table nothing is mounted.
    let Ok(table) = MountTable::read(execution, OWN_TABLE).await else { return 0 };
    let (mut worked, mut failed) = (0, 0);
    for mount in &table.mounts {
        if request.pattern.as_ref().is_some_and(|types| !type_matches(&mount.kind, types)) {
            if is_verbose {
                execution.print(format!("{:<25}: ignored\n", String::from_utf8_lossy(&mount.target)));
            }
            continue;
        }
        let one = Request { pattern: None, target: Some(mount.target.clone()), ..request.clone() };
        let attempt = Attempt::make(execution, one).await;
        count(execution, &attempt, &mut worked, &mut failed, (is_verbose, "remounted")).await;
    }
    overall(worked, failed)
}

async fn count(
    execution: &mut Execution,
    attempt: &Attempt,
    worked: &mut u32,
    failed: &mut u32,
    (is_verbose, what): (bool, &str),
) {
    if attempt.report(execution).await != 0 {
        *failed += 1;
        return;
    }
    *worked += 1;
    if is_verbose && attempt.called == Some(Ok(())) {
        let target = attempt.request.target.as_deref().unwrap_or_default();
        execution.print(format!("{:<25}: successfully {what}\n", String::from_utf8_lossy(target)));
    }
}

fn overall(worked: u32, failed: u32) -> i32 {
    match (worked, failed) {
        (_, 0) => 0,
        (0, _) => FAILED,
        _ => SOME_WORKED,
    }
}

async fn skipped(execution: &mut Execution, line: &Line, types: Option<&[u8]>) -> Option<Skipped> {
    let is_other_type = types.is_some_and(|types| !type_matches(&line.kind, types));
    let is_root = matches!(&line.target[..], b"/" | b"root");
    if line.kind == b"swap" || is_root || Options::parse(&line.options).has(b"noauto") || is_other_type {
        return Some(Skipped::Ignored);
    }
    let Ok(table) = MountTable::read(execution, OWN_TABLE).await else { return Some(Skipped::Ignored) };
    is_mounted(execution, &table, line).then_some(Skipped::Mounted)
}

/// Whether what a line says is mounted where it says (`mnt_table_is_fs_mounted()`).
fn is_mounted(execution: &Execution, table: &MountTable, line: &Line) -> bool {
    let process = &execution.process;
    let target = canonical(process, &line.target);
    let is_bind = Options::parse(&line.options).flags().contains(MountFlags::MS_BIND);
    let (source, root) = if is_bind {
        let path = canonical(process, &line.source);
        let Some(mount) = table.find_mountpoint(process, &path, Direction::Backward) else { return false };
        let below = path.strip_prefix(&mount.target[..]).unwrap_or_default();
        (mount.source.clone(), [&mount.root, &b"/"[..], below].concat())
    } else if is_pseudo(&line.kind) {
        (line.source.clone(), b"/".to_vec())
    } else {
        (canonical(process, &line.source), b"/".to_vec())
    };
    table.mounts.iter().any(|mount| mount.has_source(&source) && mount.is_on(&target) && are_equal(&mount.root, &root))
}
