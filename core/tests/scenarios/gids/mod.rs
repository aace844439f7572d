//! Volumes that get a group of their own.

pub mod containers;
pub mod crash;
pub mod free;
pub mod members;
pub mod share;
pub mod tree;

use std::cell::Cell;

use cofferdam::agent::GidRange;
use cofferdam::kernel::{AtFlags, Call, Errno, Fd, Interceptor, Kernel, Mode};
use cofferdam::user::{Credentials, UnknownUser, UserDatabase};
use cofferdam::volumes::GidManager;
use cofferdam::{UnixPath, UnixPathBuf};
use serde_json::Value;

use crate::world::World;

/// What is in the range of most scenarios.
const FIRST: u32 = 10000;

/// A user that nobody knows.
const STRANGER: u32 = 66;

/// Users whose primary group has another number than they have.
struct Users;

impl UserDatabase for Users {
    fn look_up(&self, user: &str) -> Result<Credentials, UnknownUser> {
        match user.parse() {
            Ok(uid) if uid != STRANGER => Ok(Credentials { uid, gid: uid + 1000, groups: Vec::new() }),
            _ => Err(UnknownUser(format!("there is no user {user}"))),
        }
    }
}

/// A manager with this many gids.
fn manager(world: &World<'_>, count: u32) -> GidManager {
    world.make_directory("work");
    GidManager::new(&world.config().layout, GidRange::new(FIRST, FIRST + count - 1).unwrap())
}

/// A directory of user 77 with a directory and a file in it.
fn volume(world: &World<'_>, name: &str) -> UnixPathBuf {
    let path = world.make_directory(name);
    let inner = world.make_directory(&format!("{name}/inner"));
    let file = inner.join("file");
    world.write(&file, name);
    for path in [&path, &inner, &file] {
        chown(world, path, 77, 77);
    }
    path
}

/// As lchown(2).
fn chown(world: &World<'_>, path: &UnixPath, uid: u32, gid: u32) {
    world.kernel.fchownat(Fd::CWD, path, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
}

fn chmod(world: &World<'_>, path: &UnixPath, mode: u32) {
    world.kernel.fchmodat(Fd::CWD, path, Mode(mode)).unwrap();
}

fn group(world: &World<'_>, path: &UnixPath) -> u32 {
    world.stat(path).unwrap().gid
}

fn mode(world: &World<'_>, path: &UnixPath) -> u32 {
    world.stat(path).unwrap().mode.0
}

/// Removes what [`volume`] made.
fn remove(world: &World<'_>, path: &UnixPath) {
    let unlink = |path: &UnixPath, flags| world.kernel.unlinkat(Fd::CWD, path, flags).unwrap();
    unlink(&path.join("inner/file"), AtFlags::empty());
    unlink(&path.join("inner"), AtFlags::AT_REMOVEDIR);
    unlink(path, AtFlags::AT_REMOVEDIR);
}

/// Whether all that [`volume`] made is shared by a group.
fn is_shared(world: &World<'_>, path: &UnixPath, gid: u32) -> bool {
    let inner = path.join("inner");
    [path, &inner, &inner.join("file")].iter().all(|path| group(world, path) == gid)
        && [path, &inner].iter().all(|path| mode(world, path) == 0o2775)
}

/// Whether all that [`volume`] made belongs to a group, and only its owner may write.
fn is_given_back(world: &World<'_>, path: &UnixPath, gid: u32) -> bool {
    let inner = path.join("inner");
    [path, &inner, &inner.join("file")].iter().all(|path| group(world, path) == gid)
        && [path, &inner].iter().all(|path| mode(world, path) == 0o755)
}

fn record_path(world: &World<'_>) -> UnixPathBuf {
    world.config().layout.volume_gids()
}

/// The record: `path` and `gid` of each volume, and whether it is unfinished.
fn record(world: &World<'_>) -> Vec<(String, u64, bool)> {
    let record: Value = cofferdam::record::read(world.kernel, &world.config().layout, &record_path(world)).unwrap();
    let entry = |entry: &Value| {
        let gid = entry["gid"].as_u64().unwrap();
        (entry["path"].as_str().unwrap().to_owned(), gid, entry.get("unfinished").is_some())
    };
    record["infos"].as_array().unwrap().iter().map(entry).collect()
}

/// The machine stops before the call with this number, and the process that is at work with it.
struct StopAt {
    left: Cell<usize>,
}

impl StopAt {
    fn call(number: usize) -> Self {
        Self { left: Cell::new(number) }
    }

    fn has_stopped(&self) -> bool {
        self.left.get() == 0
    }
}

impl Interceptor for StopAt {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        // The kernel closes what a process has open.
        if matches!(call, Call::Close { .. }) {
            return Ok(());
        }
        self.left.set(self.left.get().saturating_sub(1));
        if self.has_stopped() { Err(Errno::EIO) } else { Ok(()) }
    }
}

/// Does something once, before the first call that is meant.
struct Before<'a> {
    is_meant: &'a dyn Fn(&Call) -> bool,
    action: &'a dyn Fn(),
    is_done: Cell<bool>,
}

impl<'a> Before<'a> {
    fn the_call(is_meant: &'a dyn Fn(&Call) -> bool, action: &'a dyn Fn()) -> Self {
        Self { is_meant, action, is_done: Cell::new(false) }
    }

    fn is_done(&self) -> bool {
        self.is_done.get()
    }
}

impl Interceptor for Before<'_> {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if (self.is_meant)(call) && !self.is_done.replace(true) {
            (self.action)();
        }
        Ok(())
    }
}
