//! grep(1), egrep and fgrep: GNU grep 3.8.

mod matcher;
mod options;
mod search;
mod tree;

use cofferdam::kernel::Errno;

use crate::execution::Execution;

use matcher::Matcher;
use options::{Grammar, Options, Refusal};
use search::Search;

/// The exit status for trouble.
const TROUBLE: i32 = 2;

/// grep(1)
pub(crate) async fn grep(execution: &mut Execution) -> i32 {
    run(execution, Grammar::Basic).await
}

/// grep -E
pub(crate) async fn egrep(execution: &mut Execution) -> i32 {
    run(execution, Grammar::Extended).await
}

/// grep -F
pub(crate) async fn fgrep(execution: &mut Execution) -> i32 {
    run(execution, Grammar::Fixed).await
}

async fn run(execution: &mut Execution, grammar: Grammar) -> i32 {
    // All of them are the program grep, however it was found.
    execution.name = b"grep".to_vec();
    let arguments = execution.arguments.get(1..).unwrap_or_default().to_vec();
    let mut options = match options::parse(grammar, &arguments) {
        Ok(options) => options,
        Err(refusal) => return refuse(execution, refusal).await,
    };
    if options.shows_version {
        execution.print("grep (GNU grep) 3.8\n");
        return 0;
    }
    for file in std::mem::take(&mut options.pattern_files) {
        let content = if file == b"-" {
            execution.read_to_end(cofferdam::kernel::Fd::STDIN).await
        } else {
            execution.read_file(&file).await
        };
        match content {
            Ok(content) => {
                let content = content.strip_suffix(b"\n").map(<[u8]>::to_vec).unwrap_or(content);
                if !content.is_empty() {
                    options.patterns.extend(content.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
                }
            }
            Err(errno) => {
                complain_of(execution, &file, errno).await;
                return TROUBLE;
            }
        }
    }
    let matcher = match Matcher::new(&options) {
        Ok(matcher) => matcher,
        Err(message) => {
            execution.complain(message).await;
            return TROUBLE;
        }
    };
    search_all(execution, &options, &matcher).await
}

async fn search_all(execution: &mut Execution, options: &Options, matcher: &Matcher) -> i32 {
    let mut search = Search::new(options, matcher);
    for file in &options.files {
        // Whoever read the output is gone, or a pattern was too hard.
        let Ok(is_over) = search.operand(execution, file).await else { return TROUBLE };
        if is_over {
            return 0;
        }
    }
    search.status()
}

async fn refuse(execution: &mut Execution, refusal: Refusal) -> i32 {
    const USAGE: &[u8] = b"Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n";
    match refusal {
        Refusal::Usage(message) => {
            if !message.is_empty() {
                execution.complain(message).await;
            }
            execution.write_error(USAGE).await;
        }
        Refusal::Message(message) => execution.complain(message).await,
        Refusal::Argument(message) => {
            execution.complain(message).await;
            execution.write_error(USAGE).await;
            return 1;
        }
    }
    TROUBLE
}

/// Says what is the matter with a file.
async fn complain_of(execution: &mut Execution, file: &[u8], errno: Errno) {
    execution.complain([file, b": ", errno.description().as_bytes()].concat()).await;
}
