//! Comparing package versions as dpkg and rpm do.

use std::cmp::Ordering;

/// Compares `[epoch:]version[-revision]` by Debian's rules (policy 5.6.12).
pub(crate) fn debian(a: &str, b: &str) -> Ordering {
    let (epoch_a, version_a, revision_a) = split(a);
    let (epoch_b, version_b, revision_b) = split(b);
    epoch_a
        .cmp(&epoch_b)
        .then_with(|| debian_part(version_a, version_b))
        .then_with(|| debian_part(revision_a, revision_b))
}

fn split(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, version),
    };
    let (version, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, version, revision)
}

fn debian_part(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, rest_a) = cut(a, |c| !c.is_ascii_digit());
        let (text_b, rest_b) = cut(b, |c| !c.is_ascii_digit());
        let order = words(text_a, text_b);
        if order != Ordering::Equal {
            return order;
        }
        let (digits_a, next_a) = cut(rest_a, |c| c.is_ascii_digit());
        let (digits_b, next_b) = cut(rest_b, |c| c.is_ascii_digit());
        let order = numbers(digits_a, digits_b);
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (next_a, next_b);
    }
    Ordering::Equal
}

fn cut(text: &str, keep: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !keep(c)).unwrap_or(text.len()))
}

fn numbers(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// `~` before the end, the end before letters, letters before all else.
fn words(a: &str, b: &str) -> Ordering {
    let weight = |c: Option<char>| match c {
        Some('~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => i64::from(u32::from(c)),
        Some(c) => i64::from(u32::from(c)) + 256,
    };
    let (mut a, mut b) = (a.chars(), b.chars());
    loop {
        let (next_a, next_b) = (a.next(), b.next());
        let order = weight(next_a).cmp(&weight(next_b));
        if order != Ordering::Equal || (next_a.is_none() && next_b.is_none()) {
            return order;
        }
    }
}

/// Compares `[epoch:]version[-release]` by rpm's rules; a release that one lacks does not count.
pub(crate) fn rpm(a: &str, b: &str) -> Ordering {
    let (epoch_a, version_a, release_a) = split_first(a);
    let (epoch_b, version_b, release_b) = split_first(b);
    let release = match (release_a, release_b) {
        (Some(a), Some(b)) => rpm_part(a, b),
        (None, _) | (_, None) => Ordering::Equal,
    };
    epoch_a.cmp(&epoch_b).then_with(|| rpm_part(version_a, version_b)).then(release)
}

fn split_first(version: &str) -> (u64, &str, Option<&str>) {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, version),
    };
    match rest.split_once('-') {
        Some((version, release)) => (epoch, version, Some(release)),
        None => (epoch, rest, None),
    }
}

/// `~` sorts before everything, `^` after the end and before all else; digits beat letters.
fn rpm_part(mut a: &str, mut b: &str) -> Ordering {
    let separator = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
    loop {
        a = a.trim_start_matches(separator);
        b = b.trim_start_matches(separator);
        for (mark, lacking) in [('~', Ordering::Greater), ('^', Ordering::Less)] {
            match (a.strip_prefix(mark), b.strip_prefix(mark)) {
                (Some(_), None) if mark == '^' && b.is_empty() => return Ordering::Greater,
                (None, Some(_)) if mark == '^' && a.is_empty() => return Ordering::Less,
                (Some(_), None) if mark == '^' => return Ordering::Less,
                (None, Some(_)) if mark == '^' => return Ordering::Greater,
                (Some(_), None) => return lacking.reverse(),
                (None, Some(_)) => return lacking,
                (Some(rest_a), Some(rest_b)) => (a, b) = (rest_a, rest_b),
                (None, None) => {}
            }
        }
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        if a.starts_with(['~', '^']) || b.starts_with(['~', '^']) {
            continue;
        }
        let digits = a.starts_with(|c: char| c.is_ascii_digit());
        let same = |c: char| c.is_ascii_alphanumeric() && c.is_ascii_digit() == digits;
        let ((part_a, rest_a), (part_b, rest_b)) = (cut(a, same), cut(b, same));
        if part_b.is_empty() {
            return if digits { Ordering::Greater } else { Ordering::Less };
        }
        let order = if digits { numbers(part_a, part_b) } else { part_a.cmp(part_b) };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_order_as_rpm_orders_them() {
        for (a, b) in [
            ("1.2-1", "1.10-1"),
            ("1.0~rc1-1", "1.0-1"),
            ("1.0-1", "1.0^git1-1"),
            ("1.0^git1-1", "1.0.1-1"),
            ("9-1", "1:1-1"),
            ("1.a-1", "1.1-1"),
            ("1.0-1.el9", "1.0-2.el9"),
            ("1.0-1", "1.0-1.el9"),
            ("fc4", "fc5"),
            ("2a", "2.0"),
        ] {
            assert_eq!(rpm(a, b), Ordering::Less, "{a} < {b}");
            assert_eq!(rpm(b, a), Ordering::Greater, "{b} > {a}");
        }
        for (a, b) in [("1.05-1", "1.5-1"), ("1_0-1", "1.0-1"), ("3.2", "3.2-1"), ("0:1-1", "1-1")]
        {
            assert_eq!(rpm(a, b), Ordering::Equal, "{a} = {b}");
        }
    }

    #[test]
    fn versions_order_as_dpkg_orders_them() {
        for (a, b) in [
            ("1.2", "1.10"),
            ("1.0~rc1", "1.0"),
            ("1.0", "1.0-1"),
            ("9", "1:1"),
            ("1.0-1", "1.0-1ubuntu1"),
            ("1a", "1+"),
        ] {
            assert_eq!(debian(a, b), Ordering::Less, "{a} < {b}");
            assert_eq!(debian(b, a), Ordering::Greater, "{b} > {a}");
        }
        assert_eq!(debian("1.01", "1.1"), Ordering::Equal);
    }
}
