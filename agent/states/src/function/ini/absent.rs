//! `ini.options_absent`: options are not there.

use serde_json::{Map, Value};

use super::document::{Item, Section};
use super::file::File;
use super::{NOTHING, Step, each, foreseen, lacks, or_nothing, told, wanted, worked, written};
use crate::chunk::Chunk;
use crate::function::args::{text, truth};
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

pub(in crate::function) struct OptionsAbsent;

impl StateFunction for OptionsAbsent {
    const MODULE: &'static str = "ini";
    const NAME: &'static str = "options_absent";
    const TAKES: &'static [&'static str] = &["sections", "separator", "encoding"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        super::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        match wanted(ctx) {
            _ if ctx.test => dry(ctx).unwrap_or_else(|words| Plan::Done(Outcome::raised(words))),
            None => Plan::fine(NOTHING),
            Some(all) => worked(ctx, |file| taken(file, all), told),
        }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        written(ctx, step)
    }
}

fn dry(ctx: &Context<'_>) -> Result<Plan<Step>, String> {
    let Some(all) = wanted(ctx) else { return Ok(Plan::fine(or_nothing(String::new()))) };
    let document = File::open(ctx)?.document()?;
    let Value::Object(all) = all else {
        each(all)?;
        return Err(match all {
            Value::Array(_) => "list indices must be integers or slices, not str".to_owned(),
            _ => "string indices must be integers, not 'str'".to_owned(),
        });
    };
    let mut comment = String::new();
    let mut pending = false;
    for (name, keys) in all {
        let Value::Array(keys) = keys else {
            let there = document.items.get(name).is_some_and(|item| !item.is_empty());
            pending |= there;
            comment.push_str(&line(there, name, ""));
            continue;
        };
        let below = if name.is_empty() { String::new() } else { format!(" in section {name}") };
        for key in keys {
            let key = text(key);
            let there = has(&document, name, &key)?;
            pending |= there;
            comment.push_str(&line(there, &key, &below));
        }
    }
    Ok(foreseen(pending, or_nothing(comment)))
}

fn line(there: bool, key: &str, below: &str) -> String {
    if there {
        format!("Deleted key {key}{below}.\n")
    } else {
        format!("Key {key}{below} does not exist.\n")
    }
}

/// Whether a section has an option that is not empty.
fn has(document: &Section, section: &str, key: &str) -> Result<bool, String> {
    match document.items.get(section) {
        None => Ok(false),
        Some(Item::Text(text)) => Err(lacks(&Value::from(text.as_str()), "get")),
        Some(Item::Section(own)) => Ok(own.plain().get(key).is_some_and(truth)),
    }
}

fn taken(file: &mut File<'_>, all: &Value) -> Result<Changes, String> {
    let all = all.as_object().ok_or_else(|| lacks(all, "items"))?;
    let mut changes = Changes::new();
    for (section, keys) in all {
        for key in each(keys)? {
            let Some(old) = file.take(Some(section), &key)?.filter(|old| !old.is_empty()) else {
                continue;
            };
            let own = changes.entry(section.clone()).or_insert_with(|| Map::new().into());
            let Value::Object(own) = own else { return Err(lacks(own, "update")) };
            own.insert(key, old.json());
            if !keys.is_array() {
                changes.insert(section.clone(), old.json());
            }
        }
    }
    Ok(changes)
}
