//! match: whether this worker is meant by a target.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::merge::{is_map, update};
use super::{Call, Function, reads};
use crate::facts::Facts;
use crate::render::iterate;
use crate::render::python::{deep, items, list, pairs, text, to_json};
use crate::target;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("match.glob", "tgt minion_id=", |call| of(call, "glob")),
    reads("match.pcre", "tgt minion_id=", |call| of(call, "pcre")),
    reads("match.list", "tgt minion_id=", |call| of(call, "list")),
    reads("match.grain", "tgt delimiter=", |call| of(call, "grain")),
    reads("match.grain_pcre", "tgt delimiter=", |call| of(call, "grain_pcre")),
    reads("match.pillar", "tgt delimiter=", |call| of(call, "pillar")),
    reads("match.pillar_pcre", "tgt delimiter=", |call| of(call, "pillar_pcre")),
    reads("match.ipcidr", "tgt", |call| of(call, "ipcidr")),
    reads("match.compound", "tgt minion_id=", |call| of(call, "compound")),
    reads("match.filter_by", "lookup tgt_type= minion_id= merge= merge_lists= default=", filter_by),
    reads("match.ifelse", "*args tgt_type= minion_id= merge= merge_lists=", if_else),
    reads("match.search_by", "lookup tgt_type= minion_id=", search_by),
];

/// Whether a target means this worker, or the one that the call names. As in Salt, a target that
/// cannot be read means nobody.
fn hit(call: &Call<'_>, kind: &str, target: &str) -> bool {
    let own = &call.scope.facts;
    let mut other = Facts::default();
    let facts = match call.text_of("minion_id") {
        Some(id) if id != own.id() => {
            other.clone_from(own);
            other.set("id", id);
            &other
        }
        Some(_) | None => own,
    };
    let pillar = to_json(&call.scope.pillar);
    target::matches(kind, target, facts.id(), facts, &pillar).unwrap_or_else(|error| {
        tracing::warn!(%error, "a target of a template means nobody");
        false
    })
}

fn of(call: &Call<'_>, kind: &str) -> Result<Value, Error> {
    let target = call.must("tgt");
    let target = if kind == "list" && target.as_str().is_none() {
        items(&target).iter().map(text).collect::<Vec<_>>().join(",")
    } else {
        text(&target)
    };
    // The matchers have `:` only: another delimiter is put in its place.
    let target = match call.text_of("delimiter").filter(|by| !by.is_empty() && by != ":") {
        Some(by) => target.replace(&by, ":"),
        None => target,
    };
    Ok(Value::from(hit(call, kind, &target)))
}

/// The entry of the first target that means this worker.
fn filter_by(call: &Call<'_>) -> Result<Value, Error> {
    let kind = call.text_or("tgt_type", "compound");
    let lookup = call.must("lookup");
    iterate(&lookup)?;
    let found = pairs(&lookup).into_iter().find(|(target, _)| hit(call, &kind, &text(target)));
    let Some((_, entry)) = found else {
        let default = call.value("default").unwrap_or_else(|| Value::from("default"));
        let found = lookup.get_item(&default).ok().filter(|found| !found.is_undefined());
        return Ok(found.unwrap_or_else(|| Value::from(())));
    };
    merged(call, entry)
}

/// The value behind the first target that means this worker, or the last one.
fn if_else(call: &Call<'_>) -> Result<Value, Error> {
    let (pairs, rest) = call.rest().as_chunks::<2>();
    let [last] = rest else {
        let words = "The ifelse function must have an odd number of arguments!";
        return Err(call.raise(words));
    };
    let kind = call.text_or("tgt_type", "compound");
    let meant = |target: &Value| match target.kind() {
        ValueKind::Bool => target.is_true(),
        _ => hit(call, &kind, &text(target)),
    };
    match pairs.iter().find(|[target, _]| meant(target)) {
        Some([_, value]) => merged(call, value.clone()),
        None => Ok(last.clone()),
    }
}

/// What was found, with what `merge` gives over it.
fn merged(call: &Call<'_>, entry: Value) -> Result<Value, Error> {
    let Some(merge) = call.value("merge").filter(Value::is_true) else { return Ok(entry) };
    if !is_map(&merge) {
        return Err(call.raise("filter_by merge argument must be a dictionary."));
    }
    if entry.is_none() {
        Ok(merge)
    } else {
        update(&entry, &deep(&merge), call.flag("merge_lists", false))
    }
}

/// The names whose lists have a target that means this worker; `None` if there are none.
fn search_by(call: &Call<'_>) -> Result<Value, Error> {
    let kind = call.text_or("tgt_type", "compound");
    let mut found = Vec::new();
    for (name, targets) in pairs(&call.must("lookup")) {
        let hits = items(&targets).iter().filter(|target| hit(call, &kind, &text(target))).count();
        found.extend(std::iter::repeat_n(name, hits));
    }
    Ok(if found.is_empty() { Value::from(()) } else { list(found) })
}
