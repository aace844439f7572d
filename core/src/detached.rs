//! Mounts that are attached nowhere yet.
//!
//! A mount is made detached, given its attributes, and attached at a descriptor: no path is resolved twice, and nothing is
//! ever visible before it is as it should be.

use typed_path::{UnixPath, UnixPathBuf};

use crate::error::{CallError, Doing};
use crate::kernel::{
    AtFlags, Bytes, Descriptor, Errno, Fd, FsConfig, FsmountFlags, FsopenFlags, Kernel, MountAttr, MountAttrFlags,
    MountFlags, MoveMountFlags, OpenTreeFlags,
};
use crate::root::{descriptor_path, itself};

/// A mount that is attached nowhere. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct DetachedMount<'k> {
    kernel: &'k dyn Kernel,
    descriptor: Descriptor<'k>,
}

impl<'k> DetachedMount<'k> {
    /// A copy of the mount that an open file is in, with that file as its root; with all that is mounted below it if it is
    /// recursive. `path` is for messages, here and below. The attributes are those of all mounts in the copy.
    pub(crate) fn copy_of(
        kernel: &'k dyn Kernel,
        opened: Fd,
        path: &UnixPath,
        recursive: bool,
        attr: &MountAttr,
    ) -> Result<Self, CallError> {
        Self::copy(kernel, (opened, itself(), OpenTreeFlags::AT_EMPTY_PATH), path, recursive, attr)
    }

    /// The same of what is at a path that is trusted: symbolic links in it are followed.
    pub(crate) fn copy_at(
        kernel: &'k dyn Kernel,
        path: &UnixPath,
        recursive: bool,
        attr: &MountAttr,
    ) -> Result<Self, CallError> {
        Self::copy(kernel, (Fd::CWD, path, OpenTreeFlags::empty()), path, recursive, attr)
    }

    /// In one call, if the kernel has it: it was Linux 6.15 that brought open_tree_attr(2).
    fn copy(
        kernel: &'k dyn Kernel,
        (directory, relative, flags): (Fd, &UnixPath, OpenTreeFlags),
        path: &UnixPath,
        recursive: bool,
        attr: &MountAttr,
    ) -> Result<Self, CallError> {
        let mut flags = flags | OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        if recursive {
            flags |= OpenTreeFlags::AT_RECURSIVE;
        }
        let of = |fd| Self { kernel, descriptor: Descriptor::new(kernel, fd) };
        if *attr != MountAttr::default()
            && let Ok(mount) = kernel.open_tree_attr(directory, relative, flags, attr)
        {
            return Ok(of(mount));
        }
        // Which of the two it is that fails, and why, is told by the older calls.
        let mount = kernel.open_tree(directory, relative, flags).doing("bind", path).map(of).map_err(|error| {
            match error.errno {
                Errno::EINVAL => error.with_hint("is it on a mount that is unbindable, or of another mount namespace?"),
                _ => error,
            }
        })?;
        mount.set_attributes(attr, path, recursive)?;
        Ok(mount)
    }

    /// Its root.
    pub(crate) fn fd(&self) -> Fd {
        self.descriptor.fd()
    }

    /// A mount of a new filesystem, configured as by mount(2) with these flags and options.
    pub(crate) fn filesystem(
        kernel: &'k dyn Kernel,
        filesystem_type: &Bytes,
        source: &Bytes,
        flags: MountFlags,
        options: Option<&Bytes>,
        path: &UnixPath,
    ) -> Result<Self, CallError> {
        let context = kernel
            .fsopen(&filesystem_type.0, FsopenFlags::FSOPEN_CLOEXEC)
            .doing("open a filesystem of its type for", path)
            .map_err(|error| match error.errno {
                Errno::ENODEV => error.with_hint(format!("this kernel has no filesystem type {filesystem_type}")),
                _ => error,
            })?;
        let context = Descriptor::new(kernel, context);
        let configure = |config: FsConfig| {
            kernel.fsconfig(context.fd(), &config).doing("configure the filesystem for", path).map_err(|error| {
                match config {
                    FsConfig::SetFlag { key } => error.with_hint(format!("option {key}")),
                    FsConfig::SetString { key, value } => error.with_hint(format!("option {key} with value {value}")),
                    _ => error,
                }
            })
        };
        configure(FsConfig::SetString { key: "source".into(), value: source.clone() })?;
        for (flag, key) in SUPERBLOCK_FLAGS {
            if flags.contains(flag) {
                configure(FsConfig::SetFlag { key: key.into() })?;
            }
        }
        for option in options.iter().flat_map(|options| options.0.split(|byte| *byte == b',')) {
            if option.is_empty() {
                continue;
            }
            configure(match option.iter().position(|byte| *byte == b'=') {
                None => FsConfig::SetFlag { key: option.into() },
                Some(equals) => {
                    FsConfig::SetString { key: option[..equals].into(), value: option[equals + 1..].into() }
                }
            })?;
        }
        configure(FsConfig::Create)?;
        let mount = kernel
            .fsmount(context.fd(), FsmountFlags::FSMOUNT_CLOEXEC, attributes(flags).attr_set)
            .doing("mount the filesystem for", path)?;
        Ok(Self { kernel, descriptor: Descriptor::new(kernel, mount) })
    }

    /// Changes attributes or propagation; of all mounts in the copy if it is recursive.
    pub(crate) fn set_attributes(&self, attr: &MountAttr, path: &UnixPath, recursive: bool) -> Result<(), CallError> {
        if *attr == MountAttr::default() {
            return Ok(());
        }
        let below = if recursive { AtFlags::AT_RECURSIVE } else { AtFlags::empty() };
        self.kernel
            .mount_setattr(self.descriptor.fd(), itself(), AtFlags::AT_EMPTY_PATH | below, attr)
            .doing("set the mount attributes of", path)
    }

    /// A path to its root, for this thread.
    pub(crate) fn path(&self) -> UnixPathBuf {
        descriptor_path(self.descriptor.fd())
    }

    /// Attaches it on an open file or directory.
    pub(crate) fn attach(self, mountpoint: Fd, path: &UnixPath) -> Result<Descriptor<'k>, CallError> {
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
        self.kernel
            .move_mount(self.descriptor.fd(), itself(), mountpoint, itself(), flags)
            .doing("mount on", path)
            .map_err(|error| match error.errno {
                // A file on a directory, as fs/namespace.c, do_move_mount() has it.
                Errno::ENOTDIR | Errno::EINVAL => {
                    error.with_hint("a directory can be mounted on a directory only, a file on a file only")
                }
                _ => error,
            })?;
        Ok(self.descriptor)
    }
}

/// Flags of mount(2) that are parameters of the filesystem rather than attributes of the mount, or both.
const SUPERBLOCK_FLAGS: [(MountFlags, &str); 4] = [
    (MountFlags::MS_RDONLY, "ro"),
    (MountFlags::MS_SYNCHRONOUS, "sync"),
    (MountFlags::MS_DIRSYNC, "dirsync"),
    (MountFlags::MS_LAZYTIME, "lazytime"),
];

/// The flags of mount(2) that are attributes of a mount, in the terms of mount_setattr(2).
pub(crate) fn attributes(flags: MountFlags) -> MountAttr {
    const SIMPLE: [(MountFlags, MountAttrFlags); 6] = [
        (MountFlags::MS_RDONLY, MountAttrFlags::MOUNT_ATTR_RDONLY),
        (MountFlags::MS_NOSUID, MountAttrFlags::MOUNT_ATTR_NOSUID),
        (MountFlags::MS_NODEV, MountAttrFlags::MOUNT_ATTR_NODEV),
        (MountFlags::MS_NOEXEC, MountAttrFlags::MOUNT_ATTR_NOEXEC),
        (MountFlags::MS_NODIRATIME, MountAttrFlags::MOUNT_ATTR_NODIRATIME),
        (MountFlags::MS_NOSYMFOLLOW, MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW),
    ];
    let mut attr = MountAttr::default();
    for (flag, attribute) in SIMPLE {
        if flags.contains(flag) {
            attr.attr_set |= attribute;
        }
    }
    if flags.intersects(MountFlags::MS_NOATIME | MountFlags::MS_STRICTATIME | MountFlags::MS_RELATIME) {
        attr.attr_clr |= MountAttrFlags::MOUNT_ATTR__ATIME;
    }
    // The order of precedence in mount(2): fs/namespace.c, path_mount().
    if flags.contains(MountFlags::MS_STRICTATIME) {
        attr.attr_set |= MountAttrFlags::MOUNT_ATTR_STRICTATIME;
    } else if flags.contains(MountFlags::MS_NOATIME) {
        attr.attr_set |= MountAttrFlags::MOUNT_ATTR_NOATIME;
    }
    attr
}
