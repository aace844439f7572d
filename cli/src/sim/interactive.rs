//! A person in front of the machine: line editing, history, completion, help.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::path::PathBuf;

use cofferdam_shell::{Completeness, Session};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::word::Word;
use crate::run::Failure;

const WELCOME: &str = "A shell on a simulated Linux machine: nothing here touches yours. `help` says what there is.";

/// Executes what is typed in, up to the end. Gives the exit status.
pub(super) fn interact(session: &mut Session) -> Result<i32, Failure> {
    session.set_interactive();
    println!("{WELCOME}");
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
    let mut editor: Editor<Assistant<'_>, DefaultHistory> = Editor::with_config(config)?;
    // Without a history of earlier times one works as well.
    let history = history_file();
    if let Some(path) = &history {
        let _ = path.parent().map(std::fs::create_dir_all);
        let _ = editor.load_history(path);
    }
    let session = RefCell::new(session);
    editor.set_helper(Some(Assistant { session: &session }));
    let status = loop {
        let prompt = prompt(&session.borrow());
        match editor.readline(&prompt) {
            Ok(line) => {
                // At once: who closes the terminal finds the line again as well.
                if let Some(path) = &history {
                    let _ = editor.append_history(path);
                }
                execute(&mut session.borrow_mut(), &line);
            }
            Err(ReadlineError::Interrupted) => session.borrow_mut().interrupt(),
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                eprintln!("cofferdam: what is typed in must be UTF-8");
            }
            Err(ReadlineError::Eof) => break session.borrow_mut().end(),
            Err(error) => return Err(error.into()),
        }
        if let Some(status) = session.borrow().exited() {
            break status;
        }
    };
    Ok(status)
}

fn execute(session: &mut Session, line: &str) {
    if line.trim() == "help" {
        print!("{}", help(session));
        return;
    }
    session.run_chunk(line.as_bytes());
}

/// `root@sample:/tmp# `
fn prompt(session: &Session) -> String {
    let directory = session.variable("PWD").unwrap_or_default();
    format!("simulated:{}# ", String::from_utf8_lossy(&directory))
}

/// What there is, from what there is.
fn help(session: &Session) -> String {
    let names: Vec<String> =
        session.command_names(b"").iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let mut text = String::from(
        "The language is that of sh. Commands: builtins of the shell, and programs on the simulated disk:\n\n",
    );
    let width = names.iter().map(String::len).max().unwrap_or(0) + 2;
    for row in names.chunks((80 / width).max(1)) {
        let row: Vec<String> = row.iter().map(|name| format!("{name:width$}")).collect();
        text.push_str("  ");
        text.push_str(row.concat().trim_end());
        text.push('\n');
    }
    text.push_str(
        "\nTry `findmnt -o TARGET,PROPAGATION`, `mount --bind /srv /mnt`, `unshare -m`, `cat /proc/self/mountinfo`.\n\
         The arrow keys bring back earlier lines, the tabulator completes commands and paths, Ctrl-R searches,\n\
         Ctrl-C interrupts what runs, Ctrl-D ends.\n",
    );
    text
}

/// Where the lines of earlier sessions are kept: below `XDG_STATE_HOME`, as the XDG base directory specification says.
fn history_file() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("cofferdam").join("sim_history"))
}

/// What helps to type.
struct Assistant<'s> {
    session: &'s RefCell<&'s mut Session>,
}

/// What a word can become; of a path, the last part is shown.
fn candidate(word: Word<'_>, name: &[u8], is_only: bool) -> Pair {
    let name = String::from_utf8_lossy(name);
    let shown = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let is_directory = name.ends_with('/');
    let slash = if is_directory { "/" } else { "" };
    // The path can go on behind a directory.
    let end = if is_only && !is_directory { word.end() } else { String::new() };
    Pair { display: format!("{shown}{slash}"), replacement: word.quoted(&name) + &end }
}

impl Completer for Assistant<'_> {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let word = Word::last_of(line.get(..position).unwrap_or(line));
        let value = word.value();
        let session = self.session.borrow();
        let names = if word.is_command && !value.contains('/') {
            session.command_names(value.as_bytes())
        } else {
            session.paths(value.as_bytes())
        };
        let is_only = names.len() == 1;
        Ok((word.start, names.iter().map(|name| candidate(word, name, is_only)).collect()))
    }
}

impl Validator for Assistant<'_> {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match Session::completeness(context.input().as_bytes()) {
            Completeness::Incomplete => ValidationResult::Incomplete,
            // The shell says what is wrong.
            Completeness::Complete | Completeness::Invalid => ValidationResult::Valid(None),
        })
    }
}

impl Hinter for Assistant<'_> {
    type Hint = String;
}

impl Highlighter for Assistant<'_> {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Borrowed(hint)
    }
}

impl Helper for Assistant<'_> {}
