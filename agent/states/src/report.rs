//! What a run did: Salt's return, and a summary.

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The result of one state, in Salt's shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateReturn {
    /// The state's name.
    pub name: Name,
    /// What it changed, or in a dry run would change.
    pub changes: Map<String, Value>,
    /// Whether it is as wanted; `None` in a dry run: it would change.
    pub result: Option<bool>,
    /// In words.
    pub comment: String,
    /// A list of what it warns of, if it has such words at all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub warnings: Option<Value>,
    /// The SLS that declares it.
    #[serde(rename = "__sls__")]
    pub sls: String,
    /// Its place in the run, from 0.
    #[serde(rename = "__run_num__")]
    pub run_num: u64,
    /// Local time of day at which it started.
    pub start_time: String,
    /// Milliseconds that it took.
    pub duration: f64,
    /// The ID that declares it.
    #[serde(rename = "__id__")]
    pub id: String,
    /// `Some(false)` if a requisite kept it from running.
    #[serde(rename = "__state_ran__", skip_serializing_if = "Option::is_none", default)]
    pub state_ran: Option<bool>,
    /// A condition kept it from running: nobody's watch reacts.
    #[serde(skip_serializing_if = "is_false", default)]
    pub skip_watch: bool,
    /// What it changed is nothing that others should react to.
    #[serde(skip_serializing_if = "is_false", default)]
    pub skip_req: bool,
    /// It asked to run in parallel.
    #[serde(rename = "__parallel__", skip_serializing_if = "is_false", default)]
    pub parallel: bool,
    /// How much of it Salt tells.
    #[serde(skip)]
    pub told: Told,
    /// Events that it sent, and the one that its `fire_event` asks for.
    #[serde(skip)]
    pub events: Vec<Fired>,
}

/// How much Salt tells of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Told {
    /// All.
    #[default]
    All,
    /// Neither ID, SLS nor times: no state function was called.
    Bare,
    /// Nor its place in the run: what came of it has not the shape of a return.
    Least,
}

impl Told {
    /// The keys that Salt leaves out.
    pub fn without(self) -> &'static [&'static str] {
        const KEYS: [&str; 5] = ["__run_num__", "__sls__", "__id__", "start_time", "duration"];
        match self {
            Told::All => &[],
            Told::Bare => KEYS.split_at(1).1,
            Told::Least => &KEYS,
        }
    }
}

/// An event of a state's.
#[derive(Debug, Clone, PartialEq)]
pub struct Fired {
    /// What it is about: the state's name, or what its `fire_event` or `event.send` says.
    pub tag: String,
    /// What it holds; what came of the state if `None`.
    pub data: Option<Value>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl StateReturn {
    /// A failure of no state.
    pub(crate) fn bare(name: String, comment: String) -> StateReturn {
        StateReturn {
            name: Name::One(name),
            changes: Map::new(),
            result: Some(false),
            comment,
            warnings: None,
            sls: String::new(),
            run_num: 0,
            start_time: String::new(),
            duration: 0.0,
            id: String::new(),
            state_ran: None,
            skip_watch: false,
            skip_req: false,
            parallel: false,
            told: Told::Bare,
            events: Vec::new(),
        }
    }
}

/// What a return is called: one name, or the functions that a `module.run` called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Name {
    /// A state's name.
    One(String),
    /// Names of functions.
    Many(Vec<String>),
}

impl From<String> for Name {
    fn from(name: String) -> Name {
        Name::One(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::One(name) => f.write_str(name),
            Name::Many(names) => f.write_str(&names.join(", ")),
        }
    }
}

/// The whole run: returns by key (`mod_|-id_|-name_|-fun`), in run order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Report {
    states: IndexMap<String, StateReturn>,
}

/// Counts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// States in all.
    pub total: usize,
    /// That changed something, or in a dry run would.
    pub changed: usize,
    /// That failed.
    pub failed: usize,
    /// That were as wanted.
    pub unchanged: usize,
    /// Time that the states took.
    pub duration: Duration,
}

impl Report {
    /// The returns by key, in run order.
    pub fn states(&self) -> &IndexMap<String, StateReturn> {
        &self.states
    }

    /// Whether no state failed.
    pub fn is_ok(&self) -> bool {
        self.states.values().all(|state| state.result != Some(false))
    }

    /// Counts the states by what came of them.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { total: self.states.len(), ..Summary::default() };
        for state in self.states.values() {
            match (state.result, state.changes.is_empty()) {
                (Some(false), _) => summary.failed += 1,
                (None, _) | (Some(true), false) => summary.changed += 1,
                (Some(true), true) => summary.unchanged += 1,
            }
            let micros = (state.duration * 1000.0).clamp(0.0, 1e15);
            summary.duration += Duration::from_secs_f64(micros / 1e6);
        }
        summary
    }

    /// The report of a worker that the top file gives no state: one failed entry, as in Salt.
    pub fn no_states(comment: &str) -> Report {
        let bare = StateReturn::bare("No States".to_owned(), comment.to_owned());
        let entry = StateReturn { id: "states".to_owned(), ..bare };
        Report { states: IndexMap::from([("no_|-states_|-states_|-None".to_owned(), entry)]) }
    }

    /// The same under other keys; of two that would be the same, the later one counts itself.
    pub(crate) fn renamed(self, rename: impl Fn(&str) -> Option<String>) -> Report {
        if self.states.keys().all(|key| rename(key).is_none()) {
            return self;
        }
        let mut states = IndexMap::with_capacity(self.states.len());
        for (key, state) in self.states {
            let mut key = rename(&key).unwrap_or(key);
            if states.contains_key(&key) {
                key = format!("{key} ({})", state.run_num);
            }
            states.insert(key, state);
        }
        Report { states }
    }

    /// An empty one, with room for so many states.
    pub(crate) fn with_room(states: usize) -> Report {
        Report { states: IndexMap::with_capacity(states) }
    }

    pub(crate) fn insert(&mut self, tag: String, state: StateReturn) {
        self.states.insert(tag, state);
    }

    pub(crate) fn get(&self, tag: &str) -> Option<&StateReturn> {
        self.states.get(tag)
    }
}
