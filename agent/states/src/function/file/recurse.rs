//! `file.recurse`: a folder of the state tree, copied whole.

mod listing;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::directory::{Directory, Keep, remove_others};
use super::managed::{Managed, doubt_backup};
use super::perms::Perms;
use super::symlink::Symlink;
use super::{WINDOWS, not_absolute, source};
use crate::chunk::{Args, Chunk};
use crate::function::{Context, Lint, Plan, StateFunction, run};
use crate::host::files::{make_folders, remove};
use crate::outcome::{Changes, Outcome, change};
use listing::Listing;

pub(in crate::function) struct Recurse;

/// What to make, as chunks of other functions.
pub(in crate::function) struct Step {
    parts: Vec<Part>,
    keep: Vec<String>,
    perms: Perms,
}

enum Part {
    Folder(Chunk),
    File(Chunk),
    Link(Chunk),
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
        "mode",
        "dir_mode",
        "file_mode",
        "sym_mode",
        "template",
        "context",
        "replace",
        "defaults",
        "include_empty",
        "include_pat",
        "exclude_pat",
        "maxdepth",
        "keep_symlinks",
        "force_symlinks",
        "merge",
        "backup",
        "show_changes",
    ];
    const NEEDS: &'static [&'static str] = &["source"];
    const TOLERATES: &'static [&'static str] =
        &["keep_source", "skip_verify", WINDOWS[0], WINDOWS[1], WINDOWS[2], WINDOWS[3]];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        source::lint(chunk)
    }

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        let mut out = source::doubt(chunk);
        out.extend(doubt_backup(chunk));
        out
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let step = match prepared(ctx) {
            Ok(step) => step,
            Err(problem) => return Plan::failed(problem),
        };
        let foreseen = together(&Context { test: true, ..*ctx }, &step);
        // What a dry run fails at keeps no other file from being written.
        let done = if ctx.test {
            foreseen.result.is_some()
        } else {
            foreseen.result == Some(true) && foreseen.changes.is_empty() && is_dir(ctx)
        };
        if done { Plan::Done(foreseen) } else { Plan::Change { foreseen, step } }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let name = ctx.name();
        if !is_dir(ctx) {
            let made = make_folders(&ctx.host.followed(name), step.perms.access(ctx.host));
            if let Err(error) = made {
                return Outcome::failed(format!("Failed to create directory {name}: {error}"));
            }
        }
        together(ctx, &step)
    }
}

fn is_dir(ctx: &Context<'_>) -> bool {
    ctx.host.stat(ctx.name()).is_some_and(|meta| meta.is_dir())
}

/// The files that a state makes, which are not cleaned out of a folder above.
pub(super) fn kept(ctx: &Context<'_>) -> BTreeSet<String> {
    let listing = source_folders(ctx).and_then(|folders| Listing::of(ctx, &folders));
    listing.map(|listing| listing.keep).unwrap_or_default()
}

fn prepared(ctx: &Context<'_>) -> Result<Step, String> {
    let name = ctx.name();
    if ctx.chunk.args.contains_key("mode") {
        return Err("'mode' is not allowed in 'file.recurse'. Please use 'file_mode' and \
                    'dir_mode'."
            .to_owned());
    }
    let perms = Perms::of(ctx, "dir_mode")?;
    if let Some(problem) = not_absolute(name) {
        return Err(problem);
    }
    for key in ["keep_symlinks", "include_empty"] {
        if ctx.flag(key, false) && !ctx.tree().is_whole() {
            return Err(format!(
                "'{key}' has no effect in a tree that a controller sends: links and empty folders \
                 do not come with it; use file.symlink or file.directory"
            ));
        }
    }
    let folders = source_folders(ctx)?;
    if ctx.host.stat(name).is_some_and(|meta| !meta.is_dir()) {
        return Err(format!("The path {name} exists and is not a directory"));
    }
    let listing = Listing::of(ctx, &folders)?;
    let folders = listing.folders.iter().map(|path| Part::Folder(folder_chunk(ctx, path)));
    let files = listing.files.iter();
    let files = files.map(|(path, source)| Part::File(file_chunk(ctx, path, source)));
    let links = in_order(&listing.links).into_iter();
    let links = links.map(|(path, target)| Part::Link(link_chunk(ctx, path, target)));
    let parts = folders.chain(files).chain(links).collect();
    Ok(Step { parts, keep: listing.keep.into_iter().collect(), perms })
}

/// The sources that are folders of the tree, with the environment of each.
fn source_folders(ctx: &Context<'_>) -> Result<Vec<(String, String)>, String> {
    let sources: Vec<String> =
        ctx.list("source").iter().map(|source| source.trim_end_matches('/').to_owned()).collect();
    if let Some(other) = sources.iter().find(|source| !source.starts_with("salt://")) {
        return Err(format!("Recurse failed: Invalid source '{other}' (must be a salt:// URI)"));
    }
    let folder = |source: &String| {
        let (path, query) = parts(source);
        let path = path.trim_start_matches(['/', '|']);
        let env = query.split('&').find_map(|pair| pair.strip_prefix("saltenv="));
        let env = env.unwrap_or_else(|| ctx.chunk.saltenv());
        let tree = &ctx.view().renderer(env).scope().tree;
        let there = tree.saltenv() == env && tree.has_folder(path);
        there.then(|| (path.to_owned(), env.to_owned()))
    };
    let found: Vec<_> = sources.iter().filter_map(folder).collect();
    if found.is_empty() {
        return Err("Recurse failed: none of the specified sources were found".to_owned());
    }
    Ok(found)
}

/// Path and query of an address of the tree.
fn parts(source: &str) -> (&str, &str) {
    let address = source.strip_prefix("salt://").unwrap_or(source);
    address.split_once('?').unwrap_or((address, ""))
}

/// Links after those that they lead to; those in a circle last.
fn in_order(links: &BTreeMap<String, String>) -> Vec<(&String, &String)> {
    let mut left: Vec<(&String, &String)> = links.iter().collect();
    let mut out: Vec<(&String, &String)> = Vec::new();
    while !left.is_empty() {
        let waits = |(path, target): &(&String, &String)| {
            let leads = listing::target_of(path, target);
            left.iter().any(|(other, _)| **other == leads)
        };
        let (later, now): (Vec<_>, Vec<_>) = left.iter().copied().partition(waits);
        if now.is_empty() {
            out.extend(later);
            return out;
        }
        out.extend(now);
        left = later;
    }
    out
}

fn part(ctx: &Context<'_>, fun: &str, path: &str, keys: &[&str]) -> Chunk {
    let mut chunk = ctx.chunk.part(("file", fun), path, Args::default());
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
    let keys = [
        "user",
        "owner",
        "group",
        "template",
        "context",
        "defaults",
        "replace",
        "show_changes",
        "backup",
    ];
    let mut chunk = part(ctx, "managed", path, &keys);
    chunk.args.insert("source".to_owned(), Value::from(source));
    if let Some(mode) = ctx.value("file_mode") {
        chunk.args.insert("mode".to_owned(), mode.clone());
    }
    chunk
}

fn link_chunk(ctx: &Context<'_>, path: &str, target: &str) -> Chunk {
    let mut chunk = part(ctx, "symlink", path, &["user", "owner", "group"]);
    chunk.args.insert("target".to_owned(), Value::from(target));
    for (from, to) in [("force_symlinks", "force"), ("sym_mode", "mode")] {
        if let Some(value) = ctx.value(from) {
            chunk.args.insert(to.to_owned(), value.clone());
        }
    }
    chunk
}

/// What came of the parts so far.
struct Told {
    result: Option<bool>,
    changes: Changes,
    comments: Vec<(String, String)>,
}

impl Told {
    /// Adds what came of one path, as Salt does: the worst result counts.
    fn add(&mut self, path: &str, outcome: Outcome) {
        if outcome.result == Some(false) || self.result == Some(true) {
            self.result = outcome.result;
        }
        if outcome.result != Some(true) && !outcome.comment.is_empty() {
            self.comments.push((path.to_owned(), outcome.comment));
        }
        if !outcome.changes.is_empty() {
            self.changes.insert(path.to_owned(), Value::Object(outcome.changes));
        }
    }
}

/// Runs all parts and joins what they say, as Salt does.
fn together(ctx: &Context<'_>, step: &Step) -> Outcome {
    let name = ctx.name();
    let mut told = Told { result: Some(true), changes: Changes::new(), comments: Vec::new() };
    for part in &step.parts {
        if let Some(broken) = one(ctx, part, &mut told) {
            return broken;
        }
    }
    if ctx.flag("clean", false) {
        cleaned(ctx, step, &mut told);
    }
    let Told { result, changes, comments } = told;
    let lines: Vec<String> =
        comments.iter().map(|(path, comment)| format!("\n#### {path} ####\n{comment}")).collect();
    let mut comment = lines.join("\n").trim().to_owned();
    if comment.is_empty() {
        comment = format!("Recursively updated {name}");
    }
    if changes.is_empty() && result == Some(true) {
        comment = format!("The directory {name} is in the correct state");
    }
    Outcome { result, changes, comment, ..Outcome::default() }
}

/// Does one part; a template that cannot be rendered ends a dry run, as in Salt.
fn one(ctx: &Context<'_>, part: &Part, told: &mut Told) -> Option<Outcome> {
    let (Part::Folder(chunk) | Part::File(chunk) | Part::Link(chunk)) = part;
    if ctx.flag("clean", false) {
        match make_way(ctx, part, &chunk.name) {
            Ok(None) => {}
            Ok(Some(outcome)) => {
                told.add(&chunk.name, outcome);
                if ctx.test {
                    return None;
                }
            }
            Err(error) => {
                let problem = format!("Failed to remove {}: {error}", chunk.name);
                told.add(&chunk.name, Outcome::failed(problem));
                return None;
            }
        }
    }
    let inner = Context { chunk, ..*ctx };
    let outcome = match part {
        Part::Folder(_) => run::<Directory>(&inner),
        Part::File(_) => run::<Managed>(&inner),
        Part::Link(_) => run::<Symlink>(&inner),
    };
    let unmanaged = outcome.comment.starts_with("Unable to manage file: ");
    if ctx.test && unmanaged && ctx.value("template").is_some() {
        return Some(Outcome::failed(outcome.comment));
    }
    told.add(&chunk.name, outcome);
    None
}

/// Takes away what is of the wrong kind, if all that does not belong there shall go.
fn make_way(ctx: &Context<'_>, part: &Part, path: &str) -> std::io::Result<Option<Outcome>> {
    let Some(meta) = ctx.host.stat(path) else { return Ok(None) };
    let (dry, done) = match part {
        Part::File(_) if meta.is_dir() && ctx.flag("replace", true) => (
            format!("Replacing directory {path} with a file"),
            "Replaced directory with a new file",
        ),
        Part::Folder(_) if !meta.is_dir() => {
            (format!("Replacing {path} with a directory"), "Replaced file with a directory")
        }
        Part::File(_) | Part::Folder(_) | Part::Link(_) => return Ok(None),
    };
    if ctx.test {
        return Ok(Some(Outcome::foreseen(dry, Changes::new())));
    }
    remove(&ctx.host.path(path))?;
    Ok(Some(Outcome::changed("", change("diff", done))))
}

fn cleaned(ctx: &Context<'_>, step: &Step, told: &mut Told) {
    let name = ctx.name();
    let mut keep = Keep::of(ctx, name);
    for path in &step.keep {
        keep.add(path, name);
    }
    match remove_others(ctx, name, &keep, ctx.test) {
        Ok(removed) if removed.is_empty() => {}
        Ok(removed) if ctx.test => {
            told.result = if told.result == Some(true) { None } else { told.result };
            told.comments.push(("removed".to_owned(), removed.join("\n")));
        }
        Ok(removed) => {
            told.changes.insert("removed".to_owned(), Value::from(removed));
        }
        // A dry run has not made the folder that it would look at.
        Err(_) if ctx.test => {}
        Err(error) => told.add(name, Outcome::failed(error.to_string())),
    }
}
