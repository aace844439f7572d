//! Who a process is (`struct cred`).

use std::sync::Arc;

use cofferdam::kernel::Capabilities;
use serde::{Deserialize, Serialize};

use crate::arena::Id;
use crate::namespace::UserNamespace;

/// Users, groups and capabilities of a process (`struct cred`). Ids are those of the initial user namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub(crate) uid: u32,
    pub(crate) effective_uid: u32,
    pub(crate) saved_uid: u32,
    /// The user for files (`fsuid`).
    pub(crate) filesystem_uid: u32,
    pub(crate) gid: u32,
    pub(crate) effective_gid: u32,
    pub(crate) saved_gid: u32,
    /// The group for files (`fsgid`).
    pub(crate) filesystem_gid: u32,
    /// Supplementary groups, sorted.
    pub(crate) groups: Arc<Vec<u32>>,
    pub(crate) effective: Capabilities,
    pub(crate) permitted: Capabilities,
    pub(crate) inheritable: Capabilities,
    pub(crate) bounding: Capabilities,
    pub(crate) ambient: Capabilities,
    /// `SECBIT_KEEP_CAPS`
    pub(crate) keep_capabilities: bool,
    /// The user namespace in which the capabilities hold.
    pub(crate) user_namespace: Id<UserNamespace>,
}
