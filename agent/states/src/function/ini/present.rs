//! `ini.options_present`: options have these values; with `strict` there are no others.

use serde_json::{Map, Value, json};

use super::file::File;
use super::{Step, foreseen, lacks, wanted, worked, written};
use crate::chunk::Chunk;
use crate::function::args::{text, truth};
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};
use crate::render::python;

pub(in crate::function) struct OptionsPresent;

impl StateFunction for OptionsPresent {
    const MODULE: &'static str = "ini";
    const NAME: &'static str = "options_present";
    const TAKES: &'static [&'static str] =
        &["sections", "separator", "strict", "encoding", "no_spaces"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        super::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        if !ctx.test {
            return worked(ctx, |file| change(ctx, file), told);
        }
        dry(ctx).unwrap_or_else(|words| Plan::Done(Outcome::raised(words)))
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        written(ctx, step)
    }
}

/// Salt takes a section or an option of this name for what went wrong.
fn told(changes: Changes) -> Outcome {
    if let Some(error) = changes.get("error") {
        let shown = python::text(&python::from_json(error));
        return Outcome::failed(format!("Errors encountered. {shown}"));
    }
    let changes: Changes = changes.into_iter().filter(|(_, change)| truth(change)).collect();
    super::told(changes)
}

/// Sections and options as they are wanted, and as they were.
struct Sorted<'a> {
    options: Map<String, Value>,
    sections: Vec<(&'a String, &'a Map<String, Value>)>,
    old: Map<String, Value>,
    strict: bool,
}

impl<'a> Sorted<'a> {
    fn of(ctx: &Context<'_>, file: &File<'_>, all: &'a Value) -> Result<Sorted<'a>, String> {
        let all = all.as_object().ok_or_else(|| lacks(all, "items"))?;
        let (mut options, mut sections) = (Map::new(), Vec::new());
        for (key, value) in all {
            match value {
                Value::Object(body) => sections.push((key, body)),
                other => drop(options.insert(key.clone(), other.clone())),
            }
        }
        let old = file.document()?.plain();
        Ok(Sorted { options, sections, old, strict: ctx.flag("strict", false) })
    }

    /// Options above all sections that nobody wants, and sections.
    fn superfluous(&self, sections: bool) -> Vec<(&String, &Value)> {
        let wanted = |key: &String| match sections {
            true => self.sections.iter().any(|(name, _)| *name == key),
            false => self.options.contains_key(key),
        };
        let all = self.old.iter().filter(|_| self.strict);
        all.filter(|(key, value)| value.is_object() == sections && !wanted(key)).collect()
    }

    /// Options of a section that nobody wants.
    fn extra(
        &self,
        name: &str,
        body: &Map<String, Value>,
    ) -> Result<Vec<(&String, &Value)>, String> {
        match self.old.get(name).filter(|_| self.strict) {
            None => Ok(Vec::new()),
            Some(Value::Object(old)) => {
                Ok(old.iter().filter(|(key, _)| !body.contains_key(*key)).collect())
            }
            Some(other) => Err(lacks(other, "keys")),
        }
    }
}

fn dry(ctx: &Context<'_>) -> Result<Plan<Step>, String> {
    let Some(all) = wanted(ctx) else { return Ok(Plan::fine("")) };
    let file = File::open(ctx)?;
    let sorted = Sorted::of(ctx, &file, all)?;
    let mut comment = String::new();
    let mut pending = false;
    let mut tell = |what: &str, key: &str, below: &str| {
        comment.push_str(&format!("{what} {key}{below}.\n"));
        pending |= what != "Unchanged key";
    };
    let compared = |old: Option<&Value>, new: &Value| {
        let same = old.is_some_and(|old| text(old) == text(new));
        if same { "Unchanged key" } else { "Changed key" }
    };
    for (key, new) in &sorted.options {
        tell(compared(sorted.old.get(key).filter(|old| old.is_string()), new), key, "");
    }
    for (key, _) in sorted.superfluous(false) {
        tell("Removed key", key, "");
    }
    for (name, _) in sorted.superfluous(true) {
        tell("Removed section", name, "");
    }
    for (name, body) in &sorted.sections {
        let below = if name.is_empty() { String::new() } else { format!(" in section {name}") };
        for (key, _) in sorted.extra(name, body)? {
            tell("Deleted key", key, &below);
        }
        for (key, new) in *body {
            let old = sorted.old.get(*name).and_then(|old| old.get(key));
            tell(compared(old, new), key, &below);
        }
    }
    if sorted.sections.iter().any(|(name, _)| *name == "error") {
        return Ok(Plan::failed("Errors encountered. {}"));
    }
    Ok(foreseen(pending, comment))
}

fn change(ctx: &Context<'_>, file: &mut File<'_>) -> Result<Changes, String> {
    let Some(all) = wanted(ctx) else { return file.set(&Map::new()) };
    let sorted = Sorted::of(ctx, file, all)?;
    let mut changes = file.set(&sorted.options)?;
    let gone = |old: &Value| json!({"before": old, "after": null});
    for (key, old) in sorted.superfluous(false) {
        file.take(None, key)?;
        changes.insert(key.clone(), gone(old));
    }
    for (name, old) in sorted.superfluous(true) {
        file.take_section(name)?;
        changes.insert(name.clone(), gone(old));
    }
    for (name, body) in &sorted.sections {
        let mut own = Map::new();
        for (key, old) in sorted.extra(name, body)? {
            file.take(Some(name.as_str()), key)?;
            own.insert(key.clone(), gone(old));
        }
        let one = Map::from_iter([((*name).clone(), Value::Object((*body).clone()))]);
        if let Some(Value::Object(set)) = file.set(&one)?.remove(*name) {
            own.extend(set);
        }
        changes.insert((*name).clone(), own.into());
    }
    changes.retain(|_, change| truth(change));
    Ok(changes)
}
