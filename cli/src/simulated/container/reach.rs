//! What the program can read and write: every path that it finds is tried.

use std::collections::BTreeMap;

use cofferdam::kernel::{AtFlags, Bytes, DeviceNumber, Errno, Fd, FileType, Kernel, Mode, NodeMode, OpenFlags, Stat};
use cofferdam::mountinfo::Table;
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_vfs_sim::Process;

use super::super::session::Begun;
use super::open;

/// A name that nobody has.
const PROBE: &str = ".cofferdam-probe";

/// What a program reaches.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Reach {
    /// By mount, in the order of the table; those that nothing was found of are left out.
    pub(in super::super) areas: Vec<Area>,
    /// Devices, and what opening them gives.
    pub(in super::super) devices: Vec<Device>,
    /// Files that are the null device: what is there is not seen.
    pub(in super::super) masked_files: Vec<UnixPathBuf>,
    /// What it may not even read.
    pub(in super::super) refused: Vec<(UnixPathBuf, Errno)>,
    /// The processes that proc shows.
    pub(in super::super) processes: Vec<String>,
}

/// A mount, and what a program reaches of it.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Area {
    /// The mount point, as mountinfo writes it.
    pub(in super::super) mountpoint: String,
    /// How many directories there are.
    pub(in super::super) directories: usize,
    /// Those in which files can be made.
    pub(in super::super) writable_directories: Vec<UnixPathBuf>,
    pub(in super::super) files: Tally,
    /// The number of its names, whatever they are.
    pub(in super::super) names: usize,
}

/// How many files there are, and how many of them can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Tally {
    pub(in super::super) all: usize,
    pub(in super::super) writable: usize,
}

/// A device node.
#[derive(Clone, Debug)]
pub(in super::super) struct Device {
    pub(in super::super) path: UnixPathBuf,
    pub(in super::super) opened: Result<(), Errno>,
}

impl Tally {
    fn count(&mut self, is_writable: bool) {
        self.all += 1;
        self.writable += usize::from(is_writable);
    }
}

impl Area {
    /// Whether anything in it can be changed.
    pub(in super::super) fn is_writable(&self) -> bool {
        !self.writable_directories.is_empty() || self.files.writable > 0
    }

    /// Whether there is anything but a device in it.
    pub(in super::super) fn is_seen(&self) -> bool {
        self.directories + self.files.all > 0
    }

    /// Whether it is a directory in which nothing is, and nothing can be.
    pub(in super::super) fn is_barren(&self) -> bool {
        self.names == 0 && self.directories > 0 && !self.is_writable()
    }
}

impl Reach {
    /// That of a program, whose mount table is given; none if its process has ended.
    pub(in super::super) fn of(begun: &Begun, table: &Table<'_>) -> Option<Self> {
        let mut walk = Walk { process: begun.process()?, areas: BTreeMap::new(), reach: Self::default() };
        walk.walk();
        let Walk { mut areas, mut reach, .. } = walk;
        for entry in table.entries() {
            if let Some(area) = areas.remove(&u64::from(entry.id())) {
                let mountpoint = String::from_utf8_lossy(entry.mountpoint_raw()).into_owned();
                reach.areas.push(Area { mountpoint, ..area });
            }
        }
        Some(reach)
    }
}

struct Walk {
    process: Process,
    areas: BTreeMap<u64, Area>,
    reach: Reach,
}

impl Walk {
    fn walk(&mut self) {
        let mut directories = vec![UnixPathBuf::from("/")];
        while let Some(directory) = directories.pop() {
            let Ok(stat) = self.stat(&directory) else { continue };
            let names = match self.names(&directory) {
                Ok(names) => names,
                Err(errno) => {
                    self.reach.refused.push((directory.clone(), errno));
                    Vec::new()
                }
            };
            let is_writable = self.can_make_files(&directory);
            let area = self.areas.entry(stat.mount_id).or_default();
            area.directories += 1;
            if is_writable {
                area.writable_directories.push(directory.clone());
            }
            area.names += names.len();
            // The last is looked at first.
            for name in names.into_iter().rev() {
                let path = directory.join(name);
                match self.stat(&path) {
                    Ok(stat) if stat.file_type == FileType::Directory => directories.push(path),
                    Ok(stat) => self.look_at(path, stat),
                    Err(errno) => self.reach.refused.push((path, errno)),
                }
            }
        }
        self.reach.devices.sort_by(|a, b| a.path.cmp(&b.path));
        self.reach.masked_files.sort();
        // What is the kernel's own last.
        self.reach.refused.sort_by_key(|(path, _)| (path.starts_with("/proc"), path.clone()));
    }

    fn stat(&self, path: &UnixPath) -> Result<Stat, Errno> {
        self.process.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    /// The names in a directory. Of the directories of processes only the numbers are noted.
    fn names(&mut self, directory: &UnixPath) -> Result<Vec<UnixPathBuf>, Errno> {
        let opened = open(&self.process, directory, OpenFlags::O_DIRECTORY)?;
        let mut names = Vec::new();
        loop {
            let entries = self.process.getdents64(opened.fd())?;
            if entries.is_empty() {
                break;
            }
            names.extend(
                entries.into_iter().map(|entry| entry.name).filter(|name| !matches!(&name.0[..], b"." | b"..")),
            );
        }
        if directory.as_bytes() == b"/proc" {
            let is_number = |name: &Bytes| name.0.iter().all(u8::is_ascii_digit);
            let processes = names.iter().filter(|name| is_number(name));
            self.reach.processes = processes.map(|name| String::from_utf8_lossy(&name.0).into_owned()).collect();
            names.retain(|name| !is_number(name));
        }
        Ok(names.into_iter().map(|name| name.as_path().to_path_buf()).collect())
    }

    /// A file is made, and removed again.
    fn can_make_files(&self, directory: &UnixPath) -> bool {
        let path = directory.join(PROBE);
        let node = NodeMode { file_type: FileType::Regular, mode: Mode(0o600) };
        let made = self.process.mknodat(Fd::CWD, &path, node, DeviceNumber::NONE).is_ok();
        // On a copy of the kernel nobody minds if it stays.
        let _ = self.process.unlinkat(Fd::CWD, &path, AtFlags::empty());
        made
    }

    /// Anything but a directory.
    fn look_at(&mut self, path: UnixPathBuf, stat: Stat) {
        let try_to_open = |flags| open(&self.process, &path, flags | OpenFlags::O_NONBLOCK).map(drop);
        let area = self.areas.entry(stat.mount_id).or_default();
        match stat.file_type {
            FileType::CharacterDevice if stat.rdev == DeviceNumber::NULL && !path.starts_with("/dev") => {
                self.reach.masked_files.push(path);
            }
            FileType::CharacterDevice | FileType::BlockDevice => {
                let opened = try_to_open(OpenFlags::O_RDWR);
                self.reach.devices.push(Device { path, opened });
            }
            FileType::Regular => {
                let read = try_to_open(OpenFlags::empty());
                area.files.count(is_written(&self.process, &path));
                if let Err(errno) = read {
                    self.reach.refused.push((path, errno));
                }
            }
            _ => {}
        }
    }
}

/// Something is written to a file. Many of proc can be opened for writing by root, and refuse what is written.
fn is_written(process: &Process, path: &UnixPath) -> bool {
    let opened = open(process, path, OpenFlags::O_WRONLY | OpenFlags::O_NONBLOCK);
    opened.is_ok_and(|opened| process.write(opened.fd(), b"0").is_ok())
}
