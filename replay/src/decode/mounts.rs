//! Calls about mounts, roots and namespaces.

use cofferdam::kernel::{
    AtFlags, Bytes, Call, CloneFlags, Fd, FsConfig, FsmountFlags, FsopenFlags, FspickFlags, MountAttr, MountAttrFlags,
    MountFlags, MoveMountFlags, OpenTreeFlags, UmountFlags,
};

use super::arguments::{Arguments, bits64, fd, id};
use super::{Action, DecodeError};
use crate::syntax::Value;

pub(super) fn decode(a: Arguments<'_>) -> Result<Option<Action>, DecodeError> {
    let call = match a.0.name.as_str() {
        "mount" => Call::Mount {
            source: a.optional_bytes(0)?,
            target: a.bytes(1)?,
            filesystemtype: a.optional_bytes(2)?,
            mountflags: MountFlags::from_bits_retain(a.bits32(3)?),
            data: a.optional_bytes(4)?,
        },
        "umount2" | "umount" => {
            let flags = if a.len() > 1 { a.bits32(1)? } else { 0 };
            Call::Umount2 { target: a.bytes(0)?, flags: UmountFlags::from_bits_retain(flags) }
        }
        "pivot_root" => Call::PivotRoot { new_root: a.bytes(0)?, put_old: a.bytes(1)? },
        "open_tree" => Call::OpenTree { dirfd: a.fd(0)?, path: a.bytes(1)?, flags: tree_flags(a, 2)? },
        "open_tree_attr" => Call::OpenTreeAttr {
            dirfd: a.fd(0)?,
            path: a.bytes(1)?,
            flags: tree_flags(a, 2)?,
            attr: attributes(a.value(3)?)?,
        },
        "move_mount" => Call::MoveMount {
            from_dirfd: a.fd(0)?,
            from_path: a.bytes(1)?,
            to_dirfd: a.fd(2)?,
            to_path: a.bytes(3)?,
            flags: MoveMountFlags::from_bits_retain(a.bits32(4)?),
        },
        "mount_setattr" => Call::MountSetattr {
            dirfd: a.fd(0)?,
            path: a.bytes(1)?,
            flags: AtFlags::from_bits_retain(a.bits32(2)?),
            attr: attributes(a.value(3)?)?,
        },
        "fsopen" => Call::Fsopen { fsname: a.bytes(0)?, flags: FsopenFlags::from_bits_retain(a.bits32(1)?) },
        "fsconfig" => Call::Fsconfig { fd: a.fd(0)?, config: configuration(a)? },
        "fsmount" => Call::Fsmount {
            fd: a.fd(0)?,
            flags: FsmountFlags::from_bits_retain(a.bits32(1)?),
            attr_flags: MountAttrFlags::from_bits_retain(a.bits64(2)?),
        },
        "fspick" => {
            Call::Fspick { dirfd: a.fd(0)?, path: a.bytes(1)?, flags: FspickFlags::from_bits_retain(a.bits32(2)?) }
        }
        "chroot" => Call::Chroot { path: a.bytes(0)? },
        "chdir" => Call::Chdir { path: a.bytes(0)? },
        "fchdir" => Call::Fchdir { fd: a.fd(0)? },
        "unshare" => Call::Unshare { flags: CloneFlags::from_bits_retain(a.bits64(0)?) },
        "setns" => Call::Setns { fd: a.fd(0)?, nstype: CloneFlags::from_bits_retain(a.bits64(1)?) },
        _ => return Ok(None),
    };
    Ok(Some(Action::Call(call)))
}

fn tree_flags(a: Arguments<'_>, index: usize) -> Result<OpenTreeFlags, DecodeError> {
    a.bits32(index).map(OpenTreeFlags::from_bits_retain)
}

fn attributes(value: &Value) -> Result<MountAttr, DecodeError> {
    let bits = |name| value.field(name).map_or(Ok(0), bits64);
    let attr_set = MountAttrFlags::from_bits_retain(bits("attr_set")?);
    let userns_fd = value.field("userns_fd").map(fd).transpose()?;
    Ok(MountAttr {
        attr_set,
        attr_clr: MountAttrFlags::from_bits_retain(bits("attr_clr")?),
        propagation: MountFlags::from_bits_retain(value.field("propagation").map_or(Ok(0), id)?),
        userns_fd: userns_fd.filter(|_| attr_set.contains(MountAttrFlags::MOUNT_ATTR_IDMAP)),
    })
}

fn configuration(a: Arguments<'_>) -> Result<FsConfig, DecodeError> {
    let Value::Name(command) = a.value(1)? else { return Err(DecodeError::NoNumber("the command".into())) };
    let key = || a.bytes(2);
    let path = |a: Arguments<'_>| -> Result<(Fd, Bytes), DecodeError> { Ok((a.fd(4)?, a.bytes(3)?)) };
    Ok(match command.as_str() {
        "FSCONFIG_SET_FLAG" => FsConfig::SetFlag { key: key()? },
        "FSCONFIG_SET_STRING" => FsConfig::SetString { key: key()?, value: a.bytes(3)? },
        "FSCONFIG_SET_BINARY" => FsConfig::SetBinary { key: key()?, value: a.bytes(3)? },
        "FSCONFIG_SET_PATH" => {
            let (dirfd, path) = path(a)?;
            FsConfig::SetPath { key: key()?, dirfd, path }
        }
        "FSCONFIG_SET_FD" => FsConfig::SetFd { key: key()?, fd: a.fd(4)? },
        "FSCONFIG_CMD_CREATE" => FsConfig::Create,
        "FSCONFIG_CMD_CREATE_EXCL" => FsConfig::CreateExclusive,
        "FSCONFIG_CMD_RECONFIGURE" => FsConfig::Reconfigure,
        other => return Err(DecodeError::UnknownName(other.into())),
    })
}
