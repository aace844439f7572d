//! The calls that are measured: each makes what it needs, is timed, and undoes what it did.

use std::time::{Duration, Instant};

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, CloneFlags, Errno, Fd, Kernel, Mode, MountFlags, MoveMountFlags, OpenFlags, OpenHow, OpenTreeFlags,
    ResolveFlags, StatMountMask, UmountFlags, UniqueMountId,
};
use nix::time::{ClockId, clock_gettime};

use crate::scene::open_namespace;
use crate::scene::{DEEP, Dimension, ELSEWHERE, NEW_ROOT, PLACE, SLAVE, SOURCE, Scene, TARGET, TREE, WRITTEN};

/// How often a call that changes nothing is made for one time: it is too short for the clock.
const REPEATED: u32 = 32;

/// From here on it is the time on the processor that counts: what others do meanwhile is none of the call's cost. Below, the
/// clock on the wall counts, as the kernel's waiting does.
const LONG: Duration = Duration::from_millis(1);

/// One round: how long the call took.
pub type Round<K> = fn(&Scene<K>) -> Result<Duration, Errno>;

/// A call that is measured.
pub struct Call<K: Kernel> {
    /// What the report calls it.
    pub name: &'static str,
    /// Makes it once.
    pub round: Round<K>,
    /// Among what it is measured.
    pub dimensions: &'static [Dimension],
}

const ALL: &[Dimension] = &Dimension::ALL;
/// Where making the place private, or reading it only, would change the scene.
const PRIVATE: &[Dimension] = &[Dimension::Mounts, Dimension::Filesystems];
const SHARED: &[Dimension] = &[Dimension::Peers, Dimension::Namespaces];

fn timed<T>(call: impl FnOnce() -> Result<T, Errno>) -> Result<(Duration, T), Errno> {
    let (processor, start) = (processor_time(), Instant::now());
    let result = call()?;
    let time = start.elapsed();
    let time = if time > LONG { processor_time().saturating_sub(processor) } else { time };
    Ok((time, result))
}

fn time(call: impl FnOnce() -> Result<(), Errno>) -> Result<Duration, Errno> {
    timed(call).map(|(time, ())| time)
}

/// For calls that change nothing.
fn repeated(mut call: impl FnMut() -> Result<(), Errno>) -> Result<Duration, Errno> {
    time(|| (0..REPEATED).try_for_each(|_| call())).map(|time| time / REPEATED)
}

/// How long the thread has been on a processor.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

fn umount<K: Kernel>(scene: &Scene<K>, target: &str, flags: UmountFlags) -> Result<(), Errno> {
    scene.machine.kernel.umount2(UnixPath::new(target), flags)
}

fn bind_tree<K: Kernel>(scene: &Scene<K>, target: &str) -> Result<(), Errno> {
    let flags = MountFlags::MS_BIND | MountFlags::MS_REC;
    scene.machine.kernel.mount(Some(UnixPath::new(TREE)), UnixPath::new(target), None, flags, None)
}

fn move_to<K: Kernel>(scene: &Scene<K>, from: (Fd, &str), target: &str) -> Result<(), Errno> {
    let flags = if from.1.is_empty() { MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH } else { MoveMountFlags::empty() };
    let to = UnixPath::new(target);
    scene.machine.kernel.move_mount(from.0, UnixPath::new(from.1), Fd::CWD, to, flags)
}

fn open<K: Kernel>(scene: &Scene<K>, path: &str) -> Result<Fd, Errno> {
    let how =
        OpenHow { flags: OpenFlags::O_PATH | OpenFlags::O_CLOEXEC, mode: Mode(0), resolve: ResolveFlags::empty() };
    scene.machine.kernel.openat2(Fd::CWD, UnixPath::new(path), how)
}

/// Times a change of the propagation type of a mount that is made for it, of the mount where calls act if `is_peer`.
fn change_type<K: Kernel>(scene: &Scene<K>, is_peer: bool, kind: MountFlags) -> Result<Duration, Errno> {
    scene.machine.bind(if is_peer { PLACE } else { SOURCE }, ELSEWHERE)?;
    let time = time(|| scene.machine.propagation(ELSEWHERE, kind, AtFlags::empty()))?;
    scene.machine.umount(ELSEWHERE)?;
    Ok(time)
}

/// What of the life of a namespace is timed.
#[derive(Clone, Copy)]
enum Part {
    Unshare,
    Setns,
    End,
}

/// Times one part of: a new namespace, going back and forth, the end of the new one. Its end is the same whoever leaves it
/// last; that it is a descriptor keeps the time that a process takes to end out of it.
fn namespace<K: Kernel>(scene: &Scene<K>, part: Part) -> Result<Duration, Errno> {
    let kernel = &scene.machine.kernel;
    let unshare = time(|| kernel.unshare(CloneFlags::CLONE_NEWNS))?;
    let new = open_namespace(kernel)?;
    scene.go_home()?;
    let setns = match part {
        Part::Setns => repeated(|| {
            kernel.setns(new, CloneFlags::CLONE_NEWNS)?;
            scene.go_home()
        })?,
        _ => Duration::ZERO,
    };
    let end = time(|| kernel.close(new))?;
    Ok(match part {
        Part::Unshare => unshare,
        Part::Setns => setns / 2,
        Part::End => end,
    })
}

/// Times the copy of the place with all that is on it, or the end of that.
fn detached<K: Kernel>(scene: &Scene<K>, flags: OpenTreeFlags, is_end: bool) -> Result<Duration, Errno> {
    let (open, fd) = timed(|| scene.copy(PLACE, flags))?;
    let close = time(|| scene.machine.kernel.close(fd))?;
    Ok(if is_end { close } else { open })
}

/// Times a change of the propagation type of the place with all that is on it.
fn change_tree<K: Kernel>(scene: &Scene<K>, is_back: bool) -> Result<Duration, Errno> {
    let machine = &scene.machine;
    let there = time(|| machine.propagation(PLACE, MountFlags::MS_SHARED, AtFlags::AT_RECURSIVE))?;
    let back = time(|| machine.propagation(PLACE, MountFlags::MS_PRIVATE, AtFlags::AT_RECURSIVE))?;
    Ok(if is_back { back } else { there })
}

fn attributes<K: Kernel>(scene: &Scene<K>, flags: AtFlags) -> Result<Duration, Errno> {
    let time = time(|| scene.set_attributes(PLACE, flags, true))?;
    scene.set_attributes(PLACE, flags, false)?;
    Ok(time)
}

fn statmount<K: Kernel>(scene: &Scene<K>, mount: UniqueMountId) -> Result<Duration, Errno> {
    repeated(|| scene.machine.kernel.statmount(mount, StatMountMask::all()).map(|_| ()))
}

/// All calls.
pub fn calls<K: Kernel>() -> Vec<Call<K>> {
    let mut calls = mounting();
    calls.extend(namespaces());
    calls.extend(asking());
    calls
}

fn call<K: Kernel>(name: &'static str, dimensions: &'static [Dimension], round: Round<K>) -> Call<K> {
    Call { name, round, dimensions }
}

fn mounting<K: Kernel>() -> Vec<Call<K>> {
    vec![
        call("mount of a tmpfs", ALL, |scene| {
            let time = time(|| scene.machine.mount("tmpfs", TARGET))?;
            scene.machine.umount(TARGET)?;
            Ok(time)
        }),
        call("mount of a sysfs", ALL, |scene| {
            let time = time(|| scene.machine.mount("sysfs", ELSEWHERE))?;
            scene.machine.umount(ELSEWHERE)?;
            Ok(time)
        }),
        call("bind mount", ALL, |scene| {
            let time = time(|| scene.machine.bind(SOURCE, TARGET))?;
            scene.machine.umount(TARGET)?;
            Ok(time)
        }),
        call("bind mount of the place itself", ALL, |scene| {
            let time = time(|| scene.machine.bind(PLACE, ELSEWHERE))?;
            scene.machine.umount(ELSEWHERE)?;
            Ok(time)
        }),
        call("recursive bind mount of 3 mounts", ALL, |scene| {
            let time = time(|| bind_tree(scene, TARGET))?;
            umount(scene, TARGET, UmountFlags::MNT_DETACH)?;
            Ok(time)
        }),
        call("umount", ALL, |scene| {
            scene.machine.bind(SOURCE, TARGET)?;
            time(|| scene.machine.umount(TARGET))
        }),
        call("umount of a peer of the place", ALL, |scene| {
            scene.machine.bind(PLACE, ELSEWHERE)?;
            time(|| scene.machine.umount(ELSEWHERE))
        }),
        call("umount MNT_DETACH of 3 mounts", ALL, |scene| {
            bind_tree(scene, TARGET)?;
            time(|| umount(scene, TARGET, UmountFlags::MNT_DETACH))
        }),
        call("umount MNT_DETACH of the place, in a copied namespace", PRIVATE, |scene| {
            scene.machine.kernel.unshare(CloneFlags::CLONE_NEWNS)?;
            let time = time(|| umount(scene, PLACE, UmountFlags::MNT_DETACH))?;
            scene.go_home()?;
            Ok(time)
        }),
        call("open_tree clone", ALL, |scene| detached(scene, OpenTreeFlags::empty(), false)),
        call("close of that", ALL, |scene| detached(scene, OpenTreeFlags::empty(), true)),
        call("open_tree clone, recursive", ALL, |scene| detached(scene, OpenTreeFlags::AT_RECURSIVE, false)),
        call("close of that, recursive", ALL, |scene| detached(scene, OpenTreeFlags::AT_RECURSIVE, true)),
        call("move_mount of a detached mount", ALL, |scene| {
            let fd = scene.copy(SOURCE, OpenTreeFlags::empty())?;
            let time = time(|| move_to(scene, (fd, ""), TARGET))?;
            scene.machine.kernel.close(fd)?;
            scene.machine.umount(TARGET)?;
            Ok(time)
        }),
        call("move_mount of an attached mount", ALL, |scene| {
            scene.machine.bind(SOURCE, ELSEWHERE)?;
            let time = time(|| move_to(scene, (Fd::CWD, ELSEWHERE), TARGET))?;
            scene.machine.umount(TARGET)?;
            Ok(time)
        }),
        call("mount_setattr", ALL, |scene| attributes(scene, AtFlags::empty())),
        call("mount_setattr, recursive", ALL, |scene| attributes(scene, AtFlags::AT_RECURSIVE)),
        call("change to shared", ALL, |scene| change_type(scene, false, MountFlags::MS_SHARED)),
        call("change of a peer to private", SHARED, |scene| change_type(scene, true, MountFlags::MS_PRIVATE)),
        call("change of a peer to slave", SHARED, |scene| change_type(scene, true, MountFlags::MS_SLAVE)),
        call("change to shared, recursive", PRIVATE, |scene| change_tree(scene, false)),
        call("change to private, recursive", PRIVATE, |scene| change_tree(scene, true)),
        call("remount of a filesystem being written to", ALL, |scene| {
            let flags = MountFlags::MS_REMOUNT | MountFlags::MS_RDONLY;
            let target = UnixPath::new(WRITTEN);
            repeated(|| match scene.machine.kernel.mount(None, target, None, flags, None) {
                Err(Errno::EBUSY) => Ok(()),
                Ok(()) => Err(Errno::EINVAL),
                Err(errno) => Err(errno),
            })
        }),
        call("rmdir", ALL, |scene| {
            scene.machine.make_directory("/place/empty")?;
            let path = UnixPath::new("/place/empty");
            time(|| scene.machine.kernel.unlinkat(Fd::CWD, path, AtFlags::AT_REMOVEDIR))
        }),
    ]
}

fn namespaces<K: Kernel>() -> Vec<Call<K>> {
    vec![
        call("unshare CLONE_NEWNS", ALL, |scene| namespace(scene, Part::Unshare)),
        call("setns", ALL, |scene| namespace(scene, Part::Setns)),
        call("end of a namespace", ALL, |scene| namespace(scene, Part::End)),
        call("pivot_root", ALL, |scene| {
            let kernel = &scene.machine.kernel;
            let time = time(|| kernel.pivot_root(UnixPath::new(NEW_ROOT), UnixPath::new("/new/old")))?;
            kernel.pivot_root(UnixPath::new("/old"), UnixPath::new("/old/new"))?;
            Ok(time)
        }),
    ]
}

fn asking<K: Kernel>() -> Vec<Call<K>> {
    vec![
        call("statx of a path of 8 components", ALL, |scene| {
            let path = UnixPath::new(DEEP);
            repeated(|| scene.machine.kernel.statx(Fd::CWD, path, AtFlags::empty()).map(|_| ()))
        }),
        call("openat2 and close", ALL, |scene| {
            repeated(|| open(scene, SLAVE).and_then(|fd| scene.machine.kernel.close(fd)))
        }),
        call("openat2 of the namespace's file, and close", ALL, |scene| {
            repeated(|| open_namespace(&scene.machine.kernel).and_then(|fd| scene.machine.kernel.close(fd)))
        }),
        call("statfs", ALL, |scene| {
            let path = UnixPath::new(SLAVE);
            repeated(|| scene.machine.kernel.statfs(path).map(|_| ()))
        }),
        call("statmount", ALL, |scene| statmount(scene, scene.last)),
        call("statmount of a slave", SHARED, |scene| statmount(scene, scene.slave)),
        call("listmount of all", ALL, |scene| {
            time(|| scene.machine.kernel.listmount(UniqueMountId::ROOT, 0).map(|_| ()))
        }),
        call("listmount of a mount without children", ALL, |scene| {
            time(|| scene.machine.kernel.listmount(scene.slave, 0).map(|_| ()))
        }),
        call("read of mountinfo", ALL, |scene| time(|| scene.machine.read_mount_table().map(|_| ()))),
    ]
}
