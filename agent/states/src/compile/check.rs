//! The static check of low chunks: known functions, arguments that have an effect.

use serde_json::Value;

use crate::chunk::Chunk;
use crate::error::{Error, Kind};
use crate::function::{self, Function};

/// Warnings, and faults.
pub(super) fn check(chunks: &[Chunk]) -> (Vec<Error>, Vec<Error>) {
    let mut warnings = Vec::new();
    let mut faults = Vec::new();
    for chunk in chunks {
        match function::find(&chunk.state, &chunk.fun) {
            None => faults.push(unknown(chunk)),
            Some(function) => {
                arguments(chunk, function, &mut warnings, &mut faults);
                let told = |kind: Kind| {
                    move |(name, reason)| Error::new(kind, Some(chunk.at_arg(name)), reason)
                };
                faults.extend((function.lint)(chunk).into_iter().map(told(Kind::Unsupported)));
                warnings.extend((function.doubt)(chunk).into_iter().map(told(Kind::Shape)));
            }
        }
        runtime(chunk, &mut warnings, &mut faults);
    }
    (warnings, faults)
}

/// Salt's words, though Salt says them only when it comes to the state.
fn unknown(chunk: &Chunk) -> Error {
    let name = chunk.function();
    let reason = format!(
        "State '{name}' was not found in SLS '{}'\nReason: '{name}' is not available.\n",
        chunk.sls
    );
    Error::new(Kind::Unsupported, Some(chunk.at.clone()), reason)
}

fn arguments(
    chunk: &Chunk,
    function: &Function,
    warnings: &mut Vec<Error>,
    faults: &mut Vec<Error>,
) {
    let mut strangers = Vec::new();
    for (name, value) in &chunk.args {
        let refused = function.refuses.contains(&name.as_str());
        if !refused && (function.knows(name) || function.takes.contains(&function::ANY)) {
            continue;
        }
        let at = Some(chunk.at_arg(name));
        let function_name = chunk.function();
        if refused {
            if !is_unset(value) {
                let reason = format!(
                    "the argument '{name}' of {function_name} is not supported: remove it from \
                     state \
                     '{}'",
                    chunk.id
                );
                faults.push(Error::new(Kind::Unsupported, at, reason));
            }
            continue;
        }
        if function.is_strict() {
            strangers.push(name);
            continue;
        }
        let reason = format!(
            "'{name}' is an invalid keyword argument for '{function_name}'; it has no effect"
        );
        warnings.push(Error::new(Kind::Shape, at, reason));
    }
    faults.extend(strange(chunk, &strangers));
    faults.extend(lacking(chunk, function));
}

/// Salt's words, though Salt says them only when it comes to the state; of one that runs alone it
/// says them at once.
fn lacking(chunk: &Chunk, function: &Function) -> Vec<Error> {
    let missing = function.needs.iter().filter(|name| !chunk.args.contains_key(**name));
    let told = missing.map(|name| {
        let function = chunk.function();
        format!("Missing parameter {name} for state {function}")
    });
    let told: Vec<String> = told.collect();
    let alone = chunk.sls.is_empty() || told.is_empty();
    let told = if alone { told } else { vec![told.join("\n") + "\n"] };
    told.into_iter().map(|reason| Error::shape(&chunk.at, reason)).collect()
}

/// Salt's words for arguments that a function without `**kwargs` does not know.
fn strange(chunk: &Chunk, names: &[&String]) -> Option<Error> {
    let (last, before) = names.split_last()?;
    let told = if before.is_empty() {
        format!("'{last}' is an invalid keyword argument")
    } else {
        let before: Vec<String> = before.iter().map(|name| format!("'{name}'")).collect();
        format!("{} and '{last}' are invalid keyword arguments", before.join(", "))
    };
    let at = chunk.at_arg(names[0]);
    Some(Error::shape(&at, format!("{told} for '{}'", chunk.function())))
}

/// A default that was spelled out asks for nothing.
fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
    }
}

/// Runtime options that this engine does not have.
fn runtime(chunk: &Chunk, warnings: &mut Vec<Error>, faults: &mut Vec<Error>) {
    let set = |name: &str| chunk.args.get(name).is_some_and(|value| !is_unset(value));
    let told = |name: &str, reason: String| {
        Error::new(Kind::Unsupported, Some(chunk.at_arg(name)), reason)
    };
    if set("provider") {
        // A tree that works in Salt names what works on the host, and that is taken anyway.
        let reason = "'provider' has no effect: what the host has is used";
        warnings.push(told("provider", reason.to_owned()));
    }
    for key in ["onlyif", "unless"] {
        let entries = chunk.args.get(key).and_then(Value::as_array).into_iter().flatten();
        for name in entries.filter_map(|entry| entry.get("fun")?.as_str()) {
            if crate::module::find(name).is_none_or(|function| function.acts) {
                let reason =
                    format!("the function '{name}' of {key} is not supported: use a command");
                faults.push(told(key, reason));
            }
        }
    }
}
