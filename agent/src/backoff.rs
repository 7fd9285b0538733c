//! How long to wait before the next try: full jitter below a doubling bound.

use std::time::Duration;

/// The bounds of a series of tries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    max: Duration,
    attempt: u32,
}

impl Backoff {
    /// The first wait is at most `first`, and none is longer than `max`.
    pub(crate) const fn new(first: Duration, max: Duration) -> Backoff {
        Backoff { first, max, attempt: 0 }
    }

    /// The wait before the next try, by 16 random bits.
    pub(crate) fn next(&mut self, random: [u8; 2]) -> Duration {
        let bound = self.first.saturating_mul(1 << self.attempt.min(20)).min(self.max);
        self.attempt = self.attempt.saturating_add(1);
        // Never less than a quarter: a whole fleet at once is bad, and so is one agent in a loop.
        let share = f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX);
        bound.mul_f64(0.25 + 0.75 * share)
    }

    /// How often it was asked since it began.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempt
    }

    /// Begins again, after a success.
    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_bound_and_begin_again() {
        let (first, max) = (Duration::from_millis(100), Duration::from_secs(30));
        let mut backoff = Backoff::new(first, max);
        assert_eq!(backoff.next([0xff; 2]), first);
        assert_eq!(backoff.next([0xff; 2]), 2 * first);
        for _ in 0..40 {
            backoff.next([0; 2]);
        }
        assert_eq!(backoff.next([0xff; 2]), max);
        assert_eq!(backoff.next([0; 2]), max / 4);
        backoff.reset();
        assert_eq!(backoff.next([0; 2]), first / 4);
    }
}
