//! How large the tmpfs of a container may become.

use typed_path::UnixPath;

use super::AgentConfig;
use super::check::{absolute_path, shown};
use super::key::{Key, Problem};
use crate::kernel::quoted;

impl AgentConfig {
    /// Whether containers get a `/dev/shm` from us.
    pub(crate) fn makes_dev_shm(&self) -> bool {
        !self.isolation.iter().any(|isolator| isolator == "namespaces/ipc")
    }

    /// The options of the tmpfs at a path of the container, with the size that the operator wants.
    pub(crate) fn tmpfs_options(&self, target: &UnixPath, options: Option<&str>) -> Option<String> {
        let Some((_, size)) = self.tmpfs_sizes.iter().find(|(path, _)| path.as_path() == target) else {
            return options.map(String::from);
        };
        // Both limit the same.
        let says_size = |option: &&str| option.starts_with("size=") || option.starts_with("nr_blocks=");
        let others = options.into_iter().flat_map(|options| options.split(',')).filter(|option| !says_size(option));
        let size = format!("size={size}");
        Some(others.filter(|option| !option.is_empty()).chain([&size[..]]).collect::<Vec<_>>().join(","))
    }

    pub(super) fn tmpfs_size_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, (target, size)) in self.tmpfs_sizes.iter().enumerate() {
            let key = Key::new("tmpfs_sizes").name(&String::from_utf8_lossy(&target.0));
            let path = target.as_path();
            let is_repeated = self.tmpfs_sizes.keys().take(index).any(|other| other.as_path() == path);
            let found = if is_repeated {
                Err(format!("{target} is there twice, written differently"))
            } else {
                absolute_path(path).and_then(|()| self.check_is_tmpfs(path))
            };
            problems.extend(found.err().map(|message| key.clone().problem(message)));
            problems.extend(tmpfs_size(size).err().map(|message| key.problem(message)));
        }
        problems
    }

    fn check_is_tmpfs(&self, target: &UnixPath) -> Result<(), String> {
        let is_dev_shm = target == UnixPath::new("/dev/shm");
        let is_special = self
            .special_mounts
            .iter()
            .any(|mount| mount.target.as_path() == target && mount.filesystem_type.as_deref() == Some("tmpfs"));
        match (is_special, is_dev_shm, self.makes_dev_shm()) {
            (true, _, _) | (_, true, true) => Ok(()),
            (false, true, false) => {
                Err("with namespaces/ipc in isolation, the tmpfs at \"/dev/shm\" is not ours".into())
            }
            (false, false, _) => Err(format!(
                "no tmpfs is mounted on {}: there is one for each of the special_mounts with type tmpfs, and \"/dev/shm\"",
                shown(target)
            )),
        }
    }
}

/// A value of tmpfs' option `size` (tmpfs(5), lib/cmdline.c `memparse()`), in the notation that means the same to everybody:
/// the kernel takes a number with a leading 0 as octal, ignores what is too much for 64 bits, and takes 0 as no limit.
fn tmpfs_size(text: &str) -> Result<(), String> {
    let malformed = || {
        format!(
            "{} is no size: it must be a number of bytes, or one with k, m or g after it, or a percentage of the memory, \
             such as \"64m\" or \"10%\"",
            quoted(text)
        )
    };
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    if digits.is_empty()
        || digits.starts_with('0') && digits.len() > 1
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(malformed());
    }
    let largest = match &text[digits.len()..] {
        "" => i64::MAX.unsigned_abs(),
        "k" | "K" => i64::MAX.unsigned_abs() >> 10,
        "m" | "M" => i64::MAX.unsigned_abs() >> 20,
        "g" | "G" => i64::MAX.unsigned_abs() >> 30,
        "%" => 100,
        _ => return Err(malformed()),
    };
    match digits.parse::<u64>() {
        Ok(0) => Err(format!("{} would be no limit at all", quoted(text))),
        Ok(number) if number <= largest => Ok(()),
        _ => Err(format!("{} is too much", quoted(text))),
    }
}
