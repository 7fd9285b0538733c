//! `kmod.present`: modules are loaded, and with `persist` also at the next start.

use super::{Told, kept, modules, raised, sentence, wanted};
use crate::function::fault::Fault;
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

pub(in crate::function) struct Present;

/// Modules that are to be loaded, and what is to be said of the others.
pub(in crate::function) struct Step {
    missing: Vec<String>,
    there: Option<String>,
}

impl StateFunction for Present {
    const MODULE: &'static str = "kmod";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] = &["persist", "mods"];
    type Step = Step;

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        match found(ctx) {
            Err(fault) => Plan::Done(raised(fault)),
            Ok(plan) => plan,
        }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        loaded(ctx, step).unwrap_or_else(raised)
    }
}

fn found(ctx: &Context<'_>) -> Result<Plan<Step>, Fault> {
    let (names, len) = wanted(ctx);
    let mut own = modules::loaded(ctx)?;
    if ctx.flag("persist", false) {
        let kept = kept::names(ctx);
        own.retain(|name| kept.contains(name));
    }
    let (there, missing): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| own.contains(name));
    let all = there.len() == len;
    let there = sentence(
        &there,
        ["Kernel module ", " is already present"],
        ["Kernel modules ", " are already present"],
    );
    if all {
        return Ok(Plan::fine(there.unwrap_or_default()));
    }
    let ahead = sentence(
        &missing,
        ["Kernel module ", " is set to be loaded"],
        ["Kernel modules ", " are set to be loaded"],
    );
    let ahead = ahead.unwrap_or_else(|| "Kernel modules  are set to be loaded".to_owned());
    let comment = there.iter().cloned().chain([ahead]).collect::<Vec<_>>().join("\n");
    Ok(Plan::change(comment, Changes::new(), Step { missing, there }))
}

fn loaded(ctx: &Context<'_>, step: Step) -> Result<Outcome, Fault> {
    let known = modules::available(ctx);
    let (available, unavailable): (Vec<_>, Vec<_>) =
        step.missing.into_iter().partition(|name| known.contains(name));
    let mut told = Told { is_wrong: !unavailable.is_empty(), ..Told::default() };
    told.comments.extend(step.there);
    told.comments.extend(sentence(
        &unavailable,
        ["Kernel module ", " is unavailable"],
        ["Kernel modules ", " are unavailable"],
    ));
    for name in available {
        if told.changes.contains_key(&name) {
            // Another one has brought it.
            told.done.push(name);
            continue;
        }
        let came = load(ctx, &name)?;
        told.add("load", &name, came, "loaded");
    }
    Ok(told.outcome("Loaded", "load"))
}

/// What loading one module brought, or the program's words.
fn load(ctx: &Context<'_>, name: &str) -> Result<Result<Vec<String>, String>, Fault> {
    let before = modules::loaded(ctx)?;
    if let Err(words) = modules::act(ctx, "modprobe", name)? {
        return Ok(Err(format!("Error loading module {name}: {words}")));
    }
    let mut new = modules::loaded(ctx)?;
    new.retain(|name| !before.contains(name));
    if ctx.flag("persist", false) {
        new.extend(kept::keep(ctx, name)?);
    }
    Ok(Ok(new))
}
