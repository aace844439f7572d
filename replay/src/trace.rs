//! A log as a sequence of events, in the order in which they are replayed.
//!
//! A call that strace has printed in two lines, because another process did something meanwhile, is put together. It takes
//! effect at its second line: by then it has. One that makes a process takes effect before the first line of the child.

use std::collections::{BTreeMap, BTreeSet};

use crate::children::{FORKS, find_children, first_lines};
use crate::syntax::{Ending, LineKind, ParsedCall, SyntaxError, parse_call, parse_line};

/// A log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// What happened, in the order in which it is replayed.
    pub events: Vec<Event>,
    /// The first process.
    pub first: u32,
    /// How many lines there are.
    pub lines: usize,
    /// For each event, the line at which the first of all later ones began.
    later_begin: Vec<usize>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The line, counted from 1, at which it began.
    pub begun: usize,
    /// The line at which it was over.
    pub line: usize,
    /// The process, by the number that strace has for it.
    pub pid: u32,
    /// What it was.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A call.
    Call(RecordedCall),
    /// The end of the process.
    Ended(Ending),
}

/// A call, with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    /// As strace has printed it.
    pub text: String,
    /// Taken apart.
    pub call: ParsedCall,
    /// The process that it made, by the number that strace has for it, if that did anything.
    pub child: Option<u32>,
}

/// A log can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// A line is none of strace.
    #[error("line {line}: {error}")]
    Line {
        /// Which, counted from 1.
        line: usize,
        /// What is wrong.
        #[source]
        error: SyntaxError,
    },
    /// A call is continued that was not begun.
    #[error("line {line}: a call {name} goes on that process {pid} has not begun")]
    NotBegun {
        /// Which, counted from 1.
        line: usize,
        /// Whose.
        pid: u32,
        /// What.
        name: String,
    },
    /// No call made the process.
    #[error(
        "line {line}: no call of the log has made process {pid}: record with -f, and fork, vfork, clone and clone3 as well"
    )]
    UnknownProcess {
        /// Its first line.
        line: usize,
        /// Which.
        pid: u32,
    },
    /// There is no call.
    #[error("there is no call in the log")]
    Empty,
}

impl Trace {
    /// Reads a log of strace.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn parse(text: &[u8]) -> Result<Self, TraceError> {
        let mut reader = Reader::new(text);
        for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
            reader.read(line, number)?;
        }
        let mut events = reader.events;
        let first = events.iter().min_by_key(|event| event.begun).ok_or(TraceError::Empty)?.pid;
        find_children(&mut events, first)?;
        let firsts = first_lines(&events);
        events.sort_by_key(|event| event.moment(&firsts));
        let later_begin = later_begin(&events);
        Ok(Self { events, first, lines: reader.lines, later_begin })
    }

    /// The events after one that had begun before it was over, and are another process's, with their positions.
    pub(crate) fn under_way(&self, position: usize) -> impl Iterator<Item = (usize, &Event)> {
        /// How far ahead they are looked for.
        const MOST_EVENTS: usize = 1000;
        let event = self.events.get(position);
        let has_any = event.zip(self.later_begin.get(position)).is_some_and(|(event, begin)| *begin < event.line);
        let later = self.events.iter().enumerate().skip(position + 1).take(if has_any { MOST_EVENTS } else { 0 });
        later.filter(move |(_, other)| event.is_some_and(|event| other.begun < event.line && other.pid != event.pid))
    }

    /// Whether the log tells of the ends of processes: strace leaves them out with `-qq`.
    pub fn tells_of_ends(&self) -> bool {
        self.events.iter().any(|event| matches!(event.what, What::Ended(_)))
    }
}

impl Event {
    /// When it takes effect.
    fn moment(&self, firsts: &BTreeMap<u32, usize>) -> (usize, bool, usize) {
        let child = match &self.what {
            What::Call(RecordedCall { child: Some(child), .. }) => firsts.get(child).copied(),
            _ => None,
        };
        match child {
            Some(first) if first <= self.line => (first, false, self.begun),
            _ => (self.line, true, self.begun),
        }
    }
}

/// For each event, the line at which the first of all later ones began.
fn later_begin(events: &[Event]) -> Vec<usize> {
    let mut first = usize::MAX;
    let mut lines: Vec<usize> = events
        .iter()
        .rev()
        .map(|event| {
            let later = first;
            first = first.min(event.begun);
            later
        })
        .collect();
    lines.reverse();
    lines
}

/// What has been read so far.
struct Reader {
    events: Vec<Event>,
    /// The calls that have begun, by process: line and text.
    begun: BTreeMap<u32, (usize, Vec<u8>)>,
    alive: BTreeSet<u32>,
    /// Who has the lines without a number before there is any process else.
    unnamed: u32,
    lines: usize,
}

impl Reader {
    fn new(text: &[u8]) -> Self {
        Self {
            events: Vec::new(),
            begun: BTreeMap::new(),
            alive: BTreeSet::new(),
            unnamed: number_of_unnamed(text),
            lines: 0,
        }
    }

    fn read(&mut self, text: &[u8], number: usize) -> Result<(), TraceError> {
        let failed = |error| TraceError::Line { line: number, error };
        let line = parse_line(text).map_err(failed)?;
        if !text.is_empty() {
            self.lines = number;
        }
        if line.kind == LineKind::Nothing {
            return Ok(());
        }
        let pid = line.pid.unwrap_or_else(|| self.only_one_alive());
        self.alive.insert(pid);
        match line.kind {
            LineKind::Nothing => {}
            LineKind::Call(text) => self.call(pid, (number, number), text).map_err(failed)?,
            LineKind::Unfinished(start) => {
                self.begun.insert(pid, (number, start.to_vec()));
            }
            LineKind::Resumed { name, rest } => {
                let Some((begun, mut text)) = self.begun.remove(&pid) else {
                    let name = String::from_utf8_lossy(name).into_owned();
                    return Err(TraceError::NotBegun { line: number, pid, name });
                };
                text.extend_from_slice(rest);
                self.call(pid, (begun, number), &text).map_err(failed)?;
            }
            LineKind::Ended(ending) => {
                if !matches!(ending, Ending::Superseded { .. }) {
                    self.alive.remove(&pid);
                    self.begun.remove(&pid);
                }
                self.events.push(Event { begun: number, line: number, pid, what: What::Ended(ending) });
            }
        }
        Ok(())
    }

    /// strace prints no number as long as there is one process.
    fn only_one_alive(&self) -> u32 {
        match (self.alive.len(), self.alive.first()) {
            (1, Some(only)) => *only,
            _ => self.unnamed,
        }
    }

    fn call(&mut self, pid: u32, (begun, line): (usize, usize), text: &[u8]) -> Result<(), SyntaxError> {
        let call = parse_call(text)?;
        let text = shown(text);
        self.events.push(Event { begun, line, pid, what: What::Call(RecordedCall { text, call, child: None }) });
        Ok(())
    }
}

/// The text of a call, fit to be printed: without the spaces before the result, and without what steers terminals.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let (call, result) = text.rsplit_once(") ").map_or((&*text, ""), |(call, result)| (call, result.trim_start()));
    let joined = if result.starts_with('=') { format!("{call}) {result}") } else { text.clone().into_owned() };
    joined
        .chars()
        .flat_map(|character| {
            let escaped = character.is_control().then(|| character.escape_default());
            let plain = (!character.is_control()).then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// The number at the end of a line.
fn returned_by(text: &[u8]) -> Option<u32> {
    let result = text.rsplit(|byte| *byte == b' ').next()?;
    std::str::from_utf8(result).ok()?.parse().ok()
}

/// The number of the process whose first lines have none: the first that later lines have, and no call has returned.
fn number_of_unnamed(text: &[u8]) -> u32 {
    /// One that is used if the process stays alone.
    const ALONE: u32 = 1000;
    let lines = || text.split(|byte| *byte == b'\n').filter_map(|line| parse_line(line).ok());
    if !lines().any(|line| line.pid.is_none() && line.kind != LineKind::Nothing) {
        return ALONE;
    }
    let is_fork = |name: &[u8]| FORKS.iter().any(|fork| name.starts_with(fork.as_bytes()));
    let made: BTreeSet<u32> = lines()
        .filter_map(|line| match line.kind {
            LineKind::Call(text) if is_fork(text) => returned_by(text),
            LineKind::Resumed { name, rest } if is_fork(name) => returned_by(rest),
            _ => None,
        })
        .collect();
    lines().filter_map(|line| line.pid).find(|pid| !made.contains(pid)).unwrap_or(ALONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<(usize, u32, String)> {
        let trace = Trace::parse(text.as_bytes()).unwrap();
        let name = |what: &What| match what {
            What::Call(call) => call.call.name.clone(),
            What::Ended(_) => "end".into(),
        };
        trace.events.iter().map(|event| (event.line, event.pid, name(&event.what))).collect()
    }

    fn owned(events: &[(usize, u32, &str)]) -> Vec<(usize, u32, String)> {
        events.iter().map(|(line, pid, name)| (*line, *pid, (*name).to_owned())).collect()
    }

    #[test]
    fn calls_take_effect_at_their_second_line() {
        let text = "\
10 vfork( <unfinished ...>
11 chdir(\"/\") = 0
10 <... vfork resumed>) = 11
10 wait4(-1,  <unfinished ...>
11 exit_group(0) = ?
11 +++ exited with 0 +++
10 <... wait4 resumed>NULL, 0, NULL) = 11
";
        let expected = [(3, 10, "vfork"), (2, 11, "chdir"), (5, 11, "exit_group"), (6, 11, "end"), (7, 10, "wait4")];
        assert_eq!(parse(text), owned(&expected));
    }

    #[test]
    fn children_of_other_pid_namespaces_are_found() {
        let text = "\
10 clone(child_stack=NULL, flags=CLONE_NEWPID|SIGCHLD) = 11
11 clone(child_stack=NULL, flags=SIGCHLD) = 2
12 chdir(\"/\") = 0
";
        let trace = Trace::parse(text.as_bytes()).unwrap();
        let children: Vec<_> = trace
            .events
            .iter()
            .filter_map(|event| match &event.what {
                What::Call(call) => call.child,
                What::Ended(_) => None,
            })
            .collect();
        assert_eq!(children, [11, 12]);
    }

    #[test]
    fn lines_without_a_number_are_those_of_the_only_process() {
        let text = "\
getpid() = 10
fork(strace: Process 11 attached
 <unfinished ...>
[pid    10] <... fork resumed>) = 11
[pid    10] chdir(\"/a\") = 0
[pid    11] chdir(\"/b\") = 0
[pid    11] +++ exited with 0 +++
chdir(\"/c\") = 0
+++ exited with 0 +++
";
        let expected = [
            (1, 10, "getpid"),
            (4, 10, "fork"),
            (5, 10, "chdir"),
            (6, 11, "chdir"),
            (7, 11, "end"),
            (8, 10, "chdir"),
            (9, 10, "end"),
        ];
        assert_eq!(parse(text), owned(&expected));
    }

    #[test]
    fn the_text_of_a_call_can_be_printed() {
        assert_eq!(
            shown(b"umount2(\"/a\", 0)           = -1 EBUSY (Device)"),
            "umount2(\"/a\", 0) = -1 EBUSY (Device)"
        );
        assert_eq!(shown(b"f(\"\x1b[2J\") = 0 (in) x"), "f(\"\\u{1b}[2J\") = 0 (in) x");
        assert_eq!(shown(b"exit(0) = ?"), "exit(0) = ?");
    }

    #[test]
    fn mistakes_name_their_line() {
        let message = |text: &str| Trace::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(message("1 chdir(\"/\") = 0\nhello\n").starts_with("line 2: "), "{}", message("hello"));
        assert!(message("1 chdir(\"/\") = 0\n2 chdir(\"/\") = 0\n").contains("process 2"));
        assert!(message("1 <... read resumed>) = 0\n").contains("read"));
        assert_eq!(Trace::parse(b""), Err(TraceError::Empty));
    }
}
