//! `service.running` and `service.dead`: whether a unit runs now, and what a watched change does.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::switch::{State, switch};
use super::systemd::{Manager, act, look, manager, offline, reread, settle};
use super::{enable, mask};
use crate::chunk::Chunk;
use crate::function::args::seconds;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::systemd::{Unit, Verb};
use crate::outcome::{Changes, Outcome, change};

/// The longest `init_delay`.
const DELAY_MAX: Duration = Duration::from_secs(3600);
/// How often a delay looks whether the run was cancelled.
const POLL: Duration = Duration::from_millis(100);

pub(super) struct Running;

impl StateFunction for Running {
    const MODULE: &'static str = "service";
    const NAME: &'static str = "running";
    const TAKES: &'static [&'static str] = &[
        "enable",
        "reload",
        "full_restart",
        "force",
        "unmask",
        "unmask_runtime",
        "no_block",
        "init_delay",
    ];
    // systemd knows what runs: Salt does not look for `sig` there either.
    const TOLERATES: &'static [&'static str] = &["sig", "provider", "timeout", "wait"];
    const WATCHES: bool = true;
    type Step = Unit;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Unit> {
        let unit = match found(ctx, "started", false) {
            Ok(unit) => unit,
            Err(outcome) => return Plan::Done(outcome),
        };
        if unit.active && !turns(ctx, &unit) && !ctx.flag("unmask", false) {
            return Plan::fine(format!("The service {} is already running", ctx.name()));
        }
        let unmasked = unmask_comment(ctx, true);
        if !unit.active {
            let comment = lines(&format!("Service {} is set to start", ctx.name()), &unmasked);
            return Plan::change(comment, Changes::new(), unit);
        }
        if turns(ctx, &unit) {
            let word = if enable(ctx) == Some(true) { "enabled" } else { "disabled" };
            let comment = format!("Service {} set to be {word}", ctx.name());
            return Plan::change(comment, Changes::new(), unit);
        }
        let comment = format!("The service {} is already running", ctx.name());
        if ctx.test {
            return Plan::fine(lines(&comment, &unmasked));
        }
        Plan::change(comment, Changes::new(), unit)
    }

    fn apply(ctx: &Context<'_>, before: Unit) -> Outcome {
        start(ctx, before).unwrap_or_else(Outcome::failed)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        watch(ctx)
    }
}

pub(super) struct Dead;

impl StateFunction for Dead {
    const MODULE: &'static str = "service";
    const NAME: &'static str = "dead";
    const TAKES: &'static [&'static str] = &["enable", "no_block", "init_delay"];
    const TOLERATES: &'static [&'static str] =
        &["sig", "provider", "timeout", "reload", "full_restart", "unmask", "unmask_runtime"];
    const WATCHES: bool = true;
    type Step = Unit;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Unit> {
        let unit = match found(ctx, "stopped", true) {
            Ok(unit) => unit,
            Err(outcome) => return Plan::Done(outcome),
        };
        if unit.active {
            let comment = format!("Service {} is set to be killed", ctx.name());
            return Plan::change(comment, Changes::new(), unit);
        }
        if turns(ctx, &unit) {
            let word = if enable(ctx) == Some(true) { "enabled" } else { "disabled" };
            let comment = format!("Service {} set to be {word}", ctx.name());
            return Plan::change(comment, Changes::new(), unit);
        }
        Plan::fine(format!("The service {} is already dead", ctx.name()))
    }

    fn apply(ctx: &Context<'_>, before: Unit) -> Outcome {
        stop(ctx, before).unwrap_or_else(Outcome::failed)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        watch(ctx)
    }
}

/// The commonest slip of the pen, and delays that are none.
fn lint(chunk: &Chunk) -> Vec<Lint> {
    let mut out = Vec::new();
    if chunk.args.contains_key("enabled") {
        let why = format!(
            "Service {} uses non-existent option \"enabled\".  Perhaps \"enable\" option was \
             intended?",
            chunk.name
        );
        out.push(("enabled", why));
    }
    let delay = chunk.args.get("init_delay").filter(|value| !value.is_null());
    if delay.is_some_and(|delay| seconds(Some(delay)).is_none_or(|time| time > DELAY_MAX)) {
        out.push(("init_delay", "init_delay is no number of seconds up to 3600".to_owned()));
    }
    out
}

/// Whether the unit is to be enabled or disabled, and is not.
fn turns(ctx: &Context<'_>, unit: &Unit) -> bool {
    enable(ctx).is_some_and(|on| on != unit.enabled)
}

/// The unit, or the outcome if there is none; `fine` says whether that is as wanted.
fn found(ctx: &Context<'_>, would: &str, fine: bool) -> Result<Unit, Outcome> {
    match manager(ctx) {
        Ok(Manager::Running) => {}
        Ok(Manager::Offline) => return Err(Outcome::fine(offline())),
        Err(problem) => return Err(Outcome::failed(problem)),
    }
    let name = ctx.name();
    match look(ctx, name).map_err(Outcome::failed)? {
        Some(unit) if unit.stale && !ctx.test => {
            reread(ctx).map_err(Outcome::failed)?;
            Ok(Unit { stale: false, ..unit })
        }
        Some(unit) => Ok(unit),
        // An earlier state may be about to install it.
        None if ctx.test => Err(Outcome::foreseen(
            format!(
                "Service {name} not present; if created in this state run, it would have been \
                 {would}"
            ),
            Changes::new(),
        )),
        None => {
            let comment = format!("The named service {name} is not available");
            Err(Outcome { result: Some(fine), ..Outcome::fine(comment) })
        }
    }
}

fn lines(first: &str, second: &str) -> String {
    if second.is_empty() { first.to_owned() } else { format!("{first}\n{second}") }
}

/// What `unmask` does, or would do, in words.
fn unmask_comment(ctx: &Context<'_>, dry: bool) -> String {
    if !ctx.flag("unmask", false) {
        return String::new();
    }
    mask::unmasked(ctx, ctx.flag("unmask_runtime", false), dry).comment
}

fn start(ctx: &Context<'_>, before: Unit) -> Result<Outcome, String> {
    let name = ctx.name();
    let unmasked = unmask_comment(ctx, false);
    if before.active {
        return Ok(match enable(ctx).filter(|on| *on != before.enabled) {
            Some(on) => switch(ctx, on, State::AsWanted, Some(true)),
            None => {
                Outcome::fine(lines(&format!("The service {name} is already running"), &unmasked))
            }
        });
    }
    mask::unmask_if_asked(ctx)?;
    act(ctx, Verb::Start, name)?;
    settle(ctx, name);
    let delayed = delay(ctx);
    let after = look(ctx, name)?.unwrap_or_default();
    let mut changes = Changes::new();
    if before.enabled != after.enabled || after.active {
        changes = change(name, after.active);
    }
    let comment = if after.active {
        format!("Started service {name}")
    } else {
        format!("Service {name} failed to start")
    };
    let plain = Outcome { result: Some(after.active), comment, changes, ..Outcome::default() };
    let mut outcome = with_switch(ctx, plain, after.active, after.active);
    if let Some(delay) = delayed {
        outcome.comment.push_str(&format!("\nDelayed return for {delay} seconds"));
    }
    if ctx.flag("unmask", false) {
        outcome.comment.push_str(&format!("\n{unmasked}"));
    }
    Ok(outcome)
}

fn stop(ctx: &Context<'_>, before: Unit) -> Result<Outcome, String> {
    let name = ctx.name();
    if !before.active {
        let on = enable(ctx).unwrap_or(before.enabled);
        return Ok(switch(ctx, on, State::AsWanted, Some(true)));
    }
    if act(ctx, Verb::Stop, name).is_err() {
        let plain = Outcome::failed(format!("Service {name} failed to die"));
        return Ok(with_switch(ctx, plain, true, false));
    }
    delay(ctx);
    let after = look(ctx, name)?.unwrap_or_default();
    let mut changes = Changes::new();
    if before.enabled != after.enabled || !after.active {
        changes = change(name, after.active);
    }
    let comment = if after.active {
        format!("Service {name} failed to die")
    } else {
        format!("Service {name} was killed")
    };
    let plain = Outcome { result: Some(!after.active), comment, changes, ..Outcome::default() };
    Ok(with_switch(ctx, plain, after.active, !after.active))
}

/// Enables or disables as well, if that is asked for: Salt tells of the last thing done.
fn with_switch(ctx: &Context<'_>, plain: Outcome, active: bool, good: bool) -> Outcome {
    let Some(on) = enable(ctx) else { return plain };
    let state = if active { State::Running } else { State::Dead };
    let switched = switch(ctx, on, state, Some(good));
    let touched = switched.comment.contains("has been");
    // Only what was really switched has changes of its own.
    let changes = if touched { switched.changes.clone() } else { plain.changes };
    Outcome { changes, ..switched }
}

/// Waits as `init_delay` asks; returns it as it was written.
fn delay(ctx: &Context<'_>) -> Option<String> {
    let value = ctx.value("init_delay").filter(|value| crate::function::args::truth(value))?;
    let until = Instant::now() + seconds(Some(value)).unwrap_or_default().min(DELAY_MAX);
    while Instant::now() < until && !ctx.cancel.is_cancelled() {
        std::thread::sleep(POLL.min(until.saturating_duration_since(Instant::now())));
    }
    Some(crate::function::args::text(value))
}

/// Restarts, reloads or stops because something watched changed.
fn watch(ctx: &Context<'_>) -> Outcome {
    let name = ctx.name();
    let dead = ctx.chunk.fun == "dead";
    if manager(ctx) == Ok(Manager::Offline) && !dead {
        return match ctx.test {
            true => Outcome::foreseen("Service is set to be started", Changes::new()),
            false => Outcome {
                changes: change(name, false),
                ..Outcome::failed("Failed to start the service")
            },
        };
    }
    let found = match look(ctx, name) {
        Ok(Some(unit)) if unit.stale && !ctx.test => reread(ctx).map(|()| Some(unit)),
        other => other,
    };
    // As in Salt, a unit that is not there is one that does not run.
    let active = match found {
        Ok(unit) => unit.is_some_and(|unit| unit.active),
        Err(problem) => return Outcome::failed(problem),
    };
    let (verb, done) = match (dead, active) {
        (true, false) => return Outcome::fine("Service is already stopped"),
        (true, true) => (Verb::Stop, "stopped"),
        (false, false) => (Verb::Start, "started"),
        (false, true) if ctx.flag("reload", false) && ctx.flag("force", false) => {
            (Verb::ForceReload, "forcefully reloaded")
        }
        (false, true) if ctx.flag("reload", false) => (Verb::Reload, "reloaded"),
        (false, true) => (Verb::Restart, "restarted"),
    };
    if ctx.test {
        return Outcome::foreseen(format!("Service is set to be {done}"), Changes::new());
    }
    if verb == Verb::Start {
        // What is left of a service that failed is cleared away first.
        let _stopped = act(ctx, Verb::Stop, name);
    }
    // Stopping takes no mask off.
    let unmasked = if dead { Ok(()) } else { mask::unmask_if_asked(ctx) };
    if let Err(problem) = unmasked.and_then(|()| act(ctx, verb, name)) {
        return match verb {
            Verb::Stop => Outcome {
                changes: change(name, false),
                ..Outcome::failed("Failed to stop the service")
            },
            _ => Outcome::failed(problem),
        };
    }
    delay(ctx);
    Outcome::changed(format!("Service {done}"), change(name, Value::from(true)))
}
