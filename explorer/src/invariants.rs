//! What must hold in every state that is reached; `docs/reliability.md` says why.

use std::collections::BTreeMap;

use cofferdam::volumes::GidManager;

use crate::machine::{MachineError, layout};
use crate::operation::State;
use crate::steps::ELSEWHERE;
use crate::tables::Tables;
use crate::tree::{Content, Node};

/// An invariant does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {what}")]
pub struct Violation {
    /// Its name in `docs/reliability.md`.
    pub invariant: &'static str,
    /// What is wrong.
    pub what: String,
}

impl Violation {
    /// Of the invariant with this name.
    pub fn of(invariant: &'static str, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

impl From<MachineError> for Violation {
    fn from(error: MachineError) -> Self {
        Self::of("machine", error.to_string())
    }
}

impl From<cofferdam::kernel::Errno> for Violation {
    fn from(errno: cofferdam::kernel::Errno) -> Self {
        Self::of("machine", errno.to_string())
    }
}

/// The state that is compared with.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// The host's mounts once the agent has prepared it.
    pub tables: Tables,
    /// The data in the volumes, and what belongs to the host.
    pub data: BTreeMap<String, String>,
    /// How many processes run.
    pub processes: usize,
}

/// What must not change: the volumes, and what the host has besides.
fn data(state: &State) -> Result<BTreeMap<String, String>, Violation> {
    let mut all = BTreeMap::new();
    for path in [layout().work_dir.join("volumes"), "/world/precious".into(), "/world/image".into()] {
        let tree = state.machine.tree(&path)?;
        let data = tree.map(|tree| tree.data()).unwrap_or_default();
        all.extend(data.into_iter().map(|(name, content)| (format!("{}{name}", path.display()), content)));
    }
    Ok(all)
}

/// The host's mounts, without those of the administrator.
pub(crate) fn tables(state: &State) -> Tables {
    Tables::of(state.machine.linux(), state.machine.observers(), ELSEWHERE)
}

/// What is kept of containers.
pub(crate) fn records(state: &State) -> Result<BTreeMap<String, String>, Violation> {
    let tree = state.machine.tree(&layout().containers_runtime())?;
    Ok(tree.map(|tree| tree.data()).unwrap_or_default())
}

/// A group that a volume has is recorded for it, or another volume may get it too.
fn check_gids(state: &State) -> Result<(), Violation> {
    let Some(range) = state.config.volume_gid_range else { return Ok(()) };
    let manager = GidManager::new(&layout(), range);
    let allocated = state.machine.clone().act(|process| manager.volumes(process))?;
    let allocated = allocated.map_err(|error| Violation::of("gids", error.to_string()))?;
    let role = layout().work_dir.join("volumes/roles/role");
    let Some(Node { content: Content::Directory(volumes), .. }) = state.machine.tree(&role)? else { return Ok(()) };
    for (name, volume) in volumes {
        let gid = volume.owner.1;
        let is_recorded = allocated.iter().any(|other| other.gid == gid && other.path == role.join(name.as_path()));
        if range.contains(gid) && !is_recorded {
            return Err(Violation::of("gids", format!("volume {name} has gid {gid}, which is not recorded")));
        }
    }
    Ok(())
}

impl Baseline {
    /// This state.
    pub fn of(state: &State) -> Result<Self, Violation> {
        let processes = state.machine.running().len();
        Ok(Self { tables: tables(state), data: data(state)?, processes })
    }

    /// What must hold at any time.
    pub fn check_data(&self, state: &State) -> Result<(), Violation> {
        let now = data(state)?;
        if now == self.data {
            return Ok(());
        }
        let lost = self.data.iter().filter(|(name, content)| now.get(*name) != Some(content));
        let new = now.iter().filter(|(name, _)| !self.data.contains_key(*name));
        let what: Vec<_> = lost.map(|(name, _)| format!("lost or changed: {name}")).collect();
        let new: Vec<_> = new.map(|(name, _)| format!("new: {name}")).collect();
        Err(Violation::of("data", [what, new].concat().join("\n")))
    }

    /// What must hold when everything was cleaned up.
    pub fn check_end(&self, state: &State) -> Result<(), Violation> {
        self.check_data(state)?;
        let now = tables(state);
        if now != self.tables {
            return Err(Violation::of("mounts", self.tables.difference(&now)));
        }
        let left: Vec<_> = records(state)?.keys().filter(|name| !name.is_empty()).cloned().collect();
        if !left.is_empty() {
            return Err(Violation::of("runtime directory", left.join("\n")));
        }
        check_gids(state)?;
        let processes = state.machine.running().len();
        if processes != self.processes {
            return Err(Violation::of("processes", format!("{processes} and not {}", self.processes)));
        }
        // It takes as long as all the rest.
        if cfg!(debug_assertions) {
            state.machine.linux().check().map_err(|error| Violation::of("simulation", error.to_string()))?;
        }
        Ok(())
    }
}
