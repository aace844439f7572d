//! Directories with all that is in them, as values.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use cofferdam::UnixPath;
use cofferdam::kernel::{
    AtFlags, Bytes, DeviceNumber, Errno, Fd, FileType, Kernel, Mode, NodeMode, OpenFlags, OpenHow, OpenTreeFlags,
    ResolveFlags, Stat,
};

/// A file, with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its number, with which others refer to it.
    pub inode: u64,
    /// Its permissions.
    pub mode: Mode,
    /// Who owns it: user and group.
    pub owner: (u32, u32),
    /// What it is.
    pub content: Content,
}

/// Its number is another one in each filesystem that has the same files.
impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { inode: _, mode, owner, content } = self;
        (mode, owner, content).hash(state);
    }
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// A directory, with what is in it.
    Directory(BTreeMap<Bytes, Node>),
    /// A regular file, with its bytes.
    File(Vec<u8>),
    /// A symbolic link, with where it leads.
    Symlink(Bytes),
    /// A device, a fifo or a socket.
    Special(FileType, DeviceNumber),
}

impl Node {
    /// What is on the filesystem at a path, whatever is mounted below it: none if there is nothing.
    pub fn read(kernel: &dyn Kernel, path: &UnixPath) -> Result<Option<Self>, Errno> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = match kernel.open_tree(Fd::CWD, path, flags) {
            Err(Errno::ENOENT) => return Ok(None),
            tree => tree?,
        };
        let stat = kernel.statx(tree, UnixPath::new(""), AtFlags::AT_EMPTY_PATH)?;
        let node = match stat.file_type {
            FileType::Directory => node_at(kernel, tree, UnixPath::new(".")),
            _ => node_at(kernel, Fd::CWD, path),
        };
        kernel.close(tree)?;
        node.map(Some)
    }

    /// Makes the same below a directory that exists and is empty.
    pub fn write_into(&self, kernel: &dyn Kernel, directory: &UnixPath) -> Result<(), Errno> {
        let Content::Directory(entries) = &self.content else { return Err(Errno::ENOTDIR) };
        for (name, node) in entries {
            node.make(kernel, &directory.join(name.as_path()))?;
        }
        Ok(())
    }

    fn make(&self, kernel: &dyn Kernel, path: &UnixPath) -> Result<(), Errno> {
        match &self.content {
            Content::Directory(_) => {
                kernel.mkdirat(Fd::CWD, path, self.mode)?;
                self.write_into(kernel, path)?;
            }
            Content::File(content) => {
                let flags = OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_EXCL | OpenFlags::O_CLOEXEC;
                let how = OpenHow { flags, mode: self.mode, resolve: ResolveFlags::empty() };
                let fd = kernel.openat2(Fd::CWD, path, how)?;
                kernel.write(fd, content)?;
                kernel.close(fd)?;
            }
            Content::Symlink(target) => kernel.symlinkat(target.as_path(), Fd::CWD, path)?,
            Content::Special(file_type, device) => {
                let mode = NodeMode { file_type: *file_type, mode: self.mode };
                kernel.mknodat(Fd::CWD, path, mode, *device)?;
            }
        }
        let (owner, group) = self.owner;
        kernel.fchownat(Fd::CWD, path, Some(owner), Some(group), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        match self.content {
            Content::Symlink(_) => Ok(()),
            // A change of the owner takes set-id bits away.
            _ => kernel.fchmodat(Fd::CWD, path, self.mode),
        }
    }

    /// The same without what is in it, if it is a directory.
    #[must_use]
    pub fn shallow(&self) -> Self {
        let content = match &self.content {
            Content::Directory(_) => Content::Directory(BTreeMap::new()),
            other => other.clone(),
        };
        Self { content, ..self.clone() }
    }

    /// The names and contents of what is in it, without owners and numbers: what must not be lost.
    pub fn data(&self) -> BTreeMap<String, String> {
        let mut data = BTreeMap::new();
        self.add_data("", &mut data);
        data
    }

    fn add_data(&self, path: &str, data: &mut BTreeMap<String, String>) {
        let shown = match &self.content {
            Content::Directory(entries) => {
                for (name, node) in entries {
                    node.add_data(&format!("{path}/{name}"), data);
                }
                "directory".into()
            }
            Content::File(content) => format!("file {}", Bytes(content.clone())),
            other => format!("{other:?}"),
        };
        data.insert(path.into(), shown);
    }
}

fn node_at(kernel: &dyn Kernel, directory: Fd, name: &UnixPath) -> Result<Node, Errno> {
    let stat = kernel.statx(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let content = match stat.file_type {
        FileType::Directory => Content::Directory(entries(kernel, directory, name)?),
        FileType::Regular => Content::File(content(kernel, directory, name)?),
        FileType::Symlink => Content::Symlink(kernel.readlinkat(directory, name)?),
        other => Content::Special(other, stat.rdev),
    };
    let Stat { inode, mode, uid, gid, .. } = stat;
    Ok(Node { inode, mode, owner: (uid, gid), content })
}

fn open(kernel: &dyn Kernel, directory: Fd, name: &UnixPath, flags: OpenFlags) -> Result<Fd, Errno> {
    let flags = flags | OpenFlags::O_CLOEXEC | OpenFlags::O_NOFOLLOW;
    kernel.openat2(directory, name, OpenHow { flags, mode: Mode(0), resolve: ResolveFlags::empty() })
}

fn entries(kernel: &dyn Kernel, directory: Fd, name: &UnixPath) -> Result<BTreeMap<Bytes, Node>, Errno> {
    let fd = open(kernel, directory, name, OpenFlags::O_DIRECTORY)?;
    let mut entries = BTreeMap::new();
    loop {
        let part = kernel.getdents64(fd)?;
        if part.is_empty() {
            break;
        }
        for entry in part {
            if entry.name.0 != b"." && entry.name.0 != b".." {
                let node = node_at(kernel, fd, entry.name.as_path())?;
                entries.insert(entry.name, node);
            }
        }
    }
    kernel.close(fd)?;
    Ok(entries)
}

fn content(kernel: &dyn Kernel, directory: Fd, name: &UnixPath) -> Result<Vec<u8>, Errno> {
    let fd = open(kernel, directory, name, OpenFlags::empty())?;
    let mut content = Vec::new();
    loop {
        let part = kernel.read(fd, 64 << 10)?;
        if part.0.is_empty() {
            break;
        }
        content.extend_from_slice(&part.0);
    }
    kernel.close(fd)?;
    Ok(content)
}
