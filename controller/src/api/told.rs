//! Tells every call as an event: who called, from where, what, about what, and what came of it.
//!
//! | kind | a call that | told |
//! |---|---|---|
//! | `called` | was done and changes something | each by itself, before it is answered |
//! | `read` | was done and changes nothing | the first at once, the same again every ten seconds |
//! | `refused` | was not done | likewise, by its noun and verb |
//!
//! So a page that asks each second neither fills the stream nor pushes out what people have
//! changed: it keeps a number of events for each person and kind. One event counts every call.

use muster_protocol::bus::{self, Bus};
use muster_protocol::event::{Called, Event, READING};
use muster_protocol::id::{Token, UnixMillis, UserName, random};
use muster_protocol::subject::{self, Source};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often calls that came again are told.
const TOGETHER: Duration = Duration::from_secs(10);
/// How long what is counted may take to be told at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How often an event is offered.
const TRIES_MAX: u32 = 2;
/// Kinds of calls of all people that are counted at once; one more is told by itself.
const SERIES_MAX: usize = 4096;
/// The fields of a question that an event tells; no other, so that none tells a secret.
const FIELDS: [&str; 13] = [
    "target", "pool", "size", "count", "mark", "image", "force", "name", "role", "days", "all",
    "verb", "apply",
];
/// Characters that an event holds of one field, or of an error.
const CHARS_MAX: usize = 500;

type Key = (UserName, &'static str, String, String);

#[derive(Debug)]
struct Series {
    /// Calls that no event tells yet.
    untold: u64,
    last: Called,
}

enum Counted {
    /// It is told later.
    Again,
    /// It is told now, and the next ones are counted.
    First(Called),
    /// Too many are counted already.
    Full(Called),
}

/// Tells calls.
#[derive(Debug)]
pub struct Told {
    bus: Bus,
    /// Events on their way.
    tasks: TaskTracker,
    series: Mutex<BTreeMap<Key, Series>>,
}

impl Told {
    /// Tells on a connection in BUS.
    #[must_use]
    pub fn new(bus: Bus, tasks: TaskTracker) -> Told {
        Told { bus, tasks, series: Mutex::default() }
    }

    /// Tells one call, or counts it.
    pub(super) async fn tell(self: &Arc<Self>, user: &UserName, called: Called) {
        let kind = kind(&called);
        if kind == "called" {
            let Called { noun, verb, host, .. } = &called;
            tracing::info!(%user, noun, verb, host, "a person's call was done");
            return self.store(user, kind, &called).await;
        }
        match self.count(user, kind, called) {
            Counted::Again => {}
            Counted::First(called) => {
                let (told, user) = (Arc::clone(self), user.clone());
                self.tasks.spawn(async move { told.store(&user, kind, &called).await });
            }
            // Waited for, so that no more are under way than calls are.
            Counted::Full(called) => self.store(user, kind, &called).await,
        }
    }

    /// Whether no such call came a moment ago; the kind is `read` or `refused`.
    pub(super) fn is_first(
        &self,
        kind: &'static str,
        user: &UserName,
        noun: &str,
        verb: &str,
    ) -> bool {
        let key = (user.clone(), kind, noun.to_owned(), verb.to_owned());
        !self.lock().contains_key(&key)
    }

    /// Tells what was counted, every now and then, until it is cancelled.
    pub async fn run(self: Arc<Self>, cancel: CancellationToken) {
        let mut tick = tokio::time::interval(TOGETHER);
        while cancel.run_until_cancelled(tick.tick()).await.is_some() {
            self.tell_counted().await;
        }
        if tokio::time::timeout(LAST_WORDS, self.tell_counted()).await.is_err() {
            tracing::info!("calls of the last seconds are not told: NATS does not answer");
        }
    }

    /// Whether the call is the first one of its kind for a while.
    fn count(&self, user: &UserName, kind: &'static str, called: Called) -> Counted {
        let mut all = self.lock();
        let key = (user.clone(), kind, called.noun.clone(), called.verb.clone());
        if let Some(series) = all.get_mut(&key) {
            series.untold += 1;
            series.last = called;
            return Counted::Again;
        }
        if all.len() >= SERIES_MAX {
            return Counted::Full(called);
        }
        all.insert(key, Series { untold: 0, last: called.clone() });
        Counted::First(called)
    }

    async fn tell_counted(&self) {
        let mut due = Vec::new();
        self.lock().retain(|(user, kind, _, _), series| {
            let count = std::mem::take(&mut series.untold);
            if count > 0 {
                due.push((user.clone(), *kind, Called { count, ..series.last.clone() }));
            }
            count > 0
        });
        for (user, kind, called) in due {
            self.store(&user, kind, &called).await;
        }
    }

    async fn store(&self, user: &UserName, kind: &str, called: &Called) {
        let token = |text: &str| -> Token { text.parse().expect("names and kinds are tokens") };
        let subject = subject::event(Source::Api, &token(user.as_str()), &token(kind));
        let event = Event::new(Token::random(random()), UnixMillis::now(), called);
        let Called { noun, verb, .. } = called;
        for left in (0..TRIES_MAX).rev() {
            // A push of claims may cost an answer: the same event is stored once.
            match self.bus.publish_event(subject.clone(), &event).await {
                Ok(()) => return,
                Err(error) if left > 0 && error.is_retryable() => {
                    tracing::debug!(%user, noun, verb, %error, "a call's event is stored again");
                }
                // This controller has stopped: as with what was counted, see `run`.
                Err(bus::Error::Closed) if kind != "called" => {
                    tracing::info!(%user, noun, verb, "a call of the last moment is not told");
                    return;
                }
                Err(error) => {
                    tracing::warn!(
                        %user,
                        noun,
                        verb,
                        error = crate::chain(&error),
                        "a call's event was not stored"
                    );
                    return;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Series>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn kind(called: &Called) -> &'static str {
    match (called.ok, READING.contains(&called.verb.as_str())) {
        (false, _) => "refused",
        (true, true) => "read",
        (true, false) => "called",
    }
}

/// What a question is about, as far as an event may tell.
pub(super) fn about(question: &impl Serialize) -> Value {
    let Ok(Value::Object(fields)) = serde_json::to_value(question) else { return Value::Null };
    let told = fields.into_iter().filter(|(name, value)| {
        FIELDS.contains(&name.as_str()) && !matches!(value, Value::Null | Value::Bool(false))
    });
    let told = told.map(|(name, value)| match (name.as_str(), value) {
        // A command's arguments may hold anything.
        ("verb", Value::Object(verb)) => (name, verb.keys().next().cloned().into()),
        (_, Value::Object(inner)) => {
            let inner = inner.into_iter().map(|(name, value)| (name, short(value)));
            (name, Value::Object(inner.collect()))
        }
        (_, value) => (name, short(value)),
    });
    Value::Object(told.collect::<Map<_, _>>())
}

fn short(value: Value) -> Value {
    match value {
        Value::String(text) => cut(&text).into(),
        Value::Bool(_) | Value::Number(_) => value,
        Value::Null | Value::Array(_) | Value::Object(_) => Value::Null,
    }
}

/// A text of a length that an event may hold.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::api::{CommandRun, PersonRole, PoolScale, TailOpen, Target, UserAdd};
    use muster_protocol::command::Verb;
    use serde_json::json;

    /// Guards: [`FIELDS`] and the arm of `verb` in [`about`].
    #[test]
    fn an_event_tells_what_a_call_was_about_and_no_argument() {
        let pool: muster_protocol::id::PoolName = "compute".parse().unwrap();
        let scale = PoolScale { pool: pool.clone(), size: 8 };
        assert_eq!(about(&scale), json!({"pool": "compute", "size": 8}));
        let run = CommandRun {
            call: Token::random(random()),
            target: Target::Names("a,b".into()),
            verb: Verb::Exec { argv: vec!["login".into(), "PASSWORD".into()], timeout_secs: 1 },
            timeout_secs: 1,
        };
        assert_eq!(about(&run), json!({"target": {"names": "a,b"}, "verb": "exec"}));
        let ping = CommandRun { target: Target::Pool(pool), verb: Verb::Ping, ..run };
        assert_eq!(about(&ping), json!({"target": {"pool": "compute"}, "verb": "ping"}));
        let add = UserAdd {
            name: "vera".parse().unwrap(),
            role: PersonRole::Viewer,
            public_key: "U".into(),
            days: 30,
            renewable: true,
        };
        assert_eq!(about(&add), json!({"name": "vera", "role": "viewer", "days": 30}));
        let open = TailOpen {
            lease: Token::random(random()),
            filter: "muster.event.>".into(),
            since: None,
        };
        assert_eq!(about(&open), json!({}));
    }

    #[test]
    fn a_long_field_is_cut() {
        let question = WorkerListLike { target: Target::Names("ä".repeat(100_000)) };
        let told = about(&question)["target"]["names"].as_str().unwrap().to_owned();
        assert_eq!(told.chars().count(), CHARS_MAX + 3);
    }

    #[derive(Serialize)]
    struct WorkerListLike {
        target: Target,
    }
}
