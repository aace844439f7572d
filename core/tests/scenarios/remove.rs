//! Removing what a container leaves behind.

use cofferdam::isolator::{IsolatorError, RemoveError};
use cofferdam::kernel::{AtFlags, DeviceNumber, Errno, Fd, FileType, Mode, MountFlags, NodeMode, OpenFlags};
use cofferdam::{UnixPath, UnixPathBuf};
use serde_json::Value;

use crate::world::{World, volume};

scenarios!(
    a_sandbox_is_removed_with_all_that_is_in_it,
    nothing_is_removed_while_a_mount_is_left,
    nothing_is_removed_before_cleanup,
    a_record_stays_as_long_as_the_mounts_that_it_is_about,
    what_another_agent_has_prepared_since_stays,
    a_tree_deeper_than_there_are_descriptors_is_removed,
    what_is_gone_already_is_no_error,
    nothing_but_a_sandbox_is_removed,
    a_planted_symbolic_link_leads_removal_nowhere,
);

fn a_sandbox_is_removed_with_all_that_is_in_it(world: &World<'_>) {
    let mut agent = world.agent();
    let elsewhere = world.make_directory("elsewhere");
    world.write(&elsewhere.join("file"), "kept");
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    let sandbox = config.directory.as_path();
    let inner = world.make_directory("work/slaves/a/frameworks/f/executors/e/runs/c/inner");
    world.write(&inner.join("file"), "gone");
    world.kernel.symlinkat(&elsewhere, Fd::CWD, &inner.join("link")).unwrap();
    let fifo = NodeMode { file_type: FileType::Fifo, mode: Mode(0o600) };
    world.kernel.mknodat(Fd::CWD, &inner.join("fifo"), fifo, DeviceNumber::NONE).unwrap();
    agent.cleanup(&id).unwrap();
    agent.remove(&id, sandbox).unwrap();
    assert!(!world.exists(sandbox));
    assert!(!world.exists(&world.path("run/containers/c")));
    assert_eq!(world.read(&elsewhere.join("file")), "kept", "a symbolic link is removed, not followed");
}

fn nothing_is_removed_while_a_mount_is_left(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    agent.cleanup(&id).unwrap();
    let late = world.make_directory("work/slaves/a/frameworks/f/executors/e/runs/c/late");
    let file = config.directory.as_path().join("file");
    world.write(&file, "here");
    world.mount_tmpfs(&late, MountFlags::empty());
    let error = agent.remove(&id, config.directory.as_path()).unwrap_err();
    assert!(matches!(&error, RemoveError::MountLeft { mountpoint, .. } if mountpoint.as_path() == late), "{error}");
    assert_eq!(world.read(&file), "here");
    world.umount(&late);
    agent.remove(&id, config.directory.as_path()).unwrap();
}

fn nothing_is_removed_before_cleanup(world: &World<'_>) {
    let mut agent = world.agent();
    let source = world.make_directory("work/volumes/roles/role/db");
    world.write(&source.join("file"), "kept");
    let (id, config) = world.container("c", vec![volume("db", "data", "RW", Value::Null)]);
    agent.prepare(&id, &config).unwrap();
    let error = agent.remove(&id, config.directory.as_path()).unwrap_err();
    assert_eq!(error, RemoveError::NotCleanedUp(id));
    assert_eq!(world.read(&source.join("file")), "kept");
}

/// Of a container that is not known, as its record is damaged, nothing is cleaned up. The record must not go as if it was.
fn a_record_stays_as_long_as_the_mounts_that_it_is_about(world: &World<'_>) {
    world.make_directory("work/volumes/roles/role/db");
    let (id, config) = world.container("c", vec![volume("db", "data", "RW", Value::Null)]);
    world.agent().prepare(&id, &config).unwrap();
    let record = world.path("run/containers/c/config");
    let text = world.read(&record);
    world.write(&record, "{");
    let mut agent = world.agent();
    assert_eq!(agent.resume().unwrap().len(), 1);
    agent.cleanup(&id).unwrap();
    let error = agent.remove_runtime(&id).unwrap_err();
    let mounted = config.directory.as_path();
    assert!(matches!(&error, RemoveError::MountLeft { mountpoint, .. } if mountpoint.as_path() == mounted), "{error}");
    assert_eq!(world.read(&record), "{");
    world.write(&record, &text);
    assert!(agent.resume().unwrap().is_empty());
    agent.cleanup(&id).unwrap();
    agent.remove_runtime(&id).unwrap();
}

/// Nor the sandbox: that this agent has detached the mounts says nothing of what another one has mounted since.
fn what_another_agent_has_prepared_since_stays(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    agent.cleanup(&id).unwrap();
    agent.remove_runtime(&id).unwrap();
    let mut other = world.agent();
    other.prepare(&id, &config).unwrap();
    assert!(matches!(agent.remove_runtime(&id), Err(RemoveError::MountLeft { .. })));
    assert!(matches!(agent.remove_sandbox(&id, config.directory.as_path()), Err(RemoveError::MountLeft { .. })));
    other.cleanup(&id).unwrap();
    other.remove(&id, config.directory.as_path()).unwrap();
}

fn a_tree_deeper_than_there_are_descriptors_is_removed(world: &World<'_>) {
    let mut agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.prepare(&id, &config).unwrap();
    agent.cleanup(&id).unwrap();
    let name = UnixPathBuf::from("d");
    let mut directory = world.open(config.directory.as_path(), OpenFlags::O_DIRECTORY).unwrap();
    for _ in 0..3000 {
        world.kernel.mkdirat(directory, &name, Mode(0o755)).unwrap();
        // A name that the removal itself uses.
        let taken = UnixPathBuf::from(".cofferdam-removing-0");
        assert!(matches!(world.kernel.mkdirat(directory, &taken, Mode(0o755)), Ok(()) | Err(Errno::EEXIST)));
        let how = cofferdam::kernel::OpenHow { flags: OpenFlags::O_DIRECTORY, ..Default::default() };
        let deeper = world.kernel.openat2(directory, &name, how).unwrap();
        world.kernel.close(directory).unwrap();
        directory = deeper;
    }
    world.kernel.close(directory).unwrap();
    agent.remove(&id, config.directory.as_path()).unwrap();
    assert!(!world.exists(config.directory.as_path()));
}

fn what_is_gone_already_is_no_error(world: &World<'_>) {
    let agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    agent.remove(&id, config.directory.as_path()).unwrap();
    agent.remove(&id, config.directory.as_path()).unwrap();
    assert!(!world.exists(config.directory.as_path()));
}

fn nothing_but_a_sandbox_is_removed(world: &World<'_>) {
    let agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    let (other, other_config) = world.container("d", vec![]);
    let victim = world.make_directory("victim/runs/c");
    world.write(&victim.join("file"), "of somebody else");
    let link = world.path("work/containers");
    world.kernel.symlinkat(&victim, Fd::CWD, &link).unwrap();
    let work = world.path("work");
    let runs = config.directory.as_path().parent().unwrap();
    for wrong in [&victim, &link, &work, runs, other_config.directory.as_path(), UnixPath::new("/")] {
        let error = agent.remove_sandbox(&id, wrong).unwrap_err();
        let is_told = matches!(&error, RemoveError::Isolator(IsolatorError::SandboxElsewhere { .. }));
        assert!(is_told && error.to_string().contains("can't be the sandbox of container c"), "{error}");
    }
    assert!(agent.remove_sandbox(&other, config.directory.as_path()).is_err());
    assert_eq!(world.read(&victim.join("file")), "of somebody else");
    agent.remove_sandbox(&id, config.directory.as_path()).unwrap();
    assert!(!world.exists(config.directory.as_path()));
}

/// The program of the container around it can put one there at any time.
fn a_planted_symbolic_link_leads_removal_nowhere(world: &World<'_>) {
    let agent = world.agent();
    let (id, config) = world.container("c", vec![]);
    let (other, other_config) = world.container("d", vec![]);
    let (child, child_config) = world.nested((&id, &config), "n");
    let (_, victim) = world.nested((&other, &other_config), "n");
    world.write(&victim.directory.as_path().join("file"), "of somebody else");
    let containers = config.directory.as_path().join("containers");
    world.kernel.unlinkat(Fd::CWD, child_config.directory.as_path(), AtFlags::AT_REMOVEDIR).unwrap();
    world.kernel.unlinkat(Fd::CWD, &containers, AtFlags::AT_REMOVEDIR).unwrap();
    world.kernel.symlinkat(&other_config.directory.as_path().join("containers"), Fd::CWD, &containers).unwrap();
    assert!(agent.remove_sandbox(&child, child_config.directory.as_path()).is_err());
    assert_eq!(world.read(&victim.directory.as_path().join("file")), "of somebody else");
}
