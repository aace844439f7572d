//! The kernel as a value.

use cofferdam::kernel::{DeviceNumber, MountFlags};
use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use crate::arena::{Arena, Id};
use crate::disk::Questions;
use crate::failure::Failures;
use crate::filesystem::{
    Dentry, FilesystemType, FsContext, Inode, InternalMounts, Name, OverlayList, PAGE_SIZE, Parameters, Pipe,
    SuperBlock,
};
use crate::mount::{MntFlags, Mount, Path};
use crate::namespace::{self, IdExtent, MountNamespace, OtherNamespace, PidNamespace, UserNamespace};
use crate::pairs::Table;
use crate::process::{FdTable, FsState, OpenFile, Task};

/// Numbers that are given out lowest first, and again once they are free (`struct ida`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Numbers {
    pub(crate) next: u32,
    pub(crate) free: OrdSet<u32>,
}

impl Numbers {
    pub(crate) fn starting_at(first: u32) -> Self {
        Self { next: first, free: OrdSet::new() }
    }

    pub(crate) fn allocate(&mut self) -> u32 {
        if let Some(number) = self.free.remove_min() {
            return number;
        }
        self.next += 1;
        self.next - 1
    }

    pub(crate) fn release(&mut self, number: u32) {
        self.free.insert(number);
    }
}

/// A Linux kernel, as far as filesystems, mounts, namespaces and processes go: a plain value.
///
/// The same calls give the same state, ids and text, on every platform. A clone is a snapshot and cheap: it shares what
/// neither has changed since.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Linux {
    pub(crate) superblocks: Arena<SuperBlock>,
    pub(crate) inodes: Arena<Inode>,
    pub(crate) dentries: Arena<Dentry>,
    pub(crate) mounts: Arena<Mount>,
    /// The mount that a path walk finds on a dentry of a mount (`mount_hashtable`).
    #[serde(with = "crate::pairs")]
    pub(crate) mount_table: Table<(Id<Mount>, Id<Dentry>), Id<Mount>>,
    pub(crate) mount_namespaces: Arena<MountNamespace>,
    pub(crate) user_namespaces: Arena<UserNamespace>,
    pub(crate) pid_namespaces: Arena<PidNamespace>,
    pub(crate) other_namespaces: Arena<OtherNamespace>,
    pub(crate) contexts: Arena<FsContext>,
    pub(crate) files: Arena<OpenFile>,
    pub(crate) fd_tables: Arena<FdTable>,
    pub(crate) fs_states: Arena<FsState>,
    pub(crate) tasks: Arena<Task>,
    /// What is in pipes and fifos, as long as they are open (`i_pipe`).
    pub(crate) pipes: OrdMap<Id<Inode>, Pipe>,

    /// The lists of directories of overlays that are being read.
    pub(crate) overlay_lists: Arena<OverlayList>,

    pub(crate) mount_ids: Numbers,
    pub(crate) group_ids: Numbers,
    pub(crate) anonymous_devices: Numbers,
    pub(crate) last_unique_mount_id: u64,
    pub(crate) last_namespace_sequence: u64,
    pub(crate) next_namespace_inode: u64,
    pub(crate) last_task_serial: u64,
    pub(crate) last_superblock_serial: u64,
    /// What the last temporary name of an overlay was made of.
    pub(crate) last_temporary_name: u64,

    /// The mounts of the kernel's own.
    pub(crate) internal: InternalMounts,
    pub(crate) init: Id<Task>,
    pub(crate) initial_user_namespace: Id<UserNamespace>,
    pub(crate) initial_pid_namespace: Id<PidNamespace>,
    /// Whether a mount was ever locked to its parent: until then nobody needs to look for such ones.
    pub(crate) was_locked: bool,
    /// The sysctl fs.mount-max.
    pub(crate) mount_max: u32,
    /// The memory of the machine in pages (`totalram_pages()`): half of it is what a tmpfs may take.
    pub(crate) memory_pages: u64,
    /// Paths, from the root of proc on, at which there is nothing.
    #[serde(default)]
    pub(crate) missing_in_proc: OrdSet<String>,
    /// Such paths that this kernel has besides those of the simulation, and whether they are directories.
    #[serde(default)]
    pub(crate) further_in_proc: OrdMap<String, bool>,
    /// The superblocks of the types that are looked for (`fs_supers`).
    pub(crate) superblocks_by_type: OrdSet<(FilesystemType, Id<SuperBlock>)>,
    /// What is asked about files that are not known, if that is noted.
    #[serde(skip)]
    pub(crate) questions: Option<Box<Questions>>,
    /// Why calls failed.
    #[serde(skip)]
    pub(crate) failures: Failures,
}

impl Default for Linux {
    fn default() -> Self {
        Self::new()
    }
}

impl Linux {
    /// A machine that has booted: one process, init, with all privileges, whose root is an empty tmpfs, mounted on the
    /// rootfs as after switch_root(8). It has 8 GiB of memory.
    pub fn new() -> Self {
        Self::with_memory(8 << 30)
    }

    /// The same with so many bytes of memory, as sysinfo(2) tells: a tmpfs takes half of them if nothing else is said.
    pub fn with_memory(bytes: u64) -> Self {
        let mut user_namespaces = Arena::default();
        let all_ids = vec![IdExtent { inside: 0, outside: 0, count: u32::MAX }];
        let initial_user_namespace = user_namespaces.insert(UserNamespace {
            inode: 0xEFFF_FFFD,
            parent: None,
            level: 0,
            owner: 0,
            group: 0,
            uid_map: all_ids.clone(),
            gid_map: all_ids,
            setgroups_allowed: true,
            parent_could_setfcap: true,
            max_processes: u64::MAX,
            counts: imbl::OrdMap::new(),
            limits: namespace::Tally::all(63_353),
            references: 1,
        });
        let mut linux = Self {
            superblocks: Arena::default(),
            inodes: Arena::default(),
            dentries: Arena::default(),
            mounts: Arena::default(),
            mount_table: Table::default(),
            mount_namespaces: Arena::default(),
            user_namespaces,
            pid_namespaces: Arena::default(),
            other_namespaces: Arena::default(),
            contexts: Arena::default(),
            files: Arena::default(),
            fd_tables: Arena::default(),
            fs_states: Arena::default(),
            tasks: Arena::default(),
            pipes: OrdMap::new(),
            overlay_lists: Arena::default(),
            mount_ids: Numbers::starting_at(1),
            group_ids: Numbers::starting_at(1),
            anonymous_devices: Numbers::starting_at(1),
            last_unique_mount_id: 1 << 31,
            last_namespace_sequence: 0,
            next_namespace_inode: 0xF000_0000,
            last_task_serial: 0,
            last_superblock_serial: 0,
            last_temporary_name: 0,
            internal: InternalMounts::none(),
            init: Id::from_number(0),
            initial_user_namespace,
            initial_pid_namespace: Id::from_number(0),
            was_locked: false,
            mount_max: 100_000,
            memory_pages: bytes / PAGE_SIZE,
            missing_in_proc: OrdSet::new(),
            further_in_proc: OrdMap::new(),
            superblocks_by_type: OrdSet::new(),
            questions: None,
            failures: Failures::default(),
        };
        linux.boot();
        linux
    }

    fn boot(&mut self) {
        let rootfs = self.new_superblock(FilesystemType::Rootfs, self.initial_user_namespace);
        let below = self.new_mount(self.superblocks[rootfs].root, &Name::from("rootfs"));
        let tmpfs = self.new_superblock(FilesystemType::Tmpfs, self.initial_user_namespace);
        let root = self.new_mount(self.superblocks[tmpfs].root, &Name::from("root"));
        self.mounts[root].flags = MntFlags::RELATIME;
        let namespace = self.mount_namespaces.insert(MountNamespace {
            inode: 0xEFFF_FFF8,
            sequence: 0,
            origin: 0,
            is_anonymous: false,
            user_namespace: self.initial_user_namespace,
            creator: None,
            root: below,
            mounts: imbl::OrdMap::new(),
            count: 2,
            pending: 0,
            references: 2,
        });
        self.user_namespaces[self.initial_user_namespace].references += 1;
        self.last_namespace_sequence += 1;
        self.mount_namespaces[namespace].sequence = self.last_namespace_sequence;
        let mountpoint = self.mounts[below].root;
        self.attach(root, Path { mount: below, dentry: mountpoint });
        self.list_in_namespace(namespace, below);
        self.list_in_namespace(namespace, root);
        let path = Path { mount: root, dentry: self.mounts[root].root };
        self.path_get(path);
        self.path_get(path);
        let fs = self.fs_states.insert(FsState { references: 1, root: path, cwd: path, umask: 0o022 });
        let files = self.fd_tables.insert(FdTable { references: 1, ..FdTable::default() });
        self.init = self.new_init(namespace, fs, files);
        self.mount_internal_filesystems();
    }

    /// The first process.
    pub fn init(&self) -> Id<Task> {
        self.init
    }

    /// An anonymous device for a filesystem without one (`get_anon_bdev()`).
    pub(crate) fn anonymous_device(&mut self) -> DeviceNumber {
        DeviceNumber { major: 0, minor: self.anonymous_devices.allocate() }
    }

    /// A superblock with an empty root directory, which nothing uses yet.
    pub(crate) fn new_superblock(
        &mut self,
        filesystem: FilesystemType,
        user_namespace: Id<UserNamespace>,
    ) -> Id<SuperBlock> {
        let device = self.anonymous_device();
        self.user_namespaces[user_namespace].references += 1;
        self.last_superblock_serial += 1;
        let superblock = self.superblocks.insert(SuperBlock {
            serial: self.last_superblock_serial,
            filesystem: filesystem.clone(),
            device,
            flags: MountFlags::empty(),
            no_devices: false,
            no_programs: false,
            is_internal: false,
            root: Id::from_number(0),
            user_namespace,
            pid_namespace: None,
            active: 0,
            writers: 0,
            removed: 0,
            used_pages: 0,
            used_inodes: 0,
            used_by_marks: 0,
            next_inode: 1,
            kernel_namespace: None,
            is_orphan: false,
            parameters: Parameters::None,
            options: Vec::new(),
            overlay: None,
            written_mounts: OrdSet::new(),
        });
        if filesystem.is_looked_for() {
            self.superblocks_by_type.insert((filesystem, superblock));
        }
        let root = self.new_root_directory(superblock);
        self.superblocks[superblock].root = root;
        superblock
    }
}
