//! What becomes of the files in the tree of a volume.

use crate::kernel::{FileType, Mode, Stat};

/// What members of the group need in a directory, as in Mesos: to write, and that what they make has its group. Whether
/// they may read and search it is left to the owner.
const SHARED: u32 = 0o2020;

/// What a tree is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Members of the group use it together.
    Share {
        /// The group.
        gid: u32,
    },
    /// It belongs to its owner again.
    GiveBack {
        /// The group that it had while it was shared.
        from: u32,
        /// The primary group of its owner.
        gid: u32,
    },
}

impl Change {
    /// The group that everything gets.
    pub(super) fn gid(self) -> u32 {
        match self {
            Self::Share { gid } | Self::GiveBack { gid, .. } => gid,
        }
    }

    /// The mode that a directory gets.
    pub(super) fn mode_of_directory(self, Mode(mode): Mode) -> Mode {
        Mode(match self {
            Self::Share { .. } => mode | SHARED,
            Self::GiveBack { .. } => mode & !SHARED,
        })
    }

    /// Whether something that is no directory keeps its group although it is another one.
    ///
    /// Devices, because who may use a device is no matter of sharing files. And what has other names and is not the tree
    /// owner's: unless the kernel forbids it (`fs.protected_hardlinks`, proc(5)), a user can put a link to anybody's file
    /// into the tree, and would get access to it.
    pub(super) fn leaves(self, file: &Stat, owner: u32) -> bool {
        match file.file_type {
            FileType::CharacterDevice | FileType::BlockDevice => true,
            _ if file.links <= 1 => false,
            _ => {
                (file.uid == 0 || file.uid != owner) && !matches!(self, Self::GiveBack { from, .. } if file.gid == from)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::kernel::DeviceNumber;

    const SHARE: Change = Change::Share { gid: 10000 };
    const GIVE_BACK: Change = Change::GiveBack { from: 10000, gid: 77 };

    #[rstest]
    #[case(SHARE, 0o755, 0o2775)]
    #[case(SHARE, 0o2775, 0o2775)]
    #[case(SHARE, 0o1700, 0o3720)]
    #[case(GIVE_BACK, 0o2775, 0o755)]
    #[case(GIVE_BACK, 0o7777, 0o5757)]
    fn modes_of_directories(#[case] change: Change, #[case] mode: u32, #[case] expected: u32) {
        assert_eq!(change.mode_of_directory(Mode(mode)), Mode(expected));
    }

    fn file(file_type: FileType, links: u32, uid: u32, gid: u32) -> Stat {
        Stat {
            file_type,
            mode: Mode(0o640),
            links,
            uid,
            gid,
            size: 0,
            inode: 1,
            device: DeviceNumber::NONE,
            rdev: DeviceNumber::NONE,
            mount_id: 1,
            is_mount_root: false,
        }
    }

    #[rstest]
    #[case(SHARE, file(FileType::Regular, 1, 0, 0), false)]
    #[case(SHARE, file(FileType::Regular, 2, 77, 77), false)]
    #[case(SHARE, file(FileType::Regular, 2, 78, 78), true)]
    #[case(SHARE, file(FileType::Regular, 2, 78, 10000), true)]
    #[case(SHARE, file(FileType::Symlink, 2, 78, 78), true)]
    #[case(SHARE, file(FileType::Fifo, 1, 78, 78), false)]
    #[case(SHARE, file(FileType::Socket, 1, 78, 78), false)]
    #[case(SHARE, file(FileType::CharacterDevice, 1, 77, 77), true)]
    #[case(SHARE, file(FileType::BlockDevice, 1, 77, 77), true)]
    #[case(GIVE_BACK, file(FileType::Regular, 2, 78, 78), true)]
    #[case(GIVE_BACK, file(FileType::Regular, 2, 78, 10000), false)]
    #[case(GIVE_BACK, file(FileType::CharacterDevice, 1, 77, 10000), true)]
    fn what_is_left(#[case] change: Change, #[case] file: Stat, #[case] expected: bool) {
        assert_eq!(change.leaves(&file, 77), expected);
    }

    #[test]
    fn a_file_of_root_with_other_names_is_left_in_a_tree_of_root_too() {
        assert!(SHARE.leaves(&file(FileType::Regular, 2, 0, 0), 0));
        assert!(!SHARE.leaves(&file(FileType::Regular, 1, 0, 0), 0));
    }
}
