//! Logs of real programs, as `traces/record` has recorded them, replayed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use cofferdam_replay::{Beginning, Report, Trace, replay};
use cofferdam_vfs_sim::Linux;
use rstest::rstest;

macro_rules! recorded {
    ($name:literal) => {
        (include_str!(concat!("traces/", $name, ".mountinfo")), include_str!(concat!("traces/", $name, ".strace")))
    };
}

type Recorded = (&'static str, &'static str);

fn report((mountinfo, log): (&str, &str)) -> Report {
    let machine = Linux::from_mountinfo(mountinfo.as_bytes()).unwrap();
    replay(&Trace::parse(log.as_bytes()).unwrap(), &machine, &Beginning::default()).unwrap()
}

/// At least so many calls are replayed: a replay that leaves out everything finds no difference either.
#[rstest]
#[case::bubblewrap(recorded!("bubblewrap"), 300)]
#[case::mount(recorded!("mount"), 300)]
#[case::mount_without_privilege(recorded!("mount-without-privilege"), 60)]
#[case::move_from_shared(recorded!("move-from-shared"), 50)]
#[case::new_calls(recorded!("new-calls"), 24)]
#[case::runc(recorded!("runc"), 570)]
#[case::systemd_nspawn(recorded!("systemd-nspawn"), 1040)]
#[case::umount_busy(recorded!("umount-busy"), 60)]
#[case::umount_locked(recorded!("umount-locked"), 60)]
#[case::unshare(recorded!("unshare"), 25)]
#[case::unshare_user(recorded!("unshare-user"), 60)]
fn what_was_recorded_is_what_the_simulated_kernel_gives(#[case] recorded: Recorded, #[case] at_least: usize) {
    let report = report(recorded);
    assert_eq!(report.difference, None, "{report}");
    assert!(report.replayed >= at_least, "{report}");
    assert!(report.count_of_skipped() * 3 <= report.replayed, "{report}");
}

/// No call about mounts is left out.
#[rstest]
#[case::bubblewrap(recorded!("bubblewrap"))]
#[case::runc(recorded!("runc"))]
#[case::systemd_nspawn(recorded!("systemd-nspawn"))]
#[case::mount(recorded!("mount"))]
#[case::new_calls(recorded!("new-calls"))]
fn calls_about_mounts_are_all_replayed(#[case] recorded: Recorded) {
    let names = ["mount", "umount2", "pivot_root", "move_mount", "open_tree", "fsmount", "unshare", "setns", "clone"];
    let report = report(recorded);
    let skipped: Vec<_> = report.skipped.iter().filter(|skipped| names.contains(&skipped.name.as_str())).collect();
    assert!(skipped.is_empty(), "{report}");
}

#[rstest]
#[case::move_from_shared(recorded!("move-from-shared"), "EINVAL", "do_move_mount()", "which is shared (peer group")]
#[case::umount_busy(recorded!("umount-busy"), "EBUSY", "propagate_mount_busy()", "the working directory of process")]
#[case::umount_locked(recorded!("umount-locked"), "EINVAL", "can_umount()", "is locked to the one that it is on")]
#[case::mount_without_privilege(recorded!("mount-without-privilege"), "EPERM", "may_mount()", "in its own user namespace")]
#[case::parameter(recorded!("new-calls"), "EINVAL", "the filesystem type has no such parameter", "")]
fn failures_are_explained(#[case] recorded: Recorded, #[case] errno: &str, #[case] reason: &str, #[case] detail: &str) {
    let report = report(recorded);
    let failure = report.failures.iter().find(|failure| failure.call.contains(errno)).unwrap();
    assert!(failure.reason.as_ref().unwrap().contains(reason), "{failure}");
    assert!(failure.detail.as_deref().unwrap_or_default().contains(detail), "{failure}");
}

/// Whatever result of a call about mounts is another one, that is found.
#[rstest]
#[case::bubblewrap(recorded!("bubblewrap"))]
#[case::runc(recorded!("runc"))]
#[case::systemd_nspawn(recorded!("systemd-nspawn"))]
#[case::mount(recorded!("mount"))]
fn another_result_is_a_difference(#[case] (mountinfo, log): Recorded) {
    let calls = ["mount(", "umount2(", "pivot_root(", "unshare("];
    // Why a filesystem that is not simulated could not be mounted is not known.
    let is_changed = |line: &&str| {
        calls.iter().any(|call| line.contains(call)) && line.ends_with("= 0") && !line.contains("\"cgroup2\"")
    };
    let candidates: Vec<&str> = log.lines().filter(is_changed).collect();
    assert!(candidates.len() >= 3);
    // Some of them, so that it does not take long.
    for line in candidates.iter().step_by(candidates.len().div_ceil(5)) {
        let changed = line.strip_suffix("= 0").unwrap().to_owned() + "= -1 EBUSY (Device or resource busy)";
        let report = report((mountinfo, &log.replacen(line, &changed, 1)));
        let difference = report.difference.unwrap();
        assert_eq!(log.lines().nth(difference.line - 1), Some(*line), "{difference}");
        assert!(difference.call.ends_with("= -1 EBUSY (Device or resource busy)"), "{difference}");
    }
}

/// Where the mounts were others, there are other results.
#[test]
fn the_table_of_mounts_matters() {
    let (mountinfo, log) = recorded!("move-from-shared");
    let private: String = mountinfo
        .lines()
        .map(|line| line.split(' ').filter(|word| !word.starts_with("shared:")).collect::<Vec<_>>().join(" ") + "\n")
        .collect();
    let difference = report((&private, log)).difference.unwrap();
    assert!(difference.call.contains("MS_MOVE"), "{difference}");
    assert_eq!(difference.simulated, "0");
}
