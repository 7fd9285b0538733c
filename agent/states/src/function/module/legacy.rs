//! `module.run` in its older form: `name` is the function, the other arguments are its own.

use minijinja::value::Value;
use serde_json::Value as Json;

use super::{Calls, Fault, site, succeeded};
use crate::data::key;
use crate::function::{Context, Plan};
use crate::module::{self, Function};
use crate::outcome::{Changes, Outcome, change};
use crate::render::python::{from_sls, to_json};

pub(super) fn check(ctx: &Context<'_>, calls: Calls) -> Plan<Calls> {
    let name = ctx.name();
    let Some(_) = module::find(name) else {
        return Plan::failed(format!("Module function {name} is not available"));
    };
    let comment = format!("Module function {name} is set to execute");
    Plan::Change { foreseen: Outcome::foreseen(comment, Changes::new()), step: calls }
}

pub(super) fn apply(ctx: &Context<'_>) -> Outcome {
    let name = ctx.name();
    let Some(function) = module::find(name) else {
        return Outcome::failed(format!("Module function {name} is not available"));
    };
    let (places, named) = match bound(ctx, function) {
        Ok(bound) => bound,
        Err(problem) => return Outcome::failed(problem),
    };
    let returned = match function.call(site(ctx), places, named) {
        Ok(returned) => to_json(&returned.value),
        Err(error) => {
            let (Fault::Arguments(words) | Fault::Raised(words)) = Fault::from(error);
            let start = format!("Module function {name} threw an exception.");
            return Outcome::failed(format!("{start} Exception: {words}"));
        }
    };
    let result = Some(succeeded(&returned));
    let comment = format!("Module function {name} executed");
    Outcome { result, ..Outcome::changed(comment, change("ret", key::shown(returned))) }
}

/// The argument of a state that stands for one of the function: some names are Salt's own.
fn own_name(name: &str) -> String {
    match name {
        "name" | "fun" | "names" | "state" | "saltenv" => format!("m_{name}"),
        other => other.to_owned(),
    }
}

type Bound = (Vec<Value>, Vec<(String, Value)>);

fn bound(ctx: &Context<'_>, function: &Function) -> Result<Bound, String> {
    let arg = |name: &str| ctx.chunk.args.get(name);
    let takes = function.takes;
    let needs: Vec<&str> = takes.needs().collect();
    let mut named = Vec::new();
    let mut missing = Vec::new();
    for place in takes.places() {
        let own = own_name(place);
        // An optional argument may also come under its own name.
        let other = Some(place).filter(|_| !needs.contains(&place) && place != "name");
        match arg(&own).or_else(|| arg(other?)) {
            Some(value) => named.push((place.to_owned(), from_sls(value))),
            None if needs.contains(&place) => missing.push(own),
            None => {}
        }
    }
    if !missing.is_empty() {
        return Err(format!("The following arguments are missing: {}", missing.join(" ")));
    }
    let mut places = Vec::new();
    if let Some(name) = takes.rest()
        && let Some(value) = arg(&own_name(name))
    {
        let Json::Array(items) = value else { return Err(format!("'{name}' must be a list.")) };
        // What comes by `*args` follows all places: those must be given by place, too.
        for place in takes.places() {
            let at = named.iter().position(|(key, _)| key == place);
            places.push(at.map_or_else(|| Value::from(()), |at| named.remove(at).1));
        }
        places.extend(items.iter().map(from_sls));
    }
    if let Some(name) = takes.others()
        && let Some(value) = arg(name)
    {
        let Json::Object(map) = value else { return Err(format!("'{name}' must be a dict.")) };
        named.extend(map.iter().map(|(key, value)| (key.clone(), from_sls(value))));
    }
    Ok((places, named))
}
