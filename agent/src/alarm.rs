//! Tells what a person should look at, without flooding anybody.

use crate::outbox::{Lane, Outbox};
use muster_protocol::event::Alarm;
use muster_protocol::id::AgentId;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Alarms within one period; the others are only counted.
const ALARMS_MAX: u32 = 10;
const PERIOD: Duration = Duration::from_secs(60);

/// How many alarms there were in this period.
#[derive(Debug)]
struct Limit {
    since: Instant,
    told: u32,
    untold: u64,
}

impl Limit {
    fn new(now: Instant) -> Limit {
        Limit { since: now, told: 0, untold: 0 }
    }

    /// Whether one more may be told, with how many were not told before it.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if now.duration_since(self.since) >= PERIOD {
            self.since = now;
            self.told = 0;
        }
        if self.told >= ALARMS_MAX {
            self.untold += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.untold))
    }
}

/// Where alarms go.
pub(crate) struct Alarms {
    agent_id: AgentId,
    outbox: Arc<Outbox>,
    limit: Mutex<Limit>,
}

impl Alarms {
    pub(crate) fn new(agent_id: AgentId, outbox: Arc<Outbox>) -> Alarms {
        Alarms { agent_id, outbox, limit: Mutex::new(Limit::new(Instant::now())) }
    }

    /// Tells what went wrong.
    pub(crate) fn raise(&self, what: &str) {
        self.tell(Lane::Alarm, what);
    }

    /// Tells what somebody tried: the controller makes a `security` event of it.
    pub(crate) fn suspect(&self, what: &str) {
        self.tell(Lane::Security, what);
    }

    fn tell(&self, lane: Lane, what: &str) {
        let admitted =
            self.limit.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now());
        let Some(untold) = admitted else {
            tracing::debug!(what, "an alarm too many");
            return;
        };
        tracing::error!(what, untold, "alarm");
        let what = match untold {
            0 => what.to_owned(),
            _ => format!("{what} (and {untold} more alarms before this one)"),
        };
        self.outbox.say(lane, &Alarm { who: self.agent_id.to_string(), what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_alarms_is_counted_instead_of_told() {
        let begin = Instant::now();
        let mut limit = Limit::new(begin);
        assert!((0..ALARMS_MAX).all(|_| limit.admit(begin) == Some(0)));
        assert!((0..7).all(|_| limit.admit(begin).is_none()));
        assert_eq!(limit.admit(begin + PERIOD), Some(7));
        assert_eq!(limit.admit(begin + PERIOD), Some(0));
    }
}
