//! echo(1), as a program and as a builtin of the shell.

use super::escape::escape;
use crate::execution::Execution;

/// echo(1) of GNU: escapes only with `-e`.
#[allow(clippy::unused_async, reason = "all programs are")]
pub(crate) async fn echo(execution: &mut Execution) -> i32 {
    let mut words = execution.arguments.get(1..).unwrap_or_default();
    let (mut has_newline, mut has_escapes) = (true, false);
    while let [first, after @ ..] = words
        && let [b'-', letters @ ..] = &first[..]
        && !letters.is_empty()
        && letters.iter().all(|letter| b"neE".contains(letter))
    {
        for letter in letters {
            match letter {
                b'n' => has_newline = false,
                letter => has_escapes = *letter == b'e',
            }
        }
        words = after;
    }
    let text = words.join(&b' ');
    let (mut text, ends) = if has_escapes { escape(&text, true) } else { (text, false) };
    if has_newline && !ends {
        text.push(b'\n');
    }
    execution.print(text);
    0
}

/// What dash's `echo` prints: `-n`, and escapes always.
pub(crate) fn of_shell(arguments: &[Vec<u8>]) -> Vec<u8> {
    let (words, has_newline) = match arguments {
        [first, words @ ..] if first == b"-n" => (words, false),
        words => (words, true),
    };
    let (mut text, ends) = escape(&words.join(&b' '), true);
    if has_newline && !ends {
        text.push(b'\n');
    }
    text
}
