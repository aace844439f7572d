//! The mount table, as libmount looks things up in it.

use cofferdam::kernel::Errno;
use cofferdam::mountinfo::entries;
use cofferdam_vfs_sim::Process;

use super::path::{absolute, are_equal, canonical, stat};
use super::warn;
use crate::execution::Execution;

/// The table of the calling process.
pub(crate) const OWN_TABLE: &[u8] = b"/proc/self/mountinfo";

/// In which order a table is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) id: u32,
    pub(crate) parent: u32,
    pub(crate) device: (u32, u32),
    pub(crate) root: Vec<u8>,
    pub(crate) target: Vec<u8>,
    /// The options of the mount.
    pub(crate) vfs_options: Vec<u8>,
    /// The options of the filesystem.
    pub(crate) fs_options: Vec<u8>,
    /// `shared:1 master:2` and the like.
    pub(crate) optional_fields: Vec<u8>,
    pub(crate) kind: Vec<u8>,
    pub(crate) source: Vec<u8>,
}

impl Mount {
    /// The options of the mount and the filesystem in one list: `ro` if one of them is.
    pub(crate) fn options(&self) -> Vec<u8> {
        if self.vfs_options == self.fs_options {
            return self.vfs_options.clone();
        }
        let all = [&self.vfs_options, &b","[..], &self.fs_options].concat();
        let is_read_only = all.split(|byte| *byte == b',').any(|option| option == b"ro");
        let others = all.split(|byte| *byte == b',').filter(|option| !matches!(*option, b"ro" | b"rw" | b""));
        let first: &[u8] = if is_read_only { b"ro" } else { b"rw" };
        std::iter::once(first).chain(others).collect::<Vec<_>>().join(&b',')
    }

    /// Whether the mount is in a peer group.
    pub(crate) fn is_shared(&self) -> bool {
        self.has_field(b"shared:")
    }

    /// Whether the mount gets events of a peer group.
    pub(crate) fn is_slave(&self) -> bool {
        self.has_field(b"master:")
    }

    /// Whether the mount can't be bind mounted.
    pub(crate) fn is_unbindable(&self) -> bool {
        self.has_field(b"unbindable")
    }

    fn has_field(&self, start: &[u8]) -> bool {
        self.optional_fields.split(|byte| *byte == b' ').any(|field| field.starts_with(start))
    }

    /// Whether it is mounted on this path.
    pub(crate) fn is_on(&self, path: &[u8]) -> bool {
        are_equal(&self.target, path)
    }

    /// Whether this is its source, which for a filesystem without a device is no path.
    pub(crate) fn has_source(&self, source: &[u8]) -> bool {
        are_equal(&self.source, source)
    }
}

/// A mount table.
#[derive(Clone, Debug, Default)]
pub(crate) struct MountTable {
    pub(crate) mounts: Vec<Mount>,
}

impl MountTable {
    /// Reads a mountinfo file; what is wrong with lines of it is said on standard error.
    ///
    /// # Errors
    ///
    /// Those of open(2) and read(2).
    pub(crate) async fn read(execution: &mut Execution, path: &[u8]) -> Result<Self, Errno> {
        let text = execution.read_file(path).await?;
        let mut mounts = Vec::new();
        for (index, entry) in entries(&text).enumerate() {
            let Ok(entry) = entry else {
                let line = format!(": parse error at line {} -- ignored", index + 1);
                warn(execution, [path, line.as_bytes()].concat()).await;
                continue;
            };
            mounts.push(Mount {
                id: entry.id(),
                parent: entry.parent_id(),
                device: (entry.major(), entry.minor()),
                root: entry.root().as_bytes().to_vec(),
                target: entry.mountpoint().as_bytes().to_vec(),
                vfs_options: entry.mount_options_raw().to_vec(),
                fs_options: cofferdam::mountinfo::escape::decode(entry.super_options_raw()).into_owned(),
                optional_fields: entry.optional_fields_raw().to_vec(),
                kind: entry.filesystem_type().into_owned(),
                source: entry.source().into_owned(),
            });
        }
        Ok(Self { mounts })
    }

    fn find(&self, direction: Direction, mut wanted: impl FnMut(&Mount) -> bool) -> Option<&Mount> {
        match direction {
            Direction::Forward => self.mounts.iter().find(|mount| wanted(mount)),
            Direction::Backward => self.mounts.iter().rev().find(|mount| wanted(mount)),
        }
    }

    /// The mount on this path as it is, else on it from the root directory on, else on what it leads to
    /// (`mnt_table_find_target()`).
    pub(crate) fn find_target(&self, process: &Process, path: &[u8], direction: Direction) -> Option<&Mount> {
        if path.is_empty() {
            return None;
        }
        self.find(direction, |mount| mount.is_on(path))
            .or_else(|| {
                let path = absolute(process, path).filter(|_| !path.starts_with(b"/"))?;
                self.find(direction, |mount| mount.is_on(&path))
            })
            .or_else(|| {
                let path = canonical(process, path);
                self.find(direction, |mount| mount.is_on(&path))
            })
    }

    /// The mount with this source (`mnt_table_find_source()`).
    pub(crate) fn find_source(&self, process: &Process, source: &[u8], direction: Direction) -> Option<&Mount> {
        if source.is_empty() || is_tag(source) {
            return None;
        }
        self.find(direction, |mount| mount.has_source(source)).or_else(|| {
            let path = canonical(process, source);
            self.find(direction, |mount| mount.has_source(&path)).or_else(|| {
                self.find(direction, |mount| has_device(&mount.kind) && canonical(process, &mount.source) == path)
            })
        })
    }

    /// The mount that a path is in, by the names in it (`mnt_table_find_mountpoint()`).
    pub(crate) fn find_mountpoint(&self, process: &Process, path: &[u8], direction: Direction) -> Option<&Mount> {
        stat(process, path).ok()?;
        let mut path = path;
        while path.len() > 1 {
            if let Some(mount) = self.find_target(process, path, direction) {
                return Some(mount);
            }
            let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else { break };
            path = path.get(..slash)?;
        }
        self.find_target(process, b"/", direction)
    }

    /// The mounts on a mount, by their ids.
    pub(crate) fn children(&self, id: u32) -> Vec<&Mount> {
        let mut children: Vec<_> = self.mounts.iter().filter(|mount| mount.parent == id && mount.id != id).collect();
        children.sort_by_key(|mount| mount.id);
        children
    }

    /// The mount on the root of a mount.
    pub(crate) fn over(&self, mount: &Mount) -> Option<&Mount> {
        self.mounts.iter().find(|other| other.parent == mount.id && other.is_on(&mount.target))
    }

    /// A mount and all on it, in the order in which they are unmounted: what is over its root comes first, then what is on
    /// directories in it.
    pub(crate) fn children_first<'a>(&'a self, top: &'a Mount) -> Vec<&'a Mount> {
        let mut order = Vec::new();
        let mut waiting = vec![(top, false)];
        while let Some((mount, has_been_seen)) = waiting.pop() {
            if has_been_seen {
                order.push(mount);
                continue;
            }
            waiting.push((mount, true));
            let over = self.over(mount).filter(|over| over.id != mount.id);
            let is_over = |child: &&&Mount| over.is_some_and(|over| over.id == child.id);
            let children = self.children(mount.id);
            waiting.extend(children.iter().rev().filter(|child| !is_over(child)).map(|child| (*child, false)));
            waiting.extend(over.map(|over| (over, false)));
        }
        order
    }

    /// The mount that all others are on (`mnt_table_get_root_fs()`).
    pub(crate) fn root(&self) -> Option<&Mount> {
        let mut root = self.mounts.iter().min_by_key(|mount| mount.parent)?;
        for _ in &self.mounts {
            match self.mounts.iter().find(|mount| mount.id == root.parent) {
                Some(parent) if parent.id != root.id => root = parent,
                _ => break,
            }
        }
        Some(root)
    }
}

/// Whether a source is a tag, such as `LABEL=x`.
pub(crate) fn is_tag(source: &[u8]) -> bool {
    const TAGS: [&[u8]; 5] = [b"LABEL", b"UUID", b"PARTLABEL", b"PARTUUID", b"ID"];
    let mut parts = source.splitn(2, |byte| *byte == b'=');
    let name = parts.next().unwrap_or_default();
    parts.next().is_some() && TAGS.contains(&name)
}

/// Whether filesystems of a type have no device, nor anything else, behind them (`mnt_fstype_is_pseudofs()`).
pub(crate) fn is_pseudo(kind: &[u8]) -> bool {
    const PSEUDO: [&[u8]; 55] = [
        b"anon_inodefs",
        b"apparmorfs",
        b"autofs",
        b"bdev",
        b"binder",
        b"binfmt_misc",
        b"bpf",
        b"cgroup",
        b"cgroup2",
        b"configfs",
        b"cpuset",
        b"debugfs",
        b"devfs",
        b"devpts",
        b"devtmpfs",
        b"dlmfs",
        b"dmabuf",
        b"drm",
        b"efivarfs",
        b"fuse",
        b"fuse.archivemount",
        b"fuse.avfsd",
        b"fuse.dumpfs",
        b"fuse.encfs",
        b"fuse.gvfs-fuse-daemon",
        b"fuse.gvfsd-fuse",
        b"fuse.lxcfs",
        b"fuse.rofiles-fuse",
        b"fuse.vmware-vmblock",
        b"fuse.xwmfs",
        b"fusectl",
        b"hugetlbfs",
        b"ipathfs",
        b"mqueue",
        b"nfsd",
        b"none",
        b"nsfs",
        b"overlay",
        b"pipefs",
        b"proc",
        b"pstore",
        b"ramfs",
        b"resctrl",
        b"rootfs",
        b"rpc_pipefs",
        b"securityfs",
        b"selinuxfs",
        b"smackfs",
        b"sockfs",
        b"spufs",
        b"sysfs",
        b"tmpfs",
        b"tracefs",
        b"vboxsf",
        b"virtiofs",
    ];
    PSEUDO.contains(&kind)
}

/// Whether filesystems of a type are on a network (`mnt_fstype_is_netfs()`).
pub(crate) fn is_network(kind: &[u8]) -> bool {
    const NETWORK: [&[u8]; 8] =
        [b"cifs", b"smb3", b"smbfs", b"afs", b"ncpfs", b"glusterfs", b"fuse.curlftpfs", b"fuse.sshfs"];
    NETWORK.contains(&kind) || kind.starts_with(b"nfs") || kind.starts_with(b"9p")
}

/// Whether the source of a filesystem of a type is a path.
pub(crate) fn has_device(kind: &[u8]) -> bool {
    !is_pseudo(kind) && !is_network(kind) && kind != b"swap"
}

/// Whether libmount knows a filesystem by its number (`mnt_statfs_get_fstype()`); of those that a simulated kernel has.
pub(crate) fn is_known_magic(magic: u64) -> bool {
    /// autofs, btrfs, cgroup, configfs, debugfs, devpts, ext2 and its successors, f2fs, fuse, hugetlbfs, vfat, mqueue, pipefs,
    /// proc, ramfs, securityfs, squashfs, sysfs, tmpfs, xfs, bdev, binfmt_misc, iso9660, nfs, 9p, selinuxfs, pstore.
    const KNOWN: [u64; 27] = [
        0x0187,
        0x9123_683e,
        0x0027_e0eb,
        0x6265_6570,
        0x6462_6720,
        0x1cd1,
        0xef53,
        0xf2f5_2010,
        0x6573_5546,
        0x9584_58f6,
        0x4d44,
        0x1980_0202,
        0x5049_5045,
        0x9fa0,
        0x8584_58f6,
        0x7363_6673,
        0x7371_7368,
        0x6265_6572,
        0x0102_1994,
        0x5846_5342,
        0x6264_6576,
        0x4249_4e4d,
        0x9660,
        0x6969,
        0x0102_1997,
        0xf97c_ff8c,
        0x6165_676c,
    ];
    KNOWN.contains(&magic)
}

/// Whether a type is in a list of types, all of which, or single ones, can be negated with `no` (`match_fstype()`).
pub(crate) fn type_matches(kind: &[u8], pattern: &[u8]) -> bool {
    let (is_negated, pattern) = match pattern.strip_prefix(b"no") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    for item in pattern.split(|byte| *byte == b',') {
        if item.strip_prefix(b"no").is_some_and(|item| item.eq_ignore_ascii_case(kind)) {
            return false;
        }
        if item.eq_ignore_ascii_case(kind) {
            return !is_negated;
        }
    }
    is_negated
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("tmpfs", "tmpfs", true)]
    #[case("tmpfs", "proc,tmpfs", true)]
    #[case("tmpfs", "notmpfs", false)]
    #[case("proc", "notmpfs", true)]
    #[case("proc", "notmpfs,proc", false)]
    #[case("proc", "tmpfs,noproc", false)]
    #[case("proc", "tmpfs", false)]
    fn lists_of_types(#[case] kind: &str, #[case] pattern: &str, #[case] expected: bool) {
        assert_eq!(type_matches(kind.as_bytes(), pattern.as_bytes()), expected);
    }

    #[rstest]
    #[case("rw,relatime", "rw,size=1k", "rw,relatime,size=1k")]
    #[case("ro,relatime", "rw", "ro,relatime")]
    #[case("rw", "ro", "ro")]
    #[case("rw", "rw", "rw")]
    fn options_of_mount_and_filesystem(#[case] vfs: &str, #[case] fs: &str, #[case] expected: &str) {
        let mount = Mount {
            id: 1,
            parent: 1,
            device: (0, 1),
            root: vec![],
            target: vec![],
            vfs_options: vfs.into(),
            fs_options: fs.into(),
            optional_fields: vec![],
            kind: vec![],
            source: vec![],
        };
        assert_eq!(String::from_utf8(mount.options()).unwrap(), expected);
    }
}
