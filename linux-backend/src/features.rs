//! What this machine's kernel can do.

use cofferdam::kernel::{Release, UnsupportedKernel};
use linux_raw_sys::general;
use nix::errno::Errno;

use crate::process;

/// What this machine's kernel can do, as [`detect`](Self::detect) found by trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "one per system call")]
pub struct Features {
    /// The release; `Release(0, 0)` if it cannot be read from uname(2).
    pub release: Release,
    /// openat2(2), Linux 5.6.
    pub openat2: bool,
    /// `mount_setattr(2)`, Linux 5.12.
    pub mount_setattr: bool,
    /// statmount(2), Linux 6.8.
    pub statmount: bool,
    /// listmount(2), Linux 6.8.
    pub listmount: bool,
}

impl Features {
    /// Makes each call in a way that cannot succeed.
    pub fn detect() -> Self {
        let release = process::uname().ok().and_then(|name| Release::of(&name));
        Self {
            release: release.unwrap_or_default(),
            openat2: exists(libc::SYS_openat2),
            mount_setattr: exists(libc::SYS_mount_setattr),
            statmount: exists(general::__NR_statmount.into()),
            listmount: exists(general::__NR_listmount.into()),
        }
    }

    /// Whether this is enough to isolate a filesystem. What counts is that the calls are there, as distributions bring
    /// them to older releases too, and seccomp filters take them away from newer ones.
    pub fn supported(self) -> Result<Self, UnsupportedKernel> {
        let calls = [("openat2", self.openat2), ("mount_setattr", self.mount_setattr)];
        match calls.into_iter().find(|(_, exists)| !exists) {
            None => Ok(self),
            Some((call, _)) => Err(UnsupportedKernel::new(self.release, call)),
        }
    }
}

/// Fails with a clear error where the kernel is too old.
pub fn require_supported() -> Result<Features, UnsupportedKernel> {
    Features::detect().supported()
}

/// Every argument is -1: a flag or a size that each of the probed calls refuses (`EINVAL`, `E2BIG`) before it looks at
/// anything else, permissions included. So `EPERM` can only come from a seccomp filter.
fn exists(number: libc::c_long) -> bool {
    const BAD: libc::c_long = -1;
    // SAFETY: -1 is the address of nothing that a process can have, so whatever the call would do with it fails.
    let result = unsafe { libc::syscall(number, BAD, BAD, BAD, BAD, BAD, BAD) };
    result == -1 && !matches!(Errno::last(), Errno::ENOSYS | Errno::EPERM)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODERN: Features =
        Features { release: Release(6, 18), openat2: true, mount_setattr: true, statmount: true, listmount: true };

    #[test]
    fn a_kernel_without_statmount_is_supported() {
        let features = Features { release: Release(5, 12), statmount: false, listmount: false, ..MODERN };
        assert_eq!(features.supported(), Ok(features));
    }

    #[test]
    fn a_kernel_before_5_12_is_told_what_is_needed() {
        let features = Features { release: Release(5, 4), openat2: false, mount_setattr: false, ..MODERN };
        assert_eq!(
            features.supported().unwrap_err().to_string(),
            "this is Linux 5.4, which lacks openat2(2); Linux 5.12 or newer is needed: upgrade the kernel"
        );
        let features = Features { release: Release(5, 11), mount_setattr: false, ..MODERN };
        let error = features.supported().unwrap_err();
        assert_eq!(error, UnsupportedKernel::TooOld { release: Release(5, 11), call: "mount_setattr" });
    }

    #[test]
    fn an_older_kernel_with_the_calls_brought_to_it_is_supported() {
        let features = Features { release: Release(4, 18), ..MODERN };
        assert_eq!(features.supported(), Ok(features));
    }

    #[test]
    fn a_new_kernel_whose_calls_are_filtered_is_not_called_old() {
        let features = Features { mount_setattr: false, ..MODERN };
        let error = features.supported().unwrap_err();
        assert_eq!(error, UnsupportedKernel::Forbidden { release: Release(6, 18), call: "mount_setattr" });
        assert!(error.to_string().contains("seccomp"), "{error}");
    }

    #[test]
    fn a_call_that_does_not_exist_is_found_missing() {
        assert!(!exists(100_000));
    }

    #[test]
    fn what_is_detected_fits_the_release() {
        let features = Features::detect();
        assert!(features.release >= Release(5, 12), "{features:?}");
        assert!(require_supported().is_ok());
        assert_eq!(features.statmount, features.listmount);
        assert!(features.release < Release(6, 8) || features.statmount, "{features:?}");
    }
}
