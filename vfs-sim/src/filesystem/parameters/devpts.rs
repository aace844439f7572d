//! The parameters of devpts (`fs/devpts/inode.c`).

use serde::{Deserialize, Serialize};

use super::{ParameterValue, Refusal, values};
use crate::arena::Id;
use crate::failure::fail;
use crate::linux::Linux;
use crate::process::Task;

/// `NR_UNIX98_PTY_MAX`
const MAX_TERMINALS: u32 = 1 << 20;

/// The parameters of devpts (`struct pts_mount_opts`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevptsParameters {
    /// The owner of new terminals, an id of the initial user namespace; else who opens them.
    uid: Option<u32>,
    /// The group of new terminals.
    gid: Option<u32>,
    /// The permissions of new terminals.
    mode: u32,
    /// The permissions of the instance's `ptmx`.
    pub(crate) ptmx_mode: u32,
    /// How many terminals there can be.
    max: u32,
}

impl Default for DevptsParameters {
    fn default() -> Self {
        Self { uid: None, gid: None, mode: 0o600, ptmx_mode: 0, max: MAX_TERMINALS }
    }
}

impl Linux {
    /// `devpts_parse_param()`
    pub(super) fn parse_devpts(
        &self,
        task: Id<Task>,
        parameters: &mut DevptsParameters,
        key: &[u8],
        value: ParameterValue<'_>,
    ) -> Result<(), Refusal> {
        let namespace = &self.user_namespaces[self.tasks[task].credentials.user_namespace];
        match key {
            b"uid" => parameters.uid = Some(values::id(key, value, &namespace.uid_map, "uid")?),
            b"gid" => parameters.gid = Some(values::id(key, value, &namespace.gid_map, "gid")?),
            b"mode" => parameters.mode = values::number(key, value, 8)? & 0o7777,
            b"ptmxmode" => parameters.ptmx_mode = values::number(key, value, 8)? & 0o7777,
            // Each mount is an instance of its own, whether this is given or not.
            b"newinstance" => values::flag(key, value)?,
            b"max" => {
                parameters.max = u32::try_from(values::signed(key, value)?)
                    .ok()
                    .filter(|max| *max <= MAX_TERMINALS)
                    .ok_or_else(|| {
                        let failure = fail!(EINVAL, "devpts_parse_param()", "max is not from 0 to 1048576");
                        Refusal::Error(failure, "max out of range".into())
                    })?;
            }
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }
}

impl DevptsParameters {
    /// `devpts_show_options()`
    pub(super) fn show(&self, text: &mut Vec<u8>) {
        let mut option = |option: String| text.extend_from_slice(option.as_bytes());
        if let Some(uid) = self.uid {
            option(format!(",uid={uid}"));
        }
        if let Some(gid) = self.gid {
            option(format!(",gid={gid}"));
        }
        option(format!(",mode={:03o},ptmxmode={:03o}", self.mode, self.ptmx_mode));
        if self.max < MAX_TERMINALS {
            option(format!(",max={}", self.max));
        }
    }
}
