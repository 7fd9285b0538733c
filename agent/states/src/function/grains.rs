//! Salt's `grains`: facts that the operator gives to a host, kept in a file of the agent's.
//!
//! Templates see them from the next run on; later states of this run see them at once.

mod list;
mod set;
mod store;

use serde_json::{Value, json};

use super::args::text;
use super::{Context, Function, Plan, StateFunction};
use crate::outcome::{Changes, Outcome, change};
use crate::regex::python_regex;
pub(crate) use set::{put, set};
pub(crate) use store::{Store, write};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<Present>(),
    Function::of::<Absent>(),
    Function::of::<Exists>(),
    Function::of::<list::ListPresent>(),
    Function::of::<list::ListAbsent>(),
    Function::of::<list::Append>(),
];

/// The grain's path, with `:` between its parts: what parts them in the name is a pattern to Salt.
fn path(ctx: &Context<'_>) -> String {
    let name = ctx.name();
    let parts = ctx.text("delimiter").and_then(|by| python_regex(&by, false, false, false).ok());
    let replaced = parts.and_then(|by| by.replaced(name, 0, |_| ":".to_owned()).ok());
    replaced.map_or_else(|| name.to_owned(), |(path, _)| path)
}

/// Returns are called by the path.
fn by_path<S>(ctx: &Context<'_>, plan: Plan<S>) -> Plan<S> {
    match plan {
        Plan::Done(outcome) => Plan::Done(outcome.called(path(ctx))),
        Plan::Change { foreseen, step } => {
            Plan::Change { foreseen: foreseen.called(path(ctx)), step }
        }
    }
}

fn wanted(ctx: &Context<'_>) -> Value {
    ctx.chunk.args.get("value").cloned().unwrap_or_default()
}

pub(super) struct Present;

impl StateFunction for Present {
    const MODULE: &'static str = "grains";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] = &["value", "delimiter", "force"];
    const NEEDS: &'static [&'static str] = &["value"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let (path, value) = (path(ctx), wanted(ctx));
        let plan = match Store::read(ctx).get(&path) {
            Some(own) if own == value => Plan::fine("Grain is already set"),
            None => {
                Plan::change(format!("Grain {path} is set to be added"), change("new", path), ())
            }
            Some(_) => Plan::change(
                format!("Grain {path} is set to be changed"),
                change("changed", json!({path: value})),
                (),
            ),
        };
        by_path(ctx, plan)
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let (path, value) = (path(ctx), wanted(ctx));
        let outcome = match set(ctx, &path, &value, false) {
            Ok(changes) => {
                Outcome::changed(format!("Set grain {path} to {}", text(&value)), changes)
            }
            Err(problem) => Outcome::failed(problem),
        };
        outcome.called(path)
    }
}

pub(super) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "grains";
    const NAME: &'static str = "absent";
    const TAKES: &'static [&'static str] = &["destructive", "delimiter", "force"];
    type Step = Value;

    fn check(ctx: &Context<'_>) -> Plan<Value> {
        by_path(ctx, going(ctx))
    }

    fn apply(ctx: &Context<'_>, _own: Value) -> Outcome {
        let path = path(ctx);
        let destructive = ctx.flag("destructive", false);
        let outcome = match set(ctx, &path, &Value::Null, destructive) {
            Err(problem) => Outcome::failed(problem),
            Ok(_) if destructive => {
                let comment = format!("Grain {path} was deleted");
                Outcome::changed(comment, change("deleted", path.clone()))
            }
            Ok(_) => {
                Outcome::changed(format!("Value for grain {path} was set to None"), emptied(&path))
            }
        };
        outcome.called(path)
    }
}

/// What becomes of a grain that is to go.
fn going(ctx: &Context<'_>) -> Plan<Value> {
    let path = path(ctx);
    let destructive = ctx.flag("destructive", false);
    let Some(own) = Store::read(ctx).get(&path) else {
        return Plan::fine(format!("Grain {path} does not exist"));
    };
    if own.is_null() && !destructive {
        if ctx.test {
            return Plan::Done(Outcome::foreseen("", Changes::new()));
        }
        return Plan::fine("Grain is already set");
    }
    let foreseen = if destructive {
        (format!("Grain {path} is set to be deleted"), change("deleted", path))
    } else {
        (format!("Value for grain {path} is set to be deleted (None)"), emptied(&path))
    };
    Plan::change(foreseen.0, foreseen.1, own)
}

fn emptied(path: &str) -> Changes {
    let changes = json!({"grain": path, "value": null});
    changes.as_object().cloned().unwrap_or_default()
}

pub(super) struct Exists;

impl StateFunction for Exists {
    const MODULE: &'static str = "grains";
    const NAME: &'static str = "exists";
    const TAKES: &'static [&'static str] = &["delimiter"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let plan = match Store::read(ctx).get(&path(ctx)) {
            Some(_) => Plan::fine("Grain exists"),
            None => Plan::failed("Grain does not exist"),
        };
        by_path(ctx, plan)
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("Grain exists")
    }
}
