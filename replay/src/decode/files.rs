//! Calls about paths, files and descriptors.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, CloseRangeFlags, Fd, FileType, Mode, NodeMode, OpenFlags, OpenHow, RenameFlags, ResolveFlags,
};

use super::arguments::{Arguments, bits64, id};
use super::{Action, DecodeError};
use crate::syntax::Value;

type Decoding = Result<Option<Action>, DecodeError>;

/// `O_TMPFILE` without `O_DIRECTORY`.
const TMPFILE: u32 = 0o20_000_000;

/// What open(2) knows (`VALID_OPEN_FLAGS`).
const KNOWN_TO_OPEN: u32 = 0o37_777_703;

pub(super) fn decode(a: Arguments<'_>) -> Decoding {
    let name = a.0.name.as_str();
    for decode in [opening, naming, looking, owning, describing] {
        if let Some(action) = decode(name, a)? {
            return Ok(Some(action));
        }
    }
    Ok(None)
}

#[allow(clippy::unnecessary_wraps, reason = "so that a table of calls can be read")]
fn call(call: Call) -> Decoding {
    Ok(Some(Action::Call(call)))
}

/// What open(2) makes of its arguments (`build_open_how()`).
fn how_of_open(flags: u32, mode: u32) -> OpenHow {
    let mut flags = flags & KNOWN_TO_OPEN;
    let kept = OpenFlags::O_PATH | OpenFlags::O_DIRECTORY | OpenFlags::O_NOFOLLOW | OpenFlags::O_CLOEXEC;
    if flags & OpenFlags::O_PATH.bits() != 0 {
        flags &= kept.bits();
    }
    let makes = flags & (OpenFlags::O_CREAT.bits() | TMPFILE) != 0;
    OpenHow {
        flags: OpenFlags::from_bits_retain(flags),
        mode: Mode(if makes { mode & 0o7777 } else { 0 }),
        resolve: ResolveFlags::empty(),
    }
}

fn open(a: Arguments<'_>, dirfd: Fd, first: usize) -> Decoding {
    let mode = if a.len() > first + 2 { a.bits32(first + 2)? } else { 0 };
    let how = how_of_open(a.bits32(first + 1)?, mode);
    call(Call::Openat2 { dirfd, path: a.bytes(first)?, how })
}

fn opening(name: &str, a: Arguments<'_>) -> Decoding {
    match name {
        "open" => open(a, Fd::CWD, 0),
        "openat" => open(a, a.fd(0)?, 1),
        "creat" => {
            let flags = OpenFlags::O_CREAT | OpenFlags::O_WRONLY | OpenFlags::O_TRUNC;
            call(Call::Openat2 { dirfd: Fd::CWD, path: a.bytes(0)?, how: how_of_open(flags.bits(), a.bits32(1)?) })
        }
        "openat2" => {
            let structure = a.value(2)?;
            let bits = |name| structure.field(name).map_or(Ok(0), bits64);
            let how = OpenHow {
                flags: OpenFlags::from_bits_retain(structure.field("flags").map_or(Ok(0), id)?),
                mode: Mode(structure.field("mode").map_or(Ok(0), id)?),
                resolve: ResolveFlags::from_bits_retain(bits("resolve")?),
            };
            call(Call::Openat2 { dirfd: a.fd(0)?, path: a.bytes(1)?, how })
        }
        _ => Ok(None),
    }
}

fn node(a: Arguments<'_>, dirfd: Fd, first: usize) -> Decoding {
    let bits = a.bits32(first + 1)?;
    let file_type = if bits & 0o170_000 == 0 { FileType::Regular } else { FileType::from_mode(bits) };
    let mode = NodeMode { file_type, mode: Mode(bits & 0o7777) };
    call(Call::Mknodat { dirfd, path: a.bytes(first)?, mode, device: a.device(first + 2) })
}

fn link(old: (Fd, Bytes), new: (Fd, Bytes), flags: u32) -> Decoding {
    let flags = AtFlags::from_bits_retain(flags);
    call(Call::Linkat { old_dirfd: old.0, old_path: old.1, new_dirfd: new.0, new_path: new.1, flags })
}

fn rename(old: (Fd, Bytes), new: (Fd, Bytes), flags: u32) -> Decoding {
    let flags = RenameFlags::from_bits_retain(flags);
    call(Call::Renameat2 { old_dirfd: old.0, old_path: old.1, new_dirfd: new.0, new_path: new.1, flags })
}

fn unlink(dirfd: Fd, path: Bytes, flags: AtFlags) -> Decoding {
    call(Call::Unlinkat { dirfd, path, flags })
}

/// Names come and go.
fn naming(name: &str, a: Arguments<'_>) -> Decoding {
    let cwd = |index: usize| -> Result<(Fd, Bytes), DecodeError> { Ok((Fd::CWD, a.bytes(index)?)) };
    let at = |index: usize| -> Result<(Fd, Bytes), DecodeError> { Ok((a.fd(index)?, a.bytes(index + 1)?)) };
    match name {
        "mkdir" => call(Call::Mkdirat { dirfd: Fd::CWD, path: a.bytes(0)?, mode: a.mode(1)? }),
        "mkdirat" => call(Call::Mkdirat { dirfd: a.fd(0)?, path: a.bytes(1)?, mode: a.mode(2)? }),
        "mknod" => node(a, Fd::CWD, 0),
        "mknodat" => node(a, a.fd(0)?, 1),
        "symlink" => call(Call::Symlinkat { target: a.bytes(0)?, dirfd: Fd::CWD, path: a.bytes(1)? }),
        "symlinkat" => call(Call::Symlinkat { target: a.bytes(0)?, dirfd: a.fd(1)?, path: a.bytes(2)? }),
        "link" => link(cwd(0)?, cwd(1)?, 0),
        "linkat" => link(at(0)?, at(2)?, a.bits32(4)?),
        "unlink" => unlink(Fd::CWD, a.bytes(0)?, AtFlags::empty()),
        "rmdir" => unlink(Fd::CWD, a.bytes(0)?, AtFlags::AT_REMOVEDIR),
        "unlinkat" => unlink(a.fd(0)?, a.bytes(1)?, AtFlags::from_bits_retain(a.bits32(2)?)),
        "rename" => rename(cwd(0)?, cwd(1)?, 0),
        "renameat" => rename(at(0)?, at(2)?, 0),
        "renameat2" => rename(at(0)?, at(2)?, a.bits32(4)?),
        _ => Ok(None),
    }
}

/// The flags of statx(2) and its kin that say where the path leads.
const KNOWN_TO_STATX: u32 = 0x100 | 0x800 | 0x1000;

fn statx(dirfd: Fd, path: Bytes, flags: u32) -> Call {
    Call::Statx { dirfd, path, flags: AtFlags::from_bits_retain(flags & KNOWN_TO_STATX) }
}

#[allow(clippy::unnecessary_wraps, reason = "as above")]
fn exists(dirfd: Fd, path: Bytes, flags: u32) -> Decoding {
    Ok(Some(Action::Exists(statx(dirfd, path, flags))))
}

/// What is there.
fn looking(name: &str, a: Arguments<'_>) -> Decoding {
    let no_follow = AtFlags::AT_SYMLINK_NOFOLLOW.bits();
    match name {
        "stat" => call(statx(Fd::CWD, a.bytes(0)?, 0)),
        "lstat" => call(statx(Fd::CWD, a.bytes(0)?, no_follow)),
        "fstat" => call(statx(a.fd(0)?, "".into(), AtFlags::AT_EMPTY_PATH.bits())),
        "newfstatat" | "fstatat64" => call(statx(a.fd(0)?, a.bytes(1)?, a.bits32(3)?)),
        "statx" => call(statx(a.fd(0)?, a.bytes(1)?, a.bits32(2)?)),
        "access" => exists(Fd::CWD, a.bytes(0)?, 0),
        "faccessat" => exists(a.fd(0)?, a.bytes(1)?, 0),
        "faccessat2" => exists(a.fd(0)?, a.bytes(1)?, a.bits32(3)?),
        "readlink" => call(Call::Readlinkat { dirfd: Fd::CWD, path: a.bytes(0)? }),
        "readlinkat" => call(Call::Readlinkat { dirfd: a.fd(0)?, path: a.bytes(1)? }),
        "statfs" => call(Call::Statfs { path: a.bytes(0)? }),
        "fstatfs" => call(Call::Fstatfs { fd: a.fd(0)? }),
        "getcwd" => call(Call::Getcwd {}),
        "getdents64" => call(Call::Getdents64 { fd: a.fd(0)? }),
        _ => Ok(None),
    }
}

fn chown(a: Arguments<'_>, dirfd: Fd, path: Bytes, first: usize, flags: u32) -> Decoding {
    let id = |index| a.id(index).map(|id| Some(id).filter(|id| *id != u32::MAX));
    let (owner, group) = (id(first)?, id(first + 1)?);
    call(Call::Fchownat { dirfd, path, owner, group, flags: AtFlags::from_bits_retain(flags) })
}

/// Whose it is, and who may.
fn owning(name: &str, a: Arguments<'_>) -> Decoding {
    match name {
        "chmod" => call(Call::Fchmodat { dirfd: Fd::CWD, path: a.bytes(0)?, mode: a.mode(1)? }),
        "fchmod" => call(Call::Fchmod { fd: a.fd(0)?, mode: a.mode(1)? }),
        "fchmodat" => call(Call::Fchmodat { dirfd: a.fd(0)?, path: a.bytes(1)?, mode: a.mode(2)? }),
        "chown" => chown(a, Fd::CWD, a.bytes(0)?, 1, 0),
        "lchown" => chown(a, Fd::CWD, a.bytes(0)?, 1, AtFlags::AT_SYMLINK_NOFOLLOW.bits()),
        "fchown" => chown(a, a.fd(0)?, "".into(), 1, AtFlags::AT_EMPTY_PATH.bits()),
        "fchownat" => chown(a, a.fd(0)?, a.bytes(1)?, 2, a.bits32(4)?),
        "umask" => call(Call::Umask { mask: a.mode(0)? }),
        _ => Ok(None),
    }
}

/// Descriptors come and go.
fn describing(name: &str, a: Arguments<'_>) -> Decoding {
    let close_on_exec = OpenFlags::O_CLOEXEC.bits();
    let duplicate = |on| Ok(Some(Action::Duplicate { old: a.fd(0)?, close_on_exec: on }));
    match name {
        "close" => call(Call::Close { fd: a.fd(0)? }),
        "close_range" => call(Call::CloseRange {
            first: a.id(0)?,
            last: a.id(1)?,
            flags: CloseRangeFlags::from_bits_retain(a.bits32(2)?),
        }),
        "dup" | "dup2" => duplicate(false),
        "dup3" => duplicate(a.bits32(2)? & close_on_exec != 0),
        "fcntl" => match a.value(1)? {
            Value::Name(command) if command == "F_DUPFD" => duplicate(false),
            Value::Name(command) if command == "F_DUPFD_CLOEXEC" => duplicate(true),
            Value::Name(command) if command == "F_SETFD" => {
                Ok(Some(Action::SetCloseOnExec { fd: a.fd(0)?, on: a.bits32(2)? & 1 != 0 }))
            }
            _ => Ok(Some(Action::Nothing)),
        },
        "pipe" => call(Call::Pipe2 { flags: OpenFlags::empty() }),
        "pipe2" => call(Call::Pipe2 { flags: OpenFlags::from_bits_retain(a.bits32(1)?) }),
        "write" => match a.value(1)? {
            Value::Text { is_cut: true, .. } => Ok(Some(Action::Nothing)),
            _ => call(Call::Write { fd: a.fd(0)?, data: a.bytes(1)? }),
        },
        _ => Ok(None),
    }
}
