//! Why a call fails: the rule that it met.

mod notes;
#[cfg(test)]
mod tests;

pub use notes::FailedCall;
pub(crate) use notes::Failures;

use std::fmt;

use cofferdam::kernel::Errno;

/// A rule by which a call of this kernel fails.
///
/// It is displayed as its sentence with where it stands in Linux: `the mount is shared, or its parent is (do_move_mount())`.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    errno: Errno,
    function: &'static str,
    sentence: &'static str,
}

impl Rule {
    /// A rule; used in constants, by [`fail!`], so that one that is not written as all are does not compile.
    pub(crate) const fn new(errno: Errno, function: &'static str, sentence: &'static str) -> Self {
        let (name, text) = (function.as_bytes(), sentence.as_bytes());
        assert!(matches!(name, [.., b'(', b')']), "a function of Linux, such as do_mount()");
        assert!(
            matches!(text, [.., b'a'..=b'z' | b'0'..=b'9' | b')' | b'"' | b'/' | b'A'..=b'Z']),
            "a sentence without a full stop"
        );
        Self { errno, function, sentence }
    }

    /// The error number that the call gives.
    pub fn errno(&self) -> Errno {
        self.errno
    }

    /// The function of Linux 6.18 in which the rule stands, such as `do_move_mount()`.
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// What is so that it forbids the call: a sentence without a capital letter and full stop.
    pub fn sentence(&self) -> &'static str {
        self.sentence
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.sentence, self.function)
    }
}

/// That a call failed, and by which rule.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure(&'static Rule);

impl Failure {
    /// What [`fail!`] makes.
    pub(crate) const fn new(rule: &'static Rule) -> Self {
        Self(rule)
    }

    pub(crate) fn rule(self) -> &'static Rule {
        self.0
    }

    pub(crate) fn errno(self) -> Errno {
        self.0.errno
    }

    pub(crate) fn is(self, errno: Errno) -> bool {
        self.0.errno == errno
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.0.errno, self.0)
    }
}

/// A [`Failure`] by a rule: its error number, the function of Linux in which it stands, and what it says.
macro_rules! fail {
    ($errno:ident, $function:literal, $sentence:literal) => {{
        const RULE: &$crate::failure::Rule =
            &$crate::failure::Rule::new(::cofferdam::kernel::Errno::$errno, $function, $sentence);
        $crate::failure::Failure::new(RULE)
    }};
}
pub(crate) use fail;
