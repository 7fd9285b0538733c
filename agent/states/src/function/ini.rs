//! Salt's `ini`: sections and options of files like `php.ini`.

mod absent;
pub(crate) mod document;
mod file;
mod present;
mod sections;

use serde_json::Value;

use super::args::{python_type, text};
use super::{Context, Function, Lint, Plan};
use crate::chunk::Chunk;
use crate::outcome::{Changes, Outcome};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<present::OptionsPresent>(),
    Function::of::<absent::OptionsAbsent>(),
    Function::of::<sections::SectionsPresent>(),
    Function::of::<sections::SectionsAbsent>(),
];

/// What none of them comes to where there is nothing to do.
const NOTHING: &str = "No anomaly detected";
const CHANGED: &str = "Changes take effect";

fn lint(chunk: &Chunk) -> Vec<Lint> {
    let name = chunk.args.get("encoding").filter(|value| !value.is_null()).map(text);
    let unknown = name.filter(|name| file::Encoding::of(name).is_none());
    let told = |name| format!("the encoding '{name}' is not supported: use utf-8 or latin-1");
    unknown.map(|name| vec![("encoding", told(name))]).unwrap_or_default()
}

/// What is to be written, and what is told then.
pub(super) struct Step {
    data: Vec<u8>,
    outcome: Outcome,
}

/// Does a state's work in memory: what a file becomes by it, if it becomes another. What was done
/// before a fault is written, as in Salt.
fn worked(
    ctx: &Context<'_>,
    work: impl FnOnce(&mut file::File<'_>) -> Result<Changes, String>,
    told: impl FnOnce(Changes) -> Outcome,
) -> Plan<Step> {
    let mut file = match file::File::open(ctx) {
        Ok(file) => file,
        Err(words) => return Plan::Done(Outcome::raised(words)),
    };
    let outcome = work(&mut file).map_or_else(Outcome::raised, told);
    match file.data() {
        None => Plan::Done(outcome),
        Some(data) => Plan::change("", Changes::new(), Step { data, outcome }),
    }
}

fn written(ctx: &Context<'_>, step: Step) -> Outcome {
    match file::write(ctx, &step.data) {
        Ok(()) => step.outcome,
        Err(words) => Outcome::raised(words),
    }
}

/// What changed, or that nothing did.
fn told(changes: Changes) -> Outcome {
    let comment = if changes.is_empty() { NOTHING } else { CHANGED };
    Outcome::changed(comment, changes)
}

/// A dry run's plan: whether anything would change, and the words.
fn foreseen(pending: bool, comment: String) -> Plan<Step> {
    let result = if pending { None } else { Some(true) };
    Plan::Done(Outcome { result, comment, ..Outcome::default() })
}

/// Words of a dry run that has found nothing.
fn or_nothing(comment: String) -> String {
    if comment.is_empty() { "No changes detected.".to_owned() } else { comment }
}

/// Goes over a value as Python does: items, keys, letters.
fn each(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) => Ok(items.iter().map(text).collect()),
        Value::Object(map) => Ok(map.keys().cloned().collect()),
        Value::String(text) => Ok(text.chars().map(String::from).collect()),
        other => Err(format!("'{}' object is not iterable", python_type(other))),
    }
}

/// `sections`, if it has a truth.
fn wanted<'a>(ctx: &Context<'a>) -> Option<&'a Value> {
    ctx.value("sections").filter(|value| super::args::truth(value))
}

/// Python's words for a value that lacks a method.
fn lacks(value: &Value, method: &str) -> String {
    format!("'{}' object has no attribute '{method}'", python_type(value))
}
