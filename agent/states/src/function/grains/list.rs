//! `grains.list_present`, `grains.list_absent`, `grains.append`: grains that are lists.

use serde_json::Value;

use super::set::put;
use super::store::{Store, write};
use super::{by_path, path, wanted};
use crate::function::args::{text, truth};
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::{Changes, Outcome, change};

pub(in crate::function) struct ListPresent;

/// The list to be, what is new in it, and what is said of the rest.
pub(in crate::function) struct Adding {
    list: Vec<Value>,
    value: Value,
    said: String,
}

impl StateFunction for ListPresent {
    const MODULE: &'static str = "grains";
    const NAME: &'static str = "list_present";
    const TAKES: &'static [&'static str] = &["value", "delimiter"];
    const NEEDS: &'static [&'static str] = &["value"];
    type Step = Adding;

    fn check(ctx: &Context<'_>) -> Plan<Adding> {
        by_path(ctx, adding(ctx))
    }

    fn apply(ctx: &Context<'_>, step: Adding) -> Outcome {
        let path = path(ctx);
        let outcome = match put(ctx, &path, &Value::Array(step.list)) {
            Ok(changes) => Outcome::changed(
                format!("{}Append value {} to grain {path}", step.said, text(&step.value)),
                change("new", Value::Object(changes)),
            ),
            Err(problem) => Outcome::failed(problem),
        };
        outcome.called(path)
    }
}

/// What is missing in a list.
fn adding(ctx: &Context<'_>) -> Plan<Adding> {
    let (path, value) = (path(ctx), wanted(ctx));
    let own = Store::read(ctx).get(&path).filter(truth);
    let mut list = match &own {
        None => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(_) => return Plan::failed(format!("Grain {path} is not a valid list")),
    };
    let there = format!("Value {} is already in grain {path} (or pending)", text(&value));
    let (value, said) = match &value {
        Value::Array(items) => {
            let (old, new): (Vec<_>, Vec<_>) =
                items.iter().cloned().partition(|item| list.contains(item));
            if new.is_empty() {
                return Plan::fine(there);
            }
            let said = match old.is_empty() {
                true => String::new(),
                false => format!(
                    "Removed value {} from update due to value found in \"{path}\" (or \
                     pending).\n",
                    text(&Value::Array(old))
                ),
            };
            list.extend(new.iter().cloned());
            (Value::Array(new), said)
        }
        one if list.contains(one) => return Plan::fine(there),
        one => {
            list.push(one.clone());
            (one.clone(), String::new())
        }
    };
    let comment = match own {
        Some(_) => format!("Value {} is set to be appended to grain {path}", text(&value)),
        None => format!("Grain {path} is set to be added"),
    };
    let own = own.unwrap_or_else(|| Value::from(""));
    Plan::change(comment, change("new", own), Adding { list, value, said })
}

pub(in crate::function) struct ListAbsent;

impl StateFunction for ListAbsent {
    const MODULE: &'static str = "grains";
    const NAME: &'static str = "list_absent";
    const TAKES: &'static [&'static str] = &["value", "delimiter"];
    const NEEDS: &'static [&'static str] = &["value"];
    /// The list, and what goes out of it.
    type Step = (Vec<Value>, Vec<Value>);

    fn check(ctx: &Context<'_>) -> Plan<Self::Step> {
        by_path(ctx, removing(ctx))
    }

    fn apply(ctx: &Context<'_>, (mut list, going): Self::Step) -> Outcome {
        for value in &going {
            if let Some(at) = list.iter().position(|own| own == value) {
                list.remove(at);
            }
        }
        let outcome = match put(ctx, &path(ctx), &Value::Array(list)) {
            Ok(_) => Outcome::changed(
                told(ctx, &going, "was deleted from grain", ""),
                change("deleted", going),
            ),
            Err(problem) => Outcome::failed(problem),
        };
        outcome.called(path(ctx))
    }
}

/// What of a list goes.
fn removing(ctx: &Context<'_>) -> Plan<(Vec<Value>, Vec<Value>)> {
    let path = path(ctx);
    let list = match Store::read(ctx).get(&path).filter(truth) {
        None => return Plan::fine(format!("Grain {path} does not exist")),
        Some(Value::Array(items)) => items,
        Some(_) => return Plan::failed(format!("Grain {path} is not a valid list")),
    };
    let going: Vec<Value> = values(ctx).into_iter().filter(|value| list.contains(value)).collect();
    let comment = told(ctx, &going, "in grain", "is set to be deleted");
    if going.is_empty() {
        return Plan::fine(comment);
    }
    Plan::change(comment, change("deleted", going.clone()), (list, going))
}

fn values(ctx: &Context<'_>) -> Vec<Value> {
    match wanted(ctx) {
        Value::Array(items) => items,
        one => vec![one],
    }
}

/// A line for each value: what happens to it, or that it is not there.
fn told(ctx: &Context<'_>, going: &[Value], verb: &str, end: &str) -> String {
    let path = path(ctx);
    let line = |value: &Value| {
        let shown = text(value);
        match going.contains(value) {
            false => format!("Value {shown} is absent from grain {path}"),
            true => format!("Value {shown} {verb} {path} {end}").trim_end().to_owned(),
        }
    };
    values(ctx).iter().map(line).collect::<Vec<_>>().join("\n")
}

pub(in crate::function) struct Append;

impl StateFunction for Append {
    const MODULE: &'static str = "grains";
    const NAME: &'static str = "append";
    const TAKES: &'static [&'static str] = &["value", "convert", "delimiter"];
    const NEEDS: &'static [&'static str] = &["value"];
    type Step = Appended;

    fn check(ctx: &Context<'_>) -> Plan<Appended> {
        by_path(ctx, appending(ctx))
    }

    fn apply(ctx: &Context<'_>, Appended { list, converted }: Appended) -> Outcome {
        let (path, value) = (path(ctx), wanted(ctx));
        let list = Value::Array(list);
        // As in Salt, a list that was none becomes a fact of its own, by the whole path.
        let put = if converted {
            write(ctx, &path, Some(&list))
        } else {
            put(ctx, &path, &list).map(|_| ())
        };
        let outcome = match put {
            Ok(()) => Outcome::changed(
                format!("Value {} was added to grain {path}", text(&value)),
                change("added", value),
            ),
            Err(problem) => Outcome::failed(problem),
        };
        outcome.called(path)
    }
}

/// The list with one more, and whether it was no list before.
pub(in crate::function) struct Appended {
    list: Vec<Value>,
    converted: bool,
}

fn appending(ctx: &Context<'_>) -> Plan<Appended> {
    let (path, value) = (path(ctx), wanted(ctx));
    let shown = text(&value);
    let store = Store::read(ctx);
    // To Salt, what is empty is there at the top only.
    let own = store.get(&path).filter(|own| truth(own) || store.has(&path));
    let Some(own) = own else {
        return Plan::failed(format!("Grain {path} does not exist"));
    };
    let converted = !own.is_array();
    let (mut list, comment) = match own {
        Value::Array(items) if items.contains(&value) => {
            let comment = format!("Value {shown} is already in the list for grain {path}");
            return Plan::fine(comment);
        }
        Value::Array(items) => (items, format!("Value {shown} in grain {path} is set to be added")),
        other if ctx.flag("convert", false) => {
            let list = if other.is_null() { Vec::new() } else { vec![other] };
            let comment = format!(
                "Grain {path} is set to be converted to list and value {shown} will be added"
            );
            (list, comment)
        }
        _ => return Plan::failed(format!("Grain {path} is not a valid list")),
    };
    list.push(value.clone());
    let changes: Changes = change("added", value);
    Plan::change(comment, changes, Appended { list, converted })
}
