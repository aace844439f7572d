//! The parameters of tmpfs (`mm/shmem.c`).

use cofferdam::kernel::Capabilities;
use serde::{Deserialize, Serialize};

use super::{ParameterValue, Refusal, memory_policy, numbers, values};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{FsContext, SuperBlock};
use crate::linux::Linux;
use crate::namespace::IdExtent;
use crate::process::{Credentials, Task};

/// The size of a page, and of a block of every filesystem in memory.
pub(crate) const PAGE_SIZE: u64 = 4096;

/// What a file costs of the memory for inodes (`BOGO_INODE_SIZE`).
const INODE_SIZE: u64 = 1024;

/// `SHMEM_HUGE_*`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Huge {
    /// `never`, which is not shown.
    Never,
    /// `always`
    Always,
    /// `within_size`
    WithinSize,
    /// `advise`
    Advise,
}

/// How much there can be in a tmpfs; 0 for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TmpfsLimits {
    /// How many pages (`max_blocks`).
    pub(crate) blocks: u64,
    /// How many inodes (`max_inodes`).
    pub(crate) inodes: u64,
}

impl TmpfsLimits {
    /// What holds unless something else is said (`shmem_default_max_blocks()`, `shmem_default_max_inodes()`).
    pub(crate) fn default_of(memory_pages: u64) -> Self {
        Self { blocks: memory_pages / 2, inodes: memory_pages / 2 }
    }
}

/// The parameters of tmpfs (`struct shmem_options`, `struct shmem_sb_info`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TmpfsParameters {
    /// The permissions of the root.
    pub(crate) mode: u32,
    /// The owner of the root, an id of the initial user namespace.
    pub(crate) uid: u32,
    /// The group of the root.
    pub(crate) gid: u32,
    /// How many pages there can be, 0 for no limit; none if it is the default.
    blocks: Option<u64>,
    /// How many inodes there can be, 0 for no limit; none if it is the default.
    inodes: Option<u64>,
    huge: Option<Huge>,
    /// Whether `inode64` was chosen, if one of both was.
    full_inode_numbers: Option<bool>,
    no_swap: bool,
    /// The memory policy, as it is shown.
    memory_policy: Option<String>,
}

impl TmpfsParameters {
    /// `shmem_init_fs_context()`
    pub(super) fn new(credentials: &Credentials) -> Self {
        Self {
            mode: 0o1777,
            uid: credentials.filesystem_uid,
            gid: credentials.filesystem_gid,
            blocks: None,
            inodes: None,
            huge: None,
            full_inode_numbers: None,
            no_swap: false,
            memory_policy: None,
        }
    }

    /// Those of the devtmpfs, which the kernel mounts early: its limits are not what are the defaults later.
    pub(crate) fn of_devtmpfs(credentials: &Credentials, memory_pages: u64) -> Self {
        let early = (memory_pages / 2).saturating_sub(1895);
        Self { mode: 0o755, blocks: Some(early), inodes: Some(early), ..Self::new(credentials) }
    }

    /// How much there can be, in a machine with so much memory.
    pub(crate) fn limits(&self, memory_pages: u64) -> TmpfsLimits {
        let default = TmpfsLimits::default_of(memory_pages);
        TmpfsLimits { blocks: self.blocks.unwrap_or(default.blocks), inodes: self.inodes.unwrap_or(default.inodes) }
    }

    /// `shmem_show_options()`
    pub(super) fn show(&self, memory_pages: u64, text: &mut Vec<u8>) {
        let mut option = |option: String| text.extend_from_slice(option.as_bytes());
        let (limits, default) = (self.limits(memory_pages), TmpfsLimits::default_of(memory_pages));
        if limits.blocks != default.blocks {
            option(format!(",size={}k", limits.blocks.wrapping_mul(PAGE_SIZE / 1024)));
        }
        if limits.inodes != default.inodes {
            option(format!(",nr_inodes={}", limits.inodes));
        }
        if self.mode != 0o1777 {
            option(format!(",mode={:03o}", self.mode));
        }
        if self.uid != 0 {
            option(format!(",uid={}", self.uid));
        }
        if self.gid != 0 {
            option(format!(",gid={}", self.gid));
        }
        if self.full_inode_numbers == Some(true) {
            option(",inode64".into());
        }
        match self.huge {
            None | Some(Huge::Never) => {}
            Some(Huge::Always) => option(",huge=always".into()),
            Some(Huge::WithinSize) => option(",huge=within_size".into()),
            Some(Huge::Advise) => option(",huge=advise".into()),
        }
        if let Some(policy) = &self.memory_policy {
            option(format!(",mpol={policy}"));
        }
        if self.no_swap {
            option(",noswap".into());
        }
    }
}

/// Where mount(2)'s *data* ends an option: at a comma, unless a digit follows, for lists of nodes (`shmem_next_opt()`).
pub(super) fn split(data: &[u8]) -> Vec<Vec<u8>> {
    let mut options = vec![Vec::new()];
    for (index, byte) in data.iter().enumerate() {
        let is_separator = *byte == b',' && !data.get(index + 1).is_some_and(u8::is_ascii_digit);
        match options.last_mut() {
            Some(last) if !is_separator => last.push(*byte),
            _ => options.push(Vec::new()),
        }
    }
    options
}

const NO_SIZE: Failure =
    fail!(EINVAL, "shmem_parse_one()", "size is no number of bytes, with a suffix such as k or % if any");

const NO_COUNT: Failure =
    fail!(EINVAL, "shmem_parse_one()", "nr_blocks or nr_inodes is no number, with a suffix such as k, or is too large");

const NOT_MAPPED: Failure =
    fail!(EINVAL, "shmem_parse_one()", "uid or gid is not mapped in the user namespace that the tmpfs is mounted in");

const NO_HUGE: Failure = fail!(EINVAL, "shmem_parse_one()", "huge is none of never, always, within_size, advise");

const NO_POLICY: Failure =
    fail!(EINVAL, "shmem_parse_one()", "mpol is no memory policy, or names a node that the machine has not");

/// A kernel without `CONFIG_UNICODE` is simulated.
fn without_unicode(key: &[u8], value: ParameterValue<'_>) -> Refusal {
    let takes_value = key == b"casefold";
    match value {
        ParameterValue::Flag => {}
        ParameterValue::String(text) if takes_value && !text.is_empty() => {}
        _ if takes_value => return values::bad_value(key, values::NO_TEXT),
        _ => return values::flag(key, value).err().unwrap_or(Refusal::Unknown),
    }
    let failure = fail!(EINVAL, "shmem_parse_one()", "the kernel is built without CONFIG_UNICODE");
    Refusal::Invalid(failure, "tmpfs: Kernel not built with CONFIG_UNICODE\n".into())
}

impl Linux {
    /// `shmem_parse_one()`
    pub(super) fn parse_tmpfs(
        &self,
        task: Id<Task>,
        context: &FsContext,
        parameters: &mut TmpfsParameters,
        key: &[u8],
        value: ParameterValue<'_>,
    ) -> Result<(), Refusal> {
        let caller = &self.user_namespaces[self.tasks[task].credentials.user_namespace];
        let mounter = &self.user_namespaces[context.user_namespace];
        let is_mapped = |id: u32, map: &[IdExtent]| map.iter().any(|extent| extent.inside_of(id).is_some());
        let bad = |failure| move || values::bad_value(key, failure);
        match key {
            b"size" => {
                let size = values::string(key, value)?;
                parameters.blocks = Some(parse_size(size, self.memory_pages).ok_or_else(bad(NO_SIZE))?);
            }
            b"nr_blocks" => {
                let limit = i64::MAX.unsigned_abs();
                parse_count(&mut parameters.blocks, values::string(key, value)?, limit).ok_or_else(bad(NO_COUNT))?;
            }
            b"nr_inodes" => {
                let limit = u64::MAX / INODE_SIZE;
                parse_count(&mut parameters.inodes, values::string(key, value)?, limit).ok_or_else(bad(NO_COUNT))?;
            }
            b"mode" => parameters.mode = values::number(key, value, 8)? & 0o7777,
            b"uid" => {
                let uid = values::id(key, value, &caller.uid_map, "uid")?;
                parameters.uid =
                    Some(uid).filter(|uid| is_mapped(*uid, &mounter.uid_map)).ok_or_else(bad(NOT_MAPPED))?;
            }
            b"gid" => {
                let gid = values::id(key, value, &caller.gid_map, "gid")?;
                parameters.gid =
                    Some(gid).filter(|gid| is_mapped(*gid, &mounter.gid_map)).ok_or_else(bad(NOT_MAPPED))?;
            }
            b"huge" => {
                parameters.huge = Some(match value {
                    ParameterValue::String(b"never") => Huge::Never,
                    ParameterValue::String(b"always") => Huge::Always,
                    ParameterValue::String(b"within_size") => Huge::WithinSize,
                    ParameterValue::String(b"advise") => Huge::Advise,
                    _ => return Err(values::bad_value(key, NO_HUGE)),
                });
            }
            b"mpol" => {
                parameters.memory_policy =
                    memory_policy::parse(values::string(key, value)?).ok_or_else(bad(NO_POLICY))?;
            }
            b"inode32" | b"inode64" => {
                values::flag(key, value)?;
                parameters.full_inode_numbers = Some(key == b"inode64");
            }
            b"noswap" => {
                values::flag(key, value)?;
                let is_initial = context.user_namespace == self.initial_user_namespace;
                if !is_initial || !self.capable(task, Capabilities::CAP_SYS_ADMIN) {
                    let failure = fail!(
                        EINVAL,
                        "shmem_parse_one()",
                        "noswap needs CAP_SYS_ADMIN, and the initial user namespace as that of the filesystem"
                    );
                    let message = "Turning off swap in unprivileged tmpfs mounts unsupported";
                    return Err(Refusal::Invalid(failure, message.into()));
                }
                parameters.no_swap = true;
            }
            b"casefold" | b"strict_encoding" => return Err(without_unicode(key, value)),
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    /// Changes a tmpfs that is mounted; its root stays as it is (`shmem_reconfigure()`). An error comes with what
    /// the context's log says of it.
    pub(crate) fn reconfigure_tmpfs(
        &self,
        superblock: Id<SuperBlock>,
        settled: &mut TmpfsParameters,
        new: &TmpfsParameters,
    ) -> Result<(), (Failure, &'static str)> {
        let limits = settled.limits(self.memory_pages);
        let object = &self.superblocks[superblock];
        if let Some(blocks) = new.blocks.filter(|blocks| *blocks > 0) {
            if limits.blocks == 0 {
                return Err((
                    fail!(EINVAL, "shmem_reconfigure()", "the tmpfs has no limit of its size, and can't get one now"),
                    "Cannot retroactively limit size",
                ));
            }
            if object.used_pages > blocks {
                return Err((
                    fail!(EINVAL, "shmem_reconfigure()", "more of the tmpfs is in use than the new size"),
                    "Too small a size for current use",
                ));
            }
        }
        if let Some(inodes) = new.inodes.filter(|inodes| *inodes > 0) {
            if limits.inodes == 0 {
                return Err((
                    fail!(EINVAL, "shmem_reconfigure()", "the tmpfs has no limit of inodes, and can't get one now"),
                    "Cannot retroactively limit inodes",
                ));
            }
            if object.exceeds_inodes(inodes) {
                return Err((
                    fail!(EINVAL, "shmem_reconfigure()", "more inodes of the tmpfs are in use than the new nr_inodes"),
                    "Too few inodes for current use",
                ));
            }
        }
        if new.no_swap && !settled.no_swap {
            return Err((
                fail!(EINVAL, "shmem_reconfigure()", "noswap can't be set when a tmpfs is remounted"),
                "Cannot disable swap on remount",
            ));
        }
        settled.huge = new.huge.or(settled.huge);
        settled.full_inode_numbers = new.full_inode_numbers.or(settled.full_inode_numbers);
        settled.blocks = new.blocks.or(settled.blocks);
        settled.inodes = new.inodes.or(settled.inodes);
        if new.memory_policy.is_some() {
            settled.memory_policy.clone_from(&new.memory_policy);
        }
        Ok(())
    }
}

/// `size=`: bytes, or with a percent sign a part of the memory, in pages.
fn parse_size(text: &[u8], memory_pages: u64) -> Option<u64> {
    let (size, rest) = numbers::size(text);
    let (size, rest) = match rest.strip_prefix(b"%") {
        Some(rest) => (size.wrapping_mul(PAGE_SIZE).wrapping_mul(memory_pages) / 100, rest),
        None => (size, rest),
    };
    rest.is_empty().then(|| size.wrapping_add(PAGE_SIZE - 1) / PAGE_SIZE)
}

/// Sets a limit; none if the text is no number, or one that is too large. It stays all the same where there was a limit
/// before: the kernel writes down what it has read, and looks at it then.
fn parse_count(setting: &mut Option<u64>, text: &[u8], limit: u64) -> Option<()> {
    let (count, rest) = numbers::size(text);
    let is_sound = rest.is_empty() && count <= limit;
    if is_sound || setting.is_some() {
        *setting = Some(count);
    }
    is_sound.then_some(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(b"size=1k,mode=700", &[b"size=1k".as_slice(), b"mode=700"])]
    #[case(b"mpol=bind:0,0,mode=7", &[b"mpol=bind:0,0".as_slice(), b"mode=7"])]
    #[case(b"size=1k,", &[b"size=1k".as_slice(), b""])]
    fn options_end_at_commas(#[case] data: &[u8], #[case] expected: &[&[u8]]) {
        assert_eq!(split(data), expected);
    }

    #[rstest]
    #[case(b"10k", Some(3))]
    #[case(b"4097", Some(2))]
    #[case(b"0", Some(0))]
    #[case(b"100%", Some(1000))]
    #[case(b"50%", Some(500))]
    #[case(b"0.5%", None)]
    #[case(b"10%x", None)]
    #[case(b"1k\n", None)]
    #[case(b"18446744073709551616", Some(0))]
    fn sizes_are_rounded_up_to_pages(#[case] text: &[u8], #[case] expected: Option<u64>) {
        assert_eq!(parse_size(text, 1000), expected);
    }
}
