//! A session seen from outside: its results are awaited, not for ever.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use cofferdam::kernel::{Kernel, Pid, WaitOptions, WaitStatus};
use cofferdam_linux::LinuxKernel;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::de::DeserializeOwned;

use super::sandbox::{SandboxError, kill};
use crate::observation::Observation;
use crate::universe::PreparationError;

/// A session that does nothing for so long will not do anything any more.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// What was seen, item by item of the plan; less than it has if the session hung or broke off.
    pub(crate) observations: Vec<Observation>,
    /// How it ended, if not as it should.
    pub(crate) trouble: Option<String>,
}

/// A session at work.
#[derive(Debug)]
pub(crate) struct Running {
    pid: Option<Pid>,
    results: OwnedFd,
}

impl Running {
    pub(super) fn new(pid: Pid, results: OwnedFd) -> Self {
        Self { pid: Some(pid), results }
    }

    /// Waits until it is done.
    pub(crate) fn finish(mut self) -> Result<Run, SandboxError> {
        let (bytes, is_hung) = self.read_results()?;
        let status = self.reap(is_hung)?;
        let mut input = bytes.as_slice();
        let failure: Option<PreparationError> = decode(&mut input)
            .ok_or_else(|| SandboxError::Broken(format!("it did not begin, and ended with {status:?}")))?;
        if let Some(error) = failure {
            return Err(SandboxError::Universe(error));
        }
        let mut observations = Vec::new();
        while let Some(observation) = decode(&mut input) {
            observations.push(observation);
        }
        let trouble = match status {
            _ if is_hung => Some(format!("it did nothing for {} s", PATIENCE.as_secs())),
            Some(WaitStatus::Exited(0)) => None,
            other => Some(format!("it ended with {other:?}")),
        };
        Ok(Run { observations, trouble })
    }

    /// What it wrote, and whether it stopped without an end.
    fn read_results(&self) -> Result<(Vec<u8>, bool), SandboxError> {
        let failed = |errno: nix::errno::Errno| SandboxError::Broken(format!("its results can't be read: {errno}"));
        let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let mut descriptors = [PollFd::new(self.results.as_fd(), PollFlags::POLLIN)];
            match poll(&mut descriptors, timeout) {
                Ok(0) => return Ok((bytes, true)),
                Ok(_) => {}
                Err(nix::errno::Errno::EINTR) => continue,
                Err(errno) => return Err(failed(errno)),
            }
            let length = nix::unistd::read(&self.results, &mut buffer).map_err(failed)?;
            if length == 0 {
                return Ok((bytes, false));
            }
            bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
        }
    }

    fn reap(&mut self, is_hung: bool) -> Result<Option<WaitStatus>, SandboxError> {
        let Some(pid) = self.pid.take() else { return Ok(None) };
        if is_hung {
            kill(pid);
        }
        let ended = LinuxKernel.wait4(pid, WaitOptions::empty()).map_err(super::sandbox::doing("wait4"))?;
        Ok(ended.map(|(_, status)| status))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(pid) = self.pid.take() {
            kill(pid);
            let _ = LinuxKernel.wait4(pid, WaitOptions::empty());
        }
    }
}

fn decode<T: DeserializeOwned>(input: &mut &[u8]) -> Option<T> {
    if input.is_empty() { None } else { rmp_serde::from_read(input).ok() }
}
