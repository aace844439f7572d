//! What of a filesystem is still there when the power has failed.

use std::collections::BTreeMap;

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Bytes, DeviceNumber, Errno, Fd, Kernel, Mode};
use serde::{Deserialize, Serialize};

use crate::tree::{Content, Node};

/// What becomes of what was not synced. Filesystems differ, so that programs may rely on none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Everything had been written in time.
    Nothing,
    /// Names and contents that were not synced are as they were when they were last.
    Unsynced,
    /// The same, but owners and permissions had been written.
    Names,
    /// The names are there, but not the contents: files that were not synced are empty.
    Contents,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::Unsynced, Self::Names, Self::Contents];
}

/// What was synced of a filesystem: the contents of files and directories by their numbers.
#[derive(Clone, Debug, Default)]
pub struct Synced {
    files: BTreeMap<u64, Vec<u8>>,
    /// The entries, without what is in those that are directories.
    directories: BTreeMap<u64, BTreeMap<Bytes, Node>>,
}

impl Synced {
    /// Everything that is there.
    pub fn all(node: &Node) -> Self {
        let mut synced = Self::default();
        synced.add(node);
        synced
    }

    fn add(&mut self, node: &Node) {
        self.sync_node(node);
        if let Content::Directory(entries) = &node.content {
            for node in entries.values() {
                self.add(node);
            }
        }
    }

    fn sync_node(&mut self, node: &Node) {
        match &node.content {
            Content::File(content) => drop(self.files.insert(node.inode, content.clone())),
            Content::Directory(entries) => {
                let entries = entries.iter().map(|(name, node)| (name.clone(), node.shallow()));
                self.directories.insert(node.inode, entries.collect());
            }
            Content::Symlink(_) | Content::Special(..) => {}
        }
    }

    /// Notes that what a process has open was synced, if it is on the disk, which is this device.
    pub fn sync(&mut self, kernel: &dyn Kernel, fd: Fd, device: DeviceNumber) -> Result<(), Errno> {
        if kernel.statx(fd, UnixPath::new(""), AtFlags::AT_EMPTY_PATH)?.device != device {
            return Ok(());
        }
        let path = kernel.readlinkat(Fd::CWD, UnixPath::new(&format!("/proc/self/fd/{}", fd.0)))?;
        if let Some(node) = Node::read(kernel, path.as_path())? {
            self.sync_node(&node);
        }
        Ok(())
    }

    /// What is left of the filesystem when the power fails in this state.
    pub fn left(&self, node: &Node, loss: Loss) -> Node {
        match loss {
            Loss::Nothing => node.clone(),
            Loss::Contents => self.without_contents(node),
            Loss::Unsynced => self.as_synced(node),
            Loss::Names => {
                let mut left = self.as_synced(node);
                let mut attributes = BTreeMap::new();
                add_attributes(node, &mut attributes);
                set_attributes(&mut left, &attributes);
                left
            }
        }
    }

    fn content_of(&self, file: &Node) -> Content {
        Content::File(self.files.get(&file.inode).cloned().unwrap_or_default())
    }

    fn without_contents(&self, node: &Node) -> Node {
        let content = match &node.content {
            Content::File(_) => self.content_of(node),
            Content::Directory(entries) => {
                let entries = entries.iter().map(|(name, node)| (name.clone(), self.without_contents(node)));
                Content::Directory(entries.collect())
            }
            other => other.clone(),
        };
        Node { content, ..node.clone() }
    }

    fn as_synced(&self, node: &Node) -> Node {
        let content = match &node.content {
            Content::File(_) => self.content_of(node),
            Content::Directory(_) => {
                let entries = self.directories.get(&node.inode).into_iter().flatten();
                Content::Directory(entries.map(|(name, node)| (name.clone(), self.as_synced(node))).collect())
            }
            other => other.clone(),
        };
        Node { content, ..node.clone() }
    }
}

/// Permissions and owners, by the numbers of files.
type Attributes = BTreeMap<u64, (Mode, (u32, u32))>;

fn add_attributes(node: &Node, attributes: &mut Attributes) {
    attributes.insert(node.inode, (node.mode, node.owner));
    if let Content::Directory(entries) = &node.content {
        for node in entries.values() {
            add_attributes(node, attributes);
        }
    }
}

fn set_attributes(node: &mut Node, attributes: &Attributes) {
    if let Some((mode, owner)) = attributes.get(&node.inode) {
        (node.mode, node.owner) = (*mode, *owner);
    }
    if let Content::Directory(entries) = &mut node.content {
        for node in entries.values_mut() {
            set_attributes(node, attributes);
        }
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{AtFlags, CloneFlags, OpenFlags, OpenHow, RenameFlags, ResolveFlags};
    use cofferdam_vfs_sim::{Linux, Process};

    use super::*;

    fn path(path: &str) -> &UnixPath {
        UnixPath::new(path)
    }

    fn open(kernel: &dyn Kernel, name: &str, flags: OpenFlags) -> Fd {
        let mode = if flags.contains(OpenFlags::O_CREAT) { Mode(0o644) } else { Mode(0) };
        let how = OpenHow { flags, mode, resolve: ResolveFlags::empty() };
        kernel.openat2(Fd::CWD, path(name), how).unwrap()
    }

    fn write(kernel: &dyn Kernel, name: &str, content: &[u8]) -> Fd {
        let fd = open(kernel, name, OpenFlags::O_WRONLY | OpenFlags::O_CREAT | OpenFlags::O_TRUNC);
        kernel.write(fd, content).unwrap();
        fd
    }

    fn sync(synced: &mut Synced, kernel: &dyn Kernel, fd: Fd) {
        let device = kernel.statx(Fd::CWD, path("/disk"), AtFlags::empty()).unwrap().device;
        synced.sync(kernel, fd, device).unwrap();
        kernel.close(fd).unwrap();
    }

    fn left(kernel: &dyn Kernel, synced: &Synced, loss: Loss) -> Vec<(String, String)> {
        let node = Node::read(kernel, path("/disk")).unwrap().unwrap();
        let data = synced.left(&node, loss).data();
        data.into_iter().filter(|(name, _)| !name.is_empty()).collect()
    }

    fn files(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, content)| (format!("/{name:?}"), format!("file {content:?}"))).collect()
    }

    /// A proc, and a disk on which a file was synced.
    fn machine() -> (Process, Synced) {
        let init = Process::init(Linux::new());
        let kernel = init.fork(CloneFlags::empty()).unwrap();
        for (name, filesystem) in [("/proc", "proc"), ("/disk", "tmpfs")] {
            kernel.mkdirat(Fd::CWD, path(name), Mode(0o755)).unwrap();
            let flags = cofferdam::kernel::MountFlags::empty();
            kernel.mount(Some(path("none")), path(name), Some(filesystem.as_bytes()), flags, None).unwrap();
        }
        let fd = write(&kernel, "/disk/old", b"1");
        kernel.close(fd).unwrap();
        let synced = Synced::all(&Node::read(&kernel, path("/disk")).unwrap().unwrap());
        (kernel, synced)
    }

    #[test]
    fn what_was_not_synced_is_lost() {
        let (kernel, synced) = machine();
        for (name, content) in [("/disk/old", b"2"), ("/disk/new", b"3")] {
            let fd = write(&kernel, name, content);
            kernel.close(fd).unwrap();
        }
        assert_eq!(left(&kernel, &synced, Loss::Nothing), files(&[("new", "3"), ("old", "2")]));
        assert_eq!(left(&kernel, &synced, Loss::Unsynced), files(&[("old", "1")]));
        assert_eq!(left(&kernel, &synced, Loss::Contents), files(&[("new", ""), ("old", "1")]));
    }

    #[test]
    fn a_file_that_is_synced_has_a_name_only_if_its_directory_is() {
        let (kernel, mut synced) = machine();
        let fd = write(&kernel, "/disk/new", b"3");
        sync(&mut synced, &kernel, fd);
        assert_eq!(left(&kernel, &synced, Loss::Unsynced), files(&[("old", "1")]));
        assert_eq!(left(&kernel, &synced, Loss::Contents), files(&[("new", "3"), ("old", "1")]));
        let fd = open(&kernel, "/disk", OpenFlags::O_DIRECTORY);
        sync(&mut synced, &kernel, fd);
        assert_eq!(left(&kernel, &synced, Loss::Unsynced), files(&[("new", "3"), ("old", "1")]));
    }

    /// As checkpoints are written.
    #[test]
    fn a_name_that_is_not_synced_stands_for_the_old_file() {
        let (kernel, mut synced) = machine();
        let fd = write(&kernel, "/disk/new", b"2");
        sync(&mut synced, &kernel, fd);
        kernel.renameat2(Fd::CWD, path("/disk/new"), Fd::CWD, path("/disk/old"), RenameFlags::empty()).unwrap();
        assert_eq!(left(&kernel, &synced, Loss::Unsynced), files(&[("old", "1")]));
        assert_eq!(left(&kernel, &synced, Loss::Contents), files(&[("old", "2")]));
        let fd = open(&kernel, "/disk", OpenFlags::O_DIRECTORY);
        sync(&mut synced, &kernel, fd);
        assert_eq!(left(&kernel, &synced, Loss::Unsynced), files(&[("old", "2")]));
    }

    #[test]
    fn an_owner_may_be_written_before_a_name_is() {
        let (kernel, synced) = machine();
        let fd = write(&kernel, "/disk/new", b"2");
        kernel.close(fd).unwrap();
        kernel.fchownat(Fd::CWD, path("/disk/old"), Some(7), Some(8), AtFlags::empty()).unwrap();
        assert_eq!(left(&kernel, &synced, Loss::Names), files(&[("old", "1")]));
        let node = Node::read(&kernel, path("/disk")).unwrap().unwrap();
        let owner = |loss| match &synced.left(&node, loss).content {
            Content::Directory(entries) => entries.values().map(|node| node.owner).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        assert_eq!(owner(Loss::Names), [(7, 8)]);
        assert_eq!(owner(Loss::Unsynced), [(0, 0)]);
    }
}
