//! `extend`: adds to or replaces parts of a state that another SLS declares.

use serde_json::Value;

use super::declare::value_of;
use super::{Arg, Body, Exclude, Extend, High};
use crate::error::{Error, Kind};
use crate::requisite;

/// Applies all extensions. `strict` is for those that requisites made: they name IDs exactly.
pub(crate) fn apply(high: &mut High, extends: Vec<Extend>, strict: bool) -> Vec<Error> {
    let mut errors = Vec::new();
    for Extend { id, body } in extends {
        match target(high, id, &body, strict) {
            Ok(id) if !is_excluded(high, &body.sls) => join(high, &id, body),
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    errors
}

fn is_excluded(high: &High, sls: &str) -> bool {
    high.excludes.iter().any(|exclude| matches!(exclude, Exclude::Sls(name) if name == sls))
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
    let sls = &body.sls;
    let reason = format!(
        "Cannot extend ID '{id}' in 'base:{sls}'. It is not part of the high state.\nThis is \
         likely \
         due to a missing include statement or an incorrectly typed ID.\nEnsure that a state with \
         an ID of '{id}' is available\nin environment 'base' and to SLS '{sls}'"
    );
    Err(Error::new(Kind::Requisite, Some(body.at.clone()), reason))
}

/// IDs and modules of the states with a name.
pub(crate) fn find_name(
    high: &High,
    name: &str,
    module: &str,
    strict: bool,
) -> Vec<(String, String)> {
    if let Some(body) = high.bodies.get(name) {
        let own = body.states.contains_key(module).then_some(module);
        let any = || body.states.first().filter(|_| !strict).map(|(state, _)| state.as_str());
        if let Some(state) = own.or_else(any) {
            return vec![(name.to_owned(), state.to_owned())];
        }
    }
    if module == "sls" {
        return sls_ids(high, name);
    }
    let named = |args: &Vec<Arg>| {
        let names = value_of(args, "names").and_then(Value::as_array);
        value_of(args, "name").is_some_and(|own| own == name)
            || names.is_some_and(|names| names.iter().any(|item| item == name))
    };
    let has = |body: &Body| body.states.get(module).is_some_and(named);
    let found = high.bodies.iter().filter(|(_, body)| has(body));
    found.map(|(id, _)| (id.clone(), module.to_owned())).collect()
}

/// All IDs and modules of an SLS, with those that it includes.
pub(crate) fn sls_ids(high: &High, sls: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (id, body) in &high.bodies {
        if body.sls == sls || body.included_from.iter().any(|from| from == sls) {
            out.extend(body.states.keys().map(|state| (id.clone(), state.clone())));
        }
    }
    out
}

/// One argument onto a state's list: replaces its like, joins requisites, else is new.
fn add(target: &mut Vec<Arg>, arg: Arg) {
    let like = |own: &&mut Arg| match (&**own, &arg) {
        (Arg::Fun(_), Arg::Fun(_)) => true,
        (Arg::Set(own, ..), Arg::Set(key, ..)) => own == key || (key == "name" && own == "names"),
        (Arg::Fun(_), Arg::Set(..)) | (Arg::Set(..), Arg::Fun(_)) => false,
    };
    match (target.iter_mut().find(like), arg) {
        (Some(Arg::Set(own, Value::Array(items), _)), Arg::Set(key, value, _))
            if requisite::is_keyword(&key) && *own == key =>
        {
            match value {
                Value::Array(more) => items.extend(more),
                one => items.push(one),
            }
        }
        (Some(own), arg) => *own = arg,
        (None, arg) => target.push(arg),
    }
}
