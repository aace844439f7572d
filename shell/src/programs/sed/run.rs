//! Running a script.

use std::collections::HashMap;
use std::rc::Rc;

use cofferdam::kernel::Errno;

use crate::execution::Execution;
use crate::programs::lines::{Line, Source};
use crate::programs::regular_expression::RegularExpression;

use super::input::{Input, Read};
use super::output::Outputs;
use super::replacement::expand;
use super::script::{Action, Address, Command, End, Pattern, Script, Substitution};

/// How many commands are run before others get a turn.
const TURN: usize = 4096;

/// Why a run ends before its input does.
#[derive(Debug)]
pub(super) enum Stop {
    /// Output can't be written.
    Errno(Errno),
    Message {
        message: Vec<u8>,
        status: i32,
    },
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// How the commands come to an end for a line.
enum Cycle {
    /// The pattern space is printed.
    End,
    /// It is not.
    Delete,
    /// `D`: once more, with what is left.
    Again,
    Quit {
        status: i32,
        prints: bool,
    },
}

/// What is printed when the next line is read.
enum Appended {
    Text(Vec<u8>),
    File(Vec<u8>),
    Line(Vec<u8>, bool),
}

/// Options that matter for running.
pub(super) struct Settings {
    pub(super) is_silent: bool,
    pub(super) in_place: Option<Vec<u8>>,
    pub(super) line_length: u64,
    pub(super) is_posix: bool,
    pub(super) delimiter: u8,
}

/// A script that runs.
pub(super) struct Run<'a> {
    script: &'a Script,
    settings: Settings,
    pub(super) input: Input,
    outputs: Outputs,
    pattern: Line,
    hold: Vec<u8>,
    appended: Vec<Appended>,
    /// Where each range that is on ends; `u64::MAX` if at a match.
    ranges: Vec<Option<u64>>,
    last_pattern: Option<Rc<RegularExpression>>,
    has_substituted: bool,
    /// The files of `R`.
    line_files: HashMap<Vec<u8>, Option<Source>>,
    steps: usize,
}

impl<'a> Run<'a> {
    pub(super) fn new(script: &'a Script, settings: Settings, input: Input, outputs: Outputs) -> Self {
        let starts_on = |command: &Command| matches!(command.start, Some(Address::Line(0))).then_some(u64::MAX);
        Self {
            ranges: script.commands.iter().map(starts_on).collect(),
            script,
            settings,
            input,
            outputs,
            pattern: Line::default(),
            hold: Vec::new(),
            appended: Vec::new(),
            last_pattern: None,
            has_substituted: false,
            line_files: HashMap::new(),
            steps: 0,
        }
    }

    /// Runs it for all lines; the exit status.
    pub(super) async fn run(&mut self, execution: &mut Execution) -> Result<i32, Stop> {
        self.outputs.open(execution, &self.script.outputs).await?;
        while let Some(line) = self.read(execution).await? {
            self.pattern = line;
            loop {
                let cycle = self.cycle(execution).await?;
                let prints = matches!(cycle, Cycle::End | Cycle::Quit { prints: true, .. });
                if prints && !self.settings.is_silent {
                    self.print(execution).await?;
                }
                if let Cycle::Quit { prints: false, .. } = cycle {
                    self.appended.clear();
                }
                self.append(execution).await?;
                match cycle {
                    Cycle::Quit { status, .. } => {
                        self.finish_file(execution).await?;
                        return Ok(status);
                    }
                    Cycle::Again => {}
                    Cycle::End | Cycle::Delete => break,
                }
            }
        }
        Ok(0)
    }

    /// A file that is edited ends where the script does.
    async fn finish_file(&mut self, execution: &mut Execution) -> Result<(), Stop> {
        if let Some(suffix) = self.settings.in_place.clone()
            && let Some(name) = self.input.abandon(execution)
        {
            self.outputs.replace(execution, &name, &suffix).await?;
        }
        Ok(())
    }

    async fn read(&mut self, execution: &mut Execution) -> Result<Option<Line>, Stop> {
        loop {
            match self.input.read(execution).await? {
                Read::Line(line) => {
                    self.has_substituted = false;
                    return Ok(Some(line));
                }
                Read::End => return Ok(None),
                Read::FileEnd(name) => {
                    if let Some(suffix) = self.settings.in_place.clone() {
                        self.outputs.replace(execution, &name, &suffix).await?;
                    }
                }
            }
        }
    }

    async fn print(&mut self, execution: &mut Execution) -> Result<(), Stop> {
        self.outputs.line(execution, None, &self.pattern.text, self.pattern.is_terminated).await
    }

    async fn append(&mut self, execution: &mut Execution) -> Result<(), Stop> {
        for appended in std::mem::take(&mut self.appended) {
            match appended {
                Appended::Text(text) => self.outputs.print(execution, &text).await?,
                Appended::Line(text, is_terminated) => self.outputs.line(execution, None, &text, is_terminated).await?,
                Appended::File(name) => {
                    let content = if name == b"/dev/stdin" {
                        execution.read_to_end(cofferdam::kernel::Fd::STDIN).await
                    } else {
                        execution.read_file(&name).await
                    };
                    // A file that can't be read is an empty one (POSIX).
                    let content = content.unwrap_or_default();
                    if !content.is_empty() {
                        self.outputs.print(execution, &content).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn cycle(&mut self, execution: &mut Execution) -> Result<Cycle, Stop> {
        let script = self.script;
        let mut at = 0;
        while let Some(command) = script.commands.get(at) {
            self.steps += 1;
            if self.steps.is_multiple_of(TURN) {
                execution.machine.yield_now().await;
                if !execution.process.is_running() {
                    return Err(Stop::Errno(Errno::EPIPE));
                }
            }
            let applies = self.applies(execution, at, command).await? != command.is_negated;
            at += 1;
            match &command.action {
                Action::Block(end) if !applies => at = *end,
                _ if !applies => {}
                Action::Branch(target) => at = *target,
                Action::BranchIfSubstituted(target) => {
                    if std::mem::replace(&mut self.has_substituted, false) {
                        at = *target;
                    }
                }
                Action::BranchUnlessSubstituted(target) => {
                    if !std::mem::replace(&mut self.has_substituted, false) {
                        at = *target;
                    }
                }
                action => {
                    let is_in_range = command.end.is_some()
                        && !command.is_negated
                        && self.ranges.get(at - 1).copied().flatten().is_some();
                    if let Some(cycle) = self.act(execution, action, is_in_range).await? {
                        return Ok(cycle);
                    }
                }
            }
        }
        Ok(Cycle::End)
    }

    async fn applies(&mut self, execution: &mut Execution, index: usize, command: &Command) -> Result<bool, Stop> {
        let Some(start) = &command.start else { return Ok(true) };
        let Some(end) = &command.end else { return self.is_at(execution, start).await };
        let number = self.input.number;
        let state = self.ranges.get(index).copied().flatten();
        let (applies, next) = match state {
            None if !self.is_at(execution, start).await? => (false, None),
            None => {
                let last = match end {
                    End::At(Address::Line(last)) => *last,
                    End::Plus(count) => number.saturating_add(*count),
                    End::Multiple(0) => number,
                    End::Multiple(step) => (number / step).saturating_add(1).saturating_mul(*step),
                    End::At(_) => u64::MAX,
                };
                (true, (last > number).then_some(last))
            }
            Some(last) => match end {
                End::At(address @ (Address::Pattern(_) | Address::Last | Address::Step(..))) => {
                    (true, (!self.is_at(execution, address).await?).then_some(last))
                }
                // Lines that were read meanwhile may have gone beyond.
                _ => (number <= last, (number < last).then_some(last)),
            },
        };
        if let Some(state) = self.ranges.get_mut(index) {
            *state = next;
        }
        Ok(applies)
    }

    async fn is_at(&mut self, execution: &mut Execution, address: &Address) -> Result<bool, Stop> {
        let number = self.input.number;
        match address {
            Address::Line(line) => Ok(*line == number),
            Address::Step(first, step) => Ok(number >= *first && (number - first).is_multiple_of(*step)),
            Address::Last => self.input.is_last(execution).await,
            Address::Pattern(pattern) => {
                let expression = self.expression(pattern)?;
                expression.is_match(&self.pattern.text).map_err(too_hard)
            }
        }
    }

    fn expression(&mut self, pattern: &Pattern) -> Result<Rc<RegularExpression>, Stop> {
        let expression = pattern.clone().or_else(|| self.last_pattern.clone());
        let Some(expression) = expression else {
            let message = b"-e expression #1, char 0: no previous regular expression".to_vec();
            return Err(Stop::Message { message, status: 1 });
        };
        self.last_pattern = Some(expression.clone());
        Ok(expression)
    }

    async fn act(
        &mut self,
        execution: &mut Execution,
        action: &Action,
        is_in_range: bool,
    ) -> Result<Option<Cycle>, Stop> {
        match action {
            Action::Append(text) => self.appended.push(Appended::Text(text.clone())),
            Action::Insert(text) => self.outputs.print(execution, text).await?,
            Action::Change(text) => {
                if !is_in_range {
                    self.outputs.print(execution, text).await?;
                }
                return Ok(Some(Cycle::Delete));
            }
            Action::Delete => return Ok(Some(Cycle::Delete)),
            Action::DeleteLine => {
                let Some(end) = self.first_newline() else { return Ok(Some(Cycle::Delete)) };
                self.pattern.text.drain(..=end);
                return Ok(Some(Cycle::Again));
            }
            Action::Next => {
                if self.input.is_over(execution).await? {
                    return Ok(Some(Cycle::Quit { status: 0, prints: !self.settings.is_posix }));
                }
                if !self.settings.is_silent {
                    self.print(execution).await?;
                }
                self.append(execution).await?;
                if let Some(line) = self.read(execution).await? {
                    self.pattern = line;
                }
            }
            Action::NextAppend => {
                if self.input.is_over(execution).await? {
                    return Ok(Some(Cycle::Quit { status: 0, prints: !self.settings.is_posix }));
                }
                self.append(execution).await?;
                if let Some(line) = self.read(execution).await? {
                    self.pattern.text.push(self.settings.delimiter);
                    self.pattern.text.extend(line.text);
                    self.pattern.is_terminated = line.is_terminated;
                }
            }
            Action::Quit(status) => return Ok(Some(Cycle::Quit { status: *status, prints: true })),
            Action::QuitSilently(status) => return Ok(Some(Cycle::Quit { status: *status, prints: false })),
            Action::Substitute(substitution) => self.substitute(execution, substitution).await?,
            action => self.act_on_spaces(execution, action).await?,
        }
        Ok(None)
    }

    fn first_newline(&self) -> Option<usize> {
        memchr::memchr(self.settings.delimiter, &self.pattern.text)
    }

    async fn act_on_spaces(&mut self, execution: &mut Execution, action: &Action) -> Result<(), Stop> {
        match action {
            Action::Get => self.pattern.text.clone_from(&self.hold),
            Action::GetAppend => {
                self.pattern.text.push(self.settings.delimiter);
                self.pattern.text.extend_from_slice(&self.hold);
            }
            Action::Hold => self.hold.clone_from(&self.pattern.text),
            Action::HoldAppend => {
                self.hold.push(self.settings.delimiter);
                self.hold.extend_from_slice(&self.pattern.text);
            }
            Action::Exchange => std::mem::swap(&mut self.pattern.text, &mut self.hold),
            Action::Zap => self.pattern.text.clear(),
            Action::Translate(table) => {
                for byte in &mut self.pattern.text {
                    *byte = table.get(usize::from(*byte)).copied().unwrap_or(*byte);
                }
            }
            Action::LineNumber => {
                let number = format!("{}\n", self.input.number);
                self.outputs.print(execution, number.as_bytes()).await?;
            }
            Action::FileName => {
                let name = [self.input.name(), b"\n"].concat();
                self.outputs.print(execution, &name).await?;
            }
            Action::Print => self.print(execution).await?,
            Action::PrintLine => {
                let end = self.first_newline().unwrap_or(self.pattern.text.len());
                let line = self.pattern.text.get(..end).unwrap_or_default();
                self.outputs.line(execution, None, line, true).await?;
            }
            Action::List(length) => {
                let listed = listed(&self.pattern.text, length.unwrap_or(self.settings.line_length));
                self.outputs.print(execution, &listed).await?;
            }
            Action::ReadFile(name) => self.appended.push(Appended::File(name.clone())),
            Action::ReadLine(name) => self.read_line(execution, name).await?,
            Action::Write(file) => {
                self.outputs.line(execution, Some(*file), &self.pattern.text, self.pattern.is_terminated).await?;
            }
            Action::WriteLine(file) => {
                let end = self.first_newline().unwrap_or(self.pattern.text.len());
                let line = self.pattern.text.get(..end).unwrap_or_default();
                self.outputs.line(execution, Some(*file), line, true).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn read_line(&mut self, execution: &mut Execution, name: &[u8]) -> Result<(), Stop> {
        if !self.line_files.contains_key(name) {
            // A file that can't be read is an empty one.
            let source = Source::open(execution, name).await.ok();
            self.line_files.insert(name.to_vec(), source);
        }
        if let Some(Some(source)) = self.line_files.get_mut(name)
            && let Ok(Some(line)) = source.line(execution, self.settings.delimiter).await
        {
            self.appended.push(Appended::Line(line.text, true));
        }
        Ok(())
    }

    async fn substitute(&mut self, execution: &mut Execution, substitution: &Substitution) -> Result<(), Stop> {
        let expression = self.expression(&substitution.pattern)?;
        let text = &self.pattern.text;
        let (mut output, mut copied, mut start, mut count) = (Vec::new(), 0, 0, 0);
        let mut previous_end = None;
        let mut is_done = false;
        while let Some(found) = expression.find(text, start).map_err(too_hard)? {
            let range = found.range.clone();
            start = if range.is_empty() { range.end + 1 } else { range.end };
            // An empty match just behind another one is none.
            if range.is_empty() && previous_end == Some(range.start) {
                continue;
            }
            previous_end = Some(range.end);
            count += 1;
            if count < substitution.number {
                continue;
            }
            output.extend_from_slice(text.get(copied..range.start).unwrap_or_default());
            expand(&substitution.replacement, text, &found, &mut output);
            copied = range.end;
            is_done = true;
            if !substitution.is_global {
                break;
            }
        }
        if !is_done {
            return Ok(());
        }
        output.extend_from_slice(text.get(copied..).unwrap_or_default());
        self.pattern.text = output;
        self.has_substituted = true;
        if substitution.prints {
            self.print(execution).await?;
        }
        if let Some(file) = substitution.output {
            self.outputs.line(execution, Some(file), &self.pattern.text, self.pattern.is_terminated).await?;
        }
        Ok(())
    }
}

fn too_hard(error: crate::programs::regular_expression::Error) -> Stop {
    Stop::Message { message: error.to_string().into_bytes(), status: 4 }
}

/// A text as `l` shows it, in lines of this length.
fn listed(text: &[u8], length: u64) -> Vec<u8> {
    let width = usize::try_from(length).unwrap_or(usize::MAX);
    let (mut output, mut column) = (Vec::new(), 0);
    for byte in text {
        let shown = match byte {
            b'\\' => b"\\\\".to_vec(),
            0x07 => b"\\a".to_vec(),
            0x08 => b"\\b".to_vec(),
            0x0c => b"\\f".to_vec(),
            b'\n' => b"\\n".to_vec(),
            b'\r' => b"\\r".to_vec(),
            b'\t' => b"\\t".to_vec(),
            0x0b => b"\\v".to_vec(),
            b' '..=b'~' => vec![*byte],
            byte => format!("\\{byte:03o}").into_bytes(),
        };
        if width > 0 && column + shown.len() >= width {
            output.extend_from_slice(b"\\\n");
            column = 0;
        }
        column += shown.len();
        output.extend(shown);
    }
    output.extend_from_slice(b"$\n");
    output
}
