//! The options that say what container a program gets, of `cofferdam run` and `cofferdam plan`.

use std::ffi::OsString;

use clap::Args;
use cofferdam::kernel::Bytes;
use cofferdam::messages::{ContainerId, EnvironmentVariable};

use super::{AgentArguments, bytes, os_string_parser};

/// The options that say what container a program gets.
#[derive(Clone, Debug, Args)]
pub(crate) struct ContainerOptions {
    #[command(flatten)]
    pub(crate) agent: AgentArguments,
    /// Id of the container [default: one that is not in use]
    #[arg(long, value_name = "ID", value_parser = |id: &str| id.parse::<ContainerId>())]
    pub(crate) id: Option<ContainerId>,
    /// Root filesystem of the container; without it the container sees the host's
    #[arg(long, value_name = "DIR", value_parser = bytes())]
    pub(crate) rootfs: Option<Bytes>,
    /// User, and group, that the program runs as: names of the host or numbers
    #[arg(long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Variable for the program's environment, which has little else
    #[arg(long, value_name = "K=V", value_parser = os_string_parser(environment_variable))]
    pub(crate) env: Vec<EnvironmentVariable>,
    /// Leave the program all capabilities, those included that lead out of a container
    #[arg(long)]
    pub(crate) privileged: bool,
    /// Share the host's pid namespace: the program sees all processes, and nothing in /proc is masked
    #[arg(long)]
    pub(crate) share_pid: bool,
    /// Persistent volume to mount at NAME in the sandbox; created if it does not exist
    #[arg(long, value_name = "ROLE/ID:NAME[:ro|rw]", value_parser = persistent_volume)]
    pub(crate) persistent_volume: Vec<PersistentVolumeArgument>,
}

/// A persistent volume: `ROLE/ID:NAME[:ro|rw]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PersistentVolumeArgument {
    pub(crate) role: String,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) read_only: bool,
}

fn environment_variable(text: OsString) -> Result<EnvironmentVariable, String> {
    let text = text.into_encoded_bytes();
    match text.iter().position(|byte| *byte == b'=') {
        None | Some(0) => Err("it must be NAME=VALUE".into()),
        Some(equals) => Ok(EnvironmentVariable::new(&text[..equals], &text[equals + 1..])),
    }
}

fn persistent_volume(text: &str) -> Result<PersistentVolumeArgument, String> {
    let usage = || "it must be ROLE/ID:NAME, with :ro or :rw after it if you like".to_string();
    let (volume, place) = text.split_once(':').ok_or_else(usage)?;
    let (role, id) = volume.rsplit_once('/').ok_or_else(usage)?;
    let (name, read_only) = match place.rsplit_once(':') {
        Some((name, "ro")) => (name, true),
        Some((name, "rw")) => (name, false),
        Some(_) => return Err(usage()),
        None => (place, false),
    };
    if role.is_empty() || id.is_empty() || name.is_empty() {
        return Err(usage());
    }
    if name.contains('/') {
        return Err(format!("the name {name:?} must be one in the sandbox, without a slash"));
    }
    Ok(PersistentVolumeArgument { role: role.into(), id: id.into(), name: name.into(), read_only })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("web/db:data", "web", "db", "data", false)]
    #[case("eng/web/db:data:ro", "eng/web", "db", "data", true)]
    #[case("web/db:data:rw", "web", "db", "data", false)]
    fn volumes(#[case] text: &str, #[case] role: &str, #[case] id: &str, #[case] name: &str, #[case] read_only: bool) {
        let expected = PersistentVolumeArgument { role: role.into(), id: id.into(), name: name.into(), read_only };
        assert_eq!(persistent_volume(text), Ok(expected));
    }

    #[rstest]
    #[case("web:data")]
    #[case("web/db")]
    #[case("web/db:")]
    #[case("/db:data")]
    #[case("web/:data")]
    #[case("web/db:data:rx")]
    #[case("web/db:a/b")]
    #[case("web/db:/a")]
    fn mistaken_volumes(#[case] text: &str) {
        assert!(persistent_volume(text).is_err());
    }
}
