//! What somebody else does in the middle of an operation.

use cofferdam::kernel::{
    AtFlags, CloneFlags, Errno, Fd, Kernel, Mode, MountFlags, Pid, RenameFlags, UmountFlags, WaitOptions,
};
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_vfs_sim::Process;

use crate::machine::layout;
use crate::operation::State;
use crate::variant::Step;

/// Does it, in a process of its own. What can't be done in this state is left out.
pub fn act(step: Step, init: &Process, state: &State) {
    let Ok(process) = init.fork(CloneFlags::empty()) else { return };
    match step {
        Step::AdministratorMounts => drop(mount_elsewhere(&process)),
        Step::AdministratorCovers => drop(cover(&process)),
        Step::ProgramPlantsLinks => for_each_mount_point(&process, state, plant_link),
        Step::ProgramOccupies => for_each_mount_point(&process, state, occupy),
        Step::AnotherCommandLooks => drop(state.agent(&process)),
    }
    process.exit(0);
    let _ = init.wait4(Pid(-1), WaitOptions::WNOHANG);
}

/// Where the administrator mounts something.
pub const ELSEWHERE: &str = "/world/elsewhere";

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

/// The places in the sandboxes of all containers at which volumes are mounted, or may be.
fn for_each_mount_point(kernel: &dyn Kernel, state: &State, act: fn(&dyn Kernel, &UnixPath) -> Result<(), Errno>) {
    for container in state.containers.values() {
        for name in ["data", "log", "shared"] {
            // What the program is not able to do it leaves.
            let _ = act(kernel, &container.config.directory.as_path().join(name));
        }
    }
}

fn aside(path: &UnixPath) -> UnixPathBuf {
    UnixPathBuf::from([path.as_bytes(), b".aside"].concat())
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
    kernel.mkdirat(Fd::CWD, &path.join("something"), Mode(0o700))?;
    kernel.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW).map(drop)
}
