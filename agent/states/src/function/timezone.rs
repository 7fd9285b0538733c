//! Salt's `timezone`: the zone that a machine is in, and what its hardware clock keeps.

mod clock;
mod zone;

use serde_json::Value;

use super::args::truth;
use super::fault::{Fault, ask};
use super::{Context, Function, Plan, StateFunction};
use crate::host::files::{rewrite, which};
use crate::outcome::{Changes, Outcome};

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<System>()];

pub(super) struct System;

/// What is to be set.
pub(super) struct Step {
    zone: bool,
    utc: bool,
}

impl StateFunction for System {
    const MODULE: &'static str = "timezone";
    const NAME: &'static str = "system";
    const TAKES: &'static [&'static str] = &["utc"];
    type Step = Step;

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let name = ctx.name();
        let same = match zone::is(ctx, name) {
            Ok(same) => same,
            Err(Fault::Told(words)) => {
                return Plan::failed(format!(
                    "Unable to compare desired timezone '{name}' to system timezone: {words}"
                ));
            }
            Err(Fault::Raised(words)) => return Plan::Done(Outcome::raised(words)),
        };
        let local = match clock::is_local(ctx) {
            Ok(local) => local,
            Err(fault) => return Plan::Done(Outcome::raised(fault.words())),
        };
        let wanted = utc(ctx);
        let step = Step { zone: !same, utc: truth(&wanted) && !is(&wanted, !local) };
        if !step.zone && !step.utc {
            let clock = truth(&wanted).then(|| format!("UTC already set to {name}"));
            return Plan::fine(joined(Some(format!("Timezone {name} already set")), clock));
        }
        let zone = step.zone.then(|| format!("Timezone {name} needs to be set"));
        let clock = step.utc.then(|| format!("UTC needs to be set to {}", shown(&wanted)));
        Plan::change(joined(zone, clock), Changes::new(), step)
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let (name, utc) = (ctx.name(), utc(ctx));
        let mut told = Outcome::fine("");
        let mut zone = None;
        if step.zone {
            if let Err(fault) = zone::set(ctx, name) {
                return Outcome::raised(fault.words());
            }
            told.changes.insert("timezone".to_owned(), Value::from(name));
            zone = Some(format!("Set timezone {name}"));
        }
        let mut clock = None;
        if step.utc {
            let set = match clock::set_utc(ctx) {
                Ok(set) => set,
                Err(fault) => return Outcome::raised(fault.words()),
            };
            told.result = Some(set);
            if set {
                told.changes.insert("utc".to_owned(), utc.clone());
                clock = Some(format!("Set UTC to {}", shown(&utc)));
            } else {
                clock = Some(format!("Failed to set UTC to {}", shown(&utc)));
            }
        }
        told.comment = joined(zone, clock);
        told
    }
}

fn joined(zone: Option<String>, clock: Option<String>) -> String {
    zone.into_iter().chain(clock).collect::<Vec<_>>().join(", ")
}

/// Whether the hardware clock is to keep UTC: anything that has a truth.
fn utc(ctx: &Context<'_>) -> Value {
    ctx.chunk.args.get("utc").cloned().unwrap_or(Value::Bool(true))
}

/// Whether Python finds a value equal to a truth.
fn is(value: &Value, flag: bool) -> bool {
    match value {
        Value::Bool(own) => *own == flag,
        Value::Number(number) => number.as_f64() == Some(f64::from(u8::from(flag))),
        _ => false,
    }
}

fn shown(value: &Value) -> String {
    super::args::text(value)
}

/// Whether the family of the operating system is one of these; Salt looks for the name in it.
fn is_family(ctx: &Context<'_>, names: &[&str]) -> bool {
    let family = ctx.fact("os_family");
    names.iter().any(|name| family.contains(name))
}

/// The program that manages both where systemd is; a host under a root prefix is files alone.
fn timedatectl(ctx: &Context<'_>) -> Option<String> {
    which(ctx.host, "timedatectl").filter(|_| ctx.host.root().is_none())
}

/// What `timedatectl` tells.
fn status(ctx: &Context<'_>, program: &str) -> Result<String, Fault> {
    let output = ask(ctx, &[program])?;
    match output.code {
        0 => Ok(output.stdout),
        _ => Err(Fault::Told(format!("timedatectl failed: {}", output.stderr.trim_end()))),
    }
}

/// Salt's words for an answer that has no such line.
fn unreadable(told: &str) -> Fault {
    let told = told.trim_end_matches('\n');
    Fault::Told(format!(
        "Failed to parse timedatectl output: {told}\nPlease file an issue with SaltStack"
    ))
}

/// Puts a line in the place of those that begin so, as `sed -i.bak`; a missing file stays so.
fn put_line(ctx: &Context<'_>, path: &str, begin: &str, line: &str) -> Result<(), Fault> {
    let Some(text) = ctx.host.read_text(path) else { return Ok(()) };
    let one = |own: &str| match own.strip_suffix('\n') {
        _ if !own.starts_with(begin) => own.to_owned(),
        Some(_) => format!("{line}\n"),
        None => line.to_owned(),
    };
    let new: String = text.split_inclusive('\n').map(one).collect();
    let place = ctx.host.followed(path);
    rewrite(ctx.host, &place, new.as_bytes()).map_err(|error| Fault::of(&error, path))
}
