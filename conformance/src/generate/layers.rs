//! Overlays whose layers are changed behind them: the same few names, now in the overlay, now in one of the directories that
//! it is made of.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, DeviceNumber, Fd, FileType, Mode, NodeMode, OpenFlags, OpenHow, RenameFlags, Whence,
};
use cofferdam_vfs_sim::DescriptorKind;

use super::overlays::{OVERLAY, paths};
use super::scene::{Scene, join};
use super::{Action, Maker};
use crate::universe::USER;

pub(super) const FAMILY: &[(u32, Maker)] = &[
    (8, mkdir),
    (6, create),
    (3, whiteout),
    (1, symlink),
    (3, link),
    (9, remove),
    (10, rename),
    (2, chmod),
    (2, chown),
    (6, open_directory),
    (3, open_file),
    (6, list),
    (2, seek),
    (2, write),
    (6, statx),
    (2, chdir),
];

const NAMES: &[&str] = &["d", "e", "f", "x", "n0", "n1", "d/x", "d/f", "d/n0", "n0/n1", "n0/d", "n1/n0"];

/// Where a name may be: in an overlay, in one of its layers, or in its directory for work.
fn directory(scene: &mut Scene<'_>) -> Option<Bytes> {
    let overlay = scene.overlay()?;
    if scene.chance(50) {
        return Some(overlay);
    }
    let layers = scene.mounts().iter().filter(|mount| mount.path == overlay).flat_map(|mount| layers(&mount.options));
    let layers: Vec<_> = layers.collect();
    scene.pick_any(&layers)
}

/// The directories that the options of an overlay name.
fn layers(options: &Bytes) -> Vec<Bytes> {
    let mut found = Vec::new();
    for option in options.0.split(|byte| *byte == b',') {
        let Some(equals) = option.iter().position(|byte| *byte == b'=') else { continue };
        let (key, value) = option.split_at(equals);
        match key {
            b"lowerdir" | b"lowerdir+" | b"upperdir" => found.extend(paths(&value[1..])),
            b"workdir" => {
                for path in paths(&value[1..]) {
                    found.extend([join(&path, "work"), path]);
                }
            }
            _ => {}
        }
    }
    found
}

fn place(scene: &mut Scene<'_>) -> Option<Bytes> {
    let directory = directory(scene)?;
    // The directory itself, now and then.
    Some(if scene.chance(4) { directory } else { join(&directory, scene.pick(NAMES)) })
}

fn mkdir(scene: &mut Scene<'_>) -> Option<Action> {
    let path = place(scene)?;
    Some(Action::Call(Call::Mkdirat { dirfd: Fd::CWD, path, mode: Mode(0o755) }))
}

fn open(path: Bytes, flags: OpenFlags) -> Action {
    let mode = Mode(if flags.contains(OpenFlags::O_CREAT) { 0o4755 } else { 0 });
    Action::Call(Call::Openat2 { dirfd: Fd::CWD, path, how: OpenHow { flags, mode, ..OpenHow::default() } })
}

fn create(scene: &mut Scene<'_>) -> Option<Action> {
    let path = place(scene)?;
    let access = scene.pick(&[OpenFlags::O_RDWR, OpenFlags::empty(), OpenFlags::O_WRONLY | OpenFlags::O_TRUNC]);
    Some(open(path, access | OpenFlags::O_CREAT | OpenFlags::O_NONBLOCK))
}

/// The device that overlays have for a name that is gone.
fn whiteout(scene: &mut Scene<'_>) -> Option<Action> {
    let path = place(scene)?;
    let mode = NodeMode { file_type: FileType::CharacterDevice, mode: Mode(0) };
    Some(Action::Call(Call::Mknodat { dirfd: Fd::CWD, path, mode, device: DeviceNumber::NONE }))
}

fn symlink(scene: &mut Scene<'_>) -> Option<Action> {
    let path = place(scene)?;
    let target = scene.pick(NAMES).into();
    Some(Action::Call(Call::Symlinkat { target, dirfd: Fd::CWD, path }))
}

fn link(scene: &mut Scene<'_>) -> Option<Action> {
    let (old_path, new_path) = pair(scene)?;
    let (old_dirfd, new_dirfd) = (Fd::CWD, Fd::CWD);
    Some(Action::Call(Call::Linkat { old_dirfd, old_path, new_dirfd, new_path, flags: AtFlags::empty() }))
}

fn remove(scene: &mut Scene<'_>) -> Option<Action> {
    let path = place(scene)?;
    let flags = scene.pick(&[AtFlags::empty(), AtFlags::AT_REMOVEDIR]);
    Some(Action::Call(Call::Unlinkat { dirfd: Fd::CWD, path, flags }))
}

/// Two names, which mostly are in one directory, so that they can be in one filesystem.
fn pair(scene: &mut Scene<'_>) -> Option<(Bytes, Bytes)> {
    let directory = directory(scene)?;
    let old = join(&directory, scene.pick(NAMES));
    let new = if scene.chance(80) { join(&directory, scene.pick(NAMES)) } else { place(scene)? };
    Some((old, new))
}

fn rename(scene: &mut Scene<'_>) -> Option<Action> {
    let (old_path, new_path) = pair(scene)?;
    let flags = scene.weighted(&[
        (6, RenameFlags::empty()),
        (1, RenameFlags::RENAME_NOREPLACE),
        (3, RenameFlags::RENAME_EXCHANGE),
        (1, RenameFlags::RENAME_WHITEOUT),
    ]);
    let (old_dirfd, new_dirfd) = (Fd::CWD, Fd::CWD);
    Some(Action::Call(Call::Renameat2 { old_dirfd, old_path, new_dirfd, new_path, flags }))
}

fn chmod(scene: &mut Scene<'_>) -> Option<Action> {
    let path = place(scene)?;
    let mode = Mode(scene.pick(&[0o755, 0o4755, 0o2777, 0o1777, 0o700, 0]));
    Some(Action::Call(Call::Fchmodat { dirfd: Fd::CWD, path, mode }))
}

fn chown(scene: &mut Scene<'_>) -> Option<Action> {
    let path = place(scene)?;
    let (owner, group) = scene.pick(&[(Some(USER), None), (Some(0), Some(0)), (None, Some(USER))]);
    Some(Action::Call(Call::Fchownat { dirfd: Fd::CWD, path, owner, group, flags: AtFlags::AT_SYMLINK_NOFOLLOW }))
}

fn open_directory(scene: &mut Scene<'_>) -> Option<Action> {
    Some(open(place(scene)?, OpenFlags::O_DIRECTORY))
}

fn open_file(scene: &mut Scene<'_>) -> Option<Action> {
    let path = place(scene)?;
    let flags = scene.pick(&[OpenFlags::O_RDWR, OpenFlags::empty(), OpenFlags::O_PATH]);
    Some(open(path, flags | OpenFlags::O_NONBLOCK))
}

fn list(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Getdents64 { fd: directory_of_overlay(scene)? }))
}

/// A directory that is open, of an overlay if there is one.
fn directory_of_overlay(scene: &mut Scene<'_>) -> Option<Fd> {
    let kinds = [DescriptorKind::Directory];
    match scene.last_descriptor(&kinds, Some(OVERLAY)) {
        Some(fd) if scene.chance(50) => Some(fd),
        _ => scene.descriptor(&kinds),
    }
}

fn seek(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = directory_of_overlay(scene)?;
    let offset = scene.pick(&[0, 0, 1, 2, 3]);
    Some(Action::Call(Call::Lseek { fd, offset, whence: Whence::Start }))
}

fn write(scene: &mut Scene<'_>) -> Option<Action> {
    let fd = scene.descriptor(&[DescriptorKind::Other])?;
    Some(Action::Call(Call::Write { fd, data: "behind".into() }))
}

fn statx(scene: &mut Scene<'_>) -> Option<Action> {
    let path = place(scene)?;
    Some(Action::Call(Call::Statx { dirfd: Fd::CWD, path, flags: AtFlags::AT_SYMLINK_NOFOLLOW }))
}

fn chdir(scene: &mut Scene<'_>) -> Option<Action> {
    Some(Action::Call(Call::Chdir { path: place(scene)? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_an_overlay_name_its_layers() {
        let found = layers(&"rw,lowerdir=/a:/b,upperdir=/c/d,workdir=/c/e,uuid=on".into());
        let expected = ["/a", "/b", "/c/d", "/c/e/work", "/c/e"].map(Bytes::from);
        assert!(expected.iter().all(|path| found.contains(path)), "{found:?}");
    }
}
