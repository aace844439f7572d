//! Reading the mount table of the calling thread.

use typed_path::{UnixPath, UnixPathBuf};

use crate::checkpoint;
use crate::error::{CallError, Doing};
use crate::kernel::{Fd, Kernel};
use crate::mountinfo::{ParseError, Table};
use crate::root::stat;

/// Of the thread, not of the process: an agent may have threads in several mount namespaces.
const MOUNTINFO: &str = "/proc/thread-self/mountinfo";

/// The text of the mount table, to be parsed by [`Table::parse`](crate::mountinfo::Table::parse).
pub(crate) fn read(kernel: &dyn Kernel) -> Result<Vec<u8>, CallError> {
    checkpoint::read(kernel, UnixPath::new(MOUNTINFO)).map_err(|error| error.with_hint("is /proc mounted?"))
}

/// Where the mount is that an open file is in, unless that mount is shared. `path` is for messages.
pub(crate) fn unshared_mount<E>(kernel: &dyn Kernel, opened: Fd, path: &UnixPath) -> Result<Option<UnixPathBuf>, E>
where
    E: From<CallError> + From<ParseError>,
{
    let id = stat(kernel, opened).doing("look at", path)?.mount_id;
    let text = read(kernel)?;
    let table = Table::parse(&text)?;
    Ok(match u32::try_from(id).ok().and_then(|id| table.by_id(id)) {
        Some(mount) if mount.peer_group().is_some() => None,
        Some(mount) => Some(mount.mountpoint().into_owned()),
        // A mount that the table does not show is out of reach of whoever would receive from it.
        None => Some(path.to_path_buf()),
    })
}
