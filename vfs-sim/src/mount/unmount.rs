//! Unmounting.

use super::Mount;
use crate::arena::Id;
use crate::linux::Linux;

impl Linux {
    /// Unmounts a detached tree whose descriptor was closed (`dissolve_on_fput()`).
    pub(crate) fn dissolve(&mut self, mount: Id<Mount>) {
        let _ = mount;
    }
}
