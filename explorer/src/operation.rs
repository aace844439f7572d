//! Operations, carried out on a machine.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use cofferdam::UnixPath;
use cofferdam::agent::{AgentConfig, GidRange};
use cofferdam::error::CallError;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{
    AtFlags, Call, DeviceNumber, Errno, Fd, Intercepted, Kernel, Mode, OpenFlags, OpenHow, ResolveFlags,
};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::messages::{ContainerConfig, ContainerId, ContainerLaunchInfo, ContainerState};
use cofferdam::root::create_directories;
use cofferdam::user::NumericUsers;
use cofferdam_vfs_sim::{Id, Linux, Process, Task};

use crate::disk::Synced;
use crate::inject::{Injector, Seen, Watch};
use crate::machine::{DISK, Machine, MachineError, layout};
use crate::scenario::{Operation, Scenario};
use crate::steps;
use crate::variant::{Fault, Step};

/// A container that the agent knows.
#[derive(Clone, Debug)]
pub struct Container {
    /// What it is.
    pub config: ContainerConfig,
    /// What prepare has decided.
    pub info: ContainerLaunchInfo,
    /// The processes that run in it and for it, the program last.
    pub processes: Vec<Id<Task>>,
}

impl Container {
    /// Its program: the process that was made last.
    pub(crate) fn program(&self, linux: &Linux) -> Option<Id<Task>> {
        let processes = self.processes.iter().filter_map(|process| linux.task(*process));
        processes.max_by_key(cofferdam_vfs_sim::TaskView::pid).map(|process| process.key())
    }
}

/// The machine, and what an agent knows that does not forget.
#[derive(Clone, Debug)]
pub struct State {
    /// The machine.
    pub machine: Machine,
    /// What was synced to its disk.
    pub synced: Synced,
    /// The containers that were prepared and not cleaned up.
    pub containers: BTreeMap<ContainerId, Container>,
    /// The agent's configuration.
    pub config: AgentConfig,
    /// What it came from: two states with the same number are the same.
    pub origin: u64,
    disk: DeviceNumber,
}

/// What came of an operation.
#[derive(Debug)]
pub struct Run {
    /// The state after it.
    pub state: State,
    /// The error with which it has ended.
    pub result: Result<(), String>,
    /// What was noted on the way.
    pub seen: Seen,
}

/// What an operation gives that the agent remembers.
#[derive(Default)]
struct Outcome {
    prepared: Option<ContainerLaunchInfo>,
}

impl State {
    /// The state before the first operation of a scenario.
    pub fn first(scenario: &Scenario) -> Result<Self, MachineError> {
        let mut machine = Machine::new(&scenario.volumes)?;
        let disk = machine.act(|process| process.statx(Fd::CWD, UnixPath::new(DISK), AtFlags::empty()))??.device;
        let mut config = AgentConfig::new(layout());
        // By default there are special mounts only.
        config.readonly_paths = vec!["/proc/driver".into()];
        config.volume_gid_range = scenario.gids.and_then(|(first, last)| GidRange::new(first, last).ok());
        let synced = Synced::default();
        let mut state = Self { machine, synced, containers: BTreeMap::new(), config, origin: 0, disk };
        state.sync_all()?;
        Ok(state)
    }

    /// Notes that everything is on the disk.
    pub fn sync_all(&mut self) -> Result<(), Errno> {
        if let Some(tree) = self.machine.tree(UnixPath::new(DISK))? {
            self.synced = Synced::all(&tree);
        }
        Ok(())
    }

    /// What the agent says of the containers when it starts again.
    pub fn known(&self) -> Vec<ContainerState> {
        let state = |(id, container): (&ContainerId, &Container)| ContainerState {
            container_id: id.clone(),
            directory: container.config.directory.clone(),
            executor_info: None,
            pid: None,
            other: serde_json::Map::default(),
        };
        self.containers.iter().map(state).collect()
    }

    /// What others make for an operation before it begins.
    pub fn set_out(&mut self, operation: &Operation) -> Result<(), MachineError> {
        if let Operation::Prepare { config, .. } = operation {
            self.machine.act(|process| make_sandbox(process, config))??;
            self.sync_all()?;
        }
        Ok(())
    }

    /// Notes that this happened to it.
    pub fn came_to(&mut self, what: impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.origin, what).hash(&mut hasher);
        self.origin = hasher.finish();
    }

    /// Carries out an operation with these faults.
    pub fn perform(&self, operation: &Operation, faults: &[(usize, Fault)], watch: Watch) -> Result<Run, Errno> {
        if let Operation::End { id } = operation {
            let mut state = self.clone();
            let processes = state.containers.get_mut(id).map(|container| std::mem::take(&mut container.processes));
            state.machine.kill(&processes.unwrap_or_default())?;
            state.came_to(("ends", id));
            return Ok(Run { state, result: Ok(()), seen: Seen { synced: self.synced.clone(), ..Seen::default() } });
        }
        let mut state = self.clone();
        let before = state.machine.running();
        let act = |step: Step, init: &Process| steps::act(step, operation, init, self);
        let (result, seen) = state.machine.act_as(|init, process| {
            let injector = Injector::new(faults, watch, init, (self.disk, self.synced.clone()), &act);
            if let Operation::Launch { .. } = operation
                && let Err(errno) = open_descriptors(process)
            {
                return (Err(format!("it has no descriptors: {errno}")), injector.finish());
            }
            let result = self.carry_out(&Intercepted::new(process, &injector), operation);
            (result, injector.finish())
        })?;
        if let Some(errno) = seen.unread {
            return Err(errno);
        }
        state.synced = seen.synced.clone();
        let result = result.map(|outcome| state.remember(operation, outcome));
        let result =
            result.map_err(|error| if seen.said.is_empty() { error } else { format!("{error}: {}", seen.said) });
        let trace = seen.executing.as_ref().map_or(&seen.trace, |executing| &executing.trace);
        state.came_to((trace.durable(), result.is_ok()));
        if let Some(executing) = &seen.executing {
            state.machine = state.machine.at(running_program(executing.linux.clone(), &before)?);
            let after = state.machine.running();
            if let Operation::Launch { id } = operation
                && let Some(container) = state.containers.get_mut(id)
            {
                container.processes = after.into_iter().filter(|task| !before.contains(task)).collect();
            }
        }
        Ok(Run { state, result, seen })
    }

    fn remember(&mut self, operation: &Operation, outcome: Outcome) {
        match (operation, outcome.prepared) {
            (Operation::Prepare { id, config }, Some(info)) => {
                let container = Container { config: config.clone(), info, processes: Vec::new() };
                self.containers.insert(id.clone(), container);
            }
            (Operation::Update { id, resources }, _) => {
                if let Some(container) = self.containers.get_mut(id) {
                    container.config.resources.clone_from(resources);
                }
            }
            (Operation::Cleanup { id }, _) => drop(self.containers.remove(id)),
            _ => {}
        }
    }

    fn carry_out(&self, kernel: &dyn Kernel, operation: &Operation) -> Result<Outcome, String> {
        if let Operation::Launch { id } = operation {
            return self.launch(kernel, id).map(|()| Outcome::default());
        }
        let mut agent = self.agent(kernel)?;
        let mut outcome = Outcome::default();
        match operation {
            Operation::Prepare { id, config } => {
                outcome.prepared = Some(agent.prepare(id, config).map_err(|error| error.to_string())?);
            }
            Operation::Update { id, resources } => agent.update(id, resources).map_err(|error| error.to_string())?,
            Operation::Cleanup { id } => {
                let directory = self.containers.get(id).map(|container| container.config.directory.clone());
                agent.cleanup(id).map_err(|error| error.to_string())?;
                if let Some(sandbox) = directory {
                    agent.remove(id, sandbox.as_path()).map_err(|error| error.to_string())?;
                }
            }
            Operation::Recover => {
                agent.recover(&self.known(), &[]).map_err(|error| format!("{:?}", error.errors))?;
            }
            Operation::Create | Operation::Launch { .. } | Operation::End { .. } => {}
        }
        Ok(outcome)
    }

    /// An agent that has started, and that resumes from the records.
    pub fn agent<'k>(&self, kernel: &'k dyn Kernel) -> Result<Isolator<&'k dyn Kernel>, String> {
        let mut agent =
            Isolator::create(kernel, self.config.clone(), Box::new(NumericUsers)).map_err(|error| error.to_string())?;
        agent.prepare_launches().map_err(|error| error.to_string())?;
        agent.resume().map_err(|error| error.to_string())?;
        Ok(agent)
    }

    fn launch(&self, kernel: &dyn Kernel, id: &ContainerId) -> Result<(), String> {
        let container = self.containers.get(id).ok_or("it was not prepared")?;
        let parent = id.parent().and_then(|parent| self.containers.get(parent));
        let parent = parent.and_then(|parent| {
            let linux = self.machine.linux();
            // As the host knows it: what is joined shares the host's processes in all scenarios.
            Process::of(linux.clone(), parent.program(linux)?)?.getpid().ok()
        });
        let request = LaunchRequest { info: container.info.clone(), parent, ..LaunchRequest::default() };
        match launch(kernel, &request) {
            // There was no program, as it was run elsewhere.
            127 => Ok(()),
            status => Err(format!("exit status {status}")),
        }
    }
}

/// Makes a sandbox for the user of the container.
pub(crate) fn make_sandbox(kernel: &dyn Kernel, config: &ContainerConfig) -> Result<(), CallError> {
    let sandbox = config.directory.as_path();
    create_directories(kernel, sandbox, Mode(0o755))?;
    let user = config.user.as_ref().and_then(|user| user.parse().ok());
    let given = kernel.fchownat(Fd::CWD, sandbox, user, user, AtFlags::empty());
    given.map_err(|errno| CallError::new("change the owner of", sandbox, errno))
}

/// Opens what a launcher has open that an agent with some faults of its own has started: standard streams, and a directory of
/// the host that is not closed by execve(2).
fn open_descriptors(process: &Process) -> Result<(), Errno> {
    let open = |path: &str, flags| {
        let how = OpenHow { flags, mode: Mode(0), resolve: ResolveFlags::empty() };
        process.openat2(Fd::CWD, UnixPath::new(path), how)
    };
    for _ in 0..3 {
        open("/dev/null", OpenFlags::O_RDWR)?;
    }
    open("/world/precious", OpenFlags::O_DIRECTORY).map(drop)
}

/// The state in which the newest process, which has no children, has executed its program.
fn running_program(linux: Linux, before: &[Id<Task>]) -> Result<Linux, Errno> {
    let mut linux = linux;
    let newest = linux
        .tasks()
        .filter(|task| task.is_running() && !before.contains(&task.key()))
        .max_by_key(cofferdam_vfs_sim::TaskView::pid)
        .map(|task| task.key())
        .ok_or(Errno::ESRCH)?;
    // What execve(2) does to descriptors; there is no file to be executed.
    let close: Vec<_> = linux.task(newest).into_iter().flat_map(|task| task.files().collect::<Vec<_>>()).collect();
    let close: Vec<_> = close.iter().filter(|file| file.close_on_exec).map(|file| file.fd).collect();
    for fd in close {
        linux.call(newest, &Call::Close { fd })?;
    }
    Ok(linux)
}
