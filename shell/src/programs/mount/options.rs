//! The options of a mount: what of them is for the kernel, what for mount(8) itself, what for the filesystem.

use cofferdam::kernel::MountFlags;

use crate::programs::util_linux::flags::{FlagOption, PROPAGATION, flag_option, split_options};

/// Options that security modules take, which the machine does not have: mount(8) leaves them out then.
const SECURITY_MODULES: [&[u8]; 10] = [
    b"context",
    b"fscontext",
    b"defcontext",
    b"rootcontext",
    b"seclabel",
    b"smackfsdef",
    b"smackfsfloor",
    b"smackfshat",
    b"smackfsroot",
    b"smackfstransmute",
];

/// The flags that can be set on a bind mount, in a second step (`MNT_BIND_SETTABLE`).
const SETTABLE_ON_BIND: MountFlags = MountFlags::MS_NOSUID
    .union(MountFlags::MS_NODEV)
    .union(MountFlags::MS_NOEXEC)
    .union(MountFlags::MS_NOATIME)
    .union(MountFlags::MS_NODIRATIME)
    .union(MountFlags::MS_RELATIME)
    .union(MountFlags::MS_RDONLY)
    .union(MountFlags::MS_NOSYMFOLLOW);

/// An option.
#[derive(Clone, Debug)]
struct Item {
    name: Vec<u8>,
    value: Option<Vec<u8>>,
    meaning: Meaning,
}

/// Whom an option is for.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    /// Nobody: `defaults`.
    Nothing,
    /// The kernel, as flags of mount(2).
    Kernel(&'static FlagOption),
    /// mount(8) and its kind.
    Userspace,
    /// The filesystem.
    Filesystem,
}

fn meaning(name: &[u8], value: Option<&[u8]>) -> Meaning {
    let has_value = value.is_some_and(|value| !value.is_empty());
    match name {
        b"defaults" => return Meaning::Nothing,
        b"user" | b"comment" | b"loop" | b"offset" | b"sizelimit" | b"encryption" | b"uhelper" | b"helper" => {
            return Meaning::Userspace;
        }
        _ if name.starts_with(b"x-") || name.starts_with(b"X-") || name.starts_with(b"verity.") => {
            return Meaning::Userspace;
        }
        // What takes no value is the filesystem's option if it has one.
        _ if has_value => return Meaning::Filesystem,
        b"auto" | b"noauto" | b"nouser" | b"users" | b"nousers" | b"owner" | b"noowner" | b"group" | b"nogroup"
        | b"_netdev" | b"nofail" => return Meaning::Userspace,
        _ => {}
    }
    flag_option(name).map_or(Meaning::Filesystem, Meaning::Kernel)
}

/// The options of a mount, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    items: Vec<Item>,
}

impl Options {
    pub(super) fn parse(list: &[u8]) -> Self {
        let item = |(name, value): (Vec<u8>, Option<Vec<u8>>)| {
            let meaning = meaning(&name, value.as_deref());
            Item { name, value, meaning }
        };
        Self { items: split_options(list).into_iter().map(item).collect() }
    }

    pub(super) fn append(&mut self, other: Self) {
        self.items.extend(other.items);
    }

    pub(super) fn prepend(&mut self, other: Self) {
        self.items.splice(0..0, other.items);
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        self.items.retain(|item| item.name != name);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.items.iter().any(|item| item.name == name)
    }

    /// Whether an option's name begins so.
    pub(super) fn has_prefix(&self, start: &[u8]) -> bool {
        self.items.iter().any(|item| item.name.starts_with(start))
    }

    /// The value of an option, which is empty if it has none.
    pub(super) fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.items.iter().find(|item| item.name == name).map(|item| item.value.as_deref().unwrap_or_default())
    }

    /// The options as they are given.
    pub(super) fn text(&self) -> Vec<u8> {
        join(self.items.iter())
    }

    /// The options as messages show them: those that have an effect, for the kernel, the filesystem and mount(8).
    pub(super) fn effective_text(&self) -> Vec<u8> {
        let flags = self.flags();
        let is_effective = |item: &&Item| match item.meaning {
            Meaning::Kernel(option) => {
                !option.is_inverted && option.flags != MountFlags::MS_RDONLY && flags.contains(option.flags)
            }
            _ => false,
        };
        let of_kind = |wanted: fn(&Meaning) -> bool| join(self.items.iter().filter(move |item| wanted(&item.meaning)));
        let access: &[u8] = if flags.contains(MountFlags::MS_RDONLY) { b"ro" } else { b"rw" };
        let parts = [
            access.to_vec(),
            join(self.items.iter().filter(is_effective)),
            of_kind(|meaning| matches!(meaning, Meaning::Filesystem)),
            of_kind(|meaning| matches!(meaning, Meaning::Userspace)),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&b',')
    }

    /// The flags that they come to, later ones overriding (`mnt_optstr_get_flags()`).
    pub(super) fn flags(&self) -> MountFlags {
        let mut flags = MountFlags::empty();
        for item in &self.items {
            let has_value = item.value.as_ref().is_some_and(|value| !value.is_empty());
            match (item.meaning, &item.name[..]) {
                (Meaning::Kernel(option), _) => flags.set(option.flags, !option.is_inverted),
                // What a user can mount has no special powers.
                (Meaning::Userspace, b"user" | b"users") if !has_value => {
                    flags |= MountFlags::MS_NOEXEC | MountFlags::MS_NOSUID | MountFlags::MS_NODEV;
                }
                (Meaning::Userspace, b"owner" | b"group") => flags |= MountFlags::MS_NOSUID | MountFlags::MS_NODEV,
                _ => {}
            }
        }
        flags
    }

    /// What the filesystem gets; `None` if that is nothing. The machine has no security modules: options for them are left
    /// out.
    pub(super) fn filesystem_data(&self) -> Option<Vec<u8>> {
        let is_for_filesystem =
            |item: &&Item| matches!(item.meaning, Meaning::Filesystem) && !SECURITY_MODULES.contains(&&item.name[..]);
        let data = join(self.items.iter().filter(is_for_filesystem));
        (!data.is_empty()).then_some(data)
    }

    /// The options of the filesystem whose value is the name of a user or a group, to be replaced by a number.
    pub(super) fn accounts(&mut self) -> impl Iterator<Item = (bool, &mut Vec<u8>)> {
        self.items.iter_mut().filter(|item| matches!(item.meaning, Meaning::Filesystem)).filter_map(|item| {
            let is_group = match &item.name[..] {
                b"uid" => false,
                b"gid" => true,
                _ => return None,
            };
            Some((is_group, item.value.as_mut()?))
        })
    }
}

fn join<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<u8> {
    let text = |item: &Item| match &item.value {
        Some(value) => [&item.name, &b"="[..], value].concat(),
        None => item.name.clone(),
    };
    items.map(text).collect::<Vec<_>>().join(&b',')
}

/// The calls of mount(2) that a mount takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calls {
    /// The flags of the first one.
    pub(super) flags: MountFlags,
    /// The flags of those that follow: the kernel changes one kind of propagation at a time, and takes the flags of a bind
    /// mount only once it is there.
    pub(super) more: Vec<MountFlags>,
}

impl Calls {
    /// What options come to; `extra` are flags for which there is no option.
    pub(super) fn of(options: &Options, extra: MountFlags) -> Self {
        let all = options.flags() | extra;
        let mut calls = Self { flags: all, more: Vec::new() };
        if all.intersects(PROPAGATION) {
            calls.split_propagation(options);
        }
        let is_new_bind = calls.flags.contains(MountFlags::MS_BIND) && !calls.flags.contains(MountFlags::MS_REMOUNT);
        if is_new_bind && calls.flags.intersects(SETTABLE_ON_BIND) {
            calls.more.push(calls.flags | MountFlags::MS_REMOUNT);
        }
        calls
    }

    /// Moves each kind of propagation to a call of its own (`mnt_optstr_apply_flags()`, `init_propagation()`).
    fn split_propagation(&mut self, options: &Options) {
        let mut left = self.flags;
        let mut recursive_options = 0;
        for item in &options.items {
            let Meaning::Kernel(option) = item.meaning else { continue };
            // An option that a later one took back does not count, nor the second of two.
            if option.is_inverted || option.flags == MountFlags::MS_RDONLY || !left.contains(option.flags) {
                continue;
            }
            left.remove(option.flags);
            if option.flags.contains(MountFlags::MS_REC) {
                left |= MountFlags::MS_REC;
                recursive_options += 1;
            }
            if option.flags.intersects(PROPAGATION) {
                self.more.push(option.flags);
                self.flags.remove(option.flags);
                recursive_options -= i32::from(option.flags.contains(MountFlags::MS_REC));
            }
        }
        if recursive_options > 0 {
            self.flags |= MountFlags::MS_REC;
        }
    }

    /// The flags of all calls.
    pub(super) fn all(&self) -> MountFlags {
        self.more.iter().fold(self.flags, |all, flags| all | *flags)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// The flags of the calls of mount(2), as strace shows them of mount 2.38.1.
    #[rstest]
    #[case("bind", "MS_BIND")]
    #[case("rbind", "MS_BIND|MS_REC")]
    #[case("bind,ro", "MS_RDONLY|MS_BIND MS_RDONLY|MS_REMOUNT|MS_BIND")]
    #[case("ro,bind,rw", "MS_BIND")]
    #[case("remount,bind,ro", "MS_RDONLY|MS_REMOUNT|MS_BIND")]
    #[case("private", "0 MS_PRIVATE")]
    #[case("rshared", "0 MS_REC|MS_SHARED")]
    #[case("rslave,shared", "0 MS_REC|MS_SLAVE MS_SHARED")]
    #[case("rbind,rslave", "MS_BIND|MS_REC MS_REC|MS_SLAVE")]
    #[case("rbind,slave", "MS_BIND|MS_REC MS_SLAVE")]
    #[case("bind,ro,private", "MS_RDONLY|MS_BIND MS_PRIVATE MS_RDONLY|MS_REMOUNT|MS_BIND")]
    #[case("rbind,ro,nosuid", "MS_RDONLY|MS_NOSUID|MS_BIND|MS_REC MS_RDONLY|MS_NOSUID|MS_REMOUNT|MS_BIND|MS_REC")]
    #[case("rshared,private,bind", "MS_BIND MS_REC|MS_SHARED MS_PRIVATE")]
    #[case("rprivate,rbind,slave", "MS_BIND|MS_REC MS_REC|MS_PRIVATE MS_SLAVE")]
    #[case("remount,ro,shared", "MS_RDONLY|MS_REMOUNT MS_SHARED")]
    #[case("remount,private", "MS_REMOUNT MS_PRIVATE")]
    #[case("user", "MS_NOSUID|MS_NODEV|MS_NOEXEC")]
    #[case("user,exec", "MS_NOSUID|MS_NODEV")]
    #[case("nosymfollow,noatime", "MS_NOSYMFOLLOW|MS_NOATIME")]
    fn calls(#[case] options: &str, #[case] expected: &str) {
        let calls = Calls::of(&Options::parse(options.as_bytes()), MountFlags::empty());
        let shown: Vec<String> =
            std::iter::once(calls.flags).chain(calls.more).map(|flags| flags.to_string()).collect();
        assert_eq!(shown.join(" "), expected);
    }

    #[rstest]
    #[case("ro,size=1k,x-foo,comment=bar,nofail,defaults,mode=755", "size=1k,mode=755")]
    #[case("ro=1", "ro=1")]
    #[case("context=x,a", "a")]
    #[case("ro", "")]
    fn data_for_the_filesystem(#[case] options: &str, #[case] expected: &str) {
        let data = Options::parse(options.as_bytes()).filesystem_data().unwrap_or_default();
        assert_eq!(String::from_utf8(data).unwrap(), expected);
    }
}
