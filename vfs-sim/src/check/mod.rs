//! Whether a kernel's data hang together: what every call must leave behind.

mod counts;
mod dentries;
#[cfg(test)]
mod lives;
mod mounts;
mod namespaces;
mod processes;
mod propagation;
mod references;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::arena::{Arena, Id};
use crate::linux::Linux;

/// Something in a kernel contradicts something else: a bug of the simulation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inconsistency {
    /// A rule does not hold.
    #[error("{object}: {rule}")]
    Rule {
        /// Of what.
        object: String,
        /// The rule, as it should hold.
        rule: &'static str,
    },
    /// A number does not agree with what it counts.
    #[error("{object}: {what} is {stored}, but there are {counted}")]
    Count {
        /// Of what.
        object: String,
        /// Which number.
        what: &'static str,
        /// What is kept.
        stored: u64,
        /// What was found.
        counted: u64,
    },
    /// An id is kept of an object that is not there.
    #[error("{object}: {what} is gone")]
    Dangling {
        /// Who keeps it.
        object: String,
        /// The id of what.
        what: &'static str,
    },
}

impl Linux {
    /// Checks that everything that is kept twice agrees: parents and children, lists and their members, counts and what
    /// they count.
    ///
    /// # Errors
    ///
    /// The first contradiction that is found. There is none after any call; one is a bug of the simulation.
    pub fn check(&self) -> Result<(), Inconsistency> {
        self.check_dentries()?;
        self.check_mounts()?;
        self.check_propagation()?;
        self.check_mount_namespaces()?;
        self.check_numbers_of_users()?;
        self.check_references()?;
        self.check_families()?;
        self.check_what_processes_keep()
    }
}

/// An object, for a message, which is only put together if there is something to say.
#[derive(Clone, Copy)]
struct ObjectName {
    kind: &'static str,
    number: u32,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} #{}", self.kind, self.number)
    }
}

fn name<T>(kind: &'static str, id: Id<T>) -> ObjectName {
    ObjectName { kind, number: id.number() }
}

/// That a rule holds.
#[inline]
fn ensure(holds: bool, object: impl fmt::Display, rule: &'static str) -> Result<(), Inconsistency> {
    if holds { Ok(()) } else { Err(broken(&object, rule)) }
}

#[cold]
fn broken(object: &dyn fmt::Display, rule: &'static str) -> Inconsistency {
    Inconsistency::Rule { object: object.to_string(), rule }
}

/// That a number is what was counted.
#[inline]
fn agree(
    stored: impl Into<u64>,
    counted: impl Into<u64>,
    object: impl fmt::Display,
    what: &'static str,
) -> Result<(), Inconsistency> {
    let (stored, counted) = (stored.into(), counted.into());
    if stored == counted {
        return Ok(());
    }
    Err(miscounted(&object, what, stored, counted))
}

#[cold]
fn miscounted(object: &dyn fmt::Display, what: &'static str, stored: u64, counted: u64) -> Inconsistency {
    Inconsistency::Count { object: object.to_string(), what, stored, counted }
}

/// The object that an id is kept of.
#[inline]
fn find<'a, T>(
    arena: &'a Arena<T>,
    id: Id<T>,
    object: impl fmt::Display,
    what: &'static str,
) -> Result<&'a T, Inconsistency> {
    arena.get(id).ok_or_else(|| dangling(&object, what))
}

#[cold]
fn dangling(object: &dyn fmt::Display, what: &'static str) -> Inconsistency {
    Inconsistency::Dangling { object: object.to_string(), what }
}
