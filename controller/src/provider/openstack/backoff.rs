//! How long to wait before a call is repeated: longer each time, and never all callers at once.

use std::time::Duration;

/// How often a call is tried in all.
pub(super) const TRIES_MAX: u32 = 4;
/// The wait after the first try, before the jitter.
const FIRST: Duration = Duration::from_millis(400);
/// The longest wait that a cloud may ask for within one call; above it the caller is told instead.
const ASKED_MAX: Duration = Duration::from_secs(10);

/// The wait after try number `tries` (from 1), or `None` if the call shall not be repeated.
///
/// `asked` is what the cloud asked for, `random` any number.
pub(super) fn wait(tries: u32, asked: Option<Duration>, random: u8) -> Option<Duration> {
    if tries >= TRIES_MAX || asked.is_some_and(|asked| asked > ASKED_MAX) {
        return None;
    }
    let jitter = FIRST * 2u32.pow(tries - 1) * (u32::from(random) + 256) / 512;
    Some(asked.unwrap_or_default() + jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_are_spread_over_their_upper_half() {
        for tries in 1..TRIES_MAX {
            let whole = FIRST * 2u32.pow(tries - 1);
            assert_eq!(wait(tries, None, 0), Some(whole / 2));
            let late = wait(tries, None, 255).unwrap();
            assert!(late > whole * 9 / 10 && late < whole, "{late:?}");
        }
        assert_eq!(wait(TRIES_MAX, None, 0), None);
    }

    #[test]
    fn what_the_cloud_asks_for_is_waited_for_or_told() {
        let two = Duration::from_secs(2);
        assert!(wait(1, Some(two), 0).unwrap() > two);
        assert_eq!(wait(1, Some(Duration::from_secs(11)), 0), None);
    }
}
