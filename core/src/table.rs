//! Reading the mount table of the calling thread.

use typed_path::UnixPath;

use crate::checkpoint;
use crate::error::CallError;
use crate::kernel::Kernel;

/// Of the thread, not of the process: an agent may have threads in several mount namespaces.
const MOUNTINFO: &str = "/proc/thread-self/mountinfo";

/// The text of the mount table, to be parsed by [`Table::parse`](crate::mountinfo::Table::parse).
pub(crate) fn read(kernel: &dyn Kernel) -> Result<Vec<u8>, CallError> {
    checkpoint::read(kernel, UnixPath::new(MOUNTINFO)).map_err(|error| error.with_hint("is /proc mounted?"))
}
