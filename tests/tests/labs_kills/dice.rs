//! Chance that comes from a seed, and so is the same in every run.

use muster_protocol::id::random;
use std::time::Duration;

/// A source of chance (SplitMix64).
#[derive(Debug)]
pub(crate) struct Dice(u64);

/// A seed of a new run; short, since people type it.
pub(crate) fn seed() -> u64 {
    u64::from(u32::from_le_bytes(random()))
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// At most so many milliseconds.
    pub(crate) fn millis(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.below(most + 1))
    }
}
