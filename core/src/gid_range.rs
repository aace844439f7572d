//! Ranges of group ids.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// A range of group ids, its first and its last included. It is displayed as `10000-20000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GidRange {
    first: u32,
    last: u32,
}

/// What can't be a range of gids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGidRange {
    /// The text is none.
    #[error("{0:?} is no range of gids; write its first and its last one, as in 10000-20000")]
    Syntax(String),
    /// It begins with root's group.
    #[error("a range of gids cannot begin with 0, which is root's group")]
    Root,
    /// It ends with what is no gid.
    #[error("a range of gids cannot end with {max}, which as a gid means none (chown(2))", max = u32::MAX)]
    NoGid,
    /// The wrong way round.
    #[error("the range of gids {first}-{last} is empty: its first gid is greater than its last one")]
    Empty {
        /// The first.
        first: u32,
        /// The last.
        last: u32,
    },
}

impl GidRange {
    /// The gids from `first` to `last`, both included.
    ///
    /// # Errors
    ///
    /// If `first` is greater than `last`, or the range contains 0 or `u32::MAX`.
    pub fn new(first: u32, last: u32) -> Result<Self, InvalidGidRange> {
        if first > last {
            return Err(InvalidGidRange::Empty { first, last });
        }
        if first == 0 {
            return Err(InvalidGidRange::Root);
        }
        if last == u32::MAX {
            return Err(InvalidGidRange::NoGid);
        }
        Ok(Self { first, last })
    }

    /// The first.
    pub fn first(self) -> u32 {
        self.first
    }

    /// The last.
    pub fn last(self) -> u32 {
        self.last
    }

    /// How many there are.
    pub fn count(self) -> u32 {
        self.last - self.first + 1
    }

    /// Whether a gid is one of them.
    pub fn contains(self, gid: u32) -> bool {
        self.gids().contains(&gid)
    }

    /// All of them, ascending.
    pub fn gids(self) -> RangeInclusive<u32> {
        self.first..=self.last
    }
}

impl fmt::Display for GidRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for GidRange {
    type Err = InvalidGidRange;

    /// `10000-20000`, or `[10000-20000]`, as the flag of Mesos has it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        let gids = inner.split_once('-').and_then(|(first, last)| Some((gid(first)?, gid(last)?)));
        let (first, last) = gids.ok_or_else(|| InvalidGidRange::Syntax(text.into()))?;
        Self::new(first, last)
    }
}

/// Only digits: `parse` alone would take a sign.
fn gid(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10000-20000", 10000, 20000, 10001)]
    #[case("[10000-20000]", 10000, 20000, 10001)]
    #[case("7-7", 7, 7, 1)]
    #[case("1-4294967294", 1, 4_294_967_294, 4_294_967_294)]
    fn text_that_is_a_range(#[case] text: &str, #[case] first: u32, #[case] last: u32, #[case] count: u32) {
        let range: GidRange = text.parse().unwrap();
        assert_eq!((range.first(), range.last(), range.count()), (first, last, count));
        assert!(range.contains(first) && range.contains(last));
        assert!(!range.contains(first - 1) && !range.contains(last + 1));
        assert_eq!(range.to_string().parse(), Ok(range));
    }

    #[rstest]
    #[case("")]
    #[case("10000")]
    #[case("10000-")]
    #[case("-20000")]
    #[case("[10000-20000")]
    #[case("10000-20000]")]
    #[case("[1-2,3-4]")]
    #[case("1-+2")]
    #[case("1 - 2")]
    #[case("1-4294967296")]
    #[case("a-b")]
    fn text_that_is_none(#[case] text: &str) {
        let error = text.parse::<GidRange>().unwrap_err();
        assert_eq!(error, InvalidGidRange::Syntax(text.into()));
        assert!(error.to_string().contains("as in 10000-20000"), "{error}");
    }

    #[rstest]
    #[case(0, 5, InvalidGidRange::Root)]
    #[case(0, 0, InvalidGidRange::Root)]
    #[case(5, u32::MAX, InvalidGidRange::NoGid)]
    #[case(6, 5, InvalidGidRange::Empty { first: 6, last: 5 })]
    fn gids_that_are_no_range(#[case] first: u32, #[case] last: u32, #[case] expected: InvalidGidRange) {
        assert_eq!(GidRange::new(first, last), Err(expected.clone()));
        assert_eq!(format!("{first}-{last}").parse::<GidRange>(), Err(expected));
    }
}
