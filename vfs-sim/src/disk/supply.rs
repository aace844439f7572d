//! Files that are found to be missing on the way, and supplied.

use cofferdam::kernel::{Bytes, Errno, Fd, FileType};

use super::{File, FileKind, Place, content_of, kind_of};
use crate::arena::Id;
use crate::failure::Failure;
use crate::filesystem::{Dentry, Entry, FilesystemType, InodeKind, Name, ProcEntry};
use crate::linux::Linux;
use crate::process::Task;
use crate::walk::{End, LookupFlags};

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// To a file.
    Found {
        /// Where it is.
        place: Place,
        /// What it is.
        file_type: FileType,
    },
    /// To nothing: this is the first thing on the way that is missing.
    Missing {
        /// Where it would be.
        place: Place,
        /// Whether it is the last name of the path, and of the symbolic links on the way.
        is_last: bool,
        /// Whether it can be supplied: not what is a process's in proc.
        can_be_supplied: bool,
    },
    /// To nothing: this should be a directory, and is none.
    NotADirectory(Place),
}

/// A file can't be supplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SupplyError {
    /// The filesystem is gone.
    #[error("there is no such filesystem any more")]
    NoFilesystem,
    /// The directory is not there.
    #[error("the directory that it is in is not there")]
    NoDirectory,
    /// There is such a name.
    #[error("there is a file of that name")]
    Exists,
    /// Something is in it, or mounted on it.
    #[error("something is in it, or mounted on it")]
    InUse,
    /// What is in the filesystem is up to the kernel.
    #[error("what is in the filesystem is up to the kernel")]
    OfTheKernel,
}

impl Linux {
    /// Where a path leads from where a process is, whatever the permissions. Nothing changes by that.
    ///
    /// # Errors
    ///
    /// Those of a walk, such as `ELOOP`; `ESRCH` if there is no such process.
    pub fn locate(&self, task: Id<Task>, dirfd: Fd, path: &[u8], follow: bool) -> Result<Location, Errno> {
        if !self.is_running(task) {
            return Err(Errno::ESRCH);
        }
        let flags = if follow { LookupFlags::FOLLOW } else { LookupFlags::empty() } | LookupFlags::EMPTY;
        let mut copy = self.clone();
        Ok(match copy.walk_with_all_privileges(task, dirfd, path, flags).map_err(Failure::errno)? {
            End::At(dentry) => {
                let file_type = copy.inodes[copy.dentries[dentry].inode].file_type();
                Location::Found { place: copy.place_on_disk(dentry), file_type }
            }
            End::NotADirectory(dentry) => Location::NotADirectory(copy.place_on_disk(dentry)),
            End::Missing { directory, name, is_last } => {
                let mut place = copy.place_on_disk(directory);
                if place.path.0 != b"/" {
                    place.path.0.push(b'/');
                }
                place.path.0.extend_from_slice(name.as_bytes());
                let can_be_supplied = copy.takes(directory, name.as_bytes());
                Location::Missing { place, is_last, can_be_supplied }
            }
        })
    }

    /// Makes a file that has been there all the time.
    ///
    /// # Errors
    ///
    /// If the place is none where that could be.
    pub fn supply(&mut self, place: &Place, file: &File) -> Result<(), SupplyError> {
        let (parent, name) = match place.path.0.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => place.path.0.split_at(slash),
            None => return Err(SupplyError::NoDirectory),
        };
        let name = name.strip_prefix(b"/").unwrap_or(name);
        let directory = self.dentry_at(place.filesystem, parent)?;
        if name.is_empty() || self.child(directory, name).is_some() {
            return Err(SupplyError::Exists);
        }
        if !self.takes(directory, name) {
            return Err(SupplyError::OfTheKernel);
        }
        let superblock = self.dentries[directory].superblock;
        let inode = self.new_inode(superblock, kind_of(file), file.mode.0, (file.uid, file.gid));
        if file.kind == FileKind::Directory {
            let above = self.dentries[directory].inode;
            self.inodes[above].links += 1;
        }
        self.new_dentry(directory, Name::from(name), inode);
        Ok(())
    }

    /// Takes a file away that was supplied, as somebody might do of whom nothing else is known.
    ///
    /// # Errors
    ///
    /// If it is not there, or something is in it.
    pub fn withdraw(&mut self, place: &Place) -> Result<(), SupplyError> {
        let dentry = self.dentry_at(place.filesystem, &place.path.0)?;
        let object = &self.dentries[dentry];
        let (inode, parent) = (object.inode, object.parent);
        if !object.children.is_empty() || !object.mounts.is_empty() {
            return Err(SupplyError::InUse);
        }
        if parent == dentry || !self.takes(parent, object.name.as_bytes()) {
            return Err(SupplyError::OfTheKernel);
        }
        let is_directory = self.inodes[inode].is_directory();
        self.remove_links(dentry);
        if is_directory {
            let above = self.dentries[parent].inode;
            self.drop_link(above);
        }
        self.drop_name(dentry);
        Ok(())
    }

    /// Gives a regular file another content, as if it had always had it, whoever has it open.
    ///
    /// # Errors
    ///
    /// If there is no such file.
    pub fn supply_content(&mut self, place: &Place, content: &Bytes) -> Result<(), SupplyError> {
        let dentry = self.dentry_at(place.filesystem, &place.path.0)?;
        let inode = self.content_inode(self.dentries[dentry].inode);
        match &mut self.inodes[inode].kind {
            InodeKind::Regular(old) => {
                *old = content_of(content);
                Ok(())
            }
            _ => Err(SupplyError::NoDirectory),
        }
    }

    /// Gives a symbolic link another target, as if it had always had it.
    ///
    /// # Errors
    ///
    /// If there is no such link.
    pub fn supply_target(&mut self, place: &Place, target: &Bytes) -> Result<(), SupplyError> {
        let dentry = self.dentry_at(place.filesystem, &place.path.0)?;
        let inode = self.dentries[dentry].inode;
        match &mut self.inodes[inode].kind {
            InodeKind::Symlink(old) => {
                *old = Name::from(&target.0[..]);
                Ok(())
            }
            _ => Err(SupplyError::NoDirectory),
        }
    }

    fn dentry_at(&mut self, filesystem: u64, path: &[u8]) -> Result<Id<Dentry>, SupplyError> {
        let superblock = self.filesystem(filesystem).ok_or(SupplyError::NoFilesystem)?;
        let mut dentry = self.superblocks[superblock].root;
        for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            // What proc has is made when somebody looks for it.
            let found = match self.find_in_proc(self.init, dentry, name) {
                Some(found) => found.ok(),
                None => self.child(dentry, name),
            };
            dentry = found.ok_or(SupplyError::NoDirectory)?;
        }
        Ok(dentry)
    }

    /// Whether there can be anything by a name in a directory. In proc there are processes, and there is what is theirs.
    fn takes(&self, directory: Id<Dentry>, name: &[u8]) -> bool {
        let dentry = &self.dentries[directory];
        let inode = &self.inodes[dentry.inode];
        let is_open = match self.superblocks[dentry.superblock].filesystem {
            FilesystemType::Proc => {
                let is_general = matches!(inode.entry, Entry::None | Entry::Proc(ProcEntry::Directory(_)));
                is_general && !name.iter().all(u8::is_ascii_digit)
            }
            FilesystemType::Overlay | FilesystemType::Nsfs | FilesystemType::Pipefs | FilesystemType::AnonInodeFs => {
                false
            }
            _ => inode.entry != Entry::EmptyDirectory,
        };
        is_open && inode.is_directory() && !inode.is_dead
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::UnixPath;
    use cofferdam::kernel::{Kernel as _, Mode, MountFlags};

    use super::*;
    use crate::{PROGRAM, Process};

    fn file(kind: FileKind) -> File {
        File { kind, mode: Mode(0o755), uid: 0, gid: 0 }
    }

    fn missing(linux: &Linux, path: &str) -> (Place, bool, bool) {
        match linux.locate(linux.init(), Fd::CWD, path.as_bytes(), true).unwrap() {
            Location::Missing { place, is_last, can_be_supplied } => (place, is_last, can_be_supplied),
            other => panic!("{path}: {other:?}"),
        }
    }

    /// A machine whose root is read-only, with a link to nowhere.
    fn machine() -> Linux {
        let text = b"29 1 8:2 / / ro,relatime - ext4 /dev/sda2 rw\n36 29 0:31 / /proc rw - proc proc rw\n";
        let mut linux = Linux::from_mountinfo(text).unwrap();
        let (place, ..) = missing(&linux, "/lib");
        linux.supply(&place, &file(FileKind::Symlink("usr/lib".into()))).unwrap();
        linux
    }

    #[test]
    fn what_is_missing_is_found_behind_links_and_can_be_supplied_step_by_step() {
        let mut linux = machine();
        let mut seen = Vec::new();
        while let Location::Missing { place, is_last, can_be_supplied } =
            linux.locate(linux.init(), Fd::CWD, b"/lib/program", true).unwrap()
        {
            assert!(can_be_supplied);
            seen.push((place.path.to_string(), is_last));
            let kind = if is_last { FileKind::Regular(PROGRAM.into()) } else { FileKind::Directory };
            linux.supply(&place, &file(kind)).unwrap();
            linux.check().unwrap();
        }
        let expected = [("\"/usr\"", false), ("\"/usr/lib\"", false), ("\"/usr/lib/program\"", true)];
        assert_eq!(seen, expected.map(|(path, is_last)| (path.to_owned(), is_last)));
        let process = Process::init(linux);
        assert_eq!(process.execve(UnixPath::new("/lib/program"), &[], &[]), Ok(()));
    }

    #[test]
    fn looking_changes_nothing_and_needs_no_permission() {
        let linux = machine();
        let before = linux.clone();
        assert!(missing(&linux, "/usr").1);
        assert!(linux.is_unchanged_since(&before));
    }

    #[test]
    fn of_proc_there_is_what_processes_have_and_more_can_be_supplied() {
        let mut linux = machine();
        for path in ["/proc/4711", "/proc/self/nothing", "/proc/self/ns/nothing"] {
            let (place, is_last, can_be_supplied) = missing(&linux, path);
            assert!(is_last && !can_be_supplied, "{path}");
            assert_eq!(linux.supply(&place, &file(FileKind::Directory)), Err(SupplyError::OfTheKernel));
        }
        for path in ["/proc/sys/kernel/random", "/proc/sys/kernel/random/boot_id"] {
            let (place, is_last, can_be_supplied) = missing(&linux, path);
            assert!(is_last && can_be_supplied, "{path}");
            linux.supply(&place, &file(FileKind::Directory)).unwrap();
            linux.check().unwrap();
        }
        let process = Process::init(linux);
        let boot_id = UnixPath::new("/proc/sys/kernel/random/boot_id");
        process.mount(None, boot_id, Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
        process.linux().check().unwrap();
    }

    #[test]
    fn a_place_is_one_of_a_filesystem_wherever_that_is_mounted() {
        let mut linux = machine();
        let (place, ..) = missing(&linux, "/data");
        linux.supply(&place, &file(FileKind::Directory)).unwrap();
        assert_eq!(linux.supply(&place, &file(FileKind::Directory)), Err(SupplyError::Exists));
        let (place, ..) = missing(&linux, "/data/file");
        let process = Process::init(linux);
        let data = UnixPath::new("/data");
        process.mount(None, data, Some(b"tmpfs"), MountFlags::empty(), None).unwrap();
        process.linux().supply(&place, &file(FileKind::Fifo)).unwrap();
        let found = process.linux().locate(process.task(), Fd::CWD, b"/data/file", true).unwrap();
        assert!(matches!(found, Location::Missing { .. }), "{found:?}");
        process.umount2(data, cofferdam::kernel::UmountFlags::empty()).unwrap();
        let found = process.linux().locate(process.task(), Fd::CWD, b"/data/file", true).unwrap();
        assert_eq!(found, Location::Found { place, file_type: FileType::Fifo });
        process.linux().check().unwrap();
    }

    #[test]
    fn what_was_supplied_can_be_withdrawn() {
        let mut linux = machine();
        let before = missing(&linux, "/data").0;
        linux.supply(&before, &file(FileKind::Directory)).unwrap();
        let inner = missing(&linux, "/data/file").0;
        linux.supply(&inner, &file(FileKind::Regular("x".into()))).unwrap();
        assert_eq!(linux.withdraw(&before), Err(SupplyError::InUse));
        for place in [&inner, &before] {
            linux.withdraw(place).unwrap();
            linux.check().unwrap();
            assert_eq!(linux.withdraw(place), Err(SupplyError::NoDirectory));
        }
        assert_eq!(missing(&linux, "/data").0, before);
    }

    #[test]
    fn the_target_of_a_link_can_be_known_later() {
        let mut linux = machine();
        let Ok(Location::Found { place, file_type: FileType::Symlink }) =
            linux.locate(linux.init(), Fd::CWD, b"/lib", false)
        else {
            panic!("there is a link")
        };
        linux.supply_target(&place, &"proc".into()).unwrap();
        let found = linux.locate(linux.init(), Fd::CWD, b"/lib", true).unwrap();
        assert!(matches!(found, Location::Found { file_type: FileType::Directory, .. }), "{found:?}");
        let process = Process::init(linux);
        assert_eq!(process.readlinkat(Fd::CWD, UnixPath::new("/lib")), Ok("proc".into()));
    }

    #[test]
    fn what_is_no_directory_is_told() {
        let mut linux = machine();
        let (place, ..) = missing(&linux, "/file");
        linux.supply(&place, &file(FileKind::Regular("x".into()))).unwrap();
        let located = linux.locate(linux.init(), Fd::CWD, b"/file/below", true).unwrap();
        assert_eq!(located, Location::NotADirectory(place));
    }
}
