//! `file.append`: lines at a file's end, each only if it is not there yet.

use serde_json::Value;

use super::{diff, not_absolute, parent, source};
use crate::chunk::Chunk;
use crate::function::args::list;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::files::{Access, make_folders, replace_keeping};
use crate::outcome::{Changes, Outcome, change};
use crate::regex::python_regex;

pub(in crate::function) struct Append;

/// The new contents and how many lines they add.
pub(in crate::function) struct Step {
    data: String,
    added: usize,
    changes: Changes,
}

impl StateFunction for Append {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "append";
    const TAKES: &'static [&'static str] = &[
        "text",
        "makedirs",
        "source",
        "sources",
        "template",
        "context",
        "defaults",
        "ignore_whitespace",
        "show_changes",
    ];
    const TOLERATES: &'static [&'static str] = &["source_hash", "source_hashes"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        source::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let name = ctx.name();
        if let Some(problem) = not_absolute(name) {
            return Plan::failed(problem);
        }
        let texts = match texts(ctx) {
            Ok(texts) => texts,
            Err(problem) => return Plan::failed(problem),
        };
        let there = ctx.host.stat(name).is_some_and(|meta| meta.is_file());
        if !there && ctx.test {
            let comment = format!("File {name} is set to be created");
            let foreseen = Outcome::foreseen(comment, change("new", name));
            return Plan::Done(foreseen);
        }
        if !there && !may_create(ctx) {
            return Plan::failed(format!("{name}: file not found"));
        }
        let old = std::fs::read(ctx.host.followed(name)).unwrap_or_default();
        let Ok(old) = String::from_utf8(old) else {
            return Plan::failed(format!("{name} is not UTF-8"));
        };
        let lines = match missing(ctx, &old, &texts) {
            Ok(lines) => lines,
            Err(problem) => return Plan::failed(problem),
        };
        if lines.is_empty() {
            return Plan::fine(format!("File {name} is in correct state"));
        }
        let mut data = old.clone();
        if !data.is_empty() && !data.ends_with('\n') {
            data.push('\n');
        }
        let whole = data.clone();
        lines.iter().for_each(|line| data.push_str(&format!("{line}\n")));
        let shown = if ctx.flag("show_changes", true) {
            diff::joined(&whole, &data)
        } else {
            "<show_changes=False>".to_owned()
        };
        let changes = change("diff", shown);
        let comment = format!("File {name} is set to be updated");
        let step = Step { data, added: lines.len(), changes: changes.clone() };
        Plan::change(comment, changes, step)
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let name = ctx.name();
        let place = ctx.host.followed(name);
        let access = ctx.host.stat(name).map_or_else(Access::default, |meta| Access::of(&meta));
        let made =
            make_folders(&ctx.host.followed(parent(name)), Access::default()).and_then(|()| {
                replace_keeping(ctx.host, &place, step.data.as_bytes(), Access::default(), access)
            });
        match made {
            Ok(()) => Outcome::changed(format!("Appended {} lines", step.added), step.changes),
            Err(error) => Outcome::failed(format!("Failed to write {name}: {error}")),
        }
    }
}

fn may_create(ctx: &Context<'_>) -> bool {
    ctx.flag("makedirs", false)
        || ctx.host.stat(parent(ctx.name())).is_some_and(|meta| meta.is_dir())
}

/// The texts to add: given, or from sources.
fn texts(ctx: &Context<'_>) -> Result<Vec<String>, String> {
    let sources: Vec<Value> = ["source", "sources"]
        .iter()
        .filter_map(|key| ctx.value(key))
        .flat_map(|value| match value {
            Value::Array(items) => items.clone(),
            one => vec![one.clone()],
        })
        .collect();
    if sources.is_empty() {
        let text = ctx.value("text").map(list);
        return text.ok_or_else(|| "No text found to append. Nothing appended".to_owned());
    }
    let mut out = Vec::new();
    for entry in &sources {
        let found = source::find(ctx, entry)?;
        let data = source::read(ctx, &found)?;
        out.push(String::from_utf8(data).map_err(|_| "the source is not UTF-8".to_owned())?);
    }
    Ok(out)
}

/// The lines of those texts that are not in the file.
fn missing(ctx: &Context<'_>, old: &str, texts: &[String]) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    for text in texts {
        let there = if ctx.flag("ignore_whitespace", true) {
            let words: Vec<String> = text.split_whitespace().map(regex::escape).collect();
            let pattern = format!(r"(?m)^\s*{}\s*$", words.join(r"\s+"));
            !words.is_empty() && search(&pattern, old)?
        } else {
            search(text, old)?
        };
        if !there {
            lines.extend(text.lines().map(str::to_owned));
        }
    }
    Ok(lines)
}

fn search(pattern: &str, text: &str) -> Result<bool, String> {
    let regex = python_regex(pattern, false, true, false).map_err(|error| error.to_string())?;
    Ok(regex.is_match(text))
}
