//! `ini.sections_present`, `ini.sections_absent`: whole sections.

use serde_json::{Map, Value};

use super::file::File;
use super::{CHANGED, NOTHING, Step, each, foreseen, or_nothing, told, wanted, worked, written};
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

pub(in crate::function) struct SectionsPresent;

impl StateFunction for SectionsPresent {
    const MODULE: &'static str = "ini";
    const NAME: &'static str = "sections_present";
    const TAKES: &'static [&'static str] = &["sections", "separator", "encoding"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        super::lint(chunk)
    }

    /// Salt 3008 fails here unless it is a dry run: it names an argument that its own function
    /// lost. This is what its documentation says, and what it did before.
    fn check(ctx: &Context<'_>) -> Plan<Step> {
        if ctx.test {
            return foretold(ctx, |there, name| match there {
                true => (format!("Section unchanged {name}.\n"), false),
                false => (format!("Created new section {name}.\n"), true),
            });
        }
        let made = |file: &mut File<'_>| {
            let empty = |name| (name, Value::Object(Map::new()));
            file.set(&each_wanted(ctx)?.into_iter().map(empty).collect())
        };
        worked(ctx, made, |changes| Outcome::changed(CHANGED, changes))
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        written(ctx, step)
    }
}

pub(in crate::function) struct SectionsAbsent;

impl StateFunction for SectionsAbsent {
    const MODULE: &'static str = "ini";
    const NAME: &'static str = "sections_absent";
    const TAKES: &'static [&'static str] = &["sections", "separator", "encoding"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        super::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        match wanted(ctx) {
            _ if ctx.test => foretold(ctx, |there, name| match there {
                true => (format!("Deleted section {name}.\n"), true),
                false => (format!("Section {name} does not exist.\n"), false),
            }),
            None => Plan::fine(NOTHING),
            Some(all) => worked(ctx, |file| taken(file, each(all)?), told),
        }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        written(ctx, step)
    }
}

fn each_wanted(ctx: &Context<'_>) -> Result<Vec<String>, String> {
    wanted(ctx).map_or_else(|| Ok(Vec::new()), each)
}

/// A dry run's words for each section, and whether it would change.
fn foretold(ctx: &Context<'_>, words: impl Fn(bool, &str) -> (String, bool)) -> Plan<Step> {
    let told = each_wanted(ctx).and_then(|names| {
        let there = File::open(ctx)?.document()?.plain();
        Ok(names.iter().map(|name| words(there.contains_key(name), name)).collect::<Vec<_>>())
    });
    match told {
        Err(words) => Plan::Done(Outcome::raised(words)),
        Ok(told) => {
            let pending = told.iter().any(|(_, pending)| *pending);
            foreseen(pending, or_nothing(told.into_iter().map(|(words, _)| words).collect()))
        }
    }
}

fn taken(file: &mut File<'_>, names: Vec<String>) -> Result<Changes, String> {
    let mut changes = Changes::new();
    for name in names {
        if let Some(old) = file.take_section(&name)?.filter(|old| !old.is_empty()) {
            changes.insert(name, old.into());
        }
    }
    Ok(changes)
}
