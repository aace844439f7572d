//! What goes wrong in a variant of an operation.

use std::fmt;

use cofferdam::kernel::Errno;
use serde::{Deserialize, Serialize};

use crate::disk::Loss;

/// What happens at a call of an operation instead of it, or before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The call is not made, and fails.
    Fails(Errno),
    /// Somebody else does something before it is made.
    Step(Step),
}

/// What somebody else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// An administrator mounts a tmpfs somewhere else.
    AdministratorMounts,
    /// An administrator mounts a tmpfs on the directory above all sandboxes, and takes it away again.
    AdministratorCovers,
    /// An administrator unmounts the volumes of all containers.
    AdministratorUnmounts,
    /// An administrator's working directory is a volume in a sandbox.
    AdministratorEnters,
    /// A program in a container replaces what is in its sandbox by symbolic links to what is the host's.
    ProgramPlantsLinks,
    /// A program in a container makes directories with something in them where mount points of volumes would be.
    ProgramOccupies,
    /// A program in a container makes files there.
    ProgramLeavesFiles,
    /// A program in a container replaces what mounts are on in its image by symbolic links.
    ProgramReplacesImage,
    /// Another command asks what there is.
    AnotherCommandLooks,
    /// Another command prepares a container with the same volumes.
    AnotherCommandPrepares,
    /// Another command gives the other containers other volumes, and the one itself while it is launched.
    AnotherCommandUpdates,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::AdministratorMounts,
        Self::AdministratorCovers,
        Self::AdministratorUnmounts,
        Self::AdministratorEnters,
        Self::ProgramPlantsLinks,
        Self::ProgramOccupies,
        Self::ProgramLeavesFiles,
        Self::ProgramReplacesImage,
        Self::AnotherCommandLooks,
        Self::AnotherCommandPrepares,
        Self::AnotherCommandUpdates,
    ];

    /// Whether it changes what a program is to see, which has an image of its own or sees the host's mounts.
    pub fn changes_what_is_seen(self, has_image: bool) -> bool {
        match self {
            Self::AdministratorUnmounts | Self::AnotherCommandUpdates => true,
            Self::AnotherCommandPrepares => !has_image,
            _ => false,
        }
    }
}

/// How an operation is cut short before a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// All processes that it has made are killed.
    Dies,
    /// The machine loses power, and what was not synced is lost in some way.
    Reboots(Loss),
}

/// A way in which an operation of a scenario does not go as it should.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// The operation, by its place in the scenario.
    pub operation: usize,
    /// What happens at which of its calls, in their order.
    pub faults: Vec<(usize, Fault)>,
    /// Before which call it is cut short; if at all.
    pub cut: Option<(usize, Cut)>,
    /// At which call of the recovery after it that dies as well; if at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery_dies: Option<usize>,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (call, fault) in &self.faults {
            parts.push(match fault {
                Fault::Fails(errno) => format!("call {call} fails with {errno}"),
                Fault::Step(step) => format!("before call {call}, {step:?}"),
            });
        }
        match self.cut {
            Some((call, Cut::Dies)) => parts.push(format!("it dies before call {call}")),
            Some((call, Cut::Reboots(loss))) => parts.push(format!("the power fails before call {call} ({loss:?})")),
            None => {}
        }
        if let Some(call) = self.recovery_dies {
            parts.push(format!("the recovery dies before its call {call}"));
        }
        write!(f, "operation {}: {}", self.operation, parts.join(", "))
    }
}
