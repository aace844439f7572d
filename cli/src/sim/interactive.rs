//! A person in front of the machine: line editing, history, completion, help.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::path::PathBuf;

use cofferdam_shell::{Candidate, Completeness, Session};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use crate::run::Failure;

const WELCOME: &str = "A shell on a simulated Linux machine: nothing here touches yours. `help` says what there is.";

/// What the help ends with.
const KEYS: &str = "\
The arrow keys bring back earlier lines, the tabulator completes commands and paths, Ctrl-R searches,
Ctrl-C interrupts what runs, Ctrl-D ends.
";

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
        let prompt = session.borrow().prompt();
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
        print!("{}{KEYS}", session.help());
        return;
    }
    session.run_chunk(line.as_bytes());
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

impl Completer for Assistant<'_> {
    type Candidate = Pair;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let completion = self.session.borrow().complete(line.get(..position).unwrap_or(line));
        let pair = |candidate: Candidate| Pair { display: candidate.shown, replacement: candidate.replacement };
        Ok((completion.start, completion.candidates.into_iter().map(pair).collect()))
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
