//! The machine that runs a compiled program.

use std::rc::Rc;

use cofferdam::kernel::{Errno, Fd};

use crate::execution::Execution;
use crate::programs::lines::Source;

use super::code::{Code, Destination, Instruction, Origin, Place};
use super::functions::{count, formatted};
use super::lexer::unescape;
use super::state::{Cell, State, Stop};
use super::streams::{RecordSeparator, Streams, read_record};
use super::syntax::{Builtin, Variable, special};
use super::value::Value;

/// How many instructions are run before others get a turn.
const TURN: usize = 10_000;
/// How deep functions may call each other.
const CALL_LIMIT: usize = 100_000;

/// A call that goes on.
struct Frame {
    return_to: usize,
    base: usize,
    loops: usize,
}

/// How a part of a program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    End,
    NextFile,
    Exit,
}

/// A program that runs.
pub(super) struct Interpreter {
    code: Rc<Code>,
    pub(super) state: State,
    names: Vec<Vec<u8>>,
    frames: Vec<Frame>,
    arguments: Vec<Cell>,
    loops: Vec<std::vec::IntoIter<Rc<[u8]>>>,
    ranges: Vec<bool>,
    streams: Streams,
    /// The file of the input that is being read.
    input: Option<Source>,
    next_argument: usize,
    has_read_file: bool,
    is_input_over: bool,
    status: i32,
    steps: usize,
}

impl Interpreter {
    pub(super) fn new(code: Code, state: State, names: Vec<Vec<u8>>) -> Self {
        Self {
            ranges: vec![false; code.ranges],
            code: Rc::new(code),
            state,
            names,
            frames: Vec::new(),
            arguments: Vec::new(),
            loops: Vec::new(),
            streams: Streams::default(),
            input: None,
            next_argument: 1,
            has_read_file: false,
            is_input_over: false,
            status: 0,
            steps: 0,
        }
    }

    /// Runs the whole program; the exit status.
    pub(super) async fn run(&mut self, execution: &mut Execution) -> Result<i32, Stop> {
        let result = self.run_parts(execution).await;
        self.streams.close_all(execution).await?;
        result.map(|()| self.status)
    }

    async fn run_parts(&mut self, execution: &mut Execution) -> Result<(), Stop> {
        let code = self.code.clone();
        let mut flow = Flow::End;
        if code.has_begin {
            flow = self.execute(execution, code.begin).await?;
        }
        if flow != Flow::Exit && (code.has_main || code.has_end) {
            while let Some(record) = self.next_record(execution).await? {
                self.state.record.set(record.into());
                if !code.has_main {
                    continue;
                }
                match self.execute(execution, code.main).await? {
                    Flow::Exit => break,
                    Flow::NextFile => {
                        if let Some(input) = self.input.take() {
                            input.close(execution);
                        }
                    }
                    Flow::End => {}
                }
            }
        }
        // What `exit` ends is followed by the actions of `END`.
        if code.has_end {
            self.execute(execution, code.end).await?;
        }
        Ok(())
    }

    /// Assigns as `NAME=VALUE` on the command line does. False if it is no assignment.
    pub(super) fn assign(&mut self, argument: &[u8]) -> Result<bool, Stop> {
        let Some(at) = argument.iter().position(|byte| *byte == b'=') else { return Ok(false) };
        let (name, value) = (argument.get(..at).unwrap_or_default(), argument.get(at + 1..).unwrap_or_default());
        let is_name = name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if !is_name {
            return Ok(false);
        }
        // A variable that the program does not have needs no value.
        if let Some(index) = self.names.iter().position(|known| known == name) {
            let value = Value::Input(unescape(value).into());
            self.state.store_variable(Variable::Global(index), value)?;
        }
        Ok(true)
    }

    fn argument_text(&mut self, number: usize) -> Result<Option<Rc<[u8]>>, Stop> {
        let array = self.state.array(Variable::Global(special::ARGV))?;
        let key = number.to_string().into_bytes();
        let value = array.borrow().get(&key[..]).cloned();
        Ok(value.map(|value| self.state.text(&value)))
    }

    /// Opens the next file of the arguments. False if there is none.
    async fn open_next(&mut self, execution: &mut Execution) -> Result<bool, Stop> {
        loop {
            let last = self.state.special(special::ARGC).number();
            if count(self.next_argument) >= last {
                break;
            }
            let number = self.next_argument;
            self.next_argument += 1;
            let Some(argument) = self.argument_text(number)? else { continue };
            if argument.is_empty() || self.assign(&argument)? {
                continue;
            }
            self.has_read_file = true;
            self.state.set_special(special::FILENAME, Value::String(argument.clone()));
            self.state.set_special(special::FNR, Value::Number(0.0));
            let source = Source::open_operand(execution, &argument).await;
            self.input = Some(source.map_err(|errno| cannot_open(&argument, "", errno))?);
            return Ok(true);
        }
        if self.has_read_file {
            return Ok(false);
        }
        self.has_read_file = true;
        self.state.set_special(special::FILENAME, Value::string(b"-"));
        self.input = Some(Source::new(Fd::STDIN));
        Ok(true)
    }

    async fn next_record(&mut self, execution: &mut Execution) -> Result<Option<Vec<u8>>, Stop> {
        while !self.is_input_over {
            if self.input.is_none() && !self.open_next(execution).await? {
                self.is_input_over = true;
                break;
            }
            let Some(mut input) = self.input.take() else { break };
            if let Some(record) = self.read(execution, &mut input).await? {
                self.input = Some(input);
                for index in [special::NR, special::FNR] {
                    let number = self.state.special(index).number();
                    self.state.set_special(index, Value::Number(number + 1.0));
                }
                return Ok(Some(record));
            }
            input.close(execution);
        }
        Ok(None)
    }

    async fn read(&mut self, execution: &mut Execution, source: &mut Source) -> Result<Option<Vec<u8>>, Stop> {
        let text = self.state.text(&self.state.special(special::RS));
        let record = match &text[..] {
            [] => read_record(execution, source, &RecordSeparator::Paragraph).await,
            [byte] => read_record(execution, source, &RecordSeparator::Byte(*byte)).await,
            _ => {
                let expression = self.state.dynamic(&text)?;
                read_record(execution, source, &RecordSeparator::Pattern(&expression)).await
            }
        };
        record.map_err(|errno| Stop::Fatal(format!("read error ({})", errno.description()).into_bytes()))
    }

    /// Runs instructions from a place on.
    async fn execute(&mut self, execution: &mut Execution, start: usize) -> Result<Flow, Stop> {
        let code = self.code.clone();
        self.state.stack.clear();
        self.state.locals.clear();
        self.state.base = 0;
        self.frames.clear();
        self.loops.clear();
        let mut at = start;
        while let Some(instruction) = code.instructions.get(at) {
            self.steps += 1;
            if self.steps.is_multiple_of(TURN) {
                execution.machine.yield_now().await;
                if !execution.process.is_running() {
                    return Err(Stop::Errno(Errno::EPIPE));
                }
            }
            at += 1;
            match instruction {
                Instruction::End | Instruction::Next => return Ok(Flow::End),
                Instruction::NextFile => return Ok(Flow::NextFile),
                Instruction::Exit(has_status) => {
                    if *has_status {
                        #[allow(clippy::cast_possible_truncation, reason = "the kernel keeps eight bits")]
                        let status = self.state.pop().number() as i64;
                        self.status = i32::try_from(status & 0xff).unwrap_or(0);
                    }
                    return Ok(Flow::Exit);
                }
                Instruction::Getline(origin, place) => self.getline(execution, *origin, *place).await?,
                Instruction::Print(arguments, destination) => self.print(execution, *arguments, *destination).await?,
                Instruction::Printf(arguments, destination) => self.printf(execution, *arguments, *destination).await?,
                Instruction::PrintRecord => {
                    let text = self.state.record_text();
                    self.line(execution, b"", Destination::Standard, &text).await?;
                }
                Instruction::Builtin(builtin @ (Builtin::Close | Builtin::Fflush | Builtin::System), arguments) => {
                    self.stream_builtin(execution, *builtin, *arguments).await?;
                }
                instruction => at = self.control(instruction, at)?,
            }
        }
        Ok(Flow::End)
    }

    /// Jumps, calls and loops; where to go on.
    fn control(&mut self, instruction: &Instruction, at: usize) -> Result<usize, Stop> {
        match instruction {
            Instruction::Jump(target) => return Ok(*target),
            Instruction::JumpIf(target) if self.state.pop().is_true() => return Ok(*target),
            Instruction::JumpUnless(target) if !self.state.pop().is_true() => return Ok(*target),
            Instruction::JumpIf(_) | Instruction::JumpUnless(_) => {}
            Instruction::JumpKeepingIf(target) | Instruction::JumpKeepingUnless(target) => {
                let wanted = matches!(instruction, Instruction::JumpKeepingIf(_));
                if self.state.stack.last().is_some_and(Value::is_true) == wanted {
                    return Ok(*target);
                }
                self.state.pop();
            }
            Instruction::ArgumentVariable(variable, function, position) => {
                let cell = self.state.argument(*variable, *function, *position)?;
                self.arguments.push(cell);
            }
            Instruction::Argument => {
                let value = self.state.pop();
                self.arguments.push(Cell::Scalar(value));
            }
            Instruction::Call(function, arguments) => return self.call(*function, *arguments, at),
            Instruction::Return => {
                let Some(frame) = self.frames.pop() else { return Ok(usize::MAX) };
                self.state.locals.truncate(self.state.base);
                self.state.base = frame.base;
                self.loops.truncate(frame.loops);
                return Ok(frame.return_to);
            }
            Instruction::Loop(array) => {
                let array = self.state.array(*array)?;
                let keys: Vec<Rc<[u8]>> = array.borrow().keys().cloned().collect();
                self.loops.push(keys.into_iter());
            }
            Instruction::LoopNext(target) => match self.loops.last_mut().and_then(Iterator::next) {
                Some(key) => self.state.stack.push(Value::Input(key)),
                None => return Ok(*target),
            },
            Instruction::LoopEnd => drop(self.loops.pop()),
            Instruction::Range(range) => {
                let is_on = self.ranges.get(*range).copied().unwrap_or(false);
                self.state.stack.push(Value::truth(is_on));
            }
            Instruction::SetRange(range, is_on) => {
                if let Some(place) = self.ranges.get_mut(*range) {
                    *place = *is_on;
                }
            }
            instruction => self.state.operate(instruction)?,
        }
        Ok(at)
    }

    fn call(&mut self, function: usize, arguments: usize, at: usize) -> Result<usize, Stop> {
        if self.frames.len() >= CALL_LIMIT {
            return Err(Stop::RunTime(b"function calls are nested too deep".to_vec()));
        }
        let parameters = self.state.functions.get(function).map_or(0, |function| function.parameters);
        let first = self.arguments.len().saturating_sub(arguments);
        let passed = self.arguments.split_off(first);
        for (position, cell) in passed.iter().enumerate() {
            let is_array = self.state.functions.get(function).and_then(|function| function.arrays.get(position));
            if is_array == Some(&true) && matches!(cell, Cell::Scalar(_)) {
                return Err(self.state.bad_argument(function, position));
            }
        }
        self.frames.push(Frame { return_to: at, base: self.state.base, loops: self.loops.len() });
        self.state.base = self.state.locals.len();
        self.state.locals.extend(passed);
        self.state.locals.resize(self.state.base + parameters, Cell::Unset);
        Ok(self.code.functions.get(function).copied().unwrap_or(usize::MAX))
    }

    async fn getline(&mut self, execution: &mut Execution, origin: Origin, place: Option<Place>) -> Result<(), Stop> {
        let name = match origin {
            Origin::Main => Rc::from(&b""[..]),
            Origin::File | Origin::Command => self.state.pop_text(),
        };
        let key = place.map_or(Value::Uninitialized, |place| self.state.pop_key(place));
        let record = match origin {
            Origin::Main => self.next_record(execution).await?,
            Origin::File | Origin::Command => {
                let mut streams = std::mem::take(&mut self.streams);
                let opened = match origin {
                    Origin::File => streams.file(execution, &name).await,
                    _ => streams.command(execution, &name).await,
                };
                let record = if let Ok(source) = opened {
                    self.read(execution, source).await
                } else {
                    self.streams = streams;
                    self.state.push_number(-1.0);
                    return Ok(());
                };
                self.streams = streams;
                record?
            }
        };
        let Some(record) = record else {
            self.state.push_number(0.0);
            return Ok(());
        };
        match place {
            Some(place) => self.state.store(place, &key, Value::Input(record.into()))?,
            None => self.state.record.set(record.into()),
        }
        self.state.push_number(1.0);
        Ok(())
    }

    fn pop_destination(&mut self, destination: Destination) -> Rc<[u8]> {
        match destination {
            Destination::Standard => Rc::from(&b""[..]),
            Destination::File | Destination::Append | Destination::Command => self.state.pop_text(),
        }
    }

    async fn write(
        &mut self,
        execution: &mut Execution,
        name: &[u8],
        destination: Destination,
        text: &[u8],
    ) -> Result<(), Stop> {
        match self.streams.write(execution, name, destination, text).await {
            Err(errno) if errno != Errno::EPIPE => Err(cannot_open(name, " for output", errno)),
            result => Ok(result?),
        }
    }

    async fn line(
        &mut self,
        execution: &mut Execution,
        name: &[u8],
        destination: Destination,
        text: &[u8],
    ) -> Result<(), Stop> {
        let end = self.state.text(&self.state.special(special::ORS));
        self.write(execution, name, destination, &[text, &end].concat()).await
    }

    async fn print(
        &mut self,
        execution: &mut Execution,
        arguments: usize,
        destination: Destination,
    ) -> Result<(), Stop> {
        let name = self.pop_destination(destination);
        if arguments == 0 {
            let text = self.state.record_text();
            return self.line(execution, &name, destination, &text).await;
        }
        let at = self.state.stack.len().saturating_sub(arguments);
        let values = self.state.stack.split_off(at);
        let format = self.state.special(special::OFMT).text(b"%.6g");
        let separator = self.state.text(&self.state.special(special::OFS));
        let texts: Vec<Rc<[u8]>> = values.iter().map(|value| value.text(&format)).collect();
        let text = texts.iter().map(AsRef::as_ref).collect::<Vec<&[u8]>>().join(&separator[..]);
        self.line(execution, &name, destination, &text).await
    }

    async fn printf(
        &mut self,
        execution: &mut Execution,
        arguments: usize,
        destination: Destination,
    ) -> Result<(), Stop> {
        let name = self.pop_destination(destination);
        let at = self.state.stack.len().saturating_sub(arguments);
        let values = self.state.stack.split_off(at);
        match formatted(&self.state, "printf", &values) {
            Ok(text) => self.write(execution, &name, destination, &text).await,
            Err((text, stop)) => {
                self.write(execution, &name, destination, &text).await?;
                Err(stop)
            }
        }
    }

    async fn stream_builtin(
        &mut self,
        execution: &mut Execution,
        builtin: Builtin,
        arguments: usize,
    ) -> Result<(), Stop> {
        let name = (arguments > 0).then(|| self.state.pop_text());
        let result = match (builtin, name) {
            (Builtin::System, Some(command)) => self.streams.system(execution, &command).await?,
            (Builtin::Close, Some(name)) => self.streams.close(execution, &name).await?,
            (_, Some(name)) if !self.streams.has_output(&name) => -1,
            _ => {
                self.streams.flush(execution).await?;
                0
            }
        };
        self.state.push_number(f64::from(result));
        Ok(())
    }
}

fn cannot_open(name: &[u8], purpose: &str, errno: Errno) -> Stop {
    let quote: &[u8] = if purpose.is_empty() { b"" } else { b"\"" };
    let reason = format!("{purpose} ({})", errno.description());
    Stop::Fatal([b"cannot open ", quote, name, quote, reason.as_bytes()].concat())
}
