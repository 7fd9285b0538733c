//! The time by the controller's clock, which the machine's may be far from.
//!
//! The controller signs its time at each enrolment and renewal. From then on the agent counts by
//! the kernel's clock since boot, which nobody sets; a machine whose clock is set right after the
//! enrolment, or never, judges the age of a command all the same.

use muster_protocol::id::UnixMillis;
use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The controller's time at one moment, kept on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// The controller's time.
    now: UnixMillis,
    /// The boot that `since_boot_millis` counts from.
    boot: String,
    /// The kernel's clock at that moment.
    since_boot_millis: i64,
    /// How far the controller's clock was ahead of the machine's.
    offset_millis: i64,
}

/// What the machine's own clocks say.
#[derive(Clone, Debug)]
struct Own {
    boot: String,
    since_boot_millis: i64,
    wall: UnixMillis,
}

impl Own {
    fn now() -> Own {
        let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned();
        Own { boot, since_boot_millis: since_boot_millis(), wall: UnixMillis::now() }
    }
}

fn since_boot_millis() -> i64 {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux has CLOCK_BOOTTIME");
    time.tv_sec().saturating_mul(1000).saturating_add(time.tv_nsec() / 1_000_000)
}

impl Mark {
    fn new(now: UnixMillis, own: Own) -> Mark {
        let offset_millis = now.since(own.wall);
        Mark { now, boot: own.boot, since_boot_millis: own.since_boot_millis, offset_millis }
    }

    /// What the controller's time is by these clocks, and whether that can be relied on.
    fn judge(&self, own: &Own) -> (UnixMillis, bool) {
        if !self.boot.is_empty() && self.boot == own.boot {
            let elapsed = own.since_boot_millis.saturating_sub(self.since_boot_millis);
            return (self.now.plus(elapsed), true);
        }
        (own.wall.plus(self.offset_millis), false)
    }
}

/// The controller's time.
#[derive(Debug)]
pub(crate) struct Clock(Mutex<(UnixMillis, i64)>);

impl Clock {
    /// Goes on from what is on disk; also whether the time is sure, or a renewal must tell it soon.
    pub(crate) fn resume(mark: &Mark) -> (Clock, bool) {
        let own = Own::now();
        let (now, sure) = mark.judge(&own);
        (Clock(Mutex::new((now, own.since_boot_millis))), sure)
    }

    /// Takes the controller's word for the time; the mark is to be kept.
    pub(crate) fn set(&self, now: UnixMillis) -> Mark {
        let mark = mark(now);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (now, mark.since_boot_millis);
        mark
    }

    /// The time.
    pub(crate) fn now(&self) -> UnixMillis {
        let (base, at) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        base.plus(since_boot_millis().saturating_sub(at))
    }
}

/// The mark for a time that the controller says is now.
pub(crate) fn mark(now: UnixMillis) -> Mark {
    Mark::new(now, Own::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(boot: &str, since_boot_millis: i64, wall: i64) -> Own {
        Own { boot: boot.to_owned(), since_boot_millis, wall: UnixMillis(wall) }
    }

    #[test]
    fn a_clock_that_is_set_later_does_not_move_the_agents_time() {
        let mark = Mark::new(UnixMillis(1_000_000), own("a", 5_000, 0));
        let judged = mark.judge(&own("a", 65_000, 999_999_999));
        assert_eq!(judged, (UnixMillis(1_060_000), true));
    }

    #[test]
    fn after_a_reboot_the_time_is_a_guess_by_the_offset() {
        let mark = Mark::new(UnixMillis(1_000_000), own("a", 5_000, 900_000));
        let judged = mark.judge(&own("b", 10, 950_000));
        assert_eq!(judged, (UnixMillis(1_050_000), false));
    }

    #[test]
    fn the_time_goes_on() {
        let (clock, _) = Clock::resume(&mark(UnixMillis(5_000)));
        clock.set(UnixMillis(1_000_000));
        assert!((1_000_000..1_060_000).contains(&clock.now().0));
    }
}
