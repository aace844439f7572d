//! What is explored: what an agent has to do, one thing after the other.

use cofferdam::messages::{ContainerConfig, ContainerId, Resource};
use serde::{Deserialize, Serialize};

/// What an agent does on a host, from its start to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// The persistent volumes that the host has, below `volumes/roles/role` of the agent's work_dir.
    pub volumes: Vec<String>,
    /// The gids that volumes are given, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gids: Option<(u32, u32)>,
    /// What happens.
    pub operations: Vec<Operation>,
}

/// A thing that an agent does, each in a process of its own that resumes from the records, as the commands do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::large_enum_variant, reason = "there are few of them")]
pub enum Operation {
    /// Prepares the host.
    Create,
    /// Prepares a container, whose sandbox is made before.
    Prepare {
        /// The container.
        id: ContainerId,
        /// What it is.
        config: ContainerConfig,
    },
    /// Launches a prepared container. Its program runs until [`Operation::End`].
    Launch {
        /// The container.
        id: ContainerId,
    },
    /// Gives a container other volumes.
    Update {
        /// The container.
        id: ContainerId,
        /// What it has from now on.
        resources: Vec<Resource>,
    },
    /// All processes of a container end.
    End {
        /// The container.
        id: ContainerId,
    },
    /// Cleans up a container that has ended, and removes its sandbox.
    Cleanup {
        /// The container.
        id: ContainerId,
    },
    /// Starts again, with all that are known.
    Recover,
}

impl Operation {
    /// The container that it is about, if it is about one.
    pub fn id(&self) -> Option<&ContainerId> {
        match self {
            Self::Prepare { id, .. }
            | Self::Launch { id }
            | Self::Update { id, .. }
            | Self::End { id }
            | Self::Cleanup { id } => Some(id),
            Self::Create | Self::Recover => None,
        }
    }

    /// In a few words.
    pub fn title(&self) -> String {
        match self {
            Self::Create => "create".into(),
            Self::Prepare { id, .. } => format!("prepare {id}"),
            Self::Launch { id } => format!("launch {id}"),
            Self::Update { id, .. } => format!("update {id}"),
            Self::End { id } => format!("end of {id}"),
            Self::Cleanup { id } => format!("cleanup {id}"),
            Self::Recover => "recover".into(),
        }
    }
}
