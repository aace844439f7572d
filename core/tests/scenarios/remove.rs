//! Removing what a container leaves behind.

use cofferdam::UnixPathBuf;
use cofferdam::isolator::RemoveError;
use cofferdam::kernel::{DeviceNumber, Errno, Fd, FileType, Mode, MountFlags, NodeMode, OpenFlags};
use serde_json::Value;

use crate::world::{World, volume};

scenarios!(
    a_sandbox_is_removed_with_all_that_is_in_it,
    nothing_is_removed_while_a_mount_is_left,
    nothing_is_removed_before_cleanup,
    a_tree_deeper_than_there_are_descriptors_is_removed,
    what_is_gone_already_is_no_error,
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
