//! What must hold for a program in a container, computed from what was asked for and from what the host has.

use std::collections::BTreeSet;

use cofferdam::kernel::{AtFlags, DeviceNumber, Fd, FileType, Kernel, MountFlags, OpenFlags, OpenHow, Stat};
use cofferdam::mountinfo::{OwnedEntry, Table};
use cofferdam::{UnixPath, UnixPathBuf, checkpoint};

use super::listing::below;
use super::oracle::{Expected, What};
use crate::scenarios::{ensure, path};

/// A directory or file of the host: in which filesystem, and by which path there.
pub type Origin = ((u32, u32), UnixPathBuf);

/// Tells where an expected mount is from.
type FindOrigin = dyn Fn(&What) -> Option<Origin>;

/// What is to be known of the host, and what must be seen.
pub struct Inside {
    /// The root directory that the program has on the host: that of its image, or the host's.
    pub has_image: bool,
    /// Its sandbox by the path that it sees.
    pub sandbox: UnixPathBuf,
    /// What expected paths are relative to.
    pub base: UnixPathBuf,
    /// The mounts; unless somebody has changed the trees meanwhile.
    pub expected: Option<Vec<Expected>>,
    /// Where each of them is from, if it is a part of the host.
    pub origin: Box<FindOrigin>,
    /// The filesystems of the host.
    pub host_filesystems: BTreeSet<(u32, u32)>,
    /// What of them the container may have.
    pub allowed: Vec<Origin>,
    /// What it must not come to.
    pub precious: BTreeSet<(DeviceNumber, u64)>,
}

type Check = Result<(), String>;

impl Inside {
    pub fn check(&self, kernel: &dyn Kernel) -> Check {
        check_descriptors(kernel)?;
        let Some(table) = mount_table(kernel)? else {
            // Where proc is not at its place any more, there is a link to nowhere, or nothing.
            return ensure(self.expected.is_none(), "there is no /proc").and_then(|()| self.check_reach(kernel, None));
        };
        if self.has_image {
            for mount in &table {
                self.check_origin(mount)?;
            }
            self.check_reach(kernel, Some(&table))?;
        }
        check_masks_of_proc(kernel, &table, self.has_image && self.expected.is_none())?;
        let Some(expected) = &self.expected else { return Ok(()) };
        for mount in expected {
            self.check_mount(kernel, &table, mount)?;
        }
        let here = kernel.getcwd().map_err(|errno| errno.to_string())?;
        ensure(here.as_path() == self.sandbox, format!("it begins in {here}"))
    }

    /// That something is mounted at its place, on top, and is what it should be.
    fn check_mount(&self, kernel: &dyn Kernel, table: &[OwnedEntry], expected: &Expected) -> Check {
        let place =
            if expected.path.as_bytes().is_empty() { self.base.clone() } else { self.base.join(&expected.path) };
        if let What::Sandbox = expected.what
            && !self.has_image
        {
            return Ok(());
        }
        // One that is in a volume with a long path may have a path that is too long to be named at once (`PATH_MAX`).
        if place.as_bytes().len() >= 4096 {
            return Ok(());
        }
        let Ok(stat) = kernel.statx(Fd::CWD, &place, AtFlags::AT_SYMLINK_NOFOLLOW) else {
            // Not every kernel has each file there.
            let is_of_kernel = ["proc", "sys"].iter().any(|top| expected.path.starts_with(top));
            return ensure(is_of_kernel, format!("{} is not there, for {:?}", place.display(), expected.what));
        };
        let mount = table.iter().find(|mount| u64::from(mount.id) == stat.mount_id);
        let Some(mount) = mount.filter(|mount| mount.mountpoint == place) else {
            return Err(format!("nothing is mounted on {}, but {expected:?} should be", place.display()));
        };
        let wrong = |problem: String| Err(format!("{problem}, for {expected:?}: {mount}"));
        if let Some((filesystem, root)) = (self.origin)(&expected.what)
            && ((mount.major, mount.minor), &mount.root) != (filesystem, &root)
        {
            return wrong(format!("not {} of {filesystem:?}", root.display()));
        }
        let has = |option: &[u8]| mount.mount_options.split(|byte| *byte == b',').any(|found| found == option);
        if expected.read_only && !has(b"ro") {
            return wrong("not read-only".into());
        }
        match &expected.what {
            What::Special(special) => {
                let options = [
                    (MountFlags::MS_NOSUID, "nosuid"),
                    (MountFlags::MS_NODEV, "nodev"),
                    (MountFlags::MS_NOEXEC, "noexec"),
                ];
                let missing =
                    options.iter().find(|(flag, name)| special.flags.contains(*flag) && !has(name.as_bytes()));
                match (missing, &special.filesystem_type) {
                    (Some((_, name)), _) => wrong(format!("not {name}")),
                    (None, Some(wanted)) if mount.filesystem_type != wanted.as_bytes() => wrong("another type".into()),
                    _ => Ok(()),
                }
            }
            What::Shm if mount.filesystem_type != b"tmpfs" => wrong("another type".into()),
            What::Device(name) => check_device(name, &stat),
            What::Mask => check_mask(kernel, &place, &stat),
            _ => Ok(()),
        }
    }

    /// That a mount shows nothing of the host but what is the container's.
    fn check_origin(&self, mount: &OwnedEntry) -> Check {
        let filesystem = (mount.major, mount.minor);
        let is_own = self.allowed.iter().any(|(allowed, root)| *allowed == filesystem && mount.root.starts_with(root));
        let is_of_kernel = [&b"proc"[..], b"sysfs"].contains(&&mount.filesystem_type[..]);
        let is_new = !self.host_filesystems.contains(&filesystem);
        ensure(is_own || is_of_kernel || is_new, format!("of the host: {mount}"))
    }

    /// That no path leads to what is precious, neither directly nor by symbolic links.
    fn check_reach(&self, kernel: &dyn Kernel, table: Option<&[OwnedEntry]>) -> Check {
        if !self.has_image {
            return Ok(());
        }
        let is_of_kernel = |stat: &Stat| {
            let mount = table.unwrap_or_default().iter().find(|mount| u64::from(mount.id) == stat.mount_id);
            mount.is_none_or(|mount| [&b"proc"[..], b"sysfs"].contains(&&mount.filesystem_type[..]))
        };
        let mut left = vec![UnixPathBuf::from("/")];
        while let Some(place) = left.pop() {
            let Ok(stat) = kernel.statx(Fd::CWD, &place, AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
            let way = || format!("{} leads to the host", place.display());
            ensure(!self.precious.contains(&(stat.device, stat.inode)), way())?;
            match stat.file_type {
                // The size of that directory is how many files are open, which differs where the calls are repeated; what is
                // open is looked at elsewhere.
                FileType::Symlink if kernel.readlinkat(Fd::CWD, &place) == Ok("/proc/self/fd".into()) => {}
                FileType::Symlink => {
                    for link in [place.clone(), UnixPathBuf::from([b"/proc/self/root", place.as_bytes()].concat())] {
                        let followed = kernel.statx(Fd::CWD, &link, AtFlags::empty());
                        let is_precious = |stat: Stat| self.precious.contains(&(stat.device, stat.inode));
                        ensure(!followed.is_ok_and(is_precious), way())?;
                    }
                }
                FileType::Directory if !is_of_kernel(&stat) => {
                    let entries = match checkpoint::list(kernel, &place) {
                        // Somebody has moved it just now.
                        Err(_) if self.expected.is_none() => continue,
                        entries => entries.map_err(|error| error.to_string())?,
                    };
                    left.extend(entries.into_iter().map(|entry| UnixPathBuf::from(below(&place, &entry.name))));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The program's mount table; `None` if /proc is not proc.
fn mount_table(kernel: &dyn Kernel) -> Result<Option<Vec<OwnedEntry>>, String> {
    let Ok(text) = checkpoint::read(kernel, path("/proc/self/mountinfo")) else { return Ok(None) };
    let table = Table::parse(&text).map_err(|error| error.to_string())?;
    Ok(Some(table.entries().iter().map(OwnedEntry::from).collect()))
}

/// Standard input, output and error, and the directory that is read for this.
fn check_descriptors(kernel: &dyn Kernel) -> Check {
    let Ok(open) = checkpoint::list(kernel, path("/proc/self/fd")) else { return Ok(()) };
    let open: Vec<_> = open.into_iter().map(|entry| entry.name).collect();
    let is_standard = |name: &cofferdam::kernel::Bytes| [&b"0"[..], b"1", b"2", b"3"].contains(&&name.0[..]);
    ensure(open.iter().all(is_standard), format!("open: {open:?}"))
}

/// Wherever the proc that was mounted is by now, what is to be hidden in it is hidden.
fn check_masks_of_proc(kernel: &dyn Kernel, table: &[OwnedEntry], is_changed: bool) -> Check {
    if !is_changed || kernel.getpid().is_ok_and(|pid| pid.0 != 2) {
        return Ok(());
    }
    for proc in table.iter().filter(|mount| mount.filesystem_type == b"proc" && mount.root == *path("/")) {
        for name in ["kcore", "timer_list", "sys"] {
            let place = proc.mountpoint.join(name);
            let Ok(stat) = kernel.statx(Fd::CWD, &place, AtFlags::AT_SYMLINK_NOFOLLOW) else { continue };
            ensure(stat.mount_id != u64::from(proc.id), format!("nothing is mounted on {}", place.display()))?;
        }
    }
    Ok(())
}

fn check_device(name: &str, stat: &Stat) -> Check {
    let minor = match name {
        "null" => 3,
        "zero" => 5,
        "full" => 7,
        "random" => 8,
        "urandom" => 9,
        _ => 0,
    };
    let number = DeviceNumber { major: if name == "tty" { 5 } else { 1 }, minor };
    let is_it = stat.file_type == FileType::CharacterDevice && stat.rdev == number;
    ensure(is_it, format!("/dev/{name} is {:?} {:?}", stat.file_type, stat.rdev))
}

fn check_mask(kernel: &dyn Kernel, place: &UnixPath, stat: &Stat) -> Check {
    if stat.file_type == FileType::Directory {
        let entries = checkpoint::list(kernel, place).map_err(|error| error.to_string())?;
        return ensure(entries.is_empty(), format!("{} is not empty", place.display()));
    }
    ensure(stat.rdev == DeviceNumber::NULL, format!("{} is no null device", place.display()))?;
    let how = OpenHow { flags: OpenFlags::O_CLOEXEC, ..OpenHow::default() };
    let opened = kernel.openat2(Fd::CWD, place, how).map_err(|errno| errno.to_string())?;
    let content = kernel.read(opened, 16).map_err(|errno| errno.to_string())?;
    kernel.close(opened).map_err(|errno| errno.to_string())?;
    ensure(content.0.is_empty(), format!("{} can be read", place.display()))
}
