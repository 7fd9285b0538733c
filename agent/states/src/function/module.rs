//! Salt's `module`: calling execution modules from states.

mod legacy;

use serde_json::Value;

use super::args::{text, truth};
use super::{ANY, Context, Function, Lint, Plan, StateFunction};
use crate::chunk::Chunk;
use crate::data::key;
use crate::module::{self, Returned, Site};
use crate::outcome::{Changes, Outcome};
use crate::render::python::{from_sls, to_json};
use crate::report::Name;
use crate::requisite;

/// This module's functions.
pub(super) const ALL: &[Function] =
    &[Function::of::<Run>(), Function::of::<Wait>(), Function::of::<Wait>().called("watch")];

pub(super) struct Run;

impl StateFunction for Run {
    const MODULE: &'static str = "module";
    const NAME: &'static str = "run";
    const TAKES: &'static [&'static str] = &[ANY];
    const WATCHES: bool = true;
    type Step = Calls;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Calls> {
        let calls = Calls::of(ctx.chunk);
        if calls.legacy { legacy::check(ctx, calls) } else { check(ctx, calls) }
    }

    fn apply(ctx: &Context<'_>, calls: Calls) -> Outcome {
        if calls.legacy { legacy::apply(ctx) } else { apply(ctx, calls) }
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        watched(ctx)
    }
}

pub(super) struct Wait;

impl StateFunction for Wait {
    const MODULE: &'static str = "module";
    const NAME: &'static str = "wait";
    const TAKES: &'static [&'static str] = &[ANY];
    const WATCHES: bool = true;
    type Step = ();

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint(chunk)
    }

    fn check(_: &Context<'_>) -> Plan<()> {
        Plan::fine("")
    }

    fn apply(_: &Context<'_>, (): ()) -> Outcome {
        Outcome::fine("")
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        watched(ctx)
    }
}

/// Calls it for a watched state's change. Salt's return then names two of its own arguments, too.
fn watched(ctx: &Context<'_>) -> Outcome {
    let mut outcome = super::run::<Run>(ctx);
    if let Some(Name::Many(names)) = outcome.name.as_deref_mut() {
        let listener = ctx.chunk.id.starts_with("listener_");
        let own: &[&str] = if listener { &["sfun"] } else { &["sfun", "__reqs__"] };
        names.extend(own.iter().map(|name| (*name).to_owned()));
    }
    outcome
}

/// What a state calls.
pub(super) struct Calls {
    /// `name` is the function and the arguments are the state's own: the older form.
    legacy: bool,
    /// Arguments that are no requisites and no options: functions with what they take.
    own: Vec<(String, Value)>,
}

impl Calls {
    fn of(chunk: &Chunk) -> Calls {
        let own: Vec<(String, Value)> = chunk
            .args
            .iter()
            .filter(|(key, _)| !internal(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        // A single argument without a dot makes it the older form, as in Salt.
        let legacy = own.is_empty() || own.iter().any(|(key, _)| !key.contains('.'));
        Calls { legacy, own }
    }

    /// Arguments that their functions refuse. Those that come by place are told by the call.
    fn refused(&self, chunk: &Chunk) -> Vec<Lint> {
        let mut out = Vec::new();
        let mut look = |name: &str, key: &str, value: &Value| {
            let function = module::find(name).filter(|_| truth(value));
            let refused = function.and_then(|own| own.takes.refuses().find(|own| *own == key));
            out.extend(refused.map(|refused| (refused, module::refusal(name, refused))));
        };
        for (name, args) in &self.own {
            match args {
                args if self.legacy => {
                    look(&chunk.name, name, args);
                    let more = args.as_object().filter(|_| name == "kwargs");
                    more.into_iter().flatten().for_each(|(key, arg)| look(&chunk.name, key, arg));
                }
                Value::Array(args) => {
                    let named = args.iter().filter_map(Value::as_object).flatten();
                    named.for_each(|(key, arg)| look(bare(name), key, arg));
                }
                _ => {}
            }
        }
        out
    }
}

fn internal(key: &str) -> bool {
    requisite::is_keyword(key) || requisite::RUNTIME.contains(&key) || key == "name"
}

/// The function of `mod.fun:suffix`; the suffix makes a second call of the same possible.
fn bare(key: &str) -> &str {
    key.split(':').next().unwrap_or(key)
}

/// The functions that a chunk of this module calls and that nobody has.
pub(crate) fn missing_functions(chunk: &Chunk) -> Vec<String> {
    let calls = Calls::of(chunk);
    let named: Vec<&str> = match (chunk.state.as_str(), calls.legacy) {
        ("module", true) => vec![chunk.name.as_str()],
        ("module", false) => calls.own.iter().map(|(key, _)| bare(key)).collect(),
        _ => return Vec::new(),
    };
    named.into_iter().filter(|name| module::find(name).is_none()).map(str::to_owned).collect()
}

/// Refuses functions that Salt has and this engine lacks. What nobody has fails when it comes to
/// the state, as in Salt.
fn lint(chunk: &Chunk) -> Vec<Lint> {
    let calls = Calls::of(chunk);
    let names: Vec<&str> = if calls.legacy {
        vec![chunk.name.as_str()]
    } else {
        calls.own.iter().map(|(key, _)| bare(key)).collect()
    };
    let mut out = Vec::new();
    for name in names {
        if module::find(name).is_none() && module::may_be_function(name) {
            out.push(("name", module::unsupported(name)));
        }
    }
    out.extend(calls.refused(chunk));
    if calls.own.iter().any(|(key, value)| key == "returner" && !value.is_null()) {
        let words = "'returner' is not supported: the result is in the report; remove it";
        out.push(("returner", words.to_owned()));
    }
    out
}

fn check(ctx: &Context<'_>, calls: Calls) -> Plan<Calls> {
    let names = calls.own.iter().map(|(key, _)| key.clone()).collect();
    let (there, missing): (Vec<&str>, Vec<&str>) =
        calls.own.iter().map(|(key, _)| bare(key)).partition(|name| module::find(name).is_some());
    let mut told = Vec::new();
    if !missing.is_empty() {
        // Salt's plural is the word "True".
        let plural = if missing.len() > 1 { "True" } else { "" };
        told.push(format!("Unavailable function{plural}: {}.", missing.join(", ")));
    }
    if ctx.test && !there.is_empty() {
        let plural = if there.len() > 1 { "True" } else { "" };
        told.push(format!("Function{plural} {} to be executed.", there.join(", ")));
    }
    let foreseen = Outcome {
        result: if missing.is_empty() { None } else { Some(false) },
        name: Some(Box::new(Name::Many(names))),
        ..Outcome::foreseen(told.join(" "), Changes::new())
    };
    if missing.is_empty() { Plan::Change { foreseen, step: calls } } else { Plan::Done(foreseen) }
}

fn apply(ctx: &Context<'_>, calls: Calls) -> Outcome {
    let names = calls.own.iter().map(|(key, _)| key.clone()).collect();
    let (mut failed, mut done, mut changes) = (Vec::new(), Vec::new(), Changes::new());
    for (name, args) in &calls.own {
        let returned = match call(ctx, bare(name), args) {
            Ok(returned) => to_json(&returned.value),
            Err(Fault::Arguments(words)) => {
                failed.push(format!("'{name}' failed: {words}"));
                continue;
            }
            Err(Fault::Raised(words)) => {
                // An exception ends the state: what was called before it is lost, as in Salt.
                let comment = format!("An exception occurred in this state: {words}");
                return Outcome::failed(comment);
            }
        };
        let comment = returned.get("comment").map(text);
        if succeeded(&returned) {
            let shown = match &returned {
                Value::Object(_) => comment.unwrap_or_else(|| "Success".to_owned()),
                other => text(other),
            };
            done.push(format!("{name}: {shown}"));
            changes.insert(name.clone(), key::shown(returned));
        } else if returned.is_object() {
            let shown = comment.unwrap_or_else(|| "(error message N/A)".to_owned());
            failed.push(format!("'{name}' failed: {shown}"));
        } else {
            failed.push(format!("'{name}': False"));
        }
    }
    let result = Some(failed.is_empty());
    failed.extend(done);
    let name = Some(Box::new(Name::Many(names)));
    Outcome { result, name, ..Outcome::changed(failed.join(", "), changes) }
}

/// Why a call gave nothing.
enum Fault {
    /// Its arguments do not fit.
    Arguments(String),
    /// The function itself failed.
    Raised(String),
}

impl From<minijinja::Error> for Fault {
    fn from(error: minijinja::Error) -> Fault {
        let words = error.detail().map_or_else(|| error.to_string(), str::to_owned);
        if module::is_invalid(&error) { Fault::Arguments(words) } else { Fault::Raised(words) }
    }
}

fn site<'a>(ctx: &'a Context<'_>) -> Site<'a> {
    Site { state: Some(ctx), ..ctx.renderer().site() }
}

/// Calls a function with a state's list: plain entries by place, maps by name.
fn call(ctx: &Context<'_>, name: &str, args: &Value) -> Result<Returned, Fault> {
    let Some(function) = module::find(name) else {
        let words = format!("Module function {name} is not available");
        return Err(Fault::Arguments(words));
    };
    let entries: Vec<Value> = match args {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        // Python takes a text for its characters, a map for its keys.
        Value::String(text) => text.chars().map(|c| Value::from(c.to_string())).collect(),
        Value::Object(map) => map.keys().map(|key| Value::from(key.as_str())).collect(),
        Value::Bool(false) => Vec::new(),
        Value::Bool(_) | Value::Number(_) => {
            let kind = if args.is_boolean() { "bool" } else { "int" };
            let words = format!("Value after * must be an iterable, not {kind}");
            return Err(Fault::Arguments(words));
        }
    };
    let needs: Vec<&str> = function.takes.needs().collect();
    let mut places: Vec<Value> = Vec::new();
    let mut named: Vec<(String, Value)> = Vec::new();
    for entry in entries {
        match entry {
            Value::Object(map) => named.extend(map),
            plain => places.push(plain),
        }
    }
    // Names that must be given become places, after the plain entries and in the function's order.
    for need in &needs {
        if let Some(at) = named.iter().position(|(key, _)| key == need) {
            places.push(named.remove(at).1);
        }
    }
    let lacking: Vec<&str> = needs.iter().copied().skip(places.len()).collect();
    if !lacking.is_empty() {
        return Err(Fault::Arguments(format!("Missing arguments: {}", lacking.join(", "))));
    }
    let places = places.iter().map(from_sls).collect();
    let named = named.iter().map(|(key, value)| (key.clone(), from_sls(value))).collect();
    Ok(function.call(site(ctx), places, named)?)
}

/// A truth stands for itself; in a map, a `result` that is false or a `retcode` that is not 0 is
/// a failure, however deep.
fn succeeded(returned: &Value) -> bool {
    match returned {
        Value::Bool(flag) => *flag,
        Value::Object(map) => succeeded_map(map),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) => true,
    }
}

fn succeeded_map(map: &serde_json::Map<String, Value>) -> bool {
    map.iter().all(|(key, value)| match (key.as_str(), value) {
        ("result", Value::Bool(false)) => false,
        ("retcode", code) if code.as_i64() != Some(0) => false,
        (_, Value::Object(inner)) => succeeded_map(inner),
        (_, _) => true,
    })
}
