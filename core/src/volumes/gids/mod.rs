//! The volume gid manager: gives volumes a group each, so that several users without privileges can share them.
//!
//! A container that uses a volume gets the volume's gid as a supplementary group. Everything in the volume belongs to that
//! group; its directories have the set-group-ID bit, so that new files do as well (inode(7)), and are writable by the group.

mod change;
mod error;
mod infos;
mod tree;

use std::collections::BTreeSet;

use typed_path::{UnixPath, UnixPathBuf};

pub use error::GidError;
pub use infos::VolumeKind;

use crate::agent::GidRange;
use crate::checkpoint;
use crate::error::{CallError, Doing};
use crate::kernel::{AtFlags, Bytes, Descriptor, Errno, Fd, Kernel, Mode};
use crate::layout::Layout;
use crate::locks::lock;
use crate::record::{self, RecordError};
use crate::root::create_directories;
use crate::user::UserDatabase;
use change::Change;
use infos::{Record, VolumeGid, clean};
use tree::Tree;

/// Allocates the gids of a range to volumes, and remembers them on disk, in [`Layout::volume_gids`].
///
/// Several processes may use it at once: each operation holds the lock of its directory from reading the record to the
/// end, also while it changes the tree of a volume.
///
/// A volume keeps its gid when the configured range changes; the gid counts as one that is in use, and is given to no other
/// volume, even if it is in the range again.
///
/// In a tree, symbolic links themselves get the group; devices do not, nor files that have other names and do not belong to
/// the owner of the tree, or belong to root. Of two volumes one of which lies in the other, without a mount in between, the
/// one that was allocated last has the group.
#[derive(Clone, Debug)]
pub struct GidManager {
    range: GidRange,
    layout: Layout,
}

/// How many gids there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GidGauges {
    /// In the range.
    pub total: u32,
    /// Of them, those that no volume has.
    pub free: u32,
}

/// A gid that is allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocatedGid {
    /// The path of the volume.
    pub path: UnixPathBuf,
    /// What kind of volume that is.
    pub kind: VolumeKind,
    /// The gid.
    pub gid: u32,
}

impl GidManager {
    /// A manager that gives volumes the gids of a range. Nobody's group may be among them.
    pub fn new(layout: &Layout, range: GidRange) -> Self {
        Self { range, layout: layout.clone() }
    }

    /// The gid of a volume, and makes the whole tree one of that group.
    ///
    /// It is the one that is recorded for the path; else the group that the path has, if that is in the range; else the
    /// lowest one that is free. It is recorded, durably, before the first file changes. After an error, or a crash, the
    /// record says that the tree is unfinished, and the next allocate finishes it.
    ///
    /// Below the path of a persistent volume's directory nothing is trusted; in a path in a sandbox, no component is.
    ///
    /// # Errors
    ///
    /// See [`GidError`].
    pub fn allocate(&self, kernel: &dyn Kernel, path: &UnixPath, kind: VolumeKind) -> Result<u32, GidError> {
        let path = clean(path)?;
        let tree = Tree::open(kernel, &path, kind)?;
        self.create_directory(kernel)?;
        let _lock = lock(kernel, &self.layout.volume_gid_manager())?;
        let mut record = self.read(kernel)?;
        let present = tree.stat()?.gid;
        let gid = match record.get(&path) {
            // Another group means that the volume was made anew.
            Some(volume) if !volume.unfinished && volume.gid == present => return Ok(present),
            Some(volume) => volume.gid,
            None => self
                .choose(&record, present)
                .ok_or_else(|| GidError::RangeUsedUp { path: path.as_path().into(), range: self.range })?,
        };
        let is_new = record.get(&path).is_none();
        if is_new {
            record.add(&path, kind, gid);
        }
        if record.set_unfinished(&path, true) || is_new {
            self.write(kernel, &record)?;
        }
        tree.change(Change::Share { gid })?;
        record.set_unfinished(&path, false);
        self.write(kernel, &record)?;
        tracing::info!(volume = %Bytes::from(path.as_path()), gid, "a volume has a group of its own");
        Ok(gid)
    }

    /// Frees the gids of a volume and of all below its path, by component; nothing is done if there are none.
    ///
    /// A persistent volume is expected to be removed. A volume of kind [`VolumeKind::SandboxPath`] that still exists is
    /// given back: to the primary group of its owner, as `users` tells it for the uid; group-write and set-group-ID are
    /// taken from its directories. It is left as it is if another volume keeps the same gid.
    ///
    /// # Errors
    ///
    /// See [`GidError`]. Every volume is tried; those with an error keep their gids, and it can be repeated.
    pub fn deallocate(&self, kernel: &dyn Kernel, users: &dyn UserDatabase, path: &UnixPath) -> Result<(), GidError> {
        let path = clean(path)?;
        let Some(_lock) = self.lock_existing(kernel)? else { return Ok(()) };
        let record = self.read(kernel)?;
        let chosen =
            record.volumes().filter(|volume| volume.path.as_path().starts_with(&path)).cloned().collect::<Vec<_>>();
        self.free(kernel, users, record, &chosen, Vec::new())
    }

    /// Frees the gids of volumes that no longer exist and, after a reboot, of those of kind [`VolumeKind::SandboxPath`]:
    /// their containers are gone. These are given back as in [`deallocate`](Self::deallocate).
    ///
    /// # Errors
    ///
    /// As [`deallocate`](Self::deallocate).
    pub fn recover(&self, kernel: &dyn Kernel, users: &dyn UserDatabase, rebooted: bool) -> Result<(), GidError> {
        let Some(_lock) = self.lock_existing(kernel)? else { return Ok(()) };
        let record = self.read(kernel)?;
        let (mut chosen, mut errors) = (Vec::new(), Vec::new());
        for volume in record.volumes() {
            match exists(kernel, volume.path.as_path()) {
                Ok(true) if !rebooted || volume.kind == VolumeKind::Persistent => {}
                Ok(_) => chosen.push(volume.clone()),
                Err(error) => errors.push(error.into()),
            }
        }
        self.free(kernel, users, record, &chosen, errors)
    }

    /// The volumes that have a gid, in the order in which they got it.
    ///
    /// # Errors
    ///
    /// See [`GidError`].
    pub fn volumes(&self, kernel: &dyn Kernel) -> Result<Vec<AllocatedGid>, GidError> {
        let record = self.read(kernel)?;
        let allocated = |volume: &VolumeGid| AllocatedGid {
            path: volume.path.as_path().to_path_buf(),
            kind: volume.kind,
            gid: volume.gid,
        };
        Ok(record.volumes().map(allocated).collect())
    }

    /// How many gids there are, and how many of them are free.
    ///
    /// # Errors
    ///
    /// See [`GidError`].
    pub fn gauges(&self, kernel: &dyn Kernel) -> Result<GidGauges, GidError> {
        let record = self.read(kernel)?;
        let used: BTreeSet<u32> = record.volumes().map(|volume| volume.gid).collect();
        let used = used.range(self.range.gids()).fold(0, |count, _| count + 1);
        Ok(GidGauges { total: self.range.count(), free: self.range.count() - used })
    }

    /// A gid for a volume that has none.
    fn choose(&self, record: &Record, present: u32) -> Option<u32> {
        if self.range.contains(present) {
            return Some(present);
        }
        let used: BTreeSet<u32> = record.volumes().map(|volume| volume.gid).collect();
        self.range.gids().find(|gid| !used.contains(gid))
    }

    /// Frees the gids of the chosen volumes; to the errors there are already those that come are added.
    fn free(
        &self,
        kernel: &dyn Kernel,
        users: &dyn UserDatabase,
        mut record: Record,
        chosen: &[VolumeGid],
        mut errors: Vec<GidError>,
    ) -> Result<(), GidError> {
        // An allocate after a crash must not believe that the trees still have their groups.
        let mut is_changed = false;
        for volume in chosen.iter().filter(|volume| volume.kind == VolumeKind::SandboxPath) {
            is_changed |= record.set_unfinished(volume.path.as_path(), true);
        }
        if is_changed {
            self.write(kernel, &record)?;
        }
        let kept: BTreeSet<u32> =
            record.volumes().filter(|volume| !is_among(chosen, volume)).map(|volume| volume.gid).collect();
        for volume in chosen {
            let is_given_back = volume.kind == VolumeKind::SandboxPath && !kept.contains(&volume.gid);
            match if is_given_back { give_back(kernel, users, volume) } else { Ok(()) } {
                Ok(()) => {
                    tracing::info!(volume = %volume.path, gid = volume.gid, "the gid of a volume is free again");
                    record.remove(volume.path.as_path());
                }
                Err(error) => errors.push(error),
            }
        }
        if !chosen.is_empty() {
            self.write(kernel, &record)?;
        }
        if errors.is_empty() { Ok(()) } else { Err(GidError::NotFreed(errors)) }
    }

    /// Nobody else needs to look into it, nor shall hold its lock.
    fn create_directory(&self, kernel: &dyn Kernel) -> Result<(), CallError> {
        create_directories(kernel, &self.layout.meta(), Mode(0o755))?;
        let directory = self.layout.volume_gid_manager();
        match kernel.mkdirat(Fd::CWD, &directory, Mode(0o700)) {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(errno) => Err(CallError::new("create directory", &directory, errno)),
        }
    }

    /// `None` if there is no directory: nothing was ever allocated.
    fn lock_existing<'k>(&self, kernel: &'k dyn Kernel) -> Result<Option<Descriptor<'k>>, CallError> {
        match lock(kernel, &self.layout.volume_gid_manager()) {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if error.errno == Errno::ENOENT => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&self, kernel: &dyn Kernel) -> Result<Record, GidError> {
        let file = self.layout.volume_gids();
        let record: Record = match record::read(kernel, &self.layout, &file) {
            Err(RecordError::Call(error)) if error.errno == Errno::ENOENT => return Ok(Record::default()),
            record => record.map_err(|error| self.unusable(error))?,
        };
        record.check().map_err(|reason| self.damaged(reason))?;
        Ok(record)
    }

    fn write(&self, kernel: &dyn Kernel, record: &Record) -> Result<(), GidError> {
        let file = self.layout.volume_gids();
        let is_first = !exists(kernel, &file)?;
        record::write(kernel, &self.layout, &file, record, Mode(0o600)).map_err(|error| self.unusable(error))?;
        if is_first {
            // A record in a directory that is not on disk is not on disk either.
            checkpoint::sync_directory(kernel, &self.layout.meta())?;
            checkpoint::sync_directory(kernel, &self.layout.work_dir)?;
        }
        Ok(())
    }

    fn unusable(&self, error: RecordError) -> GidError {
        match error {
            RecordError::Call(error) => error.into(),
            RecordError::Damaged { reason, .. } => self.damaged(reason),
        }
    }

    fn damaged(&self, reason: String) -> GidError {
        GidError::Damaged { file: self.layout.volume_gids().into(), reason, range: self.range }
    }
}

fn is_among(volumes: &[VolumeGid], volume: &VolumeGid) -> bool {
    volumes.iter().any(|other| other.path == volume.path)
}

/// Whether there is something at a path.
fn exists(kernel: &dyn Kernel, path: &UnixPath) -> Result<bool, CallError> {
    match kernel.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(false),
        found => found.doing("look for", path).map(|_| true),
    }
}

/// Gives a volume in a sandbox back to its owner, if it is still there.
fn give_back(kernel: &dyn Kernel, users: &dyn UserDatabase, volume: &VolumeGid) -> Result<(), GidError> {
    let tree = match Tree::open(kernel, volume.path.as_path(), VolumeKind::SandboxPath) {
        // Whoever has put a symbolic link or a fifo in its place could have removed it as well.
        Err(
            GidError::Call(CallError { errno: Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP, .. })
            | GidError::InvalidPath { .. },
        ) => return Ok(()),
        tree => tree?,
    };
    let owner = tree.stat()?.uid;
    let credentials =
        users.look_up(&owner.to_string()).map_err(|error| GidError::Owner { path: volume.path.clone(), error })?;
    tree.change(Change::GiveBack { from: volume.gid, gid: credentials.gid })
}
