//! `cofferdam launch`: the process that becomes the container's program.

use cofferdam::checkpoint;
use cofferdam::kernel::{Bytes, Kernel, Pid};
use cofferdam::launch::{LaunchRequest, launch as carry_out};
use cofferdam::messages::ContainerLaunchInfo;
use cofferdam::user::UserDatabase as _;

use crate::arguments::LaunchArguments;
use crate::host;
use crate::trace::traced;

/// The launcher could not start. What fails later it reports itself.
#[derive(Debug, thiserror::Error)]
enum LaunchInfoError {
    #[error("{path} is no launch info: {error}")]
    Malformed { path: Bytes, error: serde_json::Error },
}

/// Carries the launch info out. Gives the exit status.
pub(crate) fn launch(arguments: &LaunchArguments) -> Result<i32, Box<dyn std::error::Error>> {
    let kernel = host::kernel()?;
    traced(&kernel, arguments.trace, |kernel| {
        let request = read_request(kernel, arguments)?;
        Ok(carry_out(kernel, &request))
    })
}

fn read_request(kernel: &dyn Kernel, arguments: &LaunchArguments) -> Result<LaunchRequest, Box<dyn std::error::Error>> {
    let text = checkpoint::read(kernel, arguments.launch_info.as_path())?;
    let info: ContainerLaunchInfo = serde_json::from_slice(&text)
        .map_err(|error| LaunchInfoError::Malformed { path: arguments.launch_info.clone(), error })?;
    let credentials = match &info.user {
        Some(user) => Some(host::HostUsers.look_up(user)?),
        None => None,
    };
    Ok(LaunchRequest { info, credentials, die_with_parent: arguments.die_with_parent.map(Pid) })
}
