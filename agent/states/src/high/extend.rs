//! `extend`: adds to or replaces parts of a state that another SLS declares.

use serde_json::Value;

use super::{Arg, Body, Exclude, Extend, High, OWNER, Pair};
use crate::error::{Error, Kind};
use crate::requisite;

/// Applies all extensions. `strict` is for those that requisites made: they name IDs exactly.
pub(crate) fn apply(high: &mut High, extends: Vec<Extend>, strict: bool) -> Vec<Error> {
    let mut errors = Vec::new();
    for Extend { id, body, malformed } in extends {
        match target(high, id, &body, strict) {
            Ok(id) if !is_excluded(high, &body.sls) => {
                high.malformed.extend(owned(high, &id, malformed));
                if !strict {
                    high.malformed.extend(idle(high, &id, &body));
                }
                join(high, &id, body);
            }
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    errors
}

/// What is malformed in an extension is the fault of the SLS that declares the state, to Salt.
fn owned(high: &High, id: &str, mut malformed: Vec<Error>) -> Vec<Error> {
    if let Some(own) = high.bodies.get(id) {
        malformed.iter_mut().for_each(|error| error.reason = error.reason.replace(OWNER, &own.sls));
    }
    malformed
}

fn is_excluded(high: &High, sls: &str) -> bool {
    high.excludes.iter().any(|exclude| matches!(exclude, Exclude::Sls(name, _) if name == sls))
}

/// A state of which the extension gives arguments and nobody a function.
fn idle(high: &High, id: &str, body: &Body) -> Vec<Error> {
    let Some(own) = high.bodies.get(id) else { return Vec::new() };
    let function = |arg: &Arg| matches!(arg, Arg::Fun(_));
    let new = body
        .states
        .iter()
        .filter(|(state, args)| !own.states.contains_key(*state) && !args.iter().any(function));
    let told = |_| {
        let reason = format!("No function declared in state '{id}' in SLS '{}'", own.sls);
        Error::shape(&body.at, reason)
    };
    new.map(told).collect()
}

fn join(high: &mut High, id: &str, body: Body) {
    let Some(own) = high.bodies.get_mut(id) else { return };
    for (state, args) in body.states {
        match own.states.get_mut(&state) {
            Some(target) => args.into_iter().for_each(|arg| add(target, arg)),
            None => {
                own.states.insert(state, args);
            }
        }
    }
}

/// The ID that an extension means: by ID, or by the name of the one state that has it.
fn target(high: &High, id: String, body: &Body, strict: bool) -> Result<String, Error> {
    let Some((module, _)) = body.states.first() else { return Ok(id) };
    if high.bodies.get(&id).is_some_and(|own| own.states.contains_key(module)) {
        return Ok(id);
    }
    let mut ids = find_name(high, &id, module, strict);
    if ids.len() == 1
        && let Some((id, _)) = ids.pop()
    {
        return Ok(id);
    }
    let (saltenv, sls) = (&body.saltenv, &body.sls);
    let reason = format!(
        "Cannot extend ID '{id}' in '{saltenv}:{sls}'. It is not part of the high state.\nThis is \
         likely due to a missing include statement or an incorrectly typed ID.\nEnsure that a \
         state with an ID of '{id}' is available\nin environment '{saltenv}' and to SLS '{sls}'"
    );
    Err(Error::new(Kind::Requisite, Some(body.at.clone()), reason))
}

/// IDs and modules of the states with a name, which any of their arguments may be.
pub(crate) fn find_name(
    high: &High,
    name: &str,
    module: &str,
    strict: bool,
) -> Vec<(String, String)> {
    if let Some(body) = high.bodies.get(name)
        && (!strict || body.states.contains_key(module))
    {
        return vec![(name.to_owned(), module.to_owned())];
    }
    if module == "sls" {
        let bodies = high.bodies.iter().filter(|(_, body)| body.sls == name);
        let first =
            bodies.filter_map(|(id, body)| Some((id.clone(), body.states.first()?.0.clone())));
        return first.collect();
    }
    let mut out = Vec::new();
    for (id, body) in &high.bodies {
        let args = body.states.get(module).into_iter().flatten();
        let named = args.filter_map(Arg::only).filter(|pair| pair.value == name);
        out.extend(named.map(|_| (id.clone(), module.to_owned())));
    }
    out
}

/// All IDs and modules of an SLS.
pub(crate) fn sls_ids(high: &High, sls: &str) -> Vec<(String, String)> {
    let bodies = high.bodies.iter().filter(|(_, body)| body.sls == sls);
    let states = bodies
        .flat_map(|(id, body)| body.states.keys().map(move |state| (id.clone(), state.clone())));
    states.collect()
}

/// One argument onto a state's list: replaces its like, joins requisites, else is new.
fn add(target: &mut Vec<Arg>, arg: Arg) {
    let mut found = false;
    for own in target.iter_mut() {
        match (&arg, &mut *own) {
            (Arg::Fun(_), Arg::Fun(_)) => {
                *own = arg.clone();
                found = true;
            }
            (Arg::Set(new), Arg::Set(old)) => {
                let (Some(new), Some(old)) = (new.first(), old.first_mut()) else { continue };
                if new.key == old.key {
                    found = true;
                    if !(requisite::is_verified(&new.key) && joined(old, new)) {
                        *own = arg.clone();
                    }
                } else if new.key == "name" && old.key == "names" {
                    *own = arg.clone();
                    found = true;
                }
            }
            (Arg::Fun(_) | Arg::Set(_) | Arg::Other(_), _) => {}
        }
    }
    if !found {
        target.push(arg);
    }
}

/// Joins the lists of a requisite; whether they are lists.
fn joined(old: &mut Pair, new: &Pair) -> bool {
    match (&mut old.value, &new.value) {
        (Value::Array(items), Value::Array(more)) => {
            items.extend(more.iter().cloned());
            true
        }
        _ => false,
    }
}
