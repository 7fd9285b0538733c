//! `file.recurse`: a folder of the state tree, copied whole.

use std::collections::BTreeSet;

use serde_json::Value;

use super::directory::{Directory, Keep, remove_others};
use super::managed::Managed;
use super::perms::Perms;
use super::{WINDOWS, not_absolute, patterns, source};
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction, run};
use crate::host::files::make_folders;
use crate::outcome::{Changes, Outcome};

pub(in crate::function) struct Recurse;

/// The folders and files to make, as chunks of `file.directory` and `file.managed`.
pub(in crate::function) struct Step {
    parts: Vec<Part>,
    perms: Perms,
}

enum Part {
    Folder(Chunk),
    File(Chunk),
}

impl StateFunction for Recurse {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "recurse";
    const TAKES: &'static [&'static str] = &[
        "source",
        "clean",
        "user",
        "owner",
        "group",
        "dir_mode",
        "file_mode",
        "template",
        "context",
        "replace",
        "defaults",
        "include_pat",
        "exclude_pat",
        "maxdepth",
        "show_changes",
    ];
    const NEEDS: &'static [&'static str] = &["source"];
    const TOLERATES: &'static [&'static str] =
        &["keep_source", "sym_mode", "include_empty", "win_owner", "win_perms", "skip_verify"];
    const REFUSES: &'static [&'static str] =
        &["keep_symlinks", "force_symlinks", "merge", "backup", "mode", WINDOWS[2]];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        source::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let step = match prepared(ctx) {
            Ok(step) => step,
            Err(problem) => return Plan::failed(problem),
        };
        let foreseen = together(ctx, &step, true);
        match foreseen {
            Outcome { result: Some(_), .. } => Plan::Done(foreseen),
            Outcome { result: None, .. } => Plan::Change { foreseen, step },
        }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let name = ctx.name();
        if !ctx.host.stat(name).is_some_and(|meta| meta.is_dir()) {
            let made = make_folders(&ctx.host.followed(name), step.perms.access(ctx.host));
            if let Err(error) = made {
                return Outcome::failed(format!("Failed to create directory {name}: {error}"));
            }
        }
        together(ctx, &step, false)
    }
}

fn prepared(ctx: &Context<'_>) -> Result<Step, String> {
    let name = ctx.name();
    let perms = Perms::of(ctx, "dir_mode")?;
    if let Some(problem) = not_absolute(name) {
        return Err(problem);
    }
    let folder = source_folder(ctx)?;
    if ctx.host.stat(name).is_some_and(|meta| !meta.is_dir()) {
        return Err(format!("The path {name} exists and is not a directory"));
    }
    let (include, exclude) = (ctx.list("include_pat"), ctx.list("exclude_pat"));
    let depth = ctx.text("maxdepth").and_then(|depth| depth.parse().ok()).unwrap_or(usize::MAX);
    let wanted = |path: &&str| {
        path.matches('/').count() <= depth && patterns::wanted(path, &include, &exclude)
    };
    let files: Vec<&str> = ctx.tree().below(&folder).filter(wanted).collect();
    let base = name.trim_end_matches('/');
    let folders: BTreeSet<String> = files
        .iter()
        .map(|file| match file.rsplit_once('/') {
            Some((folder, _)) => format!("{base}/{folder}"),
            None => base.to_owned(),
        })
        .collect();
    let mut parts: Vec<Part> =
        folders.iter().map(|path| Part::Folder(folder_chunk(ctx, path))).collect();
    parts.extend(files.iter().map(|file| {
        Part::File(file_chunk(ctx, &format!("{base}/{file}"), &format!("salt://{folder}/{file}")))
    }));
    Ok(Step { parts, perms })
}

/// The first source that is a folder of the tree.
fn source_folder(ctx: &Context<'_>) -> Result<String, String> {
    let found = ctx.list("source").into_iter().find_map(|source| {
        let path = source.strip_prefix("salt://")?;
        let path = path.split('?').next().unwrap_or(path).trim_matches('/').to_owned();
        let there = ctx.tree().below(&path).next().is_some();
        there.then_some(path)
    });
    found.ok_or_else(|| "Recurse failed: none of the specified sources were found".to_owned())
}

fn part(ctx: &Context<'_>, fun: &str, path: &str, keys: &[&str]) -> Chunk {
    let mut chunk = Chunk {
        fun: fun.to_owned(),
        name: path.to_owned(),
        args: serde_json::Map::new(),
        ..ctx.chunk.clone()
    };
    for key in keys {
        if let Some(value) = ctx.value(key) {
            chunk.args.insert((*key).to_owned(), value.clone());
        }
    }
    chunk.args.insert("makedirs".to_owned(), Value::from(true));
    chunk
}

fn folder_chunk(ctx: &Context<'_>, path: &str) -> Chunk {
    part(ctx, "directory", path, &["user", "owner", "group", "dir_mode"])
}

fn file_chunk(ctx: &Context<'_>, path: &str, source: &str) -> Chunk {
    let keys =
        ["user", "owner", "group", "template", "context", "defaults", "replace", "show_changes"];
    let mut chunk = part(ctx, "managed", path, &keys);
    chunk.args.insert("source".to_owned(), Value::from(source));
    if let Some(mode) = ctx.value("file_mode") {
        chunk.args.insert("mode".to_owned(), mode.clone());
    }
    chunk
}

/// Runs all parts and joins what they say, as Salt does.
fn together(ctx: &Context<'_>, step: &Step, dry: bool) -> Outcome {
    let name = ctx.name();
    let mut changes = Changes::new();
    let mut result = Some(true);
    let mut comments: Vec<(String, String)> = Vec::new();
    let mut keep = Keep::of(ctx, name);
    for part in &step.parts {
        let (chunk, is_file) = match part {
            Part::Folder(chunk) => (chunk, false),
            Part::File(chunk) => (chunk, true),
        };
        let inner = Context {
            chunk,
            compiled: ctx.compiled,
            host: ctx.host,
            session: ctx.session,
            cancel: ctx.cancel,
            test: dry,
        };
        let outcome = if is_file { run::<Managed>(&inner) } else { run::<Directory>(&inner) };
        keep.add(&chunk.name, name);
        if outcome.result == Some(false) || result == Some(true) {
            result = outcome.result;
        }
        if outcome.result != Some(true) && !outcome.comment.is_empty() {
            comments.push((chunk.name.clone(), outcome.comment));
        }
        if !outcome.changes.is_empty() {
            changes.insert(chunk.name.clone(), Value::Object(outcome.changes));
        }
    }
    if ctx.flag("clean", false) {
        match remove_others(ctx, name, &keep, dry) {
            Ok(removed) if removed.is_empty() => {}
            Ok(removed) if dry => {
                result = if result == Some(true) { None } else { result };
                comments.push(("removed".to_owned(), removed.join("\n")));
            }
            Ok(removed) => {
                changes.insert("removed".to_owned(), Value::from(removed));
            }
            Err(_) if dry => {}
            Err(error) => {
                result = Some(false);
                comments.push((name.to_owned(), error.to_string()));
            }
        }
    }
    let told: Vec<String> =
        comments.iter().map(|(path, comment)| format!("\n#### {path} ####\n{comment}")).collect();
    let mut comment = told.join("\n").trim().to_owned();
    if comment.is_empty() {
        comment = format!("Recursively updated {name}");
    }
    if changes.is_empty() && result == Some(true) {
        comment = format!("The directory {name} is in the correct state");
    }
    Outcome { result, changes, comment, ..Outcome::default() }
}
