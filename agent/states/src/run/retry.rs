//! `retry`: a state that did not end as wanted is run again.

use std::time::Duration;

use serde_json::Value;

use crate::chunk::Chunk;
use crate::host::command::Cancel;
use crate::outcome::Outcome;
use crate::render::python::{from_json, text};

/// Attempts that a state may ask for.
const ATTEMPTS_MAX: u64 = 1000;

/// Salt's `retry`: how often, how long between, until which result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Retry {
    pub(super) attempts: u64,
    interval: u64,
    /// Seconds of which a random part is added to the interval.
    splay: u64,
    pub(super) until: bool,
}

impl Retry {
    /// As Salt reads it: what is of the wrong type is as if it were not there.
    pub(super) fn of(chunk: &Chunk) -> Option<Retry> {
        let usual = Retry { attempts: 2, interval: 30, splay: 0, until: true };
        match chunk.args.get("retry")? {
            Value::Bool(false) => Some(Retry { attempts: 0, ..usual }),
            Value::Object(map) => {
                let number = |key: &str, usual: u64| match map.get(key) {
                    // Negative ones never wait, and are never reached.
                    Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
                        number.as_u64().unwrap_or(0)
                    }
                    Some(Value::Bool(flag)) => u64::from(*flag),
                    _ => usual,
                };
                Some(Retry {
                    attempts: number("attempts", usual.attempts).min(ATTEMPTS_MAX),
                    interval: number("interval", usual.interval),
                    splay: number("splay", usual.splay),
                    until: map.get("until").and_then(Value::as_bool).unwrap_or(usual.until),
                })
            }
            _ => Some(usual),
        }
    }

    /// Waits before the next attempt and tells how long; none if the run was cancelled meanwhile.
    pub(super) fn wait(&self, cancel: &Cancel) -> Option<Duration> {
        let length = Duration::from_secs(self.interval) + random_part(self.splay);
        cancel.wait(length).ok().map(|()| length)
    }

    /// What a dry run says of it.
    pub(super) fn foreseen(&self) -> String {
        format!(
            "The state would be retried every {} seconds (with a splay of up to {} seconds) a \
             maximum of {} times or until a result of {} is returned",
            self.interval,
            self.splay,
            self.attempts,
            if self.until { "True" } else { "False" }
        )
    }

    /// What the comment says of an attempt.
    pub(super) fn told(attempt: u64, outcome: &Outcome) -> String {
        let result = outcome.result.map_or(Value::Null, Value::from);
        format!(
            "Attempt {attempt}: Returned a result of \"{}\", with the following comment: \"{}\"",
            text(&from_json(&result)),
            outcome.comment
        )
    }
}

/// Whole seconds up to these, by the clock's last digits: enough to spread workers.
fn random_part(most: u64) -> Duration {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    Duration::from_secs(u64::from(now.subsec_nanos()) % (most.saturating_add(1)))
}
