//! What a regular expression consists of.

pub(super) use regex_syntax::hir::Look;

/// Whose rules a pattern follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Basic regular expressions, with the additions of GNU: `\|`, `\+`, `\?`, `\w`, `\<` ...
    Basic,
    /// Extended ones, with back-references and `\w`, `\<` ...
    Extended,
    /// Those of mawk: extended without intervals, with the escapes of strings, also in brackets.
    Awk,
}

/// How a pattern is to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syntax {
    /// Whose rules.
    pub(crate) flavor: Flavor,
    /// Letters match those of the other case, too.
    pub(crate) ignores_case: bool,
    /// `^` and `$` match at the lines of a text, too.
    pub(crate) has_lines: bool,
    /// A `)` without a `(` is itself, and nothing can be repeated: grep -E is lenient, sed -E is not.
    pub(crate) is_lenient: bool,
}

impl Syntax {
    /// A flavor, and nothing else.
    pub(crate) const fn new(flavor: Flavor) -> Self {
        Self { flavor, ignores_case: false, has_lines: false, is_lenient: false }
    }
}

/// What is wrong with a pattern: the words of regerror(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("Unmatched [, [^, [:, [., or [=")]
    UnmatchedBracket,
    #[error("Unmatched ( or \\(")]
    UnmatchedOpening,
    #[error("Unmatched ) or \\)")]
    UnmatchedClosing,
    #[error("Unmatched \\{{")]
    UnmatchedBrace,
    #[error("Invalid content of \\{{\\}}")]
    BadInterval,
    /// A `[` at the very end.
    #[error("Invalid regular expression")]
    Invalid,
    #[error("Invalid range end")]
    BadRange,
    #[error("Invalid character class name")]
    BadClass,
    #[error("Invalid collation character")]
    BadCollation,
    #[error("Trailing backslash")]
    TrailingBackslash,
    #[error("Invalid preceding regular expression")]
    NothingToRepeat,
    #[error("Invalid back reference")]
    BadBackReference,
    #[error("Regular expression too big")]
    TooBig,
    /// The search with back-references took too many steps.
    #[error("Memory exhausted")]
    TooHard,
}

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    pub(super) fn single(byte: u8) -> Self {
        let mut set = Self::default();
        set.insert(byte);
        set
    }

    pub(super) fn matching(predicate: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::default();
        (0..=u8::MAX).filter(|byte| predicate(*byte)).for_each(|byte| set.insert(byte));
        set
    }

    pub(super) fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte / 64)) {
            *word |= 1 << (byte % 64);
        }
    }

    pub(super) fn union(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte / 64)).is_some_and(|word| word & (1 << (byte % 64)) != 0)
    }

    pub(super) fn negate(&mut self) {
        self.0.iter_mut().for_each(|word| *word = !*word);
    }

    /// Letters of both cases where there is one.
    pub(super) fn fold(&mut self) {
        let set = *self;
        *self = Self::matching(|byte| {
            set.contains(byte) || set.contains(byte.to_ascii_lowercase()) || set.contains(byte.to_ascii_uppercase())
        });
    }

    pub(super) fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).filter(|byte| self.contains(*byte))
    }
}

/// A part of a regular expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Empty,
    Byte(ByteSet),
    Concatenation(Vec<Node>),
    Alternation(Vec<Node>),
    Repetition { node: Box<Node>, minimum: u32, maximum: Option<u32> },
    Group(Box<Node>, usize),
    Look(Look),
    BackReference(usize),
}

/// Whether a byte is part of a word for `\<` and its like.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
