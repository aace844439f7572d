//! What was seen of a kernel while it carried out a plan.

use cofferdam::kernel::{Bytes, Errno, Value};
use serde::{Deserialize, Serialize};

/// The mount tables of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tables {
    /// `/proc/self/mountinfo`
    pub mountinfo: Bytes,
    /// `/proc/self/mounts`
    pub mounts: Bytes,
}

/// What came of one item of a plan.
#[allow(clippy::large_enum_variant, reason = "nearly all are of the large one")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observation {
    /// The item was passed over (see [`Census::admits`](crate::census::Census::admits)).
    Skipped,
    /// What a call returned.
    Returned(Result<Value, Errno>),
    /// The mount tables, or the error with which they could not be read.
    Looked(Result<Tables, Errno>),
    /// The simulation panicked, or its data contradict themselves: with this message.
    Broken(String),
}

impl Observation {
    /// The result of a call.
    pub fn result(&self) -> Option<&Result<Value, Errno>> {
        match self {
            Self::Returned(result) => Some(result),
            _ => None,
        }
    }
}
