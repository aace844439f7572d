//! Public weaknesses of container runtimes that concern mounts and paths, each tried on this isolator as it would be: the
//! test has the number of the weakness, and says what it was and why we are immune.
//!
//! Those that need a real program or the command are in `cli/tests/scenarios/weaknesses.rs`.

pub mod devices;
pub mod leftovers;
pub mod processes;
pub mod procfs;
pub mod races;
pub mod sources;

use cofferdam::kernel::{Fd, Kernel, Mode, MountFlags, WaitStatus};
use cofferdam::launch::LaunchRequest;
use cofferdam::messages::ContainerLaunchInfo;
use cofferdam::mountinfo::OwnedEntry;
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};

use crate::scenarios::{CONTENT, Container, Program, exists, path};
use crate::trees::listing::Listing;
use crate::trees::told::told;
use crate::world::{World, mount_table};

/// A directory of the host, to which attacks lead, and what must not change besides.
pub struct Host<'w, 'k> {
    world: &'w World<'k>,
    pub precious: UnixPathBuf,
    files: Listing,
    mounts: Vec<OwnedEntry>,
}

impl<'w, 'k> Host<'w, 'k> {
    /// A directory with all that a mount, a mask or a link could go to, or take away.
    pub fn new(world: &'w World<'k>) -> Self {
        let precious = world.make_directory("precious");
        for name in ["file", "null", "console", "tty", "ptmx", "fd", "kcore", "attr/exec", "self/attr/exec", "x/file"] {
            let file = precious.join(name);
            cofferdam::root::create_directories(world.kernel, file.parent().unwrap(), Mode(0o755)).unwrap();
            world.write(&file, "of the host");
        }
        for name in ["empty", "pts", "shm", "sys", "sandbox", "mesos/sandbox", "a/b", "data", "x/deep"] {
            world.make_directory(&format!("precious/{name}"));
        }
        let mut host = Self { world, precious, files: Listing::default(), mounts: Vec::new() };
        (host.files, host.mounts) = host.state();
        host
    }

    /// From now on, what there is belongs to it.
    pub fn settle(&mut self) {
        (self.files, self.mounts) = self.state();
    }

    fn state(&self) -> (Listing, Vec<OwnedEntry>) {
        let mut files = Listing::default();
        files.add(self.world.kernel, &self.precious, UnixPath::new(""));
        files.add_flat(self.world.kernel, path("/"));
        files.add_flat(self.world.kernel, path("/dev"));
        (files, mount_table(self.world.kernel))
    }

    /// Nothing of it was changed, and nothing is mounted on it.
    #[track_caller]
    pub fn assert_untouched(&self, attack: &str) {
        let (files, mounts) = self.state();
        let changes = files.changes_since(&self.files);
        assert!(changes.is_empty(), "{attack}: {}", changes.join("\n"));
        let mounted = mounts.iter().find(|mount| mount.mountpoint.starts_with(&self.precious));
        assert!(mounted.is_none(), "{attack}: {mounted:?}");
    }

    /// The same, and nothing else is mounted anywhere.
    #[track_caller]
    pub fn assert_unchanged(&self, attack: &str) {
        self.assert_untouched(attack);
        assert_eq!(mount_table(self.world.kernel), self.mounts, "{attack}");
    }
}

/// An image in which something is a symbolic link.
pub fn image_with_link(world: &World<'_>, name: &str, target: &UnixPath) -> UnixPathBuf {
    let rootfs = world.make_directory("rootfs");
    put_link(world, &rootfs.join(name), target);
    rootfs
}

/// Makes a symbolic link, and the directory that it is in.
pub fn put_link(world: &World<'_>, link: &UnixPath, target: &UnixPath) {
    cofferdam::root::create_directories(world.kernel, link.parent().unwrap(), Mode(0o755)).unwrap();
    world.kernel.symlinkat(target, Fd::CWD, link).unwrap();
}

/// The null device is what another test has shown to be one, and `/dev` is mounted by none.
pub fn without_dev<'w, 'k>(container: Container<'w, 'k>) -> Container<'w, 'k> {
    container.with_agent(|agent| agent.special_mounts.retain(|special| special.target != "/dev".into()))
}

/// Tries to launch: gives what the launcher says if it refuses.
#[track_caller]
pub fn attempt(container: &Container<'_, '_>, info: ContainerLaunchInfo, program: &Program<'_>) -> Result<(), String> {
    attempt_through(container.world.kernel, info, program)
}

#[track_caller]
pub fn attempt_through(kernel: &dyn Kernel, info: ContainerLaunchInfo, program: &Program<'_>) -> Result<(), String> {
    let (status, message) = told(kernel, &LaunchRequest { info, ..LaunchRequest::default() }, program);
    match status {
        CONTENT => Ok(()),
        WaitStatus::Exited(125) => Err(message),
        _ => panic!("{status:?}: {message}"),
    }
}

/// Prepares, and tries to launch; the launcher must refuse because of a symbolic link.
#[track_caller]
pub fn assert_link_is_refused(container: &mut Container<'_, '_>, link: &UnixPath) {
    let info = container.agent.prepare(&container.id, &container.config).unwrap();
    let refusal = attempt(container, info, &|_| Err("it was launched".into())).unwrap_err();
    let expected = format!("{:?} is a symbolic link, which is not followed here", link.to_string());
    assert!(refusal.contains(&expected), "{refusal}");
}

/// A bind of a directory on itself, read-only.
pub fn bind_read_only(world: &World<'_>, directory: &UnixPath) {
    world.bind(directory, directory);
    let read_only = MountFlags::MS_REMOUNT | MountFlags::MS_BIND | MountFlags::MS_RDONLY;
    world.kernel.mount(None, directory, None, read_only, None).unwrap();
}

/// A file that is masked, and that this kernel has.
pub fn masked_file(kernel: &dyn Kernel) -> Result<&'static str, String> {
    let names = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug"];
    names.into_iter().find(|name| exists(kernel, name)).ok_or_else(|| "there is nothing to be masked".into())
}

/// What is in a directory.
pub fn names_in(kernel: &dyn Kernel, directory: &str) -> Vec<Vec<u8>> {
    checkpoint::list(kernel, path(directory))
        .map_or_else(|_| Vec::new(), |entries| entries.into_iter().map(|entry| entry.name.0).collect())
}
