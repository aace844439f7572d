//! Regular expressions of POSIX, as GNU programs and mawk take them, on bytes.
//!
//! [`parser`] makes a tree ([`syntax`]) of a pattern. An expression without back-references becomes an automaton of the
//! `regex-automata` library: its search for the leftmost match is fast, but prefers the first of several alternatives; so
//! the longest match from there is a second, anchored search that follows all of them. Of the ways to the same longest
//! match, the groups are those of the first one, as a backtracking search prefers it; POSIX would prefer the one whose
//! groups are longest, from left to right, which differs only where an alternative is the beginning of a later one and the
//! rest makes up for it. An expression with back-references is matched by [`backtracking`], which has a limit.

mod automaton;
mod backtracking;
mod parser;
mod syntax;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub(crate) use syntax::{Error, Flavor, Syntax};

/// A compiled regular expression.
pub(crate) struct RegularExpression {
    engine: Engine,
    groups: usize,
}

enum Engine {
    Automaton(Box<automaton::Automaton>),
    Backtracking(backtracking::Program),
}

/// Where an expression matches: as a whole, and its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    /// The whole.
    pub(crate) range: Range<usize>,
    /// The groups, from the first one on, as far as they take part.
    groups: Vec<Option<Range<usize>>>,
}

impl Match {
    /// Where group `number` matches, if it takes part; 0 is the whole.
    pub(crate) fn group(&self, number: usize) -> Option<Range<usize>> {
        match number.checked_sub(1) {
            None => Some(self.range.clone()),
            Some(index) => self.groups.get(index).cloned().flatten(),
        }
    }
}

impl RegularExpression {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in the words of the C library.
    pub(crate) fn new(pattern: &[u8], syntax: Syntax) -> Result<Self, Error> {
        let parsed = parser::parse(pattern, syntax)?;
        let engine = if parsed.has_back_references {
            Engine::Backtracking(backtracking::Program::new(&parsed.node, parsed.groups, syntax.ignores_case)?)
        } else {
            Engine::Automaton(Box::new(automaton::Automaton::new(&parsed.node)?))
        };
        Ok(Self { engine, groups: parsed.groups })
    }

    /// How many groups it has.
    pub(crate) fn groups(&self) -> usize {
        self.groups
    }

    /// Whether it matches anywhere.
    ///
    /// # Errors
    ///
    /// [`Error::TooHard`]
    pub(crate) fn is_match(&self, text: &[u8]) -> Result<bool, Error> {
        match &self.engine {
            Engine::Automaton(automaton) => Ok(automaton.is_match(text)),
            Engine::Backtracking(program) => Ok(program.find(text, 0)?.is_some()),
        }
    }

    /// The leftmost longest match that begins at `start` or later. What is before `start` is seen by `^` and its like.
    ///
    /// # Errors
    ///
    /// [`Error::TooHard`]
    pub(crate) fn find(&self, text: &[u8], start: usize) -> Result<Option<Match>, Error> {
        if start > text.len() {
            return Ok(None);
        }
        match &self.engine {
            Engine::Automaton(automaton) => Ok(automaton.find(text, start, self.groups)),
            Engine::Backtracking(program) => program.find(text, start),
        }
    }
}
