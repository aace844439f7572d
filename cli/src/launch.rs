//! `cofferdam launcher`: the process that becomes the container's program.

use cofferdam::checkpoint;
use cofferdam::kernel::{Bytes, Fd, Intercepted, Kernel, Pid};
use cofferdam::launch::{LaunchRequest, launch as carry_out};
use cofferdam::messages::ContainerLaunchInfo;
use cofferdam::user::UserDatabase;

use crate::arguments::LaunchArguments;
use crate::launcher::is_to_begin;
use crate::run::Failure;
use crate::timings::{Phase, Phases, Timings};

/// The launcher could not start. What fails later it reports itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchInfoError {
    #[error("{path} is no launch info: {error}")]
    Malformed { path: Bytes, error: serde_json::Error },
}

/// Carries the launch info out. Gives the exit status.
pub(crate) fn launch(
    kernel: &dyn Kernel,
    arguments: &LaunchArguments,
    users: &dyn UserDatabase,
) -> Result<i32, Failure> {
    if let Some(pipe) = arguments.begin.map(Fd)
        && !is_to_begin(kernel, pipe)
    {
        return Ok(i32::from(crate::FAILED));
    }
    let request = read_request(kernel, arguments, users)?;
    let Some(notes) = arguments.timings.map(Fd) else { return Ok(carry_out(kernel, &request)) };
    Timings::inherited(kernel, notes).begin(Phase::Namespaces);
    let phases = Phases::new(notes, &request.info.masked_paths);
    Ok(carry_out(&Intercepted::new(kernel, &phases), &request))
}

fn read_request(
    kernel: &dyn Kernel,
    arguments: &LaunchArguments,
    users: &dyn UserDatabase,
) -> Result<LaunchRequest, Failure> {
    let text = checkpoint::read(kernel, arguments.launch_info.as_path())?;
    let info: ContainerLaunchInfo = serde_json::from_slice(&text)
        .map_err(|error| LaunchInfoError::Malformed { path: arguments.launch_info.clone(), error })?;
    let credentials = match &info.user {
        Some(user) => Some(users.look_up(user)?),
        None => None,
    };
    Ok(LaunchRequest {
        info,
        credentials,
        die_with_parent: arguments.die_with_parent.map(Pid),
        parent: arguments.parent.map(Pid),
        pid_files: arguments.pid_file.iter().map(|path| path.as_path().to_path_buf()).collect(),
        hold: arguments.hold.map(Fd),
    })
}
