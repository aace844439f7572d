//! Overlays, whose layers are directories of the trees that a sequence has.

use cofferdam::kernel::{Bytes, Call, Fd, FsConfig, MountFlags};
use cofferdam_vfs_sim::DescriptorKind;

use super::scene::{PROC, Scene, Want, join};
use super::{Action, Maker};

pub(super) const FAMILY: &[(u32, Maker)] = &[(10, mount), (3, mount_lower_only), (1, remount), (1, make_layer)];

/// The magic number of tmpfs(5).
const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
pub(super) const OVERLAY: u64 = 0x794c_7630;

const LAYERS: &[&str] = &["/a", "/b", "/c", "/a/d", "/a/e", "/b/d", "/c/e", "/n0", "/n1", "/b/n1", "/a/n0"];
/// Upper directories with directories for work beside them.
const UPPER: &[(&str, &str)] = &[
    ("/c/d", "/c/e"),
    ("/b/d", "/b/e"),
    ("/a/d", "/a/e"),
    ("/c/d", "/c/sticky"),
    ("/c", "/b/e"),
    ("/b", "/c/e"),
    ("/n0", "/n1"),
    ("/b/closed", "/b/e"),
    ("/a b\\\\\n#", "/c/e"),
];
const OPTIONS: &[&str] = &[
    "index=off",
    "xino=on",
    "xino=auto",
    "xino=off",
    "userxattr",
    "volatile",
    "default_permissions",
    "redirect_dir=off",
    "redirect_dir=nofollow",
    "redirect_dir=follow",
    "uuid=null",
    "uuid=off",
    "uuid=on",
    "uuid=auto",
    "metacopy=off",
    "nfs_export=off",
    "fsync=strict",
    "fsync=auto",
    "override_creds",
    "nooverride_creds",
    "ro",
    "unknown",
    "index=maybe",
    "volatile=1",
];

/// A mount of an overlay over some layers.
fn mount(scene: &mut Scene<'_>) -> Option<Action> {
    let (upper, work) = upper(scene);
    let lower = lower(scene, 1);
    let data = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    Some(action(scene, data))
}

fn mount_lower_only(scene: &mut Scene<'_>) -> Option<Action> {
    let lower = lower(scene, 2);
    Some(action(scene, format!("lowerdir={lower}")))
}

fn action(scene: &mut Scene<'_>, mut data: String) -> Action {
    while scene.chance(25) {
        data.push(',');
        data.push_str(scene.pick(OPTIONS));
    }
    let target = if scene.chance(30) {
        scene.pick(&["/b/n0", "/n2", "/a/d/x", "/c/n1"]).into()
    } else {
        scene.path(Want::Directory)
    };
    let mountflags = if scene.chance(8) { MountFlags::MS_RDONLY } else { MountFlags::empty() };
    let source = Some(scene.pick(&["overlay", "o v", "none"]).into());
    Action::Call(Call::Mount {
        source,
        target,
        filesystemtype: Some("overlay".into()),
        mountflags,
        data: Some(data.into()),
    })
}

fn upper(scene: &mut Scene<'_>) -> (String, String) {
    if scene.chance(88) {
        let (upper, work) = scene.pick(UPPER);
        return (upper.into(), work.into());
    }
    (text(&scene.path(Want::Directory)), text(&scene.path(Want::Directory)))
}

fn lower(scene: &mut Scene<'_>, least: usize) -> String {
    let mut layers = Vec::new();
    while layers.len() < least || scene.chance(30) {
        layers.push(if scene.chance(80) { scene.pick(LAYERS).to_owned() } else { text(&scene.path(Want::Directory)) });
    }
    if scene.chance(2) {
        layers.push(String::new());
    }
    layers.join(":")
}

/// A path as it is written in an option.
fn text(path: &Bytes) -> String {
    let path = String::from_utf8_lossy(&path.0);
    path.replace('\\', "\\\\").replace(',', "\\,").replace(':', "\\:")
}

fn remount(scene: &mut Scene<'_>) -> Option<Action> {
    let target = scene.overlay()?;
    let readonly = if scene.chance(40) { MountFlags::MS_RDONLY } else { MountFlags::empty() };
    let mountflags = MountFlags::MS_REMOUNT | readonly;
    let data = if scene.chance(30) { Some(scene.pick(&["index=on", "bad", "ro", "rw"]).into()) } else { None };
    Some(Action::Call(Call::Mount { source: None, target, filesystemtype: None, mountflags, data }))
}

/// A directory for a layer, in which something is.
fn make_layer(scene: &mut Scene<'_>) -> Option<Action> {
    let directory = Bytes::from(scene.pick(LAYERS));
    let name = scene.pick(&["d", "e", "f", "n0", "n1"]);
    let path = join(&directory, name);
    Some(Action::Call(Call::Mkdirat { dirfd: Fd::CWD, path, mode: cofferdam::kernel::Mode(0o755) }))
}

/// A parameter of an overlay, for a context.
pub(super) fn parameter(scene: &mut Scene<'_>) -> FsConfig {
    let string = |key: &str, value: String| FsConfig::SetString { key: key.into(), value: value.as_str().into() };
    match scene.below(12) {
        0..2 => {
            let lower = lower(scene, 1);
            string("lowerdir", lower)
        }
        2..4 => {
            let path = if scene.chance(80) { scene.pick(LAYERS).to_owned() } else { text(&scene.path(Want::Anything)) };
            string("lowerdir+", path)
        }
        4..8 => {
            let (upper, work) = upper(scene);
            if scene.chance(50) { string("upperdir", upper) } else { string("workdir", work) }
        }
        8 => match scene.descriptor(&[DescriptorKind::Directory, DescriptorKind::Place, DescriptorKind::Tree]) {
            Some(fd) => FsConfig::SetFd { key: scene.pick(&["lowerdir+", "upperdir", "workdir"]).into(), fd },
            None => FsConfig::SetFlag { key: "userxattr".into() },
        },
        _ => {
            let option = scene.pick(OPTIONS);
            match option.split_once('=') {
                Some((key, value)) => string(key, value.into()),
                None => FsConfig::SetFlag { key: option.into() },
            }
        }
    }
}

impl Scene<'_> {
    /// Where an overlay is mounted.
    pub(super) fn overlay(&mut self) -> Option<Bytes> {
        let mounts = self.mounts().iter().filter(|mount| mount.filesystem.0 == b"overlay");
        let paths: Vec<_> = mounts.map(|mount| mount.path.clone()).collect();
        self.pick_any(&paths)
    }

    /// Whether an action takes a directory as a layer that the simulation does not: one that is of none of a few filesystems;
    /// of proc none can be.
    pub(super) fn takes_other_layers(&mut self, action: &Action) -> bool {
        match action {
            Action::Call(Call::Mount { data: Some(data), filesystemtype: Some(kind), .. }) if kind.0 == b"overlay" => {
                let mut layers = Vec::new();
                for option in data.0.split(|byte| *byte == b',') {
                    let value = option.iter().position(|byte| *byte == b'=').and_then(|at| option.get(at + 1..));
                    layers.extend(value.into_iter().flat_map(paths));
                }
                layers.iter().any(|path| !self.can_be_layer(Fd::CWD, path))
            }
            Action::Call(Call::Fsconfig { config: FsConfig::SetString { key, value }, .. }) if is_layer(&key.0) => {
                paths(&value.0).iter().any(|path| !self.can_be_layer(Fd::CWD, path))
            }
            Action::Call(Call::Fsconfig { config: FsConfig::SetFd { key, fd }, .. }) if is_layer(&key.0) => {
                !self.can_be_layer(*fd, &Bytes::default())
            }
            _ => false,
        }
    }

    fn can_be_layer(&mut self, dirfd: Fd, path: &Bytes) -> bool {
        match self.magic_at(dirfd, path, true) {
            None | Some(TMPFS | RAMFS | PROC | OVERLAY) => true,
            Some(_) => false,
        }
    }
}

fn is_layer(key: &[u8]) -> bool {
    matches!(key, b"lowerdir" | b"lowerdir+" | b"upperdir" | b"workdir")
}

/// The paths in the value of an option, with and without what backslashes do (`ovl_unescape()`).
pub(super) fn paths(value: &[u8]) -> Vec<Bytes> {
    let (mut plain, mut bytes) = (Vec::with_capacity(value.len()), value.iter().copied());
    while let Some(byte) = bytes.next() {
        plain.extend(if byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    let parts = value.split(|byte| *byte == b':').chain(plain.split(|byte| *byte == b':'));
    parts.filter(|part| !part.is_empty()).map(Bytes::from).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/a:/b", &["/a", "/b"])]
    #[case(r"/a\\b", &[r"/a\\b", r"/a\b"])]
    #[case(r"/a\:b", &[r"/a\", "b", "/a"])]
    #[case(r"/a\", &[r"/a\", "/a"])]
    fn every_path_is_found_that_may_be_meant(#[case] value: &str, #[case] expected: &[&str]) {
        let found = paths(value.as_bytes());
        assert!(expected.iter().all(|path| found.contains(&Bytes::from(*path))), "{found:?}");
    }
}
