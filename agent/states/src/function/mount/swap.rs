//! `mount.swap`: swap space in use, and in fstab.

use serde_json::{Value, json};

use super::command::swapon;
use super::fstab::{self, Line, Status};
use super::{also, config, go};
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

const SWAPS: &str = "/proc/swaps";

pub(in crate::function) struct Swap;

impl StateFunction for Swap {
    const MODULE: &'static str = "mount";
    const NAME: &'static str = "swap";
    const TAKES: &'static [&'static str] = &["persist", "config"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if ctx.test { Plan::Done(swap(ctx)) } else { go() }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        swap(ctx)
    }
}

fn swap(ctx: &Context<'_>) -> Outcome {
    let name = ctx.name();
    let device = match std::fs::read_link(ctx.host.path(name)) {
        Ok(target) if target.is_absolute() => target.to_string_lossy().into_owned(),
        Ok(target) => {
            let last = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
            format!("/dev/{last}")
        }
        Err(_) => name.to_owned(),
    };
    let mut outcome = if active(&device).is_some() {
        Outcome::fine(format!("Swap {name} already active"))
    } else if ctx.test {
        Outcome::foreseen(format!("Swap {name} is set to be activated"), Changes::new())
    } else {
        if let Err(error) = swapon(ctx, &device) {
            tracing::warn!(device, error, "cannot use swap space");
        }
        match active(&device) {
            Some(told) => Outcome::changed(format!("Swap {name} activated"), told),
            None => Outcome::failed(format!("Swap {name} failed to activate")),
        }
    };
    if !ctx.flag("persist", true) {
        return outcome;
    }
    let config = config(ctx);
    let lines = fstab::lines(ctx, &config);
    if ctx.test {
        if !lines.iter().any(|line| line.name() == name || line.device() == name) {
            outcome.result = None;
            if active(name).is_some() {
                outcome.comment =
                    format!("Swap {name} is set to be added to the fstab and to be activated");
            }
        }
        return outcome;
    }
    let none = lines.iter().find(|line| line.name() == "none");
    if none.is_some_and(|line| line.device() == name && line.fstype() != "swap") {
        return outcome;
    }
    let line = Line::new(name, "none", "swap", &["defaults".to_owned()]);
    match fstab::set(ctx, &config, &line, &[], false) {
        Ok(Status::Present) => {}
        Ok(Status::New) => {
            outcome.changes.insert("persist".to_owned(), Value::from("new"));
            also(&mut outcome, "Added new entry to the fstab.");
        }
        Ok(Status::Changed) => {
            outcome.changes.insert("persist".to_owned(), Value::from("update"));
            also(&mut outcome, "Updated the entry in the fstab.");
        }
        Err(problem) => {
            outcome.result = Some(false);
            also(&mut outcome, &problem);
        }
    }
    outcome
}

/// What the kernel tells of swap space that it uses.
fn active(device: &str) -> Option<Changes> {
    let text = std::fs::read_to_string(SWAPS).ok()?;
    let line = text.lines().skip(1).find(|line| line.split_whitespace().next() == Some(device))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, kind, size, used, priority, ..] = words[..] else { return None };
    let told = json!({"type": kind, "size": size, "used": used, "priority": priority});
    told.as_object().cloned()
}
