//! A directory tree as data, as its hostile author makes it.

use std::collections::BTreeMap;

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, DeviceNumber, Errno, Fd, FileType, Kernel, Mode, NodeMode};

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    Directory(Mode),
    File,
    Symlink(Vec<u8>),
    Fifo,
    Socket,
    Device(DeviceNumber),
}

pub const DIRECTORY: Node = Node::Directory(Mode(0o755));

/// What a walk that follows no symbolic link comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Directory,
    /// What is neither a directory nor a symbolic link.
    Other,
    Missing,
    /// It can't be told, as a symbolic link, or what is no directory, is on the way.
    Blocked,
}

/// The paths below a directory, relative to it.
#[derive(Clone, Debug, Default)]
pub struct Tree(BTreeMap<Vec<u8>, Node>);

impl Tree {
    /// Adds something, with the directories above it. What is there already stays, and nothing is below what is no directory.
    pub fn add(&mut self, path: &UnixPath, node: Node) {
        let mut node = Some(node);
        for above in from_the_top(path) {
            let wanted = if above == path { node.take().unwrap_or(DIRECTORY) } else { DIRECTORY };
            if !matches!(self.0.entry(above.as_bytes().to_vec()).or_insert(wanted), Node::Directory(_)) {
                return;
            }
        }
    }

    pub fn get(&self, path: &UnixPath) -> Option<&Node> {
        self.0.get(path.as_bytes())
    }

    /// What openat2(2) would find with `RESOLVE_NO_SYMLINKS`. The empty path is the directory itself.
    pub fn find(&self, path: &UnixPath) -> Found {
        let mut found = Found::Directory;
        for walked in from_the_top(path) {
            match found {
                Found::Directory => {}
                Found::Missing => return Found::Missing,
                Found::Other | Found::Blocked => return Found::Blocked,
            }
            found = match self.get(walked) {
                Some(Node::Directory(_)) => Found::Directory,
                Some(Node::Symlink(_)) => Found::Blocked,
                Some(_) => Found::Other,
                None => Found::Missing,
            };
        }
        found
    }

    /// What is below a directory.
    pub fn below(&self, directory: &UnixPath) -> Self {
        let strip = |path: &Vec<u8>| {
            let relative = UnixPath::new(path).strip_prefix(directory).ok()?;
            (!relative.as_bytes().is_empty()).then(|| relative.as_bytes().to_vec())
        };
        Self(self.0.iter().filter_map(|(path, node)| Some((strip(path)?, node.clone()))).collect())
    }

    /// Makes it in a directory that is there.
    pub fn make(&self, kernel: &dyn Kernel, directory: &UnixPath) {
        for (path, node) in &self.0 {
            make(kernel, &directory.join(UnixPath::new(path)), node);
        }
    }
}

/// A relative path and those above it, the shortest first.
fn from_the_top(path: &UnixPath) -> impl Iterator<Item = &UnixPath> {
    let mut above: Vec<_> = path.ancestors().filter(|above| !above.as_bytes().is_empty()).collect();
    above.reverse();
    above.into_iter()
}

/// Makes one thing.
pub fn make(kernel: &dyn Kernel, path: &UnixPath, node: &Node) {
    let special = |file_type, number| {
        kernel.mknodat(Fd::CWD, path, NodeMode { file_type, mode: Mode(0o644) }, number).unwrap();
    };
    match node {
        Node::Directory(mode) => {
            match kernel.mkdirat(Fd::CWD, path, Mode(0o755)) {
                Ok(()) => {}
                // A sandbox has some that are the agent's.
                result => assert_eq!(result, Err(Errno::EEXIST), "{}", path.display()),
            }
            kernel.fchmodat(Fd::CWD, path, *mode).unwrap();
        }
        Node::Symlink(text) => kernel.symlinkat(UnixPath::new(text), Fd::CWD, path).unwrap(),
        Node::File => {
            special(FileType::Regular, DeviceNumber::NONE);
            kernel.fchownat(Fd::CWD, path, Some(1000), Some(1000), AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
        }
        Node::Fifo => special(FileType::Fifo, DeviceNumber::NONE),
        Node::Socket => special(FileType::Socket, DeviceNumber::NONE),
        Node::Device(number) => special(FileType::CharacterDevice, *number),
    }
}
