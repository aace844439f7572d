//! All that there is below a directory, to be compared.

use std::collections::BTreeMap;

use cofferdam::kernel::{AtFlags, Bytes, Fd, FileType, Kernel};
use cofferdam::{UnixPath, checkpoint};

/// What is at each path, with all that tells files apart. By bytes: to compare paths by component takes long.
#[derive(Default, PartialEq, Eq)]
pub struct Listing(BTreeMap<Vec<u8>, String>);

impl Listing {
    /// What is at and below a directory, but for what is at and below a path.
    pub fn add(&mut self, kernel: &dyn Kernel, path: &UnixPath, but_for: &UnixPath) {
        if but_for.as_bytes() == path.as_bytes() {
            return;
        }
        let is_directory = self.add_one(kernel, path);
        for entry in if is_directory { checkpoint::list(kernel, path).unwrap() } else { Vec::new() } {
            self.add(kernel, UnixPath::new(&below(path, &entry.name)), but_for);
        }
    }

    /// What is in a directory, and nothing below that.
    pub fn add_flat(&mut self, kernel: &dyn Kernel, directory: &UnixPath) {
        for entry in checkpoint::list(kernel, directory).unwrap() {
            self.add_one(kernel, UnixPath::new(&below(directory, &entry.name)));
        }
    }

    /// Gives whether it is a directory.
    fn add_one(&mut self, kernel: &dyn Kernel, path: &UnixPath) -> bool {
        let stat = kernel.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
        let content = match stat.file_type {
            FileType::Symlink => kernel.readlinkat(Fd::CWD, path).unwrap(),
            FileType::Regular if stat.size < 1 << 16 => checkpoint::read(kernel, path).unwrap().into(),
            _ => Bytes::default(),
        };
        let (major, minor) = (stat.rdev.major, stat.rdev.minor);
        let line = format!(
            "{:?} {} {} {}:{} {major}:{minor} {content}",
            stat.file_type, stat.inode, stat.mode, stat.uid, stat.gid
        );
        self.0.insert(path.as_bytes().to_vec(), line);
        stat.file_type == FileType::Directory
    }

    /// Without what is at and below a path.
    pub fn without(mut self, path: &UnixPath) -> Self {
        let path = path.as_bytes();
        self.0.retain(|other, _| !other.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest[0] == b'/'));
        self
    }

    /// In the manner of `diff`.
    pub fn changes_since(&self, before: &Self) -> Vec<String> {
        let lost = |one: &Self, other: &Self, sign: char| -> Vec<String> {
            let lines = one.0.iter().filter(|(path, line)| other.0.get(*path) != Some(line));
            lines.map(|(path, line)| format!("{sign} {} {line}", Bytes::from(&path[..]))).collect()
        };
        [lost(before, self, '-'), lost(self, before, '+')].concat()
    }
}

/// A path in a directory.
pub fn below(directory: &UnixPath, name: &Bytes) -> Vec<u8> {
    let above = directory.as_bytes();
    [if above == b"/" { b"" } else { above }, b"/", &name.0].concat()
}
