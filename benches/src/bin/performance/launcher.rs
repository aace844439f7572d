//! cofferdam's launcher without the rest of the command: `performance launcher [--once] LAUNCH-INFO`. It speaks as
//! `benches/peers/launch.c` does.

use std::fs;
use std::time::{Duration, Instant};

use cofferdam::kernel::{CloneFlags, Kernel as _, WaitOptions, WaitStatus};
use cofferdam::launch::{LaunchRequest, launch};
use cofferdam::messages::ContainerLaunchInfo;
use cofferdam_linux::LinuxKernel;

use crate::Failure;
use crate::racer::serve as serve_lines;

/// What is to be launched: a launch info that `prepare` has made.
pub fn request(path: &str) -> Result<LaunchRequest, Failure> {
    let text = fs::read(path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let info: ContainerLaunchInfo =
        serde_json::from_slice(&text).map_err(|error| format!("{path} is no launch info: {error}"))?;
    Ok(LaunchRequest { info, ..LaunchRequest::default() })
}

/// Launches once.
pub fn once(launch_info: &str) -> Result<(), Failure> {
    launch_and_wait(&request(launch_info)?).map(drop)
}

/// Launches for each line on standard input, and prints how many nanoseconds that took.
pub fn serve(launch_info: &str) -> Result<(), Failure> {
    let request = request(launch_info)?;
    serve_lines("ready", |_| launch_and_wait(&request))
}

/// From the birth of the process that launches to its end.
fn launch_and_wait(request: &LaunchRequest) -> Result<Duration, Failure> {
    let kernel = LinuxKernel;
    let begin = Instant::now();
    let child = kernel
        .clone3(CloneFlags::empty(), &mut |kernel| launch(kernel, request))
        .map_err(|errno| format!("cannot make a process for the launcher: {errno}"))?;
    let ended =
        kernel.wait4(child, WaitOptions::empty()).map_err(|errno| format!("cannot wait for the launcher: {errno}"))?;
    let elapsed = begin.elapsed();
    match ended {
        Some((_, WaitStatus::Exited(0))) => Ok(elapsed),
        other => Err(format!("the launcher ended with {other:?}").into()),
    }
}
