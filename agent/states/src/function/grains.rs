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

/// The grain's path, with `:` between its parts.
fn path(ctx: &Context<'_>) -> String {
    match ctx.text("delimiter") {
        Some(by) if !by.is_empty() => ctx.name().replace(&by, ":"),
        Some(_) | None => ctx.name().to_owned(),
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
        match Store::read(ctx).get(&path) {
            Some(own) if own == value => Plan::fine("Grain is already set"),
            None => {
                Plan::change(format!("Grain {path} is set to be added"), change("new", path), ())
            }
            Some(_) => Plan::change(
                format!("Grain {path} is set to be changed"),
                change("changed", json!({path: value})),
                (),
            ),
        }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let (path, value) = (path(ctx), wanted(ctx));
        match set(ctx, &path, &value, false) {
            Ok(changes) => {
                Outcome::changed(format!("Set grain {path} to {}", text(&value)), changes)
            }
            Err(problem) => Outcome::failed(problem),
        }
    }
}

pub(super) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "grains";
    const NAME: &'static str = "absent";
    const TAKES: &'static [&'static str] = &["destructive", "delimiter", "force"];
    type Step = Value;

    fn check(ctx: &Context<'_>) -> Plan<Value> {
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

    fn apply(ctx: &Context<'_>, _own: Value) -> Outcome {
        let path = path(ctx);
        let destructive = ctx.flag("destructive", false);
        match set(ctx, &path, &Value::Null, destructive) {
            Err(problem) => Outcome::failed(problem),
            Ok(_) if destructive => {
                Outcome::changed(format!("Grain {path} was deleted"), change("deleted", path))
            }
            Ok(_) => {
                Outcome::changed(format!("Value for grain {path} was set to None"), emptied(&path))
            }
        }
    }
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
        match Store::read(ctx).get(&path(ctx)) {
            Some(_) => Plan::fine("Grain exists"),
            None => Plan::failed("Grain does not exist"),
        }
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("Grain exists")
    }
}
