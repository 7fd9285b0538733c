//! Salt's `environ`: variables of what this run runs.
//!
//! Salt changes its own process, which later states inherit; here the agent's stays as it is.

use serde_json::{Map, Value};

use super::{Context, Function, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<Setenv>()];

pub(super) struct Setenv;

impl StateFunction for Setenv {
    const MODULE: &'static str = "environ";
    const NAME: &'static str = "setenv";
    const TAKES: &'static [&'static str] = &["value", "false_unsets", "clear_all"];
    const NEEDS: &'static [&'static str] = &["value"];
    /// Of the minion, which here is untouched, and of Windows.
    const TOLERATES: &'static [&'static str] = &["update_minion", "permanent"];
    type Step = (Map<String, Value>, Changes);

    fn check(ctx: &Context<'_>) -> Plan<Self::Step> {
        let wanted = match ctx.chunk.args.get("value") {
            Some(Value::Object(map)) => map.clone(),
            Some(value @ (Value::String(_) | Value::Bool(false))) => {
                Map::from_iter([(ctx.name().to_owned(), value.clone())])
            }
            Some(_) | None => return Plan::failed("Environ value must be string, dict or False"),
        };
        let changes = changes(ctx, &wanted);
        match (changes.is_empty(), ctx.test) {
            (true, true) => Plan::fine("Environ values are already set with the correct values"),
            (true, false) => Plan::fine("Environ values were already set with the correct values"),
            // As in Salt, a dry run that would change something is well.
            (false, true) => {
                Plan::Done(Outcome::changed("Environ values will be changed", changes))
            }
            (false, false) => Plan::change("", changes.clone(), (wanted, changes)),
        }
    }

    fn apply(ctx: &Context<'_>, (wanted, foreseen): Self::Step) -> Outcome {
        match set(ctx, &wanted) {
            Some(set) => Outcome::changed("Environ values were set", set),
            None => {
                Outcome { changes: foreseen, ..Outcome::failed("Failed to set environ variables") }
            }
        }
    }
}

fn is_true(ctx: &Context<'_>, key: &str) -> bool {
    ctx.value(key) == Some(&Value::Bool(true))
}

/// What takes a variable out: nothing is left, or an empty text.
fn gone(ctx: &Context<'_>) -> Value {
    if is_true(ctx, "false_unsets") { Value::Null } else { Value::from("") }
}

/// Variables that are not among the wanted ones, if those shall be the only ones.
fn others(ctx: &Context<'_>, wanted: &Map<String, Value>) -> Vec<String> {
    if !is_true(ctx, "clear_all") {
        return Vec::new();
    }
    let all = ctx.host.variables().all().into_keys();
    all.filter(|name| !wanted.contains_key(name)).collect()
}

fn changes(ctx: &Context<'_>, wanted: &Map<String, Value>) -> Changes {
    let mut out = Changes::new();
    out.extend(others(ctx, wanted).into_iter().map(|name| (name, gone(ctx))));
    for (name, value) in wanted {
        let own = ctx.host.variables().get(name);
        if value == &Value::Bool(false) {
            let change = match (gone(ctx), own.as_deref()) {
                (Value::Null, own) => own.is_some(),
                (_, own) => own != Some(""),
            };
            if change {
                out.insert(name.clone(), gone(ctx));
            }
        } else if value.as_str() != Some(own.as_deref().unwrap_or_default()) {
            out.insert(name.clone(), value.clone());
        }
    }
    out
}

/// Sets all of them up to one that is no text; what each is now.
fn set(ctx: &Context<'_>, wanted: &Map<String, Value>) -> Option<Changes> {
    let mut out = Changes::new();
    let take_out = |name: &str, out: &mut Changes| {
        let gone = gone(ctx);
        ctx.host.variables().set(name, gone.as_str());
        out.insert(name.to_owned(), gone);
    };
    for name in others(ctx, wanted) {
        take_out(&name, &mut out);
    }
    for (name, value) in wanted {
        match value {
            Value::String(text) => {
                let done = ctx.host.variables().set(name, Some(text));
                let now = if done { value.clone() } else { Value::from(false) };
                out.insert(name.clone(), now);
            }
            Value::Bool(false) => take_out(name, &mut out),
            _ => return None,
        }
    }
    Some(out)
}
