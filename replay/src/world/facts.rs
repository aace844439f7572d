//! What is known of the traced machine.

use std::collections::{BTreeMap, BTreeSet};

use cofferdam::kernel::{Bytes, DeviceNumber, FileType, Mode};
use cofferdam_vfs_sim::{File, FileKind, PROGRAM, Place};

use super::wanted::What;

/// How often what a thing is can be known better.
const MOST_CORRECTIONS: u32 = 6;

/// What is known of the files of the traced machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(super) files: BTreeMap<Place, Fact>,
    pub(super) missing_in_proc: BTreeSet<String>,
    /// The numbers of capabilities that nobody could have.
    pub(super) missing_capabilities: BTreeSet<u32>,
    /// Where the first process began, if nobody has said so.
    pub(super) directory: Option<Bytes>,
}

#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) file: File,
    /// Whether its kind is told, not guessed.
    is_certain: bool,
    corrections: u32,
}

impl Fact {
    /// A guess, or what is known by the first call that told of it.
    pub(super) fn new(file: File, is_certain: bool) -> Self {
        Self { file, is_certain, corrections: 0 }
    }
}

impl Facts {
    /// How many files there were.
    pub(crate) fn count(&self) -> usize {
        self.files.len()
    }

    pub(crate) fn missing_in_proc(&self) -> impl Iterator<Item = &str> {
        self.missing_in_proc.iter().map(String::as_str)
    }

    pub(crate) fn missing_capabilities(&self) -> impl Iterator<Item = u32> {
        self.missing_capabilities.iter().copied()
    }

    pub(crate) fn directory(&self) -> Option<&Bytes> {
        self.directory.as_ref()
    }

    /// Corrects what is known of a file that was supplied.
    pub(super) fn correct(&mut self, place: &Place, file: File) -> bool {
        self.replace(place, Fact::new(file, true))
    }

    /// The same, unless more than a guess is known.
    pub(super) fn guess_again(&mut self, place: &Place, file: File) -> bool {
        let is_certain = self.files.get(place).is_some_and(|fact| fact.is_certain);
        !is_certain && self.replace(place, Fact::new(file, false))
    }

    fn replace(&mut self, place: &Place, better: Fact) -> bool {
        let Some(fact) = self.files.get_mut(place) else { return false };
        if fact.file == better.file || fact.corrections >= MOST_CORRECTIONS {
            return false;
        }
        *fact = Fact { corrections: fact.corrections + 1, ..better };
        true
    }
}

pub(super) fn file(kind: FileKind, mode: u32) -> File {
    File { kind, mode: Mode(mode), uid: 0, gid: 0 }
}

pub(super) fn directory() -> File {
    file(FileKind::Directory, 0o755)
}

pub(super) fn regular() -> File {
    file(FileKind::Regular(Bytes::default()), 0o644)
}

pub(super) fn program() -> File {
    file(FileKind::Regular(PROGRAM.into()), 0o755)
}

impl What {
    /// Whether the call tells the kind of the file.
    pub(super) fn is_certain(&self) -> bool {
        matches!(self, Self::Directory | Self::Program | Self::Symlink(_) | Self::File { .. })
    }

    pub(super) fn as_file(&self) -> File {
        match self {
            Self::Parent | Self::Directory | Self::LikelyDirectory => directory(),
            Self::LikelyRegular => regular(),
            Self::Program => program(),
            Self::Symlink(target) => file(FileKind::Symlink(target.clone()), 0o777),
            Self::File { file_type, mode, device } => {
                let device = device.unwrap_or(DeviceNumber::NONE);
                let kind = match file_type {
                    FileType::Directory => FileKind::Directory,
                    // The target is told by readlink(2), if at all.
                    FileType::Symlink => FileKind::Symlink("?".into()),
                    FileType::CharacterDevice => FileKind::CharacterDevice(device),
                    FileType::BlockDevice => FileKind::BlockDevice(device),
                    FileType::Fifo => FileKind::Fifo,
                    FileType::Socket => FileKind::Socket,
                    FileType::Regular | FileType::Anonymous => FileKind::Regular(Bytes::default()),
                };
                file(kind, *mode)
            }
        }
    }
}
