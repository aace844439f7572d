//! Sequences of the isolator's operations on the simulated kernel, with calls that fail, things that somebody else does in
//! the sandboxes, and root filesystems made by somebody hostile.
//!
//! What is checked:
//!
//! - Once all containers are cleaned up, without a failing call, the mount table of the host is what it was after `create`,
//!   sandboxes and runtime directories can be removed, and no descriptor is left open.
//! - A `create` after one that failed succeeds, and one after one that succeeded changes nothing.
//! - A `prepare` that fails leaves nothing behind, if no call of the undoing fails.
//! - A launch changes nothing on the host, whatever is in the root filesystem, and however it ends.
//! - The data of persistent volumes, and what is none of the container's business, stays.

mod faults;
mod world;

use cofferdam::isolator::Isolator;
use cofferdam::kernel::{CloneFlags, Errno, Intercepted, Kernel, MountFlags, UmountFlags, WaitOptions};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::messages::{ContainerConfig, ContainerId, ContainerLaunchInfo, Resource};
use cofferdam_vfs_sim::{Linux, Process};

use crate::choice::Choices;
use faults::Faults;
use world::{Numbers, VOLUMES, World};

/// No more operations than this.
const MAX_STEPS: usize = 16;

thread_local! {
    static START: Linux = world::start();
}

/// Carries out the operations that an input is.
pub fn run(input: &[u8]) {
    let world = World::new(Process::init(START.with(Linux::clone)));
    let faults = Faults::default();
    let kernel = Intercepted::new(world.kernel(), &faults);
    let mut choices = Choices::new(input);
    faults.arm(&mut choices);
    let agent = Isolator::create(&kernel, world::config(), Box::new(Numbers));
    faults.disarm();
    let agent = agent.or_else(|_| Isolator::create(&kernel, world::config(), Box::new(Numbers)));
    let agent = match agent {
        Ok(agent) => agent,
        Err(error) => panic!("create, again: {error}"),
    };
    faults.arm(&mut choices);
    let is_kept = agent.prepare_launches().is_ok();
    faults.disarm();
    if !is_kept && let Err(error) = agent.prepare_launches() {
        panic!("prepare launches, again: {error}");
    }
    let mut run = Run { world: &world, faults: &faults, table: world.table(), agent, launched: Vec::new() };
    for _ in 0..MAX_STEPS {
        if choices.are_over() {
            break;
        }
        run.step(&mut choices);
    }
    run.end();
}

/// An agent at work.
struct Run<'w, K: Kernel> {
    world: &'w World,
    faults: &'w Faults,
    /// The mount table after `create`.
    table: String,
    agent: Isolator<K>,
    /// What prepare has decided for the containers that there are.
    launched: Vec<(ContainerId, ContainerLaunchInfo)>,
}

impl<K: Kernel> Run<'_, K> {
    fn step(&mut self, choices: &mut Choices<'_>) {
        let kind = choices.below(16);
        let number = choices.below(3);
        let id = world::id(number);
        match kind {
            0..4 => self.prepare(&id, choices),
            4..6 => {
                let resources = resources(choices);
                self.with_faults(choices, |agent| agent.update(&id, &resources).map_err(|error| error.to_string()));
            }
            6 | 7 => self.with_faults(choices, |agent| agent.cleanup(&id).map_err(|error| error.to_string())),
            8 => self.with_faults(choices, |agent| {
                agent.remove(&id, &world::sandbox(number)).map_err(|error| error.to_string())
            }),
            9 => self.with_faults(choices, |agent| {
                agent.remove_sandbox(&id, &world::sandbox(number)).map_err(|error| error.to_string())
            }),
            10 => self.world.make_sandbox(number),
            11 => self.world.put_into_image(choices),
            12 | 13 => self.launch(&id, choices),
            // Whatever is mounted below the sandbox of a container is taken away with it.
            _ if self.agent.containers().any(|known| *known == id) => self.meddle(number, choices),
            _ => {}
        }
    }

    fn with_faults(
        &mut self,
        choices: &mut Choices<'_>,
        operation: impl FnOnce(&mut Isolator<K>) -> Result<(), String>,
    ) {
        self.faults.arm(choices);
        let _ = operation(&mut self.agent);
        self.faults.disarm();
    }

    fn prepare(&mut self, id: &ContainerId, choices: &mut Choices<'_>) {
        let number = world::number(id);
        let shape = choices.byte();
        let image = || if shape & 2 == 0 { world::IMAGE } else { world::LINK_TO_IMAGE };
        let config = ContainerConfig {
            directory: world::sandbox(number).into(),
            rootfs: (shape & 1 == 1).then(|| image().into()),
            user: (shape & 4 == 4).then(|| "1000".into()),
            resources: resources(choices),
            command_info: cofferdam::messages::CommandInfo::program(vec!["/program".into()]),
            ..ContainerConfig::default()
        };
        let is_known = self.agent.containers().any(|known| known == id);
        let before = (self.world.table(), self.world.list_sandbox(number), self.world.has_runtime(number));
        let fault = self.faults.arm(choices);
        let prepared = self.agent.prepare(id, &config);
        let has_failed = self.faults.disarm();
        match prepared {
            Ok(info) => {
                self.launched.retain(|(other, _)| other != id);
                self.launched.push((id.clone(), info));
            }
            // An error that was made up ended it, and none was made up afterwards.
            Err(error) if !has_failed || fault.is_some_and(|fault| is_of(&error, fault)) => {
                let (table, names, had_runtime) = before;
                assert_eq!(self.world.table(), table, "prepare failed with: {error}");
                assert_eq!(self.world.has_runtime(number), had_runtime, "prepare failed with: {error}");
                let added = self.world.list_sandbox(number).into_iter().find(|name| !names.contains(name));
                assert_eq!(added, None, "prepare failed with: {error}");
                let is_known_now = self.agent.containers().any(|known| known == id);
                assert_eq!(is_known_now, is_known, "prepare failed with: {error}");
            }
            Err(_) => {}
        }
    }

    /// Launches a container that is prepared, whose program does not exist.
    fn launch(&mut self, id: &ContainerId, choices: &mut Choices<'_>) {
        let Some((_, info)) = self.launched.iter().find(|(prepared, _)| prepared == id) else { return };
        let request = LaunchRequest { info: info.clone(), ..LaunchRequest::default() };
        let before = self.world.table();
        self.faults.arm(choices);
        let kernel = self.world.kernel();
        let child =
            kernel.clone3(CloneFlags::empty(), &mut |kernel| launch(&Intercepted::new(kernel, self.faults), &request));
        self.faults.disarm();
        if let Ok(pid) = child {
            assert!(kernel.wait4(pid, WaitOptions::empty()).is_ok_and(|child| child.is_some()));
        }
        assert_eq!(self.world.table(), before, "a launch changes nothing on the host");
        self.world.check_what_stays();
    }

    /// Somebody else does something in a sandbox.
    fn meddle(&self, number: u8, choices: &mut Choices<'_>) {
        let sandbox = world::sandbox(number);
        let inside = match choices.one_of(&["data", "other", "", "link"]) {
            "" => sandbox.clone(),
            name => sandbox.join(name),
        };
        let world = self.world;
        let operation = choices.below(8);
        // The sandbox itself stays what it is. And who binds a volume on it, and makes that private once a volume is mounted
        // in it, leaves a copy of that one's mount in the first one, of which nobody knows: propagation has made it.
        if inside == sandbox && matches!(operation, 4..) {
            return;
        }
        // mount(2) would follow a link, to where cleanup has nothing to do.
        if world.exists(&inside) && !world.is_without_links(&inside) && operation != 6 {
            return;
        }
        // Whatever comes of it.
        let _ = match operation {
            0 => world.mount_tmpfs(&inside),
            1 => world.bind(&world::volume(choices.one_of(&VOLUMES)), &inside),
            2 => world.kernel().umount2(&inside, UmountFlags::empty()),
            3 => world.kernel().umount2(&inside, UmountFlags::MNT_DETACH),
            4 => world.link(world::ELSEWHERE, &inside),
            5 => world.directory(&inside),
            6 => world.remove(&inside),
            _ => world.propagation(&inside, choices.one_of(&[MountFlags::MS_PRIVATE, MountFlags::MS_SHARED])),
        };
    }

    fn end(mut self) {
        let containers: Vec<_> = self.agent.containers().cloned().collect();
        for id in containers {
            if let Err(error) = self.agent.cleanup(&id) {
                panic!("cleanup without a failing call: {error}");
            }
        }
        assert_eq!(self.world.table(), self.table, "cleanup leaves the host as it was");
        for number in 0..3 {
            if let Err(error) = self.agent.remove(&world::id(number), &world::sandbox(number)) {
                panic!("remove after cleanup: {error}");
            }
            assert!(!self.world.exists(&world::sandbox(number)) && !self.world.has_runtime(number));
        }
        self.world.check_what_stays();
        drop(self.agent);
        if let Err(error) = Isolator::create(self.world.kernel(), world::config(), Box::new(Numbers)) {
            panic!("create on a host that is prepared: {error}");
        }
        assert_eq!(self.world.table(), self.table, "create can be repeated");
        self.world.check_kernel();
    }
}

/// Whether an error says that a call failed with this number.
fn is_of(error: &cofferdam::isolator::PrepareError, errno: Errno) -> bool {
    // The simulated kernel has no reason of its own for this one.
    errno == Errno::EIO && error.to_string().contains("EIO")
}

/// Some volumes; each is asked for under a name, which may be that of another one.
fn resources(choices: &mut Choices<'_>) -> Vec<Resource> {
    let many = choices.below(4);
    (0..many).map(|_| world::resource(choices)).collect()
}
