//! Random numbers for tests that compare with a real program; the seed is printed.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "tests run where they start")]

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

/// A small generator (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    /// Seeds it with `GOCRED_TEST_SEED`, or with the time, and prints the seed.
    pub(crate) fn new() -> Self {
        let given = env::var("GOCRED_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = given.unwrap_or_else(|| u64::from(time.subsec_nanos()) ^ time.as_secs());
        println!("GOCRED_TEST_SEED={seed}");
        Self(seed)
    }

    /// Returns a number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((x ^ (x >> 31)) >> 33).unwrap_or(0) % end
    }

    /// Returns one of some.
    #[expect(clippy::indexing_slicing, reason = "the index is below the length")]
    pub(crate) fn of<'a, T: ?Sized>(&mut self, some: &[&'a T]) -> &'a T {
        some[self.below(some.len())]
    }
}

/// Returns how many random cases a test tries: `GOCRED_TEST_CASES`, or its own default.
pub(crate) fn cases(default: usize) -> usize {
    env::var("GOCRED_TEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(default)
}
