//! The program of a container and the limits that it runs under.

use serde::{Deserialize, Serialize};

use super::OtherFields;
use crate::kernel::{self, Bytes, Capabilities, RlimitResource};

/// What to execute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CommandInfo {
    /// Whether `value` is a command for `/bin/sh -c`; else it is the path of the program.
    #[serde(default = "yes")]
    pub shell: bool,
    /// The command or the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Bytes>,
    /// Without a shell, the argument vector, starting with `argv[0]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Bytes>,
    /// Variables of its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl Default for CommandInfo {
    fn default() -> Self {
        Self { shell: true, value: None, arguments: Vec::new(), environment: None, other: OtherFields::new() }
    }
}

impl CommandInfo {
    /// A program with its argument vector, whose first element names the program.
    pub fn program(argv: Vec<Bytes>) -> Self {
        Self { shell: false, value: argv.first().cloned(), arguments: argv, ..Self::default() }
    }
}

fn yes() -> bool {
    true
}

/// The environment of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Environment {
    /// Its variables; of two with one name the later one counts.
    #[serde(default)]
    pub variables: Vec<EnvironmentVariable>,
}

/// A variable of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnvironmentVariable {
    /// The name.
    pub name: Bytes,
    /// The value.
    #[serde(default)]
    pub value: Bytes,
    /// Fields that cofferdam does not use.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl EnvironmentVariable {
    /// A variable.
    pub fn new(name: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { name: name.into(), value: value.into(), other: OtherFields::new() }
    }
}

/// A set of capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CapabilityInfo {
    /// The capabilities.
    #[serde(default)]
    pub capabilities: Vec<CapabilityName>,
}

/// A capability, in JSON by its name without `CAP_`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CapabilityName(Capabilities);

impl TryFrom<String> for CapabilityName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Capabilities::from_name(&format!("CAP_{name}"))
            .map(Self)
            .ok_or_else(|| format!("there is no capability CAP_{name}"))
    }
}

impl From<CapabilityName> for String {
    fn from(capability: CapabilityName) -> Self {
        capability.0.to_string().replacen("CAP_", "", 1)
    }
}

impl CapabilityInfo {
    /// The capabilities as a set.
    pub fn set(&self) -> Capabilities {
        self.capabilities.iter().fold(Capabilities::empty(), |set, capability| set | capability.0)
    }
}

impl From<Capabilities> for CapabilityInfo {
    /// Those of the set that have a name.
    fn from(set: Capabilities) -> Self {
        Self { capabilities: set.iter_names().map(|(_, capability)| CapabilityName(capability)).collect() }
    }
}

/// The resource limits of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RlimitInfo {
    /// The limits.
    #[serde(default)]
    pub rlimits: Vec<Rlimit>,
}

/// A resource limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rlimit {
    /// Of what.
    #[serde(rename = "type")]
    pub resource: RlimitType,
    /// The hard limit; absent is unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hard: Option<u64>,
    /// The soft limit; absent is unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<u64>,
}

impl Rlimit {
    /// As setrlimit(2) takes it.
    pub fn limit(&self) -> kernel::Rlimit {
        kernel::Rlimit { soft: self.soft, hard: self.hard }
    }
}

macro_rules! rlimit_types {
    ($($variant:ident = $name:literal => $resource:ident;)*) => {
        /// A resource that can be limited.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum RlimitType {
            $(
                #[doc = concat!("`", stringify!($resource), "`")]
                #[serde(rename = $name)]
                $variant,
            )*
        }

        impl RlimitType {
            /// As setrlimit(2) names it.
            pub fn resource(self) -> RlimitResource {
                match self {
                    $(Self::$variant => RlimitResource::$resource,)*
                }
            }
        }
    };
}

rlimit_types! {
    As = "RLMT_AS" => RLIMIT_AS;
    Core = "RLMT_CORE" => RLIMIT_CORE;
    Cpu = "RLMT_CPU" => RLIMIT_CPU;
    Data = "RLMT_DATA" => RLIMIT_DATA;
    Fsize = "RLMT_FSIZE" => RLIMIT_FSIZE;
    Locks = "RLMT_LOCKS" => RLIMIT_LOCKS;
    Memlock = "RLMT_MEMLOCK" => RLIMIT_MEMLOCK;
    Msgqueue = "RLMT_MSGQUEUE" => RLIMIT_MSGQUEUE;
    Nice = "RLMT_NICE" => RLIMIT_NICE;
    Nofile = "RLMT_NOFILE" => RLIMIT_NOFILE;
    Nproc = "RLMT_NPROC" => RLIMIT_NPROC;
    Rss = "RLMT_RSS" => RLIMIT_RSS;
    Rtprio = "RLMT_RTPRIO" => RLIMIT_RTPRIO;
    Rttime = "RLMT_RTTIME" => RLIMIT_RTTIME;
    Sigpending = "RLMT_SIGPENDING" => RLIMIT_SIGPENDING;
    Stack = "RLMT_STACK" => RLIMIT_STACK;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_have_mesos_names() {
        let info = CapabilityInfo::from(Capabilities::CAP_CHOWN | Capabilities::CAP_SYS_ADMIN);
        let json = serde_json::to_string(&info).unwrap();
        assert_eq!(json, r#"{"capabilities":["CHOWN","SYS_ADMIN"]}"#);
        assert_eq!(serde_json::from_str::<CapabilityInfo>(&json).unwrap(), info);
        assert!(serde_json::from_str::<CapabilityInfo>(r#"{"capabilities":["FLY"]}"#).is_err());
    }

    #[test]
    fn a_command_is_one_for_the_shell_unless_it_says_otherwise() {
        assert!(serde_json::from_str::<CommandInfo>(r#"{"value":"ls"}"#).unwrap().shell);
    }
}
