//! awk(1), as mawk 1.3.4 of Debian 12 does it.
//!
//! A program is compiled to instructions for a machine with a stack ([`code`]), which can wait for input and for commands
//! wherever it is, and whose recursion needs no stack of the host.

mod code;
mod compiler;
mod format;
mod functions;
mod interpreter;
mod lexer;
mod operations;
mod parser;
mod record;
mod state;
mod streams;
mod syntax;
mod value;

use std::rc::Rc;

use cofferdam::kernel::{Errno, Fd};

use crate::execution::Execution;

use interpreter::Interpreter;
use state::{Cell, State, Stop};
use syntax::special;
use value::Value;

/// The exit status for trouble.
const TROUBLE: i32 = 2;

/// Arguments, taken apart.
#[derive(Default)]
struct Arguments {
    separator: Option<Vec<u8>>,
    assignments: Vec<Vec<u8>>,
    program_files: Vec<Vec<u8>>,
    operands: Vec<Vec<u8>>,
    shows_version: bool,
}

/// awk(1)
pub(crate) async fn awk(execution: &mut Execution) -> i32 {
    // Messages have the last part of the name.
    let base = execution.name.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
    execution.name = base;
    let words = execution.arguments.get(1..).unwrap_or_default().to_vec();
    let mut arguments = match parse_arguments(&words) {
        Ok(arguments) => arguments,
        Err(message) => {
            execution.warn(message).await;
            return TROUBLE;
        }
    };
    if arguments.shows_version {
        execution.print("mawk 1.3.4 20200120\n");
        return 0;
    }
    let mut text = Vec::new();
    for file in &arguments.program_files {
        let content =
            if file == b"-" { execution.read_to_end(Fd::STDIN).await } else { execution.read_file(file).await };
        match content {
            Ok(content) => text.extend(content),
            Err(errno) => {
                let reason = format!(" ({})", errno.description());
                execution.warn([b"cannot open ", &file[..], reason.as_bytes()].concat()).await;
                return TROUBLE;
            }
        }
    }
    if arguments.program_files.is_empty() {
        if arguments.operands.is_empty() {
            execution.write_error(b"Usage: mawk [Options] [Program] [file ...]\n").await;
            return TROUBLE;
        }
        text = arguments.operands.remove(0);
    }
    let file = arguments.program_files.last().cloned();
    let mut interpreter = match prepare(execution, &text, &arguments, file.as_deref()) {
        Ok(interpreter) => interpreter,
        Err(message) => {
            execution.warn(message).await;
            return TROUBLE;
        }
    };
    for assignment in &arguments.assignments {
        if !matches!(interpreter.assign(assignment), Ok(true)) {
            execution.warn([b"improper assignment: -v ", &assignment[..]].concat()).await;
            return TROUBLE;
        }
    }
    match interpreter.run(execution).await {
        Ok(status) => status,
        Err(stop) => report(execution, &interpreter.state, stop).await,
    }
}

async fn report(execution: &mut Execution, state: &State, stop: Stop) -> i32 {
    match stop {
        Stop::Fatal(message) => execution.warn(message).await,
        Stop::RunTime(message) => {
            let shown = |index: usize| state.text(&state.special(index));
            let file = shown(special::FILENAME);
            let place = [b"\n\tFILENAME=\"", &file[..], b"\" FNR=", &shown(special::FNR), b" NR=", &shown(special::NR)]
                .concat();
            execution.warn([b"run time error: ", &message[..], &place].concat()).await;
        }
        Stop::Errno(Errno::EPIPE) => {}
        Stop::Errno(errno) => execution.warn(format!("write failure ({})", errno.description())).await,
    }
    TROUBLE
}

fn parse_arguments(words: &[Vec<u8>]) -> Result<Arguments, Vec<u8>> {
    let mut arguments = Arguments::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (letter, value) = match &word[..] {
            b"--" => {
                arguments.operands.extend(words.by_ref().cloned());
                break;
            }
            [b'-', letter, value @ ..] if *letter != b'-' => (*letter, value),
            [b'-', _, ..] => return Err([b"not an option: ", &word[..]].concat()),
            _ => {
                arguments.operands.push(word.clone());
                arguments.operands.extend(words.by_ref().cloned());
                break;
            }
        };
        if !b"fFvW".contains(&letter) {
            return Err([b"not an option: ", &word[..]].concat());
        }
        let value = match (value.is_empty(), words.as_slice().first()) {
            (false, _) => value.to_vec(),
            (true, Some(next)) => {
                words.next();
                next.clone()
            }
            (true, None) => return Err([b"option -", &[letter][..], b" lacks argument"].concat()),
        };
        match letter {
            b'f' => arguments.program_files.push(value),
            b'F' => arguments.separator = Some(value),
            b'v' => arguments.assignments.push(value),
            _ if b"version".starts_with(&value) => arguments.shows_version = true,
            _ => return Err([b"option '-W ", &value[..], b"' is not simulated"].concat()),
        }
    }
    Ok(arguments)
}

/// Compiles a program, and sets the variables. The error is the message.
fn prepare(
    execution: &Execution,
    text: &[u8],
    arguments: &Arguments,
    file: Option<&[u8]>,
) -> Result<Interpreter, Vec<u8>> {
    let place = |line: usize| {
        let file = file.map(|file| [file, b": "].concat()).unwrap_or_default();
        [&file[..], format!("line {line}: ").as_bytes()].concat()
    };
    let mut program = parser::parse(text).map_err(|mistake| {
        if mistake.is_short {
            return [format!("{}: ", mistake.line).as_bytes(), &mistake.message].concat();
        }
        [&place(mistake.line)[..], &mistake.message].concat()
    })?;
    let code = compiler::compile(&program);
    let mut state = State { functions: std::mem::take(&mut program.functions), ..State::default() };
    for pattern in &program.patterns {
        let expression = state::compile(pattern).map_err(|message| [&place(1)[..], &message].concat())?;
        state.patterns.push(Rc::new(expression));
    }
    state.globals = vec![Cell::Unset; program.globals.len()];
    let strings: [(usize, &[u8]); 8] = [
        (special::FS, b" "),
        (special::OFS, b" "),
        (special::RS, b"\n"),
        (special::ORS, b"\n"),
        (special::SUBSEP, b"\x1c"),
        (special::CONVFMT, b"%.6g"),
        (special::OFMT, b"%.6g"),
        (special::FILENAME, b""),
    ];
    for (index, text) in strings {
        state.set_special(index, Value::string(text));
    }
    for (index, number) in [(special::NR, 0.0), (special::FNR, 0.0), (special::RSTART, 0.0), (special::RLENGTH, -1.0)] {
        state.set_special(index, Value::Number(number));
    }
    if let Some(separator) = &arguments.separator {
        state.set_special(special::FS, Value::string(&lexer::unescape(separator)));
    }
    set_arrays(execution, &mut state, arguments);
    Ok(Interpreter::new(code, state, program.globals))
}

fn set_arrays(execution: &Execution, state: &mut State, arguments: &Arguments) {
    let environment = state::Array::default();
    for entry in &execution.environment {
        let mut parts = entry.splitn(2, |byte| *byte == b'=');
        if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            environment.borrow_mut().insert(name.into(), Value::Input(value.into()));
        }
    }
    let given = state::Array::default();
    let all = std::iter::once(&execution.name).chain(&arguments.operands);
    for (number, argument) in all.enumerate() {
        given.borrow_mut().insert(number.to_string().into_bytes().into(), Value::Input(argument[..].into()));
    }
    let number = functions::count(given.borrow().len());
    for (index, array) in [(special::ENVIRON, environment), (special::ARGV, given)] {
        if let Some(cell) = state.globals.get_mut(index) {
            *cell = Cell::Array(array);
        }
    }
    state.set_special(special::ARGC, Value::Number(number));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
mod tests {
    use rstest::rstest;

    use crate::testing::Trial;

    #[rstest]
    #[case("(", ")")]
    #[case("!", "")]
    #[case("-", "")]
    #[case("$", "")]
    #[case("1+", "")]
    #[case("1 ", "")]
    #[case("1^", "")]
    #[case("1?", ":1")]
    #[case("a[", "]")]
    #[case("x=", "")]
    #[case("f(", ")")]
    #[case("1&&", "")]
    fn programs_that_are_nested_too_deep_are_refused(#[case] before: &str, #[case] after: &str) {
        let program = format!("BEGIN {{ print {}1{} }}", before.repeat(20_000), after.repeat(20_000));
        let (status, output, error) = Trial::new().run_words(&["awk", &program]);
        assert_eq!((status, output.as_str()), (2, ""), "{error}");
        assert!(error.starts_with("awk: line 1: "), "{error}");
    }

    #[test]
    fn functions_call_each_other_deeper_than_the_stack_of_the_host() {
        let program = "function f(n) { return n ? 1 + f(n - 1) : 0 } BEGIN { print f(50000) }";
        assert_eq!(Trial::new().run_words(&["awk", program]), (0, "50000\n".into(), String::new()));
        let (status, _, error) = Trial::new().run_words(&["awk", "function f() { f() } BEGIN { f() }"]);
        assert_eq!(status, 2);
        assert!(error.contains("function calls are nested too deep"), "{error}");
    }
}
