//! What a scenario leaves behind is taken away by those whose business it is: by an agent, what its agents have done; by the
//! machine's administrator, what the scenario did as one.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::time::Duration;

use cofferdam::agent::AgentConfig;
use cofferdam::isolator::{Isolator, Recovery};
use cofferdam::kernel::{AtFlags, Errno, Fd, Kernel, MountAttr, MountFlags, UmountFlags};
use cofferdam::messages::{ContainerId, ContainerState, OtherFields};
use cofferdam::mountinfo::OwnedEntry;
use cofferdam::user::NumericUsers;
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};

use super::{World, mount_table};

/// What is to be known after a scenario.
#[derive(Default)]
pub struct Ledger {
    /// What the scenario has mounted as the machine's administrator, as it was then.
    mounts: RefCell<Vec<OwnedEntry>>,
    /// The machine's own mounts whose propagation it has changed, and what that was.
    propagations: RefCell<Vec<(UnixPathBuf, MountFlags)>>,
    /// The agents that there were, one for each layout.
    agents: RefCell<Vec<AgentConfig>>,
    /// What an agent knows of its containers without our records.
    states: RefCell<Vec<ContainerState>>,
}

impl Ledger {
    /// Notes the mount that was just made, or moved there.
    pub fn mounted(&self, kernel: &dyn Kernel, target: &UnixPath) {
        let id = mount_id(kernel, target);
        self.mounts.borrow_mut().extend(mount_table(kernel).into_iter().find(|mount| u64::from(mount.id) == id));
    }

    /// Notes what the propagation was of a mount that is not the scenario's own.
    pub fn propagation(&self, kernel: &dyn Kernel, target: &UnixPath, wanted: MountFlags) {
        let id = mount_id(kernel, target);
        let Some(mount) = mount_table(kernel).into_iter().find(|mount| u64::from(mount.id) == id) else { return };
        if self.is_noted(&mount) {
            return;
        }
        match (mount.peer_group, mount.master) {
            (Some(_), None) if wanted == MountFlags::MS_SHARED => {}
            (None, None) => self.propagations.borrow_mut().push((target.to_path_buf(), MountFlags::MS_PRIVATE)),
            _ => panic!("{mount} can't be restored to its peer group: use a mount of the scenario's own"),
        }
    }

    pub fn agent(&self, config: &AgentConfig) {
        let mut agents = self.agents.borrow_mut();
        agents.retain(|other| other.layout != config.layout);
        agents.push(config.clone());
    }

    pub fn container(&self, id: &ContainerId, sandbox: &UnixPath) {
        self.states.borrow_mut().push(ContainerState {
            container_id: id.clone(),
            directory: sandbox.into(),
            executor_info: None,
            pid: None,
            other: OtherFields::new(),
        });
    }

    /// By more than its id, which may be another mount's by now.
    fn is_noted(&self, mount: &OwnedEntry) -> bool {
        self.mounts.borrow().iter().any(|noted| noted.id == mount.id && what(noted) == what(mount))
    }

    /// Whether it came from one that is noted, when the mount below it was bound with all that is on it.
    fn is_copy(&self, mount: &OwnedEntry) -> bool {
        self.mounts.borrow().iter().any(|noted| what(noted) == what(mount))
    }
}

fn what(mount: &OwnedEntry) -> (u32, u32, &UnixPath, &UnixPath) {
    (mount.major, mount.minor, &mount.root, &mount.mountpoint)
}

fn mount_id(kernel: &dyn Kernel, path: &UnixPath) -> u64 {
    kernel.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW).unwrap().mount_id
}

/// Cleans up after a scenario. What nobody has to answer for stays: the machine is then not what it was.
pub fn clean_up(world: &World<'_>) {
    let ledger = &world.ledger;
    let agents = ledger.agents.take();
    for config in &agents {
        clean_up_containers(world.kernel, config, &ledger.states.borrow());
    }
    unmount_noted(world.kernel, ledger);
    for layout in agents.iter().map(|config| &config.layout) {
        give_up_directory(world.kernel, ledger, &layout.volumes());
        give_up_directory(world.kernel, ledger, &layout.work_dir);
    }
    for layout in agents.iter().map(|config| &config.layout) {
        give_up_directory(world.kernel, ledger, &layout.launch_directory().join("namespace"));
        give_up_directory(world.kernel, ledger, &layout.launch_directory());
        give_up_directory(world.kernel, ledger, &layout.containers_runtime());
    }
    let left = || mount_table(world.kernel).into_iter().find(|mount| ledger.is_noted(mount));
    while_another_test_holds_it(|| {
        unmount_noted(world.kernel, ledger);
        left().is_none()
    });
    assert_eq!(left(), None, "something is mounted on what the scenario has mounted, or somebody uses it");
    for (target, propagation) in ledger.propagations.take().into_iter().rev() {
        let attr = MountAttr { propagation, ..MountAttr::default() };
        world.kernel.mount_setattr(Fd::CWD, &target, AtFlags::empty(), &attr).unwrap();
    }
}

/// What an agent does that is started anew, and whose containers have all ended.
fn clean_up_containers(kernel: &dyn Kernel, config: &AgentConfig, states: &[ContainerState]) {
    let mut agent = Isolator::create(kernel, config.clone(), Box::new(NumericUsers)).unwrap();
    let layout = &config.layout;
    // Of a container whose record is damaged, it knows by itself. Those that were not prepared to the end are none.
    let mut damaged = agent.resume().unwrap();
    damaged.retain(|record| kernel.statx(Fd::CWD, &layout.preparing_marker(&record.id), AtFlags::empty()).is_err());
    let is_damaged = |state: &&ContainerState| damaged.iter().any(|record| record.id == state.container_id);
    let states: Vec<_> = states.iter().filter(is_damaged).cloned().collect();
    let Recovery { orphans, foreign, .. } = agent.recover(&states, &[]).unwrap();
    let unknown: Vec<_> = orphans.iter().chain(&foreign).map(ContainerId::to_string).collect();
    assert!(unknown.is_empty(), "not known to anybody: {unknown:?}");
    let mut containers: Vec<_> = agent.containers().cloned().collect();
    containers.sort_by_key(|id| Reverse(id.depth()));
    for id in containers {
        let sandbox = agent.container(&id).unwrap().sandbox().to_path_buf();
        agent.cleanup(&id).unwrap();
        agent.remove(&id, &sandbox).unwrap();
    }
    assert_eq!(agent.containers().count(), 0);
    let mut left = checkpoint::list(kernel, &layout.runtime_dir).unwrap();
    left.retain(|entry| entry.name.0 != b"containers" && entry.name.0 != b"launch");
    left.extend(checkpoint::list(kernel, &layout.containers_runtime()).unwrap());
    let left: Vec<_> = left.into_iter().map(|entry| entry.name).collect();
    assert!(left.is_empty(), "left in the runtime directory: {left:?}");
}

/// What an administrator does who gives up an agent: unmounts a directory that `create` has mounted on itself.
fn give_up_directory(kernel: &dyn Kernel, ledger: &Ledger, directory: &UnixPath) {
    let table = mount_table(kernel);
    let is_ours = |mount: &&OwnedEntry| mount.mountpoint == directory && !ledger.is_noted(mount);
    let mounts: Vec<_> = table.iter().filter(is_ours).collect();
    assert!(mounts.len() <= 1, "{} is mounted more than once", directory.display());
    let Some(mount) = mounts.first() else { return };
    let mut tree = vec![mount.id];
    for other in table.iter().filter(|other| other.id != mount.id) {
        // In the table, what is on a mount comes after it.
        if tree.contains(&other.parent_id) {
            assert!(ledger.is_copy(other), "left below {}: {other}", directory.display());
            tree.push(other.id);
        }
    }
    for id in tree.into_iter().rev() {
        let mount = table.iter().find(|mount| mount.id == id).unwrap();
        assert_eq!(mount_id(kernel, &mount.mountpoint), u64::from(id), "something is mounted on {mount}");
        let unmount = || kernel.umount2(&mount.mountpoint, UmountFlags::UMOUNT_NOFOLLOW);
        while_another_test_holds_it(|| unmount() != Err(Errno::EBUSY));
        assert!(!mount_table(kernel).iter().any(|mount| mount.id == id), "{mount} can't be unmounted");
    }
}

/// Tries until it is done. Other tests are threads of the same process, and the processes that they fork have copies of the
/// descriptors that are open here at that moment, for as long as they have not closed them: a mount can be busy for a while
/// without anybody's fault.
fn while_another_test_holds_it(mut is_done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is_done() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Unmounts what the scenario has mounted, as far as that can be reached, and nothing that is on it.
fn unmount_noted(kernel: &dyn Kernel, ledger: &Ledger) {
    let unmount = |mount: &OwnedEntry| {
        let top = kernel.statx(Fd::CWD, &mount.mountpoint, AtFlags::AT_SYMLINK_NOFOLLOW);
        ledger.is_noted(mount)
            && top.is_ok_and(|top| top.mount_id == u64::from(mount.id))
            && kernel.umount2(&mount.mountpoint, UmountFlags::UMOUNT_NOFOLLOW).is_ok()
    };
    while mount_table(kernel).iter().rev().any(unmount) {}
}
