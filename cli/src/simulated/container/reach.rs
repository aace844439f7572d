//! What the program can read and write: every path that it finds is tried.

use std::collections::{BTreeMap, HashSet};

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
pub(crate) struct Reach {
    /// By mount, in the order of the table; those that nothing was found of are left out.
    pub(crate) areas: Vec<Area>,
    /// Devices, and what opening them gives.
    pub(crate) devices: Vec<Device>,
    /// Files that are the null device: what is there is not seen.
    pub(crate) masked_files: Vec<UnixPathBuf>,
    /// What it may not even read.
    pub(crate) refused: Vec<(UnixPathBuf, Errno)>,
    /// The processes that proc shows.
    pub(crate) processes: Vec<String>,
}

/// A mount, and what a program reaches of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Area {
    /// The mount point, as mountinfo writes it.
    pub(crate) mountpoint: String,
    /// How many directories there are.
    pub(crate) directories: usize,
    /// Those in which files can be made.
    pub(crate) writable_directories: Vec<UnixPathBuf>,
    pub(crate) files: Tally,
    /// The number of its names, whatever they are.
    pub(crate) names: usize,
    /// Whether only its root directory was tried: what is in it is not known.
    pub(crate) is_unknown: bool,
}

/// How many files there are, and how many of them can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) all: usize,
    pub(crate) writable: usize,
}

/// A device node.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) path: UnixPathBuf,
    pub(crate) opened: Result<(), Errno>,
}

impl Tally {
    fn count(&mut self, is_writable: bool) {
        self.all += 1;
        self.writable += usize::from(is_writable);
    }
}

impl Area {
    /// Whether anything in it can be changed.
    pub(crate) fn is_writable(&self) -> bool {
        !self.writable_directories.is_empty() || self.files.writable > 0
    }

    /// Whether there is anything but a device in it.
    pub(crate) fn is_seen(&self) -> bool {
        self.directories + self.files.all > 0
    }

    /// Whether it is a directory in which nothing is, and nothing can be.
    pub(crate) fn is_barren(&self) -> bool {
        self.names == 0 && self.directories > 0 && !self.is_writable() && !self.is_unknown
    }
}

impl Reach {
    /// That of a program, whose mount table is given; none if its process has ended. What is on `unknown` devices is not known:
    /// of their mounts only the root directory is tried.
    pub(crate) fn of(begun: &Begun, table: &Table<'_>, unknown: &HashSet<DeviceNumber>) -> Option<Self> {
        let (areas, reach) = (BTreeMap::new(), Self::default());
        let mut walk = Walk { process: begun.process()?, unknown, areas, reach, seen: HashSet::new() };
        walk.walk("/".into());
        if !unknown.is_empty() {
            // Those on the way to which nothing was listed.
            table.entries().iter().for_each(|entry| walk.walk(entry.mountpoint().into_owned()));
        }
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

struct Walk<'u> {
    process: Process,
    unknown: &'u HashSet<DeviceNumber>,
    seen: HashSet<UnixPathBuf>,
    areas: BTreeMap<u64, Area>,
    reach: Reach,
}

impl Walk<'_> {
    fn walk(&mut self, top: UnixPathBuf) {
        let mut left = vec![top];
        while let Some(path) = left.pop() {
            if !self.seen.insert(path.clone()) {
                continue;
            }
            match self.stat(&path) {
                Ok(stat) if stat.file_type == FileType::Directory => left.extend(self.look_into(&path, &stat)),
                Ok(stat) => self.look_at(path, stat),
                Err(errno) => self.reach.refused.push((path, errno)),
            }
        }
        self.reach.devices.sort_by(|a, b| a.path.cmp(&b.path));
        self.reach.masked_files.sort();
        // What is the kernel's own last.
        self.reach.refused.sort_by_key(|(path, _)| (path.starts_with("/proc"), path.clone()));
    }

    /// Tries a directory. Gives the paths of what is in it, the last first.
    fn look_into(&mut self, directory: &UnixPath, stat: &Stat) -> Vec<UnixPathBuf> {
        let is_unknown = self.unknown.contains(&stat.device);
        let names = match if is_unknown { Ok(Vec::new()) } else { self.names(directory) } {
            Ok(names) => names,
            Err(errno) => {
                self.reach.refused.push((directory.to_path_buf(), errno));
                Vec::new()
            }
        };
        let is_writable = self.can_make_files(directory);
        let area = self.areas.entry(stat.mount_id).or_default();
        area.is_unknown = is_unknown;
        area.directories += 1;
        if is_writable {
            area.writable_directories.push(directory.to_path_buf());
        }
        area.names += names.len();
        names.into_iter().rev().map(|name| directory.join(name)).collect()
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
