//! In which ways calls were made: with which flags, and with which of several operations.

use serde_json::Value as Json;

use crate::sequence::Action;

/// An argument that is a set of flags, or one out of a choice.
pub(super) struct Argument {
    pub(super) call: &'static str,
    /// Where it is among the arguments, as a JSON pointer without the slash at the beginning.
    pub(super) name: &'static str,
    /// What the call accepts: a run has to succeed with each. What else is passed counts as well.
    pub(super) accepted: &'static [&'static str],
    /// What the call accepts, and no run makes use of, and why.
    pub(super) never: &'static [(&'static str, &'static str)],
}

macro_rules! arguments {
    ($($call:ident $name:literal: $($accepted:ident)* $(, $never:ident $reason:literal)*;)*) => {
        &[$(Argument {
            call: stringify!($call),
            name: $name,
            accepted: &[$(stringify!($accepted)),*],
            never: &[$((stringify!($never), $reason)),*],
        }),*]
    };
}

/// The arguments.
pub(super) const ARGUMENTS: &[Argument] = arguments! {
    mount "mountflags": MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_SYNCHRONOUS MS_REMOUNT MS_MANDLOCK MS_DIRSYNC
        MS_NOSYMFOLLOW MS_NOATIME MS_NODIRATIME MS_BIND MS_MOVE MS_REC MS_SILENT MS_POSIXACL MS_UNBINDABLE MS_PRIVATE
        MS_SLAVE MS_SHARED MS_RELATIME MS_I_VERSION MS_STRICTATIME MS_LAZYTIME;
    umount2 "flags": MNT_FORCE MNT_DETACH MNT_EXPIRE UMOUNT_NOFOLLOW;
    open_tree "flags": OPEN_TREE_CLONE AT_SYMLINK_NOFOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH AT_RECURSIVE OPEN_TREE_CLOEXEC;
    open_tree_attr "flags": OPEN_TREE_CLONE AT_SYMLINK_NOFOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH AT_RECURSIVE
        OPEN_TREE_CLOEXEC;
    open_tree_attr "attr/attr_set": MOUNT_ATTR_RDONLY MOUNT_ATTR_NOSUID MOUNT_ATTR_NODEV MOUNT_ATTR_NOEXEC
        MOUNT_ATTR_NOATIME MOUNT_ATTR_STRICTATIME MOUNT_ATTR_NODIRATIME MOUNT_ATTR_IDMAP MOUNT_ATTR_NOSYMFOLLOW;
    open_tree_attr "attr/attr_clr": MOUNT_ATTR_RDONLY MOUNT_ATTR_NOSUID MOUNT_ATTR_NODEV MOUNT_ATTR_NOEXEC
        MOUNT_ATTR__ATIME MOUNT_ATTR_NODIRATIME MOUNT_ATTR_IDMAP MOUNT_ATTR_NOSYMFOLLOW;
    open_tree_attr "attr/propagation": MS_SHARED MS_SLAVE MS_PRIVATE MS_UNBINDABLE;
    move_mount "flags": MOVE_MOUNT_F_SYMLINKS MOVE_MOUNT_F_AUTOMOUNTS MOVE_MOUNT_F_EMPTY_PATH MOVE_MOUNT_T_SYMLINKS
        MOVE_MOUNT_T_AUTOMOUNTS MOVE_MOUNT_T_EMPTY_PATH MOVE_MOUNT_SET_GROUP MOVE_MOUNT_BENEATH;
    mount_setattr "flags": AT_SYMLINK_NOFOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH AT_RECURSIVE;
    mount_setattr "attr/attr_set": MOUNT_ATTR_RDONLY MOUNT_ATTR_NOSUID MOUNT_ATTR_NODEV MOUNT_ATTR_NOEXEC
        MOUNT_ATTR_NOATIME MOUNT_ATTR_STRICTATIME MOUNT_ATTR_NODIRATIME MOUNT_ATTR_IDMAP MOUNT_ATTR_NOSYMFOLLOW;
    mount_setattr "attr/attr_clr": MOUNT_ATTR_RDONLY MOUNT_ATTR_NOSUID MOUNT_ATTR_NODEV MOUNT_ATTR_NOEXEC
        MOUNT_ATTR__ATIME MOUNT_ATTR_NODIRATIME MOUNT_ATTR_NOSYMFOLLOW,
        MOUNT_ATTR_IDMAP "only open_tree_attr(2) takes an id mapping off, from a copy";
    mount_setattr "attr/propagation": MS_SHARED MS_SLAVE MS_PRIVATE MS_UNBINDABLE;
    fsopen "flags": FSOPEN_CLOEXEC;
    fsconfig "config": SetFlag SetString SetBinary SetPath SetFd Create Reconfigure CreateExclusive;
    fsmount "flags": FSMOUNT_CLOEXEC;
    fsmount "attr_flags": MOUNT_ATTR_RDONLY MOUNT_ATTR_NOSUID MOUNT_ATTR_NODEV MOUNT_ATTR_NOEXEC MOUNT_ATTR_NOATIME
        MOUNT_ATTR_STRICTATIME MOUNT_ATTR_NODIRATIME MOUNT_ATTR_NOSYMFOLLOW;
    fspick "flags": FSPICK_CLOEXEC FSPICK_SYMLINK_NOFOLLOW FSPICK_NO_AUTOMOUNT FSPICK_EMPTY_PATH;
    statmount "mask": STATMOUNT_SB_BASIC STATMOUNT_MNT_BASIC STATMOUNT_PROPAGATE_FROM STATMOUNT_MNT_ROOT
        STATMOUNT_MNT_POINT STATMOUNT_FS_TYPE STATMOUNT_MNT_NS_ID STATMOUNT_MNT_OPTS STATMOUNT_FS_SUBTYPE
        STATMOUNT_SB_SOURCE STATMOUNT_OPT_ARRAY STATMOUNT_OPT_SEC_ARRAY STATMOUNT_SUPPORTED_MASK STATMOUNT_MNT_UIDMAP
        STATMOUNT_MNT_GIDMAP;
    unshare "flags": CLONE_FS CLONE_FILES CLONE_NEWNS CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER
        CLONE_NEWPID CLONE_NEWNET;
    setns "nstype": CLONE_NEWNS CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET;
    clone3 "flags": CLONE_FS CLONE_FILES CLONE_NEWNS CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER
        CLONE_NEWPID CLONE_NEWNET,
        CLONE_VM "the processes of a sequence have memory of their own",
        CLONE_VFORK "a process of a sequence does not wait until its child has ended";
    openat2 "how/flags": O_WRONLY O_RDWR O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_DSYNC O_DIRECT O_LARGEFILE
        O_DIRECTORY O_NOFOLLOW O_NOATIME O_CLOEXEC O_PATH;
    openat2 "how/resolve": RESOLVE_NO_XDEV RESOLVE_NO_MAGICLINKS RESOLVE_NO_SYMLINKS RESOLVE_BENEATH RESOLVE_IN_ROOT,
        RESOLVE_CACHED "what the kernel has cached depends on what others did";
    close_range "flags": CLOSE_RANGE_UNSHARE CLOSE_RANGE_CLOEXEC;
    dup3 "flags": O_CLOEXEC;
    mknodat "mode/file_type": Regular CharacterDevice Fifo Socket Anonymous,
        BlockDevice "to open one, as sequences open what there is, would ask the machine for a driver";
    linkat "flags": AT_SYMLINK_FOLLOW AT_EMPTY_PATH;
    unlinkat "flags": AT_REMOVEDIR;
    renameat2 "flags": RENAME_NOREPLACE RENAME_EXCHANGE RENAME_WHITEOUT;
    statx "flags": AT_SYMLINK_NOFOLLOW AT_NO_AUTOMOUNT AT_EMPTY_PATH AT_STATX_FORCE_SYNC AT_STATX_DONT_SYNC;
    fchownat "flags": AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH;
    flock "operation": LOCK_SH LOCK_EX LOCK_NB LOCK_UN;
    lseek "whence": Start Current End;
    pipe2 "flags": O_CLOEXEC O_NONBLOCK O_DIRECT;
    wait4 "options": WNOHANG WUNTRACED WCONTINUED;
    prctl "operation": SetParentDeathSignal SetDumpable SetKeepCapabilities ReadBoundingCapability
        DropBoundingCapability RaiseAmbientCapability ClearAmbientCapabilities SetNoNewPrivileges;
    setrlimit "resource": RLIMIT_CORE RLIMIT_FSIZE RLIMIT_NOFILE;
    sigaction "action": Default Ignore;
    sigprocmask "how": Block Unblock SetMask;
};

/// How an action is made: the arguments of the table, and what each is.
pub(super) fn of(action: &Action) -> Vec<(&'static str, String)> {
    let (name, json) = match action {
        Action::Call(call) => (call.name(), serde_json::to_value(call)),
        Action::Fork { flags, .. } => {
            ("clone3", serde_json::to_value(flags).map(|flags| serde_json::json!({ "flags": flags })))
        }
        Action::Exit { .. } => return Vec::new(),
    };
    let of_call = ARGUMENTS.iter().filter(|argument| argument.call == name);
    let Ok(json) = json else { return Vec::new() };
    of_call.filter_map(|argument| Some((argument.name, text(json.pointer(&format!("/{}", argument.name))?)?))).collect()
}

/// Flags are words with ` | ` between them, operations the name of one, or an object whose only member has that name.
fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) if text.is_empty() => Some("0".into()),
        Json::String(text) => Some(text.replace(" | ", "|")),
        Json::Object(members) => members.keys().next().cloned(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{Call, CloneFlags, Fd, FsConfig, OpenFlags, OpenHow, ResolveFlags, UmountFlags};
    use rstest::rstest;

    use super::*;

    fn said(variants: &[(&str, &str)]) -> Vec<(String, String)> {
        variants.iter().map(|(argument, variant)| ((*argument).into(), (*variant).into())).collect()
    }

    #[rstest]
    #[case(
        Action::Call(Call::Umount2 { target: "/a".into(), flags: UmountFlags::MNT_FORCE | UmountFlags::MNT_DETACH }),
        &[("flags", "MNT_FORCE|MNT_DETACH")]
    )]
    #[case(Action::Call(Call::Fsconfig { fd: Fd(3), config: FsConfig::Create }), &[("config", "Create")])]
    #[case(
        Action::Call(Call::Fsconfig { fd: Fd(3), config: FsConfig::SetFlag { key: "ro".into() } }),
        &[("config", "SetFlag")]
    )]
    #[case(
        Action::Call(Call::Openat2 {
            dirfd: Fd::CWD,
            path: "/a".into(),
            how: OpenHow { flags: OpenFlags::empty(), resolve: ResolveFlags::RESOLVE_BENEATH, ..OpenHow::default() },
        }),
        &[("how/flags", "0"), ("how/resolve", "RESOLVE_BENEATH")]
    )]
    #[case(Action::Fork { child: 1, flags: CloneFlags::CLONE_NEWNS }, &[("flags", "CLONE_NEWNS")])]
    #[case(Action::Exit { status: 0 }, &[])]
    fn flags_and_operations_are_named(#[case] action: Action, #[case] expected: &[(&str, &str)]) {
        let found: Vec<_> =
            of(&action).into_iter().map(|(argument, variant)| (argument.to_string(), variant)).collect();
        assert_eq!(found, said(expected));
    }
}
