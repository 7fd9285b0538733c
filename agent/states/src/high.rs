//! High data: SLS and what they include, merged into states by ID.

mod build;
mod declare;
pub(crate) mod extend;
mod include;
pub(crate) mod requisite_in;

pub(crate) use build::build;
pub(crate) use declare::repr::shown;

use serde_json::{Map, Value, json};

use crate::data::Ordered;
use crate::error::{At, Error};
use crate::target::glob;

/// States by ID, as written.
#[derive(Debug, Default, Clone)]
pub(crate) struct High {
    pub(crate) bodies: Ordered<Body>,
    pub(crate) extends: Vec<Extend>,
    pub(crate) excludes: Vec<Exclude>,
    /// Whether an SLS has an `extend` or an `exclude`, be it empty.
    pub(crate) has_extend: bool,
    pub(crate) has_exclude: bool,
    /// What is malformed but gets no further than a later stage of Salt's.
    pub(crate) malformed: Vec<Error>,
    /// What Salt passes over in silence.
    pub(crate) warnings: Vec<Error>,
}

/// What one ID declares.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Body {
    pub(crate) sls: String,
    pub(crate) saltenv: String,
    pub(crate) at: At,
    pub(crate) included_from: Vec<String>,
    pub(crate) states: Ordered<Vec<Arg>>,
}

/// One item of a state's list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Arg {
    /// The function.
    Fun(String),
    /// Arguments: one, unless somebody forgot a dash.
    Set(Vec<Pair>),
    /// What is neither, which Salt passes over.
    Other(Value),
}

/// An argument.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: Value,
    /// From 1; 0 for one that nobody wrote.
    pub(crate) line: u32,
}

impl Pair {
    pub(crate) fn new(key: impl Into<String>, value: impl Into<Value>, line: u32) -> Pair {
        Pair { key: key.into(), value: value.into(), line }
    }
}

impl Arg {
    /// The first argument of an item, by which Salt knows it.
    pub(crate) fn first(&self) -> Option<&Pair> {
        match self {
            Arg::Set(pairs) => pairs.first(),
            Arg::Fun(_) | Arg::Other(_) => None,
        }
    }

    /// The argument of an item that has no other.
    pub(crate) fn only(&self) -> Option<&Pair> {
        match self {
            Arg::Set(pairs) if pairs.len() == 1 => pairs.first(),
            Arg::Set(_) | Arg::Fun(_) | Arg::Other(_) => None,
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Arg::Fun(name) => Value::from(name.as_str()),
            Arg::Set(pairs) => {
                let pairs = pairs.iter().map(|pair| (pair.key.clone(), pair.value.clone()));
                Value::Object(pairs.collect())
            }
            Arg::Other(value) => value.clone(),
        }
    }
}

/// Additions to an ID of another SLS.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Extend {
    pub(crate) id: String,
    pub(crate) body: Body,
    /// What is malformed in it, once it is part of the state.
    pub(crate) malformed: Vec<Error>,
}

/// Stands for the SLS that declares a state, in what is malformed in an extension of it: YAML has
/// this character in escapes only, and no name of an SLS has it.
const OWNER: &str = "\0";

/// What is left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Exclude {
    /// All of an SLS (a glob); written with its key or without.
    Sls(String, bool),
    /// One ID.
    Id(String),
}

impl High {
    /// Whether there is nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.bodies.is_empty() && !self.has_extend && !self.has_exclude
    }

    /// Drops what `exclude` names.
    pub(crate) fn apply_excludes(&mut self) {
        let excludes = &self.excludes;
        self.bodies.retain(|id, body| {
            !excludes.iter().any(|exclude| match exclude {
                Exclude::Sls(pattern, _) => glob(pattern, &body.sls),
                Exclude::Id(excluded) => excluded == id,
            })
        });
    }

    /// The high data as `state.show_highstate` and `state.show_sls` show them.
    pub(crate) fn to_json(&self) -> Value {
        let bodies = self.bodies.iter().map(|(id, body)| (id.clone(), body.to_json()));
        let mut map: Map<String, Value> = bodies.collect();
        if self.has_extend {
            let mut extends: Vec<Value> = Vec::new();
            for extend in &self.extends {
                let one = json!({extend.id.as_str(): extend.body.to_json()});
                if !extends.contains(&one) {
                    extends.push(one);
                }
            }
            map.insert("__extend__".to_owned(), Value::Array(extends));
        }
        if self.has_exclude {
            let excludes = self.excludes.iter().map(|exclude| match exclude {
                Exclude::Sls(sls, false) => json!(sls),
                Exclude::Sls(sls, true) => json!({"sls": sls}),
                Exclude::Id(id) => json!({"id": id}),
            });
            map.insert("__exclude__".to_owned(), excludes.collect());
        }
        Value::Object(map)
    }
}

impl Body {
    fn to_json(&self) -> Value {
        let args = |args: &Vec<Arg>| args.iter().map(Arg::to_json).collect();
        let states = self.states.iter().map(|(state, list)| (state.clone(), args(list)));
        let mut map: Map<String, Value> = states.collect();
        map.insert("__sls__".to_owned(), Value::from(self.sls.as_str()));
        map.insert("__env__".to_owned(), Value::from(self.saltenv.as_str()));
        if !self.included_from.is_empty() {
            map.insert("__sls_included_from__".to_owned(), json!(self.included_from));
        }
        Value::Object(map)
    }
}
