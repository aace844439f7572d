//! `cofferdam run`: the whole life of a container in one command.

use cofferdam::agent::CONTAINER_CAPABILITIES;
use cofferdam::error::CallError;
use cofferdam::isolator::{Isolator, PrepareError, UpdateError, check_privileges};
use cofferdam::kernel::{AtFlags, Bytes, Errno, Fd, Kernel, Mode, Pid};
use cofferdam::launch::{block_signals, exit_status, supervise};
use cofferdam::layout::{InvalidComponent, Layout};
use cofferdam::locks::{AgentLock, CommandLock, ContainerLock, RunningLock};
use cofferdam::messages::{
    CommandInfo, ContainerConfig, ContainerId, ContainerInfo, Environment, EnvironmentVariable, LinuxInfo, Resource,
};
use cofferdam::root::{create_directories, real_path, remove_empty_directories};
use cofferdam::user::Credentials;
use cofferdam::volumes::PersistentVolume;
use cofferdam::{UnixPath, UnixPathBuf};

use crate::agent::Agent;
use crate::arguments::{LaunchArguments, PersistentVolumeArgument, RunArguments};
use crate::held::Held;
use crate::host::Host;
use crate::launcher::Launcher;
use crate::life_cycle::LifeCycleError;
use crate::timings::Phase;
use crate::verify::verify_and_release;

/// The ids below which Mesos' layout puts a sandbox: ours are those of an agent that runs one command.
const AGENT_ID: &str = "local";
const FRAMEWORK_ID: &str = "run";

/// What the program finds in its environment besides what `--env` says.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whatever has failed.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// A failure of `run` itself.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(
        "container {id} exists already: its sandbox {sandbox} is there; if it is left from one that was killed, \
         `cofferdam recover` cleans up after it"
    )]
    SandboxExists { id: ContainerId, sandbox: Bytes },
    #[error("the root filesystem must be an existing directory: {0}")]
    Rootfs(CallError),
    #[error("two persistent volumes have the name {0} in the sandbox")]
    SameName(Bytes),
    #[error("invalid id {0}")]
    Layout(#[from] InvalidComponent),
    #[error("{first}; then the clean-up failed: {second}")]
    Twice { first: Failure, second: Failure },
}

/// Runs a program in a container of its own on a host. Gives the exit status.
pub(crate) fn run_on(
    kernel: &dyn Kernel,
    host: &dyn Host,
    arguments: &RunArguments,
    agent: &Agent,
) -> Result<i32, Failure> {
    // Whatever signal comes from here on waits until there is a program to pass it on to, or until all is cleaned up.
    block_signals(kernel)?;
    // The directories that we make have the permissions that we say, whoever starts us.
    kernel.umask(Mode(0o022)).map_err(|errno| CallError::new("set the umask of", UnixPath::new("cofferdam"), errno))?;
    check_privileges(kernel)?;
    let layout = &agent.config.layout;
    let wanted = Wanted::check(kernel, host, arguments, layout)?;
    // Only the default one is made: another one that is missing is more likely a mistake.
    let made = if agent.has_default_work_dir {
        create_directories(kernel, &layout.work_dir, Mode(0o755))?
    } else {
        Vec::new()
    };
    let held = if arguments.verify { Some(Held::new(kernel)?) } else { None };
    let launcher = Launcher::new(kernel, host, launch_arguments(host, arguments, layout, &wanted.id), held);
    let result = launcher.map_err(Failure::from).and_then(|launcher| {
        let _lock = AgentLock::shared_if_there_is_one(kernel, layout)?;
        host.begin(Phase::Create);
        let mut isolator = Isolator::create(kernel, agent.config.clone(), host.users())?;
        isolator.prepare_launches()?;
        run_container(&mut isolator, host, launcher, arguments, &wanted)
    });
    if result.is_err() {
        remove_empty_directories(kernel, &made);
    }
    result
}

/// What can be found wrong with the arguments before anything on the host is touched.
struct Wanted {
    id: ContainerId,
    rootfs: Option<Bytes>,
    owner: Option<Credentials>,
}

impl Wanted {
    fn check(kernel: &dyn Kernel, host: &dyn Host, arguments: &RunArguments, layout: &Layout) -> Result<Self, Failure> {
        let id = match &arguments.container.id {
            Some(id) => id.clone(),
            None => ContainerId::new(host.unused_id(kernel))?,
        };
        let rootfs = match &arguments.container.rootfs {
            Some(path) => Some(real_path(kernel, path.as_path()).map_err(RunError::Rootfs)?.into()),
            None => None,
        };
        if rootfs == Some("/".into()) {
            return Err(PrepareError::RootfsIsRoot.into());
        }
        volumes(&arguments.container.persistent_volume, layout)?;
        let owner = match &arguments.container.user {
            Some(user) => Some(host.users().look_up(user)?),
            None => None,
        };
        Ok(Self { id, rootfs, owner })
    }
}

/// Makes the container's sandbox and volumes, and removes the sandbox whatever happens in between.
fn run_container<'k>(
    isolator: &mut Isolator<&'k dyn Kernel>,
    host: &dyn Host,
    launcher: Launcher<'k>,
    arguments: &RunArguments,
    wanted: &Wanted,
) -> Result<i32, Failure> {
    let id = &wanted.id;
    let kernel: &'k dyn Kernel = *isolator.kernel();
    let layout = isolator.config().layout.clone();
    let sandbox = layout.executor_sandbox(AGENT_ID, FRAMEWORK_ID, id.value(), id).map_err(RunError::from)?;
    let volumes = volumes(&arguments.container.persistent_volume, &layout)?;
    let config = container_config(arguments, wanted, &sandbox, &volumes);
    host.begin(Phase::Sandbox);
    // Until the container runs, and from its end on, no other command comes in between.
    let locks = Locks::take(kernel, &layout, id)?;
    create_sandbox(kernel, id, &sandbox, wanted.owner.as_ref())?;
    let (result, _locks) = match start_in_sandbox(isolator, host, launcher, arguments, id, &config, &volumes) {
        Ok(mut started) => {
            drop(locks);
            let verified = match started.held.take() {
                Some(held) => verify_and_release(kernel, isolator.config(), id, held),
                None => Ok(()),
            };
            let (result, locks) = wait(kernel, host, &layout, id, started)?;
            (verified.and(result), locks)
        }
        Err(error) => {
            host.begin(Phase::CleanUp);
            (Err(error), locks)
        }
    };
    let cleaned = clean_up(isolator, id);
    let removed = isolator.remove_sandbox(id, &sandbox);
    remove_empty_directories_above(kernel, &sandbox, &layout);
    both(both(result, cleaned), removed.map_err(Failure::from))
}

/// What keeps other commands away from a container.
struct Locks<'k> {
    // In the order in which they are let go of.
    _container: ContainerLock<'k>,
    _commands: CommandLock<'k>,
}

impl<'k> Locks<'k> {
    fn take(kernel: &'k dyn Kernel, layout: &Layout, id: &ContainerId) -> Result<Self, Failure> {
        let commands = CommandLock::shared(kernel, layout)?;
        Ok(Self { _container: ContainerLock::take(kernel, layout, id)?, _commands: commands })
    }
}

/// A container whose launcher is started.
struct Started<'k> {
    child: Pid,
    running: RunningLock<'k>,
    held: Option<Held<'k>>,
}

/// Waits for a container to end. Gives the result with the locks: nobody else cleans up in between.
fn wait<'k>(
    kernel: &'k dyn Kernel,
    host: &dyn Host,
    layout: &Layout,
    id: &ContainerId,
    Started { child, running, .. }: Started<'_>,
) -> Result<(Result<i32, Failure>, Locks<'k>), Failure> {
    let status = supervise(kernel, child).map(exit_status).map_err(Failure::from);
    host.begin(Phase::CleanUp);
    let locks = Locks::take(kernel, layout, id)?;
    drop(running);
    Ok((status, locks))
}

/// The directory in which each `run` has one for its sandbox.
pub(crate) fn executors_of_runs(layout: &Layout) -> UnixPathBuf {
    layout.work_dir.join("slaves").join(AGENT_ID).join("frameworks").join(FRAMEWORK_ID).join("executors")
}

/// The sandbox that a container has if `run` has made it.
pub(crate) fn sandbox_of_run(layout: &Layout, id: &ContainerId) -> Option<UnixPathBuf> {
    layout.executor_sandbox(AGENT_ID, FRAMEWORK_ID, id.value(), id).ok().filter(|_| id.parent().is_none())
}

/// Removes the directories between work_dir and a sandbox that is gone: the last container that uses one does.
pub(crate) fn remove_empty_directories_above(kernel: &dyn Kernel, sandbox: &UnixPath, layout: &Layout) {
    remove_empty_directories(kernel, &above(sandbox, &layout.work_dir));
}

/// The directories between work_dir and a sandbox, the uppermost first.
fn above(sandbox: &UnixPath, work_dir: &UnixPath) -> Vec<UnixPathBuf> {
    let mut directories: Vec<_> =
        sandbox.ancestors().skip(1).take_while(|directory| *directory != work_dir).map(UnixPath::to_path_buf).collect();
    directories.reverse();
    directories
}

fn volumes(
    arguments: &[PersistentVolumeArgument],
    layout: &Layout,
) -> Result<Vec<(Resource, PersistentVolume)>, Failure> {
    let mut volumes: Vec<(Resource, PersistentVolume)> = Vec::new();
    for argument in arguments {
        let (resource, volume) = volume(argument, layout)?;
        if volumes.iter().any(|(_, other)| other.name == volume.name) {
            return Err(RunError::SameName(volume.name.into()).into());
        }
        volumes.push((resource, volume));
    }
    Ok(volumes)
}

fn volume(argument: &PersistentVolumeArgument, layout: &Layout) -> Result<(Resource, PersistentVolume), Failure> {
    let resource = serde_json::json!({
        "name": "disk",
        "type": "SCALAR",
        "reservations": [{ "type": "DYNAMIC", "role": argument.role }],
        "disk": {
            "persistence": { "id": argument.id },
            "volume": { "container_path": argument.name, "mode": if argument.read_only { "RO" } else { "RW" } },
        },
        // Another `run` may use the volume as well.
        "shared": {},
    });
    let resource = serde_json::from_value(resource)?;
    let volume = PersistentVolume::from_resource(&resource, layout)?.ok_or_else(|| UpdateError::InvalidVolume {
        id: argument.id.clone(),
        reason: "its name must be one in the sandbox, without a slash".into(),
    })?;
    Ok((resource, volume))
}

/// Makes the sandbox, which must not exist yet.
fn create_sandbox(
    kernel: &dyn Kernel,
    id: &ContainerId,
    sandbox: &UnixPath,
    owner: Option<&Credentials>,
) -> Result<(), Failure> {
    let parent = sandbox.parent().unwrap_or(sandbox);
    let above = create_directories(kernel, parent, Mode(0o755))?;
    match kernel.mkdirat(Fd::CWD, sandbox, Mode(0o755)) {
        Ok(()) => {}
        Err(Errno::EEXIST) => {
            return Err(RunError::SandboxExists { id: id.clone(), sandbox: sandbox.into() }.into());
        }
        Err(errno) => {
            remove_empty_directories(kernel, &above);
            return Err(CallError::new("create sandbox", sandbox, errno).into());
        }
    }
    let Some(Credentials { uid, gid, .. }) = owner else { return Ok(()) };
    let given = kernel.fchownat(Fd::CWD, sandbox, Some(*uid), Some(*gid), AtFlags::AT_SYMLINK_NOFOLLOW);
    given.map_err(|errno| {
        let _ = kernel.unlinkat(Fd::CWD, sandbox, AtFlags::AT_REMOVEDIR);
        remove_empty_directories(kernel, &above);
        CallError::new("change the owner of sandbox", sandbox, errno).into()
    })
}

/// Makes the volumes, prepares the container, and starts its launcher.
fn start_in_sandbox<'k>(
    isolator: &mut Isolator<&'k dyn Kernel>,
    host: &dyn Host,
    launcher: Launcher<'k>,
    arguments: &RunArguments,
    id: &ContainerId,
    config: &ContainerConfig,
    volumes: &[(Resource, PersistentVolume)],
) -> Result<Started<'k>, Failure> {
    // They stay whatever happens next: another container may use them already, and a directory that is removed under its
    // mount takes along what is written there.
    for (_, volume) in volumes {
        volume.create(isolator.kernel())?;
    }
    host.begin(Phase::Prepare);
    let mut info = isolator.prepare(id, config)?;
    host.begin(Phase::Start);
    let running = RunningLock::take(*isolator.kernel(), &isolator.config().layout, id)?
        .ok_or_else(|| LifeCycleError::RunsAlready(id.clone()))?;
    info.environment = Some(environment(info.working_directory.as_ref(), arguments.container.env.clone()));
    let (child, held) = launcher.begin(&info)?;
    Ok(Started { child, running, held })
}

fn container_config(
    arguments: &RunArguments,
    wanted: &Wanted,
    sandbox: &UnixPath,
    volumes: &[(Resource, PersistentVolume)],
) -> ContainerConfig {
    let bounding_capabilities = (!arguments.container.privileged).then(|| CONTAINER_CAPABILITIES.into());
    ContainerConfig {
        directory: sandbox.into(),
        rootfs: wanted.rootfs.clone(),
        user: arguments.container.user.clone(),
        command_info: CommandInfo::program(arguments.command.clone()),
        container_info: Some(ContainerInfo {
            linux_info: Some(LinuxInfo {
                share_pid_namespace: arguments.container.share_pid,
                bounding_capabilities,
                ..LinuxInfo::default()
            }),
            ..ContainerInfo::default()
        }),
        resources: volumes.iter().map(|(resource, _)| resource.clone()).collect(),
        ..ContainerConfig::default()
    }
}

/// What the launcher of a container is told.
fn launch_arguments(host: &dyn Host, arguments: &RunArguments, layout: &Layout, id: &ContainerId) -> LaunchArguments {
    LaunchArguments {
        launch_info: layout.container_launching(id).into(),
        die_with_parent: None,
        parent: None,
        pid_file: vec![layout.container_pid(id).into()],
        trace: arguments.trace,
        timings: host.timings().map(|timings| timings.notes().0),
        begin: None,
        hold: None,
    }
}

/// Reports a failure of cofferdam as a process of a kernel. Gives the exit status.
pub(crate) fn failed(kernel: &dyn Kernel, error: &dyn std::fmt::Display) -> i32 {
    // There is nowhere left to report that standard error is closed.
    let _ = kernel.write(Fd::STDERR, format!("cofferdam: {error}\n").as_bytes());
    i32::from(crate::FAILED)
}

/// What the program finds in its environment: little besides its own variables, which count more.
pub(crate) fn environment(working_directory: Option<&Bytes>, own: Vec<EnvironmentVariable>) -> Environment {
    let mut variables = vec![EnvironmentVariable::new("PATH", DEFAULT_PATH)];
    if let Some(directory) = working_directory {
        variables.push(EnvironmentVariable::new("MESOS_SANDBOX", directory.clone()));
    }
    if let Some(terminal) = std::env::var_os("TERM") {
        variables.push(EnvironmentVariable::new("TERM", terminal.into_encoded_bytes()));
    }
    variables.extend(own);
    Environment { variables }
}

/// Cleans up the container, unless it never came to be.
fn clean_up(isolator: &mut Isolator<&dyn Kernel>, id: &ContainerId) -> Result<(), Failure> {
    if isolator.container(id).is_none() {
        return Ok(());
    }
    isolator.cleanup(id)?;
    Ok(isolator.remove_runtime(id)?)
}

/// The result of a step and of what had to follow it; no error is lost.
fn both(result: Result<i32, Failure>, then: Result<(), Failure>) -> Result<i32, Failure> {
    match (result, then) {
        (result, Ok(())) => result,
        (Ok(_), Err(second)) => Err(second),
        (Err(first), Err(second)) => Err(RunError::Twice { first, second }.into()),
    }
}
