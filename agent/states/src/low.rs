//! From high data to low chunks: one per state and name.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::chunk::Chunk;
use crate::error::{Error, Kind};
use crate::high::{Arg, Body, High};

/// Every state of the high data as a chunk, in its order.
pub(crate) fn chunks(high: &High) -> (Vec<Chunk>, Vec<Error>) {
    let mut out = Vec::new();
    let mut errors = Vec::new();
    for (id, body) in &high.bodies {
        for (state, args) in &body.states {
            expand(id, body, state, args, &mut out, &mut errors);
        }
    }
    (out, errors)
}

fn expand(
    id: &str,
    body: &Body,
    state: &str,
    args: &[Arg],
    out: &mut Vec<Chunk>,
    errors: &mut Vec<Error>,
) {
    let mut base = Chunk {
        state: state.to_owned(),
        fun: String::new(),
        id: id.to_owned(),
        name: id.to_owned(),
        sls: body.sls.clone(),
        saltenv: "base".to_owned(),
        at: body.at.clone(),
        args: Map::new(),
        included_from: body.included_from.clone(),
        name_order: 0,
        lines: HashMap::new(),
    };
    let mut names: Vec<Value> = Vec::new();
    for arg in args {
        match arg {
            Arg::Fun(fun) => base.fun.clone_from(fun),
            Arg::Set(key, value, line) => {
                if *line > 0 {
                    base.lines.insert(key.clone(), *line);
                }
                match (key.as_str(), value) {
                    ("names", Value::Array(items)) => {
                        items
                            .iter()
                            .filter(|item| !names.contains(item))
                            .cloned()
                            .collect::<Vec<_>>()
                            .into_iter()
                            .for_each(|item| names.push(item));
                    }
                    ("state" | "fun", _) => {}
                    ("name", Value::String(name)) => base.name.clone_from(name),
                    ("name", _) => {}
                    _ => {
                        base.args.insert(key.clone(), value.clone());
                    }
                }
            }
        }
    }
    if names.is_empty() {
        out.push(base);
        return;
    }
    for (place, item) in (1..).zip(&names) {
        match named(&base, item, place) {
            Some(chunk) => out.push(chunk),
            None => errors.push(Error::new(
                Kind::Shape,
                Some(base.at_arg("names")),
                format!("an item of 'names' in state '{id}' in SLS '{}' is not a name", body.sls),
            )),
        }
    }
}

/// The chunk of one item of `names`: a name, or a name with arguments of its own.
fn named(base: &Chunk, item: &Value, place: u32) -> Option<Chunk> {
    let mut chunk = Chunk { name_order: place, ..base.clone() };
    match item {
        Value::String(name) => chunk.name.clone_from(name),
        Value::Object(map) => {
            let (name, own) = map.iter().next()?;
            chunk.name.clone_from(name);
            for over in own.as_array()? {
                for (key, value) in over.as_object()? {
                    match (key.as_str(), value) {
                        ("name", Value::String(name)) => chunk.name.clone_from(name),
                        _ => {
                            chunk.args.insert(key.clone(), value.clone());
                        }
                    }
                }
            }
        }
        Value::Number(number) => chunk.name = number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) => return None,
    }
    Some(chunk)
}
