//! Which calls a kernel has.

use std::fmt;

use super::bytes::Bytes;
use super::errno::Errno;
use super::flags::{
    AtFlags, CloseRangeFlags, FsmountFlags, FsopenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags,
};
use super::release::{Release, brought_by};
use super::syscalls::{Call, Kernel};
use super::types::{Fd, FsConfig, MountAttr, OpenHow};

/// The first release that has all that is needed: it brought `mount_setattr(2)`.
const REQUIRED: Release = Release(5, 12);

const TWO_CALLS: &str = "a copy of a mount and its attributes take two calls instead of one";

/// What of the newer calls a kernel has, found out by trying: distributions bring them to older releases too, and seccomp
/// filters take them away from newer ones.
///
/// ```
/// use cofferdam::kernel::{Intercepted, OlderKernel, Release, Support};
/// use cofferdam_vfs_sim::{Process, sample};
///
/// let kernel = Process::init(sample::host());
/// assert_eq!(Support::of(&kernel).missing, []);
/// let older = OlderKernel::LINUX_5_12;
/// let support = Support::of(&Intercepted::new(&kernel, &older)).sufficient()?;
/// assert_eq!(support.release, Some(Release(5, 12)));
/// let names = support.missing.iter().map(|call| call.name);
/// assert!(names.eq(["open_tree_attr"]));
/// # Ok::<(), cofferdam::kernel::UnsupportedKernel>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Support {
    /// The release, if uname(2) tells one.
    pub release: Option<Release>,
    /// The calls that it lacks, the oldest first.
    pub missing: Vec<MissingCall>,
}

/// A call that a kernel lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingCall {
    /// Its name.
    pub name: &'static str,
    /// The release that brought it.
    pub since: Release,
    /// What is worse without it; `None` if nothing works without it.
    pub loss: Option<&'static str>,
}

impl Support {
    /// Makes each call in a way that can't succeed. It is for a process that may mount: of another one, `EPERM` says nothing.
    pub fn of(kernel: &dyn Kernel) -> Self {
        let release = kernel.uname().ok().and_then(|name| Release::of(&name));
        let missing = probes().into_iter().filter(|(call, _)| is_missing(kernel, call)).filter_map(|(call, loss)| {
            let name = call.name();
            brought_by(name).map(|since| MissingCall { name, since, loss })
        });
        Self { release, missing: missing.collect() }
    }

    /// Whether this is enough to isolate filesystems.
    ///
    /// # Errors
    ///
    /// If a call is missing without which nothing works.
    pub fn sufficient(self) -> Result<Self, UnsupportedKernel> {
        match self.missing.iter().find(|call| call.loss.is_none()) {
            Some(MissingCall { name, .. }) => Err(UnsupportedKernel::new(self.release.unwrap_or_default(), name)),
            None => Ok(self),
        }
    }
}

/// The newer calls that are used, those that came first first, with what is worse without them. (Not clone3(2), which can't
/// be tried without a child.)
fn probes() -> [(Call, Option<&'static str>); 9] {
    let (fd, path) = (Fd(-1), || Bytes::from(""));
    let attr = MountAttr::default();
    [
        (Call::OpenTree { dirfd: fd, path: path(), flags: OpenTreeFlags::empty() }, None),
        (
            Call::MoveMount {
                from_dirfd: fd,
                from_path: path(),
                to_dirfd: fd,
                to_path: path(),
                flags: MoveMountFlags::empty(),
            },
            None,
        ),
        (Call::Fsopen { fsname: "".into(), flags: FsopenFlags::empty() }, None),
        (Call::Fsconfig { fd, config: FsConfig::Create }, None),
        (Call::Fsmount { fd, flags: FsmountFlags::empty(), attr_flags: MountAttrFlags::empty() }, None),
        (Call::Openat2 { dirfd: fd, path: path(), how: OpenHow::default() }, None),
        (Call::CloseRange { first: 1, last: 0, flags: CloseRangeFlags::empty() }, None),
        (Call::MountSetattr { dirfd: fd, path: path(), flags: AtFlags::from_bits_retain(1), attr }, None),
        (Call::OpenTreeAttr { dirfd: fd, path: path(), flags: OpenTreeFlags::empty(), attr }, Some(TWO_CALLS)),
    ]
}

/// A seccomp filter says either.
fn is_missing(kernel: &dyn Kernel, call: &Call) -> bool {
    matches!(call.apply(kernel), Err(Errno::ENOSYS | Errno::EPERM))
}

/// This kernel lacks a system call without which no filesystem can be isolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedKernel {
    /// The release is from before the call.
    #[error("this is {release}, which lacks {call}(2); {REQUIRED} or newer is needed: upgrade the kernel")]
    TooOld {
        /// The running kernel's release.
        release: Release,
        /// The missing call.
        call: &'static str,
    },
    /// The release has the call, but not for us.
    #[error(
        "{call}(2) is refused here, although this is {release}, which has it: probably by the seccomp filter of a \
         container or service that this runs in; allow {call} there, or run outside of it"
    )]
    Forbidden {
        /// The running kernel's release.
        release: Release,
        /// The refused call.
        call: &'static str,
    },
}

impl UnsupportedKernel {
    /// Of a kernel of this release without this call.
    pub fn new(release: Release, call: &'static str) -> Self {
        if release < REQUIRED { Self::TooOld { release, call } } else { Self::Forbidden { release, call } }
    }
}

/// As people read it: `statmount(2) of Linux 6.8`.
impl fmt::Display for MissingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(2) of {}", self.name, self.since)
    }
}
