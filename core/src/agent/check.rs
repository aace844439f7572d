//! Whether a configuration makes sense.

use typed_path::{UnixComponent, UnixPath};

use super::key::{InvalidConfig, Key, Problem};
use super::{AgentConfig, SpecialMount};
use crate::kernel::{Bytes, MountFlags, quoted};
use crate::layout::check_component;

/// What every container finds in `/dev`: links, and directories in which something is mounted.
const TAKEN_DEVICES: [&str; 7] = ["fd", "stdin", "stdout", "stderr", "ptmx", "pts", "shm"];

/// What the launcher does not do for a mount of a container.
const UNSUPPORTED: MountFlags = MountFlags::MS_SHARED
    .union(MountFlags::MS_PRIVATE)
    .union(MountFlags::MS_SLAVE)
    .union(MountFlags::MS_UNBINDABLE)
    .union(MountFlags::MS_REMOUNT)
    .union(MountFlags::MS_MOVE);

/// Flags of a filesystem, which a bind shares with other mounts.
const OF_A_FILESYSTEM: MountFlags =
    MountFlags::MS_SYNCHRONOUS.union(MountFlags::MS_DIRSYNC).union(MountFlags::MS_LAZYTIME);

impl AgentConfig {
    /// Checks everything but the layout, which [`Isolator::create`](crate::isolator::Isolator::create) looks at on the
    /// host.
    ///
    /// # Errors
    ///
    /// All that is wrong, by its key.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        let mut problems = Vec::new();
        let mut check = |key: Key, result: Result<(), String>| {
            problems.extend(result.err().map(|message| key.problem(message)));
        };
        check(Key::new("sandbox_directory"), path_below_root(&self.sandbox_directory));
        for (index, name) in self.isolation.iter().enumerate() {
            check(Key::new("isolation").index(index), isolator_name(name));
        }
        for (index, name) in self.devices.iter().enumerate() {
            check(Key::new("devices").index(index), device(name, &self.devices[..index]));
        }
        for (index, path) in self.masked_paths.iter().enumerate() {
            check(Key::new("masked_paths").index(index), path_below_root(path.as_path()));
        }
        for (index, path) in self.readonly_paths.iter().enumerate() {
            check(Key::new("readonly_paths").index(index), self.check_readonly_path(path.as_path()));
        }
        for (index, path) in self.host_path_creation.iter().enumerate() {
            check(Key::new("host_path_creation").index(index), absolute_path(path));
        }
        for (index, mount) in self.special_mounts.iter().enumerate() {
            problems.extend(self.special_mount_problems(&Key::new("special_mounts").index(index), mount));
        }
        problems.extend(self.tmpfs_size_problems());
        if problems.is_empty() { Ok(()) } else { Err(InvalidConfig(problems)) }
    }

    fn check_readonly_path(&self, path: &UnixPath) -> Result<(), String> {
        path_below_root(path)?;
        self.check_not_hidden(path)?;
        if path == UnixPath::new("/dev") {
            return Err("\"/dev\" can't be read-only: links are made in it after that".into());
        }
        Ok(())
    }

    /// What is mounted before the sandbox must not be below it.
    fn check_not_hidden(&self, path: &UnixPath) -> Result<(), String> {
        // The root directory is a mistake of its own.
        if path_below_root(&self.sandbox_directory).is_ok() && path.starts_with(&self.sandbox_directory) {
            let sandbox = quoted(self.sandbox_directory.as_bytes());
            return Err(format!("{} would be hidden by the sandbox, which is mounted on {sandbox} later", shown(path)));
        }
        Ok(())
    }

    fn special_mount_problems(&self, key: &Key, mount: &SpecialMount) -> Vec<Problem> {
        let target = mount.target.as_path();
        let mut problems = Vec::new();
        let mut check = |name: &str, result: Result<(), String>| {
            problems.extend(result.err().map(|message| key.name(name).problem(message)));
        };
        check("target", path_below_root(target).and_then(|()| self.check_not_hidden(target)));
        check("type", filesystem_type(mount));
        if let Some(source) = &mount.source {
            check("source", source_of(mount, source));
        }
        check("flags", flags(mount));
        check("options", options(mount));
        problems
    }
}

pub(super) fn shown(path: &UnixPath) -> Bytes {
    path.into()
}

fn refuse_nul(bytes: &[u8]) -> Result<(), String> {
    if bytes.contains(&0) { Err(format!("{} contains a NUL byte", quoted(bytes))) } else { Ok(()) }
}

/// A path that means one place, whatever the links on the way.
pub(super) fn absolute_path(path: &UnixPath) -> Result<(), String> {
    if !path.is_absolute() {
        return Err(format!("it must be an absolute path, but is {}", shown(path)));
    }
    if path.components().any(|component| component == UnixComponent::ParentDir) {
        return Err(format!("{} must not contain \"..\"", shown(path)));
    }
    refuse_nul(path.as_bytes())
}

fn path_below_root(path: &UnixPath) -> Result<(), String> {
    absolute_path(path)?;
    if path == UnixPath::new("/") {
        return Err("it must not be the root directory, which is the container's whole filesystem".into());
    }
    Ok(())
}

fn isolator_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name of an isolator is empty".into());
    }
    if name.contains(|character: char| character == ',' || character.is_whitespace() || character.is_control()) {
        return Err(format!("{} is not the name of one isolator", quoted(name)));
    }
    Ok(())
}

fn device(name: &str, before: &[String]) -> Result<(), String> {
    check_component(name.as_bytes())
        .map_err(|error| format!("it must be the name of a device in /dev, but {error}"))?;
    if TAKEN_DEVICES.contains(&name) {
        return Err(format!("every container has a \"/dev/{name}\" of its own"));
    }
    if before.iter().any(|other| other == name) {
        return Err(format!("{} is there twice", quoted(name)));
    }
    Ok(())
}

fn is_bind(mount: &SpecialMount) -> bool {
    mount.flags.contains(MountFlags::MS_BIND)
}

fn filesystem_type(mount: &SpecialMount) -> Result<(), String> {
    match &mount.filesystem_type {
        Some(_) if is_bind(mount) => Err("a bind has no type: leave out the type, or the flag bind".into()),
        None if !is_bind(mount) => Err("there must be a type, or the flag bind".into()),
        Some(name) if name.is_empty() => Err("it is empty".into()),
        Some(name) => refuse_nul(name.as_bytes()),
        None => Ok(()),
    }
}

/// The kernel would look up the path of a device by itself, through any link of the image.
fn source_of(mount: &SpecialMount, source: &Bytes) -> Result<(), String> {
    if is_bind(mount) {
        return path_below_root(source.as_path());
    }
    if source.0.contains(&b'/') {
        return Err(format!(
            "the source of a filesystem must be a name, but is the path {source}; mount the disk on the host, and bind it \
             in the root filesystem"
        ));
    }
    if source.0.is_empty() {
        return Err("it is empty".into());
    }
    refuse_nul(&source.0)
}

fn flags(mount: &SpecialMount) -> Result<(), String> {
    let without_effect = if is_bind(mount) { OF_A_FILESYSTEM } else { MountFlags::MS_REC };
    let kind = if is_bind(mount) { "bind" } else { "new filesystem" };
    if mount.flags.intersects(UNSUPPORTED) {
        return Err(format!("{} is not supported", mount.flags & UNSUPPORTED));
    }
    if mount.flags.intersects(without_effect) {
        return Err(format!("{} has no effect on a {kind}", mount.flags & without_effect));
    }
    Ok(())
}

fn options(mount: &SpecialMount) -> Result<(), String> {
    match &mount.options {
        Some(_) if is_bind(mount) => Err("a bind has no options, but those of the filesystem that it is in".into()),
        Some(options) => refuse_nul(options.as_bytes()),
        None => Ok(()),
    }
}
