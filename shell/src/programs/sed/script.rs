//! What a script of sed consists of.

use std::rc::Rc;

use crate::programs::regular_expression::RegularExpression;

/// A regular expression of a script; `None` is the empty one, which stands for the last one that was used.
pub(super) type Pattern = Option<Rc<RegularExpression>>;

/// A line, or where a range begins.
#[derive(Clone)]
pub(super) enum Address {
    /// A number; 0 only where a regular expression ends the range.
    Line(u64),
    /// `first~step`
    Step(u64, u64),
    /// `$`
    Last,
    Pattern(Pattern),
}

/// Where a range ends.
#[derive(Clone)]
pub(super) enum End {
    At(Address),
    /// `+N`
    Plus(u64),
    /// `~N`
    Multiple(u64),
}

/// A command with its addresses.
pub(super) struct Command {
    pub(super) start: Option<Address>,
    pub(super) end: Option<End>,
    pub(super) is_negated: bool,
    pub(super) action: Action,
}

/// What a command does.
pub(super) enum Action {
    /// `{`; where the matching `}` is.
    Block(usize),
    /// `}`, or a label.
    Nothing,
    Append(Vec<u8>),
    Insert(Vec<u8>),
    Change(Vec<u8>),
    /// `b`, `t`, `T`: where to go on.
    Branch(usize),
    BranchIfSubstituted(usize),
    BranchUnlessSubstituted(usize),
    Delete,
    DeleteLine,
    LineNumber,
    FileName,
    Get,
    GetAppend,
    Hold,
    HoldAppend,
    Exchange,
    /// `l`, with the length of lines.
    List(Option<u64>),
    Next,
    NextAppend,
    Print,
    PrintLine,
    /// `q`
    Quit(i32),
    /// `Q`
    QuitSilently(i32),
    ReadFile(Vec<u8>),
    ReadLine(Vec<u8>),
    /// `w`: the number of an output.
    Write(usize),
    WriteLine(usize),
    Substitute(Box<Substitution>),
    Translate(Box<[u8; 256]>),
    Zap,
}

/// `s`
pub(super) struct Substitution {
    pub(super) pattern: Pattern,
    pub(super) replacement: Vec<Part>,
    /// From which match on.
    pub(super) number: usize,
    pub(super) is_global: bool,
    pub(super) prints: bool,
    pub(super) output: Option<usize>,
}

/// A part of a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(Vec<u8>),
    /// A group; 0 is the whole match.
    Group(usize),
    Case(Case),
}

/// `\U` and its like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Lower,
    UpperOnce,
    LowerOnce,
    End,
}

/// A script.
#[derive(Default)]
pub(super) struct Script {
    pub(super) commands: Vec<Command>,
    /// The files that are written.
    pub(super) outputs: Vec<Vec<u8>>,
    /// The script begins with `#n`.
    pub(super) is_silent: bool,
}
