//! How the arguments of a call are recorded, and lent from a record.

use typed_path::UnixPath;

use super::bytes::Bytes;

/// An argument of a method of [`Kernel`](super::Kernel), which can be recorded as the `R` of a [`Call`](super::Call), and lent
/// from it again.
pub trait Argument<'a, R> {
    /// As it stands in a call that is data.
    fn record(&self) -> R;

    /// As a method takes it.
    fn lend(recorded: &'a R) -> Self;
}

impl<R: Copy> Argument<'_, R> for R {
    fn record(&self) -> R {
        *self
    }

    fn lend(recorded: &R) -> Self {
        *recorded
    }
}

impl<'a> Argument<'a, Bytes> for &'a UnixPath {
    fn record(&self) -> Bytes {
        Bytes::from(*self)
    }

    fn lend(recorded: &'a Bytes) -> Self {
        recorded.as_path()
    }
}

impl<'a> Argument<'a, Bytes> for &'a [u8] {
    fn record(&self) -> Bytes {
        Bytes::from(*self)
    }

    fn lend(recorded: &'a Bytes) -> Self {
        &recorded.0
    }
}

impl<'a, T: Argument<'a, Bytes>> Argument<'a, Option<Bytes>> for Option<T> {
    fn record(&self) -> Option<Bytes> {
        self.as_ref().map(Argument::record)
    }

    fn lend(recorded: &'a Option<Bytes>) -> Self {
        recorded.as_ref().map(Argument::lend)
    }
}

impl<'a, T: Clone> Argument<'a, Vec<T>> for &'a [T] {
    fn record(&self) -> Vec<T> {
        self.to_vec()
    }

    fn lend(recorded: &'a Vec<T>) -> Self {
        recorded
    }
}

/// Structures that are passed by reference.
impl<'a, T: Clone> Argument<'a, T> for &'a T {
    fn record(&self) -> T {
        (*self).clone()
    }

    fn lend(recorded: &'a T) -> Self {
        recorded
    }
}
