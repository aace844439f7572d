//! What is taken for given on a host of which there is nothing but a table of mounts: that what the arguments name is there.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use cofferdam::kernel::{Bytes, DeviceNumber, Errno, Mode};
use cofferdam::layout::Layout;
use cofferdam::mountinfo::{Entry, Table};
use cofferdam::user::{Credentials, NumericUsers, UnknownUser, UserDatabase};
use cofferdam::{UnixPath, UnixPathBuf};
use cofferdam_vfs_sim::{File, FileKind, PROGRAM};

use super::knowledge::{Answer, Knowledge, Place};
use super::wanted::Wanted;
use crate::simulated::KnownUsers;

/// Where a host that nobody can look at has this program.
pub(super) const COFFERDAM: &str = "/usr/bin/cofferdam";

/// What every root filesystem has.
const DIRECTORIES: [&str; 9] = ["bin", "dev", "etc", "mnt", "proc", "sys", "tmp", "usr", "var"];

/// The devices in `/dev` (Documentation/admin-guide/devices.txt), with their minor numbers of the major number 1 or 5.
const DEVICES: [(&str, u32, u32); 7] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
    ("ptmx", 5, 2),
];

/// What engines mount into a container file by file, in `/etc` (docker-run(1), "Mounts").
const FILES: [&str; 4] = ["resolv.conf", "hostname", "hosts", "localtime"];

/// A host of which only the mounts are known.
pub(super) struct Given {
    files: BTreeMap<Place, File>,
    /// The mounts of files.
    mounts: BTreeSet<u32>,
}

impl Given {
    /// The host of a table, on which something is wanted.
    pub(super) fn new(table: &Table<'_>, wanted: &Wanted, layout: &Layout) -> Self {
        let mounts = table.entries().iter().filter(|entry| is_file(&entry.mountpoint())).map(Entry::id).collect();
        let mut given = Self { files: BTreeMap::new(), mounts };
        let root = UnixPath::new("/");
        for path in [&*layout.work_dir, &*layout.runtime_dir] {
            // Those that the commands make themselves are not given.
            given.add_directories(table, path.parent().unwrap_or(root));
        }
        if wanted.names_work_dir() {
            given.add_directories(table, &layout.work_dir);
        }
        for path in wanted.directories() {
            given.add_directories(table, &path);
        }
        for root in std::iter::once(root.to_path_buf()).chain(wanted.rootfs()) {
            for name in DIRECTORIES {
                given.add_directories(table, &root.join(name));
            }
            for (name, major, minor) in DEVICES {
                let kind = FileKind::CharacterDevice(DeviceNumber { major, minor });
                given.add(table, &root.join("dev").join(name), &file(kind, 0o666));
            }
        }
        for program in wanted.programs().into_iter().chain([UnixPathBuf::from(COFFERDAM)]) {
            if let Some(directory) = program.parent() {
                given.add_directories(table, directory);
            }
            given.add(table, &program, &file(FileKind::Regular(PROGRAM.into()), 0o755));
        }
        given
    }

    fn add_directories(&mut self, table: &Table<'_>, path: &UnixPath) {
        for path in path.ancestors() {
            self.add(table, path, &file(FileKind::Directory, 0o755));
        }
    }

    fn add(&mut self, table: &Table<'_>, path: &UnixPath, file: &File) {
        // There are no symbolic links.
        let path = &*path.normalize();
        let Some(entry) = table.containing(path) else { return };
        let mountpoint = entry.mountpoint();
        let Ok(below) = path.strip_prefix(&*mountpoint) else { return };
        let root = entry.root().into_owned();
        let place = Place {
            device: DeviceNumber { major: entry.major(), minor: entry.minor() },
            path: if below.as_bytes().is_empty() { root } else { root.join(below) },
        };
        self.files.entry(place).or_insert_with(|| file.clone());
    }
}

fn file(kind: FileKind, mode: u32) -> File {
    File { kind, mode: Mode(mode), uid: 0, gid: 0 }
}

/// Whether files are mounted there, by convention.
fn is_file(mountpoint: &UnixPath) -> bool {
    let names = |directory: &str, names: &[&str]| {
        mountpoint.parent() == Some(UnixPath::new(directory))
            && names.iter().any(|name| mountpoint.file_name() == Some(name.as_bytes()))
    };
    names("/etc", &FILES) || names("/dev", &DEVICES.map(|(name, ..)| name)) || mountpoint.as_bytes().ends_with(b".sock")
}

impl Knowledge for Given {
    fn is_file(&self, mount: u32) -> bool {
        self.mounts.contains(&mount)
    }

    fn look(&self, place: &Place) -> Answer {
        self.files.get(place).map_or(Answer::Unknown, |file| Answer::File(file.clone()))
    }

    fn list(&self, _: &Place) -> Vec<Bytes> {
        Vec::new()
    }

    fn names_in_proc(&self) -> Option<BTreeMap<String, bool>> {
        None
    }

    fn look_in_proc(&self, _: &UnixPath) -> Answer {
        Answer::Unknown
    }

    fn users(&self) -> Rc<dyn KnownUsers> {
        Rc::new(Nobody)
    }

    fn executable(&self) -> Bytes {
        COFFERDAM.into()
    }

    fn working_directory(&self) -> Bytes {
        "/".into()
    }

    fn unseen(&self) -> Vec<(UnixPathBuf, Errno)> {
        Vec::new()
    }
}

/// Users without names.
struct Nobody;

impl UserDatabase for Nobody {
    fn look_up(&self, user: &str) -> Result<Credentials, UnknownUser> {
        NumericUsers.look_up(user)
    }
}

impl KnownUsers for Nobody {
    fn name_of(&self, _: u32) -> Option<String> {
        None
    }
}
