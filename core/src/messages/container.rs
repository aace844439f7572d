//! Which container, and how it is configured.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::OtherFields;
use super::process::CommandInfo;
use super::resource::{Resource, Volume};
use crate::kernel::Bytes;
use crate::layout::{InvalidComponent, check_component};

/// The id of a container; a nested container has a parent. It is displayed as `parent.child`.
///
/// In order, those that are nested in the same one stand together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "UncheckedContainerId")]
pub struct ContainerId {
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Box<ContainerId>>,
    value: String,
}

/// A container id that could not be a path component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid container id: {0}")]
pub struct InvalidContainerId(#[from] InvalidComponent);

#[derive(Deserialize)]
struct UncheckedContainerId {
    value: String,
    parent: Option<Box<ContainerId>>,
}

impl ContainerId {
    /// The id of a top-level container.
    ///
    /// # Errors
    ///
    /// If the value can't be one path component: empty, `.`, `..`, with a `/` or a control character, or too long.
    pub fn new(value: impl Into<String>) -> Result<Self, InvalidContainerId> {
        let value = value.into();
        check_component(value.as_bytes())?;
        Ok(Self { parent: None, value })
    }

    /// The id of a container nested in this one.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn child(&self, value: impl Into<String>) -> Result<Self, InvalidContainerId> {
        Ok(Self { parent: Some(Box::new(self.clone())), ..Self::new(value)? })
    }

    /// What those that are nested in this one come right after, in order; no id of a container.
    pub(crate) fn before_children(&self) -> Self {
        Self { parent: Some(Box::new(self.clone())), value: String::new() }
    }

    /// The container's own part of the id.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The container at the top of those that this one is nested in: itself if it is nested in none.
    pub fn top_level(&self) -> &Self {
        let mut id = self;
        while let Some(parent) = id.parent() {
            id = parent;
        }
        id
    }

    /// Whether this container is nested in another one, however deep.
    ///
    /// ```
    /// use cofferdam::messages::ContainerId;
    ///
    /// let outer = ContainerId::new("c1")?;
    /// let inner = outer.child("n1")?.child("n2")?;
    /// assert!(inner.is_nested_in(&outer));
    /// assert!(!outer.is_nested_in(&outer) && !outer.is_nested_in(&inner));
    /// # Ok::<(), cofferdam::messages::InvalidContainerId>(())
    /// ```
    pub fn is_nested_in(&self, other: &Self) -> bool {
        std::iter::successors(self.parent(), |id| id.parent()).any(|id| id == other)
    }

    /// In how many containers this one is nested.
    pub fn depth(&self) -> usize {
        std::iter::successors(self.parent(), |id| id.parent()).count()
    }

    /// The container that this one is nested in.
    pub fn parent(&self) -> Option<&Self> {
        self.parent.as_deref()
    }
}

impl TryFrom<UncheckedContainerId> for ContainerId {
    type Error = InvalidContainerId;

    fn try_from(unchecked: UncheckedContainerId) -> Result<Self, Self::Error> {
        Ok(Self { parent: unchecked.parent, ..Self::new(unchecked.value)? })
    }
}

impl FromStr for ContainerId {
    type Err = InvalidContainerId;

    /// A top-level id.
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        Self::new(value)
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = &self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(&self.value)
    }
}

/// The class of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ContainerClass {
    /// A container of its own.
    #[default]
    Default,
    /// A session inside its parent's container.
    Debug,
}

/// What `prepare` is told of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContainerConfig {
    /// The sandbox, in the host's filesystem.
    pub directory: Bytes,
    /// The root filesystem, in the host's filesystem; without it the container sees the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rootfs: Option<Bytes>,
    /// The user that the program runs as: a name or a uid, and a group after a colon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The program.
    #[serde(default)]
    pub command_info: CommandInfo,
    /// What kind of container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_info: Option<ContainerInfo>,
    /// The class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_class: Option<ContainerClass>,
    /// The task, if the container runs a command task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_info: Option<serde_json::Value>,
    /// The executor, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor_info: Option<ExecutorInfo>,
    /// Whether the container belongs to no executor. (Mesos knows it by a marker in the runtime directory.)
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standalone: bool,
    /// The resources, persistent volumes among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl ContainerConfig {
    /// Whether the container shares the pid namespace of its parent, or of the host.
    pub fn shares_pid_namespace(&self) -> bool {
        self.container_info
            .as_ref()
            .and_then(|info| info.linux_info.as_ref())
            .is_some_and(|info| info.share_pid_namespace)
    }
}

/// An executor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExecutorInfo {
    /// Its resources. A persistent volume among them must be among the container's `resources` as well, which decide what is
    /// mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// Its kind of container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerInfo>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// What an agent that was restarted knows of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContainerState {
    /// Which container.
    pub container_id: ContainerId,
    /// The sandbox, in the host's filesystem.
    pub directory: Bytes,
    /// The executor, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor_info: Option<ExecutorInfo>,
    /// Its process on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u64>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// What an agent that was restarted has to say: which containers it knows, and which it will clean up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RecoverRequest {
    /// The containers that it knows.
    pub states: Vec<ContainerState>,
    /// Containers that it does not know, and whose clean-up it will ask for.
    #[serde(default)]
    pub orphans: Vec<ContainerId>,
}

/// The kind of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContainerInfo {
    /// Its volumes that are no resources: paths of the host and of sandboxes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// What only Linux has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linux_info: Option<LinuxInfo>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// The part of [`ContainerInfo`] that only Linux has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LinuxInfo {
    /// Whether the container gets no pid namespace of its own.
    #[serde(default)]
    pub share_pid_namespace: bool,
    /// The capabilities that the program starts with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_capabilities: Option<super::CapabilityInfo>,
    /// The capabilities that it can ever get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounding_capabilities: Option<super::CapabilityInfo>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("")]
    #[case(".")]
    #[case("..")]
    #[case("a/b")]
    #[case("a\nb")]
    #[case("a\0b")]
    fn ids_that_are_no_path_component_are_refused(#[case] value: &str) {
        assert!(ContainerId::new(value).is_err());
        let json = serde_json::json!({ "value": value }).to_string();
        assert!(serde_json::from_str::<ContainerId>(&json).is_err());
    }

    #[test]
    fn ids_have_mesos_json() {
        let id = ContainerId::new("a").unwrap().child("b").unwrap();
        let json = serde_json::to_value(&id).unwrap();
        assert_eq!(json, serde_json::json!({ "value": "b", "parent": { "value": "a" } }));
        assert_eq!(serde_json::from_value::<ContainerId>(json).unwrap(), id);
        assert_eq!(id.to_string(), "a.b");
    }

    #[test]
    fn what_to_recover_is_said_without_a_mistake_in_a_name() {
        let json = serde_json::json!({
            "states": [{ "container_id": { "value": "a" }, "directory": "/sandbox", "pid": 7, "started": true }],
            "orphans": [{ "value": "b" }],
        });
        let request: RecoverRequest = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(request.orphans, [ContainerId::new("b").unwrap()]);
        assert_eq!(serde_json::to_value(&request).unwrap(), json);
        assert!(serde_json::from_str::<RecoverRequest>(r#"{"states":[]}"#).unwrap().orphans.is_empty());
        assert!(serde_json::from_str::<RecoverRequest>(r#"{"states":[],"orphan":[]}"#).is_err());
        assert!(serde_json::from_str::<RecoverRequest>("{}").is_err());
    }

    #[test]
    fn fields_that_we_do_not_use_survive() {
        let json = serde_json::json!({
            "directory": "/sandbox",
            "command_info": { "value": "sleep 1", "uris": [{ "value": "http://example.com" }] },
            "executor_info": { "executor_id": { "value": "e" } },
            "container_info": { "type": "MESOS", "linux_info": { "share_pid_namespace": true, "seccomp": {} } },
        });
        let config: ContainerConfig = serde_json::from_value(json.clone()).unwrap();
        assert!(config.shares_pid_namespace());
        let again = serde_json::to_value(&config).unwrap();
        assert_eq!(again["executor_info"], json["executor_info"]);
        assert_eq!(again["command_info"]["uris"], json["command_info"]["uris"]);
        assert_eq!(again["container_info"], json["container_info"]);
    }
}
