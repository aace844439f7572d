//! What a program of awk consists of.

use std::rc::Rc;

/// A variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    Global(usize),
    /// A parameter of the function.
    Local(usize),
}

/// An operator of arithmetic, which may be part of an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
}

/// A function that awk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Builtin {
    Atan2,
    Close,
    Cos,
    Exp,
    Fflush,
    Gsub,
    Index,
    Int,
    Length,
    Log,
    Match,
    Rand,
    Sin,
    Split,
    Sprintf,
    Sqrt,
    Srand,
    Sub,
    Substr,
    System,
    Tolower,
    Toupper,
}

/// Where something is read from, or written to.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The input of the program.
    Main,
    File(Box<Expression>),
    Command(Box<Expression>),
}

#[derive(Clone, Debug)]
pub(super) enum Target {
    File(Expression),
    Append(Expression),
    Command(Expression),
}

#[derive(Clone, Debug)]
pub(super) enum Expression {
    Number(f64),
    String(Rc<[u8]>),
    /// A regular expression, by its number; alone, it is matched with the record.
    Pattern(usize),
    Variable(Variable),
    Field(Box<Expression>),
    Element(Variable, Vec<Expression>),
    Assign(Option<Arithmetic>, Box<Expression>, Box<Expression>),
    Conditional(Box<Expression>, Box<Expression>, Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    Positive(Box<Expression>),
    Arithmetic(Arithmetic, Box<Expression>, Box<Expression>),
    Comparison(Comparison, Box<Expression>, Box<Expression>),
    Concatenation(Box<Expression>, Box<Expression>),
    /// The first value is whether it is `!~`.
    Match(bool, Box<Expression>, Box<Expression>),
    In(Vec<Expression>, Variable),
    Increment {
        target: Box<Expression>,
        by: f64,
        is_prefix: bool,
    },
    /// Several in parentheses, before `in` or after `print`.
    List(Vec<Expression>),
    Parentheses(Box<Expression>),
    Call(usize, Vec<Expression>),
    Builtin(Builtin, Vec<Expression>),
    Getline(Source, Option<Box<Expression>>),
}

#[derive(Clone, Debug)]
pub(super) enum Statement {
    Expression(Expression),
    Print(Vec<Expression>, Option<Target>),
    Printf(Vec<Expression>, Option<Target>),
    Block(Vec<Statement>),
    If(Expression, Box<Statement>, Option<Box<Statement>>),
    While(Expression, Box<Statement>),
    DoWhile(Box<Statement>, Expression),
    For(Option<Box<Statement>>, Option<Expression>, Option<Box<Statement>>, Box<Statement>),
    ForIn(Variable, Variable, Box<Statement>),
    Break,
    Continue,
    Next,
    NextFile,
    Exit(Option<Expression>),
    Return(Option<Expression>),
    Delete(Variable, Option<Vec<Expression>>),
}

#[derive(Clone, Debug)]
pub(super) enum Pattern {
    Always,
    Expression(Expression),
    Range(Expression, Expression),
}

/// A function of the program.
#[derive(Clone, Debug, Default)]
pub(super) struct Function {
    pub(super) name: Vec<u8>,
    pub(super) parameters: usize,
    /// Which parameters are arrays.
    pub(super) arrays: Vec<bool>,
    pub(super) body: Vec<Statement>,
    pub(super) is_defined: bool,
}

/// A program.
#[derive(Default)]
pub(super) struct Program {
    pub(super) begin: Vec<Statement>,
    pub(super) rules: Vec<(Pattern, Option<Vec<Statement>>)>,
    pub(super) end: Vec<Statement>,
    pub(super) has_end: bool,
    pub(super) functions: Vec<Function>,
    pub(super) globals: Vec<Vec<u8>>,
    pub(super) patterns: Vec<Rc<[u8]>>,
}

/// The variables that awk knows, in the order of their numbers.
pub(super) const SPECIAL: &[&str] = &[
    "NF", "NR", "FNR", "FS", "OFS", "RS", "ORS", "FILENAME", "SUBSEP", "RSTART", "RLENGTH", "CONVFMT", "OFMT",
    "ENVIRON", "ARGC", "ARGV",
];

/// Numbers of such variables.
pub(super) mod special {
    pub(in super::super) const NF: usize = 0;
    pub(in super::super) const NR: usize = 1;
    pub(in super::super) const FNR: usize = 2;
    pub(in super::super) const FS: usize = 3;
    pub(in super::super) const OFS: usize = 4;
    pub(in super::super) const RS: usize = 5;
    pub(in super::super) const ORS: usize = 6;
    pub(in super::super) const FILENAME: usize = 7;
    pub(in super::super) const SUBSEP: usize = 8;
    pub(in super::super) const RSTART: usize = 9;
    pub(in super::super) const RLENGTH: usize = 10;
    pub(in super::super) const CONVFMT: usize = 11;
    pub(in super::super) const OFMT: usize = 12;
    pub(in super::super) const ENVIRON: usize = 13;
    pub(in super::super) const ARGC: usize = 14;
    pub(in super::super) const ARGV: usize = 15;
}
