//! Sorting in Python's order of comparing: what has no order is told as Python tells it.

use std::cmp::Ordering;
use std::ops::Range;

use minijinja::Error;
use minijinja::value::Value;

use super::order;

/// Elements that Python puts in order by insertion alone, if there are no more of them.
const RUN_MAX: usize = 64;

/// Sorts by a key; stable. An error is that of the two that Python compares first among those that
/// have no order (in a list of less than 64; in a longer one it may be two others), and leaves all
/// where it was.
pub(in crate::render) fn sort_by_key<T>(
    all: &mut [T],
    key: impl Fn(&T) -> &Value,
) -> Result<(), Error> {
    let less = |a: usize, b: usize| -> Result<bool, Error> {
        Ok(order(key(&all[a]), key(&all[b]), "<")? == Some(Ordering::Less))
    };
    let mut places: Vec<usize> = (0..all.len()).collect();
    sort(&mut places, &less)?;
    arrange(all, &mut places);
    Ok(())
}

type Less<'a> = &'a dyn Fn(usize, usize) -> Result<bool, Error>;

fn sort(places: &mut Vec<usize>, less: Less) -> Result<(), Error> {
    let least = least_run(places.len());
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    while start < places.len() {
        let rest = &mut places[start..];
        let run = run(rest, less)?;
        let len = run.max(least.min(rest.len()));
        insert(&mut rest[..len], run, less)?;
        runs.push(start..start + len);
        start += len;
    }
    while runs.len() > 1 {
        let (mut merged, mut fewer) = (Vec::with_capacity(places.len()), Vec::new());
        for two in runs.chunks(2) {
            let start = merged.len();
            let part = |at: usize| two.get(at).map_or(&[][..], |run| &places[run.clone()]);
            merge(part(0), part(1), &mut merged, less)?;
            fewer.push(start..merged.len());
        }
        (*places, runs) = (merged, fewer);
    }
    Ok(())
}

/// How long a run is made at least.
fn least_run(len: usize) -> usize {
    let (mut len, mut odd) = (len, 0);
    while len >= RUN_MAX {
        odd |= len & 1;
        len >>= 1;
    }
    len + odd
}

/// How many are in order from the first on; if they fall, they are turned around.
fn run(places: &mut [usize], less: Less) -> Result<usize, Error> {
    if places.len() < 2 {
        return Ok(places.len());
    }
    let falling = less(places[1], places[0])?;
    let mut len = 2;
    while len < places.len() && less(places[len], places[len - 1])? == falling {
        len += 1;
    }
    if falling {
        places[..len].reverse();
    }
    Ok(len)
}

/// Puts those from `sorted` on in their places among those before.
fn insert(places: &mut [usize], sorted: usize, less: Less) -> Result<(), Error> {
    for at in sorted..places.len() {
        let (mut low, mut high) = (0, at);
        while low < high {
            let middle = usize::midpoint(low, high);
            if less(places[at], places[middle])? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        places[low..=at].rotate_right(1);
    }
    Ok(())
}

fn merge(a: &[usize], b: &[usize], out: &mut Vec<usize>, less: Less) -> Result<(), Error> {
    let (mut a, mut b) = (a, b);
    while let ([first, a_rest @ ..], [second, b_rest @ ..]) = (a, b) {
        if less(*second, *first)? {
            out.push(*second);
            b = b_rest;
        } else {
            out.push(*first);
            a = a_rest;
        }
    }
    out.extend(a);
    out.extend(b);
    Ok(())
}

/// Puts at each place what was at the place named there.
fn arrange<T>(all: &mut [T], places: &mut [usize]) {
    for start in 0..places.len() {
        let mut at = start;
        while places[at] != start {
            let from = places[at];
            all.swap(at, from);
            places[at] = at;
            at = from;
        }
        places[at] = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::python::{from_json, items};

    fn check(input: &str, expected: &str) {
        let mut all = items(&from_json(&serde_json::from_str(input).unwrap()));
        let error = sort_by_key(&mut all, |item| item).unwrap_err().to_string();
        let expected = format!("'<' not supported between instances of {expected}");
        assert!(error.ends_with(&expected), "{input}: {error}");
    }

    #[test]
    fn the_two_that_python_compares_first_are_told() {
        check(r#"["b", "a", true, "c"]"#, "'bool' and 'str'");
        check(r#"[1, 2, 3, "a"]"#, "'str' and 'int'");
        check(r#"[null, 1]"#, "'int' and 'NoneType'");
        check(r#"[5, 1, 4, "a", 2]"#, "'str' and 'int'");
        check(r#"[[1, "a"], [1, 2]]"#, "'int' and 'str'");
    }

    #[test]
    fn what_is_equal_stays_in_order_however_long_the_list() {
        for len in [0, 1, 2, 5, 63, 64, 65, 200, 1000] {
            let mut all: Vec<(Value, usize)> =
                (0..len).map(|at| (Value::from(at * 7919 % 61), at)).collect();
            let mut expected: Vec<_> = (0..len).map(|at| (at * 7919 % 61, at)).collect();
            expected.sort_unstable();
            sort_by_key(&mut all, |(key, _)| key).unwrap();
            let found: Vec<_> = all.iter().map(|(_, at)| *at).collect();
            assert_eq!(found, expected.iter().map(|(_, at)| *at).collect::<Vec<_>>());
        }
    }
}
