//! Random numbers, and what the environment says of a test that uses them.

/// The generator xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
pub(super) struct Random(u64);

impl Random {
    /// With the seed in `COFFERDAM_SEED`, or one that is told.
    pub(super) fn new(what: &str) -> Self {
        let seed = number("COFFERDAM_SEED").unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761) | 1;
        println!("{what}, COFFERDAM_SEED={seed}");
        Self(seed)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// An index into so many.
    pub(super) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    pub(super) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.index(all.len())]
    }
}

/// A number in the environment.
pub(super) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}
