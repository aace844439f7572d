//! What the kernel's own files in proc say.

use super::Directory;
use super::tables::{Node, What};
use crate::filesystem::ON_BLOCK_DEVICES;
use crate::linux::Linux;

/// The types without a block device, in the order in which they are known.
const NODEV: [&str; 8] = ["sysfs", "tmpfs", "proc", "devtmpfs", "pipefs", "ramfs", "devpts", "mqueue"];

impl Linux {
    /// What a file of a directory says.
    pub(super) fn generic_text(&self, directory: Directory, position: u16) -> Vec<u8> {
        match Self::generic_node(directory, position).map(|node| node.what) {
            Some(What::Text(text)) => text.as_bytes().to_vec(),
            Some(What::Filesystems) => filesystems(),
            Some(What::MountMax) => format!("{}\n", self.mount_max).into_bytes(),
            _ => Vec::new(),
        }
    }

    pub(super) fn generic_node(directory: Directory, position: u16) -> Option<&'static Node> {
        directory.nodes().get(usize::from(position))
    }

    /// Writes the sysctl fs.mount-max (`proc_douintvec_minmax()`): the first word must be a number of at least 1.
    pub(super) fn write_mount_max(&mut self, data: &[u8]) -> bool {
        let word = data.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
        let number = crate::filesystem::unsigned_number(word).filter(|number| *number > 0);
        if let Some(number) = number {
            self.mount_max = number;
        }
        number.is_some()
    }
}

/// `filesystems_proc_show()`
fn filesystems() -> Vec<u8> {
    let nodev = NODEV.iter().map(|name| format!("nodev\t{name}\n"));
    let on_devices = ON_BLOCK_DEVICES.iter().map(|name| format!("\t{name}\n"));
    nodev.chain(on_devices).collect::<String>().into_bytes()
}
