//! The simulated machine on which everything happens.

use cofferdam::error::CallError;
use cofferdam::kernel::{AtFlags, CloneFlags, Errno, Fd, Kernel, Mode, MountAttr, MountFlags, Pid, WaitOptions};
use cofferdam::layout::Layout;
use cofferdam::root::create_directories;
use cofferdam::{UnixPath, checkpoint};
use cofferdam_sequences::print::{BootError, boot};
use cofferdam_sequences::sequence::Universe;
use cofferdam_sequences::universe::Privileges;
use cofferdam_vfs_sim::{Id, Linux, Process, Task};

use crate::tree::Node;

/// The filesystem that outlives a reboot.
pub const DISK: &str = "/world";
/// The image of every container.
pub const IMAGE: &str = "/world/image";

/// The machine can't be made: a mistake in a scenario, or a bug.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MachineError {
    /// The kernel can't boot.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// A call that prepares the machine fails.
    #[error("the machine: {0}")]
    Call(#[from] CallError),
    /// The same, without a path.
    #[error("the machine: {0}")]
    Errno(#[from] Errno),
}

/// A machine as a value: a clone is a snapshot.
#[derive(Clone, Debug)]
pub struct Machine {
    linux: Linux,
    init: Id<Task>,
    /// A process in each mount namespace that is there from the beginning: init's, one that shares its mounts, and one that
    /// receives them.
    observers: [Id<Task>; 3],
}

/// Where an agent keeps its state.
pub fn layout() -> Layout {
    Layout { work_dir: "/world/work".into(), runtime_dir: "/run/agent".into() }
}

/// Where a persistent volume of a scenario lies in the filesystem at [`DISK`].
pub fn volume_on_disk(id: &str) -> String {
    format!("/work/volumes/roles/role/{id}")
}

impl Machine {
    /// A machine that was switched on, whose disk has a work_dir, an image and these volumes.
    pub fn new(volumes: &[String]) -> Result<Self, MachineError> {
        let mut machine = Self::without_files()?;
        machine.act(|process| furnish(process, volumes))??;
        Ok(machine)
    }

    /// A machine that was switched on, with this on its disk.
    pub fn with_disk(disk: &Node) -> Result<Self, MachineError> {
        let mut machine = Self::without_files()?;
        machine.act(|process| disk.write_into(process, UnixPath::new(DISK)))??;
        Ok(machine)
    }

    fn without_files() -> Result<Self, MachineError> {
        let init = boot(Privileges::Root)?.begin(Universe::Host).process(0).ok_or(MachineError::Errno(Errno::ESRCH))?;
        create_directories(&init, UnixPath::new("/run"), Mode(0o755))?;
        init.mount(Some(UnixPath::new("run")), UnixPath::new("/run"), Some(b"tmpfs"), MountFlags::empty(), None)?;
        propagate(&init, MountFlags::MS_SHARED)?;
        let peer = init.fork(CloneFlags::empty())?;
        peer.unshare(CloneFlags::CLONE_NEWNS)?;
        let service = init.fork(CloneFlags::empty())?;
        service.unshare(CloneFlags::CLONE_NEWNS)?;
        propagate(&service, MountFlags::MS_SLAVE)?;
        let observers = [init.task(), peer.task(), service.task()];
        let linux = init.linux().clone();
        Ok(Self { linux, init: init.task(), observers })
    }

    /// The kernel.
    pub fn linux(&self) -> &Linux {
        &self.linux
    }

    /// A process in each mount namespace that is there from the beginning.
    pub fn observers(&self) -> &[Id<Task>] {
        &self.observers
    }

    /// Goes on with another state of the same machine.
    #[must_use]
    pub fn at(&self, linux: Linux) -> Self {
        Self { linux, ..self.clone() }
    }

    /// Lets a new process act, which ends then.
    pub fn act<R>(&mut self, act: impl FnOnce(&Process) -> R) -> Result<R, Errno> {
        self.act_as(|_, process| act(process))
    }

    /// The same, for what has to see the whole machine meanwhile: the first process is init.
    pub fn act_as<R>(&mut self, act: impl FnOnce(&Process, &Process) -> R) -> Result<R, Errno> {
        let init = Process::of(self.linux.clone(), self.init).ok_or(Errno::ESRCH)?;
        let process = init.fork(CloneFlags::empty())?;
        let result = act(&init, &process);
        process.exit(0);
        reap(&init);
        self.linux = init.linux().clone();
        Ok(result)
    }

    /// The processes that run.
    pub fn running(&self) -> Vec<Id<Task>> {
        self.linux.tasks().filter(cofferdam_vfs_sim::TaskView::is_running).map(|task| task.key()).collect()
    }

    /// Kills processes.
    pub fn kill(&mut self, tasks: &[Id<Task>]) -> Result<(), Errno> {
        let init = Process::of(self.linux.clone(), self.init).ok_or(Errno::ESRCH)?;
        for task in tasks {
            init.other(*task).exit(137);
        }
        reap(&init);
        self.linux = init.linux().clone();
        Ok(())
    }

    /// What is on a filesystem of the host at a path, whatever is mounted on it.
    pub fn tree(&self, path: &UnixPath) -> Result<Option<Node>, Errno> {
        self.clone().act(|process| Node::read(process, path))?
    }
}

/// Waits for all children that have ended.
fn reap(init: &Process) {
    while let Ok(Some(_)) = init.wait4(Pid(-1), WaitOptions::WNOHANG) {}
}

fn propagate(kernel: &dyn Kernel, propagation: MountFlags) -> Result<(), Errno> {
    let attr = MountAttr { propagation, ..MountAttr::default() };
    kernel.mount_setattr(Fd::CWD, UnixPath::new("/"), AtFlags::AT_RECURSIVE, &attr)
}

fn furnish(kernel: &dyn Kernel, volumes: &[String]) -> Result<(), CallError> {
    let make = |path: &UnixPath| create_directories(kernel, path, Mode(0o755));
    make(&layout().work_dir)?;
    for directory in ["proc", "sys", "dev", "mnt/mesos/sandbox"] {
        make(&UnixPath::new(IMAGE).join(directory))?;
    }
    make(UnixPath::new("/world/shared"))?;
    for directory in ["srv/host", "srv/both"] {
        make(&UnixPath::new(IMAGE).join(directory))?;
    }
    // What must not be reached by a container, nor be changed by anybody.
    make(UnixPath::new("/world/precious"))?;
    checkpoint::write(kernel, UnixPath::new("/world/precious/file"), b"of the host", Mode(0o600))?;
    for volume in volumes {
        let directory = layout().work_dir.join("volumes/roles/role").join(volume);
        make(&directory.join("inner"))?;
        checkpoint::write(kernel, &directory.join("file"), volume.as_bytes(), Mode(0o644))?;
        checkpoint::write(kernel, &directory.join("inner/file"), volume.as_bytes(), Mode(0o644))?;
    }
    Ok(())
}
