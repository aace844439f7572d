//! Counting who keeps what.

use std::marker::PhantomData;

use crate::arena::{Arena, Id};

/// How many of something were found for each object of a kind.
pub(super) struct Counts<T> {
    /// By the number of the object: these are dense.
    found: Vec<u64>,
    object: PhantomData<fn() -> T>,
}

impl<T> Counts<T> {
    /// None was found yet of any object of an arena.
    pub(super) fn over(arena: &Arena<T>) -> Self {
        Self { found: vec![0; arena.slot_count()], object: PhantomData }
    }

    /// One more was found.
    pub(super) fn add(&mut self, id: Id<T>) {
        self.add_many(id, 1);
    }

    /// So many more were found.
    pub(super) fn add_many(&mut self, id: Id<T>, many: u64) {
        let index = id.number() as usize;
        if self.found.len() <= index {
            self.found.resize(index + 1, 0);
        }
        if let Some(found) = self.found.get_mut(index) {
            *found += many;
        }
    }

    /// How many were found.
    pub(super) fn of(&self, id: Id<T>) -> u64 {
        self.found.get(id.number() as usize).copied().unwrap_or(0)
    }

    /// What was found although the arena does not have it.
    pub(super) fn dangling(&self, arena: &Arena<T>) -> Option<Id<T>> {
        let found = (0..).zip(&self.found).filter(|(_, found)| **found > 0);
        found.map(|(number, _)| Id::from_number(number)).find(|id| arena.get(*id).is_none())
    }
}
