//! A host of our own with as many mounts as are wanted: a mount namespace that nothing leaves, with a tmpfs on which
//! everything happens.

use std::fs;
use std::path::{Path, PathBuf};

use cofferdam::UnixPath;
use cofferdam::kernel::{AtFlags, Errno, Fd, Kernel as _, MountAttr, MountFlags};
use cofferdam::layout::Layout;
use cofferdam::mountinfo::entries;
use cofferdam_linux::LinuxKernel;

use crate::Failure;
use crate::arguments::Propagation;
use crate::oldest::unshare_as_the_oldest;

/// A path of ours, which is UTF-8: it is below a temporary directory.
pub fn unix(path: &Path) -> Result<&UnixPath, Failure> {
    let text = path.to_str().ok_or_else(|| format!("{} is not UTF-8", path.display()))?;
    Ok(UnixPath::new(text))
}

/// The host that this process is on.
pub struct Host {
    scratch: PathBuf,
    crowd: usize,
}

impl Host {
    /// Gives this process, which must have one thread, a copy of the machine's mounts from which nothing reaches the
    /// machine, with a tmpfs on the directory `scratch`.
    pub fn new(scratch: &Path, propagation: Propagation) -> Result<Self, Failure> {
        let failed = |what: &'static str| move |errno: Errno| format!("cannot {what}: {errno}");
        // As an agent's is, which is the machine's first one: otherwise the namespace for launches can't be kept.
        unshare_as_the_oldest().map_err(failed("make a mount namespace"))?;
        let root = UnixPath::new("/");
        propagate(root, MountFlags::MS_PRIVATE, AtFlags::AT_RECURSIVE)?;
        if propagation == Propagation::Shared {
            // In peer groups of their own: the machine's are left.
            propagate(root, MountFlags::MS_SHARED, AtFlags::AT_RECURSIVE)?;
        }
        let tmpfs = Some(UnixPath::new("tmpfs"));
        let target = unix(scratch)?;
        LinuxKernel
            .mount(tmpfs, target, Some(b"tmpfs"), MountFlags::empty(), Some(b"mode=755"))
            .map_err(failed("mount a tmpfs"))?;
        fs::create_dir_all(scratch.join("crowd/source"))?;
        Ok(Self { scratch: scratch.into(), crowd: 0 })
    }

    /// A new directory on the tmpfs.
    pub fn directory(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.scratch.join(name);
        fs::create_dir_all(&path).map_err(|error| format!("cannot create {}: {error}", path.display()))?;
        Ok(path)
    }

    /// The directories of an agent, which are there.
    pub fn layout(&self, agent: &str) -> Result<Layout, Failure> {
        let work_dir = self.directory(&format!("{agent}/work"))?;
        let runtime_dir = self.directory(&format!("{agent}/run"))?;
        Ok(Layout { work_dir: unix(&work_dir)?.to_path_buf(), runtime_dir: unix(&runtime_dir)?.to_path_buf() })
    }

    /// Mounts until there are so many; there may be more already. Each mount is in a peer group of its own, if it is in
    /// one: as a volume or an image is that a container engine has mounted.
    pub fn fill(&mut self, mounts: usize, propagation: Propagation) -> Result<usize, Failure> {
        let source = self.scratch.join("crowd/source");
        for _ in count()?..mounts {
            self.crowd += 1;
            let target = self.directory(&format!("crowd/{}", self.crowd))?;
            let (source, target) = (unix(&source)?, unix(&target)?);
            LinuxKernel
                .mount(Some(source), target, None, MountFlags::MS_BIND, None)
                .map_err(|errno| format!("cannot bind {} on {}: {errno}", source.display(), target.display()))?;
            propagate(target, MountFlags::MS_PRIVATE, AtFlags::empty())?;
            if propagation == Propagation::Shared {
                propagate(target, MountFlags::MS_SHARED, AtFlags::empty())?;
            }
        }
        count()
    }
}

fn propagate(target: &UnixPath, propagation: MountFlags, flags: AtFlags) -> Result<(), Failure> {
    let attr = MountAttr { propagation, ..MountAttr::default() };
    LinuxKernel
        .mount_setattr(Fd::CWD, target, flags, &attr)
        .map_err(|errno| format!("cannot make {} {propagation}: {errno}", target.display()).into())
}

/// The mount table of this thread.
pub fn table() -> Result<Vec<u8>, Failure> {
    Ok(fs::read("/proc/thread-self/mountinfo").map_err(|error| format!("cannot read the mount table: {error}"))?)
}

/// How many mounts there are.
pub fn count() -> Result<usize, Failure> {
    Ok(entries(&table()?).count())
}
