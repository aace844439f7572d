//! The parameters of overlay (`fs/overlayfs/params.c`).

use serde::{Deserialize, Serialize};

use super::{ParameterValue, Refusal};
use crate::arena::Id;
use crate::filesystem::FsContext;
use crate::linux::Linux;
use crate::process::Task;

/// The parameters of overlay (`struct ovl_config`, `struct ovl_fs_context`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverlayParameters {}

impl OverlayParameters {
    /// `ovl_show_options()`
    #[allow(clippy::unused_self, reason = "to come")]
    pub(super) fn show(&self, text: &mut Vec<u8>) {
        let _ = text;
    }
}

/// Where mount(2)'s *data* ends an option: at a comma without a backslash before it (`ovl_next_opt()`).
pub(super) fn split(data: &[u8]) -> Vec<Vec<u8>> {
    data.split(|byte| *byte == b',').map(<[u8]>::to_vec).collect()
}

impl Linux {
    /// `ovl_parse_param()`
    pub(super) fn parse_overlay(
        &self,
        task: Id<Task>,
        context: &FsContext,
        parameters: &mut OverlayParameters,
        key: &[u8],
        value: ParameterValue<'_>,
    ) -> Result<(), Refusal> {
        let _ = (self, task, context, parameters, key, value);
        Err(Refusal::Unknown)
    }
}
