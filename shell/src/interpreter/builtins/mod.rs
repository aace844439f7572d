//! The builtins: commands of the shell itself.

mod command;
mod directory;
mod flow;
mod job;
mod limits;
mod output;
mod read;
mod set;
mod trap;
mod variable;

use super::Shell;
use super::stop::{Executed, Stop};

/// Those after whose errors a shell exits, and whose assignments last (POSIX, special built-in utilities).
const SPECIAL: &[&str] = &[
    ".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set", "shift", "source",
    "times", "trap", "unset",
];

const REGULAR: &[&str] = &[
    "[", "alias", "bg", "cd", "command", "declare", "echo", "false", "fg", "getopts", "hash", "jobs", "kill", "let",
    "local", "printf", "pwd", "read", "shopt", "test", "true", "type", "typeset", "ulimit", "umask", "unalias", "wait",
];

fn has(names: &[&str], name: &[u8]) -> bool {
    names.iter().any(|known| known.as_bytes() == name)
}

/// Whether a name is that of a special builtin.
pub(super) fn is_special(name: &[u8]) -> bool {
    has(SPECIAL, name)
}

/// Whether a name is that of a builtin.
pub(super) fn is_builtin(name: &[u8]) -> bool {
    has(SPECIAL, name) || has(REGULAR, name)
}

/// All names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SPECIAL.iter().chain(REGULAR).copied()
}

/// Whether arguments of the form `name=value` are assignments, so that they are not split into fields.
pub(super) fn takes_assignments(name: &[u8]) -> bool {
    has(&["alias", "declare", "export", "local", "readonly", "typeset"], name)
}

impl Shell {
    /// Executes a builtin, its name being the first of its words.
    pub(super) async fn builtin(&mut self, words: Vec<Vec<u8>>) -> Executed {
        let name = words.first().cloned().unwrap_or_default();
        match self.call_builtin(&name, &words).await {
            Err(Stop::Fatal(message)) => {
                self.complain(&[&name, &b": "[..], &message].concat()).await;
                if is_special(&name) { Err(Stop::Error(2)) } else { Ok(2) }
            }
            executed => executed,
        }
    }

    fn call_builtin<'a>(
        &'a mut self,
        name: &'a [u8],
        words: &'a [Vec<u8>],
    ) -> std::pin::Pin<Box<dyn Future<Output = Executed> + 'a>> {
        let arguments = words.get(1..).unwrap_or_default();
        Box::pin(async move {
            match name {
                b":" | b"true" => Ok(0),
                b"false" => Ok(1),
                b"." | b"source" => self.source(arguments).await,
                b"[" | b"test" => self.test(name, arguments),
                b"alias" => self.alias(arguments).await,
                b"bg" | b"fg" => Err(Stop::fatal("No job control")),
                b"break" => self.break_loop(arguments, Stop::Break),
                b"cd" => self.cd(arguments).await,
                b"command" => self.command_builtin(arguments).await,
                b"continue" => self.break_loop(arguments, Stop::Continue),
                b"declare" | b"typeset" => self.declare(arguments).await,
                b"echo" => self.echo(arguments).await,
                b"eval" => self.eval(arguments).await,
                b"exec" => self.exec(arguments).await,
                b"exit" => self.exit(arguments),
                b"export" => self.mark(arguments, "export").await,
                b"getopts" => self.getopts(arguments).await,
                b"hash" => self.hash(arguments).await,
                b"jobs" => self.list_jobs(arguments).await,
                b"kill" => self.kill(arguments).await,
                b"let" => self.let_builtin(arguments).await,
                b"local" => self.local(arguments),
                b"printf" => self.printf(arguments).await,
                b"pwd" => self.pwd(arguments).await,
                b"read" => self.read(arguments).await,
                b"readonly" => self.mark(arguments, "readonly").await,
                b"return" => self.return_builtin(arguments),
                b"set" => self.set_builtin(arguments).await,
                b"shift" => self.shift(arguments),
                b"shopt" => self.shopt(arguments).await,
                b"times" => self.times().await,
                b"trap" => self.trap(arguments).await,
                b"type" => self.type_builtin(arguments).await,
                b"ulimit" => self.ulimit(arguments),
                b"umask" => self.umask(arguments).await,
                b"unalias" => self.unalias(arguments).await,
                b"unset" => self.unset(arguments),
                b"wait" => self.wait(arguments).await,
                _ => Ok(127),
            }
        })
    }
}

/// A number that is no less than zero.
fn number(word: &[u8]) -> Result<i32, Stop> {
    let text = std::str::from_utf8(word).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| Stop::fatal([b"Illegal number: ", word].concat()))
}

/// The letters of the options in front of the operands, and the operands (POSIX, Utility Syntax Guidelines).
fn options<'a>(arguments: &'a [Vec<u8>], known: &[u8]) -> Result<(Vec<u8>, &'a [Vec<u8>]), Stop> {
    let mut given = Vec::new();
    let mut rest = arguments;
    while let [first, after @ ..] = rest {
        match &first[..] {
            b"--" => return Ok((given, after)),
            [b'-', letters @ ..] if !letters.is_empty() => {
                for letter in letters {
                    if !known.contains(letter) {
                        return Err(Stop::fatal([b"Illegal option -", &[*letter][..]].concat()));
                    }
                    given.push(*letter);
                }
                rest = after;
            }
            _ => break,
        }
    }
    Ok((given, rest))
}
