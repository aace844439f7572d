//! What a program must find at the paths that its operator and its configuration speak of, whatever its image has there.

use cofferdam::UnixPath;
use cofferdam::agent::SpecialMount;
use cofferdam::kernel::{AtFlags, DeviceNumber, Errno, Fd, FileType, Kernel, MountFlags, Stat};
use cofferdam::messages::{ContainerId, VolumeMode};
use cofferdam_vfs_sim::{Id, Linux, MountView, Process, Task};

use crate::invariants::Violation;
use crate::machine::volume_on_disk;
use crate::operation::{Container, State};
use crate::steps;

/// Checks what is masked, what is read-only, and the volumes.
pub(crate) fn check(state: &State, id: &ContainerId, program: Id<Task>) -> Result<(), Violation> {
    let Some(container) = state.containers.get(id) else { return Ok(()) };
    // A program that has moved in its image what things are mounted on has moved the mounts as well.
    let linux = state.machine.clone().act_as(|init, _| {
        steps::undo(init, state);
        init.linux().clone()
    })?;
    let Some(process) = Process::of(linux.clone(), program) else { return Ok(()) };
    let eyes = Eyes { state, linux: &linux, process };
    if container.config.rootfs.is_some() {
        if !is_privileged(state, id) {
            state.config.masked_paths.iter().try_for_each(|path| eyes.check_masked(path.as_path()))?;
        }
        let read_only = |mount: &&SpecialMount| mount.flags.contains(MountFlags::MS_RDONLY);
        let mounts = state.config.special_mounts.iter().filter(read_only).map(|mount| &mount.target);
        let mut paths = state.config.readonly_paths.iter().chain(mounts);
        paths.try_for_each(|path| eyes.check_read_only(path.as_path()))?;
    }
    eyes.check_volumes(container)
}

/// Whether a container shares the host's processes: it does if all around it do, and those of the top-level one are the host's.
fn is_privileged(state: &State, id: &ContainerId) -> bool {
    let shares =
        |id: &ContainerId| state.containers.get(id).is_some_and(|container| container.config.shares_pid_namespace());
    std::iter::successors(Some(id), |id| id.parent()).all(shares)
}

/// The program's view of the machine.
struct Eyes<'a> {
    state: &'a State,
    linux: &'a Linux,
    process: Process,
}

impl<'a> Eyes<'a> {
    /// What is at a path, and in which mount. A kernel need not have all that is masked.
    fn look(&self, path: &UnixPath) -> Result<Option<(Stat, MountView<'a>)>, Violation> {
        let stat = match self.process.statx(Fd::CWD, path, AtFlags::empty()) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            stat => stat?,
        };
        let mount = self.linux.mounts().find(|mount| u64::from(mount.id()) == stat.mount_id);
        Ok(mount.map(|mount| (stat, mount)))
    }

    fn check_masked(&self, path: &UnixPath) -> Result<(), Violation> {
        let Some((stat, mount)) = self.look(path)? else { return Ok(()) };
        let is_mask = match stat.file_type {
            FileType::Directory => mount.filesystem_type() == b"tmpfs" && is_read_only(&mount),
            file_type => file_type == FileType::CharacterDevice && stat.rdev == DeviceNumber::NULL,
        };
        expect(is_mask && is_at(&mount, path), path, "is not masked")
    }

    fn check_read_only(&self, path: &UnixPath) -> Result<(), Violation> {
        let Some((_, mount)) = self.look(path)? else { return Ok(()) };
        expect(is_read_only(&mount) && is_at(&mount, path), path, "is not read-only")
    }

    fn check_volumes(&self, container: &Container) -> Result<(), Violation> {
        let config = &container.config;
        let sandbox = match config.rootfs {
            Some(_) => self.state.config.sandbox_directory.as_path(),
            None => config.directory.as_path(),
        };
        for resource in &config.resources {
            let Some(disk) = &resource.disk else { continue };
            let (Some(volume), Some(persistence)) = (&disk.volume, &disk.persistence) else { continue };
            let path = sandbox.join(volume.container_path.as_path());
            let Some((_, mount)) = self.look(&path)? else { return expect(false, &path, "is missing") };
            let root = volume_on_disk(&persistence.id);
            expect(is_at(&mount, &path) && mount.root().0 == root.as_bytes(), &path, "is not the volume")?;
            expect(is_read_only(&mount) == (volume.mode == VolumeMode::ReadOnly), &path, "has another mode")?;
        }
        Ok(())
    }
}

fn is_read_only(mount: &MountView<'_>) -> bool {
    mount.options().0.split(|byte| *byte == b',').any(|option| option == b"ro")
}

fn is_at(mount: &MountView<'_>, path: &UnixPath) -> bool {
    mount.mountpoint().0.ends_with(path.as_bytes())
}

fn expect(holds: bool, path: &UnixPath, what: &str) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation::of("isolation", format!("{} {what}", path.display()))) }
}
