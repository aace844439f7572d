//! The token: who holds it acts. It carries what the processes have to know of each other.

use std::collections::BTreeMap;

use cofferdam::kernel::{Errno, Kernel, Pid};
use serde::{Deserialize, Serialize};

use crate::census::Census;
use crate::control;
use crate::sequence::TaskIndex;

/// What passes from process to process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Token {
    /// The item of the plan that is next.
    pub(super) position: usize,
    /// Who lives.
    pub(super) census: Census,
    /// A child of the receiver that is about to end; what comes next must not begin before.
    pub(super) ending: Option<Pid>,
    /// The child that is about to end does so by executing a program. Whether it can shows in its exit status.
    pub(super) executing: Option<TaskIndex>,
    /// The unique mount ids of the real kernel by those of the reference.
    pub(super) mounts: BTreeMap<u64, u64>,
}

impl Token {
    /// Lets another process act.
    pub(super) fn send(&self, kernel: &dyn Kernel, task: TaskIndex) -> Result<(), Errno> {
        let body = rmp_serde::to_vec(self).map_err(|_| Errno::EPROTO)?;
        let length = u32::try_from(body.len()).map_err(|_| Errno::E2BIG)?;
        let mut message = length.to_le_bytes().to_vec();
        message.extend_from_slice(&body);
        write_all(kernel, control::turn_to(task), &message)
    }

    /// Waits for the turn of a process.
    pub(super) fn receive(kernel: &dyn Kernel, task: TaskIndex) -> Result<Self, Errno> {
        let length = read_exactly(kernel, control::turn_of(task), 4)?;
        let length = length.as_slice().try_into().map(u32::from_le_bytes).map_err(|_| Errno::EPROTO)?;
        let body = read_exactly(kernel, control::turn_of(task), length as usize)?;
        rmp_serde::from_slice(&body).map_err(|_| Errno::EPROTO)
    }
}

pub(super) fn write_all(kernel: &dyn Kernel, fd: cofferdam::kernel::Fd, mut data: &[u8]) -> Result<(), Errno> {
    while !data.is_empty() {
        let written = kernel.write(fd, data)?;
        data = data.get(written..).unwrap_or_default();
    }
    Ok(())
}

fn read_exactly(kernel: &dyn Kernel, fd: cofferdam::kernel::Fd, length: usize) -> Result<Vec<u8>, Errno> {
    let mut data = Vec::with_capacity(length);
    while data.len() < length {
        let part = kernel.read(fd, length - data.len())?;
        if part.0.is_empty() {
            return Err(Errno::EPIPE);
        }
        data.extend_from_slice(&part.0);
    }
    Ok(data)
}
