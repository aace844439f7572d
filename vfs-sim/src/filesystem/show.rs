//! What mountinfo and its kin show of a superblock.

use cofferdam::kernel::MountFlags;

use super::SuperBlock;
use crate::arena::Id;
use crate::linux::Linux;

impl Linux {
    /// The flags and parameters of a superblock, as the last field of mountinfo has them, without escapes
    /// (`show_sb_opts()`, `show_options()`).
    pub(crate) fn show_options(&self, superblock: Id<SuperBlock>) -> Vec<u8> {
        let object = &self.superblocks[superblock];
        let is_readonly = object.flags.contains(MountFlags::MS_RDONLY);
        let mut text: Vec<u8> = if is_readonly { b"ro".to_vec() } else { b"rw".to_vec() };
        let shown: [(MountFlags, &[u8]); 4] = [
            (MountFlags::MS_SYNCHRONOUS, b",sync"),
            (MountFlags::MS_DIRSYNC, b",dirsync"),
            (MountFlags::MS_MANDLOCK, b",mand"),
            (MountFlags::MS_LAZYTIME, b",lazytime"),
        ];
        for (flag, name) in shown {
            if object.flags.contains(flag) {
                text.extend_from_slice(name);
            }
        }
        // Those of a host that was loaded are kept as they were read.
        if object.options.is_empty() {
            match &object.overlay {
                Some(overlay) => overlay.show(&mut text),
                None => object.parameters.show(self.memory_pages, &mut text),
            }
        }
        for (key, value) in &object.options {
            text.push(b',');
            text.extend_from_slice(key.as_bytes());
            if let Some(value) = value {
                text.push(b'=');
                text.extend_from_slice(value.as_bytes());
            }
        }
        text
    }
}
