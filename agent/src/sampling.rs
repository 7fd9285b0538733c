//! Takes a sample at once, a second one soon, and then one each interval.

use crate::clock::Clock;
use crate::outbox::Outbox;
use crate::stats::Sampler;
use muster_protocol::id::random;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// The second sample comes this soon: rates need two.
const SECOND: Duration = Duration::from_secs(1);

/// When the samples after the first two are due: a fleet that starts in one instant spreads.
fn begin(now: Instant, interval: Duration, random: [u8; 2]) -> Instant {
    let share = f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX);
    now + SECOND + interval.mul_f64(0.5 + 0.5 * share)
}

/// Samples until it is stopped.
pub(crate) async fn run(
    outbox: Arc<Outbox>,
    clock: Arc<Clock>,
    proc: String,
    interval: Duration,
    stop: CancellationToken,
) {
    let mut sampler = Sampler::at(Path::new(&proc));
    let mut sample = || outbox.sample(sampler.sample(clock.now(), outbox.samples_dropped()));
    let now = Instant::now();
    sample();
    let mut ticks = tokio::time::interval_at(begin(now, interval, random()), interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let second = tokio::time::sleep_until(now + SECOND.min(interval));
    tokio::pin!(second);
    let mut seconds = 1;
    loop {
        tokio::select! {
            _ = ticks.tick() => sample(),
            () = &mut second, if seconds == 1 => {
                seconds = 2;
                sample();
            }
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fleet_does_not_sample_in_one_instant() {
        let (now, interval) = (Instant::now(), Duration::from_secs(10));
        assert_eq!(begin(now, interval, [0; 2]), now + Duration::from_secs(6));
        assert_eq!(begin(now, interval, [0xff; 2]), now + Duration::from_secs(11));
    }
}
