//! An agent on the sample host.

use std::error::Error;

use cofferdam::agent::AgentConfig;
use cofferdam::isolator::Isolator;
use cofferdam::kernel::Mode;
use cofferdam::layout::Layout;
use cofferdam::messages::{
    ContainerConfig, ContainerId, DiskInfo, OtherFields, Persistence, Resource, ResourceReservation, Volume, VolumeMode,
};
use cofferdam::root::create_directories;
use cofferdam::user::NumericUsers;
use cofferdam::volumes::PersistentVolume;

use super::host;
use crate::handle::Process;

/// An agent on the sample host, with a container that can be prepared at once: for examples, and for tests of what uses an
/// [`Isolator`].
///
/// ```
/// use cofferdam_vfs_sim::sample;
///
/// let sample::Agent { mut isolator, id, container, volume, .. } = sample::agent();
/// isolator.prepare(&id, &container)?;
/// isolator.update(&id, &[volume])?;
/// assert_eq!(isolator.container(&id).map_or(0, |container| container.volumes().len()), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Agent {
    /// A process of the host, of root; the isolator's as well.
    pub kernel: Process,
    /// Its work_dir is `/var/lib/agent`, its runtime_dir `/run/agent`; it knows no container.
    pub isolator: Isolator<Process>,
    /// A top-level container, `c1`.
    pub id: ContainerId,
    /// Its configuration, without a root filesystem ([`ROOTFS`](super::ROOTFS) is one); the sandbox is there, and is root's.
    pub container: ContainerConfig,
    /// A persistent volume that it could have in its sandbox as `data`; the directory with the data is there, and empty:
    /// `/var/lib/agent/volumes/roles/web/db`.
    pub volume: Resource,
}

/// Makes an agent on a [host](host) of its own.
///
/// # Panics
///
/// Never: all is made on a host that is constant, and a test does it.
#[allow(clippy::expect_used, reason = "see above")]
pub fn agent() -> Agent {
    make().expect("the sample host has room for an agent")
}

fn make() -> Result<Agent, Box<dyn Error>> {
    let kernel = Process::init(host());
    let layout = Layout { work_dir: "/var/lib/agent".into(), runtime_dir: "/run/agent".into() };
    create_directories(&kernel, &layout.work_dir, Mode(0o755))?;
    let isolator = Isolator::create(kernel.clone(), AgentConfig::new(layout.clone()), Box::new(NumericUsers))?;
    let id = ContainerId::new("c1")?;
    let sandbox = layout.executor_sandbox("agent", "framework", "executor", &id)?;
    create_directories(&kernel, &sandbox, Mode(0o755))?;
    let container = ContainerConfig { directory: sandbox.into(), ..ContainerConfig::default() };
    let volume = volume();
    if let Some(volume) = PersistentVolume::from_resource(&volume, &layout)? {
        volume.create(&kernel)?;
    }
    Ok(Agent { kernel, isolator, id, container, volume })
}

fn volume() -> Resource {
    let reservation = ResourceReservation { role: Some("web".into()), other: OtherFields::new() };
    let volume = Volume {
        container_path: "data".into(),
        mode: VolumeMode::ReadWrite,
        host_path: None,
        source: None,
        other: OtherFields::new(),
    };
    let disk = DiskInfo {
        persistence: Some(Persistence { id: "db".into(), other: OtherFields::new() }),
        volume: Some(volume),
        ..DiskInfo::default()
    };
    Resource {
        name: "disk".into(),
        role: None,
        reservations: vec![reservation],
        disk: Some(disk),
        shared: None,
        provider_id: None,
        other: OtherFields::new(),
    }
}
