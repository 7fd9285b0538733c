//! How Python's difflib pairs the lines of two texts, so that our diffs are the same as Salt's.
//!
//! It takes the longest run of equal lines (the first of several), then does the same on both
//! sides of it. In long texts a line that stands in more than one of a hundred places
//! starts no run.

use std::collections::HashMap;
use std::ops::Range;

/// Lines from which on lines that are too common start no run.
const POPULAR_FROM: usize = 200;
/// Comparisons after which the rest counts as replaced: a limit against texts made to be slow.
const STEPS_MAX: usize = 200_000_000;

/// A stretch of both texts: equal in both, or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) equal: bool,
    pub(super) old: Range<usize>,
    pub(super) new: Range<usize>,
}

/// All stretches of two texts, in order.
pub(super) fn stretches(old: &[&str], new: &[&str]) -> Vec<Stretch> {
    let mut out = Vec::new();
    let (mut old_at, mut new_at) = (0, 0);
    let mut blocks = Matcher::of(old, new).blocks();
    blocks.push((old.len(), new.len(), 0));
    for (old_from, new_from, len) in blocks {
        if old_at < old_from || new_at < new_from {
            out.push(Stretch { equal: false, old: old_at..old_from, new: new_at..new_from });
        }
        (old_at, new_at) = (old_from + len, new_from + len);
        if len > 0 {
            out.push(Stretch { equal: true, old: old_from..old_at, new: new_from..new_at });
        }
    }
    out
}

/// Hunks with three equal lines around what differs, as `get_grouped_opcodes`.
pub(super) fn hunks(old: &[&str], new: &[&str]) -> Vec<Vec<Stretch>> {
    const AROUND: usize = 3;
    let mut all = stretches(old, new);
    if let Some(first) = all.first_mut().filter(|first| first.equal) {
        let skip = first.old.len().saturating_sub(AROUND);
        first.old.start += skip;
        first.new.start += skip;
    }
    if let Some(last) = all.last_mut().filter(|last| last.equal) {
        let skip = last.old.len().saturating_sub(AROUND);
        last.old.end -= skip;
        last.new.end -= skip;
    }
    let mut groups = Vec::new();
    let mut group: Vec<Stretch> = Vec::new();
    for stretch in all {
        if stretch.equal && stretch.old.len() > 2 * AROUND {
            let (old, new) = (stretch.old.clone(), stretch.new.clone());
            let end = |range: &Range<usize>| range.start..range.start + AROUND;
            group.push(Stretch { equal: true, old: end(&old), new: end(&new) });
            groups.push(std::mem::take(&mut group));
            let start = |range: &Range<usize>| range.end - AROUND..range.end;
            group.push(Stretch { equal: true, old: start(&old), new: start(&new) });
        } else {
            group.push(stretch);
        }
    }
    groups.push(group);
    groups.retain(|group| group.iter().any(|stretch| !stretch.equal));
    groups
}

struct Matcher<'t> {
    old: &'t [&'t str],
    new: &'t [&'t str],
    /// Where each line of `new` stands, without those that are too common.
    places: HashMap<&'t str, Vec<usize>>,
    steps: usize,
}

impl<'t> Matcher<'t> {
    fn of(old: &'t [&'t str], new: &'t [&'t str]) -> Matcher<'t> {
        let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, line) in new.iter().enumerate() {
            places.entry(line).or_default().push(at);
        }
        if new.len() >= POPULAR_FROM {
            let most = new.len() / 100 + 1;
            places.retain(|_, at| at.len() <= most);
        }
        Matcher { old, new, places, steps: 0 }
    }

    /// Equal runs, in order, those that touch joined.
    fn blocks(mut self) -> Vec<(usize, usize, usize)> {
        let mut todo = vec![(0..self.old.len(), 0..self.new.len())];
        let mut found = Vec::new();
        while let Some((old, new)) = todo.pop() {
            let (i, j, len) = self.longest(&old, &new);
            if len == 0 {
                continue;
            }
            found.push((i, j, len));
            if old.start < i && new.start < j {
                todo.push((old.start..i, new.start..j));
            }
            if i + len < old.end && j + len < new.end {
                todo.push((i + len..old.end, j + len..new.end));
            }
        }
        found.sort_unstable();
        let mut out: Vec<(usize, usize, usize)> = Vec::new();
        for (i, j, len) in found {
            match out.last_mut() {
                Some(last) if (last.0 + last.2, last.1 + last.2) == (i, j) => last.2 += len,
                _ => out.push((i, j, len)),
            }
        }
        out
    }

    /// The longest equal run; the first in `old` of several, then the first in `new`.
    fn longest(&mut self, old: &Range<usize>, new: &Range<usize>) -> (usize, usize, usize) {
        let (mut i, mut j, mut len) = (old.start, new.start, 0);
        // The length of the run that ends at each line of `new`.
        let mut runs: HashMap<usize, usize> = HashMap::new();
        for at in old.clone() {
            let mut next = HashMap::new();
            let places = self.places.get(self.old[at]).map_or(&[][..], Vec::as_slice);
            self.steps += places.len();
            if self.steps > STEPS_MAX {
                break;
            }
            for &place in places.iter().filter(|place| new.contains(place)) {
                let before = place.checked_sub(1).and_then(|before| runs.get(&before));
                let run = before.copied().unwrap_or(0) + 1;
                next.insert(place, run);
                if run > len {
                    (i, j, len) = (at + 1 - run, place + 1 - run, run);
                }
            }
            runs = next;
        }
        // Lines that are too common join a run that stands beside them.
        while i > old.start && j > new.start && self.old[i - 1] == self.new[j - 1] {
            (i, j, len) = (i - 1, j - 1, len + 1);
        }
        while i + len < old.end && j + len < new.end && self.old[i + len] == self.new[j + len] {
            len += 1;
        }
        (i, j, len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_longest_run_is_taken() {
        let old = ["a", "", "end"];
        let new = ["a", "", "end", "end"];
        let found = stretches(&old, &new);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], Stretch { equal: false, old: 3..3, new: 3..4 });
    }

    #[test]
    fn common_lines_of_long_texts_start_no_run() {
        let old: Vec<String> =
            (0..300).map(|n| if n % 2 == 0 { String::new() } else { n.to_string() }).collect();
        let old: Vec<&str> = old.iter().map(String::as_str).collect();
        let mut new = old.clone();
        new.insert(100, "x");
        let found = hunks(&old, &new);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].iter().filter(|stretch| !stretch.equal).count(), 1);
    }
}
