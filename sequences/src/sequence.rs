//! Sequences: what several processes do, one call after the other, as data.

use cofferdam::kernel::{Call, CloneFlags};
use serde::{Deserialize, Serialize};

/// How many processes a sequence can have; each needs control descriptors of its own.
pub const MAX_TASKS: usize = 8;

/// A process of a sequence: 0 is the first, the others are named by the fork that makes them.
pub type TaskIndex = usize;

/// Where a sequence starts: the state that is made before it, on both kernels alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Universe {
    /// Directories, files, links, and a proc (see `universe.rs`).
    #[default]
    Standard,
    /// The few directories of the exhaustive runs.
    Small,
    /// A machine for containers: proc, sysfs, devices, and an empty tmpfs at `/world`. Without privileges that reach beyond
    /// a user namespace there is the tmpfs and the proc.
    Host,
}

/// What a process does at its turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A system call.
    Call(Call),
    /// It makes a child process.
    Fork {
        /// The child's name in the sequence.
        child: TaskIndex,
        /// What the child does not share, or shares.
        flags: CloneFlags,
    },
    /// It ends, and stays a zombie until its parent waits for it.
    Exit {
        /// The exit status.
        status: i32,
    },
}

/// A step of a sequence: the action of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Who acts.
    pub task: TaskIndex,
    /// What it does.
    #[serde(flatten)]
    pub action: Action,
}

impl Step {
    /// The name of the call, for tables.
    pub fn name(&self) -> &'static str {
        match &self.action {
            Action::Call(call) => call.name(),
            Action::Fork { .. } => "clone3",
            Action::Exit { .. } => "exit",
        }
    }
}

/// A sequence of steps, and where it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The state before the first step.
    #[serde(default)]
    pub universe: Universe,
    /// The steps.
    pub steps: Vec<Step>,
}

/// What a kernel is to do for a sequence: its steps, and looks at the mount tables in between.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The state before.
    pub universe: Universe,
    /// In this order.
    pub items: Vec<Item>,
}

/// An item of a [`Plan`].
#[derive(Clone, Debug)]
pub enum Item {
    /// The step of the sequence with this index.
    Step(usize, Step),
    /// Reads the mount tables as a process sees them.
    Look(TaskIndex),
}

impl Item {
    /// Whose turn it is.
    pub fn task(&self) -> TaskIndex {
        match self {
            Self::Step(_, step) => step.task,
            Self::Look(task) => *task,
        }
    }
}

/// When the mount tables of all processes are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Looks {
    /// At the end of the sequence.
    AtTheEnd,
    /// After every call as well.
    AfterEveryCall,
}

impl Sequence {
    /// The steps, with the looks at the tables of all processes that have been made by then.
    pub fn plan(&self, looks: Looks) -> Plan {
        let mut tasks = vec![0];
        let mut items = Vec::with_capacity(self.steps.len() + MAX_TASKS);
        for (index, step) in self.steps.iter().enumerate() {
            items.push(Item::Step(index, step.clone()));
            match step.action {
                Action::Fork { child, .. } if !tasks.contains(&child) => tasks.push(child),
                _ => {}
            }
            if looks == Looks::AfterEveryCall {
                items.extend(tasks.iter().map(|task| Item::Look(*task)));
            }
        }
        if looks == Looks::AtTheEnd || self.steps.is_empty() {
            items.extend(tasks.iter().map(|task| Item::Look(*task)));
        }
        Plan { universe: self.universe, items }
    }
}
