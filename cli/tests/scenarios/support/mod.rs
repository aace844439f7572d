//! A host of its own for each scenario: a mount namespace in which the scenario's directory is a tmpfs.

mod install;
#[path = "../../../../core/tests/scenarios/world/oldest.rs"]
mod oldest;
mod outcome;
mod running;
mod snapshot;
mod started;
mod stopped;
pub(crate) mod table;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, Kernel as _, MountAttr, MountFlags, UmountFlags};
use cofferdam::mountinfo::{Entry, Table};
use cofferdam_linux::LinuxKernel;
pub(crate) use install::install_probe;
pub(crate) use oldest::unshare_as_the_oldest;
pub(crate) use outcome::Outcome;
pub(crate) use snapshot::Snapshot;
pub(crate) use started::{Started, content, wait_until};
pub(crate) use stopped::stop_when;
use tempfile::TempDir;

/// The binary under test.
pub(crate) const COFFERDAM: &str = env!("CARGO_BIN_EXE_cofferdam");

/// Runs a scenario on a host of its own; skips it, visibly, without root.
pub(crate) fn scenario(name: &str, body: impl FnOnce(&Host) + Send) {
    if !nix::unistd::geteuid().is_root() {
        return skip(name, "needs root");
    }
    // A mount namespace belongs to a thread, and so does what that starts.
    let result = std::thread::scope(|scope| scope.spawn(|| body(&Host::new())).join());
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// Says that a scenario is skipped, and why. In CI none may be.
pub(crate) fn skip(name: &str, why: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{name} {why}, and in CI nothing is skipped");
    // Not eprintln, which the test harness keeps to itself.
    std::io::stderr().write_all(format!("skipped: {why}: {name}\n").as_bytes()).unwrap();
}

/// A machine to run containers on.
pub(crate) struct Host {
    directory: TempDir,
}

#[allow(clippy::unused_self, reason = "what they look at and change is this host")]
impl Host {
    fn new() -> Self {
        unshare_as_the_oldest().unwrap();
        let host = Self { directory: tempfile::Builder::new().prefix("cofferdam-").tempdir().unwrap() };
        host.propagation("/", MountFlags::MS_PRIVATE, true);
        host.mount("tmpfs", host.path(""), MountFlags::empty(), "mode=755");
        for directory in ["work", "run"] {
            fs::create_dir(host.path(directory)).unwrap();
        }
        host
    }

    /// A path in the scenario's directory.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn work_dir(&self) -> PathBuf {
        self.path("work")
    }

    pub(crate) fn runtime_dir(&self) -> PathBuf {
        self.path("run")
    }

    /// A fresh copy of the busybox root filesystem.
    pub(crate) fn busybox(&self) -> PathBuf {
        self.busybox_at("rootfs")
    }

    pub(crate) fn busybox_at(&self, name: impl AsRef<Path>) -> PathBuf {
        let copy = self.path(name);
        let source = example_rootfs("busybox-rootfs.sh");
        let status = Command::new("cp").arg("-a").arg(source).arg(&copy).status().unwrap();
        assert!(status.success());
        copy
    }

    /// The command `cofferdam run` with this host's directories; the caller adds options, `--` and the program.
    pub(crate) fn run(&self) -> Run {
        self.run_in(&self.work_dir(), &self.runtime_dir())
    }

    /// The same with other directories.
    pub(crate) fn run_in(&self, work_dir: &Path, runtime_dir: &Path) -> Run {
        let mut command = Command::new(COFFERDAM);
        command.arg("run").arg("--work-dir").arg(work_dir).arg("--runtime-dir").arg(runtime_dir);
        command.stdin(Stdio::null());
        Run { command }
    }

    /// The sandbox of a container of [`run`](Self::run).
    pub(crate) fn sandbox(&self, id: &str) -> PathBuf {
        self.work_dir().join(format!("slaves/local/frameworks/run/executors/{id}/runs/{id}"))
    }

    /// The mount table of this host.
    pub(crate) fn mountinfo(&self) -> Vec<u8> {
        fs::read("/proc/thread-self/mountinfo").unwrap()
    }

    /// The same without what agents keep wherever their directories are, but for work_dir itself: the namespace for launches and
    /// the directory that it is in, and the directories of volumes and of devices, which are mounted on themselves.
    pub(crate) fn mountinfo_without_agents(&self) -> Vec<u8> {
        let text = self.mountinfo();
        let table = Table::parse(&text).unwrap();
        let namespaces = table.entries().iter().filter(|mount| *mount.filesystem_type() == *b"nsfs");
        let launches: Vec<_> = namespaces.flat_map(|namespace| [namespace.id(), namespace.parent_id()]).collect();
        let is_on_itself =
            |mount: &Entry<'_>, name: &str| mount.mountpoint().ends_with(name) && mount.root().ends_with(name);
        let is_kept = |mount: &Entry<'_>| {
            launches.contains(&mount.id()) || is_on_itself(mount, "volumes") || is_on_itself(mount, "containers")
        };
        let others = text.split_inclusive(|byte| *byte == b'\n').zip(table.entries());
        others.filter(|(_, mount)| !is_kept(mount)).flat_map(|(line, _)| line.to_vec()).collect()
    }

    /// Every path below the scenario's directory with what tells files apart, to compare before and after. What is
    /// mounted there is included.
    pub(crate) fn tree(&self, name: impl AsRef<Path>) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.path(name), &mut found);
        found.sort();
        found
    }

    pub(crate) fn mount(&self, filesystem_type: &str, target: impl AsRef<Path>, flags: MountFlags, options: &str) {
        LinuxKernel
            .mount(
                Some(UnixPath::new(filesystem_type)),
                unix(target.as_ref()),
                Some(filesystem_type.as_bytes()),
                flags,
                Some(options.as_bytes()),
            )
            .unwrap();
    }

    pub(crate) fn bind(&self, source: impl AsRef<Path>, target: impl AsRef<Path>) {
        LinuxKernel.mount(Some(unix(source.as_ref())), unix(target.as_ref()), None, MountFlags::MS_BIND, None).unwrap();
    }

    pub(crate) fn remount_read_only(&self, target: impl AsRef<Path>) {
        let flags = MountFlags::MS_BIND | MountFlags::MS_REMOUNT | MountFlags::MS_RDONLY;
        LinuxKernel.mount(None, unix(target.as_ref()), None, flags, None).unwrap();
    }

    pub(crate) fn umount(&self, target: impl AsRef<Path>) {
        // Until it executes its program, a child that another scenario starts has our open files open as well.
        wait_until("an unmount", || match LinuxKernel.umount2(unix(target.as_ref()), UmountFlags::empty()) {
            Err(Errno::EBUSY) => false,
            result => result == Ok(()) || panic!("{result:?}"),
        });
    }

    pub(crate) fn propagation(&self, target: impl AsRef<Path>, propagation: MountFlags, recursive: bool) {
        Self::set_propagation(target, propagation, recursive);
    }

    /// The same, in whatever mount namespace we are.
    pub(crate) fn set_propagation(target: impl AsRef<Path>, propagation: MountFlags, recursive: bool) {
        let attr = MountAttr { propagation, ..MountAttr::default() };
        let flags = if recursive { AtFlags::AT_RECURSIVE } else { AtFlags::empty() };
        LinuxKernel.mount_setattr(Fd::CWD, unix(target.as_ref()), flags, &attr).unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // So that the directory itself can be removed; the namespace goes with the thread.
        let _ = LinuxKernel.umount2(unix(self.directory.path()), UmountFlags::MNT_DETACH);
    }
}

/// An invocation of `cofferdam run`.
pub(crate) struct Run {
    pub(crate) command: Command,
}

impl Run {
    pub(crate) fn rootfs(self, rootfs: impl AsRef<OsStr>) -> Self {
        self.arg("--rootfs").arg(rootfs)
    }

    pub(crate) fn volume(self, volume: &str) -> Self {
        self.arg("--persistent-volume").arg(volume)
    }

    pub(crate) fn id(self, id: &str) -> Self {
        self.arg("--id").arg(id)
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Runs a shell script in the container, with the host's or the rootfs's /bin/sh.
    pub(crate) fn sh(self, script: &str) -> Outcome {
        self.program(["/bin/sh", "-c", script])
    }

    pub(crate) fn program<S: Into<OsString>>(mut self, argv: impl IntoIterator<Item = S>) -> Outcome {
        self.command.arg("--").args(argv.into_iter().map(Into::into));
        Outcome::of(self.command)
    }
}

/// The directory that a script in `examples/` makes a root filesystem in, once for all scenarios.
pub(crate) fn example_rootfs(script: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(script);
    let output = Command::new(&script).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{} failed", script.display());
    let path = output.stdout.strip_suffix(b"\n").unwrap_or(&output.stdout);
    PathBuf::from(OsStr::from_bytes(path))
}

pub(crate) fn unix(path: &Path) -> &UnixPath {
    UnixPath::new(path.as_os_str().as_bytes())
}

#[allow(clippy::unnecessary_debug_formatting, reason = "names may have any bytes")]
fn walk(path: &Path, found: &mut Vec<String>) {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let content = if metadata.is_file() {
        format!("{:?}", fs::read(path).unwrap_or_default().escape_ascii().to_string())
    } else if metadata.is_symlink() {
        format!("-> {:?}", fs::read_link(path).unwrap())
    } else {
        String::new()
    };
    found.push(format!("{path:?} {:o} {}:{} {content}", metadata.mode(), metadata.uid(), metadata.gid()));
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), found);
        }
    }
}
