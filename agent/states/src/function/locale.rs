//! Salt's `locale`: the locale of a machine, and those that it has.

mod available;
mod default;

use super::fault::Fault;
use super::{Context, Function, Plan, StateFunction, part};
use crate::outcome::{Changes, Outcome, change};

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<Present>(), Function::of::<System>()];

pub(super) struct Present;

impl StateFunction for Present {
    const MODULE: &'static str = "locale";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] = &[];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let name = ctx.name();
        match available::has(ctx, name) {
            Err(fault) => Plan::Done(Outcome::raised(fault.words())),
            Ok(true) => Plan::fine(format!("Locale {name} is already present")),
            Ok(false) => {
                Plan::change(format!("Locale {name} needs to be generated"), Changes::new(), ())
            }
        }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let name = ctx.name();
        match available::generate(ctx, name) {
            Err(fault) => Outcome::raised(fault.words()),
            Ok(true) => {
                Outcome::changed(format!("Generated locale {name}"), change("locale", name))
            }
            Ok(false) => Outcome::failed(format!("Failed to generate locale {name}")),
        }
    }
}

pub(super) struct System;

impl StateFunction for System {
    const MODULE: &'static str = "locale";
    const NAME: &'static str = "system";
    const TAKES: &'static [&'static str] = &[];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let name = ctx.name();
        match default::current(ctx) {
            Err(fault) => Plan::Done(not_set(fault)),
            Ok(own) if own == name => Plan::fine(format!("System locale {name} already set")),
            Ok(_) => {
                Plan::change(format!("System locale {name} needs to be set"), Changes::new(), ())
            }
        }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let name = ctx.name();
        match default::set(ctx, name) {
            Err(fault) => not_set(fault),
            Ok(()) => Outcome::changed(format!("Set system locale {name}"), change("locale", name)),
        }
    }
}

fn not_set(fault: Fault) -> Outcome {
    match fault {
        Fault::Told(words) => Outcome::failed(format!("Failed to set system locale: {words}")),
        Fault::Raised(words) => Outcome::raised(words),
    }
}

/// Puts a line in the place of what a pattern finds, or at the end of a file.
fn put_line(ctx: &Context<'_>, path: &str, pattern: &str, line: &str) -> Result<(), Fault> {
    let args = serde_json::json!({"pattern": pattern, "repl": line, "append_if_not_found": true});
    let told = part(ctx, ("file", "replace"), path, &args);
    if told.result == Some(false) { Err(Fault::Raised(told.comment)) } else { Ok(()) }
}

/// Locales are this machine's: a host under a root prefix is files alone.
fn only_here(ctx: &Context<'_>) -> Result<(), Fault> {
    match ctx.host.root() {
        None => Ok(()),
        Some(_) => Err(Fault::Told("locales cannot be managed below a root prefix".to_owned())),
    }
}
