//! What a run of states came to, cut to what an event may hold.

use crate::outbox::EVENT_BYTES_MAX;
use muster_protocol::event::{Applied, Fired, Outcome, STATES_MAX};
use muster_protocol::id::Token;
use muster_states::{self as states, StateReturn};
use serde_json::{Map, Value};

/// The bytes, as JSON, of all states of an event; the rest of it and MessagePack take some more.
const STATES_BYTES_MAX: usize = EVENT_BYTES_MAX - (160 << 10);
/// The bytes of one text in a state's return, when there is too much.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// Errors of a tree that an event holds.
const ERRORS_MAX: usize = 100;
const ERROR_BYTES_MAX: usize = 1000;
/// The bytes, as JSON, of what a state's event holds.
const FIRED_BYTES_MAX: usize = 64 << 10;

/// What the state engine came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Run {
    /// The counts.
    pub(crate) outcome: Outcome,
    /// Why nothing was run.
    pub(crate) errors: Vec<String>,
    /// Each state's return, by Salt's key, in the order they ran.
    pub(crate) states: Map<String, Value>,
}

impl Run {
    /// A run that did not begin.
    pub(crate) fn impossible(why: String, test: bool) -> Run {
        let outcome = Outcome { test, ..Outcome::default() };
        Run { outcome, errors: vec![why], states: Map::new() }
    }

    /// Whether nothing failed.
    pub(crate) fn succeeded(&self) -> bool {
        self.outcome.failed == 0 && self.errors.is_empty()
    }

    /// As an event's data.
    pub(crate) fn applied(
        &self,
        command: Option<Token>,
        revision: u64,
        highstate: bool,
    ) -> Applied {
        let errors = self.errors.iter().take(ERRORS_MAX);
        Applied {
            command,
            revision,
            highstate,
            outcome: self.outcome.clone(),
            errors: errors.map(|error| cut(error, ERROR_BYTES_MAX)).collect(),
            states: Value::Object(fitting(&self.states)),
        }
    }
}

/// An event of a state's, cut to what may wait beside all else that is told.
pub(crate) fn fired(key: &str, state: &StateReturn, own: &states::Fired, about: About) -> Fired {
    let data = match &own.data {
        Some(data) => data.clone(),
        None => serde_json::to_value(state).expect("a state's return is plain JSON"),
    };
    let short = shortened(&data);
    let fits = short.to_string().len() <= FIRED_BYTES_MAX;
    Fired {
        tag: cut(&own.tag, ERROR_BYTES_MAX),
        key: cut(key, ERROR_BYTES_MAX),
        revision: about.revision,
        test: about.test,
        cut: !fits || short != data,
        data: if fits { short } else { Value::Null },
    }
}

/// The run that an event is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) revision: u64,
    pub(crate) test: bool,
}

/// How much a reader wants to see a state's return: the failed first, then what changed.
fn rank(state: &Value) -> u8 {
    let result = state.get("result");
    let changed =
        state.get("changes").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
    match (result.and_then(Value::as_bool), changed) {
        (Some(false), _) => 0,
        (_, true) => 1,
        (Some(true) | None, false) => 2,
    }
}

/// Those that fit, in the order they ran: the failed and changed ones before the others.
fn fitting(states: &Map<String, Value>) -> Map<String, Value> {
    let bytes = |key: &str, state: &Value| key.len() + state.to_string().len() + 16;
    let all: usize = states.iter().map(|(key, state)| bytes(key, state)).sum();
    if all <= STATES_BYTES_MAX && states.len() <= STATES_MAX {
        return states.clone();
    }
    let mut ranked: Vec<usize> = (0..states.len()).collect();
    let entries: Vec<(&String, &Value)> = states.iter().collect();
    ranked.sort_by_key(|at| rank(entries[*at].1));
    let mut left = STATES_BYTES_MAX;
    let mut kept: Vec<(usize, Value)> = Vec::new();
    for at in ranked {
        let (key, state) = entries[at];
        let state = shortened(state);
        let bytes = bytes(key, &state);
        if bytes <= left && kept.len() < STATES_MAX {
            left -= bytes;
            kept.push((at, state));
        }
    }
    kept.sort_by_key(|(at, _)| *at);
    kept.into_iter().map(|(at, state)| (entries[at].0.clone(), state)).collect()
}

fn shortened(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(cut(text, TEXT_BYTES_MAX)),
        Value::Array(all) => Value::Array(all.iter().map(shortened).collect()),
        Value::Object(all) => {
            all.iter().map(|(key, value)| (key.clone(), shortened(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{} [cut: {} bytes]", &text[..text.floor_char_boundary(bytes_max)], text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::event::Event;
    use muster_protocol::id::{UnixMillis, random};
    use muster_protocol::wire;
    use serde_json::json;

    fn run(count: usize, text: &str) -> Run {
        let state = |n: usize| {
            let changes = if n.is_multiple_of(10) { json!({"diff": text}) } else { json!({}) };
            let state = json!({"result": n % 100 != 7, "changes": changes, "comment": text});
            (format!("file_|-{n}_|-/etc/{n}_|-managed"), state)
        };
        Run { states: (0..count).map(state).collect(), ..Run::default() }
    }

    fn bytes(applied: &Applied) -> usize {
        wire::encode(&Event::new(Token::random(random()), UnixMillis(1), applied)).len()
    }

    #[test]
    fn a_report_that_fits_is_told_whole() {
        let run = run(100, "ok");
        assert_eq!(run.applied(None, 1, true).states, Value::Object(run.states.clone()));
    }

    #[test]
    fn of_too_many_states_the_failed_and_changed_ones_are_told() {
        for (count, text) in [(3000, "ok".to_owned()), (3000, "x".repeat(900))] {
            let run = run(count, &text);
            let applied = run.applied(None, 1, true);
            assert!(bytes(&applied) <= EVENT_BYTES_MAX, "{}", bytes(&applied));
            let states = applied.states.as_object().unwrap();
            let failed = |all: &Map<String, Value>| {
                all.values().filter(|state| state["result"] == json!(false)).count()
            };
            assert_eq!(failed(states), failed(&run.states));
            assert!(states.len() <= STATES_MAX && states.len() > 400, "{}", states.len());
            let keys: Vec<&String> = states.keys().collect();
            let order: Vec<&String> =
                run.states.keys().filter(|key| states.contains_key(*key)).collect();
            assert_eq!(keys, order);
        }
    }

    #[test]
    fn an_event_of_a_state_that_holds_too_much_says_so() {
        let about = About { revision: 3, test: false };
        let tell = |data: Value| {
            let own = states::Fired { tag: "my/tag".to_owned(), data: Some(data) };
            let report = states::Report::no_states("none");
            let (key, state) = report.states().first().unwrap();
            fired(key, state, &own, about)
        };
        let small = tell(json!({"a": 1}));
        assert_eq!((small.data, small.cut, small.revision), (json!({"a": 1}), false, 3));
        let long = tell(json!("x".repeat(20_000)));
        assert!(long.cut && long.data.as_str().unwrap().ends_with("[cut: 20000 bytes]"));
        let wide = tell(json!(vec!["x".repeat(1000); 100]));
        assert!(wide.cut && wide.data.is_null());
    }

    #[test]
    fn one_huge_text_does_not_push_out_the_rest() {
        let mut run = run(20, "ok");
        let huge = json!({"result": false, "changes": {}, "comment": "é".repeat(1 << 20)});
        run.states.insert("cmd_|-a_|-a_|-run".into(), huge);
        run.errors = vec!["e".repeat(1 << 20); 200];
        let applied = run.applied(None, 1, true);
        assert!(bytes(&applied) <= EVENT_BYTES_MAX);
        assert_eq!(applied.states.as_object().unwrap().len(), 21);
    }
}
