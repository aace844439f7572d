//! What grep was asked for.

use crate::getopt::{Opt, Order, Takes, option, parse as getopt};

/// How patterns are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    Basic,
    Extended,
    Fixed,
}

/// What is printed of the lines that are selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Lines,
    /// `-o`
    Matches,
    /// `-c`
    Count,
    /// `-l`
    FilesWith,
    /// `-L`
    FilesWithout,
    /// `-q`
    Nothing,
}

/// What is done with a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directories {
    Read,
    Skip,
    /// `-r`; the value is whether symbolic links are followed (`-R`).
    Recurse(bool),
}

/// What is done with a file that has NUL bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Report,
    Text,
    Skip,
}

/// Options and operands.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "grep has as many switches")]
pub(super) struct Options {
    pub(super) grammar: Grammar,
    pub(super) patterns: Vec<Vec<u8>>,
    pub(super) pattern_files: Vec<Vec<u8>>,
    pub(super) files: Vec<Vec<u8>>,
    pub(super) ignores_case: bool,
    pub(super) selects_others: bool,
    pub(super) whole_words: bool,
    pub(super) whole_lines: bool,
    pub(super) output: Output,
    pub(super) names: Option<bool>,
    pub(super) line_numbers: bool,
    pub(super) byte_offsets: bool,
    pub(super) flushes_lines: bool,
    pub(super) is_silent: bool,
    pub(super) label: Vec<u8>,
    pub(super) limit: Option<u64>,
    pub(super) before: u64,
    pub(super) after: u64,
    pub(super) separator: Option<Vec<u8>>,
    pub(super) delimiter: u8,
    /// What follows a name: a NUL with `-Z`.
    pub(super) null_names: bool,
    pub(super) directories: Directories,
    pub(super) binary: Binary,
    pub(super) shows_version: bool,
    pub(super) included: Vec<Vec<u8>>,
    pub(super) excluded: Vec<Vec<u8>>,
    pub(super) excluded_directories: Vec<Vec<u8>>,
}

/// Why grep does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// With a reminder of the usage; the message may be empty.
    Usage(Vec<u8>),
    Message(Vec<u8>),
    /// An argument that is none of some words: the usage, and the exit status 1.
    Argument(Vec<u8>),
}

const KNOWN: &[Opt] = &[
    option("0", '0', "", Takes::Nothing),
    option("1", '1', "", Takes::Nothing),
    option("2", '2', "", Takes::Nothing),
    option("3", '3', "", Takes::Nothing),
    option("4", '4', "", Takes::Nothing),
    option("5", '5', "", Takes::Nothing),
    option("6", '6', "", Takes::Nothing),
    option("7", '7', "", Takes::Nothing),
    option("8", '8', "", Takes::Nothing),
    option("9", '9', "", Takes::Nothing),
    option("after", 'A', "after-context", Takes::Argument),
    option("before", 'B', "before-context", Takes::Argument),
    option("context", 'C', "context", Takes::Argument),
    option("extended", 'E', "extended-regexp", Takes::Nothing),
    option("fixed", 'F', "fixed-strings", Takes::Nothing),
    option("basic", 'G', "basic-regexp", Takes::Nothing),
    option("perl", 'P', "perl-regexp", Takes::Nothing),
    option("with-filename", 'H', "with-filename", Takes::Nothing),
    option("no-filename", 'h', "no-filename", Takes::Nothing),
    option("skip-binary", 'I', "", Takes::Nothing),
    option("without", 'L', "files-without-match", Takes::Nothing),
    option("with", 'l', "files-with-matches", Takes::Nothing),
    option("dereference", 'R', "dereference-recursive", Takes::Nothing),
    option("recursive", 'r', "recursive", Takes::Nothing),
    option("tab", 'T', "initial-tab", Takes::Nothing),
    option("nothing", 'U', "binary", Takes::Nothing),
    option("version", 'V', "version", Takes::Nothing),
    option("null", 'Z', "null", Takes::Nothing),
    option("text", 'a', "text", Takes::Nothing),
    option("byte-offset", 'b', "byte-offset", Takes::Nothing),
    option("count", 'c', "count", Takes::Nothing),
    option("directories", 'd', "directories", Takes::Argument),
    option("devices", 'D', "devices", Takes::Argument),
    option("regexp", 'e', "regexp", Takes::Argument),
    option("file", 'f', "file", Takes::Argument),
    option("ignore-case", 'i', "ignore-case", Takes::Nothing),
    option("ignore-case", 'y', "", Takes::Nothing),
    option("no-ignore-case", '\0', "no-ignore-case", Takes::Nothing),
    option("max-count", 'm', "max-count", Takes::Argument),
    option("line-number", 'n', "line-number", Takes::Nothing),
    option("only-matching", 'o', "only-matching", Takes::Nothing),
    option("quiet", 'q', "quiet", Takes::Nothing),
    option("quiet", '\0', "silent", Takes::Nothing),
    option("no-messages", 's', "no-messages", Takes::Nothing),
    option("invert", 'v', "invert-match", Takes::Nothing),
    option("word", 'w', "word-regexp", Takes::Nothing),
    option("line", 'x', "line-regexp", Takes::Nothing),
    option("null-data", 'z', "null-data", Takes::Nothing),
    option("line-buffered", '\0', "line-buffered", Takes::Nothing),
    option("label", '\0', "label", Takes::Argument),
    option("color", '\0', "color", Takes::Optional),
    option("color", '\0', "colour", Takes::Optional),
    option("binary-files", '\0', "binary-files", Takes::Argument),
    option("group-separator", '\0', "group-separator", Takes::Argument),
    option("no-group-separator", '\0', "no-group-separator", Takes::Nothing),
    option("include", '\0', "include", Takes::Argument),
    option("exclude", '\0', "exclude", Takes::Argument),
    option("exclude-dir", '\0', "exclude-dir", Takes::Argument),
];

/// What is found out on the way.
#[derive(Default)]
struct Found {
    matches_only: bool,
    count: bool,
    files: Option<Output>,
    quiet: bool,
    context: Option<u64>,
    digits: Vec<u8>,
    before: Option<u64>,
    after: Option<u64>,
    grammar: Option<Grammar>,
}

pub(super) fn parse(grammar: Grammar, arguments: &[Vec<u8>]) -> Result<Options, Refusal> {
    let parsed = getopt(KNOWN, Order::Permute, arguments).map_err(Refusal::Usage)?;
    let mut options = Options {
        grammar,
        patterns: Vec::new(),
        pattern_files: Vec::new(),
        files: parsed.operands.clone(),
        ignores_case: false,
        selects_others: false,
        whole_words: false,
        whole_lines: false,
        output: Output::Lines,
        names: None,
        line_numbers: false,
        byte_offsets: false,
        flushes_lines: false,
        is_silent: false,
        label: b"(standard input)".to_vec(),
        limit: None,
        before: 0,
        after: 0,
        separator: Some(b"--".to_vec()),
        delimiter: b'\n',
        null_names: false,
        directories: Directories::Read,
        binary: Binary::Report,
        shows_version: false,
        included: Vec::new(),
        excluded: Vec::new(),
        excluded_directories: Vec::new(),
    };
    let mut found = Found::default();
    for (id, value) in &parsed.options {
        take(&mut options, &mut found, id, value.as_deref().unwrap_or_default())?;
    }
    finish(&mut options, &found, &parsed)?;
    Ok(options)
}

fn take(options: &mut Options, found: &mut Found, id: &'static str, value: &[u8]) -> Result<(), Refusal> {
    match id {
        "extended" => set_grammar(found, Grammar::Extended)?,
        "fixed" => set_grammar(found, Grammar::Fixed)?,
        "basic" => set_grammar(found, Grammar::Basic)?,
        "perl" => return Err(Refusal::Message(b"option '-P' is not simulated".to_vec())),
        "tab" => return Err(Refusal::Message(b"option '-T' is not simulated".to_vec())),
        "regexp" => options.patterns.extend(value.split(|byte| *byte == b'\n').map(<[u8]>::to_vec)),
        "file" => options.pattern_files.push(value.to_vec()),
        "ignore-case" => options.ignores_case = true,
        "no-ignore-case" => options.ignores_case = false,
        "invert" => options.selects_others = true,
        "word" => options.whole_words = true,
        "line" => options.whole_lines = true,
        "with-filename" => options.names = Some(true),
        "no-filename" => options.names = Some(false),
        "line-number" => options.line_numbers = true,
        "byte-offset" => options.byte_offsets = true,
        "line-buffered" => options.flushes_lines = true,
        "no-messages" => options.is_silent = true,
        "label" => options.label = value.to_vec(),
        "null" => options.null_names = true,
        "null-data" => options.delimiter = 0,
        "text" => options.binary = Binary::Text,
        "skip-binary" => options.binary = Binary::Skip,
        "version" => options.shows_version = true,
        "recursive" => options.directories = Directories::Recurse(false),
        "dereference" => options.directories = Directories::Recurse(true),
        "group-separator" => options.separator = Some(value.to_vec()),
        "no-group-separator" => options.separator = None,
        "include" => options.included.push(value.to_vec()),
        "exclude" => options.excluded.push(value.to_vec()),
        "exclude-dir" => options.excluded_directories.push(value.to_vec()),
        "directories" => options.directories = directories(value)?,
        "binary-files" => options.binary = binary(value)?,
        "max-count" => options.limit = Some(number(value).ok_or_else(|| message("invalid max count"))?),
        "color" => color(value)?,
        "devices" => return Err(Refusal::Message(b"option '-D' is not simulated".to_vec())),
        _ => take_output(found, id, value)?,
    }
    Ok(())
}

fn take_output(found: &mut Found, id: &'static str, value: &[u8]) -> Result<(), Refusal> {
    let context =
        || number(value).ok_or_else(|| Refusal::Message([value, b": invalid context length argument"].concat()));
    match id {
        "only-matching" => found.matches_only = true,
        "count" => found.count = true,
        "with" => found.files = Some(Output::FilesWith),
        "without" => found.files = Some(Output::FilesWithout),
        "quiet" => found.quiet = true,
        "after" => found.after = Some(context()?),
        "before" => found.before = Some(context()?),
        "context" => found.context = Some(context()?),
        digit if digit.as_bytes().first().is_some_and(u8::is_ascii_digit) => {
            found.digits.extend_from_slice(digit.as_bytes());
            found.context = number(&found.digits);
        }
        _ => {}
    }
    Ok(())
}

fn finish(options: &mut Options, found: &Found, parsed: &crate::getopt::Parsed) -> Result<(), Refusal> {
    if let Some(grammar) = found.grammar {
        options.grammar = grammar;
    }
    options.output = match found.files {
        _ if found.quiet => Output::Nothing,
        Some(output) => output,
        None if found.count => Output::Count,
        None if found.matches_only => Output::Matches,
        None => Output::Lines,
    };
    let context = found.context.unwrap_or(0);
    options.before = found.before.unwrap_or(context);
    options.after = found.after.unwrap_or(context);
    if options.output == Output::Matches {
        (options.before, options.after) = (0, 0);
    }
    if options.shows_version {
        return Ok(());
    }
    if !parsed.has("regexp") && !parsed.has("file") {
        if options.files.is_empty() {
            return Err(Refusal::Usage(Vec::new()));
        }
        let patterns = options.files.remove(0);
        options.patterns = patterns.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    }
    if options.files.is_empty() {
        let is_recursive = matches!(options.directories, Directories::Recurse(_));
        options.files.push(if is_recursive { b".".to_vec() } else { b"-".to_vec() });
        // Names below the working directory are not preceded by it: an empty name stands for it.
        if is_recursive {
            options.files = vec![Vec::new()];
        }
    }
    Ok(())
}

fn set_grammar(found: &mut Found, grammar: Grammar) -> Result<(), Refusal> {
    match found.grammar.replace(grammar) {
        Some(other) if other != grammar => Err(message("conflicting matchers specified")),
        _ => Ok(()),
    }
}

fn message(text: &str) -> Refusal {
    Refusal::Message(text.as_bytes().to_vec())
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

fn directories(value: &[u8]) -> Result<Directories, Refusal> {
    match value {
        b"read" => Ok(Directories::Read),
        b"skip" => Ok(Directories::Skip),
        b"recurse" => Ok(Directories::Recurse(false)),
        other => Err(Refusal::Argument(
            [
                b"invalid argument '",
                other,
                b"' for '--directories'\nValid arguments are:\n  - 'read'\n  - 'recurse'\n  - 'skip'",
            ]
            .concat(),
        )),
    }
}

fn binary(value: &[u8]) -> Result<Binary, Refusal> {
    match value {
        b"binary" => Ok(Binary::Report),
        b"text" => Ok(Binary::Text),
        b"without-match" => Ok(Binary::Skip),
        _ => Err(message("unknown binary-files type")),
    }
}

/// Colors are for terminals only; the simulated machine has none.
fn color(value: &[u8]) -> Result<(), Refusal> {
    match value {
        b"" | b"auto" | b"tty" | b"if-tty" | b"never" | b"no" | b"none" => Ok(()),
        _ => Err(message("option '--color=always' is not simulated")),
    }
}
