//! Subordinate ids (`/etc/subuid`, `/etc/subgid`): ranges for a user's containers, as useradd
//! gives them to new people where these files exist.

use std::io;

use super::User;
use super::edit::{Lock, rewrite};
use super::limits::Limits;
use crate::host::Host;

const FILES: [(&str, &str); 2] = [("/etc/subuid", "SUB_UID"), ("/etc/subgid", "SUB_GID")];

/// Gives a new user a range of each kind.
pub(crate) fn give(host: &Host, user: &User, limits: &Limits) -> io::Result<()> {
    if !limits.is_person(user.uid) {
        return Ok(());
    }
    let _lock = Lock::take(host)?;
    for (path, what) in FILES {
        let Some(text) = host.read_text(path) else { continue };
        let (min, max, count) = Limits::subordinate(host, what);
        if count == 0 || text.lines().any(|line| line.split(':').next() == Some(&user.name)) {
            continue;
        }
        let Some(start) = free(&text, min, max, count) else {
            tracing::warn!(user = %user.name, file = path, "no range of subordinate ids is free");
            continue;
        };
        rewrite(host, path, |lines| lines.push(format!("{}:{start}:{count}", user.name)))?;
    }
    Ok(())
}

/// The start of the first gap that is wide enough.
fn free(text: &str, min: u64, max: u64, count: u64) -> Option<u64> {
    let mut taken: Vec<(u64, u64)> = text
        .lines()
        .filter_map(|line| {
            let mut parts = line.split(':').skip(1);
            Some((parts.next()?.parse().ok()?, parts.next()?.trim().parse().ok()?))
        })
        .collect();
    taken.sort_unstable();
    let mut start = min;
    for (first, size) in taken {
        if first >= start.saturating_add(count) {
            break;
        }
        start = start.max(first.saturating_add(size));
    }
    (start.saturating_add(count - 1) <= max).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_fill_the_first_gap() {
        assert_eq!(free("", 100, 1000, 10), Some(100));
        assert_eq!(free("a:100:10\nb:110:10\n", 100, 1000, 10), Some(120));
        assert_eq!(free("b:120:10\na:100:10\n", 100, 1000, 10), Some(110));
        assert_eq!(free("a:100:10\n", 100, 115, 10), None);
        assert_eq!(free("nonsense\na:x:1\n", 100, 1000, 10), Some(100));
    }
}
