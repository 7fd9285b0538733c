//! From high data to low chunks: one per state and name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use foldhash::fast::RandomState;
use serde_json::Value;

use crate::chunk::{Args, Chunk};
use crate::data::key;
use crate::error::{Error, Kind};
use crate::function::args;
use crate::high::{Arg, Body, High, Pair};

/// Every state of the high data as a chunk, in its order.
///
/// `watches` says whether a module reacts to changes: elsewhere, watching is a plain requirement.
pub(crate) fn chunks(high: High, watches: impl Fn(&str) -> bool) -> (Vec<Chunk>, Vec<Error>) {
    let most = high.bodies.len();
    let by_tag = HashMap::with_capacity_and_hasher(most, RandomState::default());
    let mut out = Chunks { list: Vec::with_capacity(most), by_tag, errors: Vec::new() };
    for (id, mut body) in high.bodies {
        for (state, args) in std::mem::take(&mut body.states) {
            let (mut base, names) = chunk(&id, &body, state, args);
            if !watches(&base.state) {
                without_watch(&mut base.args);
            }
            out.expand(base, names);
        }
    }
    (out.list, out.errors)
}

/// The chunk of a state, and the items of its `names`, each once.
fn chunk(id: &str, body: &Body, state: String, args: Vec<Arg>) -> (Chunk, Vec<Value>) {
    let mut names = Vec::new();
    let mut chunk = Chunk {
        state,
        fun: String::new(),
        id: id.to_owned(),
        name: id.to_owned(),
        sls: body.sls.clone(),
        saltenv: body.saltenv.clone(),
        at: body.at.clone(),
        args: Args::with_capacity_and_hasher(args.len(), RandomState::default()),
        included_from: body.included_from.clone(),
        name_order: 0,
        lines: Vec::with_capacity(args.len()),
    };
    for arg in args {
        match arg {
            Arg::Fun(fun) => chunk.fun = fun,
            Arg::Set(pairs) => {
                for mut pair in pairs {
                    if pair.key == "names" {
                        add_names(&mut names, pair.value.take());
                    }
                    set(&mut chunk, pair);
                }
            }
            Arg::Other(_) => {}
        }
    }
    (chunk, names)
}

fn add_names(names: &mut Vec<Value>, list: Value) {
    let Value::Array(items) = list else { return };
    for item in items {
        if !names.contains(&item) {
            names.push(item);
        }
    }
}

fn set(chunk: &mut Chunk, Pair { key, value, line }: Pair) {
    if line > 0 {
        chunk.lines.push((key.clone(), line));
    }
    match (key.as_str(), value) {
        ("state" | "fun" | "names", _) => {}
        ("name", Value::String(name)) if key::is_text(&name) => chunk.name = name,
        ("name", _) => chunk.name.clone_from(&chunk.id),
        (_, value) => {
            chunk.args.insert(key, value);
        }
    }
}

/// Puts `watch` behind `require`, as Salt does for a module that cannot react.
fn without_watch(args: &mut Args) {
    for (watch, require) in [("watch", "require"), ("watch_any", "require_any")] {
        let Some(Value::Array(more)) = args.swap_remove(watch) else { continue };
        match args.entry(require.to_owned()).or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(items) => items.extend(more),
            other => *other = Value::Array(more),
        }
    }
}

struct Chunks {
    list: Vec<Chunk>,
    by_tag: HashMap<String, usize, RandomState>,
    errors: Vec<Error>,
}

impl Chunks {
    /// Adds a chunk, or one for each of its names.
    fn expand(&mut self, base: Chunk, names: Vec<Value>) {
        // Arguments that a requisite gave to a state that nobody declares.
        if base.fun.is_empty() {
            return;
        }
        if names.is_empty() {
            return self.push(base);
        }
        for (place, item) in (1..).zip(names) {
            match named(&base, &item, place) {
                Some(chunk) => self.push(chunk),
                None => {
                    let reason = nameless(&base, &item);
                    self.errors.push(Error::new(Kind::Shape, Some(base.at_arg("names")), reason));
                }
            }
        }
    }

    /// Of two chunks with the same key, the later one counts, in the earlier one's place.
    fn push(&mut self, chunk: Chunk) {
        match self.by_tag.entry(chunk.tag()) {
            Entry::Occupied(at) => self.list[*at.get()] = chunk,
            Entry::Vacant(free) => {
                free.insert(self.list.len());
                self.list.push(chunk);
            }
        }
    }
}

/// The chunk of one item of `names`: a name, or a name with arguments of its own.
fn named(base: &Chunk, item: &Value, place: u32) -> Option<Chunk> {
    let mut chunk = Chunk { name_order: place, ..base.clone() };
    match item {
        Value::String(name) if key::is_text(name) => key::text(name).clone_into(&mut chunk.name),
        Value::Object(map) => {
            let (name, own) = map.iter().next().filter(|(name, _)| key::is_text(name))?;
            key::text(name).clone_into(&mut chunk.name);
            for over in own.as_array()? {
                for (key, value) in over.as_object()? {
                    set(&mut chunk, Pair::new(key.as_str(), value.clone(), 0));
                }
            }
        }
        Value::String(_) | Value::Number(_) | Value::Null | Value::Bool(_) | Value::Array(_) => {
            return None;
        }
    }
    Some(chunk)
}

/// What is wrong with an item of `names`; of a name that is no text in Salt's words.
fn nameless(base: &Chunk, item: &Value) -> String {
    let (id, sls) = (&base.id, &base.sls);
    let (name, kind) = match item {
        Value::Object(map) => {
            let name = map.keys().next().filter(|name| !key::is_text(name));
            (name.map(|name| key::text(name).into()), name.map(|name| key::python_type(name)))
        }
        other => (Some(args::shown(other)), Some(args::python_type(other))),
    };
    match (name, kind) {
        (Some(name), Some(kind)) => {
            format!("ID '{name}' in SLS '{sls}' is not formed as a string, but is a {kind}\n")
        }
        _ => format!(
            "an item of 'names' in state '{id}' in SLS '{sls}' is neither a name nor a name with a \
             list of arguments"
        ),
    }
}
