//! What is said to arrive somewhere is what arrives there: on the simulated kernel, in mount namespaces made at random.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::cmp::Reverse;

use cofferdam::kernel::{AtFlags, CloneFlags, Fd, Kernel, Mode, MountAttr, MountFlags};
use cofferdam::mountinfo::{Entry, Table};
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_vfs_sim::{Linux, Process};
use cofferdam_view::arrivals::Arrivals;
use cofferdam_view::difference::Difference;
use cofferdam_view::host::{Host, Namespace};
use proptest::prelude::*;

/// What each filesystem has.
const DIRECTORIES: [&str; 4] = ["x", "y", "y/z", "w"];

/// Something that is done to a machine. What is chosen from what there is, is by number.
#[derive(Clone, Debug)]
enum Step {
    Tmpfs { process: usize, place: usize },
    Bind { process: usize, from: usize, place: usize },
    Propagation { process: usize, place: usize, kind: MountFlags },
    Unshare { process: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0_usize..64;
    let kinds = [MountFlags::MS_SHARED, MountFlags::MS_SHARED, MountFlags::MS_SLAVE, MountFlags::MS_PRIVATE];
    prop_oneof![
        2 => (number.clone(), number.clone()).prop_map(|(process, place)| Step::Tmpfs { process, place }),
        5 => (number.clone(), number.clone(), number.clone())
            .prop_map(|(process, from, place)| Step::Bind { process, from, place }),
        5 => (number.clone(), number.clone(), prop::sample::select(kinds.to_vec()))
            .prop_map(|(process, place, kind)| Step::Propagation { process, place, kind }),
        1 => number.prop_map(|process| Step::Unshare { process }),
    ]
}

fn fill(process: &Process, at: &UnixPath) {
    for directory in DIRECTORIES {
        // Where what was mounted there hides the way to it, nobody can.
        let _ = process.mkdirat(Fd::CWD, &at.join(directory), Mode(0o755));
    }
}

fn table(process: &Process) -> Vec<u8> {
    process.linux().mountinfo_table(process.task()).unwrap()
}

fn mounts(process: &Process) -> usize {
    Table::parse(&table(process)).unwrap().entries().len()
}

/// The mountpoints of a process that it can look up.
fn mountpoints(process: &Process) -> Vec<UnixPathBuf> {
    let text = table(process);
    let table = Table::parse(&text).unwrap();
    looked_up(process, table.entries().iter().map(|mount| mount.mountpoint().into_owned()))
}

/// Those, and the directories of the filesystems that are mounted there.
fn places(process: &Process) -> Vec<UnixPathBuf> {
    let below = |at: UnixPathBuf| DIRECTORIES.map(|name| at.join(name)).into_iter().chain([at]);
    looked_up(process, mountpoints(process).into_iter().flat_map(below))
}

fn looked_up(process: &Process, paths: impl Iterator<Item = UnixPathBuf>) -> Vec<UnixPathBuf> {
    let mut found: Vec<_> = paths.filter(|path| process.statx(Fd::CWD, path, AtFlags::empty()).is_ok()).collect();
    found.sort();
    found.dedup();
    found
}

#[allow(clippy::ptr_arg, reason = "of a slice of paths it would be a path")]
fn pick<T>(items: &Vec<T>, number: usize) -> &T {
    &items[number % items.len()]
}

fn carry_out(processes: &mut Vec<Process>, step: &Step) {
    match *step {
        Step::Tmpfs { process, place } => {
            let process = pick(processes, process);
            let places = places(process);
            let place = pick(&places, place).as_path();
            if process.mount(None, place, Some(b"tmpfs"), MountFlags::empty(), None).is_ok() && place.as_bytes() != b"/"
            {
                fill(process, place);
            }
        }
        Step::Bind { process, from, place } => {
            let process = pick(processes, process);
            let places = places(process);
            // A part of a filesystem now and then.
            let sources = if from % 3 == 0 { &places } else { &mountpoints(process) };
            let _ = process.mount(
                Some(pick(sources, from / 3).as_path()),
                pick(&places, place).as_path(),
                None,
                MountFlags::MS_BIND,
                None,
            );
        }
        Step::Propagation { process, place, kind } => {
            let process = pick(processes, process);
            let places = mountpoints(process);
            let attr = MountAttr { propagation: kind, ..MountAttr::default() };
            let _ = process.mount_setattr(Fd::CWD, pick(&places, place).as_path(), AtFlags::empty(), &attr);
        }
        Step::Unshare { process } if processes.len() < 4 => {
            let child = pick(processes, process).fork(CloneFlags::CLONE_NEWNS).unwrap();
            processes.push(child);
        }
        Step::Unshare { .. } => {}
    }
}

/// Where something is mounted on in one table that is not in another one.
fn added(before: &[u8], after: &[u8]) -> Vec<UnixPathBuf> {
    let (before, after) = (Table::parse(before).unwrap(), Table::parse(after).unwrap());
    let difference = Difference::between(&before, &after);
    assert!(difference.removed.is_empty(), "{difference:?}");
    let mut added: Vec<_> =
        difference.added.iter().map(|entry| after.entries()[*entry].mountpoint().into_owned()).collect();
    added.sort();
    added
}

/// No more mounts than are to be understood.
const MOUNTS: usize = 100;

/// On wasm32 it is slow.
const CASES: u32 = if cfg!(target_family = "wasm") { 20 } else { 200 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_mounted_arrives_where_it_is_said_to(steps in prop::collection::vec(step(), 0..40), process: usize, place: usize) {
        let init = Process::init(Linux::new());
        fill(&init, UnixPath::new("/"));
        let mut processes = vec![init];
        for step in &steps {
            carry_out(&mut processes, step);
            // Shared with many, each step makes twice as many.
            if processes.iter().map(mounts).sum::<usize>() > MOUNTS {
                break;
            }
        }
        // The one in whose namespace something is mounted comes first.
        let first = process % processes.len();
        processes.swap(0, first);
        let mut places = places(&processes[0]);
        places.retain(|place| place.as_bytes() != b"/");
        let before: Vec<_> = processes.iter().map(table).collect();
        let namespace = |text| Namespace { name: String::new(), table: Table::parse(text).unwrap() };
        let host = Host::new(before.iter().map(|text| namespace(text)).collect());
        // Mostly where there is most to be said.
        places.sort_by_cached_key(|place| Reverse(Arrivals::of(&host, place).unwrap().receivers.len()));
        let place = pick(&places, if place % 4 == 0 { place / 4 } else { 0 }).as_path();
        let predicted = Arrivals::of(&host, place).unwrap();
        for arrival in &predicted.receivers {
            let table = &host.namespaces()[arrival.receiver.position.namespace].table;
            let found = arrival.path.as_ref().map(|path| table.containing(path).map(Entry::id));
            let is_seen = found.is_none_or(|found| found == Some(host.mount(arrival.receiver.position).id()));
            prop_assert_eq!(arrival.is_hidden, !is_seen, "{:?}", arrival);
        }

        processes[0].mount(Some(UnixPath::new("new")), place, Some(b"tmpfs"), MountFlags::empty(), None).unwrap();

        for (number, process) in processes.iter().enumerate() {
            let arrived = predicted.receivers.iter().filter(|arrival| arrival.receiver.position.namespace == number);
            let mut expected: Vec<_> = arrived.filter_map(|arrival| arrival.path.clone()).collect();
            expected.extend((number == 0).then(|| place.to_path_buf()));
            expected.sort();
            prop_assert_eq!(added(&before[number], &table(process)), expected, "{}", String::from_utf8_lossy(&before[number]));
        }
    }
}
