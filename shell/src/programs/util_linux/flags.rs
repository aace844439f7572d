//! The options of mount(8) that do not belong to a filesystem, and lists of options.

use cofferdam::kernel::MountFlags;

/// What an option of the kernel's does to the flags of mount(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlagOption {
    pub(crate) name: &'static str,
    pub(crate) flags: MountFlags,
    /// Whether it takes the flags away.
    pub(crate) is_inverted: bool,
}

const fn set(name: &'static str, flags: MountFlags) -> FlagOption {
    FlagOption { name, flags, is_inverted: false }
}

const fn clear(name: &'static str, flags: MountFlags) -> FlagOption {
    FlagOption { name, flags, is_inverted: true }
}

use MountFlags as M;

/// All of them, in the order in which util-linux lists them.
pub(crate) const FLAG_OPTIONS: &[FlagOption] = &[
    set("ro", M::MS_RDONLY),
    clear("rw", M::MS_RDONLY),
    clear("exec", M::MS_NOEXEC),
    set("noexec", M::MS_NOEXEC),
    clear("suid", M::MS_NOSUID),
    set("nosuid", M::MS_NOSUID),
    clear("dev", M::MS_NODEV),
    set("nodev", M::MS_NODEV),
    set("sync", M::MS_SYNCHRONOUS),
    clear("async", M::MS_SYNCHRONOUS),
    set("dirsync", M::MS_DIRSYNC),
    set("remount", M::MS_REMOUNT),
    set("bind", M::MS_BIND),
    set("rbind", M::MS_BIND.union(M::MS_REC)),
    set("silent", M::MS_SILENT),
    clear("loud", M::MS_SILENT),
    set("mand", M::MS_MANDLOCK),
    clear("nomand", M::MS_MANDLOCK),
    clear("atime", M::MS_NOATIME),
    set("noatime", M::MS_NOATIME),
    set("iversion", M::MS_I_VERSION),
    clear("noiversion", M::MS_I_VERSION),
    clear("diratime", M::MS_NODIRATIME),
    set("nodiratime", M::MS_NODIRATIME),
    set("relatime", M::MS_RELATIME),
    clear("norelatime", M::MS_RELATIME),
    set("strictatime", M::MS_STRICTATIME),
    clear("nostrictatime", M::MS_STRICTATIME),
    set("lazytime", M::MS_LAZYTIME),
    clear("nolazytime", M::MS_LAZYTIME),
    set("unbindable", M::MS_UNBINDABLE),
    set("runbindable", M::MS_UNBINDABLE.union(M::MS_REC)),
    set("private", M::MS_PRIVATE),
    set("rprivate", M::MS_PRIVATE.union(M::MS_REC)),
    set("slave", M::MS_SLAVE),
    set("rslave", M::MS_SLAVE.union(M::MS_REC)),
    set("shared", M::MS_SHARED),
    set("rshared", M::MS_SHARED.union(M::MS_REC)),
    clear("symfollow", M::MS_NOSYMFOLLOW),
    set("nosymfollow", M::MS_NOSYMFOLLOW),
];

/// The flags that change how mounts propagate.
pub(crate) const PROPAGATION: MountFlags = M::MS_SHARED.union(M::MS_SLAVE).union(M::MS_PRIVATE).union(M::MS_UNBINDABLE);

/// The option of this name.
pub(crate) fn flag_option(name: &[u8]) -> Option<&'static FlagOption> {
    FLAG_OPTIONS.iter().find(|option| option.name.as_bytes() == name)
}

/// The options in a list with commas: a comma in double quotes, or behind a backslash, is part of an option; the value of
/// one begins at the first `=`.
pub(crate) fn split_options(list: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut options = Vec::new();
    let (mut option, mut is_quoted, mut previous) = (Vec::new(), false, 0);
    for &byte in list.iter().chain(b",") {
        if byte == b'"' && previous != b'\\' {
            is_quoted = !is_quoted;
        }
        if byte == b',' && !is_quoted && previous != b'\\' {
            let text: Vec<u8> = std::mem::take(&mut option);
            if !text.is_empty() {
                options.push(name_and_value(&text));
            }
        } else {
            option.push(byte);
        }
        previous = byte;
    }
    options
}

fn name_and_value(option: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    match option.iter().position(|byte| *byte == b'=') {
        Some(equals) => {
            let (name, value) = option.split_at(equals);
            (name.to_vec(), Some(value.get(1..).unwrap_or_default().to_vec()))
        }
        None => (option.to_vec(), None),
    }
}

/// All options that a mount with these options has, also those that need not be given
/// (`mnt_fs_get_vfs_options_all()`).
pub(crate) fn all_flag_options(options: &[u8]) -> Vec<u8> {
    let mut flags = MountFlags::empty();
    for (name, value) in split_options(options) {
        if let Some(option) = flag_option(&name).filter(|_| value.is_none()) {
            flags.set(option.flags, !option.is_inverted);
        }
    }
    let is_shown = |option: &&FlagOption| flags.intersects(option.flags) != option.is_inverted;
    FLAG_OPTIONS.iter().filter(is_shown).map(|option| option.name.as_bytes()).collect::<Vec<_>>().join(&b',')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ro,size=1k", "ro|size:1k")]
    #[case(",,ro,", "ro")]
    #[case("a=\"b,c\",d", "a:\"b,c\"|d")]
    #[case("a=b\\,c,d=", "a:b\\,c|d:")]
    fn lists_of_options(#[case] list: &str, #[case] expected: &str) {
        let shown: Vec<String> = split_options(list.as_bytes())
            .into_iter()
            .map(|(name, value)| {
                let name = String::from_utf8(name).unwrap();
                value.map_or(name.clone(), |value| format!("{name}:{}", String::from_utf8(value).unwrap()))
            })
            .collect();
        assert_eq!(shown.join("|"), expected);
    }

    /// As findmnt --vfs-all prints them.
    #[test]
    fn all_options() {
        let all =
            "rw,exec,suid,dev,async,loud,nomand,atime,noiversion,diratime,relatime,nostrictatime,nolazytime,symfollow";
        assert_eq!(String::from_utf8(all_flag_options(b"rw,relatime")).unwrap(), all);
    }
}
