//! Whether two kernels are the same because neither has changed since one was cloned from the other.

use crate::filesystem::InternalMounts;
use crate::linux::{Linux, Numbers};

impl Linux {
    /// Whether nothing has changed since `snapshot` was cloned from this kernel, as after a call that failed early.
    ///
    /// It looks at nothing but what both share, and so takes no longer with more mounts or files. `true` is certain;
    /// `false` may be said of kernels that are equal, since something was changed and changed back.
    pub fn is_unchanged_since(&self, snapshot: &Self) -> bool {
        // By name, so that a new field is not forgotten.
        let Self {
            superblocks,
            inodes,
            dentries,
            mounts,
            mount_table,
            mount_namespaces,
            user_namespaces,
            pid_namespaces,
            other_namespaces,
            contexts,
            files,
            fd_tables,
            fs_states,
            tasks,
            pipes,
            overlay_lists,
            mount_ids,
            group_ids,
            anonymous_devices,
            last_unique_mount_id,
            last_namespace_sequence,
            next_namespace_inode,
            last_task_serial,
            last_superblock_serial,
            last_temporary_name,
            internal,
            init,
            initial_user_namespace,
            initial_pid_namespace,
            was_locked,
            mount_max,
            missing_in_proc,
            further_in_proc,
            superblocks_by_type,
            memory_pages,
            // Notes about the machine, which are no part of it.
            questions: _,
            failures: _,
        } = self;
        let shares_objects = superblocks.is_shared_with(&snapshot.superblocks)
            && inodes.is_shared_with(&snapshot.inodes)
            && dentries.is_shared_with(&snapshot.dentries)
            && mounts.is_shared_with(&snapshot.mounts)
            && mount_table.ptr_eq(&snapshot.mount_table)
            && mount_namespaces.is_shared_with(&snapshot.mount_namespaces)
            && user_namespaces.is_shared_with(&snapshot.user_namespaces)
            && pid_namespaces.is_shared_with(&snapshot.pid_namespaces)
            && other_namespaces.is_shared_with(&snapshot.other_namespaces)
            && contexts.is_shared_with(&snapshot.contexts)
            && files.is_shared_with(&snapshot.files)
            && fd_tables.is_shared_with(&snapshot.fd_tables)
            && fs_states.is_shared_with(&snapshot.fs_states)
            && tasks.is_shared_with(&snapshot.tasks)
            && pipes.ptr_eq(&snapshot.pipes)
            && superblocks_by_type.ptr_eq(&snapshot.superblocks_by_type)
            && overlay_lists.is_shared_with(&snapshot.overlay_lists);
        let has_same_numbers = mount_ids.is_same_as(&snapshot.mount_ids)
            && group_ids.is_same_as(&snapshot.group_ids)
            && anonymous_devices.is_same_as(&snapshot.anonymous_devices)
            && *last_unique_mount_id == snapshot.last_unique_mount_id
            && *last_namespace_sequence == snapshot.last_namespace_sequence
            && *next_namespace_inode == snapshot.next_namespace_inode
            && *last_task_serial == snapshot.last_task_serial
            && *last_superblock_serial == snapshot.last_superblock_serial
            && *last_temporary_name == snapshot.last_temporary_name;
        let has_same_settings = *init == snapshot.init
            && *initial_user_namespace == snapshot.initial_user_namespace
            && *initial_pid_namespace == snapshot.initial_pid_namespace
            && *was_locked == snapshot.was_locked
            && *mount_max == snapshot.mount_max
            && *missing_in_proc == snapshot.missing_in_proc
            && *further_in_proc == snapshot.further_in_proc
            && *memory_pages == snapshot.memory_pages;
        shares_objects && has_same_numbers && has_same_settings && internal.is_same_as(&snapshot.internal)
    }
}

impl Numbers {
    fn is_same_as(&self, other: &Self) -> bool {
        let Self { next, free } = self;
        *next == other.next && free.ptr_eq(&other.free)
    }
}

impl InternalMounts {
    fn is_same_as(&self, other: &Self) -> bool {
        let Self { nsfs, pipefs, anonymous, anonymous_inode, namespace_files, found } = self;
        let has_same_mounts = *nsfs == other.nsfs && *pipefs == other.pipefs && *anonymous == other.anonymous;
        let has_same_files = namespace_files.ptr_eq(&other.namespace_files) && *found == other.found;
        has_same_mounts && has_same_files && *anonymous_inode == other.anonymous_inode
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{AtFlags, Call, Errno, Fd, Mode, MountFlags, Value};
    use rstest::rstest;

    use super::*;

    fn mount(kind: &str, target: &str) -> Call {
        let (source, filesystemtype) = (Some(kind.into()), Some(kind.into()));
        Call::Mount { source, target: target.into(), filesystemtype, mountflags: MountFlags::empty(), data: None }
    }

    fn mkdir(path: &str) -> Call {
        Call::Mkdirat { dirfd: Fd::CWD, path: path.into(), mode: Mode(0o755) }
    }

    #[test]
    fn a_snapshot_is_unchanged_until_something_is_done() {
        let linux = Linux::new();
        assert!(linux.is_unchanged_since(&linux.clone()));
        assert!(!linux.is_unchanged_since(&Linux::new()), "equal, but not the same");
    }

    #[rstest]
    #[case::nothing_at_the_path(mount("tmpfs", "/nothing"), Errno::ENOENT)]
    #[case::unknown_filesystem(mount("nonsense", "/"), Errno::ENODEV)]
    #[case::no_descriptor(Call::Fchdir { fd: Fd(7) }, Errno::EBADF)]
    fn what_fails_early_changes_nothing(#[case] call: Call, #[case] errno: Errno) {
        let mut linux = Linux::new();
        let snapshot = linux.clone();
        assert_eq!(linux.call(linux.init(), &call), Err(errno));
        assert!(linux.is_unchanged_since(&snapshot));
    }

    #[test]
    fn a_question_changes_nothing() {
        let mut linux = Linux::new();
        let snapshot = linux.clone();
        let call = Call::Statx { dirfd: Fd::CWD, path: "/".into(), flags: AtFlags::empty() };
        assert!(matches!(linux.call(linux.init(), &call), Ok(Value::Stat(_))));
        assert!(linux.is_unchanged_since(&snapshot));
    }

    #[rstest]
    #[case::mkdir(mkdir("/a"))]
    #[case::mount(mount("tmpfs", "/"))]
    #[case::umask(Call::Umask { mask: Mode(0) })]
    #[case::propagation(Call::Mount {
        source: None,
        target: "/".into(),
        filesystemtype: None,
        mountflags: MountFlags::MS_SHARED,
        data: None,
    })]
    fn what_succeeds_is_noticed(#[case] call: Call) {
        let mut linux = Linux::new();
        let snapshot = linux.clone();
        assert!(linux.call(linux.init(), &call).is_ok(), "{call}");
        assert!(!linux.is_unchanged_since(&snapshot));
    }
}
