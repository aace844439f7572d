//! diff(1)

mod lines;
mod output;

use cofferdam::kernel::{Errno, Fd, FileType, Stat};

use super::stat::type_name;
use super::support::files::is_same_file;
use super::support::glob;
use super::support::options::{not_simulated, take_options_with_named_help};
use super::support::paths::{base_name, join};
use super::support::quote::{quoted_always, quoted_if_needed};
use crate::execution::Execution;
use crate::getopt::{Opt, Parsed, Takes, option};

const OPTIONS: &[Opt] = &[
    option("recursive", 'r', "recursive", Takes::Nothing),
    option("brief", 'q', "brief", Takes::Nothing),
    option("new-file", 'N', "new-file", Takes::Nothing),
    option("text", 'a', "text", Takes::Nothing),
    option("same", 's', "report-identical-files", Takes::Nothing),
    option("unified", 'u', "", Takes::Nothing),
    option("unified", 'U', "unified", Takes::Argument),
    option("normal", '\0', "normal", Takes::Nothing),
    option("case", 'i', "ignore-case", Takes::Nothing),
    option("amount", 'b', "ignore-space-change", Takes::Nothing),
    option("space", 'w', "ignore-all-space", Takes::Nothing),
    option("blank", 'B', "ignore-blank-lines", Takes::Nothing),
    option("exclude", 'x', "exclude", Takes::Argument),
    option("label", 'L', "label", Takes::Argument),
    option("no-dereference", '\0', "no-dereference", Takes::Nothing),
    option("minimal", 'd', "minimal", Takes::Nothing),
    not_simulated("!-c", 'c', "", Takes::Nothing),
    not_simulated("!-C", 'C', "context", Takes::Argument),
    not_simulated("!-e", 'e', "ed", Takes::Nothing),
    not_simulated("!-n", 'n', "rcs", Takes::Nothing),
    not_simulated("!-y", 'y', "side-by-side", Takes::Nothing),
    not_simulated("!-p", 'p', "show-c-function", Takes::Nothing),
    not_simulated("!-F", 'F', "show-function-line", Takes::Argument),
    not_simulated("!-t", 't', "expand-tabs", Takes::Nothing),
    not_simulated("!-T", 'T', "initial-tab", Takes::Nothing),
    not_simulated("!-E", 'E', "ignore-tab-expansion", Takes::Nothing),
    not_simulated("!-Z", 'Z', "ignore-trailing-space", Takes::Nothing),
    not_simulated("!-I", 'I', "ignore-matching-lines", Takes::Argument),
    not_simulated("!-P", 'P', "unidirectional-new-file", Takes::Nothing),
    not_simulated("!-S", 'S', "starting-file", Takes::Argument),
    not_simulated("!-X", 'X', "exclude-from", Takes::Argument),
    not_simulated("!-l", 'l', "paginate", Takes::Nothing),
    not_simulated("!--color", '\0', "color", Takes::Optional),
];

/// There are no times in the simulation.
const EPOCH: &str = "1970-01-01 00:00:00.000000000 +0000";

struct Differ {
    parsed: Parsed,
    comparison: lines::Comparison,
    /// How many lines around changes are shown, in the unified format.
    context: Option<usize>,
    excluded: Vec<Vec<u8>>,
    labels: Vec<Vec<u8>>,
    /// The options as they were given, for headings.
    switches: Vec<u8>,
}

/// One of two files: its path, and what is there, if there is anything.
type Side = (Vec<u8>, Result<Stat, Errno>);

/// diff(1)
pub(crate) async fn diff(execution: &mut Execution) -> i32 {
    let parsed = match take_options_with_named_help(execution, OPTIONS, 2) {
        Ok(parsed) => parsed,
        Err(status) => return status,
    };
    let [old, new] = &parsed.operands[..] else {
        let text = match &parsed.operands[..] {
            [_, _, extra, ..] => [b"extra operand ", &quoted_always(extra)[..]].concat(),
            some => {
                let last = some.last().unwrap_or(&execution.name);
                [b"missing operand after ", &quoted_always(last)[..]].concat()
            }
        };
        execution.report(text);
        let help = execution.help_hint();
        execution.report(help);
        return 2;
    };
    let mut context = None;
    for (id, value) in &parsed.options {
        match (*id, value) {
            ("unified", None) => context = Some(context.unwrap_or(0).max(3)),
            ("unified", Some(number)) => {
                context = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
                if context.is_none() {
                    execution.report([b"invalid context length ", &quoted_always(number)[..]].concat());
                    let help = execution.help_hint();
                    execution.report(help);
                    return 2;
                }
            }
            _ => {}
        }
    }
    let values = |wanted: &str| {
        let given = parsed.options.iter().filter(|(id, _)| *id == wanted);
        given.filter_map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    let differ = Differ {
        comparison: lines::Comparison {
            ignores_case: parsed.has("case"),
            ignores_amount_of_space: parsed.has("amount"),
            ignores_space: parsed.has("space"),
            ignores_blank_lines: parsed.has("blank"),
        },
        context,
        excluded: values("exclude"),
        labels: values("label"),
        switches: switches(&execution.arguments, &parsed.operands),
        parsed: parsed.clone(),
    };
    let (mut old, mut new) = (old.clone(), new.clone());
    // A file is compared with the one of its name in a directory.
    match (execution.is_directory(&old), execution.is_directory(&new)) {
        (true, false) if execution.stat(&new).is_ok() => old = join(&old, base_name(&new)),
        (false, true) if execution.stat(&old).is_ok() => new = join(&new, base_name(&old)),
        _ => {}
    }
    let (old, new) = (differ.side(execution, old), differ.side(execution, new));
    differ.compare(execution, old, new, (0, true)).await
}

/// The words that are no operands.
fn switches(arguments: &[Vec<u8>], operands: &[Vec<u8>]) -> Vec<u8> {
    let mut operands = operands.iter().rev().peekable();
    let mut words = Vec::new();
    for word in arguments.iter().skip(1).rev() {
        if operands.next_if(|operand| *operand == word).is_none() {
            words.push([b" ", &quoted_if_needed(word)[..]].concat());
        }
    }
    words.reverse();
    words.concat()
}

impl Differ {
    fn side(&self, execution: &Execution, path: Vec<u8>) -> Side {
        let stat = if path == b"-" {
            execution.process_stat(Fd::STDIN)
        } else if self.parsed.has("no-dereference") {
            execution.lstat(&path)
        } else {
            execution.stat(&path)
        };
        (path, stat)
    }

    /// Compares two files or directories, so many levels below the operands, of which one may not exist. Comes to the exit
    /// status.
    async fn compare(&self, execution: &mut Execution, old: Side, new: Side, (depth, may_lack): (usize, bool)) -> i32 {
        let is_missing = |side: &Side| side.1 == Err(Errno::ENOENT);
        let may_be_missing = may_lack && self.parsed.has("new-file") && (is_missing(&old) != is_missing(&new));
        let mut status = 0;
        for side in [&old, &new] {
            if let Err(errno) = side.1
                && !(may_be_missing && errno == Errno::ENOENT)
            {
                execution.report([&side.0[..], b": ", errno.description().as_bytes()].concat());
                status = 2;
            }
        }
        if status != 0 {
            return status;
        }
        let kind = |side: &Side| side.1.as_ref().ok().map(|stat| stat.file_type);
        let is_directory = |side: &Side| kind(side).is_none_or(|kind| kind == FileType::Directory);
        if let (Ok(one), Ok(other)) = (&old.1, &new.1)
            && is_same_file(one, other)
            && (depth > 0 || one.file_type != FileType::Fifo)
        {
            return self.say_same(execution, &old.0, &new.0, one.file_type);
        }
        if is_directory(&old) && is_directory(&new) {
            if depth > 0 && !self.parsed.has("recursive") {
                execution.print([b"Common subdirectories: ", &old.0[..], b" and ", &new.0, b"\n"].concat());
                return 0;
            }
            return Box::pin(self.compare_directories(execution, &old, &new, depth)).await;
        }
        if let (Ok(one), Ok(other)) = (&old.1, &new.1) {
            if (one.file_type, other.file_type) == (FileType::Symlink, FileType::Symlink) {
                return self.compare_links(execution, &old.0, &new.0);
            }
            let is_regular = |stat: &Stat| stat.file_type == FileType::Regular;
            let has_directory = one.file_type == FileType::Directory || other.file_type == FileType::Directory;
            if !(is_regular(one) && is_regular(other)) && (depth > 0 || has_directory) {
                let (a, b) = (type_name(one), type_name(other));
                let text = [b"File ", &old.0[..], b" is a ", a.as_bytes(), b" while file ", &new.0, b" is a "];
                execution.print([&text.concat()[..], b.as_bytes(), b"\n"].concat());
                return 1;
            }
        }
        self.compare_content(execution, &old, &new, depth).await
    }

    fn say_same(&self, execution: &mut Execution, old: &[u8], new: &[u8], kind: FileType) -> i32 {
        if self.parsed.has("same") && kind != FileType::Directory {
            execution.print([b"Files ", old, b" and ", new, b" are identical\n"].concat());
        }
        0
    }

    fn compare_links(&self, execution: &mut Execution, old: &[u8], new: &[u8]) -> i32 {
        match (execution.read_link(old), execution.read_link(new)) {
            (Ok(one), Ok(other)) if one == other => {
                if self.parsed.has("same") {
                    execution.print([b"Symbolic links ", old, b" and ", new, b" are identical\n"].concat());
                }
                0
            }
            (Ok(_), Ok(_)) => {
                execution.print([b"Symbolic links ", old, b" and ", new, b" differ\n"].concat());
                1
            }
            (Err(errno), _) => fail(execution, old, errno),
            (_, Err(errno)) => fail(execution, new, errno),
        }
    }

    async fn compare_directories(&self, execution: &mut Execution, old: &Side, new: &Side, depth: usize) -> i32 {
        let mut status = 0;
        let mut names = [Vec::new(), Vec::new()];
        for (names, side) in names.iter_mut().zip([old, new]) {
            if side.1.is_err() {
                continue;
            }
            match execution.entries(&side.0) {
                Ok(entries) => names.extend(entries.into_iter().map(|entry| entry.name.0)),
                Err(errno) => status = fail(execution, &side.0, errno),
            }
            names.retain(|name| !self.excluded.iter().any(|pattern| glob::matches(pattern, name, false)));
        }
        let mut all = names.concat();
        all.sort();
        all.dedup();
        for name in all {
            let (one, other) = (join(&old.0, &name), join(&new.0, &name));
            let [old_names, new_names] = &names;
            let only = match (old_names.contains(&name), new_names.contains(&name)) {
                (true, false) => Some(&old.0),
                (false, true) => Some(&new.0),
                _ => None,
            };
            let result = match only {
                Some(directory) if !self.parsed.has("new-file") => only_in(execution, directory, &name),
                only => {
                    let (one, other) = (self.side(execution, one), self.side(execution, other));
                    let kind = one.1.as_ref().or(other.1.as_ref()).map(|stat| stat.file_type);
                    match (only, kind) {
                        // What has no content can't be compared with what is taken for an empty file.
                        (Some(directory), Ok(kind)) if !matches!(kind, FileType::Regular | FileType::Directory) => {
                            only_in(execution, directory, &name)
                        }
                        _ => Box::pin(self.compare(execution, one, other, (depth + 1, only.is_some()))).await,
                    }
                }
            };
            status = status.max(result);
        }
        status
    }

    async fn compare_content(&self, execution: &mut Execution, old: &Side, new: &Side, depth: usize) -> i32 {
        let mut contents = Vec::new();
        let mut status = 0;
        for (path, stat) in [old, new] {
            let content = match stat {
                Err(_) => Ok(Vec::new()),
                Ok(_) if path == b"-" => execution.read_to_end(Fd::STDIN).await,
                Ok(_) => execution.read_file(path).await,
            };
            match content {
                Ok(content) => contents.push(content),
                Err(errno) => status = fail(execution, path, errno),
            }
        }
        let [one, other] = &contents[..] else { return status };
        if one == other {
            return self.say_same(execution, &old.0, &new.0, FileType::Regular);
        }
        let is_binary = !self.parsed.has("text") && (one.contains(&0) || other.contains(&0));
        let (one, other) = (output::split(one), output::split(other));
        let changes =
            if is_binary { Vec::new() } else { self.comparison.changes(&one, &other, self.context.unwrap_or(0)) };
        if !is_binary && changes.is_empty() {
            return self.say_same(execution, &old.0, &new.0, FileType::Regular);
        }
        if is_binary || self.parsed.has("brief") {
            let what: &[u8] = if is_binary && !self.parsed.has("brief") { b"Binary files " } else { b"Files " };
            execution.print([what, &old.0, b" and ", &new.0, b" differ\n"].concat());
            return 1;
        }
        if depth > 0 {
            let names = [&quoted_if_needed(&old.0)[..], b" ", &quoted_if_needed(&new.0)].concat();
            execution.print([b"diff", &self.switches[..], b" ", &names, b"\n"].concat());
        }
        let text = match self.context {
            None => output::normal(&one, &other, &changes),
            Some(context) => {
                let head = [self.head(b"--- ", 0, &old.0), self.head(b"+++ ", 1, &new.0)].concat();
                [head, output::unified(&one, &other, &changes, context)].concat()
            }
        };
        execution.print(text);
        1
    }

    fn head(&self, mark: &[u8], side: usize, path: &[u8]) -> Vec<u8> {
        match self.labels.get(side) {
            Some(label) => [mark, label, b"\n"].concat(),
            None => [mark, path, b"\t", EPOCH.as_bytes(), b"\n"].concat(),
        }
    }
}

fn only_in(execution: &mut Execution, directory: &[u8], name: &[u8]) -> i32 {
    execution.print([b"Only in ", directory, b": ", name, b"\n"].concat());
    1
}

fn fail(execution: &mut Execution, path: &[u8], errno: Errno) -> i32 {
    execution.report([path, b": ", errno.description().as_bytes()].concat());
    2
}
