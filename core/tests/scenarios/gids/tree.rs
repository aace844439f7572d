//! What happens to the tree of a volume.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use cofferdam::kernel::{
    AtFlags, Call, DeviceNumber, Errno, Fd, FileType, Intercepted, Interceptor, Kernel, Mode, MountFlags, NodeMode,
    OpenFlags, OpenHow, RenameFlags, Value,
};
use cofferdam::volumes::{GidError, VolumeKind};
use cofferdam::{UnixPath, UnixPathBuf};

use super::{Before, FIRST, Users, chmod, chown, group, is_shared, manager, mode, record, record_path, volume};
use crate::world::World;

scenarios!(
    everything_in_the_tree_gets_the_group,
    a_volume_may_be_a_single_file,
    what_symbolic_links_lead_to_keeps_its_group,
    what_is_mounted_below_keeps_its_group,
    somebody_elses_file_that_is_linked_there_keeps_its_group,
    what_is_right_already_is_not_changed,
    a_tree_deeper_than_there_are_descriptors,
    a_directory_that_is_moved_away_is_an_error,
    what_vanishes_is_passed_over,
);

fn make_node(world: &World<'_>, path: &UnixPath, file_type: FileType, device: DeviceNumber) {
    world.kernel.mknodat(Fd::CWD, path, NodeMode { file_type, mode: Mode(0o600) }, device).unwrap();
}

fn everything_in_the_tree_gets_the_group(world: &World<'_>) {
    let path = volume(world, "volume");
    let [private, program, fifo, null] = ["private", "program", "fifo", "null"].map(|name| path.join(name));
    world.make_directory("volume/private");
    chmod(world, &private, 0o1700);
    world.write(&program, "");
    chmod(world, &program, 0o6755);
    make_node(world, &fifo, FileType::Fifo, DeviceNumber::NONE);
    make_node(world, &null, FileType::CharacterDevice, DeviceNumber::NULL);
    manager(world, 10).allocate(world.kernel, &path, VolumeKind::Persistent).unwrap();
    assert!(is_shared(world, &path, FIRST));
    assert_eq!((group(world, &private), mode(world, &private)), (FIRST, 0o3720), "only what the group needs is added");
    assert_eq!((group(world, &fifo), mode(world, &fifo)), (FIRST, 0o600));
    assert_eq!(mode(world, &path.join("inner/file")), 0o644, "the mode of files is their owner's");
    assert_eq!((group(world, &program), mode(world, &program)), (FIRST, 0o755), "as with any chown(2)");
    assert_eq!(group(world, &null), 0, "a device is no file that users share");
    // New files are the group's too.
    world.write(&path.join("inner/new"), "");
    assert_eq!(group(world, &path.join("inner/new")), FIRST);
}

fn a_volume_may_be_a_single_file(world: &World<'_>) {
    let gids = manager(world, 10);
    let path = world.make_directory("sandbox").join("file");
    world.write(&path, "");
    chown(world, &path, 77, 77);
    assert_eq!(gids.allocate(world.kernel, &path, VolumeKind::SandboxPath), Ok(FIRST));
    assert_eq!((group(world, &path), mode(world, &path)), (FIRST, 0o644));
    gids.deallocate(world.kernel, &Users, &world.path("sandbox")).unwrap();
    assert_eq!(group(world, &path), 1077);
}

fn what_symbolic_links_lead_to_keeps_its_group(world: &World<'_>) {
    let outside = volume(world, "outside");
    let path = volume(world, "volume");
    let links = [("file", outside.join("inner/file")), ("directory", outside.clone()), ("up", "../outside".into())];
    for (name, target) in &links {
        world.kernel.symlinkat(target, Fd::CWD, &path.join(name)).unwrap();
    }
    manager(world, 10).allocate(world.kernel, &path, VolumeKind::Persistent).unwrap();
    for (name, _) in links {
        assert_eq!(group(world, &path.join(name)), FIRST, "the link itself: {name}");
    }
    for path in [outside.clone(), outside.join("inner"), outside.join("inner/file")] {
        assert_eq!(group(world, &path), 77, "{path:?}");
    }
    assert_eq!(mode(world, &outside), 0o755);
}

fn what_is_mounted_below_keeps_its_group(world: &World<'_>) {
    let outside = volume(world, "outside");
    let path = volume(world, "volume");
    let [bound, other, file] = ["bound", "other", "file"].map(|name| path.join(name));
    world.make_directory("volume/bound");
    world.make_directory("volume/other");
    world.write(&file, "");
    world.bind(&outside, &bound);
    world.mount_tmpfs(&other, MountFlags::empty());
    world.bind(&outside.join("inner/file"), &file);
    manager(world, 10).allocate(world.kernel, &path, VolumeKind::Persistent).unwrap();
    assert!(is_shared(world, &path, FIRST));
    assert_eq!((group(world, &bound), group(world, &other), group(world, &file)), (77, 0, 77));
    assert!(super::is_given_back(world, &outside, 77), "as it was");
}

fn somebody_elses_file_that_is_linked_there_keeps_its_group(world: &World<'_>) {
    let gids = manager(world, 10);
    let path = volume(world, "volume");
    for (name, uid) in [("root", 0), ("other", 78), ("own", 77)] {
        let outside = world.path(name);
        world.write(&outside, "");
        chown(world, &outside, uid, uid);
        world.kernel.linkat(Fd::CWD, &outside, Fd::CWD, &path.join(name), AtFlags::empty()).unwrap();
    }
    gids.allocate(world.kernel, &path, VolumeKind::SandboxPath).unwrap();
    let groups = ["root", "other", "own"].map(|name| group(world, &world.path(name)));
    assert_eq!(groups, [0, 78, FIRST]);

    // What another user makes in the volume is given back whatever links it has.
    let new = path.join("new");
    world.write(&new, "");
    chown(world, &new, 78, FIRST);
    world.kernel.linkat(Fd::CWD, &new, Fd::CWD, &path.join("again"), AtFlags::empty()).unwrap();
    gids.deallocate(world.kernel, &Users, &path).unwrap();
    let groups = ["root", "other", "own"].map(|name| group(world, &world.path(name)));
    assert_eq!((groups, group(world, &new)), ([0, 78, 1077], 1077));
}

/// Counts the calls that change something.
struct Changes(Cell<usize>);

impl Interceptor for Changes {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if matches!(call, Call::Fchownat { .. } | Call::Fchmod { .. } | Call::Fchmodat { .. }) {
            self.0.set(self.0.get() + 1);
        }
        Ok(())
    }
}

fn what_is_right_already_is_not_changed(world: &World<'_>) {
    let gids = manager(world, 10);
    let path = volume(world, "volume");
    let changes = Changes(Cell::new(0));
    let kernel = Intercepted::new(world.kernel, &changes);
    gids.allocate(&kernel, &path, VolumeKind::Persistent).unwrap();
    assert_eq!(changes.0.take(), 5, "three groups, two modes");
    let layout = world.config().layout;
    let mut record_of_gids: serde_json::Value =
        cofferdam::record::read(world.kernel, &layout, &record_path(world)).unwrap();
    for unfinished in [false, true] {
        if unfinished {
            record_of_gids["infos"][0]["unfinished"] = true.into();
        }
        cofferdam::record::write(world.kernel, &layout, &record_path(world), &record_of_gids, Mode(0o600)).unwrap();
        gids.allocate(&kernel, &path, VolumeKind::Persistent).unwrap();
        assert_eq!(changes.0.get(), 0);
        assert!(!record(world)[0].2, "it is finished");
    }
}

/// How many descriptors are open at most.
#[derive(Default)]
struct Open {
    now: RefCell<BTreeSet<Fd>>,
    most: Cell<usize>,
}

impl Interceptor for Open {
    fn after(&self, _: &dyn Kernel, call: &Call, result: &Result<Value, Errno>) {
        let mut now = self.now.borrow_mut();
        match (call, result) {
            (Call::Openat2 { .. }, Ok(Value::Descriptor(fd))) => {
                now.insert(*fd);
            }
            (Call::Close { fd }, _) => {
                now.remove(fd);
            }
            _ => {}
        }
        self.most.set(self.most.get().max(now.len()));
    }
}

/// Makes a chain of directories `d`, each with a directory `a` and a directory `z` beside it. Calls the function with each
/// one, open.
fn chain(world: &World<'_>, path: &UnixPath, depth: usize, mut each: impl FnMut(Fd)) {
    let mut directory = world.open(path, OpenFlags::O_DIRECTORY).unwrap();
    for _ in 0..depth {
        for name in ["a", "d", "z"] {
            let made = world.kernel.mkdirat(directory, UnixPath::new(name), Mode(0o755));
            assert!(matches!(made, Ok(()) | Err(Errno::EEXIST)), "{made:?}");
        }
        each(directory);
        let how = OpenHow { flags: OpenFlags::O_DIRECTORY, ..OpenHow::default() };
        let deeper = world.kernel.openat2(directory, UnixPath::new("d"), how).unwrap();
        world.kernel.close(directory).unwrap();
        directory = deeper;
    }
    world.kernel.close(directory).unwrap();
}

fn a_tree_deeper_than_there_are_descriptors(world: &World<'_>) {
    let gids = manager(world, 10);
    let path = world.make_directory("volume");
    // Its path is longer than a path may be.
    let depth = 3000;
    chain(world, &path, depth, |_| {});
    let open = Open::default();
    gids.allocate(&Intercepted::new(world.kernel, &open), &path, VolumeKind::SandboxPath).unwrap();
    assert!(open.most.get() < 80, "{}", open.most.get());
    assert!(open.now.borrow().is_empty());
    let mut seen = 0;
    chain(world, &path, depth, |directory| {
        for name in ["a", "d", "z"] {
            let stat = world.kernel.statx(directory, UnixPath::new(name), AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
            assert_eq!((stat.gid, stat.mode), (FIRST, Mode(0o2775)), "{seen} deep");
        }
        seen += 1;
    });
    assert_eq!(seen, depth);
    gids.deallocate(world.kernel, &Users, &path).unwrap();
    chain(world, &path, depth, |directory| {
        let stat = world.kernel.statx(directory, UnixPath::new("z"), AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
        assert_eq!((stat.gid, stat.mode), (1000, Mode(0o755)));
    });
}

/// Then `..` of what is deep in it leads out of the tree.
fn a_directory_that_is_moved_away_is_an_error(world: &World<'_>) {
    let gids = manager(world, 10);
    let path = world.make_directory("volume");
    chain(world, &path, 100, |_| {});
    let outside = world.make_directory("outside");
    chain(world, &outside, 1, |_| {});
    // One whose descriptor is closed when the bottom is reached, and its child's is not.
    let from = path.join(["d"; 36].join("/"));
    let to = outside.join("moved");
    let is_dotdot = |call: &Call| matches!(call, Call::Openat2 { path, .. } if path.0 == b"..");
    let move_away = || world.kernel.renameat2(Fd::CWD, &from, Fd::CWD, &to, RenameFlags::empty()).unwrap();
    let before = Before::the_call(&is_dotdot, &move_away);
    let error = gids.allocate(&Intercepted::new(world.kernel, &before), &path, VolumeKind::SandboxPath).unwrap_err();
    assert!(matches!(error, GidError::Moved { .. }), "{error}");
    assert!(error.to_string().contains("try again"), "{error}");
    for name in ["", "a", "d", "z"] {
        let path = if name.is_empty() { outside.clone() } else { outside.join(name) };
        assert_eq!((group(world, &path), mode(world, &path)), (0, 0o755), "{path:?}");
    }
    assert!(record(world)[0].2, "unfinished");
    assert_eq!(gids.allocate(world.kernel, &path, VolumeKind::SandboxPath), Ok(FIRST));
    assert!(!record(world)[0].2);
}

fn what_vanishes_is_passed_over(world: &World<'_>) {
    let outside = volume(world, "outside");
    let mut number = 0;
    // Whatever is called upon the entry, it is gone just before, or has become something else.
    for name in ["file", "directory"] {
        for replacement in [None, Some(&outside)] {
            for nth in 0..2 {
                number += 1;
                let path = volume(world, &format!("volume{number}"));
                let entry = path.join(name);
                if name == "file" {
                    world.write(&entry, "");
                } else {
                    world.make_directory(&format!("volume{number}/directory"));
                }
                vanish_at_call(world, &path, &entry, nth, replacement);
                assert!(is_shared(world, &path, FIRST + number - 1), "{name}, {replacement:?}, call {nth}");
            }
        }
    }
    assert!(super::is_given_back(world, &outside, 77), "as it was");
}

/// Allocates while an entry vanishes before the nth call that names it.
fn vanish_at_call(world: &World<'_>, path: &UnixPath, entry: &UnixPath, nth: usize, replacement: Option<&UnixPathBuf>) {
    let name = entry.file_name().unwrap();
    let seen = Cell::new(0);
    let is_meant = |call: &Call| {
        let is_named = match call {
            Call::Openat2 { path, .. } | Call::Statx { path, .. } => path.0 == name,
            _ => false,
        };
        seen.set(seen.get() + usize::from(is_named));
        is_named && seen.get() > nth
    };
    let vanish = || {
        let is_directory = world.stat(entry).unwrap().file_type == FileType::Directory;
        let flags = if is_directory { AtFlags::AT_REMOVEDIR } else { AtFlags::empty() };
        world.kernel.unlinkat(Fd::CWD, entry, flags).unwrap();
        if let Some(target) = replacement {
            world.kernel.symlinkat(target, Fd::CWD, entry).unwrap();
        }
    };
    let before = Before::the_call(&is_meant, &vanish);
    let kernel = Intercepted::new(world.kernel, &before);
    manager(world, 20).allocate(&kernel, path, VolumeKind::SandboxPath).unwrap();
    assert!(before.is_done());
}
