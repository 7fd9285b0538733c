//! Which samples of an agent were seen already: at-least-once becomes once.

use muster_protocol::id::Token;
use muster_protocol::stats::Batch;
use std::collections::VecDeque;
use std::ops::Range;

/// Starts of an agent that are told apart; of an older one all counts as seen.
const BOOTS_MAX: usize = 4;
/// Gaps that are remembered of one start; the oldest are then taken as seen.
const RANGES_MAX: usize = 64;

/// The numbers seen, by the agent's start.
#[derive(Default)]
pub(crate) struct Seen {
    /// The newest last. The ranges are apart from each other, in order.
    boots: VecDeque<(Token, Vec<Range<u64>>)>,
}

pub(crate) fn numbers(batch: &Batch) -> Range<u64> {
    batch.seq..batch.seq.saturating_add(batch.samples() as u64)
}

impl Seen {
    /// Whether all samples of a batch were seen.
    pub(crate) fn covers(&self, batch: &Batch) -> bool {
        let numbers = numbers(batch);
        self.ranges(&batch.boot)
            .iter()
            .any(|range| range.start <= numbers.start && numbers.end <= range.end)
    }

    /// Whether the sample with this number was seen.
    pub(crate) fn has(&self, boot: &Token, number: u64) -> bool {
        self.ranges(boot).iter().any(|range| range.contains(&number))
    }

    /// Remembers the samples of a batch.
    pub(crate) fn insert(&mut self, batch: &Batch) {
        let at = match self.boots.iter().position(|(boot, _)| *boot == batch.boot) {
            Some(at) => at,
            None => {
                self.boots.push_back((batch.boot.clone(), Vec::new()));
                if self.boots.len() > BOOTS_MAX {
                    self.boots.pop_front();
                }
                self.boots.len() - 1
            }
        };
        add(&mut self.boots[at].1, numbers(batch));
    }

    fn ranges(&self, boot: &Token) -> &[Range<u64>] {
        self.boots.iter().find(|(known, _)| known == boot).map_or(&[], |(_, ranges)| ranges)
    }
}

/// Adds a range and joins it with those that it touches.
fn add(ranges: &mut Vec<Range<u64>>, mut new: Range<u64>) {
    ranges.retain(|range| {
        let touches = range.start <= new.end && new.start <= range.end;
        if touches {
            new = range.start.min(new.start)..range.end.max(new.end);
        }
        !touches
    });
    let at = ranges.partition_point(|range| range.start < new.start);
    ranges.insert(at, new);
    if ranges.len() > RANGES_MAX {
        ranges[1].start = ranges[0].start;
        ranges.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn ranges_hold_what_was_added_and_nothing_else(
            all in prop::collection::vec((0u64..60, 1u64..5), 0..20)
        ) {
            let (mut ranges, mut expected) = (Vec::new(), BTreeSet::new());
            for (start, length) in all {
                add(&mut ranges, start..start + length);
                expected.extend(start..start + length);
            }
            let found: Vec<u64> = ranges.iter().cloned().flatten().collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
            prop_assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }

    #[test]
    fn gaps_are_bounded() {
        let mut ranges = Vec::new();
        (0..1000).for_each(|n| add(&mut ranges, n * 2..n * 2 + 1));
        assert_eq!(ranges.len(), RANGES_MAX);
        assert_eq!(ranges.last(), Some(&(1998..1999)));
    }
}
