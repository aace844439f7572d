//! What was measured: written as JSON, and what tables and plots are made of.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a host says when it is ready.
#[derive(Debug, Serialize, Deserialize)]
pub struct Greeting {
    /// How many mounts it has.
    pub mounts: usize,
    /// What it can measure.
    pub contenders: Vec<String>,
    /// What it can't.
    pub skipped: Vec<Skipped>,
    /// Of the agent, if there is one.
    pub memory: Option<Memory>,
}

/// What was not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// What.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Resident memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Memory {
    /// Before the containers were prepared.
    pub before: u64,
    /// And after.
    pub after: u64,
}

/// Samples of one thing, in nanoseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Summary {
    /// How many.
    pub samples: usize,
    /// The fastest.
    pub minimum: u64,
    /// The one in the middle.
    pub median: u64,
    /// The slowest but for a tenth.
    pub ninth_decile: u64,
}

impl Summary {
    /// Of at least one sample.
    pub fn of(samples: &[Duration]) -> Option<Self> {
        let mut sorted: Vec<u64> =
            samples.iter().map(|sample| u64::try_from(sample.as_nanos()).unwrap_or(u64::MAX)).collect();
        sorted.sort_unstable();
        Some(Self {
            samples: sorted.len(),
            minimum: *sorted.first()?,
            median: *sorted.get(sorted.len() / 2)?,
            ninth_decile: *sorted.get((sorted.len() * 9 / 10).min(sorted.len().checked_sub(1)?))?,
        })
    }
}

/// What one thing costs on a host.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// On a host with so many mounts.
    pub mounts: usize,
    /// And so many containers of the agent.
    pub containers: usize,
    /// How long it took.
    #[serde(flatten)]
    pub summary: Summary,
}

/// The machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: String,
    /// The processor.
    pub processor: String,
    /// How many there are.
    pub processors: usize,
    /// How the mounts of the hosts propagate.
    pub propagation: &'static str,
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// Where it was measured.
    pub machine: Machine,
    /// Launches.
    pub launches: Vec<Row>,
    /// What an agent does.
    pub agent: Vec<Row>,
    /// Of the agent with the most containers, and how many it has.
    pub memory: Option<AgentMemory>,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

/// The memory of an agent.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AgentMemory {
    /// How many containers it has.
    pub containers: usize,
    /// How many volumes they have together.
    pub volumes: usize,
    /// Its memory.
    #[serde(flatten)]
    pub memory: Memory,
}

/// The rows of one thing, by the number of mounts.
pub fn rows_of<'r>(rows: &'r [Row], what: &str) -> Vec<&'r Row> {
    let mut found: Vec<_> = rows.iter().filter(|row| row.what == what).collect();
    found.sort_by_key(|row| row.mounts);
    found
}
