//! Opening what is no file with content: devices, fifos, sockets.

use cofferdam::kernel::{DeviceNumber, FileType, OpenFlags};

use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::filesystem::{FilesystemType, Inode, InodeKind};
use crate::linux::Linux;
use crate::mount::Path;
use crate::process::WOULD_WAIT;

impl Linux {
    /// What the driver or the filesystem behind an inode says when it is opened (`f_op->open`).
    pub(super) fn open_inode(&self, path: Path, flags: OpenFlags) -> Result<(), Failure> {
        let inode = self.dentries[path.dentry].inode;
        match &self.inodes[inode].kind {
            InodeKind::Regular(_) | InodeKind::Directory => {}
            InodeKind::CharacterDevice(device) => self.open_character_device(path, *device)?,
            InodeKind::BlockDevice(device) => open_block_device(*device)?,
            InodeKind::Fifo => self.open_fifo(inode, flags)?,
            InodeKind::Anonymous | InodeKind::Socket | InodeKind::Symlink(_) => {
                return Err(fail!(ENXIO, "no_open()", "the file is of a kind that can't be opened, such as a socket"));
            }
        }
        Ok(())
    }

    fn is_pipe(&self, inode: Id<Inode>) -> bool {
        matches!(self.superblocks[self.inodes[inode].superblock].filesystem, FilesystemType::Pipefs)
    }

    /// Whether an inode takes `O_DIRECT` (`FMODE_CAN_ODIRECT`).
    pub(crate) fn can_bypass_cache(&self, inode: Id<Inode>) -> bool {
        let object = &self.inodes[inode];
        let filesystem = &self.superblocks[object.superblock].filesystem;
        object.file_type() == FileType::Regular
            && matches!(
                filesystem,
                FilesystemType::Rootfs
                    | FilesystemType::Tmpfs
                    | FilesystemType::Devtmpfs
                    | FilesystemType::Overlay
                    | FilesystemType::Foreign(_)
            )
    }

    /// Opens an end of a fifo (`fifo_open()`): [`WOULD_WAIT`] as long as nobody has the other end open.
    fn open_fifo(&self, inode: Id<Inode>, flags: OpenFlags) -> Result<(), Failure> {
        let is_open = |is_end: fn(&crate::process::OpenFile) -> bool| {
            self.files.iter().any(|(_, file)| is_end(file) && self.dentries[file.path.dentry].inode == inode)
        };
        let waits = !flags.contains(OpenFlags::O_NONBLOCK);
        let is_pipe = self.is_pipe(inode);
        match flags.bits() & 0o3 {
            0 | 1 if is_pipe => Ok(()),
            0 if waits && !is_open(|file| file.can_write) => Err(WOULD_WAIT),
            1 if !is_open(|file| file.can_read) => Err(if waits {
                WOULD_WAIT
            } else {
                fail!(ENXIO, "fifo_open()", "O_NONBLOCK is given, and nobody has the fifo open for reading")
            }),
            3 => Err(fail!(EINVAL, "fifo_open()", "a fifo is opened for reading, for writing, or both")),
            _ => Ok(()),
        }
    }

    /// Opens a character device (`chrdev_open()`): those that a kernel for virtual machines has a driver for.
    fn open_character_device(&self, path: Path, device: DeviceNumber) -> Result<(), Failure> {
        const MISCELLANEOUS: [u32; 7] = [183, 200, 229, 232, 234, 235, 237];
        match (device.major, device.minor) {
            // null, zero, full, random, urandom, kmsg; virtual consoles and the first serial line; the console
            (1, 3 | 5 | 7 | 8 | 9 | 11) | (4, 0..=64) | (5, 1) => Ok(()),
            (5, 2) => self.find_terminals(path),
            (10, minor) if MISCELLANEOUS.contains(&minor) => Ok(()),
            (10, _) => Err(fail!(ENODEV, "misc_open()", "there is no driver for the minor number of the device")),
            (5, 0) => Err(fail!(ENXIO, "tty_open_current_tty()", "the process has no controlling terminal")),
            (1, _) => Err(fail!(ENXIO, "memory_open()", "there is no driver for the minor number of the device")),
            _ => Err(fail!(ENXIO, "chrdev_open()", "there is no driver for the number of the character device")),
        }
    }

    /// A ptmx outside of a devpts needs one that is mounted on `pts` beside it (`devpts_ptmx_path()`).
    fn find_terminals(&self, path: Path) -> Result<(), Failure> {
        let is_devpts = |place: Path| {
            matches!(self.superblocks[self.mounts[place.mount].superblock].filesystem, FilesystemType::Devpts)
        };
        if is_devpts(path) {
            return Ok(());
        }
        let parent = self.dentries[path.dentry].parent;
        let no_directory = fail!(ENOENT, "path_pts()", "there is no directory pts beside the ptmx");
        let dentry = self.child(parent, b"pts").ok_or(no_directory)?;
        let mut place = Path { mount: path.mount, dentry };
        while let Some(mount) = self.lookup_mount(place) {
            place = self.root_of(mount);
        }
        let is_root = place.dentry == self.superblocks[self.mounts[place.mount].superblock].root;
        let no_devpts =
            fail!(ENODEV, "devpts_ptmx_path()", "no devpts is mounted on the directory pts beside the ptmx");
        if is_devpts(place) && is_root { Ok(()) } else { Err(no_devpts) }
    }
}

/// Opens a block device (`blkdev_open()`): there are loop devices only.
fn open_block_device(device: DeviceNumber) -> Result<(), Failure> {
    let no_device = fail!(ENXIO, "blkdev_open()", "there is no block device with this number");
    if device.major == 7 { Ok(()) } else { Err(no_device) }
}
