//! Processes and namespaces: fork, exit, unshare(2), setns(2), id maps.

use cofferdam::kernel::{Bytes, Call, CloneFlags, Fd, OpenFlags, OpenHow, Pid, Signal, Value, WaitOptions};
use cofferdam_vfs_sim::DescriptorKind;

use super::scene::{Scene, Want};
use super::{Action, Maker};

pub(super) const FAMILY: &[(u32, Maker)] = &[
    (16, fork),
    (3, exit),
    (3, wait),
    (1, kill),
    (8, unshare),
    (12, open_namespace),
    (12, setns),
    (5, open_map),
    (8, write_map),
    (3, bind_namespace),
];

/// Stands for a choice of flags.
const OTHERS: CloneFlags = CloneFlags::empty().complement();

/// Some of the namespaces that mounts have nothing to do with, together with those that they have, and a flag that makes no
/// sense here: that the kernel tells of the child in a place that there is not.
fn others(scene: &mut Scene<'_>, flags: CloneFlags) -> CloneFlags {
    const NAMESPACES: &[CloneFlags] = &[
        CloneFlags::CLONE_NEWNS,
        CloneFlags::CLONE_NEWUSER,
        CloneFlags::CLONE_NEWUTS,
        CloneFlags::CLONE_NEWIPC,
        CloneFlags::CLONE_NEWCGROUP,
        CloneFlags::from_bits_retain(CLONE_NEWTIME),
    ];
    if flags != OTHERS {
        return flags;
    }
    let flags = scene.some(CloneFlags::empty(), NAMESPACES, 25);
    let flags = scene.some(flags, &[CloneFlags::CLONE_NEWPID], 20);
    // A network takes the kernel long to make.
    scene.some(flags, &[CloneFlags::CLONE_NEWNET, CloneFlags::from_bits_retain(CLONE_PIDFD)], 4)
}

const CLONE_NEWTIME: u64 = 0x80;
const CLONE_PIDFD: u64 = 0x1000;

fn fork(scene: &mut Scene<'_>) -> Option<Action> {
    let child = scene.free_task()?;
    let flags = scene.weighted(&[
        (10, CloneFlags::CLONE_NEWNS),
        (4, CloneFlags::empty()),
        (2, CloneFlags::CLONE_FS),
        (2, CloneFlags::CLONE_FILES),
        (1, CloneFlags::CLONE_FS.union(CloneFlags::CLONE_FILES)),
        (3, CloneFlags::CLONE_NEWUSER),
        (4, CloneFlags::CLONE_NEWUSER.union(CloneFlags::CLONE_NEWNS)),
        (1, CloneFlags::CLONE_FILES.union(CloneFlags::CLONE_NEWNS)),
        (1, CloneFlags::CLONE_FS.union(CloneFlags::CLONE_NEWNS)),
        (2, OTHERS),
    ]);
    Some(Action::Fork { child, flags: others(scene, flags) })
}

fn exit(scene: &mut Scene<'_>) -> Option<Action> {
    let status = scene.pick(&[0, 1, 255]);
    Some(Action::Exit { status })
}

fn wait(scene: &mut Scene<'_>) -> Option<Action> {
    let pid = scene.pick(&[-1, -1, -1, 2, 3, 4, 0, 77, i32::MIN]);
    let flags = [WaitOptions::WNOHANG, WaitOptions::WUNTRACED, WaitOptions::WCONTINUED];
    let options = scene.some(WaitOptions::empty(), &flags, 50);
    Some(Action::Call(Call::Wait4 { pid: Pid(pid), options }))
}

fn kill(scene: &mut Scene<'_>) -> Option<Action> {
    let pid = scene.pick(&[1, 2, 3, 4, 77]);
    let signal = scene.weighted(&[(4, Signal(0)), (2, Signal::KILL), (1, Signal::WINCH), (1, Signal(65))]);
    Some(Action::Call(Call::Kill { pid: Pid(pid), signal }))
}

fn unshare(scene: &mut Scene<'_>) -> Option<Action> {
    let flags = scene.weighted(&[
        (10, CloneFlags::CLONE_NEWNS),
        (2, CloneFlags::CLONE_NEWUSER),
        (3, CloneFlags::CLONE_NEWUSER.union(CloneFlags::CLONE_NEWNS)),
        (2, CloneFlags::CLONE_FS),
        (2, CloneFlags::CLONE_FILES),
        (1, CloneFlags::empty()),
        (1, CloneFlags::CLONE_NEWUTS),
        (1, CloneFlags::CLONE_NEWIPC.union(CloneFlags::CLONE_NEWUSER)),
        (1, CloneFlags::CLONE_NEWCGROUP.union(CloneFlags::CLONE_NEWNS)),
        (3, OTHERS),
    ]);
    Some(Action::Call(Call::Unshare { flags: others(scene, flags) }))
}

fn process(scene: &mut Scene<'_>) -> &'static str {
    scene.weighted(&[(8, "self"), (3, "1"), (3, "2"), (3, "3"), (2, "4"), (1, "thread-self"), (1, "77")])
}

fn open_namespace(scene: &mut Scene<'_>) -> Option<Action> {
    let kind = scene.weighted(&[
        (20, "mnt"),
        (10, "user"),
        (1, "uts"),
        (1, "ipc"),
        (1, "cgroup"),
        (1, "time"),
        (1, "pid"),
        (1, "net"),
    ]);
    let path = Bytes::from(format!("/proc/{}/ns/{kind}", process(scene)));
    let flags = if scene.chance(85) { OpenFlags::empty() } else { OpenFlags::O_PATH };
    let how = OpenHow { flags, ..OpenHow::default() };
    Some(Action::Call(Call::Openat2 { dirfd: Fd::CWD, path, how }))
}

fn setns(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = if scene.chance(95) { scene.descriptor(&[DescriptorKind::Namespace]) } else { scene.any_descriptor() }?;
    let nstype = match kind_of(scene, fd) {
        Some(kind) if scene.chance(30) => kind,
        _ => scene.weighted(&[
            (8, CloneFlags::empty()),
            (4, CloneFlags::CLONE_NEWNS),
            (2, CloneFlags::CLONE_NEWUSER),
            (1, CloneFlags::CLONE_NEWNET),
            (1, CloneFlags::CLONE_NEWUTS),
        ]),
    };
    Some(Action::Call(Call::Setns { fd, nstype }))
}

/// The flag for the namespace that a descriptor is of.
fn kind_of(scene: &mut Scene<'_>, fd: Fd) -> Option<CloneFlags> {
    let path = Bytes::from(format!("/proc/self/fd/{}", fd.0));
    let Value::Bytes(text) = scene.ask(&Call::Readlinkat { dirfd: Fd::CWD, path })? else { return None };
    let name = text.0.split(|byte| *byte == b':').next()?;
    Some(match name {
        b"mnt" => CloneFlags::CLONE_NEWNS,
        b"user" => CloneFlags::CLONE_NEWUSER,
        b"uts" => CloneFlags::CLONE_NEWUTS,
        b"ipc" => CloneFlags::CLONE_NEWIPC,
        b"cgroup" => CloneFlags::CLONE_NEWCGROUP,
        b"pid" => CloneFlags::CLONE_NEWPID,
        b"net" => CloneFlags::CLONE_NEWNET,
        b"time" => CloneFlags::from_bits_retain(CLONE_NEWTIME),
        _ => return None,
    })
}

const MAPS: &[(u32, &str)] = &[(6, "uid_map"), (6, "gid_map"), (5, "setgroups")];

fn open_map(scene: &mut Scene<'_>) -> Option<Action> {
    let name = scene.weighted(MAPS);
    let path = Bytes::from(format!("/proc/{}/{name}", process(scene)));
    let flags = scene.weighted(&[(4, OpenFlags::O_RDWR), (2, OpenFlags::O_WRONLY), (2, OpenFlags::empty())]);
    let how = OpenHow { flags, ..OpenHow::default() };
    Some(Action::Call(Call::Openat2 { dirfd: Fd::CWD, path, how }))
}

/// Writes a map into whatever is open: if it is a file, that is harmless.
fn write_map(scene: &mut Scene<'_>) -> Option<Action> {
    const TEXTS: &[&str] = &[
        "0 0 1",
        "0 0 1\n",
        "0 0 65536",
        "0 1000 1",
        "0 0 1\n1000 1000 1\n",
        "0 100000 65536",
        "1000 0 1",
        "deny",
        "allow",
        "deny\n",
        "0 0 0",
        "0 0",
        "x",
        "",
    ];
    let fd = scene.descriptor(&[DescriptorKind::Other])?;
    let data = scene.pick(TEXTS).into();
    Some(Action::Call(Call::Write { fd, data }))
}

/// Mounts the file of a namespace, which keeps it alive.
fn bind_namespace(scene: &mut Scene<'_>) -> Option<Action> {
    let kind = scene.weighted(&[(5, "mnt"), (5, "user"), (1, "uts"), (1, "ipc"), (1, "pid")]);
    let source = Bytes::from(format!("/proc/{}/ns/{kind}", process(scene)));
    let target = scene.path(Want::File);
    let mountflags = cofferdam::kernel::MountFlags::MS_BIND;
    Some(Action::Call(Call::Mount { source: Some(source), target, filesystemtype: None, mountflags, data: None }))
}
