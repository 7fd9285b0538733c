//! Salt's `test`: states that do nothing but tell what they are told to.

use serde_json::{Value, json};

use super::args::text;
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
];

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
    Outcome::changed("Watch statement fired.", change("Requisites with changes", names))
}

pub(super) struct SucceedWithoutChanges;

impl StateFunction for SucceedWithoutChanges {
    const MODULE: &'static str = "test";
    const NAME: &'static str = "succeed_without_changes";
    const TAKES: &'static [&'static str] = &["comment"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        Plan::fine(ctx.text("comment").unwrap_or_else(|| "Success!".to_owned()))
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
        let comment = ctx.text("comment").unwrap_or_else(|| "Success!".to_owned());
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
        let usual =
            if ctx.test { "If we weren't testing, this would be a failure!" } else { "Failure!" };
        Plan::failed(ctx.text("comment").unwrap_or_else(|| usual.to_owned()))
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
        let comment = ctx.text("comment").unwrap_or_else(|| "Failure!".to_owned());
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
        &["changes", "result", "comment", "allow_test_mode_failure"];
    const REFUSES: &'static [&'static str] = &["warnings"];
    type Step = Outcome;

    fn check(ctx: &Context<'_>) -> Plan<Outcome> {
        let changes = match ctx.value("changes") {
            Some(Value::Bool(false)) => Changes::new(),
            None | Some(Value::Bool(true)) => pretended(),
            Some(other) => {
                let text = text(other);
                return Plan::failed(random_refused("changes", &text));
            }
        };
        let result = match ctx.value("result") {
            None | Some(Value::Bool(true)) => true,
            Some(Value::Bool(false)) => false,
            Some(other) => return Plan::failed(random_refused("result", &text(other))),
        };
        let comment = ctx.text("comment").unwrap_or_default();
        let real = Outcome { result: Some(result), ..Outcome::changed(comment.clone(), changes) };
        if ctx.flag("allow_test_mode_failure", false) && !result {
            return Plan::Done(real);
        }
        let told = if comment.is_empty() { "This is a test".to_owned() } else { comment };
        let foreseen = Outcome {
            result: if real.changes.is_empty() { Some(result) } else { None },
            comment: told,
            ..real.clone()
        };
        Plan::Change { foreseen, step: real }
    }

    fn apply(_: &Context<'_>, step: Outcome) -> Outcome {
        step
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        fired(ctx)
    }
}

fn random_refused(name: &str, value: &str) -> String {
    format!(
        "You have specified the state option '{name}' with invalid arguments. It must be either \
         True, False, or 'Random' ('Random' is not supported here), not {value}"
    )
}

pub(super) struct ShowNotification;

impl StateFunction for ShowNotification {
    const MODULE: &'static str = "test";
    const NAME: &'static str = "show_notification";
    const TAKES: &'static [&'static str] = &["text"];
    const NEEDS: &'static [&'static str] = &["text"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        Plan::fine(ctx.text("text").unwrap_or_default())
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("")
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        fired(ctx)
    }
}
