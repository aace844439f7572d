//! Superblocks as mount(2) and fsconfig(2) make, find and change them (`fs/super.c`).

use cofferdam::kernel::{DeviceNumber, Errno, Fd, MountFlags};

use super::{
    Dentry, FilesystemType, FsContext, InodeKind, Name, Parameters, ProcParameters, Purpose, SuperBlock,
    TmpfsParameters,
};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;
use crate::namespace::{OtherNamespace, UserNamespace};
use crate::process::Task;
use crate::walk::LookupFlags;

impl Linux {
    /// Makes the superblock that a context describes, or finds the one there is, and sets the context's root
    /// (`vfs_get_tree()`).
    pub(crate) fn get_tree(&mut self, task: Id<Task>, context: &mut FsContext) -> Result<(), Failure> {
        if context.root.is_some() {
            return Err(fail!(EBUSY, "vfs_get_tree()", "the filesystem context has made its superblock already"));
        }
        let superblock = match context.filesystem.clone() {
            FilesystemType::Sysfs => match self.instance_of(&FilesystemType::Sysfs, context.kernel_namespace) {
                Some(superblock) => Self::share(superblock, context)?,
                None => self.new_instance(task, context)?,
            },
            FilesystemType::Mqueue if context.is_exclusive => return Err(Self::refuse_sharing(context)),
            FilesystemType::Mqueue => {
                self.own_instance(&FilesystemType::Mqueue, context.kernel_namespace, context.user_namespace)
            }
            FilesystemType::Devtmpfs => self.own_instance(&FilesystemType::Devtmpfs, None, self.initial_user_namespace),
            FilesystemType::Foreign(_) => return self.find_device(task, context),
            _ => self.new_instance(task, context)?,
        };
        self.superblocks[superblock].active += 1;
        let root = self.superblocks[superblock].root;
        self.dentry_get(root);
        context.root = Some(root);
        Ok(())
    }

    /// The superblocks of a type that is looked for.
    pub(crate) fn superblocks_of(&self, filesystem: &FilesystemType) -> impl Iterator<Item = Id<SuperBlock>> {
        let of_number = |number| (filesystem.clone(), Id::from_number(number));
        self.superblocks_by_type.range(of_number(0)..=of_number(u32::MAX)).map(|(_, superblock)| *superblock)
    }

    /// A superblock of a type of which there is at most one for each namespace.
    fn instance_of(
        &self,
        filesystem: &FilesystemType,
        namespace: Option<Id<OtherNamespace>>,
    ) -> Option<Id<SuperBlock>> {
        // Of one of a host that was loaded it is not known.
        let is_it = |object: &SuperBlock| {
            !object.is_orphan && (object.kernel_namespace == namespace || object.kernel_namespace.is_none())
        };
        self.superblocks_of(filesystem).find(|superblock| is_it(&self.superblocks[*superblock]))
    }

    /// The one superblock of a type that the kernel itself keeps one of, or keeps one of for a namespace until that goes
    /// (`mq_init_ns()`); it is made when it is first asked for.
    fn own_instance(
        &mut self,
        filesystem: &FilesystemType,
        namespace: Option<Id<OtherNamespace>>,
        owner: Id<UserNamespace>,
    ) -> Id<SuperBlock> {
        if let Some(superblock) = self.instance_of(filesystem, namespace) {
            return superblock;
        }
        let superblock = self.new_superblock(filesystem.clone(), owner);
        self.superblocks[superblock].active += 1;
        self.superblocks[superblock].kernel_namespace = namespace;
        if *filesystem == FilesystemType::Devtmpfs {
            let credentials = self.tasks[self.init].credentials.clone();
            let parameters = Parameters::Tmpfs(TmpfsParameters::of_devtmpfs(&credentials, self.memory_pages));
            self.superblocks[superblock].parameters = parameters;
            self.fill_devtmpfs(superblock);
        } else {
            let maker = namespace.map_or((0, 0), |namespace| self.other_namespaces[namespace].maker);
            let root = self.root_inode(superblock);
            let inode = &mut self.inodes[root];
            inode.mode = 0o1777;
            (inode.uid, inode.gid) = maker;
            self.refuse_devices_and_programs(superblock);
        }
        superblock
    }

    /// What becomes of a context that finds a superblock (`share_extant_sb` in `sget_fc()`).
    fn share(superblock: Id<SuperBlock>, context: &mut FsContext) -> Result<Id<SuperBlock>, Failure> {
        if context.is_exclusive { Err(Self::refuse_sharing(context)) } else { Ok(superblock) }
    }

    fn refuse_sharing(context: &mut FsContext) -> Failure {
        let name = String::from_utf8_lossy(context.filesystem.name()).into_owned();
        context.log('w', &format!("{name}: reusing existing filesystem not allowed"));
        fail!(
            EBUSY,
            "sget_fc()",
            "there is such a filesystem already, and a new one is demanded (FSCONFIG_CMD_CREATE_EXCL)"
        )
    }

    /// A new superblock (`get_tree_nodev()`).
    fn new_instance(&mut self, task: Id<Task>, context: &mut FsContext) -> Result<Id<SuperBlock>, Failure> {
        let user_namespace = match context.filesystem {
            FilesystemType::Sysfs | FilesystemType::Pipefs => self.initial_user_namespace,
            _ => context.user_namespace,
        };
        let superblock = self.new_superblock(context.filesystem.clone(), user_namespace);
        let is_initial = user_namespace == self.initial_user_namespace;
        let object = &mut self.superblocks[superblock];
        object.flags = context.sb_flags;
        object.no_devices = !is_initial;
        object.kernel_namespace = context.kernel_namespace;
        if let Some(namespace) = context.kernel_namespace {
            self.other_namespaces[namespace].references += 1;
        }
        let parameters = std::mem::take(&mut context.parameters);
        let filled = self.fill_superblock(task, superblock, context, &parameters);
        context.parameters = parameters;
        if let Err(failure) = filled {
            self.superblocks[superblock].active += 1;
            self.superblock_put(superblock);
            return Err(failure);
        }
        Ok(superblock)
    }

    /// What the type makes of its new superblock (`fill_super()`).
    fn fill_superblock(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        context: &mut FsContext,
        parameters: &Parameters,
    ) -> Result<(), Failure> {
        let root = self.root_inode(superblock);
        let settled = match parameters {
            Parameters::Tmpfs(own) => {
                let inode = &mut self.inodes[root];
                (inode.mode, inode.uid, inode.gid) = (own.mode, own.uid, own.gid);
                parameters.clone()
            }
            Parameters::Ramfs(mode) => {
                let credentials = &self.tasks[task].credentials;
                let (uid, gid) = (credentials.filesystem_uid, credentials.filesystem_gid);
                let inode = &mut self.inodes[root];
                (inode.mode, inode.uid, inode.gid) = (*mode, uid, gid);
                parameters.clone()
            }
            Parameters::Proc(own) => {
                let mut settled = ProcParameters::default();
                if let Err((failure, message)) = self.apply_proc(task, context.purpose, &mut settled, own) {
                    context.log('e', message);
                    return Err(failure);
                }
                self.refuse_devices_and_programs(superblock);
                if let Some(namespace) = context.pid_namespace {
                    self.pid_namespaces[namespace].references += 1;
                    self.superblocks[superblock].pid_namespace = Some(namespace);
                }
                self.fill_proc(superblock);
                Parameters::Proc(settled)
            }
            Parameters::Devpts(own) => {
                self.superblocks[superblock].no_devices = false;
                self.fill_devpts(task, superblock, own.ptmx_mode);
                parameters.clone()
            }
            Parameters::Overlay(own) => {
                self.fill_overlay(task, superblock, context, own)?;
                Parameters::None
            }
            Parameters::None => {
                match context.filesystem {
                    FilesystemType::Sysfs => {
                        self.refuse_devices_and_programs(superblock);
                        self.fill_sysfs(superblock);
                    }
                    FilesystemType::Pipefs => self.superblocks[superblock].is_internal = true,
                    _ => {}
                }
                Parameters::None
            }
        };
        self.superblocks[superblock].parameters = settled;
        Ok(())
    }

    /// The inode of a filesystem's root.
    pub(super) fn root_inode(&self, superblock: Id<SuperBlock>) -> Id<super::Inode> {
        self.dentries[self.superblocks[superblock].root].inode
    }

    fn refuse_devices_and_programs(&mut self, superblock: Id<SuperBlock>) {
        let object = &mut self.superblocks[superblock];
        object.no_devices = true;
        object.no_programs = true;
    }

    /// The terminals' filesystem, with its own `ptmx` (`devpts_fill_super()`, `mknod_ptmx()`).
    fn fill_devpts(&mut self, task: Id<Task>, superblock: Id<SuperBlock>, mode: u32) {
        let credentials = &self.tasks[task].credentials;
        let owner = (credentials.filesystem_uid, credentials.filesystem_gid);
        let kind = InodeKind::CharacterDevice(DeviceNumber { major: 5, minor: 2 });
        let inode = self.new_inode(superblock, kind, mode, owner);
        let root = self.superblocks[superblock].root;
        self.new_dentry(root, Name::from("ptmx"), inode);
    }

    /// The way of a filesystem on a block device ends at its device (`get_tree_bdev()`, `lookup_bdev()`): there is none
    /// behind any node.
    fn find_device(&mut self, task: Id<Task>, context: &mut FsContext) -> Result<(), Failure> {
        let Some(source) = context.source.clone() else {
            context.log('e', "No source specified");
            return Err(fail!(
                EINVAL,
                "get_tree_bdev_flags()",
                "the filesystem type needs a block device as its source"
            ));
        };
        let failure = self.lookup_device(task, source.as_bytes());
        if !failure.is(Errno::ENXIO) {
            let source = String::from_utf8_lossy(source.as_bytes()).into_owned();
            context.log('e', &format!("{source}: Can't lookup blockdev"));
        }
        Err(failure)
    }

    fn lookup_device(&mut self, task: Id<Task>, source: &[u8]) -> Failure {
        if source.is_empty() {
            return fail!(EINVAL, "lookup_bdev()", "the path of the source is empty");
        }
        let path = match self.lookup(task, Fd::CWD, source, LookupFlags::FOLLOW) {
            Ok(path) => path,
            Err(failure) => return failure,
        };
        let inode = self.dentries[path.dentry].inode;
        if !matches!(self.inodes[inode].kind, InodeKind::BlockDevice(_)) {
            return fail!(ENOTBLK, "lookup_bdev()", "the source is no block device");
        }
        let mount = &self.mounts[path.mount];
        if mount.flags.contains(crate::mount::MntFlags::NODEV) {
            return fail!(EACCES, "may_open_dev()", "the mount that the source is on has the flag nodev");
        }
        if self.superblocks[mount.superblock].no_devices {
            return fail!(EACCES, "may_open_dev()", "devices can't be used from the filesystem that the source is on");
        }
        fail!(ENXIO, "bdev_file_open_by_dev()", "no device stands behind the source")
    }

    /// Changes the superblock of a context's root (`reconfigure_super()`).
    pub(crate) fn reconfigure(&mut self, task: Id<Task>, context: &mut FsContext) -> Result<(), Failure> {
        let changeable = MountFlags::MS_RDONLY
            | MountFlags::MS_SYNCHRONOUS
            | MountFlags::MS_MANDLOCK
            | MountFlags::MS_I_VERSION
            | MountFlags::MS_LAZYTIME;
        let root =
            context.root.ok_or(fail!(EINVAL, "reconfigure_super()", "the filesystem context has no superblock"))?;
        let superblock = self.dentries[root].superblock;
        if !changeable.contains(context.sb_flags_mask) {
            return Err(fail!(
                EINVAL,
                "reconfigure_super()",
                "a flag of the superblock is to be changed that can't be: not ro, sync, mand, iversion, lazytime"
            ));
        }
        if self.superblocks[superblock].overlay.is_some() {
            // `shrink_dcache_sb()`
            self.forget_entries(self.superblocks[superblock].root);
        }
        let is_written_to = self.is_written_to(superblock);
        let object = &self.superblocks[superblock];
        let becomes_readonly = (context.sb_flags_mask & context.sb_flags).contains(MountFlags::MS_RDONLY)
            && !object.flags.contains(MountFlags::MS_RDONLY);
        if becomes_readonly && object.removed > 0 {
            return Err(fail!(
                EBUSY,
                "sb_prepare_remount_readonly()",
                "the filesystem is to become read-only, and a file that was removed from it is in use"
            ));
        }
        if becomes_readonly && is_written_to {
            return Err(fail!(
                EBUSY,
                "sb_prepare_remount_readonly()",
                "the filesystem is to become read-only, and a file of it is open for writing"
            ));
        }
        self.reconfigure_parameters(task, superblock, context)?;
        let object = &mut self.superblocks[superblock];
        object.flags = object.flags.difference(context.sb_flags_mask) | (context.sb_flags & context.sb_flags_mask);
        Ok(())
    }

    /// What the type makes of a change.
    fn reconfigure_parameters(
        &mut self,
        task: Id<Task>,
        superblock: Id<SuperBlock>,
        context: &mut FsContext,
    ) -> Result<(), Failure> {
        let stays_readonly = context.sb_flags.contains(MountFlags::MS_RDONLY);
        if self.superblocks[superblock].overlay.is_some() && !stays_readonly && self.is_forced_readonly(superblock) {
            return Err(fail!(
                EROFS,
                "ovl_reconfigure()",
                "the overlay is to become writable, and has no upper layer or no directory for work"
            ));
        }
        let mut settled = self.superblocks[superblock].parameters.clone();
        match (&mut settled, &context.parameters) {
            (Parameters::Tmpfs(settled), Parameters::Tmpfs(new)) => {
                if let Err((failure, message)) = self.reconfigure_tmpfs(superblock, settled, new) {
                    let name = String::from_utf8_lossy(context.filesystem.name()).into_owned();
                    context.log('e', &format!("{name}: {message}"));
                    return Err(failure);
                }
            }
            (Parameters::Proc(settled), Parameters::Proc(new)) => {
                if let Err((failure, message)) = self.apply_proc(task, Purpose::Reconfigure, settled, new) {
                    context.log('e', message);
                    return Err(failure);
                }
            }
            (Parameters::Devpts(settled), Parameters::Devpts(new)) => {
                settled.clone_from(new);
                let mode = new.ptmx_mode;
                if let Some(ptmx) = self.ptmx_of(superblock) {
                    self.inodes[ptmx].mode = mode;
                }
            }
            _ => {}
        }
        self.superblocks[superblock].parameters = settled;
        Ok(())
    }

    fn ptmx_of(&self, superblock: Id<SuperBlock>) -> Option<Id<super::Inode>> {
        let root: Id<Dentry> = self.superblocks[superblock].root;
        let dentry = self.dentries[root].children.get(b"ptmx".as_slice())?;
        Some(self.dentries[*dentry].inode)
    }
}
