//! Sequences of calls of several processes on the simulated kernel. After each call everything hangs together.
//!
//! An input is a tree of sequences: each begins where one before it was after some call, which is a snapshot of the kernel.
//! So what sequences have in common is carried out once; and what libFuzzer does for each input, which takes longer than a
//! sequence, is shared by many.
//!
//! What is checked: [`Linux::check`] (trees of mounts, peer groups, lists of slaves, counts of references: nothing that
//! nobody reaches), and [the mount table of every process](table).

mod actions;
mod names;
mod progress;
mod table;
mod universe;

use std::cell::RefCell;

use cofferdam_vfs_sim::{Id, Linux, Task};

use crate::choice::Choices;
use actions::{Action, Step};
use table::Tables;

/// No more processes are forked when there are so many.
const MAX_TASKS: usize = 4;
/// A sequence ends with more mounts: recursive binds double them each time.
const MAX_MOUNTS: usize = 32;
/// Sequences of one input begin at no more points than this.
const MAX_POINTS: usize = 64;

thread_local! {
    /// Where every sequence starts, and what was seen of it.
    static START: (Linux, RefCell<Tables>) = (universe::make(), RefCell::new(Tables::default()));
}

/// Carries out the sequences that an input is.
pub fn run(input: &[u8]) {
    START.with(|(linux, tables)| {
        let mut choices = Choices::new(input);
        let mut points = vec![Machine::new(linux.clone())];
        while !choices.are_over() {
            let machine = points[usize::from(choices.byte()) % points.len()].clone();
            sequence(machine, &mut points, &mut tables.borrow_mut(), &mut choices);
        }
    });
}

/// Carries out the rest of a sequence, and adds the points that it comes by.
fn sequence(mut machine: Machine, points: &mut Vec<Machine>, tables: &mut Tables, choices: &mut Choices<'_>) {
    let already_made = machine.calls;
    while !choices.are_over()
        && let Some(step) = machine.decide(choices)
    {
        machine.calls += 1;
        let before = machine.linux.clone();
        let outcome = machine.act(&step);
        // What was checked before is as it was: every other call fails.
        if machine.linux.is_unchanged_since(&before) {
            continue;
        }
        if let Err(inconsistency) = machine.linux.check() {
            panic!("after {:?}: {} = {outcome}: {inconsistency}", step.task, step.action);
        }
        tables.check(&machine.linux, &machine.tasks);
        if machine.linux.mounts().count() > MAX_MOUNTS {
            break;
        }
        if points.len() < MAX_POINTS {
            points.push(machine.clone());
        }
    }
    progress::count(machine.calls, machine.calls - already_made);
}

/// A kernel with the processes of a sequence.
#[derive(Clone)]
struct Machine {
    linux: Linux,
    /// Those that have not ended, as far as is known.
    tasks: Vec<Id<Task>>,
    /// How many calls were made since the start.
    calls: u64,
}

impl Machine {
    fn new(linux: Linux) -> Self {
        let tasks = vec![linux.init()];
        Self { linux, tasks, calls: 0 }
    }

    /// What the input says that happens next; `None` if the sequence is at its end.
    fn decide(&self, choices: &mut Choices<'_>) -> Option<Step> {
        let action = Action::choose(choices)?;
        let number = if self.tasks.len() > 1 { usize::from(choices.byte()) } else { 0 };
        Some(Step { task: self.tasks[number % self.tasks.len()], action })
    }

    /// Carries out a step; what the call said.
    fn act(&mut self, step: &Step) -> Outcome {
        let outcome = match &step.action {
            Action::Call(call) => Outcome::Call(self.linux.call(step.task, call)),
            Action::Fork(_) if self.tasks.len() >= MAX_TASKS => Outcome::Nothing,
            Action::Fork(flags) => match self.linux.fork(step.task, *flags) {
                Ok(child) => {
                    self.tasks.push(child);
                    Outcome::Child(child)
                }
                Err(errno) => Outcome::Call(Err(errno)),
            },
            Action::Exit => {
                self.linux.exit(step.task, 0);
                Outcome::Nothing
            }
        };
        let linux = &self.linux;
        self.tasks.retain(|task| linux.task(*task).is_some_and(|task| task.is_running()));
        outcome
    }
}

/// What came of a step.
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
enum Outcome {
    Nothing,
    Child(Id<Task>),
    Call(Result<cofferdam::kernel::Value, cofferdam::kernel::Errno>),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing => f.write_str("()"),
            Self::Child(task) => write!(f, "{task:?}"),
            Self::Call(result) => write!(f, "{result:?}"),
        }
    }
}
