//! `retry`: a state that did not end as wanted is run again.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::chunk::Chunk;
use crate::function::args::seconds;
use crate::host::command::Cancel;
use crate::outcome::Outcome;
use crate::render::python::{from_json, text};

/// Attempts that a state may ask for.
const ATTEMPTS_MAX: u64 = 1000;
/// How often a wait looks whether the run was cancelled.
const POLL: Duration = Duration::from_millis(100);

/// Salt's `retry`: how often, how long between, until which result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Retry {
    pub(super) attempts: u64,
    interval: Duration,
    pub(super) until: bool,
}

impl Retry {
    pub(super) fn of(chunk: &Chunk) -> Option<Retry> {
        let usual = Retry { attempts: 2, interval: Duration::from_secs(30), until: true };
        match chunk.args.get("retry")? {
            Value::Bool(true) => Some(usual),
            Value::Object(map) => Some(Retry {
                attempts: map
                    .get("attempts")
                    .and_then(Value::as_u64)
                    .map_or(usual.attempts, |attempts| attempts.min(ATTEMPTS_MAX)),
                interval: seconds(map.get("interval")).unwrap_or(usual.interval),
                until: map.get("until").and_then(Value::as_bool).unwrap_or(usual.until),
            }),
            _ => None,
        }
    }

    /// Waits before the next attempt; false if the run was cancelled meanwhile.
    pub(super) fn wait(&self, cancel: &Cancel) -> bool {
        let until = Instant::now() + self.interval;
        while Instant::now() < until && !cancel.is_cancelled() {
            std::thread::sleep(POLL.min(until.saturating_duration_since(Instant::now())));
        }
        !cancel.is_cancelled()
    }

    /// What a dry run says of it.
    pub(super) fn foreseen(&self) -> String {
        format!(
            "The state would be retried every {} seconds (with a splay of up to 0 seconds) a \
             maximum \
             of {} times or until a result of {} is returned",
            self.interval.as_secs(),
            self.attempts,
            if self.until { "True" } else { "False" }
        )
    }

    /// The comment after another attempt.
    pub(super) fn told(attempt: u64, before: &Outcome, comment: &str) -> String {
        let result = before.result.map_or(Value::Null, Value::from);
        format!(
            "Attempt {attempt}: Returned a result of \"{}\", with the following comment: \"{}\"\n\
             {comment}",
            text(&from_json(&result)),
            before.comment
        )
    }
}
