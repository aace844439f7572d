//! How much of a filesystem in memory is used, and how much there can be (`mm/shmem.c`).

use super::{FilesystemType, Inode, InodeKind, Parameters, SuperBlock, TmpfsLimits};
use crate::arena::Id;
use crate::failure::{Failure, fail};
use crate::linux::Linux;

/// Targets from this length on take a page; shorter ones are kept in the inode (`SHORT_SYMLINK_LEN`, with the NUL).
const LONG_TARGET: usize = 128;

/// How many bytes an inode counts for where inodes and their attributes share their room (`BOGO_INODE_SIZE`).
const INODE_SIZE: u64 = 1024;

impl SuperBlock {
    /// How many bytes inodes and their attributes take.
    fn inode_space(&self) -> u64 {
        self.used_inodes.saturating_mul(INODE_SIZE).saturating_add(self.used_by_marks)
    }

    /// How many bytes there are for more of them, if there may be so many inodes (`free_ispace` of tmpfs).
    fn free_inode_space(&self, limit: u64) -> u64 {
        limit.wrapping_mul(INODE_SIZE).saturating_sub(self.inode_space())
    }

    /// How many more inodes there can be, if there may be so many.
    pub(crate) fn free_inodes(&self, limit: u64) -> u64 {
        self.free_inode_space(limit) / INODE_SIZE
    }

    /// Whether what there is would be too much, if there may be so many inodes.
    pub(super) fn exceeds_inodes(&self, limit: u64) -> bool {
        limit.wrapping_mul(INODE_SIZE) < self.inode_space()
    }
}

impl InodeKind {
    /// How many pages the content takes.
    pub(crate) fn pages(&self) -> u64 {
        match self {
            Self::Regular(content) => content.pages(),
            Self::Symlink(target) => u64::from(target.as_bytes().len() >= LONG_TARGET),
            _ => 0,
        }
    }
}

impl Inode {
    /// How many inodes it counts for: further names of a file count (`shmem_link()`).
    pub(crate) fn counted_inodes(&self) -> u64 {
        if self.is_directory() { 1 } else { u64::from(self.links.max(1)) }
    }
}

impl Linux {
    /// What a filesystem can hold; none for those that have no limits.
    pub(crate) fn limits(&self, superblock: Id<SuperBlock>) -> Option<TmpfsLimits> {
        let object = &self.superblocks[superblock];
        match (&object.parameters, &object.filesystem) {
            (Parameters::Tmpfs(parameters), _) => Some(parameters.limits(self.memory_pages)),
            (_, FilesystemType::Rootfs | FilesystemType::Tmpfs) => Some(TmpfsLimits::default_of(self.memory_pages)),
            _ => None,
        }
    }

    /// Whether there can be one more inode, or one more name of a file: `ENOSPC` (`shmem_reserve_inode()`).
    ///
    /// Message queues are not simulated: nobody may have one, as with an `RLIMIT_MSGQUEUE` of 0 (`mqueue_get_inode()`).
    pub(crate) fn has_free_inode(&self, superblock: Id<SuperBlock>) -> Result<(), Failure> {
        match &self.superblocks[superblock] {
            SuperBlock { filesystem: FilesystemType::Mqueue, is_orphan: true, .. } => {
                return Err(fail!(
                    EACCES,
                    "mqueue_create_attr()",
                    "the IPC namespace of the mqueue filesystem is gone"
                ));
            }
            SuperBlock { filesystem: FilesystemType::Mqueue, .. } => {
                return Err(fail!(
                    EMFILE,
                    "mqueue_get_inode()",
                    "the process may have no message queues (RLIMIT_MSGQUEUE): they are not simulated"
                ));
            }
            _ => {}
        }
        let limit = self.limits(superblock).map_or(0, |limits| limits.inodes);
        let is_full = limit > 0 && self.superblocks[superblock].free_inodes(limit) == 0;
        if is_full {
            return Err(fail!(
                ENOSPC,
                "shmem_reserve_inode()",
                "the filesystem has as many inodes and names of files as it may have (nr_inodes)"
            ));
        }
        Ok(())
    }

    /// Whether there is room for attributes of so many bytes: `ENOSPC` (`shmem_xattr_handler_set()`).
    pub(super) fn has_room_for_marks(&self, superblock: Id<SuperBlock>, bytes: u64) -> Result<(), Failure> {
        let limit = self.limits(superblock).map_or(0, |limits| limits.inodes);
        let is_full = limit > 0 && self.superblocks[superblock].free_inode_space(limit) < bytes;
        if is_full {
            return Err(fail!(
                ENOSPC,
                "shmem_xattr_handler_set()",
                "the filesystem has no room for extended attributes beside its inodes (nr_inodes)"
            ));
        }
        Ok(())
    }

    /// How many more pages there can be.
    pub(crate) fn free_pages(&self, superblock: Id<SuperBlock>) -> u64 {
        match self.limits(superblock) {
            // Counted with a sign (`percpu_counter_limited_add()`).
            Some(TmpfsLimits { blocks, .. }) if i64::try_from(blocks).is_err() => 0,
            Some(TmpfsLimits { blocks, .. }) if blocks > 0 => {
                blocks.saturating_sub(self.superblocks[superblock].used_pages)
            }
            _ => u64::MAX,
        }
    }

    /// Changes what is in an inode, and counts its pages anew (`shmem_recalc_inode()`).
    pub(crate) fn change_content<T>(&mut self, inode: Id<Inode>, change: impl FnOnce(&mut InodeKind) -> T) -> T {
        let object = &mut self.inodes[inode];
        let before = object.kind.pages();
        let result = change(&mut object.kind);
        let after = object.kind.pages();
        let superblock = &mut self.superblocks[object.superblock];
        superblock.used_pages = superblock.used_pages.saturating_add(after).saturating_sub(before);
        result
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::UnixPath;
    use cofferdam::kernel::{
        AtFlags, DeviceNumber, Errno, Fd, FileType, Kernel, Mode, MountFlags, NodeMode, OpenFlags, OpenHow, RenameFlags,
    };
    use rstest::rstest;

    use crate::{Linux, Process};

    fn path(path: &str) -> &UnixPath {
        UnixPath::new(path)
    }

    /// A machine with one mebibyte of memory, and a tmpfs on /m.
    fn machine(options: &str) -> Process {
        let process = Process::init(Linux::with_memory(1 << 20));
        process.mkdirat(Fd::CWD, path("/m"), Mode(0o755)).unwrap();
        mount(&process, MountFlags::empty(), options).unwrap();
        process
    }

    fn mount(process: &Process, flags: MountFlags, options: &str) -> Result<(), Errno> {
        process.mount(None, path("/m"), Some(b"tmpfs"), flags, Some(options.as_bytes()))
    }

    fn touch(process: &Process, name: &str) -> Result<(), Errno> {
        let mode = NodeMode { file_type: FileType::Regular, mode: Mode(0o666) };
        process.mknodat(Fd::CWD, path(name), mode, DeviceNumber::NONE)
    }

    fn create(process: &Process, name: &str, flags: OpenFlags) -> Result<Fd, Errno> {
        let how = OpenHow { flags: flags | OpenFlags::O_RDWR, mode: Mode(0o600), ..OpenHow::default() };
        process.openat2(Fd::CWD, path(name), how)
    }

    fn symlink(process: &Process, length: usize, name: &str) -> Result<(), Errno> {
        process.symlinkat(path(&"x".repeat(length)), Fd::CWD, path(name))
    }

    fn link(process: &Process, old: &str, new: &str) -> Result<(), Errno> {
        process.linkat(Fd::CWD, path(old), Fd::CWD, path(new), AtFlags::empty())
    }

    fn unlink(process: &Process, name: &str) {
        process.unlinkat(Fd::CWD, path(name), AtFlags::empty()).unwrap();
    }

    /// Free pages and inodes; the data must hang together.
    fn free(process: &Process) -> (u64, u64) {
        assert_eq!(process.linux().check(), Ok(()));
        let stat = process.statfs(path("/m")).unwrap();
        assert!(stat.free_blocks == stat.available_blocks && stat.free_files <= stat.files);
        (stat.free_blocks, stat.free_files)
    }

    #[rstest]
    #[case::half_of_the_memory("", (128, 127))]
    #[case::part_of_the_memory("size=10%,nr_inodes=7", (26, 6))]
    #[case::rounded_up("size=4097", (2, 127))]
    #[case::without_a_limit("nr_blocks=0,nr_inodes=0", (0, 0))]
    fn what_is_free_at_first(#[case] options: &str, #[case] expected: (u64, u64)) {
        assert_eq!(free(&machine(options)), expected);
    }

    #[test]
    fn every_inode_and_every_further_name_counts() {
        let process = machine("nr_inodes=4");
        touch(&process, "/m/a").unwrap();
        link(&process, "/m/a", "/m/b").unwrap();
        symlink(&process, 1, "/m/s").unwrap();
        assert_eq!(free(&process).1, 0);
        assert_eq!(touch(&process, "/m/c"), Err(Errno::ENOSPC));
        assert_eq!(process.mkdirat(Fd::CWD, path("/m/c"), Mode(0)), Err(Errno::ENOSPC));
        assert_eq!(create(&process, "/m/c", OpenFlags::O_CREAT), Err(Errno::ENOSPC));
        assert_eq!(link(&process, "/m/a", "/m/c"), Err(Errno::ENOSPC));
        let whiteout = process.renameat2(Fd::CWD, path("/m/a"), Fd::CWD, path("/m/s"), RenameFlags::RENAME_WHITEOUT);
        assert_eq!(whiteout, Err(Errno::ENOSPC));
        unlink(&process, "/m/a");
        assert_eq!(free(&process).1, 1);
        assert_eq!(touch(&process, "/m/c"), Ok(()));
    }

    #[test]
    fn a_file_that_is_open_keeps_its_inode_and_its_pages() {
        let process = machine("size=12k,nr_inodes=2");
        let fd = create(&process, "/m/f", OpenFlags::O_CREAT).unwrap();
        assert_eq!(process.write(fd, &[1; 5000]), Ok(5000));
        unlink(&process, "/m/f");
        assert_eq!(free(&process), (1, 0));
        assert_eq!(touch(&process, "/m/g"), Err(Errno::ENOSPC));
        process.close(fd).unwrap();
        assert_eq!(free(&process), (3, 1));
    }

    #[test]
    fn what_fits_is_written() {
        let process = machine("size=12k");
        let fd = create(&process, "/m/f", OpenFlags::O_CREAT).unwrap();
        assert_eq!(process.write(fd, &[1; 15_000]), Ok(12_288));
        assert_eq!(process.write(fd, b"x"), Err(Errno::ENOSPC));
        // A page goes with the last byte in it.
        process.ftruncate(fd, 4097).unwrap();
        assert_eq!(free(&process).0, 1);
        process.ftruncate(fd, 4096).unwrap();
        assert_eq!(free(&process).0, 2);
        // A hole takes nothing.
        process.ftruncate(fd, 1 << 40).unwrap();
        assert_eq!(free(&process).0, 2);
        create(&process, "/m/f", OpenFlags::O_CREAT | OpenFlags::O_TRUNC).unwrap();
        assert_eq!(free(&process).0, 3);
    }

    #[test]
    fn a_long_target_takes_a_page() {
        let process = machine("size=4k,nr_inodes=4");
        symlink(&process, 127, "/m/short").unwrap();
        assert_eq!(free(&process), (1, 2));
        symlink(&process, 128, "/m/long").unwrap();
        assert_eq!(free(&process), (0, 1));
        assert_eq!(symlink(&process, 128, "/m/other"), Err(Errno::ENOSPC));
        assert_eq!(free(&process), (0, 1));
        unlink(&process, "/m/long");
        assert_eq!(free(&process), (1, 2));
    }

    #[test]
    fn a_file_without_a_name_counts_once() {
        const NAMELESS: OpenFlags = OpenFlags::from_bits_retain(0o20_200_000);
        let process = machine("nr_inodes=2");
        let fd = create(&process, "/m", NAMELESS).unwrap();
        assert_eq!(free(&process).1, 0);
        process.linkat(fd, path(""), Fd::CWD, path("/m/f"), AtFlags::AT_EMPTY_PATH).unwrap();
        process.close(fd).unwrap();
        assert_eq!(free(&process).1, 0);
        unlink(&process, "/m/f");
        let fd = create(&process, "/m", NAMELESS | OpenFlags::O_EXCL).unwrap();
        let named = process.linkat(fd, path(""), Fd::CWD, path("/m/f"), AtFlags::AT_EMPTY_PATH);
        assert_eq!(named, Err(Errno::ENOENT));
    }

    #[rstest]
    #[case::fewer_pages_than_are_used("size=4k", Err(Errno::EINVAL))]
    #[case::fewer_inodes_than_are_used("nr_inodes=2", Err(Errno::EINVAL))]
    #[case::as_many_as_are_used("size=8k,nr_inodes=3", Ok((0, 0)))]
    #[case::more("size=16k", Ok((2, 1)))]
    #[case::no_limit("size=0,nr_inodes=0", Ok((0, 0)))]
    fn limits_can_be_changed(#[case] options: &str, #[case] expected: Result<(u64, u64), Errno>) {
        let process = machine("size=12k,nr_inodes=4");
        let fd = create(&process, "/m/f", OpenFlags::O_CREAT).unwrap();
        process.write(fd, &[1; 5000]).unwrap();
        link(&process, "/m/f", "/m/g").unwrap();
        let result = mount(&process, MountFlags::MS_REMOUNT, options);
        assert_eq!(result.map(|()| free(&process)), expected);
        assert_eq!(result.is_err(), free(&process) == (1, 1));
    }

    #[test]
    fn what_has_no_limit_gets_none() {
        let process = machine("size=0");
        assert_eq!(mount(&process, MountFlags::MS_REMOUNT, "size=1g"), Err(Errno::EINVAL));
        assert_eq!(mount(&process, MountFlags::MS_REMOUNT, "nr_inodes=20"), Ok(()));
    }
}
