//! Sequences as files.

use cofferdam::kernel::Errno;
use serde::{Deserialize, Serialize};

use crate::sequence::{Looks, Sequence};
use crate::universe::Privileges;

/// A sequence as it is saved, with what was found when it was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    /// What it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The privileges with which it was found. It may be tried with others: the kernels must do the same whatever they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileges: Option<Privileges>,
    /// Whether the mount tables are compared after every call.
    #[serde(default)]
    pub check_every_call: bool,
    /// The sequence.
    #[serde(flatten)]
    pub sequence: Sequence,
    /// The difference that was found, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Vec<String>>,
    /// What kind it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// Differences that look the same are often the same mistake.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Signature {
    /// A call gave different results.
    Results {
        /// The call.
        call: String,
        /// The real kernel's error, if any.
        real: Option<Errno>,
        /// The simulated kernel's error, if any.
        simulated: Option<Errno>,
    },
    /// The mount tables differ.
    Tables,
    /// The simulation panicked, or its data contradict themselves.
    Broken,
    /// The real side broke off.
    Trouble,
}

impl Saved {
    /// When the mount tables are compared.
    pub fn looks(&self) -> Looks {
        if self.check_every_call { Looks::AfterEveryCall } else { Looks::AtTheEnd }
    }
}
