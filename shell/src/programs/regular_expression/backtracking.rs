//! Expressions with back-references: a search that tries all ways, with a limit.

use std::ops::Range;

use super::Match;
use super::syntax::{ByteSet, Error, Look, Node, is_word};

/// How many instructions a program may have.
const SIZE_LIMIT: usize = 100_000;
/// How many instructions a search may execute.
const STEP_LIMIT: usize = 20_000_000;

enum Instruction {
    Byte(ByteSet),
    /// Goes on here first, then there.
    Split(usize, usize),
    Jump(usize),
    /// Remembers the place.
    Save(usize),
    /// Goes on if the place is another one than was saved: nothing is repeated in vain.
    Progress(usize),
    BackReference(usize),
    Look(Look),
    Match,
}

/// A compiled expression.
pub(super) struct Program {
    instructions: Vec<Instruction>,
    groups: usize,
    slots: usize,
    ignores_case: bool,
}

impl Program {
    pub(super) fn new(node: &Node, groups: usize, ignores_case: bool) -> Result<Self, Error> {
        let mut program = Self { instructions: Vec::new(), groups, slots: 2 * groups, ignores_case };
        program.add(node)?;
        program.push(Instruction::Match)?;
        Ok(program)
    }

    fn push(&mut self, instruction: Instruction) -> Result<usize, Error> {
        if self.instructions.len() >= SIZE_LIMIT {
            return Err(Error::TooBig);
        }
        self.instructions.push(instruction);
        Ok(self.instructions.len() - 1)
    }

    fn set(&mut self, index: usize, instruction: Instruction) {
        if let Some(place) = self.instructions.get_mut(index) {
            *place = instruction;
        }
    }

    fn add(&mut self, node: &Node) -> Result<(), Error> {
        match node {
            Node::Empty => {}
            Node::Byte(set) => drop(self.push(Instruction::Byte(*set))?),
            Node::Concatenation(nodes) => nodes.iter().try_for_each(|node| self.add(node))?,
            Node::Alternation(nodes) => self.add_alternation(nodes)?,
            Node::Repetition { node, minimum, maximum } => self.add_repetition(node, *minimum, *maximum)?,
            Node::Group(node, index) => {
                let slot = 2 * (index - 1);
                self.push(Instruction::Save(slot))?;
                self.add(node)?;
                self.push(Instruction::Save(slot + 1))?;
            }
            Node::Look(look) => drop(self.push(Instruction::Look(*look))?),
            Node::BackReference(number) => drop(self.push(Instruction::BackReference(*number))?),
        }
        Ok(())
    }

    fn add_alternation(&mut self, nodes: &[Node]) -> Result<(), Error> {
        let Some((last, others)) = nodes.split_last() else { return Ok(()) };
        let mut ends = Vec::new();
        for node in others {
            let split = self.push(Instruction::Match)?;
            self.add(node)?;
            ends.push(self.push(Instruction::Match)?);
            self.set(split, Instruction::Split(split + 1, self.instructions.len()));
        }
        self.add(last)?;
        let end = self.instructions.len();
        for index in ends {
            self.set(index, Instruction::Jump(end));
        }
        Ok(())
    }

    fn add_repetition(&mut self, node: &Node, minimum: u32, maximum: Option<u32>) -> Result<(), Error> {
        for _ in 0..minimum {
            self.add(node)?;
        }
        let Some(maximum) = maximum else {
            let slot = self.slots;
            self.slots += 1;
            let split = self.push(Instruction::Match)?;
            self.push(Instruction::Save(slot))?;
            self.add(node)?;
            self.push(Instruction::Progress(slot))?;
            self.push(Instruction::Jump(split))?;
            self.set(split, Instruction::Split(split + 1, self.instructions.len()));
            return Ok(());
        };
        let mut splits = Vec::new();
        for _ in minimum..maximum {
            splits.push(self.push(Instruction::Match)?);
            self.add(node)?;
        }
        let end = self.instructions.len();
        for split in splits {
            self.set(split, Instruction::Split(split + 1, end));
        }
        Ok(())
    }

    /// The leftmost longest match that begins at `start` or later.
    pub(super) fn find(&self, text: &[u8], start: usize) -> Result<Option<Match>, Error> {
        let mut search = Search { program: self, text, steps: 0, slots: vec![None; self.slots], jobs: Vec::new() };
        for start in start..=text.len() {
            if let Some(found) = search.longest(start)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// What is left to do when a way has come to its end.
enum Job {
    /// Another way.
    Continue { at: usize, position: usize },
    /// A slot gets back what it had.
    Restore { slot: usize, value: Option<usize> },
}

struct Search<'a> {
    program: &'a Program,
    text: &'a [u8],
    steps: usize,
    slots: Vec<Option<usize>>,
    jobs: Vec<Job>,
}

impl Search<'_> {
    fn longest(&mut self, start: usize) -> Result<Option<Match>, Error> {
        let mut best: Option<Match> = None;
        self.slots.fill(None);
        self.jobs.clear();
        self.jobs.push(Job::Continue { at: 0, position: start });
        while let Some(job) = self.jobs.pop() {
            match job {
                Job::Restore { slot, value } => self.set(slot, value),
                Job::Continue { at, position } => {
                    let Some(end) = self.follow(at, position)? else { continue };
                    if best.as_ref().is_none_or(|best| best.range.end < end) {
                        let groups = (0..self.program.groups).map(|group| self.group(group)).collect();
                        best = Some(Match { range: start..end, groups });
                    }
                    if end == self.text.len() {
                        break;
                    }
                }
            }
        }
        Ok(best)
    }

    /// Follows one way; where it ends, if it matches.
    fn follow(&mut self, mut at: usize, mut position: usize) -> Result<Option<usize>, Error> {
        let program = self.program;
        while let Some(instruction) = program.instructions.get(at) {
            self.steps += 1;
            if self.steps > STEP_LIMIT {
                return Err(Error::TooHard);
            }
            at += 1;
            match instruction {
                Instruction::Byte(set) if self.text.get(position).is_some_and(|byte| set.contains(*byte)) => {
                    position += 1;
                }
                Instruction::Look(look) if self.looks(*look, position) => {}
                Instruction::Progress(slot) if self.slot(*slot) != Some(position) => {}
                Instruction::Byte(_) | Instruction::Look(_) | Instruction::Progress(_) => return Ok(None),
                Instruction::Jump(target) => at = *target,
                Instruction::Split(first, second) => {
                    self.jobs.push(Job::Continue { at: *second, position });
                    at = *first;
                }
                Instruction::Save(slot) => {
                    self.jobs.push(Job::Restore { slot: *slot, value: self.slot(*slot) });
                    self.set(*slot, Some(position));
                }
                Instruction::BackReference(number) => match self.referenced(*number, position) {
                    Some(end) => position = end,
                    None => return Ok(None),
                },
                Instruction::Match => return Ok(Some(position)),
            }
        }
        Ok(None)
    }

    fn slot(&self, slot: usize) -> Option<usize> {
        self.slots.get(slot).copied().flatten()
    }

    fn set(&mut self, slot: usize, value: Option<usize>) {
        if let Some(place) = self.slots.get_mut(slot) {
            *place = value;
        }
    }

    fn group(&self, index: usize) -> Option<Range<usize>> {
        let (start, end) = (self.slot(2 * index)?, self.slot(2 * index + 1)?);
        (start <= end).then_some(start..end)
    }

    /// Where what a group has matched ends, if it is here once more.
    fn referenced(&self, number: usize, position: usize) -> Option<usize> {
        let wanted = self.text.get(self.group(number.checked_sub(1)?)?)?;
        let end = position + wanted.len();
        let here = self.text.get(position..end)?;
        let is_same = if self.program.ignores_case { here.eq_ignore_ascii_case(wanted) } else { here == wanted };
        is_same.then_some(end)
    }

    fn looks(&self, look: Look, position: usize) -> bool {
        let before = position.checked_sub(1).and_then(|index| self.text.get(index)).copied();
        let after = self.text.get(position).copied();
        let (word_before, word_after) = (before.is_some_and(is_word), after.is_some_and(is_word));
        match look {
            Look::Start => before.is_none(),
            Look::End => after.is_none(),
            Look::StartLF => before.is_none_or(|byte| byte == b'\n'),
            Look::EndLF => after.is_none_or(|byte| byte == b'\n'),
            Look::WordAscii => word_before != word_after,
            Look::WordAsciiNegate => word_before == word_after,
            Look::WordStartAscii => !word_before && word_after,
            Look::WordEndAscii => word_before && !word_after,
            // The parser makes no others.
            _ => false,
        }
    }
}
