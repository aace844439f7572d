//! Choices from the bytes of an input.

use arbitrary::Unstructured;

/// What is left of an input. When it is at its end, every choice is the first.
pub(crate) struct Choices<'a>(Unstructured<'a>);

impl<'a> Choices<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self(Unstructured::new(input))
    }

    /// Whether the input is used up.
    pub(crate) fn are_over(&self) -> bool {
        self.0.is_empty()
    }

    /// A byte, 0 at the end.
    pub(crate) fn byte(&mut self) -> u8 {
        self.0.arbitrary().unwrap_or(0)
    }

    /// A number below `end`, of one byte.
    pub(crate) fn below(&mut self, end: u8) -> u8 {
        self.byte() % end.max(1)
    }

    /// One of a few.
    pub(crate) fn one_of<T: Copy, const N: usize>(&mut self, choices: &[T; N]) -> T {
        const { assert!(N > 0 && N <= 256, "a choice is a byte") };
        choices[usize::from(self.byte()) % N]
    }

    /// Yes or no.
    pub(crate) fn bit(&mut self) -> bool {
        self.byte() & 1 == 1
    }
}
