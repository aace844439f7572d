//! A line of mountinfo, taken apart and checked by itself.

use std::borrow::Cow;

use cofferdam::kernel::{DeviceNumber, MountFlags};
use cofferdam::mountinfo::{Entry, escape};

use super::error::{LineError, quote};
use crate::mount::MntFlags;
use crate::text::{IDMAPPED, MOUNT_OPTIONS, SUPER_OPTIONS};

/// The largest number that a mount or a peer group has.
const LAST_ID: u32 = i32::MAX.cast_unsigned();

/// What of a filesystem is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// A path below its root.
    Path {
        /// Its names.
        names: Vec<Vec<u8>>,
        /// Whether the last one is not there any more.
        is_deleted: bool,
    },
    /// A file without a path.
    Name(Vec<u8>),
}

/// A mount.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) id: u32,
    pub(super) parent: u32,
    pub(super) device: DeviceNumber,
    pub(super) root: Root,
    /// The names of the mountpoint's path.
    pub(super) mountpoint: Vec<Vec<u8>>,
    pub(super) flags: MntFlags,
    pub(super) is_idmapped: bool,
    pub(super) shared: Option<u32>,
    pub(super) master: Option<u32>,
    pub(super) propagate_from: Option<u32>,
    pub(super) is_unbindable: bool,
    /// The type, with what may stand behind a dot.
    pub(super) filesystem: Vec<u8>,
    pub(super) source: Vec<u8>,
    /// All options of the superblock, as they stand in the line.
    pub(super) super_options: Vec<u8>,
    /// Those that are flags.
    pub(super) super_flags: MountFlags,
    /// The others, without the comma in front.
    pub(super) own_options: Vec<u8>,
}

impl Line {
    pub(super) fn new(entry: &Entry<'_>) -> Result<Self, LineError> {
        let (flags, is_idmapped) = mount_options(entry.mount_options_raw())?;
        let filesystem = entry.filesystem_type().into_owned();
        let (super_flags, own_options) = super_options(entry.super_options_raw())?;
        let line = Self {
            id: entry.id(),
            parent: entry.parent_id(),
            device: DeviceNumber { major: entry.major(), minor: entry.minor() },
            root: root(entry.root_raw(), &filesystem)?,
            mountpoint: names(&escape::decode(entry.mountpoint_raw()))
                .filter(|names| names.iter().all(|name| !matches!(&name[..], b"." | b"..")))
                .ok_or_else(|| LineError::Mountpoint(quote(entry.mountpoint_raw())))?,
            flags,
            is_idmapped,
            shared: entry.peer_group(),
            master: entry.master(),
            propagate_from: entry.propagate_from(),
            is_unbindable: entry.is_unbindable(),
            filesystem,
            source: entry.source().into_owned(),
            super_options: entry.super_options_raw().to_vec(),
            super_flags,
            own_options: own_options.to_vec(),
        };
        line.check_numbers()?;
        if line.shared.is_some() && line.is_unbindable {
            return Err(LineError::SharedAndUnbindable);
        }
        Ok(line)
    }

    /// That no number is larger than those of a kernel (`MKDEV()`, `int mnt_id`), so that there are larger ones to come.
    fn check_numbers(&self) -> Result<(), LineError> {
        let ids = [Some(self.id), Some(self.parent), self.shared, self.master, self.propagate_from];
        if let Some(id) = ids.into_iter().flatten().find(|id| *id >= LAST_ID) {
            return Err(LineError::Number(id));
        }
        let groups = [self.shared, self.master, self.propagate_from];
        if groups.contains(&Some(0)) {
            return Err(LineError::Number(0));
        }
        if self.device.major >= 1 << 12 {
            return Err(LineError::Number(self.device.major));
        }
        if self.device.minor >= 1 << 20 {
            return Err(LineError::Number(self.device.minor));
        }
        Ok(())
    }

    /// The mountpoint as it reads, for a message.
    pub(super) fn quoted_mountpoint(&self) -> String {
        quote(&[&b"/"[..], &self.mountpoint.join(&b'/')].concat())
    }
}

/// The names of an absolute path; `None` if it is not one as the kernel writes it.
fn names(path: &[u8]) -> Option<Vec<Vec<u8>>> {
    let path = path.strip_prefix(b"/")?;
    if path.is_empty() {
        return Some(Vec::new());
    }
    let names: Vec<Vec<u8>> = path.split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect();
    names.iter().all(|name| !name.is_empty() && !name.contains(&0)).then_some(names)
}

fn root(text: &[u8], filesystem: &[u8]) -> Result<Root, LineError> {
    if filesystem == b"nsfs" {
        return Ok(Root::Name(text.to_vec()));
    }
    let decoded: Cow<'_, [u8]> = escape::decode(text);
    let (path, is_deleted) = match decoded.strip_suffix(b"//deleted") {
        Some(path) => (path, true),
        None => (&decoded[..], false),
    };
    match names(path) {
        // The root of a filesystem is never deleted.
        Some(names) if !(is_deleted && names.is_empty()) => Ok(Root::Path { names, is_deleted }),
        _ => Err(LineError::Root(quote(text))),
    }
}

fn mount_options(text: &[u8]) -> Result<(MntFlags, bool), LineError> {
    let (mut flags, mut is_idmapped) = (MntFlags::empty(), false);
    for option in text.split(|byte| *byte == b',') {
        let known = MOUNT_OPTIONS.iter().find(|(_, name)| &name[1..] == option);
        match (known, option) {
            (Some((flag, _)), _) => flags |= *flag,
            (None, b"rw") => {}
            (None, b"ro") => flags |= MntFlags::READONLY,
            (None, option) if option == &IDMAPPED[1..] => is_idmapped = true,
            (None, option) => return Err(LineError::MountOption(quote(option))),
        }
    }
    Ok((flags, is_idmapped))
}

fn super_options(text: &[u8]) -> Result<(MountFlags, &[u8]), LineError> {
    let (mut flags, mut rest) = match text {
        [b'r', b'w', rest @ ..] => (MountFlags::empty(), rest),
        [b'r', b'o', rest @ ..] => (MountFlags::MS_RDONLY, rest),
        _ => return Err(LineError::SuperOptions(quote(text))),
    };
    for (flag, name) in SUPER_OPTIONS {
        match rest.strip_prefix(name) {
            Some(behind) if behind.is_empty() || behind.starts_with(b",") => {
                flags |= flag;
                rest = behind;
            }
            _ => {}
        }
    }
    match rest {
        [] => Ok((flags, rest)),
        [b',', own @ ..] => Ok((flags, own)),
        _ => Err(LineError::SuperOptions(quote(text))),
    }
}
