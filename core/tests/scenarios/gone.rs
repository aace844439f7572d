//! Volumes whose directories the host has removed while they are mounted: the mount and its mount point go, nothing else.

use cofferdam::UnixPathBuf;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::{AtFlags, Errno, Fd, Kernel};
use cofferdam::messages::{ContainerConfig, ContainerId, Resource};
use serde_json::Value;

use crate::world::{World, state, volume};

scenarios!(
    update_unmounts_a_volume_that_is_gone,
    cleanup_unmounts_a_volume_that_is_gone,
    a_volume_that_is_gone_does_not_keep_others_from_coming,
    a_volume_that_was_made_anew_is_another_one,
    the_disk_of_a_volume_is_gone_as_a_whole,
);

fn plain(id: &str) -> Resource {
    volume(id, id, "RW", Value::Null)
}

fn source(world: &World<'_>, id: &str) -> UnixPathBuf {
    world.path("work/volumes/roles/role").join(id)
}

/// A container with the volumes `db`, whose directory is removed, and `log`, which has data.
struct Host<'w, 'k> {
    world: &'w World<'k>,
    id: ContainerId,
    config: ContainerConfig,
}

/// Who goes on after the directory was removed.
#[derive(Clone, Copy, Debug)]
enum Next {
    TheSameAgent,
    OneThatReadsTheRecords,
    OneThatIsTold,
}

const ALL: [Next; 3] = [Next::TheSameAgent, Next::OneThatReadsTheRecords, Next::OneThatIsTold];

impl<'w, 'k> Host<'w, 'k> {
    fn new(world: &'w World<'k>, next: Next) -> (Self, Isolator<&'k dyn Kernel>) {
        for id in ["db", "log"] {
            world.make_directory(&format!("work/volumes/roles/role/{id}"));
        }
        world.write(&source(world, "log").join("file"), "kept");
        let (id, config) = world.container(&format!("{next:?}"), vec![plain("db"), plain("log")]);
        let mut agent = world.agent();
        agent.prepare(&id, &config).unwrap();
        let host = Self { world, id, config };
        host.remove_directory();
        let agent = host.next(next, agent);
        (host, agent)
    }

    fn remove_directory(&self) {
        self.world.kernel.unlinkat(Fd::CWD, &source(self.world, "db"), AtFlags::AT_REMOVEDIR).unwrap();
    }

    fn next(&self, next: Next, agent: Isolator<&'k dyn Kernel>) -> Isolator<&'k dyn Kernel> {
        if matches!(next, Next::TheSameAgent) {
            return agent;
        }
        let mut agent = self.world.agent();
        if matches!(next, Next::OneThatReadsTheRecords) {
            assert_eq!(agent.resume(), Ok(vec![]));
        } else {
            agent.recover(&[state(&self.id, &self.config)], &[]).unwrap();
        }
        agent
    }

    fn target(&self, id: &str) -> UnixPathBuf {
        self.config.directory.as_path().join(id)
    }

    fn is_there(&self, id: &str) -> bool {
        self.world.exists(&self.target(id))
    }

    fn log_is_kept(&self) {
        assert_eq!(self.world.read(&source(self.world, "log").join("file")), "kept");
    }
}

fn update_unmounts_a_volume_that_is_gone(world: &World<'_>) {
    for next in ALL {
        let (host, mut agent) = Host::new(world, next);
        assert_eq!(world.mounts_at(&host.target("db")).len(), 1, "{next:?}: it is still mounted");
        agent.update(&host.id, &[plain("log")]).unwrap();
        assert!(world.mounts_at(&host.target("db")).is_empty() && !host.is_there("db"), "{next:?}");
        assert_eq!(world.read(&host.target("log").join("file")), "kept", "{next:?}");
        agent.update(&host.id, &[]).unwrap();
        assert!(!host.is_there("log"), "{next:?}");
        host.log_is_kept();
    }
}

fn cleanup_unmounts_a_volume_that_is_gone(world: &World<'_>) {
    world.agent();
    let before = world.mounts();
    for next in ALL {
        let (host, mut agent) = Host::new(world, next);
        agent.cleanup(&host.id).unwrap();
        assert_eq!(world.mounts(), before, "{next:?}");
        agent.remove(&host.id, host.config.directory.as_path()).unwrap();
        assert!(!world.exists(host.config.directory.as_path()), "{next:?}");
        host.log_is_kept();
    }
}

fn a_volume_that_is_gone_does_not_keep_others_from_coming(world: &World<'_>) {
    world.make_directory("work/volumes/roles/role/new");
    for next in ALL {
        let (host, mut agent) = Host::new(world, next);
        agent.update(&host.id, &[plain("log"), plain("new")]).unwrap();
        assert!(!host.is_there("db") && host.is_there("new"), "{next:?}");
        assert_eq!(world.read(&host.target("log").join("file")), "kept", "{next:?}");
        // It is gone: that is told, and nothing is left of the attempt.
        let error = agent.update(&host.id, &[plain("log"), plain("new"), plain("db")]).unwrap_err().to_string();
        assert!(error.contains("ENOENT") && error.contains("volumes/roles/role/db"), "{error}");
        assert!(!host.is_there("db"), "{next:?}");
        agent.cleanup(&host.id).unwrap();
    }
}

/// What the container has is the old one: its data is no longer anybody else's.
fn a_volume_that_was_made_anew_is_another_one(world: &World<'_>) {
    for next in ALL {
        let (host, agent) = Host::new(world, next);
        drop(agent);
        let made = world.make_directory("work/volumes/roles/role/db");
        world.write(&made.join("file"), "new");
        let mut agent = host.next(Next::OneThatReadsTheRecords, world.agent());
        agent.update(&host.id, &[plain("log")]).unwrap();
        assert!(!host.is_there("db"), "{next:?}");
        assert_eq!(world.read(&made.join("file")), "new", "{next:?}");
        agent.update(&host.id, &[plain("log"), plain("db")]).unwrap();
        assert_eq!(world.read(&host.target("db").join("file")), "new", "{next:?}");
        agent.cleanup(&host.id).unwrap();
        agent.remove(&host.id, host.config.directory.as_path()).unwrap();
        assert_eq!(world.read(&made.join("file")), "new", "{next:?}");
        world.kernel.unlinkat(Fd::CWD, &made.join("file"), AtFlags::empty()).unwrap();
        host.remove_directory();
    }
}

/// A disk that somebody has put in and out: the path to the volume ends at a file now.
fn the_disk_of_a_volume_is_gone_as_a_whole(world: &World<'_>) {
    let mut agent = world.agent();
    let disk = world.path("disk");
    let on_disk = serde_json::json!({ "type": "PATH", "path": { "root": disk.to_string() } });
    let (id, config) = world.container("c", vec![volume("db", "db", "RW", on_disk)]);
    world.make_directory("disk/volumes/roles/role/db");
    agent.prepare(&id, &config).unwrap();
    for name in ["volumes/roles/role/db", "volumes/roles/role", "volumes/roles", "volumes", ""] {
        world.kernel.unlinkat(Fd::CWD, &disk.join(name), AtFlags::AT_REMOVEDIR).unwrap();
    }
    world.write(&disk, "no directory");
    let mut agent = world.agent();
    assert_eq!(agent.resume(), Ok(vec![]));
    agent.update(&id, &[]).unwrap();
    let target = config.directory.as_path().join("db");
    assert_eq!(world.stat(&target).map(|stat| stat.mount_id), Err(Errno::ENOENT));
    agent.cleanup(&id).unwrap();
}
