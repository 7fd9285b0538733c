//! `file.serialize`: data, written as YAML, JSON, TOML or an INI file.

mod format;
mod ini;
mod json;
mod merge;
mod toml;

use serde_json::Value;

use super::diff::{self, HIDDEN};
use super::managed::{self, Managed};
use super::perms::Perms;
use crate::chunk::Chunk;
use crate::data::traverse;
use crate::function::args::truth;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};
use format::{Format, Options};

pub(in crate::function) struct Serialize;

/// The file as `file.managed` writes it, and what is told of data that was merged.
pub(in crate::function) struct Step {
    managed: managed::Step,
    foreseen: Changes,
    merged: Option<Value>,
}

impl StateFunction for Serialize {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "serialize";
    const TAKES: &'static [&'static str] = &[
        "dataset",
        "dataset_pillar",
        "user",
        "group",
        "mode",
        "backup",
        "makedirs",
        "show_changes",
        "create",
        "merge_if_exists",
        "encoding",
        "serializer",
        "formatter",
        "serializer_opts",
        "deserializer_opts",
        "check_cmd",
        "tmp_dir",
        "tmp_ext",
    ];
    const TOLERATES: &'static [&'static str] = &["encoding_errors"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        let mut out = format::lint(chunk);
        out.extend(managed::lint_encoding(chunk));
        out
    }

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        format::doubt(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        match data(ctx) {
            Ok(Found::Data { contents, merged }) => planned(ctx, contents, merged),
            Ok(Found::Done(comment)) => Plan::fine(comment),
            Err(problem) => Plan::failed(problem),
        }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let mut outcome = Managed::apply(ctx, step.managed);
        if outcome.result == Some(false) && outcome.comment.starts_with(managed::REFUSED) {
            outcome.changes = step.foreseen;
        } else if outcome.result == Some(true) {
            told(&mut outcome.changes, step.merged);
        }
        outcome
    }
}

/// What there is to write.
enum Found {
    Data {
        contents: String,
        merged: Option<Value>,
    },
    /// Nothing, and why that is fine.
    Done(String),
}

fn data(ctx: &Context<'_>) -> Result<Found, String> {
    let name = ctx.name();
    let meta = ctx.host.stat(name);
    if meta.as_ref().is_some_and(std::fs::Metadata::is_dir) {
        // Salt takes the folder's rights to enter it away, and leaves a file in it.
        return Err(format!("Specified target {name} is a directory"));
    }
    let there = meta.is_some_and(|meta| meta.is_file());
    if !ctx.flag("create", true) && !there {
        let comment = format!("File {name} is not present and is not set for creation");
        return Ok(Found::Done(comment));
    }
    let set = |key: &str| ctx.value(key).is_some_and(truth);
    if set("serializer") && set("formatter") {
        return Err("Only one of serializer and formatter are allowed".to_owned());
    }
    if set("dataset") && set("dataset_pillar") {
        return Err("Only one of 'dataset' and 'dataset_pillar' is permitted".to_owned());
    }
    let pillar = || {
        let path = ctx.text("dataset_pillar").unwrap_or_default();
        traverse(&ctx.view().pillar, &path, ":").cloned().unwrap_or_else(|| "".into())
    };
    let dataset =
        if set("dataset_pillar") { Some(pillar()) } else { ctx.value("dataset").cloned() };
    let dataset = dataset.filter(|dataset| !dataset.is_null());
    let mut dataset = dataset.ok_or("Neither 'dataset' nor 'dataset_pillar' was defined")?;
    let format = Format::of(ctx.chunk)?;
    let options = Options::of(ctx.chunk, format);
    let mut merged = None;
    if ctx.flag("merge_if_exists", false) && there {
        let text = std::fs::read(ctx.host.followed(name)).map_err(|error| error.to_string())?;
        let text = String::from_utf8(text).map_err(|_| format!("{name} is not UTF-8"))?;
        let read = Format::unread_option(ctx.chunk).map_or_else(|| format.read(&text), Err);
        let old = read.map_err(|error| format!("Failed to deserialize existing data: {error}"))?;
        if !old.is_null() {
            let new = merge::merged(&old, &dataset)?;
            if new == old {
                return Ok(Found::Done(format!("The file {name} is in the correct state")));
            }
            if old.is_object() && new.is_object() {
                merged = Some(merge::differences(&old, &new));
            }
            dataset = new;
        }
    }
    if let Some(problem) = format.unknown_option(ctx.chunk) {
        return Err(problem);
    }
    let contents = format!("{}\n", format.write(&dataset, &options)?);
    Ok(Found::Data { contents, merged })
}

fn planned(ctx: &Context<'_>, contents: String, merged: Option<Value>) -> Plan<Step> {
    let name = ctx.name();
    let perms = match Perms::with_unmet(ctx, true) {
        Ok(perms) => perms,
        Err(problem) => return Plan::failed(problem),
    };
    let contents = match managed::encoded(ctx, contents.into_bytes()) {
        Ok(contents) => contents,
        Err(problem) => return Plan::failed(problem),
    };
    let whole = diff::between(b"", &contents, ctx.flag("show_changes", true));
    let meta = ctx.host.stat(name);
    match managed::planned(ctx, managed::Step::of(perms, contents), meta.as_ref()) {
        Plan::Done(mut outcome) => {
            if outcome.result.is_none() {
                outcome.comment = format!("Dataset will be serialized and stored into {name}");
            }
            told(&mut outcome.changes, merged);
            Plan::Done(outcome)
        }
        Plan::Change { mut foreseen, step } => {
            foreseen.comment = format!("Dataset will be serialized and stored into {name}");
            if !ctx.flag("show_changes", true) {
                foreseen.changes.insert("diff".to_owned(), HIDDEN.into());
            }
            // What was refused is told with all of it, also of a new file.
            let mut changes = foreseen.changes.clone();
            if changes.remove("newfile").is_some() {
                changes.insert("diff".to_owned(), whole.into());
            }
            told(&mut foreseen.changes, merged.clone());
            Plan::Change { foreseen, step: Step { managed: step, foreseen: changes, merged } }
        }
    }
}

/// In place of a text's diff stands how the data differs.
fn told(changes: &mut Changes, merged: Option<Value>) {
    if let Some(merged) = merged {
        changes.insert("diff".to_owned(), merged);
    }
}
