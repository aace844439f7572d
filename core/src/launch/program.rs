//! Becoming the program.

use typed_path::{UnixPath, UnixPathBuf};

use super::error::LaunchError;
use super::privileges::drop_privileges;
use super::supervise::unblock_signals;
use super::{LaunchRequest, set_parent_death_signal};
use crate::error::Doing;
use crate::kernel::{AtFlags, Bytes, CloseRangeFlags, Errno, Fd, Kernel, Signal, SignalAction};
use crate::messages::{CommandInfo, ContainerLaunchInfo};

/// Where a program without a slash is looked for if the environment has no `PATH` (execvp(3)).
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Gives up privileges and executes the program. Returns only if that fails; or, on a simulated kernel, with the status 0
/// of a program that does nothing.
///
/// It is killed when its parent dies, if it is to die with that.
pub(super) fn become_program(
    kernel: &dyn Kernel,
    request: &LaunchRequest,
    dies_with_parent: bool,
) -> Result<i32, LaunchError> {
    let info = &request.info;
    let (program, argv) = command(info)?;
    let environment = environment(info);
    drop_privileges(kernel, request)?;
    if let Some(directory) = &info.working_directory {
        change_directory(kernel, directory)?;
    }
    // Changing the user has cleared it (prctl(2), PR_SET_PDEATHSIG).
    if dies_with_parent {
        set_parent_death_signal(kernel)?;
    }
    let itself = UnixPath::new("the program");
    // Ignored signals stay ignored over execve(2), and runtimes such as Rust's ignore SIGPIPE.
    for signal in [Signal::PIPE, Signal::CHLD] {
        kernel.sigaction(signal, SignalAction::Default).doing("reset the signals of", itself)?;
    }
    unblock_signals(kernel)?;
    close_descriptors(kernel)?;
    execute(kernel, &program, &argv, &environment)?;
    Ok(0)
}

/// Closes all but stdio.
pub(super) fn close_descriptors(kernel: &dyn Kernel) -> Result<(), LaunchError> {
    kernel
        .close_range(3, u32::MAX, CloseRangeFlags::empty())
        .doing("close the descriptors of", UnixPath::new("the program"))?;
    Ok(())
}

fn change_directory(kernel: &dyn Kernel, directory: &Bytes) -> Result<(), LaunchError> {
    let path = directory.as_path();
    kernel.chdir(path).doing("change to the working directory", path)?;
    // A directory that can't be reached from the root is reported so by getcwd(2).
    let here = kernel.getcwd().doing("find out the working directory", path)?;
    if !here.0.starts_with(b"/") {
        return Err(LaunchError::WorkingDirectoryOutside(directory.clone()));
    }
    Ok(())
}

fn command(info: &ContainerLaunchInfo) -> Result<(Bytes, Vec<Bytes>), LaunchError> {
    let Some(CommandInfo { shell, value: Some(value), arguments, .. }) = &info.command else {
        return Err(LaunchError::NoCommand);
    };
    Ok(if *shell {
        ("/bin/sh".into(), vec!["sh".into(), "-c".into(), value.clone()])
    } else if arguments.is_empty() {
        (value.clone(), vec![value.clone()])
    } else {
        (value.clone(), arguments.clone())
    })
}

/// The environment as `NAME=value`; of two variables with one name the later one.
fn environment(info: &ContainerLaunchInfo) -> Vec<Bytes> {
    let variables = info.environment.as_ref().map_or(&[][..], |environment| &environment.variables);
    variables
        .iter()
        .enumerate()
        .filter(|(index, variable)| !variables[index + 1..].iter().any(|later| later.name == variable.name))
        .map(|(_, variable)| Bytes([&variable.name.0[..], b"=", &variable.value.0].concat()))
        .collect()
}

/// Executes a program by its path, or finds it in `PATH`, with the errors of execvp(3).
fn execute(kernel: &dyn Kernel, program: &Bytes, argv: &[Bytes], environment: &[Bytes]) -> Result<(), LaunchError> {
    let mut refused = None;
    for candidate in candidates(program, environment) {
        match kernel.execve(&candidate, argv, environment) {
            Ok(()) => return Ok(()),
            // The file is there: what is missing is the interpreter that it names.
            Err(Errno::ENOENT) if kernel.statx(Fd::CWD, &candidate, AtFlags::empty()).is_ok() => {
                return Err(LaunchError::InterpreterNotFound(candidate.into()));
            }
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            // Another directory of PATH may have one that we may execute.
            Err(Errno::EACCES) => refused = Some(Errno::EACCES),
            Err(errno) => return Err(LaunchError::NotExecutable { command: program.clone(), errno }),
        }
    }
    Err(match refused {
        Some(errno) => LaunchError::NotExecutable { command: program.clone(), errno },
        None => LaunchError::CommandNotFound(program.clone()),
    })
}

fn candidates(program: &Bytes, environment: &[Bytes]) -> Vec<UnixPathBuf> {
    if program.0.is_empty() {
        return Vec::new();
    }
    if program.0.contains(&b'/') {
        return vec![program.as_path().to_path_buf()];
    }
    let path = environment.iter().find_map(|variable| variable.0.strip_prefix(b"PATH=")).unwrap_or(DEFAULT_PATH);
    path.split(|byte| *byte == b':')
        // An empty element is the working directory.
        .map(|directory| UnixPath::new(if directory.is_empty() { &b"."[..] } else { directory }).join(program))
        .collect()
}
