//! Between cofferdam's types and those of nix, rustix and C.

use std::ffi::{CString, c_int, c_long};
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};

use cofferdam::UnixPath;
use cofferdam::kernel::{Bytes, Errno, Fd, OpenFlags};
use linux_raw_sys::general;

/// A path or string for C; `EINVAL` if it holds a NUL, which cannot be passed.
pub fn c_string(bytes: impl AsRef<[u8]>) -> Result<CString, Errno> {
    CString::new(bytes.as_ref()).map_err(|_| Errno::EINVAL)
}

pub fn c_path(path: &UnixPath) -> Result<CString, Errno> {
    c_string(path.as_bytes())
}

pub fn optional_c_string(bytes: Option<impl AsRef<[u8]>>) -> Result<Option<CString>, Errno> {
    bytes.map(c_string).transpose()
}

pub fn c_strings(strings: &[Bytes]) -> Result<Vec<CString>, Errno> {
    strings.iter().map(c_string).collect()
}

/// A number as the type that nix and rustix take. For a negative number, which is never open, another such stands:
/// `BorrowedFd` cannot hold -1, and rustix takes no other. The kernel answers to all of them in the same way.
pub fn borrowed(fd: Fd) -> BorrowedFd<'static> {
    if fd.0 < 0 && fd != Fd::CWD {
        return rustix::fs::ABS;
    }
    // SAFETY: it is not -1. It may be a number that is not open, but nothing that takes it does more with it than to
    // hand it to the kernel, which checks.
    unsafe { BorrowedFd::borrow_raw(fd.0) }
}

pub fn new_fd(fd: OwnedFd) -> Fd {
    Fd(fd.into_raw_fd())
}

/// For a result of nix. Its `Errno` has no number where it has no name; then C still holds it.
pub fn from_nix(errno: nix::errno::Errno) -> Errno {
    match errno {
        nix::errno::Errno::UnknownErrno => last_errno(),
        errno => Errno::from_raw(errno as i32),
    }
}

pub fn from_rustix(errno: rustix::io::Errno) -> Errno {
    Errno::from_raw(errno.raw_os_error())
}

/// For a result of C's: -1 is an error.
pub fn check<T: Into<c_long> + Copy>(result: T) -> Result<T, Errno> {
    if result.into() == -1 { Err(last_errno()) } else { Ok(result) }
}

fn last_errno() -> Errno {
    Errno::from_raw(nix::errno::Errno::last_raw())
}

/// The four flags whose bits other architectures than x86 have in another order, by name; the bits of all others are
/// the same everywhere, named or not.
const REORDERED: [(OpenFlags, u32); 4] = [
    (OpenFlags::O_DIRECT, general::O_DIRECT),
    (OpenFlags::O_LARGEFILE, general::O_LARGEFILE),
    (OpenFlags::O_DIRECTORY, general::O_DIRECTORY),
    (OpenFlags::O_NOFOLLOW, general::O_NOFOLLOW),
];

pub fn open_flags(flags: OpenFlags) -> c_int {
    translated(flags, &REORDERED).cast_signed()
}

fn translated(flags: OpenFlags, table: &[(OpenFlags, u32)]) -> u32 {
    table.iter().fold(flags.bits(), |bits, (flag, _)| bits & !flag.bits())
        | table.iter().filter(|(flag, _)| flags.contains(*flag)).fold(0, |bits, (_, here)| bits | here)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `arch/arm64/include/uapi/asm/fcntl.h`
    const AARCH64: [(OpenFlags, u32); 4] = [
        (OpenFlags::O_DIRECT, 0o200_000),
        (OpenFlags::O_LARGEFILE, 0o400_000),
        (OpenFlags::O_DIRECTORY, 0o40_000),
        (OpenFlags::O_NOFOLLOW, 0o100_000),
    ];

    #[test]
    fn open_flags_are_translated_by_name_and_bits_without_one_are_kept() {
        let unnamed = OpenFlags::from_bits_retain(0o20_000_000 | 1 << 30);
        let flags = OpenFlags::O_DIRECTORY | OpenFlags::O_NOFOLLOW | OpenFlags::O_CLOEXEC | unnamed;
        assert_eq!(translated(flags, &AARCH64), 0o140_000 | 0o2_000_000 | 0o20_000_000 | 1 << 30);
        assert_eq!(translated(OpenFlags::O_DIRECT | OpenFlags::O_LARGEFILE, &AARCH64), 0o600_000);
    }

    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    #[test]
    fn open_flags_are_those_of_x86() {
        assert_eq!(open_flags(OpenFlags::from_bits_retain(!0)), -1);
        for bit in 0..u32::BITS {
            assert_eq!(open_flags(OpenFlags::from_bits_retain(1 << bit)).cast_unsigned(), 1 << bit);
        }
    }

    #[test]
    fn an_error_number_without_a_name_is_kept() {
        nix::errno::Errno::set_raw(524);
        assert_eq!(from_nix(nix::errno::Errno::last()), Errno::from_raw(524));
        assert_eq!(from_nix(nix::errno::Errno::ENOENT), Errno::ENOENT);
    }

    #[test]
    fn a_string_with_a_nul_cannot_be_passed() {
        assert_eq!(c_string("a\0b"), Err(Errno::EINVAL));
    }
}
