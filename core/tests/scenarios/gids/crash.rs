//! The machine stops at any call, and the operation is repeated.

use std::cell::RefCell;
use std::collections::BTreeMap;

use cofferdam::kernel::{Bytes, Call, Errno, Fd, Intercepted, Interceptor, Kernel, Value};
use cofferdam::volumes::VolumeKind;
use cofferdam::{UnixPath, UnixPathBuf};

use super::{FIRST, StopAt, Users, group, is_given_back, is_shared, manager, record, record_path, volume};
use crate::world::World;

scenarios!(
    the_record_is_on_disk_before_the_first_change,
    an_allocate_that_stops_anywhere_is_finished_by_the_next,
    a_deallocate_that_stops_anywhere_can_be_repeated,
    an_allocate_after_a_deallocate_that_stopped_shares_the_whole_tree_again,
);

/// What is done to the disk, in words.
#[derive(Default)]
struct Log {
    opened: RefCell<BTreeMap<Fd, Bytes>>,
    lines: RefCell<Vec<String>>,
}

impl Interceptor for Log {
    fn after(&self, _: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        let mut opened = self.opened.borrow_mut();
        let line = match (call, result) {
            (Call::Openat2 { path, .. }, Ok(Value::Descriptor(fd))) => {
                opened.insert(*fd, path.clone());
                return;
            }
            (Call::Fsync { fd }, _) => format!("sync {}", opened[fd]),
            (Call::Renameat2 { new_path, .. }, _) => format!("rename to {new_path}"),
            (Call::Fchownat { .. }, _) => "set a group".to_owned(),
            _ => return,
        };
        self.lines.borrow_mut().push(line);
    }
}

fn the_record_is_on_disk_before_the_first_change(world: &World<'_>) {
    let gids = manager(world, 10);
    let log = Log::default();
    gids.allocate(&Intercepted::new(world.kernel, &log), &volume(world, "volume"), VolumeKind::Persistent).unwrap();
    let layout = world.config().layout;
    let file = layout.volume_gids();
    let quoted = |path: &UnixPath| Bytes::from(path).to_string();
    let expected = [
        format!("sync {}", quoted(&UnixPathBuf::from(format!("{}.new", file.display())))),
        format!("rename to {}", quoted(&file)),
        format!("sync {}", quoted(&layout.volume_gid_manager())),
        format!("sync {}", quoted(&layout.meta())),
        format!("sync {}", quoted(&layout.work_dir)),
        "set a group".to_owned(),
    ];
    assert_eq!(log.lines.borrow()[..expected.len()], expected);
}

/// Runs a scenario for a stop at each call that the operation makes, on a machine of its own.
fn at_each_call(world: &World<'_>, scenario: impl Fn(&World<'_>, &StopAt)) -> usize {
    for number in 1.. {
        let world = world.elsewhere(world.make_directory(&format!("stop{number}")));
        let stop = StopAt::call(number);
        scenario(&world, &stop);
        if !stop.has_stopped() {
            return number;
        }
    }
    unreachable!("an operation ends")
}

fn an_allocate_that_stops_anywhere_is_finished_by_the_next(world: &World<'_>) {
    let calls = at_each_call(world, |world, stop| {
        let gids = manager(world, 10);
        let [path, other] = ["volume", "other"].map(|name| volume(world, name));
        let stopped = gids.allocate(&Intercepted::new(world.kernel, stop), &path, VolumeKind::Persistent);
        assert_eq!(stopped.is_err(), stop.has_stopped());
        let is_recorded = world.exists(&record_path(world)) && !record(world).is_empty();
        let is_touched = group(world, &path) == FIRST;
        assert!(is_recorded || !is_touched, "the record comes first");
        if is_recorded && !record(world)[0].2 {
            assert!(is_shared(world, &path, FIRST), "what is called finished is finished");
        }
        let expected = if is_recorded { FIRST + 1 } else { FIRST };
        assert_eq!(gids.allocate(world.kernel, &other, VolumeKind::Persistent), Ok(expected));
        let gid = gids.allocate(world.kernel, &path, VolumeKind::Persistent).unwrap();
        assert_ne!(gid, expected);
        assert!(is_shared(world, &path, gid));
        assert!(is_shared(world, &other, expected));
        assert!(record(world).iter().all(|(_, _, unfinished)| !unfinished), "{:?}", record(world));
    });
    assert!(calls > 30, "{calls}");
}

fn a_deallocate_that_stops_anywhere_can_be_repeated(world: &World<'_>) {
    let calls = at_each_call(world, |world, stop| {
        let gids = manager(world, 10);
        let [one, two] = ["s/one", "s/two"].map(|name| volume(world, name));
        for path in [&one, &two] {
            gids.allocate(world.kernel, path, VolumeKind::SandboxPath).unwrap();
        }
        let sandbox = world.path("s");
        let stopped = gids.deallocate(&Intercepted::new(world.kernel, stop), &Users, &sandbox);
        assert_eq!(stopped.is_err(), stop.has_stopped());
        let kept = record(world);
        for (path, gid) in [(&one, FIRST), (&two, FIRST + 1)] {
            let is_kept = kept.iter().any(|(kept, _, _)| *kept == path.to_string());
            assert!(is_kept || is_given_back(world, path, 1077), "a gid that is free is nobody's group");
            let is_finished = kept.contains(&(path.to_string(), u64::from(gid), false));
            assert!(!is_finished || is_shared(world, path, gid));
        }
        gids.deallocate(world.kernel, &Users, &sandbox).unwrap();
        assert!(is_given_back(world, &one, 1077) && is_given_back(world, &two, 1077));
        assert_eq!(record(world), []);
    });
    assert!(calls > 30, "{calls}");
}

fn an_allocate_after_a_deallocate_that_stopped_shares_the_whole_tree_again(world: &World<'_>) {
    at_each_call(world, |world, stop| {
        let gids = manager(world, 10);
        let path = volume(world, "volume");
        gids.allocate(world.kernel, &path, VolumeKind::SandboxPath).unwrap();
        let _ = gids.deallocate(&Intercepted::new(world.kernel, stop), &Users, &path);
        assert_eq!(gids.allocate(world.kernel, &path, VolumeKind::SandboxPath), Ok(FIRST));
        assert!(is_shared(world, &path, FIRST));
    });
}
