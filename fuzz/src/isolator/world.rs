//! The host, and what is looked at on it.

use cofferdam::agent::AgentConfig;
use cofferdam::kernel::{
    AtFlags, Errno, Fd, Kernel, Mode, MountAttr, MountFlags, OpenFlags, OpenHow, Pid, ResolveFlags, WaitOptions,
};
use cofferdam::layout::Layout;
use cofferdam::messages::{ContainerId, Resource};
use cofferdam::root::create_directories;
use cofferdam::user::{Credentials, UnknownUser, UserDatabase};
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};
use cofferdam_vfs_sim::{Linux, Process};

use crate::choice::Choices;

pub(super) const IMAGE: &str = "/world/image";
pub(super) const LINK_TO_IMAGE: &str = "/world/link";
/// What no container has to do with.
pub(super) const ELSEWHERE: &str = "/world/elsewhere";
/// Where the same files are seen as in /world, whatever is mounted there.
const WITNESS: &str = "/witness";
pub(super) const VOLUMES: [&str; 3] = ["db", "log", "missing"];

/// What every file has in it that is to stay.
const CONTENT: &[u8] = b"data";

/// The users of a world: numbers stand for themselves.
pub(super) struct Numbers;

impl UserDatabase for Numbers {
    fn look_up(&self, user: &str) -> Result<Credentials, UnknownUser> {
        let uid = user.parse().map_err(|_| UnknownUser(format!("there is no user {user}")))?;
        Ok(Credentials { uid, gid: uid, groups: Vec::new() })
    }
}

pub(super) fn config() -> AgentConfig {
    AgentConfig::new(Layout { work_dir: "/world/work".into(), runtime_dir: "/world/run".into() })
}

/// The ids of containers, one of which is the beginning of another one.
pub(super) fn id(number: u8) -> ContainerId {
    let name = ["c", "c1", "d"][usize::from(number) % 3];
    match ContainerId::new(name) {
        Ok(id) => id,
        Err(error) => panic!("{name}: {error}"),
    }
}

pub(super) fn number(id: &ContainerId) -> u8 {
    match id.value() {
        "c" => 0,
        "c1" => 1,
        _ => 2,
    }
}

pub(super) fn sandbox(number: u8) -> UnixPathBuf {
    // The layout has the sandbox of a container of no executor there, and no other directory is taken for one.
    config().layout.standalone_sandbox(&id(number))
}

fn runtime(number: u8) -> UnixPathBuf {
    config().layout.container_runtime(&id(number))
}

pub(super) fn volume(name: &str) -> UnixPathBuf {
    UnixPathBuf::from("/world/work/volumes/roles/role").join(name)
}

/// Where a file of /world is seen that nothing can hide.
fn witness(path: &UnixPath) -> UnixPathBuf {
    match path.strip_prefix("/world") {
        Ok(name) => UnixPathBuf::from(WITNESS).join(name),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// A volume as a resource.
pub(super) fn resource(choices: &mut Choices<'_>) -> Resource {
    let id = choices.one_of(&VOLUMES);
    let name = choices.one_of(&["data", "other", "link", "a/b", "..", "data"]);
    let mode = choices.one_of(&["RW", "RO"]);
    let mut resource = serde_json::json!({
        "name": "disk",
        "reservations": [{ "role": "role" }],
        "disk": { "persistence": { "id": id }, "volume": { "container_path": name, "mode": mode } },
    });
    if choices.bit() {
        resource["shared"] = serde_json::json!({});
    }
    match serde_json::from_value(resource) {
        Ok(resource) => resource,
        Err(error) => panic!("{error}"),
    }
}

/// A machine with the usual filesystems, an image, two volumes with data, and a file elsewhere.
pub(super) fn start() -> Linux {
    let world = World::new(Process::init(Linux::new()));
    let private = MountAttr { propagation: MountFlags::MS_PRIVATE, ..MountAttr::default() };
    must(world.kernel.mount_setattr(Fd::CWD, UnixPath::new("/"), AtFlags::AT_RECURSIVE, &private));
    for (path, kind) in [("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs"), ("/world", "tmpfs")] {
        let path = UnixPath::new(path);
        must(world.directory(path));
        let source = Some(UnixPath::new(kind));
        must(world.kernel.mount(source, path, Some(kind.as_bytes()), MountFlags::empty(), None));
    }
    for path in [IMAGE, ELSEWHERE, "/world/work"] {
        must(world.directory(UnixPath::new(path)));
    }
    must(world.link("image", UnixPath::new(LINK_TO_IMAGE)));
    // Private, and made before anything is shared: no mount gets here.
    must(world.directory(UnixPath::new(WITNESS)));
    must(world.bind(UnixPath::new("/world"), UnixPath::new(WITNESS)));
    for number in 0..3 {
        world.make_sandbox(number);
    }
    let mut kept = vec![UnixPathBuf::from(ELSEWHERE)];
    for name in ["db", "log"] {
        let path = volume(name);
        assert!(create_directories(&world.kernel, &path, Mode(0o755)).is_ok());
        kept.push(path);
    }
    for directory in kept {
        assert!(checkpoint::write(&world.kernel, &directory.join("file"), CONTENT, Mode(0o644)).is_ok());
    }
    Linux::clone(&world.kernel.linux())
}

fn must(result: Result<(), Errno>) {
    assert_eq!(result, Ok(()), "making the world");
}

/// A host in the hands of its init.
pub(super) struct World {
    kernel: Process,
}

impl World {
    pub(super) fn new(kernel: Process) -> Self {
        Self { kernel }
    }

    pub(super) fn kernel(&self) -> &Process {
        &self.kernel
    }

    /// The mount table of the host.
    pub(super) fn table(&self) -> String {
        let text = self.kernel.linux().mountinfo_table(self.kernel.task()).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    pub(super) fn exists(&self, path: &UnixPath) -> bool {
        self.kernel.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
    }

    pub(super) fn has_runtime(&self, number: u8) -> bool {
        self.exists(&runtime(number))
    }

    pub(super) fn make_sandbox(&self, number: u8) {
        // It may be there, or something may be mounted above it.
        let _ = create_directories(&self.kernel, &sandbox(number), Mode(0o755));
    }

    /// The names in a sandbox; none if there is no sandbox.
    pub(super) fn list_sandbox(&self, number: u8) -> Vec<Vec<u8>> {
        let how = OpenHow { flags: OpenFlags::O_DIRECTORY, ..OpenHow::default() };
        let Ok(fd) = self.kernel.openat2(Fd::CWD, &sandbox(number), how) else { return Vec::new() };
        let mut names = Vec::new();
        while let Ok(entries) = self.kernel.getdents64(fd)
            && !entries.is_empty()
        {
            names.extend(entries.into_iter().map(|entry| entry.name.0));
        }
        let _ = self.kernel.close(fd);
        names
    }

    /// Puts something into the image that the launcher may come across.
    pub(super) fn put_into_image(&self, choices: &mut Choices<'_>) {
        const NAMES: [&str; 12] = [
            "proc",
            "sys",
            "dev",
            "dev/null",
            "dev/shm",
            "dev/pts",
            "dev/ptmx",
            "mnt",
            "mnt/mesos",
            "mnt/mesos/sandbox",
            "sys/fs",
            "sys/fs/cgroup",
        ];
        let path = UnixPathBuf::from(IMAGE).join(choices.one_of(&NAMES));
        let operation = choices.below(6);
        // Not by way of a link that was put there before: that is not in the image.
        if path.parent().is_none_or(|parent| !self.is_without_links(parent)) {
            return;
        }
        // Whatever comes of it.
        let _ = match operation {
            0 => self.directory(&path),
            1 => self.link(ELSEWHERE, &path),
            2 => self.link("../../elsewhere/file", &path),
            3 => self.link("../elsewhere", &path),
            4 => checkpoint::write(&self.kernel, &path, b"", Mode(0o644)).map_err(|error| error.errno),
            _ => self.remove(&path),
        };
    }

    /// Whether there is a directory at a path, and no symbolic link on the way.
    pub(super) fn is_without_links(&self, path: &UnixPath) -> bool {
        let flags = OpenFlags::O_PATH | OpenFlags::O_DIRECTORY;
        let how = OpenHow { flags, resolve: ResolveFlags::RESOLVE_NO_SYMLINKS, ..OpenHow::default() };
        let opened = self.kernel.openat2(Fd::CWD, path, how);
        opened.is_ok_and(|fd| self.kernel.close(fd).is_ok())
    }

    pub(super) fn directory(&self, path: &UnixPath) -> Result<(), Errno> {
        self.kernel.mkdirat(Fd::CWD, path, Mode(0o755))
    }

    pub(super) fn link(&self, target: &str, path: &UnixPath) -> Result<(), Errno> {
        self.kernel.symlinkat(UnixPath::new(target), Fd::CWD, path)
    }

    pub(super) fn remove(&self, path: &UnixPath) -> Result<(), Errno> {
        let as_directory = self.kernel.unlinkat(Fd::CWD, path, AtFlags::AT_REMOVEDIR);
        // Never what is in a volume: that would be the loss of data that is looked for.
        as_directory.or_else(|_| {
            let stat = self.kernel.statx(Fd::CWD, path, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            if stat.file_type == cofferdam::kernel::FileType::Symlink {
                self.kernel.unlinkat(Fd::CWD, path, AtFlags::empty())
            } else {
                Ok(())
            }
        })
    }

    pub(super) fn mount_tmpfs(&self, target: &UnixPath) -> Result<(), Errno> {
        self.kernel.mount(Some(UnixPath::new("tmpfs")), target, Some(b"tmpfs"), MountFlags::empty(), None)
    }

    pub(super) fn bind(&self, source: &UnixPath, target: &UnixPath) -> Result<(), Errno> {
        self.kernel.mount(Some(source), target, None, MountFlags::MS_BIND, None)
    }

    pub(super) fn propagation(&self, target: &UnixPath, propagation: MountFlags) -> Result<(), Errno> {
        self.kernel.mount(None, target, None, propagation, None)
    }

    /// That the data of volumes, and what is elsewhere, is as it was: somebody may have hidden it for a while by a mount on
    /// a bind of the volume, which propagates to the volume itself.
    pub(super) fn check_what_stays(&self) {
        for directory in [UnixPathBuf::from(ELSEWHERE), volume("db"), volume("log")].map(|path| witness(&path)) {
            let content = checkpoint::read(&self.kernel, &directory.join("file"));
            assert_eq!(content.as_deref(), Ok(CONTENT), "in {}\n{}", directory.display(), self.table());
        }
        let how = OpenHow { flags: OpenFlags::O_DIRECTORY, ..OpenHow::default() };
        let Ok(fd) = self.kernel.openat2(Fd::CWD, &witness(UnixPath::new(ELSEWHERE)), how) else {
            panic!("{ELSEWHERE} is there\n{}", self.table())
        };
        // `.`, `..` and the file.
        assert_eq!(self.kernel.getdents64(fd).map(|entries| entries.len()), Ok(3), "nothing is made in {ELSEWHERE}");
        assert_eq!(self.kernel.close(fd), Ok(()));
    }

    /// That the kernel's data hang together, and that the agent has let go of everything.
    pub(super) fn check_kernel(&self) {
        // A launcher that could not wait for its child leaves it to init, which we are.
        let reap = || self.kernel.wait4(Pid(-1), WaitOptions::WNOHANG);
        while reap().is_ok_and(|child| child.is_some()) {}
        let linux = self.kernel.linux();
        if let Err(inconsistency) = linux.check() {
            panic!("{inconsistency}");
        }
        assert_eq!(linux.tasks().count(), 1, "no process is left");
        let open = linux.task(self.kernel.task()).map_or(0, |task| task.files().count());
        assert_eq!(open, 0, "no descriptor is left open");
    }
}
