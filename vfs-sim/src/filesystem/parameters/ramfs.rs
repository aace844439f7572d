//! The parameters of ramfs (`fs/ramfs/inode.c`).

use super::{ParameterValue, Refusal, values};

/// `RAMFS_DEFAULT_MODE`
pub(super) const DEFAULT_MODE: u32 = 0o755;

/// `ramfs_parse_param()`
pub(super) fn parse(mode: &mut u32, key: &[u8], value: ParameterValue<'_>) -> Result<(), Refusal> {
    if key != b"mode" {
        return Err(Refusal::Unknown);
    }
    *mode = values::number(key, value, 8)? & 0o7777;
    Ok(())
}

/// `ramfs_show_options()`
pub(super) fn show(mode: u32, text: &mut Vec<u8>) {
    if mode != DEFAULT_MODE {
        text.extend_from_slice(format!(",mode={mode:o}").as_bytes());
    }
}
