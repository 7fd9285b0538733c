//! Salt's `service`, by systemctl.

mod systemd;

use serde_json::Value;

use super::{Context, Function, Plan, StateFunction};
use crate::outcome::{Changes, Outcome, change};
use systemd::{Unit, act, look};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<Running>(),
    Function::of::<Dead>(),
    Function::of::<Enabled>(),
    Function::of::<Disabled>(),
];

const TOLERATES: &[&str] = &["sig", "no_block", "init_delay", "provider"];

/// What is to be done to a unit, in this order.
pub(super) type Steps = Vec<&'static str>;

pub(super) struct Running;

impl StateFunction for Running {
    const MODULE: &'static str = "service";
    const NAME: &'static str = "running";
    const TAKES: &'static [&'static str] =
        &["enable", "reload", "full_restart", "unmask", "unmask_runtime"];
    const TOLERATES: &'static [&'static str] = TOLERATES;
    const WATCHES: bool = true;
    type Step = Steps;

    fn check(ctx: &Context<'_>) -> Plan<Steps> {
        let name = ctx.name();
        let Some(unit) = look(ctx, name) else { return missing(ctx) };
        let enable = ctx.value("enable").map(super::args::truth);
        let mut steps = Vec::new();
        if unit.masked && (ctx.flag("unmask", false) || ctx.flag("unmask_runtime", false)) {
            steps.push("unmask");
        } else if unit.masked && !unit.active {
            return Plan::failed(format!("Service {name} is masked"));
        }
        if !unit.active {
            steps.push("start");
        }
        steps.extend(enabling(&unit, enable));
        if steps.is_empty() {
            return Plan::fine(settled(ctx, enable, "is already running"));
        }
        let comment = if unit.active {
            format!(
                "Service {name} set to be {}",
                if enable == Some(true) { "enabled" } else { "disabled" }
            )
        } else {
            format!("Service {name} is set to start")
        };
        Plan::change(comment, change(name, !unit.active), steps)
    }

    fn apply(ctx: &Context<'_>, steps: Steps) -> Outcome {
        let name = ctx.name();
        let enable = ctx.value("enable").map(super::args::truth);
        let started = steps.contains(&"start");
        if let Err(problem) = all(ctx, &steps) {
            return Outcome::failed(problem);
        }
        if started && !look(ctx, name).is_some_and(|unit| unit.active) {
            return Outcome::failed(format!("Service {name} failed to start"));
        }
        let comment = match enable {
            Some(true) => format!("Service {name} has been enabled, and is running"),
            Some(false) => format!("Service {name} has been disabled, and is running"),
            None => format!("Started service {name}"),
        };
        Outcome::changed(comment, change(name, true))
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        let name = ctx.name();
        let Some(unit) = look(ctx, name) else {
            return Outcome::failed(format!("The named service {name} is not available"));
        };
        let (verb, done) = match unit.active {
            false => ("start", "started"),
            true if ctx.flag("reload", false) => ("reload", "reloaded"),
            true => ("restart", "restarted"),
        };
        if ctx.test {
            return Outcome::foreseen(format!("Service is set to be {done}"), Changes::new());
        }
        match act(ctx, verb, name) {
            Ok(()) => Outcome::changed(format!("Service {done}"), change(name, true)),
            Err(problem) => Outcome::failed(format!("Failed to {verb} the service: {problem}")),
        }
    }
}

pub(super) struct Dead;

impl StateFunction for Dead {
    const MODULE: &'static str = "service";
    const NAME: &'static str = "dead";
    const TAKES: &'static [&'static str] = &["enable"];
    const TOLERATES: &'static [&'static str] = TOLERATES;
    const WATCHES: bool = true;
    type Step = Steps;

    fn check(ctx: &Context<'_>) -> Plan<Steps> {
        let name = ctx.name();
        let Some(unit) = look(ctx, name) else {
            return Plan::fine(format!("The named service {name} is not available"));
        };
        let enable = ctx.value("enable").map(super::args::truth);
        let mut steps = Vec::new();
        if unit.active {
            steps.push("stop");
        }
        steps.extend(enabling(&unit, enable));
        if steps.is_empty() {
            return Plan::fine(settled(ctx, enable, "is already dead"));
        }
        let comment = format!("Service {name} is set to be killed");
        Plan::change(comment, change(name, true), steps)
    }

    fn apply(ctx: &Context<'_>, steps: Steps) -> Outcome {
        let name = ctx.name();
        if let Err(problem) = all(ctx, &steps) {
            return Outcome::failed(problem);
        }
        if look(ctx, name).is_some_and(|unit| unit.active) {
            return Outcome::failed(format!("Service {name} failed to die"));
        }
        Outcome::changed(format!("Service {name} was killed"), change(name, true))
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::run::<Dead>(ctx)
    }
}

pub(super) struct Enabled;

impl StateFunction for Enabled {
    const MODULE: &'static str = "service";
    const NAME: &'static str = "enabled";
    const TAKES: &'static [&'static str] = &[];
    const TOLERATES: &'static [&'static str] = TOLERATES;
    const WATCHES: bool = true;
    type Step = Steps;

    fn check(ctx: &Context<'_>) -> Plan<Steps> {
        switched(ctx, true)
    }

    fn apply(ctx: &Context<'_>, steps: Steps) -> Outcome {
        switch(ctx, &steps, "enabled")
    }
}

pub(super) struct Disabled;

impl StateFunction for Disabled {
    const MODULE: &'static str = "service";
    const NAME: &'static str = "disabled";
    const TAKES: &'static [&'static str] = &[];
    const TOLERATES: &'static [&'static str] = TOLERATES;
    const WATCHES: bool = true;
    type Step = Steps;

    fn check(ctx: &Context<'_>) -> Plan<Steps> {
        switched(ctx, false)
    }

    fn apply(ctx: &Context<'_>, steps: Steps) -> Outcome {
        switch(ctx, &steps, "disabled")
    }
}

fn missing<S>(ctx: &Context<'_>) -> Plan<S> {
    let comment = format!("The named service {} is not available", ctx.name());
    if ctx.test {
        // An earlier state may be about to install it.
        let told = format!(
            "Service {} not present; if created in this state run, it would have been \
                            started",
            ctx.name()
        );
        return Plan::Done(Outcome::foreseen(told, Changes::new()));
    }
    Plan::failed(comment)
}

fn enabling(unit: &Unit, enable: Option<bool>) -> Option<&'static str> {
    match enable {
        Some(true) if !unit.enabled => Some("enable"),
        Some(false) if unit.enabled => Some("disable"),
        _ => None,
    }
}

fn settled(ctx: &Context<'_>, enable: Option<bool>, how: &str) -> String {
    let name = ctx.name();
    match enable {
        None => format!("The service {name} {how}"),
        Some(true) => {
            format!("Service {name} is already enabled, and is in the desired state")
        }
        Some(false) => {
            format!("Service {name} is already disabled, and is in the desired state")
        }
    }
}

fn all(ctx: &Context<'_>, steps: &Steps) -> Result<(), String> {
    steps.iter().try_for_each(|verb| act(ctx, verb, ctx.name()))
}

fn switched(ctx: &Context<'_>, on: bool) -> Plan<Steps> {
    let name = ctx.name();
    let word = if on { "enabled" } else { "disabled" };
    let Some(unit) = look(ctx, name) else { return missing(ctx) };
    match enabling(&unit, Some(on)) {
        None => {
            Plan::fine(format!("Service {name} is already {word}, and is in the desired state"))
        }
        Some(verb) => {
            Plan::change(format!("Service {name} set to be {word}"), Changes::new(), vec![verb])
        }
    }
}

fn switch(ctx: &Context<'_>, steps: &Steps, word: &str) -> Outcome {
    let name = ctx.name();
    match all(ctx, steps) {
        Ok(()) => {
            let comment = format!("Service {name} has been {word}, and is in the desired state");
            Outcome::changed(comment, change(name, Value::from(true)))
        }
        Err(problem) => Outcome::failed(problem),
    }
}
