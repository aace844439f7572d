//! The volume gid manager of several processes at once. A thread is as good: a lock belongs to an open file (flock(2)).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::thread;

use cofferdam::UnixPathBuf;
use cofferdam::agent::GidRange;
use cofferdam::kernel::Kernel as _;
use cofferdam::layout::Layout;
use cofferdam::user::NumericUsers;
use cofferdam::volumes::{GidGauges, GidManager, VolumeKind};
use cofferdam_linux::LinuxKernel;

const THREADS: usize = 8;
const VOLUMES: usize = 6;

#[test]
fn volumes_of_several_processes_get_different_gids() {
    if LinuxKernel.geteuid() != Ok(0) {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "in CI nothing is skipped");
        // Not eprintln, which the test harness keeps to itself.
        #[allow(clippy::explicit_write, reason = "see above")]
        writeln!(std::io::stderr(), "skipped: needs root: the volume gid manager").unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let work_dir = directory.path().join("work");
    fs::create_dir(&work_dir).unwrap();
    let path = |thread: usize, volume: usize| directory.path().join(format!("{thread}/{volume}"));
    let unix = |path: &std::path::Path| UnixPathBuf::from(path.as_os_str().as_encoded_bytes());
    let layout = Layout { work_dir: unix(&work_dir), runtime_dir: unix(directory.path()) };
    // Enough for all that are there at once, if none gets lost.
    let range = GidRange::new(10000, 10000 + u32::try_from(THREADS * VOLUMES).unwrap() - 1).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let manager = GidManager::new(&layout, range);
            let paths: Vec<_> = (0..VOLUMES).map(|volume| path(thread, volume)).collect();
            scope.spawn(move || {
                for path in &paths {
                    fs::create_dir_all(path.join("inner")).unwrap();
                    let gid = manager.allocate(&LinuxKernel, &unix(path), VolumeKind::SandboxPath).unwrap();
                    assert_eq!(fs::metadata(path).unwrap().gid(), gid);
                }
                let last = unix(paths.last().unwrap());
                manager.deallocate(&LinuxKernel, &NumericUsers, &last).unwrap();
                manager.allocate(&LinuxKernel, &last, VolumeKind::SandboxPath).unwrap();
            });
        }
    });
    let manager = GidManager::new(&layout, range);
    assert_eq!(manager.gauges(&LinuxKernel), Ok(GidGauges { total: range.count(), free: 0 }));
    let gids: BTreeSet<u32> = (0..THREADS)
        .flat_map(|thread| (0..VOLUMES).map(move |volume| (thread, volume)))
        .map(|(thread, volume)| fs::metadata(path(thread, volume).join("inner")).unwrap().gid())
        .collect();
    assert_eq!(gids, range.gids().collect());
}
