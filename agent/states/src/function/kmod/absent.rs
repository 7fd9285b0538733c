//! `kmod.absent`: modules are not loaded, and with `persist` not at the next start either.

use super::{Told, kept, modules, raised, sentence, wanted};
use crate::function::fault::Fault;
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

pub(in crate::function) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "kmod";
    const NAME: &'static str = "absent";
    const TAKES: &'static [&'static str] = &["persist", "comment", "mods"];
    type Step = Vec<String>;

    fn check(ctx: &Context<'_>) -> Plan<Vec<String>> {
        match found(ctx) {
            Err(fault) => Plan::Done(raised(fault)),
            Ok(plan) => plan,
        }
    }

    fn apply(ctx: &Context<'_>, names: Vec<String>) -> Outcome {
        let mut told = Told::default();
        for name in names {
            match remove(ctx, &name) {
                Err(fault) => return raised(fault),
                Ok(came) => told.add("remove", &name, came, "removed"),
            }
        }
        told.outcome("Removed", "remove")
    }
}

fn found(ctx: &Context<'_>) -> Result<Plan<Vec<String>>, Fault> {
    let (names, len) = wanted(ctx);
    let mut own = modules::loaded(ctx)?;
    if ctx.flag("persist", false) {
        own.extend(kept::names(ctx));
    }
    let there: Vec<String> = names.iter().filter(|name| own.contains(name)).cloned().collect();
    let ahead = sentence(
        &there,
        ["Kernel module ", " is set to be removed"],
        ["Kernel modules ", " are set to be removed"],
    );
    Ok(match ahead {
        Some(comment) => Plan::change(comment, Changes::new(), there),
        None if len == 1 => Plan::fine(format!("Kernel module {} is already removed", names[0])),
        None => Plan::fine(format!("Kernel modules {} are already removed", names.join(", "))),
    })
}

/// What taking one module away took, or the program's words.
fn remove(ctx: &Context<'_>, name: &str) -> Result<Result<Vec<String>, String>, Fault> {
    let mut gone = modules::loaded(ctx)?;
    if let Err(words) = modules::act(ctx, "rmmod", name)? {
        return Ok(Err(format!("Error removing module {name}: {words}")));
    }
    let after = modules::loaded(ctx)?;
    gone.retain(|name| !after.contains(name));
    if ctx.flag("persist", false) {
        gone.extend(kept::drop(ctx, name, ctx.flag("comment", true))?);
    }
    Ok(Ok(gone))
}
