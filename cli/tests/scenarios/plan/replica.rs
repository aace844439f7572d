//! A host with the mounts of a table that was saved elsewhere, on the real kernel: as far as this one has the filesystems, they
//! are of the type that the table says, and tmpfs otherwise; who shares what with whom is as in the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Fd, Kernel as _, MountAttr, MountAttrFlags, MountFlags, MoveMountFlags};
use cofferdam::mountinfo::{Entry, Table};
use cofferdam_linux::LinuxKernel;

use crate::support::{self, Host, unix};

/// The program under test, on the replica.
pub(super) const COFFERDAM: &str = "/usr/bin/cofferdam";

/// The filesystems that this kernel has, of those that need no device.
const REAL: [&str; 14] = [
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "tmpfs",
    "mqueue",
    "cgroup2",
    "securityfs",
    "pstore",
    "bpf",
    "debugfs",
    "tracefs",
    "fusectl",
    "hugetlbfs",
];

/// A host that is built, in the mount namespace of the scenario.
pub(super) struct Replica {
    root: PathBuf,
}

impl Replica {
    /// The host of a table in `tests/data/hosts`.
    pub(super) fn build(host: &Host, table: &str) -> Self {
        let file = format!("{}/tests/data/hosts/{table}.mountinfo", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read(file).unwrap();
        let table = Table::parse(&text).unwrap();
        let mut builder =
            Builder { host, root: host.path("replica"), stores: BTreeMap::new(), groups: BTreeMap::new() };
        fs::create_dir(&builder.root).unwrap();
        let built: Vec<_> = table.entries().iter().filter(|entry| builder.mount(entry)).collect();
        furnish(host, &builder.root);
        for entry in &built {
            builder.set_options(entry);
        }
        for entry in &built {
            builder.share(entry, &table);
        }
        assert!(built.len() + 2 >= table.entries().len(), "{} of {} mounts", built.len(), table.entries().len());
        Self { root: builder.root }
    }

    /// Does something in a mount namespace whose root the replica is.
    pub(super) fn inside(&self, body: impl FnOnce() + Send) {
        let result = std::thread::scope(|scope| {
            let inside = || {
                support::unshare_as_the_oldest().unwrap();
                // As switch_root(8) does: pivot_root(2) would want a root that is not shared.
                let (here, root) = (UnixPath::new("."), UnixPath::new("/"));
                LinuxKernel.chdir(unix(&self.root)).unwrap();
                LinuxKernel.mount(Some(here), root, None, MountFlags::MS_MOVE, None).unwrap();
                LinuxKernel.chroot(here).unwrap();
                LinuxKernel.chdir(root).unwrap();
                body();
            };
            scope.spawn(inside).join()
        });
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    }
}

struct Builder<'h> {
    host: &'h Host,
    root: PathBuf,
    /// Where the filesystems are mounted whole, by device.
    stores: BTreeMap<(u32, u32), PathBuf>,
    /// The same, of a mount that is in a peer group, or a slave of one.
    groups: BTreeMap<(Option<u32>, Option<u32>), PathBuf>,
}

impl Builder<'_> {
    fn at(&self, entry: &Entry<'_>) -> PathBuf {
        self.root.join(path(&entry.mountpoint()).strip_prefix("/").unwrap())
    }

    /// Mounts what an entry says, private for now. Whether that is possible here.
    fn mount(&mut self, entry: &Entry<'_>) -> bool {
        let target = self.at(entry);
        if *entry.filesystem_type() == *b"nsfs" {
            self.host.bind("/proc/self/ns/net", make_file(&target).unwrap());
            return true;
        }
        let store = self.store(entry);
        let source = store.join(path(&entry.root()).strip_prefix("/").unwrap());
        let make = if is_file(entry) { make_file } else { make_directory };
        match (make(&source), make(&target)) {
            (Ok(source), Ok(target)) => self.host.bind(source, target),
            // What this kernel does not have in proc or sysfs.
            _ => return false,
        }
        true
    }

    /// Where the filesystem of an entry is mounted whole.
    fn store(&mut self, entry: &Entry<'_>) -> PathBuf {
        let device = (entry.major(), entry.minor());
        if let Some(store) = self.stores.get(&device) {
            return store.clone();
        }
        let store = self.host.path(format!("store-{}-{}", device.0, device.1));
        fs::create_dir(&store).unwrap();
        let kind = String::from_utf8_lossy(&entry.filesystem_type()).into_owned();
        match &kind[..] {
            "overlay" => self.mount_overlay(&store),
            kind if REAL.contains(&kind) => self.host.mount(kind, &store, MountFlags::empty(), ""),
            _ => self.host.mount("tmpfs", &store, MountFlags::empty(), "mode=755"),
        }
        self.stores.insert(device, store.clone());
        store
    }

    fn mount_overlay(&self, store: &Path) {
        let parts = ["lower", "upper", "work"].map(|name| store.with_extension(name));
        for part in &parts {
            fs::create_dir(part).unwrap();
        }
        let [lower, upper, work] = parts.map(|part| part.display().to_string());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        self.host.mount("overlay", store, MountFlags::empty(), &options);
    }

    fn set_options(&self, entry: &Entry<'_>) {
        let known = [
            ("ro", MountAttrFlags::MOUNT_ATTR_RDONLY),
            ("nosuid", MountAttrFlags::MOUNT_ATTR_NOSUID),
            ("nodev", MountAttrFlags::MOUNT_ATTR_NODEV),
            ("noexec", MountAttrFlags::MOUNT_ATTR_NOEXEC),
        ];
        let set = known.iter().filter(|(name, _)| entry.has_mount_option(name.as_bytes())).map(|(_, flag)| *flag);
        let attr = MountAttr { attr_set: set.collect(), ..MountAttr::default() };
        let set = LinuxKernel.mount_setattr(Fd::CWD, unix(&self.at(entry)), AtFlags::empty(), &attr);
        set.unwrap_or_else(|errno| panic!("{}: {errno}", self.at(entry).display()));
    }

    /// Puts a mount into its peer group, makes it a slave, or unbindable.
    fn share(&mut self, entry: &Entry<'_>, table: &Table<'_>) {
        let target = self.at(entry);
        if entry.is_unbindable() {
            self.host.propagation(&target, MountFlags::MS_UNBINDABLE, false);
        } else if *entry.filesystem_type() == *b"nsfs" && entry.peer_group().is_some() {
            self.host.propagation(&target, MountFlags::MS_SHARED, false);
        } else if entry.peer_group().is_some() || entry.master().is_some() {
            let from = self.group(entry, entry.peer_group(), entry.master(), table);
            let flags = MoveMountFlags::MOVE_MOUNT_SET_GROUP;
            let joined = LinuxKernel.move_mount(Fd::CWD, unix(&from), Fd::CWD, unix(&target), flags);
            joined.unwrap_or_else(|errno| panic!("{}: {errno}", target.display()));
        }
    }

    /// A mount of all of the filesystem that shares as it says.
    fn group(&mut self, entry: &Entry<'_>, peers: Option<u32>, master: Option<u32>, table: &Table<'_>) -> PathBuf {
        if let Some(known) = self.groups.get(&(peers, master)) {
            return known.clone();
        }
        let number = |group: Option<u32>| group.map_or_else(String::new, |group| group.to_string());
        let path = self.host.path(format!("group-{}-{}", number(peers), number(master)));
        fs::create_dir(&path).unwrap();
        let whole = self.store(entry);
        match master {
            None => self.host.bind(whole, &path),
            Some(group) => {
                // What the master is a slave of, if it is in the table.
                let above = table.peers(group).next().and_then(Entry::master);
                let from = self.group(entry, Some(group), above, table);
                self.host.bind(from, &path);
                self.host.propagation(&path, MountFlags::MS_SLAVE, false);
            }
        }
        if peers.is_some() {
            self.host.propagation(&path, MountFlags::MS_SHARED, false);
        }
        self.groups.insert((peers, master), path.clone());
        path
    }
}

fn path(path: &UnixPath) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(path.as_bytes()))
}

/// Whether what is mounted is a file: a table does not say so.
fn is_file(entry: &Entry<'_>) -> bool {
    let mountpoint = path(&entry.mountpoint());
    let files = ["/etc/resolv.conf", "/etc/hostname", "/etc/hosts", "/proc/keys", "/proc/sysrq-trigger"];
    files.iter().any(|file| mountpoint == Path::new(file))
}

fn make_directory(path: &Path) -> io::Result<&Path> {
    fs::create_dir_all(path).map(|()| path)
}

fn make_file(path: &Path) -> io::Result<&Path> {
    if fs::symlink_metadata(path).is_err() {
        fs::create_dir_all(path.parent().unwrap())?;
        fs::write(path, "")?;
    }
    Ok(path)
}

/// What the scenarios need on any host.
pub(super) fn furnish(host: &Host, root: &Path) {
    for directory in ["agent/work", "agent/run", "shared", "images", "usr/bin", "bin", "tmp", "root", "var/lib/other"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    // A shared mount, whatever the table has.
    host.mount("tmpfs", root.join("shared"), MountFlags::empty(), "mode=755");
    host.propagation(root.join("shared"), MountFlags::MS_SHARED, false);
    for directory in ["shared/work", "shared/run", "run/work", "run/other", "var/lib/cofferdam"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::create_dir_all(root.join("dev")).unwrap();
    for (major_minor, name) in
        [("1 3", "null"), ("1 5", "zero"), ("1 7", "full"), ("1 8", "random"), ("1 9", "urandom"), ("5 0", "tty")]
    {
        let device = root.join("dev").join(name);
        let is_device =
            fs::metadata(&device).is_ok_and(|found| std::os::unix::fs::FileTypeExt::is_char_device(&found.file_type()));
        if !is_device {
            let _ = fs::remove_file(&device);
            let numbers: Vec<_> = major_minor.split(' ').collect();
            assert!(
                Command::new("mknod")
                    .args(["-m", "666"])
                    .arg(&device)
                    .arg("c")
                    .args(numbers)
                    .status()
                    .unwrap()
                    .success()
            );
        }
    }
    for rootfs in ["rootfs", "shared/rootfs", "images/busybox"] {
        host.busybox_at(root.join(rootfs));
    }
    symlink("rootfs", root.join("link-to-rootfs")).unwrap();
    // The host's own shell.
    let busybox = root.join("rootfs/bin/busybox");
    for name in ["busybox", "sh", "cat"] {
        fs::copy(&busybox, root.join("bin").join(name)).unwrap();
    }
    install(root);
}

/// Puts the program under test there, with the libraries that it needs.
fn install(root: &Path) {
    let libraries = Command::new("ldd").arg(support::COFFERDAM).output().unwrap();
    let text = String::from_utf8(libraries.stdout).unwrap();
    let paths: BTreeSet<&str> = text.split_whitespace().filter(|word| word.starts_with('/')).collect();
    for library in paths {
        let target = root.join(library.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(library, target).unwrap();
    }
    fs::copy(support::COFFERDAM, root.join(COFFERDAM.trim_start_matches('/'))).unwrap();
}
