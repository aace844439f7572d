//! Noting what is asked about files that are not known, and answers.

use cofferdam::kernel::Errno;
use imbl::OrdSet;

use super::{File, FileKind, Place, kind_of};
use crate::arena::Id;
use crate::filesystem::{Dentry, FilesystemType, Name, SuperBlock};
use crate::linux::Linux;

/// What was asked that a table of mounts does not tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// What is there: nothing, as far as is known.
    Name(Place),
    /// What is in the directory: it was listed, or would have had to be empty.
    Listing(Place),
    /// What proc has at this path, which begins at its root: kernels differ. What is in the root itself is not asked for.
    InProc(String),
}

/// What is asked, as a kernel notes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Questions {
    filesystems: OrdSet<Id<SuperBlock>>,
    asked: OrdSet<Question>,
}

impl Linux {
    /// Begins to note what is asked about the files of those filesystems that there are now. To be called before a process does
    /// anything. Of proc only [what is below its root's entries](Question::InProc) is asked for, wherever it is mounted.
    pub fn note_questions(&mut self) {
        let is_told = |superblock: &SuperBlock| {
            !superblock.is_internal && !matches!(superblock.filesystem, FilesystemType::Proc | FilesystemType::Devpts)
        };
        let filesystems = self.superblocks.iter().filter(|(_, object)| is_told(object)).map(|(id, _)| id).collect();
        self.questions = Some(Box::new(Questions { filesystems, asked: OrdSet::new() }));
    }

    /// What was asked since [`note_questions`](Self::note_questions).
    pub fn questions(&self) -> impl Iterator<Item = &Question> {
        self.questions.iter().flat_map(|questions| &questions.asked)
    }

    /// The files that were made without anybody knowing that they are there: what sysfs has, and the directories on the way to
    /// mounts, of which neither owner nor permissions are known. To be called after
    /// [`note_questions`](Self::note_questions), before a process does anything; those above come first.
    pub fn assumed_files(&self) -> Vec<Place> {
        let noted = |superblock: &Id<SuperBlock>| {
            self.questions.as_ref().is_some_and(|questions| questions.filesystems.contains(superblock))
        };
        let mut found = Vec::new();
        for (_, object) in self.superblocks.iter().filter(|(id, _)| noted(id)) {
            let mut left = vec![object.root];
            while let Some(dentry) = left.pop() {
                found.push(self.place_on_disk(dentry));
                left.extend(self.dentries[dentry].children.values());
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// Tells what is at a place: a file, or nothing. What is known to be a directory, or to be none, stays that, and so does
    /// what is mounted on. Nothing is in the way of it: neither permissions, nor a filesystem that is read-only or full.
    ///
    /// # Errors
    ///
    /// `ENODEV`: no such filesystem. `ENOENT`: the directory that it is in is not there. `ENOTDIR`: it is no directory.
    pub fn tell(&mut self, place: &Place, file: Option<&File>) -> Result<(), Errno> {
        let superblock = self.filesystem(place.filesystem).ok_or(Errno::ENODEV)?;
        let names: Vec<&[u8]> = place.path.0.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        let mut dentry = self.superblocks[superblock].root;
        let Some((last, above)) = names.split_last() else {
            file.inspect(|file| self.adopt(dentry, file));
            return Ok(());
        };
        for name in above {
            dentry = self.child(dentry, name).ok_or(Errno::ENOENT)?;
            if !self.is_directory(dentry) {
                return Err(Errno::ENOTDIR);
            }
        }
        match (self.child(dentry, last), file) {
            (Some(known), Some(file)) => self.adopt(known, file),
            (Some(known), None) if self.is_plain(known) => {
                self.remove_links(known);
                if self.is_directory(known) {
                    self.drop_link(self.dentries[dentry].inode);
                }
                self.drop_name(known);
            }
            (None, Some(file)) => self.add(dentry, last, file),
            (Some(_) | None, None) => {}
        }
        Ok(())
    }

    /// Whether nothing is in a directory or mounted on it.
    fn is_plain(&self, dentry: Id<Dentry>) -> bool {
        let object = &self.dentries[dentry];
        object.children.is_empty() && object.mounts.is_empty() && object.pins == 0
    }

    /// A file that is there is such a one, unless one of the two is a directory, and the other one is not.
    fn adopt(&mut self, dentry: Id<Dentry>, file: &File) {
        let inode = self.dentries[dentry].inode;
        let object = &self.inodes[inode];
        let (superblock, is_directory) = (object.superblock, object.is_directory());
        if is_directory != matches!(file.kind, FileKind::Directory) {
            return;
        }
        let kind = kind_of(file);
        let used = self.superblocks[superblock].used_pages.saturating_sub(object.kind.pages());
        self.superblocks[superblock].used_pages = used.saturating_add(kind.pages());
        let object = &mut self.inodes[inode];
        (object.kind, object.mode, object.uid, object.gid) = (kind, file.mode.0, file.uid, file.gid);
    }

    fn add(&mut self, directory: Id<Dentry>, name: &[u8], file: &File) {
        if let FileKind::Directory = file.kind {
            let above = self.dentries[directory].inode;
            self.inodes[above].links += 1;
        }
        let superblock = self.dentries[directory].superblock;
        let inode = self.new_inode(superblock, kind_of(file), file.mode.0, (file.uid, file.gid));
        self.new_dentry(directory, Name::from(name), inode);
    }

    /// A name was looked up that is not known.
    pub(crate) fn ask_for_name(&mut self, directory: Id<Dentry>, name: &[u8]) {
        if let Some(mut place) = self.noted_place(directory) {
            if place.path.0 != b"/" {
                place.path.0.push(b'/');
            }
            place.path.0.extend_from_slice(name);
            self.ask(Question::Name(place));
        }
    }

    /// Somebody wants to know what is in a directory.
    pub(crate) fn ask_for_listing(&mut self, directory: Id<Dentry>) {
        if let Some(place) = self.noted_place(directory) {
            self.ask(Question::Listing(place));
        }
    }

    pub(crate) fn ask(&mut self, question: Question) {
        if let Some(questions) = &mut self.questions {
            questions.asked.insert(question);
        }
    }

    /// Where a directory is, if what is asked about it is noted.
    fn noted_place(&self, directory: Id<Dentry>) -> Option<Place> {
        let superblock = self.dentries[directory].superblock;
        let questions = self.questions.as_ref()?;
        questions.filesystems.contains(&superblock).then(|| self.place_on_disk(directory))
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::UnixPath;
    use cofferdam::kernel::{AtFlags, Bytes, DeviceNumber, Fd, FileType, Kernel as _, Mode, OpenFlags, OpenHow};

    use super::*;
    use crate::Process;

    const TABLE: &[u8] = b"29 1 8:2 / / rw - ext4 /dev/sda2 rw\n\
                           30 29 0:20 / /sys rw - sysfs sysfs rw\n\
                           36 29 8:2 /data /srv/www rw - ext4 /dev/sda2 rw\n";

    fn device(major: u32, minor: u32) -> DeviceNumber {
        DeviceNumber { major, minor }
    }

    /// A place on the filesystem that is mounted somewhere.
    fn place_on(linux: &Linux, device: DeviceNumber, path: &str) -> Place {
        let (_, superblock) = linux.superblocks.iter().find(|(_, object)| object.device == device).unwrap();
        Place { filesystem: superblock.serial, path: path.into() }
    }

    fn place(path: &str) -> Place {
        place_on(&linux(), device(8, 2), path)
    }

    fn linux() -> Linux {
        let mut linux = Linux::from_mountinfo(TABLE).unwrap();
        linux.note_questions();
        linux
    }

    fn asked(process: &Process) -> Vec<Question> {
        process.linux().questions().cloned().collect()
    }

    fn file(kind: FileKind) -> File {
        File { kind, mode: Mode(0o750), uid: 7, gid: 8 }
    }

    #[test]
    fn what_is_not_known_is_asked_by_the_place_on_the_disk() {
        let process = Process::init(linux());
        let stat = |path| process.statx(Fd::CWD, UnixPath::new(path), AtFlags::empty()).map(|_| ());
        assert_eq!(stat("/srv/www"), Ok(()));
        assert_eq!(asked(&process), []);
        assert_eq!(stat("/srv/www/index/html"), Err(Errno::ENOENT));
        assert_eq!(process.mkdirat(Fd::CWD, UnixPath::new("/new"), Mode(0o755)), Ok(()));
        let expected = [Question::Name(place("/data/index")), Question::Name(place("/new"))];
        assert_eq!(asked(&process), expected);
        // A name of proc is known not to be there, and one below a new mount is nobody's.
        assert_eq!(stat("/proc"), Err(Errno::ENOENT));
        assert_eq!(asked(&process).len(), 3);
    }

    #[test]
    fn a_list_is_asked_for_and_so_is_whether_a_directory_is_empty() {
        let process = Process::init(linux());
        let how = OpenHow { flags: OpenFlags::O_DIRECTORY, ..OpenHow::default() };
        let directory = process.openat2(Fd::CWD, UnixPath::new("/srv"), how).unwrap();
        process.getdents64(directory).unwrap();
        assert_eq!(asked(&process), [Question::Listing(place("/srv"))]);
        process.mkdirat(Fd::CWD, UnixPath::new("/a"), Mode(0o755)).unwrap();
        process.unlinkat(Fd::CWD, UnixPath::new("/a"), AtFlags::AT_REMOVEDIR).unwrap();
        assert!(asked(&process).contains(&Question::Listing(place("/a"))));
    }

    #[test]
    fn what_is_told_is_there() {
        let mut linux = linux();
        linux.tell(&place("/data/index"), Some(&file(FileKind::Directory))).unwrap();
        linux.tell(&place("/data/index/html"), Some(&file(FileKind::Regular("before".into())))).unwrap();
        linux.tell(&place("/data/link"), Some(&file(FileKind::Symlink("index/html".into())))).unwrap();
        linux.tell(&place("/srv"), Some(&file(FileKind::Directory))).unwrap();
        linux.tell(&place("/srv/www"), Some(&file(FileKind::Fifo))).unwrap();
        linux.tell(&place("/data/index/html"), Some(&file(FileKind::Regular("hello".into())))).unwrap();
        linux.check().unwrap();
        let process = Process::init(linux);
        let fd = process.openat2(Fd::CWD, UnixPath::new("/srv/www/link"), OpenHow::default()).unwrap();
        assert_eq!(process.read(fd, 9), Ok("hello".into()));
        let stat = process.statx(Fd::CWD, UnixPath::new("/srv"), AtFlags::empty()).unwrap();
        assert_eq!((stat.file_type, stat.mode, stat.uid, stat.gid), (FileType::Directory, Mode(0o750), 7, 8));
        assert_eq!(asked(&process), []);
    }

    #[test]
    fn what_is_told_not_to_be_there_is_gone_unless_it_is_mounted_on() {
        let mut linux = linux();
        let other = linux.clone();
        let sysfs = |path: &str| place_on(&other, device(0, 20), path);
        assert!(linux.assumed_files().contains(&sysfs("/firmware/acpi")));
        for place in [sysfs("/firmware/acpi"), sysfs("/firmware/memmap"), sysfs("/firmware"), place("/srv/www")] {
            linux.tell(&place, None).unwrap();
        }
        linux.check().unwrap();
        let process = Process::init(linux);
        let stat = |path| process.statx(Fd::CWD, UnixPath::new(path), AtFlags::empty()).map(|_| ());
        assert_eq!(stat("/sys/firmware"), Err(Errno::ENOENT));
        assert_eq!(stat("/sys/kernel"), Ok(()));
        assert_eq!(stat("/srv/www"), Ok(()));
    }

    #[test]
    fn what_can_not_be_told() {
        let mut linux = linux();
        let nowhere = Place { filesystem: 4711, path: "/x".into() };
        let directory = file(FileKind::Directory);
        assert_eq!(linux.tell(&nowhere, Some(&directory)), Err(Errno::ENODEV));
        assert_eq!((linux.device_of(&nowhere), linux.device_of(&place("/"))), (None, Some(device(8, 2))));
        assert_eq!(linux.tell(&place("/a/b"), Some(&directory)), Err(Errno::ENOENT));
        linux.tell(&place("/f"), Some(&file(FileKind::Regular(Bytes::default())))).unwrap();
        assert_eq!(linux.tell(&place("/f/b"), Some(&directory)), Err(Errno::ENOTDIR));
    }
}
