//! Releases of Linux, and what came with which.

use std::fmt;

use super::types::Utsname;

/// A release of Linux: major and minor number.
///
/// ```
/// use cofferdam::kernel::Release;
///
/// assert!(Release(5, 12) < Release(6, 8));
/// assert_eq!(Release(6, 8).to_string(), "Linux 6.8");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release(pub u32, pub u32);

impl Release {
    /// The release that uname(2) tells; `None` if it is none of Linux' numbers.
    ///
    /// `6.18.0-1-amd64`, `5.12-rc1`: what follows the minor number says nothing about calls.
    pub fn of(name: &Utsname) -> Option<Self> {
        let release = str::from_utf8(&name.release.0).ok()?;
        let (major, rest) = release.split_once('.')?;
        let minor = rest.split(|character: char| !character.is_ascii_digit()).next()?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Linux {}.{}", self.0, self.1)
    }
}

/// The calls that are newer than Linux 5.0, with the release that brought each: the versions in the manual pages.
const NEWER_CALLS: [(&str, Release); 13] = [
    ("open_tree", Release(5, 2)),
    ("move_mount", Release(5, 2)),
    ("fsopen", Release(5, 2)),
    ("fsconfig", Release(5, 2)),
    ("fsmount", Release(5, 2)),
    ("fspick", Release(5, 2)),
    ("clone3", Release(5, 3)),
    ("openat2", Release(5, 6)),
    ("close_range", Release(5, 9)),
    ("mount_setattr", Release(5, 12)),
    ("statmount", Release(6, 8)),
    ("listmount", Release(6, 8)),
    ("open_tree_attr", Release(6, 15)),
];

/// The release that brought the call of this name; `None` for one that is older than Linux 5.0.
pub(crate) fn brought_by(call: &str) -> Option<Release> {
    NEWER_CALLS.iter().find(|(name, _)| *name == call).map(|(_, release)| *release)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::kernel::Call;

    #[rstest]
    #[case("6.18.0-1-amd64", Some(Release(6, 18)))]
    #[case("5.12-rc1", Some(Release(5, 12)))]
    #[case("7.0", Some(Release(7, 0)))]
    #[case("unknown", None)]
    #[case("6.", None)]
    fn releases_are_read_whatever_follows(#[case] text: &str, #[case] expected: Option<Release>) {
        let name = Utsname { sysname: "Linux".into(), release: text.into(), machine: "x86_64".into() };
        assert_eq!(Release::of(&name), expected);
    }

    #[test]
    fn newer_calls_are_calls() {
        for (name, _) in NEWER_CALLS {
            assert!(Call::NAMES.contains(&name), "{name}");
        }
    }
}
