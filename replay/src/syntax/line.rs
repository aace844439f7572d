//! Lines: whose they are, and what kind of event they tell of.

use winnow::ascii::{digit1, space0, space1};
use winnow::combinator::{alt, delimited, opt, preceded, terminated};
use winnow::prelude::*;
use winnow::token::{rest, take_until, take_while};

use super::{SyntaxError, excerpt};

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The process, if the line says whose it is.
    pub pid: Option<u32>,
    /// What it tells.
    pub kind: LineKind<'a>,
}

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineKind<'a> {
    /// A call with its result.
    Call(&'a [u8]),
    /// `mount("a", <unfinished ...>`: the start of a call, during which another process did something.
    Unfinished(&'a [u8]),
    /// `<... mount resumed>"b") = 0`: the rest of it.
    Resumed {
        /// The name of the call.
        name: &'a [u8],
        /// What was missing.
        rest: &'a [u8],
    },
    /// `+++ exited with 0 +++`
    Ended(Ending),
    /// A signal arrived, or strace tells of itself.
    Nothing,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with this status.
    Exited(i32),
    /// By the signal with this name.
    Killed(String),
    /// Another thread of it has executed a program, and has its number from now on.
    Superseded {
        /// The number that the thread had before.
        by: u32,
    },
}

type Input<'a> = &'a [u8];

const UNFINISHED: &[u8] = b"<unfinished ...>";

fn number(input: &mut Input<'_>) -> ModalResult<u32> {
    digit1.parse_to().parse_next(input)
}

/// `[pid 12] `, `12 `
fn pid(input: &mut Input<'_>) -> ModalResult<u32> {
    let bracketed = delimited(("[pid", space1), number, (opt(description), "]", space0));
    let column = terminated(number, (opt(description), space1));
    alt((bracketed, column)).parse_next(input)
}

/// `<bash>`, as strace prints behind a number with `-Y`.
fn description(input: &mut Input<'_>) -> ModalResult<()> {
    delimited("<", take_until(0.., ">"), ">").void().parse_next(input)
}

/// What `-t`, `-tt`, `-ttt` and `-r` print: `12:00:01`, `12:00:01.000001`, `1700000000.000001`, `0.000001`.
fn time(input: &mut Input<'_>) -> ModalResult<()> {
    let clock = (digit1, ":", digit1, ":", digit1, opt((".", digit1))).void();
    let seconds = (digit1, ".", digit1).void();
    let since_the_last = delimited(("(+", space0), (digit1, ".", digit1), ")").void();
    terminated(alt((clock, seconds, since_the_last)), space1).parse_next(input)
}

fn ending(input: &mut Input<'_>) -> ModalResult<Ending> {
    let status = preceded("exited with ", digit1.parse_to::<i32>()).map(Ending::Exited);
    let signal = take_while(1.., |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_');
    let killed =
        preceded("killed by ", signal).map(|name: &[u8]| Ending::Killed(String::from_utf8_lossy(name).into_owned()));
    let superseded = preceded("superseded by execve in pid ", number).map(|by| Ending::Superseded { by });
    delimited("+++ ", alt((status, killed, superseded)), (opt(" (core dumped)"), " +++")).parse_next(input)
}

fn resumed<'a>(input: &mut Input<'a>) -> ModalResult<LineKind<'a>> {
    let name = delimited("<... ", take_until(1.., " resumed>"), " resumed>");
    (name, rest).map(|(name, rest)| LineKind::Resumed { name, rest }).parse_next(input)
}

fn starts_a_call(text: &[u8]) -> bool {
    let length = text.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    length > 0 && text.get(length) == Some(&b'(')
}

/// Takes a line apart.
///
/// # Errors
///
/// If it is nothing that strace writes.
pub fn parse_line(text: &[u8]) -> Result<Line<'_>, SyntaxError> {
    let text = text.trim_ascii_end();
    if text.trim_ascii_start().is_empty() || text.starts_with(b"strace: ") {
        return Ok(Line { pid: None, kind: LineKind::Nothing });
    }
    let mut input = text;
    let _ = space0::<_, winnow::error::ContextError>.parse_next(&mut input);
    let pid = opt(pid).parse_next(&mut input).unwrap_or(None);
    for _ in 0..2 {
        let _ = space0::<_, winnow::error::ContextError>.parse_next(&mut input);
        let _ = opt(time).parse_next(&mut input);
    }
    let kind = kind(input).ok_or_else(|| SyntaxError::NoLine(excerpt(text)))?;
    Ok(Line { pid, kind })
}

fn kind(mut text: &[u8]) -> Option<LineKind<'_>> {
    if text.starts_with(b"--- ") || text.starts_with(b"strace: ") || text == UNFINISHED {
        return Some(LineKind::Nothing);
    }
    if text.starts_with(b"+++ ") {
        return ending.parse_next(&mut text).ok().map(LineKind::Ended);
    }
    if text.starts_with(b"<... ") {
        return resumed.parse_next(&mut text).ok();
    }
    if !starts_a_call(text) {
        return None;
    }
    // A space is in front of the mark.
    let start = text.strip_suffix(UNFINISHED).map(|start| start.strip_suffix(b" ").unwrap_or(start));
    Some(match start.or_else(|| before_new_process(text)) {
        Some(start) => LineKind::Unfinished(start),
        None => LineKind::Call(text),
    })
}

/// `vfork(strace: Process 13 attached`: where strace does not write to a file, it tells so in the middle of the line.
fn before_new_process(text: &[u8]) -> Option<&[u8]> {
    const MARK: &[u8] = b"strace: Process ";
    let text = text.strip_suffix(b" attached")?;
    let position = text.windows(MARK.len()).rposition(|window| window == MARK)?;
    text.get(..position)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("mount(NULL) = 0", None, LineKind::Call(b"mount(NULL) = 0"))]
    #[case("12 mount(NULL) = 0", Some(12), LineKind::Call(b"mount(NULL) = 0"))]
    #[case("[pid    12] close(3) = 0", Some(12), LineKind::Call(b"close(3) = 0"))]
    #[case("[pid 12<sh>] close(3) = 0", Some(12), LineKind::Call(b"close(3) = 0"))]
    #[case("12 10:11:12 close(3) = 0", Some(12), LineKind::Call(b"close(3) = 0"))]
    #[case("12 10:11:12.123456 close(3) = 0", Some(12), LineKind::Call(b"close(3) = 0"))]
    #[case("1700000000.123456 close(3) = 0", None, LineKind::Call(b"close(3) = 0"))]
    #[case("12      0.000012 close(3) = 0", Some(12), LineKind::Call(b"close(3) = 0"))]
    #[case("12 1700000000.123456 (+     0.000012) close(3) = 0", Some(12), LineKind::Call(b"close(3) = 0"))]
    #[case("12 wait4(-1,  <unfinished ...>", Some(12), LineKind::Unfinished(b"wait4(-1, "))]
    #[case("vfork(strace: Process 12 attached", None, LineKind::Unfinished(b"vfork("))]
    #[case(" <unfinished ...>", None, LineKind::Nothing)]
    #[case("12 <... wait4 resumed>NULL) = 5", Some(12), LineKind::Resumed { name: b"wait4", rest: b"NULL) = 5" })]
    #[case("12 --- SIGCHLD {si_signo=SIGCHLD} ---", Some(12), LineKind::Nothing)]
    #[case("12 +++ exited with 7 +++", Some(12), LineKind::Ended(Ending::Exited(7)))]
    #[case("12 +++ killed by SIGSEGV (core dumped) +++", Some(12), LineKind::Ended(Ending::Killed("SIGSEGV".into())))]
    #[case("12 +++ superseded by execve in pid 14 +++", Some(12), LineKind::Ended(Ending::Superseded { by: 14 }))]
    #[case("strace: Process 12 attached", None, LineKind::Nothing)]
    #[case("[pid 12] strace: Process 13 attached", Some(12), LineKind::Nothing)]
    #[case("", None, LineKind::Nothing)]
    fn lines(#[case] text: &str, #[case] pid: Option<u32>, #[case] kind: LineKind<'_>) {
        assert_eq!(parse_line(text.as_bytes()), Ok(Line { pid, kind }));
    }

    #[rstest]
    #[case("hello")]
    #[case("12")]
    #[case("mount: /mnt: not mounted.")]
    #[case("12 +++ stopped +++")]
    fn what_strace_does_not_write(#[case] text: &str) {
        assert!(parse_line(text.as_bytes()).is_err());
    }
}
