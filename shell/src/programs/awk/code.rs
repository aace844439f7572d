//! What a program is compiled to: instructions for a machine with a stack, so that it can wait for input anywhere, and
//! that its functions are not limited by the stack of the host.

use super::syntax::{Arithmetic, Builtin, Comparison, Variable};
use super::value::Value;

/// Where a value is stored. Keys and numbers of fields are on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Variable(Variable),
    Field,
    Element(Variable),
}

/// Where a line is read from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    Main,
    File,
    Command,
}

/// Where output goes; the name is on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Destination {
    Standard,
    File,
    Append,
    Command,
}

#[derive(Clone, Debug)]
pub(super) enum Instruction {
    Push(Value),
    Pop,
    Load(Place),
    /// Stores the value on the stack, which stays.
    Assign(Option<Arithmetic>, Place),
    Increment {
        place: Place,
        by: f64,
        is_prefix: bool,
    },
    /// Joins keys.
    Key(usize),
    In(Variable),
    Arithmetic(Arithmetic),
    Compare(Comparison),
    Concatenate,
    Match {
        pattern: Option<usize>,
        is_negated: bool,
    },
    MatchRecord(usize),
    Not,
    Negative,
    Positive,
    Truth,
    Jump(usize),
    JumpIf(usize),
    JumpUnless(usize),
    /// Keeps the value if it jumps.
    JumpKeepingIf(usize),
    JumpKeepingUnless(usize),
    /// An argument that is a variable: the n-th one of this function.
    ArgumentVariable(Variable, usize, usize),
    Argument,
    Call(usize, usize),
    Return,
    Getline(Origin, Option<Place>),
    Print(usize, Destination),
    Printf(usize, Destination),
    Loop(Variable),
    LoopNext(usize),
    LoopEnd,
    Delete(Variable),
    DeleteAll(Variable),
    Builtin(Builtin, usize),
    Length(Variable),
    Split(Variable, Separator),
    Substitute {
        pattern: Option<usize>,
        place: Place,
        is_global: bool,
    },
    MatchPosition(Option<usize>),
    Range(usize),
    SetRange(usize, bool),
    PrintRecord,
    Next,
    NextFile,
    /// Whether a status is on the stack.
    Exit(bool),
    End,
}

/// What `split` splits at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Separator {
    /// `FS`
    Default,
    Pattern(usize),
    /// A string on the stack.
    Dynamic,
}

/// A compiled program.
#[derive(Default)]
pub(super) struct Code {
    pub(super) instructions: Vec<Instruction>,
    pub(super) begin: usize,
    pub(super) main: usize,
    pub(super) end: usize,
    pub(super) has_begin: bool,
    pub(super) has_main: bool,
    pub(super) has_end: bool,
    /// Where each function begins.
    pub(super) functions: Vec<usize>,
    pub(super) ranges: usize,
}
