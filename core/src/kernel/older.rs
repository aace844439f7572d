//! A kernel as an older release of it was.

use super::errno::Errno;
use super::flags::{CloseRangeFlags, MountAttrFlags, MoveMountFlags, StatMountMask};
use super::intercept::Interceptor;
use super::release::{Release, brought_by};
use super::syscalls::{Call, Kernel, Value};
use super::types::{FsConfig, StatMount, Utsname};

/// Makes an older one of a kernel, for those who have no older one: calls that the release did not have yet fail with
/// `ENOSYS`, flags with what it said to unknown ones, statmount(2) leaves out what it could not tell, and uname(2) says
/// that it is that release. A kernel that is older still stays as it is.
///
/// What a release did otherwise than newer ones is not imitated.
///
/// ```
/// use cofferdam::kernel::{Errno, Intercepted, Kernel, OlderKernel, Release, UniqueMountId};
/// use cofferdam_vfs_sim::{Process, sample};
///
/// let kernel = Process::init(sample::host());
/// assert!(kernel.listmount(UniqueMountId::ROOT, 0).is_ok());
/// let older = OlderKernel::LINUX_5_12;
/// let kernel = Intercepted::new(&kernel, &older);
/// assert_eq!(kernel.listmount(UniqueMountId::ROOT, 0), Err(Errno::ENOSYS));
/// assert_eq!(Release::of(&kernel.uname()?), Some(Release(5, 12)));
/// # Ok::<(), Errno>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OlderKernel {
    release: Release,
    without: Vec<&'static str>,
}

/// The fields of statmount(2) that came after the call, as its manual page has them.
const NEWER_FIELDS: [(StatMountMask, Release); 9] = [
    (StatMountMask::STATMOUNT_MNT_NS_ID, Release(6, 11)),
    (StatMountMask::STATMOUNT_MNT_OPTS, Release(6, 11)),
    (StatMountMask::STATMOUNT_FS_SUBTYPE, Release(6, 13)),
    (StatMountMask::STATMOUNT_SB_SOURCE, Release(6, 13)),
    (StatMountMask::STATMOUNT_OPT_ARRAY, Release(6, 13)),
    (StatMountMask::STATMOUNT_OPT_SEC_ARRAY, Release(6, 13)),
    (StatMountMask::STATMOUNT_SUPPORTED_MASK, Release(6, 15)),
    (StatMountMask::STATMOUNT_MNT_UIDMAP, Release(6, 15)),
    (StatMountMask::STATMOUNT_MNT_GIDMAP, Release(6, 15)),
];

impl OlderKernel {
    /// The oldest release that is supported: the first one with `mount_setattr(2)`.
    pub const LINUX_5_12: Self = Self::of(Release(5, 12));
    /// The first release with statmount(2) and listmount(2), which tell less than later.
    pub const LINUX_6_8: Self = Self::of(Release(6, 8));
    /// The first release with `open_tree_attr(2)`.
    pub const LINUX_6_15: Self = Self::of(Release(6, 15));

    /// A kernel of this release.
    pub const fn of(release: Release) -> Self {
        Self { release, without: Vec::new() }
    }

    /// The same without one more call, whatever the release: as behind a seccomp filter that says `ENOSYS`. The name is one
    /// of [`Call::NAMES`].
    #[must_use]
    pub fn without(mut self, call: &'static str) -> Self {
        self.without.push(call);
        self
    }

    fn lacks(&self, call: &str) -> bool {
        self.without.contains(&call) || brought_by(call).is_some_and(|since| self.release < since)
    }

    /// What it says to arguments that came later than their call.
    fn refuses(&self, call: &Call) -> Option<Errno> {
        let attributes = |flags: MountAttrFlags| {
            flags.contains(MountAttrFlags::MOUNT_ATTR_NOSYMFOLLOW).then_some((Release(5, 14), Errno::EINVAL))
        };
        let (since, errno) = match call {
            Call::CloseRange { flags, .. } if flags.contains(CloseRangeFlags::CLOSE_RANGE_CLOEXEC) => {
                (Release(5, 11), Errno::EINVAL)
            }
            Call::Fsmount { attr_flags, .. } => attributes(*attr_flags)?,
            Call::MountSetattr { attr, .. } | Call::OpenTreeAttr { attr, .. } => {
                attributes(attr.attr_set | attr.attr_clr)?
            }
            Call::MoveMount { flags, .. } if flags.contains(MoveMountFlags::MOVE_MOUNT_BENEATH) => {
                (Release(6, 5), Errno::EINVAL)
            }
            Call::MoveMount { flags, .. } if flags.contains(MoveMountFlags::MOVE_MOUNT_SET_GROUP) => {
                (Release(5, 15), Errno::EINVAL)
            }
            Call::Fsconfig { config: FsConfig::CreateExclusive, .. } => (Release(6, 6), Errno::EOPNOTSUPP),
            _ => return None,
        };
        (self.release < since).then_some(errno)
    }

    /// What it tells of a mount.
    fn tells(&self, stat: &StatMount) -> StatMount {
        let newer = NEWER_FIELDS.iter().filter(|(_, since)| self.release < *since);
        let gone = newer.fold(StatMountMask::empty(), |mask, (field, _)| mask | *field);
        let mut stat = StatMount { mask: stat.mask - gone, supported_mask: stat.supported_mask - gone, ..stat.clone() };
        let is_gone = |field| gone.contains(field);
        if is_gone(StatMountMask::STATMOUNT_MNT_NS_ID) {
            stat.namespace_id = 0;
        }
        if is_gone(StatMountMask::STATMOUNT_MNT_OPTS) {
            stat.options = "".into();
        }
        if is_gone(StatMountMask::STATMOUNT_FS_SUBTYPE) {
            stat.filesystem_subtype = "".into();
        }
        if is_gone(StatMountMask::STATMOUNT_SB_SOURCE) {
            stat.source = "".into();
        }
        if is_gone(StatMountMask::STATMOUNT_OPT_ARRAY) {
            stat.option_array.clear();
            stat.security_option_array.clear();
        }
        if is_gone(StatMountMask::STATMOUNT_SUPPORTED_MASK) {
            stat.supported_mask = StatMountMask::empty();
            stat.uid_map.clear();
            stat.gid_map.clear();
        }
        stat
    }

    fn says(&self, name: &Utsname) -> Utsname {
        let Release(major, minor) = self.release;
        match Release::of(name) {
            Some(release) if release <= self.release => name.clone(),
            _ => Utsname { release: format!("{major}.{minor}.0").into(), ..name.clone() },
        }
    }
}

impl Interceptor for OlderKernel {
    fn before(&self, _: &dyn Kernel, call: &Call) -> Result<(), Errno> {
        if self.lacks(call.name()) {
            return Err(Errno::ENOSYS);
        }
        self.refuses(call).map_or(Ok(()), Err)
    }

    fn instead(&self, _: &Call, result: &Result<Value, Errno>) -> Option<Result<Value, Errno>> {
        match result {
            Ok(Value::StatMount(stat)) => Some(Ok(self.tells(stat).into())),
            Ok(Value::Utsname(name)) => Some(Ok(self.says(name).into())),
            _ => None,
        }
    }
}
