//! Salt's `event`: states that tell of something on the bus.

use serde_json::{Map, Value};

use super::{ANY, Context, Function, Plan, StateFunction};
use crate::data::key;
use crate::outcome::{Changes, Outcome};
use crate::report::Fired;
use crate::requisite::{RUNTIME, is_keyword};

/// This module's functions.
pub(super) const ALL: &[Function] =
    &[Function::of::<Send>(), Function::of::<Send>().called("fire_master"), Function::of::<Wait>()];

/// What is no data of the event.
const OWN: [&str; 7] =
    ["data", "preload", "with_env", "with_grains", "with_pillar", "with_env_opts", "show_changed"];

pub(super) struct Send;

impl StateFunction for Send {
    const MODULE: &'static str = "event";
    const NAME: &'static str = "send";
    const TAKES: &'static [&'static str] = &[ANY];
    const WATCHES: bool = true;
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        Plan::change("Event would have been fired", changes(ctx), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        send(ctx)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        send(ctx)
    }
}

pub(super) struct Wait;

impl StateFunction for Wait {
    const MODULE: &'static str = "event";
    const NAME: &'static str = "wait";
    const TAKES: &'static [&'static str] = &["data"];
    const TOLERATES: &'static [&'static str] = &["sfun"];
    const WATCHES: bool = true;
    type Step = ();

    fn check(_: &Context<'_>) -> Plan<()> {
        Plan::fine("")
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("")
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        send(ctx)
    }
}

fn changes(ctx: &Context<'_>) -> Changes {
    if !ctx.flag("show_changed", true) {
        return Changes::new();
    }
    let data = ctx.value("data").cloned().unwrap_or_default();
    Changes::from_iter([("tag".to_owned(), ctx.name().into()), ("data".to_owned(), data)])
}

/// Sends it. As with Salt, one that nobody can hear has failed.
fn send(ctx: &Context<'_>) -> Outcome {
    let changes = changes(ctx);
    if ctx.test {
        return Outcome::foreseen("Event would have been fired", changes);
    }
    let sent = Fired { tag: ctx.name().to_owned(), data: Some(Value::Object(data(ctx))) };
    let key = (ctx.chunk.id.clone(), ctx.chunk.name_order);
    ctx.session.sent.borrow_mut().entry(key).or_default().push(sent);
    Outcome { result: Some(ctx.session.heard), ..Outcome::changed("Event fired", changes) }
}

/// What it holds: what the state asks for of this machine, then its own words.
fn data(ctx: &Context<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    let mut with = |key: &str, name: &str, all: Value| match ctx.value(key) {
        Some(Value::Array(names)) => {
            let wanted = |(name, _): &(String, Value)| names.contains(&Value::from(name.as_str()));
            let Value::Object(all) = all else { return };
            let part: Map<String, Value> = all.into_iter().filter(wanted).collect();
            out.insert(name.to_owned(), part.into());
        }
        Some(flag) if super::args::truth(flag) => {
            out.insert(name.to_owned(), all);
        }
        Some(_) | None => {}
    };
    let variables = ctx.host.variables().all().into_iter();
    let variables: Map<String, Value> =
        variables.map(|(name, value)| (name, Value::from(value))).collect();
    with("with_env", "environ", variables.into());
    with("with_grains", "grains", ctx.renderer().scope().facts.as_map().clone().into());
    with("with_pillar", "pillar", key::shown(ctx.view().pillar.clone()));
    if ctx.flag("with_env_opts", false) {
        out.insert("saltenv".to_owned(), ctx.chunk.saltenv().into());
        out.insert("pillarenv".to_owned(), Value::Null);
    }
    let own = |name: &str| OWN.contains(&name) || RUNTIME.contains(&name) || is_keyword(name);
    let more = ctx.chunk.args.iter().filter(|(name, _)| !own(name));
    out.extend(more.map(|(name, value)| (name.clone(), value.clone())));
    if let Some(Value::Object(data)) = ctx.value("data") {
        out.extend(data.clone());
    }
    out
}
