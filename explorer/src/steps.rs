//! What somebody else does in the middle of an operation.

use cofferdam::kernel::{AtFlags, Errno, Fd, Kernel, Mode, MountFlags, Pid, RenameFlags, UmountFlags, WaitOptions};
use cofferdam::kernel::{CloneFlags, OpenFlags, OpenHow, ResolveFlags};
use cofferdam::messages::ContainerId;
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_vfs_sim::Process;

use crate::machine::{IMAGE, layout};
use crate::operation::{State, make_sandbox};
use crate::scenario::Operation;
use crate::scenarios;
use crate::variant::Step;

/// Where the administrator mounts something.
pub const ELSEWHERE: &str = "/world/elsewhere";
/// What the name ends with to which a program moves what it replaces.
pub const ASIDE: &str = ".aside";

/// What a program replaces in its image.
const IN_IMAGE: [&str; 4] = ["dev", "proc", "sys", "mnt"];
/// The names of the volumes in sandboxes.
const IN_SANDBOX: [&str; 3] = ["data", "log", "shared"];

/// Does it, in a process of its own. What can't be done in this state is left out.
pub fn act(step: Step, operation: &Operation, init: &Process, state: &State) {
    let Ok(process) = init.fork(CloneFlags::empty()) else { return };
    match step {
        Step::AdministratorMounts => drop(mount_elsewhere(&process)),
        Step::AdministratorCovers => drop(cover(&process)),
        Step::AdministratorUnmounts => for_each_mount_point(&process, state, unmount),
        Step::AdministratorEnters => enter(init, state),
        Step::ProgramPlantsLinks => for_each_mount_point(&process, state, plant_link),
        Step::ProgramOccupies => for_each_mount_point(&process, state, occupy),
        Step::ProgramLeavesFiles => for_each_mount_point(&process, state, leave_file),
        Step::ProgramReplacesImage => replace_in_image(&process),
        Step::AnotherCommandLooks => drop(state.agent(&process)),
        Step::AnotherCommandPrepares if !keeps_others_out(operation) => drop(prepare_another(&process, state)),
        Step::AnotherCommandUpdates if !keeps_others_out(operation) => update_others(&process, operation, state),
        Step::AnotherCommandPrepares | Step::AnotherCommandUpdates => {}
    }
    process.exit(0);
    let _ = init.wait4(Pid(-1), WaitOptions::WNOHANG);
}

/// Takes back what would change the image, or keep mounts busy, for ever.
pub fn undo(init: &Process, state: &State) {
    for name in IN_IMAGE {
        let path = UnixPath::new(IMAGE).join(name);
        if init.statx(Fd::CWD, &aside(&path), AtFlags::AT_SYMLINK_NOFOLLOW).is_ok() {
            let _ = init.renameat2(Fd::CWD, &aside(&path), Fd::CWD, &path, RenameFlags::RENAME_EXCHANGE);
            let _ = init.unlinkat(Fd::CWD, &aside(&path), AtFlags::empty());
        }
    }
    let _ = visitor(init, state).map(|visitor| visitor.chdir(UnixPath::new("/")));
}

/// Recovery is done while no other command is, and the host is prepared by one alone.
fn keeps_others_out(operation: &Operation) -> bool {
    matches!(operation, Operation::Create | Operation::Recover)
}

fn mount_elsewhere(kernel: &dyn Kernel) -> Result<(), Errno> {
    let path = UnixPath::new(ELSEWHERE);
    kernel.mkdirat(Fd::CWD, path, Mode(0o755))?;
    kernel.mount(Some(UnixPath::new("elsewhere")), path, Some(b"tmpfs"), MountFlags::empty(), None)
}

fn cover(kernel: &dyn Kernel) -> Result<(), Errno> {
    let path = layout().work_dir.join("slaves");
    kernel.mount(Some(UnixPath::new("cover")), &path, Some(b"tmpfs"), MountFlags::empty(), None)?;
    kernel.umount2(&path, UmountFlags::empty())
}

/// Somebody who looks at a volume by way of a sandbox, and so keeps it busy: in the mount namespace that shares the host's
/// mounts.
fn enter(init: &Process, state: &State) {
    let Some(visitor) = visitor(init, state) else { return };
    for container in state.containers.values() {
        for name in IN_SANDBOX {
            let path = container.config.directory.as_path().join(name);
            if visitor.chdir(&path).is_ok() {
                return;
            }
        }
    }
}

fn visitor(init: &Process, state: &State) -> Option<Process> {
    state.machine.observers().get(1).map(|task| init.other(*task))
}

/// The places in the sandboxes of all containers at which volumes are mounted, or may be.
fn for_each_mount_point(kernel: &dyn Kernel, state: &State, act: fn(&dyn Kernel, &UnixPath) -> Result<(), Errno>) {
    for container in state.containers.values() {
        for name in IN_SANDBOX {
            // What the program is not able to do it leaves.
            let _ = act(kernel, &container.config.directory.as_path().join(name));
        }
    }
}

fn aside(path: &UnixPath) -> UnixPathBuf {
    UnixPathBuf::from([path.as_bytes(), ASIDE.as_bytes()].concat())
}

fn unmount(kernel: &dyn Kernel, path: &UnixPath) -> Result<(), Errno> {
    kernel.umount2(path, UmountFlags::MNT_DETACH | UmountFlags::UMOUNT_NOFOLLOW)
}

fn plant_link(kernel: &dyn Kernel, path: &UnixPath) -> Result<(), Errno> {
    // A directory on which something is mounted can't be moved: EBUSY.
    match kernel.renameat2(Fd::CWD, path, Fd::CWD, &aside(path), RenameFlags::empty()) {
        Ok(()) | Err(Errno::ENOENT) => kernel.symlinkat(UnixPath::new("/world/precious"), Fd::CWD, path),
        Err(errno) => Err(errno),
    }
}

fn occupy(kernel: &dyn Kernel, path: &UnixPath) -> Result<(), Errno> {
    kernel.mkdirat(Fd::CWD, path, Mode(0o700))?;
    kernel.mkdirat(Fd::CWD, &path.join("something"), Mode(0o700))
}

fn leave_file(kernel: &dyn Kernel, path: &UnixPath) -> Result<(), Errno> {
    let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_EXCL;
    let fd = kernel.openat2(Fd::CWD, path, OpenHow { flags, mode: Mode(0o600), resolve: ResolveFlags::empty() })?;
    kernel.write(fd, b"the program's")?;
    kernel.close(fd)
}

fn replace_in_image(kernel: &dyn Kernel) {
    for name in IN_IMAGE {
        // Where something is mounted, it is in another mount namespace.
        let _ = plant_link(kernel, &UnixPath::new(IMAGE).join(name));
    }
}

/// A container that has nothing to do with the others.
fn prepare_another(kernel: &dyn Kernel, state: &State) -> Option<()> {
    let (id, config) = scenarios::another().ok()?;
    make_sandbox(kernel, &config).ok()?;
    state.agent(kernel).ok()?.prepare(&id, &config).ok().map(drop)
}

/// Gives other containers a volume more, and the one itself that is being launched: that takes the lock only until its
/// launcher runs.
fn update_others(kernel: &dyn Kernel, operation: &Operation, state: &State) {
    let Ok(mut agent) = state.agent(kernel) else { return };
    let Ok(resources) = scenarios::more_volumes() else { return };
    let locked = match operation {
        Operation::Launch { .. } => None,
        _ => operation.id().map(ContainerId::top_level),
    };
    let others = state.containers.keys().filter(|id| id.parent().is_none() && Some(*id) != locked);
    for id in others {
        // A volume may be in the way of what it has.
        let _ = agent.update(id, &resources);
    }
}
