//! What is to be planned.

use cofferdam::UnixPathBuf;
use cofferdam::kernel::Bytes;
use cofferdam::messages::{CommandInfo, ContainerConfig, ContainerId};

use crate::arguments::{ContainerOptions, PlanArguments, RunArguments};
use crate::life_cycle::input;
use crate::run::Failure;

/// The id that a container has in a plan if it is not given one.
const ID: &str = "planned";

/// The program of a container that has none yet. It is not executed.
const NO_PROGRAM: &str = "/program";

/// The arguments don't say what to plan.
#[derive(Debug, thiserror::Error)]
enum WantedError {
    #[error(
        "there is nothing to plan: give options and a command as for `cofferdam run`, or --id and, on standard input, a \
         configuration as for `cofferdam prepare`"
    )]
    Nothing,
    #[error("a configuration on standard input is that of a container with an id: give --id")]
    NoId,
    #[error(
        "container {0} is nested in another one, whose processes are not simulated: only its parent can be planned"
    )]
    Nested(ContainerId),
}

/// What is to be planned.
#[derive(Debug)]
pub(super) enum Wanted {
    /// `cofferdam run`
    Run { id: ContainerId, arguments: Box<RunArguments> },
    /// `cofferdam create`, `prepare`, `launch` and `cleanup`.
    Container { id: ContainerId, config: Box<ContainerConfig> },
    /// A container that is there, once more from its beginning.
    Again { id: ContainerId },
}

impl Wanted {
    pub(super) fn of(arguments: &PlanArguments) -> Result<Self, Failure> {
        let PlanArguments { container, command, .. } = arguments;
        if command.is_empty() && says_nothing(container) {
            let config: Option<ContainerConfig> = input::read_if_there("container configuration")?;
            let config = config.ok_or(WantedError::Nothing)?;
            let id = container.id.clone().ok_or(WantedError::NoId)?;
            if id.parent().is_some() {
                return Err(WantedError::Nested(id).into());
            }
            return Ok(Self::Container { id, config: Box::new(config) });
        }
        let id = match &container.id {
            Some(id) => id.clone(),
            None => ContainerId::new(ID)?,
        };
        let command = if command.is_empty() { vec![NO_PROGRAM.into()] } else { command.clone() };
        let arguments = RunArguments {
            container: ContainerOptions { id: Some(id.clone()), ..container.clone() },
            trace: false,
            timings: false,
            verify: false,
            sim: false,
            mountinfo: None,
            command,
        };
        Ok(Self::Run { id, arguments: Box::new(arguments) })
    }

    /// The container's id.
    pub(super) fn id(&self) -> &ContainerId {
        match self {
            Self::Run { id, .. } | Self::Container { id, .. } | Self::Again { id } => id,
        }
    }

    /// The container's command, with a program in the place of one that is not known.
    pub(super) fn command(&self) -> Vec<Bytes> {
        match self {
            Self::Run { arguments, .. } => arguments.command.clone(),
            Self::Container { config, .. } if config.command_info.value.is_some() => Vec::new(),
            Self::Container { .. } | Self::Again { .. } => vec![NO_PROGRAM.into()],
        }
    }

    /// Whether it is known what is to be executed in the container.
    pub(super) fn has_program(&self) -> bool {
        self.command() != [Bytes::from(NO_PROGRAM)]
    }

    /// Whether somebody has said which work_dir it is, which then has to be there.
    pub(super) fn names_work_dir(&self) -> bool {
        match self {
            Self::Run { arguments, .. } => {
                let agent = &arguments.container.agent;
                agent.work_dir.is_some() || agent.agent_config.is_some()
            }
            Self::Container { .. } | Self::Again { .. } => true,
        }
    }

    /// The root filesystem.
    pub(super) fn rootfs(&self) -> Option<UnixPathBuf> {
        let rootfs = match self {
            Self::Run { arguments, .. } => &arguments.container.rootfs,
            Self::Container { config, .. } => &config.rootfs,
            Self::Again { .. } => &None,
        };
        rootfs.as_ref().map(|path| path.as_path().to_path_buf())
    }

    /// The directories of the host that it names.
    pub(super) fn directories(&self) -> Vec<UnixPathBuf> {
        let mut named: Vec<_> = self.rootfs().into_iter().collect();
        if let Self::Container { config, .. } = self {
            named.push(config.directory.as_path().to_path_buf());
            let infos = [
                config.container_info.as_ref(),
                config.executor_info.as_ref().and_then(|executor| executor.container.as_ref()),
            ];
            let volumes = infos.into_iter().flatten().flat_map(|info| &info.volumes);
            let of_source = |volume: &cofferdam::messages::Volume| {
                volume.source.as_ref().and_then(|source| Some(source.host_path.as_ref()?.path.clone()))
            };
            let paths = volumes.filter_map(|volume| volume.host_path.clone().or_else(|| of_source(volume)));
            named.extend(paths.map(|path| path.as_path().to_path_buf()));
        }
        named
    }

    /// Where the program may be, in the host's filesystem.
    pub(super) fn programs(&self) -> Vec<UnixPathBuf> {
        let program = match self {
            Self::Run { arguments, .. } => arguments.command.first().cloned(),
            Self::Container { config, .. } => match &config.command_info {
                CommandInfo { shell: true, .. } => Some("/bin/sh".into()),
                CommandInfo { value, .. } => value.clone(),
            },
            Self::Again { .. } => None,
        };
        let Some(program) = program else { return Vec::new() };
        let root = self.rootfs().unwrap_or_else(|| "/".into());
        // A name is found in the last directory of PATH.
        let path = if program.0.contains(&b'/') { program.as_path().to_path_buf() } else { "/bin".into() };
        let inside = path.as_bytes().strip_prefix(b"/").unwrap_or(path.as_bytes());
        let inside = root.join(cofferdam::UnixPath::new(inside));
        vec![if program.0.contains(&b'/') { inside } else { inside.join(program.as_path()) }]
    }
}

/// Whether no option says what the container is like.
fn says_nothing(container: &ContainerOptions) -> bool {
    let ContainerOptions { agent: _, id: _, rootfs, user, env, privileged, share_pid, persistent_volume } = container;
    rootfs.is_none() && user.is_none() && env.is_empty() && !privileged && !share_pid && persistent_volume.is_empty()
}
