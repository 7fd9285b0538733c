//! Several top files into one: Salt's merging strategies, and the pillar's own.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::{Sections, Tops};
use crate::error::{Error, Kind};
use crate::high::shown;
use crate::opts::Opts;
use crate::render::python;
use crate::tree::BASE;
use crate::yaml::{Data, Node};

/// Merges the state top files as `top_file_merging_strategy` says.
pub(super) fn merge(tops: Tops, opts: &Opts) -> Result<Sections, Vec<Error>> {
    match opts.text("top_file_merging_strategy") {
        Some("same") => same(&tops, opts),
        Some("merge_all") => Ok(merge_all(&tops)),
        // Salt takes a strategy that it does not know for this one.
        Some(_) | None => Ok(base_first(tops)),
    }
}

/// `merge`: base is authoritative; others speak for themselves only, where base does not.
fn base_first(mut tops: Tops) -> Sections {
    let mut merged = Sections::new();
    for (env, targets) in tops.shift_remove(BASE).into_iter().flatten().flatten() {
        merged.entry(env).or_default().extend(targets);
    }
    for (own, files) in tops {
        for (env, targets) in files.into_iter().flatten() {
            if env == own && !merged.contains_key(&env) {
                merged.entry(env).or_default().extend(targets);
            }
        }
    }
    merged
}

/// `same`: each environment speaks for itself; without a top file, `default_top` speaks for it.
fn same(tops: &Tops, opts: &Opts) -> Result<Sections, Vec<Error>> {
    let default_top = match opts.get("default_top") {
        None => BASE,
        Some(name) => name.as_str().unwrap_or_default(),
    };
    if default_top.is_empty() && opts.saltenv().is_none() {
        let reason = "top_file_merging_strategy set to 'same', but no default_top configuration \
                      option was set";
        return Err(vec![Error::new(Kind::Nothing, None, reason)]);
    }
    let mut merged = Sections::new();
    for (own, files) in tops {
        let is_empty = files.iter().all(IndexMap::is_empty);
        let speaking = if is_empty { tops.get(default_top) } else { Some(files) };
        for (env, targets) in speaking.into_iter().flatten().flatten() {
            if env == own {
                merged.entry(env.clone()).or_default().extend(targets.clone());
            }
        }
    }
    Ok(merged)
}

/// `merge_all`: everything; SLS of the same target are joined.
fn merge_all(tops: &Tops) -> Sections {
    let mut merged = Sections::new();
    for (env, targets) in tops.values().flatten().flatten() {
        let section = merged.entry(env.clone()).or_default();
        for (target, (body, at)) in targets {
            let joined = match section.get(target) {
                Some((own, _)) => join(own, body),
                None => body.clone(),
            };
            section.insert(target.clone(), (joined, at.clone()));
        }
    }
    merged
}

/// The later match option, then the SLS of both, each once.
fn join(own: &Node, more: &Node) -> Node {
    let items = |node: &Node| node.as_seq().unwrap_or_default().to_vec();
    let (own_items, more_items) = (items(own), items(more));
    let option = more_items.iter().chain(&own_items).find(|item| item.as_map().is_some());
    let mut joined: Vec<Node> = option.cloned().into_iter().collect();
    let texts = own_items.iter().chain(&more_items).filter(|item| item.as_str().is_some());
    for item in texts {
        if !joined.iter().any(|known| known.as_str() == item.as_str()) {
            joined.push(item.clone());
        }
    }
    Node { data: Data::Seq(joined), ..more.clone() }
}

/// Salt's words for a malformed top file.
pub(super) fn verify(top: &Sections) -> Vec<Error> {
    let mut errors = Vec::new();
    for (env, targets) in top {
        if env.is_empty() {
            let at = targets.values().next().map(|(_, at)| at.clone());
            errors.push(Error::new(Kind::Shape, at, "Empty saltenv statement in top file"));
        }
        for (target, (body, at)) in targets {
            let Some(items) = body.as_seq() else {
                let quoted = |text: &str| python::repr(&minijinja::Value::from(text));
                let reason = format!(
                    "Malformed topfile: state declarations for matcher {} in saltenv {} are not \
                     formed as a list (got {})",
                    quoted(target),
                    quoted(env),
                    body.python_type()
                );
                errors.push(Error::shape(at, reason));
                continue;
            };
            for item in items {
                if item.as_str().is_some_and(str::is_empty) {
                    let reason = format!("Environment {env} contains an empty sls index");
                    errors.push(Error::shape(at, reason));
                }
                for (_, value) in item.as_map().unwrap_or_default() {
                    if is_unset(value) {
                        let reason = format!(
                            "Improperly formatted top file matcher in saltenv {}: {} file",
                            shown(item),
                            shown(value)
                        );
                        errors.push(Error::shape(at, reason));
                    }
                }
            }
        }
    }
    errors
}

fn is_unset(node: &Node) -> bool {
    match &node.data {
        Data::Null => true,
        Data::Bool(flag) => !flag,
        Data::Int(number) => *number == 0,
        Data::Float(number) => *number == 0.0,
        Data::Str(text) => text.is_empty(),
        Data::Seq(items) => items.is_empty(),
        Data::Map(pairs) => pairs.is_empty(),
    }
}

/// Merges pillar top files: later targets over earlier, sorted by their `order`.
///
/// # Errors
/// A target under which nothing stands that Python could go through.
pub(crate) fn pillar_targets(tops: Tops) -> Result<Sections, Error> {
    let mut merged = Sections::new();
    for (env, targets) in tops.into_values().flatten().flatten() {
        let section = merged.entry(env).or_default();
        for (target, (body, at)) in targets {
            let Some(body) = gone_through(body) else {
                let reason = format!("nothing stands under the target '{target}'");
                return Err(Error::new(Kind::Nothing, Some(at), reason));
            };
            section.insert(target, (body, at));
        }
    }
    for targets in merged.values_mut() {
        targets.sort_by_cached_key(|_, (body, _)| order(body));
    }
    Ok(merged)
}

/// A node as the list that Python's `for` makes of it: a text's letters, a map's keys.
fn gone_through(node: Node) -> Option<Node> {
    let (line, column) = (node.line, node.column);
    let items = match node.data {
        Data::Seq(items) => items,
        Data::Map(pairs) => pairs.into_iter().map(|(key, _)| key).collect(),
        Data::Str(text) => {
            let letter = |letter: char| Node { line, column, data: Data::Str(letter.into()) };
            text.chars().map(letter).collect()
        }
        Data::Null | Data::Bool(_) | Data::Int(_) | Data::Float(_) => return None,
    };
    Some(Node { line, column, data: Data::Seq(items) })
}

/// The SLS of targets that say `ignore_missing`, by environment.
pub(crate) fn optional(top: &Sections) -> HashMap<String, Vec<String>> {
    let mut out: HashMap<String, Vec<String>> = HashMap::new();
    for (env, targets) in top {
        for (body, _) in targets.values() {
            if options(body, "ignore_missing").any(|value| !is_unset(value)) {
                let names = body.as_seq().unwrap_or_default().iter().filter_map(Node::as_str);
                out.entry(env.clone()).or_default().extend(names.map(str::to_owned));
            }
        }
    }
    out
}

/// The values of an option among the SLS of a target.
fn options<'a>(body: &'a Node, name: &'a str) -> impl Iterator<Item = &'a Node> {
    let pairs = body.as_seq().unwrap_or_default().iter().filter_map(Node::as_map).flatten();
    pairs.filter(move |(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
}

fn order(body: &Node) -> i64 {
    let number = |node: &Node| match &node.data {
        Data::Int(number) => i64::try_from(*number).unwrap_or(0),
        Data::Str(text) => text.trim().parse().unwrap_or(0),
        Data::Bool(flag) => i64::from(*flag),
        Data::Null | Data::Float(_) | Data::Seq(_) | Data::Map(_) => 0,
    };
    options(body, "order").map(number).last().unwrap_or(0)
}
