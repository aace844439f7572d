//! Counting who keeps what.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// How many of something were found for each object.
pub(super) struct Counts<K>(FxHashMap<K, u32>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(FxHashMap::default())
    }
}

impl<K: Hash + Eq> Counts<K> {
    /// One more was found.
    pub(super) fn add(&mut self, key: K) {
        *self.0.entry(key).or_default() += 1;
    }

    /// How many were found.
    pub(super) fn of(&self, key: &K) -> u32 {
        self.0.get(key).copied().unwrap_or(0)
    }

    /// How many were found, which are then dealt with.
    pub(super) fn take(&mut self, key: &K) -> u32 {
        self.0.remove(key).unwrap_or(0)
    }

    /// What was found.
    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.keys()
    }
}
