//! `service.masked` and `service.unmasked`: whether a unit can be started at all.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::systemd::{Manager, act, manager};
use crate::function::{Context, Plan, StateFunction};
use crate::host::systemd::{Verb, salt_name};
use crate::outcome::{Changes, Outcome, change};

pub(super) struct Masked;

impl StateFunction for Masked {
    const MODULE: &'static str = "service";
    const NAME: &'static str = "masked";
    const TAKES: &'static [&'static str] = &["runtime"];
    const WATCHES: bool = true;
    type Step = Changes;

    fn check(ctx: &Context<'_>) -> Plan<Changes> {
        let (name, kind) = (ctx.name(), kind(ctx));
        if let Err(problem) = manager(ctx) {
            return Plan::failed(problem);
        }
        if is_masked(ctx, ctx.flag("runtime", false)) {
            return Plan::fine(format!("Service {name} is already {kind}"));
        }
        let changes = change(kind, json!({"old": false, "new": true}));
        Plan::change(format!("Service {name} would be {kind}"), changes.clone(), changes)
    }

    fn apply(ctx: &Context<'_>, changes: Changes) -> Outcome {
        let (name, runtime) = (ctx.name(), ctx.flag("runtime", false));
        if manager(ctx) == Ok(Manager::Offline) {
            return Outcome::failed(no_unit(name));
        }
        if let Err(problem) = act(ctx, Verb::Mask { runtime }, name) {
            let told = format!("Failed to mask service '{name}'");
            return Outcome::failed(format!(
                "{told}. Additional info follows:\n\n{}",
                problem.trim_end()
            ));
        }
        if is_masked(ctx, runtime) {
            return Outcome::changed(format!("Service {name} was {}", kind(ctx)), changes);
        }
        Outcome::fine(format!("Failed to mask service {name}"))
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        Outcome::failed(format!("Unable to trigger watch for service.{}", ctx.chunk.fun))
    }
}

pub(super) struct Unmasked;

impl StateFunction for Unmasked {
    const MODULE: &'static str = "service";
    const NAME: &'static str = "unmasked";
    const TAKES: &'static [&'static str] = &["runtime"];
    const WATCHES: bool = true;
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if let Err(problem) = manager(ctx) {
            return Plan::failed(problem);
        }
        match unmasked(ctx, ctx.flag("runtime", false), true) {
            outcome if outcome.result.is_some() => Plan::Done(outcome),
            foreseen => Plan::Change { foreseen, step: () },
        }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        unmasked(ctx, ctx.flag("runtime", false), false)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        Outcome::failed(format!("Unable to trigger watch for service.{}", ctx.chunk.fun))
    }
}

fn no_unit(name: &str) -> String {
    format!("Cannot run in offline mode. Failed to get information on unit '{name}'")
}

fn kind(ctx: &Context<'_>) -> &'static str {
    if ctx.flag("runtime", false) { "runtime masked" } else { "masked" }
}

fn is_masked(ctx: &Context<'_>, runtime: bool) -> bool {
    let root = if runtime { "/run" } else { "/etc" };
    let path = format!("{root}/systemd/system/{}", salt_name(ctx.name()));
    fs::read_link(ctx.host.path(&path)).is_ok_and(|target| target == Path::new("/dev/null"))
}

/// Takes a mask off; in a dry run tells that it would.
pub(super) fn unmasked(ctx: &Context<'_>, runtime: bool, dry: bool) -> Outcome {
    let name = ctx.name();
    let (kind, done) =
        if runtime { ("runtime masked", "runtime unmasked") } else { ("masked", "unmasked") };
    if !is_masked(ctx, runtime) {
        return Outcome::fine(format!("Service {name} was already {done}"));
    }
    let changes = change(kind, json!({"old": true, "new": false}));
    if dry {
        return Outcome::foreseen(format!("Service {name} would be {done}"), changes);
    }
    if manager(ctx) == Ok(Manager::Offline) {
        return Outcome::failed(no_unit(name));
    }
    if act(ctx, Verb::Unmask { runtime }, name).is_err() {
        return Outcome::failed(format!("Failed to unmask service '{name}'"));
    }
    if is_masked(ctx, runtime) {
        return Outcome::fine(format!("Failed to unmask service {name}"));
    }
    Outcome::changed(format!("Service {name} was {done}"), changes)
}

/// Takes off the masks that `unmask` and `unmask_runtime` name.
pub(super) fn unmask_if_asked(ctx: &Context<'_>) -> Result<(), String> {
    for (flag, runtime) in [("unmask", false), ("unmask_runtime", true)] {
        if ctx.flag(flag, false) {
            let outcome = unmasked(ctx, runtime, false);
            if outcome.result == Some(false) {
                return Err(outcome.comment);
            }
        }
    }
    Ok(())
}
