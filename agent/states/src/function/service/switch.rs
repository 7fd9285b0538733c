//! `service.enabled` and `service.disabled`: whether a unit starts at boot.

use super::TOLERATES;
use super::systemd::{Manager, act, look, manager, reread};
use crate::function::{Context, Plan, StateFunction};
use crate::host::systemd::{Unit, Verb};
use crate::outcome::{Changes, Outcome, change};

/// Arguments that mean nothing to these functions; Salt takes them all.
const ALSO: &[&str] = &["enable", "sig", "init_delay", "no_block", "reload", "full_restart"];

pub(super) struct Enabled;

impl StateFunction for Enabled {
    const MODULE: &'static str = "service";
    const NAME: &'static str = "enabled";
    const TAKES: &'static [&'static str] = &["unmask", "unmask_runtime"];
    const TOLERATES: &'static [&'static str] = ALSO;
    const WATCHES: bool = true;
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        check(ctx, true)
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        switch(ctx, true, State::AsWanted, Some(true))
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        no_watch(ctx)
    }
}

pub(super) struct Disabled;

impl StateFunction for Disabled {
    const MODULE: &'static str = "service";
    const NAME: &'static str = "disabled";
    const TAKES: &'static [&'static str] = &[];
    const TOLERATES: &'static [&'static str] = TOLERATES;
    const WATCHES: bool = true;
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        check(ctx, false)
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        switch(ctx, false, State::AsWanted, Some(true))
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        no_watch(ctx)
    }
}

fn no_watch(ctx: &Context<'_>) -> Outcome {
    Outcome::failed(format!("Unable to trigger watch for service.{}", ctx.chunk.fun))
}

fn check(ctx: &Context<'_>, on: bool) -> Plan<()> {
    let name = ctx.name();
    // Where nothing runs, Salt knows of no service.
    let found = match manager(ctx) {
        Ok(Manager::Running) => look(ctx, name),
        Ok(Manager::Offline) => Ok(None),
        Err(problem) => return Plan::failed(problem),
    };
    let unit = match found {
        Ok(Some(unit)) => unit,
        Ok(None) if on && ctx.test => {
            return Plan::Done(Outcome::foreseen(
                format!(
                    "Service {name} not present; if created in this state run, it would have been \
                     enabled"
                ),
                Changes::new(),
            ));
        }
        Ok(None) => {
            let comment = format!("The named service {name} is not available");
            return Plan::Done(Outcome { result: Some(!on), ..Outcome::fine(comment) });
        }
        Err(problem) => return Plan::failed(problem),
    };
    let word = word(on);
    if unit.enabled == on {
        return Plan::fine(format!(
            "Service {name} is already {word}, and is in the desired state"
        ));
    }
    Plan::change(format!("Service {name} set to be {word}"), Changes::new(), ())
}

fn word(on: bool) -> &'static str {
    if on { "enabled" } else { "disabled" }
}

/// What a unit is doing meanwhile, for the comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Running,
    Dead,
    AsWanted,
}

impl State {
    fn is(self) -> &'static str {
        match self {
            State::Running => "is running",
            State::Dead => "is dead",
            State::AsWanted => "is in the desired state",
        }
    }
}

/// Enables or disables a unit, and tells of it with what it is doing; `result` is that of all.
pub(super) fn switch(ctx: &Context<'_>, on: bool, state: State, result: Option<bool>) -> Outcome {
    let (name, word) = (ctx.name(), word(on));
    let unit = match look(ctx, name) {
        Ok(Some(unit)) => unit,
        Ok(None) => {
            let comment = format!("The named service {name} is not available");
            return Outcome { result: Some(!on), ..Outcome::fine(comment) };
        }
        Err(problem) => return Outcome::failed(problem),
    };
    let told = |how: &str, changes| Outcome {
        result,
        comment: format!("Service {name} {how} {word}, and {}", state.is()),
        changes,
        ..Outcome::default()
    };
    if unit.enabled == on {
        return told("is already", Changes::new());
    }
    if ctx.test {
        return Outcome::foreseen(format!("Service {name} set to be {word}"), Changes::new());
    }
    match set(ctx, on, unit) {
        Ok(changed) => {
            let changes = if changed { change(name, true) } else { Changes::new() };
            told("has been", changes)
        }
        Err(problem) => {
            let how = if on { "start at boot" } else { "not start at boot" };
            let is = match (on, state) {
                (true, State::Running) => ", but the service is running",
                (_, State::AsWanted) => ", but the service was already running",
                (true, State::Dead) => ", and the service is dead",
                (false, State::Running) => ", and is running",
                (false, State::Dead) => ", and the service is dead",
            };
            // Of disabling, Salt asks only whether it went well.
            let more = match on {
                true => format!(". Additional information follows:\n\n{problem}"),
                false => String::new(),
            };
            Outcome::failed(format!("Failed when setting service {name} to {how}{is}{more}"))
        }
    }
}

fn set(ctx: &Context<'_>, on: bool, unit: Unit) -> Result<bool, String> {
    if unit.stale {
        reread(ctx)?;
    }
    if on {
        super::mask::unmask_if_asked(ctx)?;
    }
    act(ctx, if on { Verb::Enable } else { Verb::Disable }, ctx.name())?;
    Ok(look(ctx, ctx.name())?.is_some_and(|unit| unit.enabled == on))
}
