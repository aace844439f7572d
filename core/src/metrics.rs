//! What an isolator counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::CallError;
use crate::kernel::{Errno, FlockOperation, Kernel, Mode};
use crate::layout::Layout;
use crate::locks::lock_file;
use crate::record::{self, RecordError};

/// How often something has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Mounts that were made on the host.
    #[serde(default)]
    pub mounts_made: u64,
    /// Mounts that were taken off the host.
    #[serde(default)]
    pub mounts_undone: u64,
    /// Failures by operation, such as `prepare`.
    #[serde(default)]
    pub failures: BTreeMap<String, u64>,
}

impl Counters {
    /// Counts a failure of an operation.
    pub fn failed(&mut self, operation: &str) {
        *self.failures.entry(operation.into()).or_default() += 1;
    }

    /// Adds what another isolator has counted.
    pub fn add(&mut self, other: &Self) {
        self.mounts_made = self.mounts_made.saturating_add(other.mounts_made);
        self.mounts_undone = self.mounts_undone.saturating_add(other.mounts_undone);
        for (operation, failures) in &other.failures {
            let sum = self.failures.entry(operation.clone()).or_default();
            *sum = sum.saturating_add(*failures);
        }
    }

    /// What processes with these directories have [recorded](Self::record) since the machine was started. A record that is
    /// damaged counts as none.
    ///
    /// # Errors
    ///
    /// Those of openat2(2) and read(2).
    pub fn recorded(kernel: &dyn Kernel, layout: &Layout) -> Result<Self, CallError> {
        match record::read(kernel, layout, &layout.metrics()) {
            Err(RecordError::Call(error)) if error.errno == Errno::ENOENT => Ok(Self::default()),
            Err(RecordError::Call(error)) => Err(error),
            Err(error @ RecordError::Damaged { .. }) => {
                tracing::warn!(%error, "what was counted until now is lost");
                Ok(Self::default())
            }
            Ok(counters) => Ok(counters),
        }
    }

    /// Adds this to what is recorded, for other processes.
    ///
    /// # Errors
    ///
    /// Those of [`recorded`](Self::recorded), and of [`record::write`].
    pub fn record(&self, kernel: &dyn Kernel, layout: &Layout) -> Result<(), RecordError> {
        if *self == Self::default() {
            return Ok(());
        }
        let _lock = lock_file(kernel, &layout.metrics_lock(), FlockOperation::LOCK_EX)?;
        let mut sum = Self::recorded(kernel, layout)?;
        sum.add(self);
        record::write(kernel, layout, &layout.metrics(), &sum, Mode(0o644))
    }
}
