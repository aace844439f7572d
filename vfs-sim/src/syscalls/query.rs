//! What the kernel tells of mounts and filesystems: statmount(2), listmount(2) (`fs/namespace.c`).

use cofferdam::kernel::{Bytes, Capabilities, MountAttrFlags, MountFlags, StatMount, StatMountMask, UniqueMountId};
use cofferdam::mountinfo::escape;

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::mount::{MntFlags, Mount, Path};
use crate::namespace::{IdExtent, MountNamespace};
use crate::process::Task;

/// No id up to this is that of a mount (`MNT_UNIQUE_ID_OFFSET`).
const UNIQUE_ID_OFFSET: u64 = 1 << 31;

/// What there is for statmount(2) to tell (`STATMOUNT_SUPPORTED`).
const SUPPORTED: StatMountMask = StatMountMask::from_bits_retain(0x7fff);

/// The room that is left for strings when the caller's buffer is as large as it gets, 1 MiB.
const STRINGS_SIZE: usize = (1 << 20) - 512;

/// How many lines a map has for which the kernel keeps their order; more are sorted (`UID_GID_MAP_MAX_BASE_EXTENTS`).
const UNSORTED_EXTENTS: usize = 5;

const NO_MOUNT_ID: Failure =
    fail!(EINVAL, "copy_mnt_id_req()", "the id is not that of a mount: unique ids of mounts begin above 1 << 31");

impl Linux {
    /// statmount(2)
    pub(crate) fn statmount(
        &mut self,
        task: Id<Task>,
        mount: UniqueMountId,
        mask: StatMountMask,
    ) -> Result<StatMount, Failure> {
        if mount.0 <= UNIQUE_ID_OFFSET {
            return Err(NO_MOUNT_ID);
        }
        let (namespace, root) = self.seen_from(task);
        let mount = self.mount_namespaces[namespace].mounts.get(&mount.0).copied().ok_or(fail!(
            ENOENT,
            "do_statmount()",
            "no mount in the mount namespace of the process has the id"
        ))?;
        if !self.may_query(task, namespace, self.root_of(mount), root) {
            return Err(fail!(
                EPERM,
                "do_statmount()",
                "the mount is outside of the root of the process, which has no CAP_SYS_ADMIN over the mount namespace"
            ));
        }
        let mut stat = StatMount::default();
        if mask.contains(StatMountMask::STATMOUNT_MNT_BASIC) {
            self.tell_mount(mount, &mut stat);
        }
        if mask.contains(StatMountMask::STATMOUNT_SB_BASIC) {
            self.tell_superblock(mount, &mut stat);
        }
        if mask.contains(StatMountMask::STATMOUNT_PROPAGATE_FROM) {
            stat.mask |= StatMountMask::STATMOUNT_PROPAGATE_FROM;
            stat.propagate_from = self.dominating_group(&self.mounts[mount], root).into();
        }
        self.tell_strings(mount, root, mask, &mut stat)?;
        self.tell_id_maps(task, mount, mask, &mut stat);
        if mask.contains(StatMountMask::STATMOUNT_MNT_NS_ID) {
            stat.mask |= StatMountMask::STATMOUNT_MNT_NS_ID;
            stat.namespace_id = self.mount_namespaces[namespace].sequence;
        }
        if mask.contains(StatMountMask::STATMOUNT_SUPPORTED_MASK) {
            stat.mask |= StatMountMask::STATMOUNT_SUPPORTED_MASK;
            stat.supported_mask = SUPPORTED;
        }
        Ok(stat)
    }

    /// listmount(2)
    pub(crate) fn listmount(
        &mut self,
        task: Id<Task>,
        mount: UniqueMountId,
        last: u64,
    ) -> Result<Vec<UniqueMountId>, Failure> {
        if mount.0 <= UNIQUE_ID_OFFSET {
            return Err(NO_MOUNT_ID);
        }
        if last != 0 && last <= UNIQUE_ID_OFFSET {
            return Err(fail!(
                EINVAL,
                "sys_listmount()",
                "the last id is not that of a mount: unique ids of mounts begin above 1 << 31"
            ));
        }
        let (namespace, root) = self.seen_from(task);
        let mounts = &self.mount_namespaces[namespace].mounts;
        let above = if mount == UniqueMountId::ROOT {
            root
        } else {
            self.root_of(mounts.get(&mount.0).copied().ok_or(fail!(
                ENOENT,
                "do_listmount()",
                "no mount in the mount namespace of the process has the id"
            ))?)
        };
        if !self.may_query(task, namespace, above, root) {
            return Err(fail!(
                EPERM,
                "do_listmount()",
                "the mount is outside of the root of the process, which has no CAP_SYS_ADMIN over the mount namespace"
            ));
        }
        // Behind the last of all numbers comes the first.
        let first = last.wrapping_add(u64::from(last != 0));
        let below = |mount: &Id<Mount>| self.is_reachable(self.root_of(*mount), above);
        let found = mounts.range(first..).filter(|(id, listed)| **id != mount.0 && below(listed));
        Ok(found.map(|(id, _)| UniqueMountId(*id)).collect())
    }

    /// The namespace whose mounts a process asks for, and the root that it sees them from (`grab_requested_root()`).
    fn seen_from(&self, task: Id<Task>) -> (Id<MountNamespace>, Path) {
        let task = &self.tasks[task];
        (task.mount_namespace, self.fs_states[task.fs].root)
    }

    /// Whether a process is told of a place: one below its root, or any if it is privileged in the namespace.
    fn may_query(&self, task: Id<Task>, namespace: Id<MountNamespace>, place: Path, root: Path) -> bool {
        let owner = self.mount_namespaces[namespace].user_namespace;
        self.is_reachable(place, root) || self.ns_capable(task, owner, Capabilities::CAP_SYS_ADMIN)
    }

    /// `statmount_mnt_basic()`
    fn tell_mount(&self, mount: Id<Mount>, stat: &mut StatMount) {
        let object = &self.mounts[mount];
        let parent = &self.mounts[object.parent];
        stat.mask |= StatMountMask::STATMOUNT_MNT_BASIC;
        stat.mount_id = object.unique_id;
        stat.parent_id = parent.unique_id;
        stat.old_mount_id = object.id;
        stat.old_parent_id = parent.id;
        stat.attributes = attributes(object);
        stat.propagation = propagation(object);
        stat.peer_group = object.group.into();
        stat.master = object.master.map_or(0, |master| self.mounts[master].group.into());
    }

    /// `statmount_sb_basic()`
    fn tell_superblock(&self, mount: Id<Mount>, stat: &mut StatMount) {
        let superblock = &self.superblocks[self.mounts[mount].superblock];
        stat.mask |= StatMountMask::STATMOUNT_SB_BASIC;
        stat.device = superblock.device;
        stat.magic = superblock.filesystem.magic();
        stat.super_flags = superblock.flags
            & (MountFlags::MS_RDONLY | MountFlags::MS_SYNCHRONOUS | MountFlags::MS_DIRSYNC | MountFlags::MS_LAZYTIME);
    }

    /// The strings that are asked for; empty ones are not there (`statmount_string()`).
    fn tell_strings(
        &self,
        mount: Id<Mount>,
        root: Path,
        mask: StatMountMask,
        stat: &mut StatMount,
    ) -> Result<(), Failure> {
        let object = &self.mounts[mount];
        let (filesystem, subtype) = self.superblocks[object.superblock].filesystem.name_and_subtype();
        // The first byte is the empty string.
        let mut size = 1;
        let mut tell = |field, string: &mut Bytes, text: &dyn Fn() -> Vec<u8>| {
            if mask.contains(field) {
                *string = Bytes(text());
                if !string.0.is_empty() {
                    stat.mask |= field;
                    size += string.0.len();
                    if size >= STRINGS_SIZE {
                        return Err(fail!(EOVERFLOW, "statmount_string()", "the texts do not fit into the buffer"));
                    }
                    size += 1;
                }
            }
            Ok(())
        };
        tell(StatMountMask::STATMOUNT_FS_TYPE, &mut stat.filesystem_type, &|| filesystem.to_vec())?;
        tell(StatMountMask::STATMOUNT_MNT_ROOT, &mut stat.root, &|| self.dentry_text(object.root))?;
        tell(StatMountMask::STATMOUNT_MNT_POINT, &mut stat.mountpoint, &|| {
            let text = self.path_text(self.root_of(mount), root);
            if text.is_reachable { text.bytes } else { Vec::new() }
        })?;
        tell(StatMountMask::STATMOUNT_MNT_OPTS, &mut stat.options, &|| self.own_options(object.superblock))?;
        let mut array = Bytes::default();
        tell(StatMountMask::STATMOUNT_OPT_ARRAY, &mut array, &|| self.own_options(object.superblock))?;
        tell(StatMountMask::STATMOUNT_FS_SUBTYPE, &mut stat.filesystem_subtype, &|| subtype.to_vec())?;
        tell(StatMountMask::STATMOUNT_SB_SOURCE, &mut stat.source, &|| object.source.as_bytes().to_vec())?;
        if !array.0.is_empty() {
            let options = array.0.split(|byte| *byte == b',');
            stat.option_array = options.map(|option| Bytes::from(&*escape::decode(option))).collect();
        }
        Ok(())
    }

    /// The options of a superblock that are no flags (`statmount_mnt_opts()`).
    fn own_options(&self, superblock: Id<crate::filesystem::SuperBlock>) -> Vec<u8> {
        let mut flags = Vec::new();
        self.push_super_flags(superblock, &mut flags);
        let options = self.show_options(superblock);
        options.get(flags.len() + 1..).unwrap_or_default().to_vec()
    }

    /// The maps of an id-mapped mount, in the numbers of the caller (`statmount_mnt_idmap()`).
    fn tell_id_maps(&self, task: Id<Task>, mount: Id<Mount>, mask: StatMountMask, stat: &mut StatMount) {
        let Some(idmap) = self.mounts[mount].idmap else { return };
        let idmap = &self.user_namespaces[idmap];
        let caller = &self.user_namespaces[self.tasks[task].credentials.user_namespace];
        if mask.contains(StatMountMask::STATMOUNT_MNT_UIDMAP) {
            stat.mask |= StatMountMask::STATMOUNT_MNT_UIDMAP;
            stat.uid_map = lines(&idmap.uid_map, &caller.uid_map);
        }
        if mask.contains(StatMountMask::STATMOUNT_MNT_GIDMAP) {
            stat.mask |= StatMountMask::STATMOUNT_MNT_GIDMAP;
            stat.gid_map = lines(&idmap.gid_map, &caller.gid_map);
        }
    }
}

/// `mnt_to_attr_flags()`
fn attributes(mount: &Mount) -> MountAttrFlags {
    const SAME: [(MntFlags, MountAttrFlags); 6] = [
        (MntFlags::READONLY, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (MntFlags::NOSUID, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (MntFlags::NODEV, MountAttrFlags::MOUNT_ATTR_NODEV),
        (MntFlags::NOEXEC, MountAttrFlags::MOUNT_ATTR_NOEXEC),
        (MntFlags::NODIRATIME, MountAttrFlags::MOUNT_ATTR_NODIRATIME),
        (MntFlags::NOSYMFOLLOW, MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW),
    ];
    let mut attributes: MountAttrFlags =
        SAME.iter().filter(|(flag, _)| mount.flags.contains(*flag)).map(|(_, attribute)| *attribute).collect();
    if mount.flags.contains(MntFlags::NOATIME) {
        attributes |= MountAttrFlags::MOUNT_ATTR_NOATIME;
    } else if !mount.flags.contains(MntFlags::RELATIME) {
        attributes |= MountAttrFlags::MOUNT_ATTR_STRICTATIME;
    }
    if mount.idmap.is_some() {
        attributes |= MountAttrFlags::MOUNT_ATTR_IDMAP;
    }
    attributes
}

/// `mnt_to_propagation_flags()`
fn propagation(mount: &Mount) -> MountFlags {
    let mut propagation = MountFlags::empty();
    propagation.set(MountFlags::MS_SHARED, mount.is_shared);
    propagation.set(MountFlags::MS_SLAVE, mount.master.is_some());
    propagation.set(MountFlags::MS_UNBINDABLE, mount.is_unbindable);
    if propagation.is_empty() { MountFlags::MS_PRIVATE } else { propagation }
}

/// The lines of a map that the caller has numbers for: first id inside, first number outside, count.
fn lines(map: &[IdExtent], caller: &[IdExtent]) -> Vec<Bytes> {
    let mut extents = map.to_vec();
    if extents.len() > UNSORTED_EXTENTS {
        extents.sort_unstable_by_key(|extent| extent.inside);
    }
    let line = |extent: &IdExtent| {
        let first = caller.iter().find_map(|outer| range_inside(outer, extent))?;
        Some(Bytes::from(format!("{} {first} {}", extent.inside, extent.count)))
    };
    extents.iter().filter_map(line).collect()
}

/// The first number inside `outer` of a range of ids of the initial user namespace, if all of it is there
/// (`map_id_range_up()`).
fn range_inside(outer: &IdExtent, range: &IdExtent) -> Option<u32> {
    let last = range.outside.checked_add(range.count.checked_sub(1)?)?;
    outer.inside_of(last)?;
    outer.inside_of(range.outside)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use cofferdam::kernel::Errno;

    use super::*;
    use crate::filesystem::{FilesystemType, InodeKind, Name};

    const ALL: StatMountMask = StatMountMask::from_bits_retain(u64::MAX);

    /// A machine with a second mount, of a tmpfs on /a.
    fn machine() -> (Linux, Id<Task>, [UniqueMountId; 2]) {
        let mut linux = Linux::new();
        let init = linux.init;
        let (namespace, root) = linux.seen_from(init);
        let superblock = linux.dentries[root.dentry].superblock;
        let inode = linux.new_inode(superblock, InodeKind::Directory, 0o755, (0, 0));
        let a = linux.new_dentry(root.dentry, Name::from("a"), inode);
        let superblock = linux.new_superblock(FilesystemType::Tmpfs, linux.initial_user_namespace);
        linux.superblocks[superblock].flags = MountFlags::MS_RDONLY | MountFlags::MS_MANDLOCK;
        let top = linux.superblocks[superblock].root;
        let mount = linux.new_mount(top, &Name::from("src #a"));
        linux.attach(mount, Path { mount: root.mount, dentry: a });
        linux.list_in_namespace(namespace, mount);
        let ids = [root.mount, mount].map(|mount| UniqueMountId(linux.mounts[mount].unique_id));
        (linux, init, ids)
    }

    #[test]
    fn everything_is_told_of_a_mount() {
        let (mut linux, init, [root, mount]) = machine();
        let id = linux.mount_namespaces[linux.tasks[init].mount_namespace].mounts[&mount.0];
        linux.mounts[id].flags = MntFlags::NODEV | MntFlags::NOATIME;
        let stat = linux.statmount(init, mount, ALL).unwrap();
        assert_eq!(
            stat,
            StatMount {
                // Neither options nor a map nor a subtype.
                mask: StatMountMask::from_bits_retain(0x127f),
                device: linux.superblocks[linux.mounts[id].superblock].device,
                magic: 0x0102_1994,
                // Mandatory locking is not told.
                super_flags: MountFlags::MS_RDONLY,
                mount_id: mount.0,
                parent_id: root.0,
                old_mount_id: linux.mounts[id].id,
                old_parent_id: 2,
                attributes: MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOATIME,
                propagation: MountFlags::MS_PRIVATE,
                root: "/".into(),
                mountpoint: "/a".into(),
                filesystem_type: "tmpfs".into(),
                namespace_id: 1,
                source: "src #a".into(),
                supported_mask: SUPPORTED,
                ..StatMount::default()
            }
        );
        assert_eq!(linux.statmount(init, mount, StatMountMask::empty()), Ok(StatMount::default()));
    }

    #[test]
    fn options_are_told_with_and_without_escapes() {
        let (mut linux, init, [_, mount]) = machine();
        let id = linux.mount_namespaces[linux.tasks[init].mount_namespace].mounts[&mount.0];
        let superblock = linux.mounts[id].superblock;
        linux.superblocks[superblock].filesystem = FilesystemType::Foreign(Name::from("fuse.sshfs"));
        linux.superblocks[superblock].options = vec![(Name::from("a=b\\040c\\054,d"), None)];
        let stat = linux.statmount(init, mount, ALL).unwrap();
        assert_eq!(stat.options, "a=b\\040c\\054,d".into());
        assert_eq!(stat.option_array, ["a=b c,".into(), "d".into()]);
        assert_eq!((stat.filesystem_type, stat.filesystem_subtype), ("fuse".into(), "sshfs".into()));
    }

    #[test]
    fn the_maps_of_an_id_mapped_mount_are_told_in_the_numbers_of_the_caller() {
        let extent = |inside, outside, count| IdExtent { inside, outside, count };
        let map = [extent(0, 1000, 10), extent(20, 5000, 10), extent(40, 1008, 4)];
        let all = [extent(0, 0, u32::MAX)];
        assert_eq!(lines(&map, &all), ["0 1000 10".into(), "20 5000 10".into(), "40 1008 4".into()]);
        // Only what is there as a whole.
        assert_eq!(lines(&map, &[extent(7, 1000, 10)]), ["0 7 10".into()]);
        let many: Vec<_> = (0..6).rev().map(|n| extent(n, n, 1)).collect();
        assert_eq!(lines(&many, &all)[0], "0 0 1".into());
    }

    #[test]
    fn mounts_are_listed_below_a_mount_and_behind_a_number() {
        let (mut linux, init, [root, mount]) = machine();
        let all = UniqueMountId::ROOT;
        assert_eq!(linux.listmount(init, all, 0), Ok(vec![root, mount]));
        assert_eq!(linux.listmount(init, root, 0), Ok(vec![mount]));
        assert_eq!(linux.listmount(init, mount, 0), Ok(vec![]));
        assert_eq!(linux.listmount(init, all, root.0), Ok(vec![mount]));
        assert_eq!(linux.listmount(init, all, mount.0), Ok(vec![]));
        assert_eq!(linux.listmount(init, all, u64::MAX), Ok(vec![root, mount]));
    }

    #[test]
    fn ids_that_are_none_are_refused() {
        let (mut linux, init, _) = machine();
        let (low, first) = (UniqueMountId(1 << 31), UniqueMountId((1 << 31) + 100));
        assert_eq!(linux.statmount(init, low, ALL).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(linux.statmount(init, first, ALL).map_err(Failure::errno), Err(Errno::ENOENT));
        assert_eq!(linux.statmount(init, UniqueMountId::ROOT, ALL).map_err(Failure::errno), Err(Errno::ENOENT));
        assert_eq!(linux.listmount(init, low, 0).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(linux.listmount(init, first, low.0).map_err(Failure::errno), Err(Errno::EINVAL));
        assert_eq!(linux.listmount(init, first, 0).map_err(Failure::errno), Err(Errno::ENOENT));
    }

    #[test]
    fn what_is_outside_of_the_root_is_only_for_the_privileged() {
        let (mut linux, init, [root, mount]) = machine();
        let (_, Path { mount: below, dentry }) = linux.seen_from(init);
        let fs = linux.tasks[init].fs;
        let inside = linux.dentries[dentry].children.values().next().copied().unwrap();
        linux.fs_states[fs].root = Path { mount: below, dentry: inside };
        assert_eq!(linux.listmount(init, UniqueMountId::ROOT, 0), Ok(vec![mount]));
        let stat = linux.statmount(init, root, ALL).unwrap();
        assert!(!stat.mask.contains(StatMountMask::STATMOUNT_MNT_POINT));
        assert_eq!(stat.mountpoint, Bytes::default());

        let credentials = Arc::make_mut(&mut linux.tasks[init].credentials);
        credentials.effective -= Capabilities::CAP_SYS_ADMIN;
        assert_eq!(linux.statmount(init, root, ALL).map_err(Failure::errno), Err(Errno::EPERM));
        assert_eq!(linux.listmount(init, root, 0).map_err(Failure::errno), Err(Errno::EPERM));
        assert_eq!(linux.statmount(init, mount, ALL).unwrap().mountpoint, "/".into());
        assert_eq!(linux.listmount(init, mount, 0), Ok(vec![]));
    }
}
