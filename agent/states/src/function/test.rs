//! Salt's `test`: states that do nothing but tell what they are told to.

mod pillar;

use std::hash::{BuildHasher, Hasher, RandomState};

use serde_json::{Value, json};

use super::args::{text, truth};
use super::{Context, Function, Plan, StateFunction};
use crate::outcome::{Changes, Outcome, change};
use crate::requisite::Kind;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<Nop>(),
    Function::of::<SucceedWithoutChanges>(),
    Function::of::<SucceedWithChanges>(),
    Function::of::<FailWithoutChanges>(),
    Function::of::<FailWithChanges>(),
    Function::of::<ConfigurableTestState>(),
    Function::of::<ShowNotification>(),
    Function::of::<pillar::CheckPillar>(),
];

/// The comment that a state is given; of a list, Salt joins the lines.
fn told(ctx: &Context<'_>) -> Option<String> {
    match ctx.value("comment") {
        Some(Value::Array(lines)) => Some(lines.iter().map(text).collect::<Vec<_>>().join("\n")),
        _ => ctx.text("comment"),
    }
}

fn pretended() -> Changes {
    change("testing", json!({"old": "Unchanged", "new": "Something pretended to change"}))
}

pub(super) struct Nop;

impl StateFunction for Nop {
    const MODULE: &'static str = "test";
    const NAME: &'static str = "nop";
    const TAKES: &'static [&'static str] = &[];
    const WATCHES: bool = true;
    type Step = ();

    fn check(_: &Context<'_>) -> Plan<()> {
        Plan::fine("Success!")
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("Success!")
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        fired(ctx)
    }
}

/// What any of these states says when a watched one changed.
fn fired(ctx: &Context<'_>) -> Outcome {
    let chunks = ctx.compiled.chunks();
    let changed = ctx.session.changed.borrow();
    let own = ctx.chunk.tag();
    let at = chunks.iter().position(|chunk| chunk.tag() == own);
    let incoming =
        at.map(|at| ctx.compiled.graph.nodes[at].incoming.as_slice()).unwrap_or_default();
    let watched = incoming.iter().filter(|(_, kind)| *kind == Kind::Watch);
    let names: Vec<String> = watched
        .map(|(from, _)| &chunks[ctx.compiled.graph.nodes[*from].step.chunk])
        .filter(|chunk| changed.contains(&chunk.tag()))
        .map(|chunk| format!("{}: {}", chunk.state, chunk.id))
        .collect();
    let changes = match ctx.value("changes") {
        Some(Value::Object(changes)) => changes.clone(),
        // Among them what `configurable_test_state` is told.
        Some(_) => return Outcome::malformed(),
        None => change("Requisites with changes", names),
    };
    let comment = told(ctx).unwrap_or_else(|| "Watch statement fired.".to_owned());
    let result = Some(ctx.flag("result", true));
    Outcome { result, ..Outcome::changed(comment, changes) }
}

pub(super) struct SucceedWithoutChanges;

impl StateFunction for SucceedWithoutChanges {
    const MODULE: &'static str = "test";
    const NAME: &'static str = "succeed_without_changes";
    const TAKES: &'static [&'static str] = &["comment"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        Plan::fine(told(ctx).unwrap_or_else(|| "Success!".to_owned()))
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("Success!")
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        fired(ctx)
    }
}

pub(super) struct SucceedWithChanges;

impl StateFunction for SucceedWithChanges {
    const MODULE: &'static str = "test";
    const NAME: &'static str = "succeed_with_changes";
    const TAKES: &'static [&'static str] = &["comment"];
    type Step = ();

    fn check(_: &Context<'_>) -> Plan<()> {
        let comment = "If we weren't testing, this would be successful with changes";
        Plan::change(comment, pretended(), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let comment = told(ctx).unwrap_or_else(|| "Success!".to_owned());
        Outcome::changed(comment, pretended())
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        fired(ctx)
    }
}

pub(super) struct FailWithoutChanges;

impl StateFunction for FailWithoutChanges {
    const MODULE: &'static str = "test";
    const NAME: &'static str = "fail_without_changes";
    const TAKES: &'static [&'static str] = &["comment"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if ctx.test {
            return Plan::failed("If we weren't testing, this would be a failure!");
        }
        Plan::failed(told(ctx).unwrap_or_else(|| "Failure!".to_owned()))
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::failed("Failure!")
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        fired(ctx)
    }
}

pub(super) struct FailWithChanges;

impl StateFunction for FailWithChanges {
    const MODULE: &'static str = "test";
    const NAME: &'static str = "fail_with_changes";
    const TAKES: &'static [&'static str] = &["comment"];
    type Step = ();

    fn check(_: &Context<'_>) -> Plan<()> {
        let comment = "If we weren't testing, this would be failed with changes";
        Plan::change(comment, pretended(), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let comment = told(ctx).unwrap_or_else(|| "Failure!".to_owned());
        Outcome { result: Some(false), ..Outcome::changed(comment, pretended()) }
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        fired(ctx)
    }
}

pub(super) struct ConfigurableTestState;

impl StateFunction for ConfigurableTestState {
    const MODULE: &'static str = "test";
    const NAME: &'static str = "configurable_test_state";
    const TAKES: &'static [&'static str] =
        &["changes", "result", "comment", "warnings", "allow_test_mode_failure"];
    type Step = Outcome;

    fn check(ctx: &Context<'_>) -> Plan<Outcome> {
        let none = ctx.value("changes").is_some_and(|value| *value == Value::Bool(false));
        let changes = match chosen(ctx, "changes") {
            Ok(true) => pretended(),
            Ok(false) => Changes::new(),
            Err(problem) => return Plan::failed(problem),
        };
        let result = match chosen(ctx, "result") {
            Ok(result) => result,
            Err(problem) => return Plan::failed(problem),
        };
        let comment = told(ctx).unwrap_or_default();
        let warnings = match warnings(ctx) {
            Ok(warnings) => warnings,
            Err(problem) => return Plan::failed(problem),
        };
        let real = Outcome { warnings, ..Outcome::changed(comment.clone(), changes) };
        let real = Outcome { result: Some(result), ..real };
        let failing = ctx.value("result").is_some_and(|value| *value == Value::Bool(false));
        let foretold = if failing && ctx.flag("allow_test_mode_failure", false) {
            Some(false)
        } else {
            none.then_some(true)
        };
        let comment = if comment.is_empty() { "This is a test".to_owned() } else { comment };
        let foreseen = Outcome { result: foretold, comment, ..real.clone() };
        Plan::Change { foreseen, step: real }
    }

    fn apply(_: &Context<'_>, step: Outcome) -> Outcome {
        step
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        fired(ctx)
    }
}

/// The warnings that the state is to give, if any are named.
fn warnings(ctx: &Context<'_>) -> Result<Option<Box<Value>>, String> {
    match ctx.value("warnings") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(one)) => Ok(Some(Box::new(json!([one])))),
        Some(all @ Value::Array(_)) => Ok(Some(Box::new(all.clone()))),
        Some(_) => {
            Err("You have specified the state option 'warnings' with invalid arguments. It \
                        must be a string or a list of strings"
                .to_owned())
        }
    }
}

/// `True`, `False`, or `Random`: which of them is then drawn.
fn chosen(ctx: &Context<'_>, name: &str) -> Result<bool, String> {
    match ctx.chunk.args.get(name) {
        None => Ok(true),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(other) if text(other).to_lowercase() == "random" => {
            Ok(RandomState::new().build_hasher().finish().is_multiple_of(2))
        }
        Some(_) => Err(format!(
            "You have specified the state option '{name}' with invalid arguments. It must be \
             either True, False, or 'Random'"
        )),
    }
}

pub(super) struct ShowNotification;

impl StateFunction for ShowNotification {
    const MODULE: &'static str = "test";
    const NAME: &'static str = "show_notification";
    const TAKES: &'static [&'static str] = &["text"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        match ctx.value("text").filter(|given| truth(given)) {
            Some(given) => Plan::fine(text(given)),
            None => Plan::failed("Missing required argument text."),
        }
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("")
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        fired(ctx)
    }
}
