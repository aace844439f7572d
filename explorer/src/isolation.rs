//! What must hold of a program in a container, when it begins: that it sees what it should, and reaches nothing else.

use cofferdam::kernel::Fd;
use cofferdam::messages::{ContainerId, Resource};
use cofferdam_vfs_sim::{Id, MountView, Task};

use crate::invariants::Violation;
use crate::machine::{IMAGE, layout, volume_on_disk};
use crate::operation::State;
use crate::sight;
use crate::steps::ELSEWHERE;
use crate::tables::Tables;

/// Checks the program of a container that was launched while something went wrong, and that runs all the same: it must see
/// the very mounts that it sees if nothing goes wrong.
pub fn check(state: &State, undisturbed: &State, id: &ContainerId) -> Result<(), Violation> {
    let find = |state: &State| state.containers.get(id)?.program(state.machine.linux());
    let (Some(program), Some(other)) = (find(state), find(undisturbed)) else { return Ok(()) };
    let tables = Tables::of(state.machine.linux(), &[program], ELSEWHERE);
    let expected = Tables::of(undisturbed.machine.linux(), &[other], ELSEWHERE);
    if tables != expected {
        return Err(Violation::of("isolation", expected.difference(&tables)));
    }
    sight::check(state, id, program)?;
    check_limits(state, id, &[])
}

/// The same without what it should see, as somebody has changed that, and may have given it these as well: it must reach
/// nothing else.
pub fn check_limits(state: &State, id: &ContainerId, given: &[Resource]) -> Result<(), Violation> {
    let program = state.containers.get(id).and_then(|container| container.program(state.machine.linux()));
    let Some(program) = program else { return Ok(()) };
    check_descriptors(state, program)?;
    check_reach(state, id, program, given)
}

/// Nothing that is open is the agent's but the standard streams.
fn check_descriptors(state: &State, program: Id<Task>) -> Result<(), Violation> {
    let open = state.machine.linux().task(program).into_iter().flat_map(|task| task.files().collect::<Vec<_>>());
    let open = open.map(|file| file.fd).filter(|fd| ![Fd::STDIN, Fd::STDOUT, Fd::STDERR].contains(fd));
    let open: Vec<_> = open.map(|fd| fd.0.to_string()).collect();
    if open.is_empty() { Ok(()) } else { Err(Violation::of("descriptors", open.join(", "))) }
}

/// Of the host's filesystems there is nothing below the program's root, visible or hidden, but what is its own. Beneath the
/// root is what no path leads to: the rootfs that every mount namespace has.
fn check_reach(state: &State, id: &ContainerId, program: Id<Task>, given: &[Resource]) -> Result<(), Violation> {
    let linux = state.machine.linux();
    if state.containers.get(id).is_none_or(|container| container.config.rootfs.is_none()) {
        // It has the host's files.
        return Ok(());
    }
    let namespace = |task| linux.task(task).and_then(|task: cofferdam_vfs_sim::TaskView<'_>| task.mount_namespace());
    let host = state.machine.observers().first().and_then(|init| namespace(*init));
    let of_host: Vec<_> =
        host.iter().flat_map(cofferdam_vfs_sim::NamespaceView::mounts).map(|mount| mount.device()).collect();
    let root = linux.task(program).and_then(|task| task.root_mount());
    let Some(root) = root else { return Err(Violation::of("reach", "its root is no mount")) };
    let mut mounts = vec![root];
    let mut next = 0;
    while let Some(mount) = mounts.get(next).copied() {
        mounts.extend(mount.children());
        next += 1;
    }
    let foreign = mounts
        .iter()
        .filter(|mount| of_host.contains(&mount.device()) && !is_own(state, id, given, mount))
        .map(std::string::ToString::to_string);
    let foreign: Vec<_> = foreign.collect();
    if foreign.is_empty() { Ok(()) } else { Err(Violation::of("reach", foreign.join("\n"))) }
}

/// Whether a mount of one of the host's filesystems is for this container.
fn is_own(state: &State, id: &ContainerId, given: &[Resource], mount: &MountView<'_>) -> bool {
    // What they show depends on who looks, or is the machine's.
    if [&b"proc"[..], b"sysfs"].contains(&mount.filesystem_type()) {
        return true;
    }
    let root = mount.root().to_string();
    let root = root.trim_matches('"');
    let on_disk = |path: &cofferdam::UnixPath| path.to_string().trim_start_matches("/world").to_owned();
    let mut own = vec![on_disk(cofferdam::UnixPath::new(IMAGE))];
    let mut next = Some(id.clone());
    while let Some(id) = next {
        if let Some(container) = state.containers.get(&id) {
            own.push(on_disk(container.config.directory.as_path()));
            own.extend(container.config.resources.iter().chain(given).filter_map(|resource| {
                let id = &resource.disk.as_ref()?.persistence.as_ref()?.id;
                Some(volume_on_disk(id))
            }));
            if container.config.container_info.as_ref().is_some_and(|info| !info.volumes.is_empty()) {
                own.push("/shared".into());
            }
        }
        own.push(layout().container_devices(&id).to_string().trim_start_matches("/run").to_owned());
        next = id.parent().cloned();
    }
    // A device that covers what is to be hidden.
    own.push("/dev/null".into());
    own.iter().any(|own| root == own || root.strip_prefix(own.as_str()).is_some_and(|rest| rest.starts_with('/')))
}
