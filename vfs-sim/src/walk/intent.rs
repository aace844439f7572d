//! What openat2(2) is asked for (`build_open_flags()`).

use cofferdam::kernel::{OpenFlags, OpenHow, ResolveFlags};

use super::{Access, LookupFlags};
use crate::failure::{Failure, fail};

/// The bit that makes `O_DIRECTORY` an `O_TMPFILE`.
const TMPFILE: u32 = 0o20_000_000;
/// The bit that makes `O_DSYNC` an `O_SYNC`.
const SYNC: u32 = 0o4_000_000;
const ASYNC: u32 = 0o20_000;
/// `S_IALLUGO`
const PERMISSIONS: u32 = 0o7777;

/// What openat2(2) takes (`VALID_OPEN_FLAGS`).
const KNOWN_FLAGS: OpenFlags = OpenFlags::O_WRONLY
    .union(OpenFlags::O_RDWR)
    .union(OpenFlags::O_CREAT)
    .union(OpenFlags::O_EXCL)
    .union(OpenFlags::O_NOCTTY)
    .union(OpenFlags::O_TRUNC)
    .union(OpenFlags::O_APPEND)
    .union(OpenFlags::O_NONBLOCK)
    .union(OpenFlags::O_DSYNC)
    .union(OpenFlags::O_DIRECT)
    .union(OpenFlags::O_LARGEFILE)
    .union(OpenFlags::O_DIRECTORY)
    .union(OpenFlags::O_NOFOLLOW)
    .union(OpenFlags::O_NOATIME)
    .union(OpenFlags::O_CLOEXEC)
    .union(OpenFlags::O_PATH)
    .union(OpenFlags::from_bits_retain(TMPFILE | SYNC | ASYNC));

/// What goes with `O_PATH` (`O_PATH_FLAGS`).
const PATH_FLAGS: OpenFlags = OpenFlags::O_DIRECTORY.union(OpenFlags::O_NOFOLLOW).union(OpenFlags::O_PATH);

const KNOWN_RESOLVE: ResolveFlags = ResolveFlags::RESOLVE_NO_XDEV
    .union(ResolveFlags::RESOLVE_NO_MAGICLINKS)
    .union(ResolveFlags::RESOLVE_NO_SYMLINKS)
    .union(ResolveFlags::RESOLVE_BENEATH)
    .union(ResolveFlags::RESOLVE_IN_ROOT)
    .union(ResolveFlags::RESOLVE_CACHED);

/// What is to be opened, and how (`struct open_flags`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenIntent {
    /// The flags, without `O_CLOEXEC`.
    pub(crate) flags: OpenFlags,
    /// The permissions of a new file.
    pub(crate) mode: u32,
    /// What must be permitted.
    pub(crate) access: Access,
    /// How the path is walked.
    pub(crate) lookup: LookupFlags,
}

impl OpenIntent {
    /// Checks what is asked for.
    pub(crate) fn new(how: OpenHow) -> Result<Self, Failure> {
        let flags = how.flags.difference(OpenFlags::O_CLOEXEC);
        let mut access = access_of(flags);
        check(how, flags, access)?;
        if flags.contains(OpenFlags::O_PATH) {
            access = Access::empty();
        }
        access.set(Access::WRITE, access.contains(Access::WRITE) || flags.contains(OpenFlags::O_TRUNC));
        let mut lookup = LookupFlags::empty();
        lookup.set(LookupFlags::DIRECTORY, flags.contains(OpenFlags::O_DIRECTORY));
        let is_exclusive = flags.contains(OpenFlags::O_CREAT | OpenFlags::O_EXCL);
        lookup.set(LookupFlags::FOLLOW, !flags.contains(OpenFlags::O_NOFOLLOW) && !is_exclusive);
        let flags = if flags.bits() & SYNC == 0 { flags } else { flags | OpenFlags::O_DSYNC };
        Ok(Self { flags, mode: how.mode.0, access, lookup })
    }

    /// Whether a file is made if there is none.
    pub(crate) fn creates(&self) -> bool {
        self.flags.contains(OpenFlags::O_CREAT)
    }

    /// Whether there must be none yet.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.flags.contains(OpenFlags::O_CREAT | OpenFlags::O_EXCL)
    }

    /// Whether it is a file without a name (`O_TMPFILE`).
    pub(crate) fn is_tmpfile(&self) -> bool {
        self.flags.bits() & TMPFILE != 0
    }
}

/// Whether the kernel takes what is asked for; `flags` are those without `O_CLOEXEC`.
fn check(how: OpenHow, flags: OpenFlags, access: Access) -> Result<(), Failure> {
    if !KNOWN_FLAGS.contains(flags) {
        return Err(fail!(EINVAL, "build_open_flags()", "a flag is not one that openat2(2) knows"));
    }
    if !KNOWN_RESOLVE.contains(how.resolve) {
        return Err(fail!(EINVAL, "build_open_flags()", "a flag of resolve is not one that openat2(2) knows"));
    }
    if how.resolve.contains(ResolveFlags::RESOLVE_BENEATH | ResolveFlags::RESOLVE_IN_ROOT) {
        return Err(fail!(EINVAL, "build_open_flags()", "RESOLVE_BENEATH and RESOLVE_IN_ROOT exclude each other"));
    }
    let is_tmpfile = flags.bits() & TMPFILE != 0;
    let makes_file = flags.contains(OpenFlags::O_CREAT) || is_tmpfile;
    if makes_file && how.mode.0 & !PERMISSIONS != 0 {
        return Err(fail!(EINVAL, "build_open_flags()", "the mode has bits beyond 07777"));
    }
    if !makes_file && how.mode.0 != 0 {
        return Err(fail!(EINVAL, "build_open_flags()", "a mode is given, but neither O_CREAT nor O_TMPFILE"));
    }
    if flags.contains(OpenFlags::O_DIRECTORY | OpenFlags::O_CREAT) {
        return Err(fail!(EINVAL, "build_open_flags()", "O_CREAT goes with O_DIRECTORY, but makes no directories"));
    }
    if is_tmpfile && !flags.contains(OpenFlags::O_DIRECTORY) {
        return Err(fail!(EINVAL, "build_open_flags()", "__O_TMPFILE is given without O_DIRECTORY"));
    }
    if is_tmpfile && !access.contains(Access::WRITE) {
        return Err(fail!(EINVAL, "build_open_flags()", "O_TMPFILE is given with neither O_WRONLY nor O_RDWR"));
    }
    if flags.contains(OpenFlags::O_PATH) && !PATH_FLAGS.contains(flags) {
        return Err(fail!(
            EINVAL,
            "build_open_flags()",
            "O_PATH goes with other flags than O_DIRECTORY, O_NOFOLLOW and O_CLOEXEC"
        ));
    }
    if how.resolve.contains(ResolveFlags::RESOLVE_CACHED) && (makes_file || flags.contains(OpenFlags::O_TRUNC)) {
        return Err(fail!(
            EAGAIN,
            "build_open_flags()",
            "RESOLVE_CACHED goes with O_CREAT, O_TRUNC or O_TMPFILE, which do more than look up"
        ));
    }
    Ok(())
}

/// What the access mode demands (`ACC_MODE()`): for both bits at once, which ioctl(2) alone makes use of, everything.
fn access_of(flags: OpenFlags) -> Access {
    match flags.bits() & 0o3 {
        0 => Access::READ,
        1 => Access::WRITE,
        _ => Access::READ | Access::WRITE,
    }
}

#[cfg(test)]
mod tests {
    use cofferdam::kernel::{Errno, Mode};
    use rstest::rstest;

    use super::*;

    #[rstest]
    // A name for each rule.
    #[case::unknown_flag(0x8000_0000, 0, 0, Err(Errno::EINVAL))]
    #[case::unknown_resolve(0, 0, 0x40, Err(Errno::EINVAL))]
    #[case::two_scopes(0, 0, 0x18, Err(Errno::EINVAL))]
    #[case::mode_of_nothing(0, 0o600, 0, Err(Errno::EINVAL))]
    #[case::mode_with_a_type(0o100, 0o100_600, 0, Err(Errno::EINVAL))]
    #[case::created(0o101, 0o7777, 0, Ok((Access::WRITE, LookupFlags::FOLLOW)))]
    #[case::created_exclusively(0o301, 0, 0, Ok((Access::WRITE, LookupFlags::empty())))]
    #[case::created_directory(0o200_100, 0, 0, Err(Errno::EINVAL))]
    #[case::tmpfile_without_directory(0o20_000_002, 0, 0, Err(Errno::EINVAL))]
    #[case::tmpfile_to_read(0o20_200_000, 0, 0, Err(Errno::EINVAL))]
    #[case::tmpfile(0o20_200_002, 0o600, 0, Ok((Access::READ.union(Access::WRITE), LookupFlags::all_to_a_directory())))]
    #[case::path_to_write(0o10_000_001, 0, 0, Err(Errno::EINVAL))]
    #[case::path(0o12_600_000, 0, 0, Ok((Access::empty(), LookupFlags::DIRECTORY)))]
    #[case::truncated_while_read(0o1000, 0, 0, Ok((Access::READ.union(Access::WRITE), LookupFlags::FOLLOW)))]
    #[case::neither_read_nor_written(0o3, 0, 0, Ok((Access::READ.union(Access::WRITE), LookupFlags::FOLLOW)))]
    #[case::cached_and_truncated(0o1000, 0, 0x20, Err(Errno::EAGAIN))]
    #[case::wrong_before_cached(0o1000, 1, 0x20, Err(Errno::EINVAL))]
    fn what_is_asked_for(
        #[case] flags: u32,
        #[case] mode: u32,
        #[case] resolve: u64,
        #[case] expected: Result<(Access, LookupFlags), Errno>,
    ) {
        let how = OpenHow {
            flags: OpenFlags::from_bits_retain(flags),
            mode: Mode(mode),
            resolve: ResolveFlags::from_bits_retain(resolve),
        };
        let asked = OpenIntent::new(how).map(|intent| (intent.access, intent.lookup));
        assert_eq!(asked.map_err(Failure::errno), expected);
    }

    impl LookupFlags {
        fn all_to_a_directory() -> Self {
            Self::FOLLOW | Self::DIRECTORY
        }
    }
}
