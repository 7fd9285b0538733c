//! `file.cached` and `file.not_cached`: a copy of a source among those that are kept.

use std::fs;
use std::path::Path;

use super::source::{self, Sum};
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::hash;
use crate::host::Host;
use crate::host::files::{Access, make_folders, remove, replace};
use crate::http::redacted;
use crate::outcome::{Changes, Outcome, change};

pub(in crate::function) struct Cached;
pub(in crate::function) struct NotCached;

/// Where copies are kept, by environment and path.
const FOLDER: &str = "/var/cache/muster/files";
/// The algorithm of the digests that changes tell of.
const USUAL: &str = "sha256";

impl StateFunction for Cached {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "cached";
    const TAKES: &'static [&'static str] =
        &["source_hash", "source_hash_name", "skip_verify", "saltenv", "use_etag"];
    const TOLERATES: &'static [&'static str] = &["sig_backend"];
    const REFUSES: &'static [&'static str] =
        &["source_hash_sig", "signed_by_any", "signed_by_all", "keyring", "gnupghome"];
    /// What it must hash to.
    type Step = Option<Sum>;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Option<Sum>> {
        let name = ctx.name();
        let given = ctx.text("source_hash").filter(|given| !given.is_empty());
        let skip = ctx.flag("skip_verify", false);
        let remote = !name.starts_with("salt://") && local(name).is_none();
        if remote && given.is_none() && !skip && !ctx.flag("use_etag", false) {
            return Plan::failed(format!(
                "Unable to verify upstream hash of source file {}, please set source_hash or set \
                 skip_verify or use_etag to True",
                redacted(name)
            ));
        }
        let sum = match given.map(|given| source::sum(ctx, name, &given)).transpose() {
            Ok(sum) => sum,
            Err(problem) => return Plan::failed(problem),
        };
        if ctx.test {
            return Plan::change(foreseen(ctx, sum.as_ref()), Changes::new(), sum);
        }
        if let Some(path) = local(name) {
            return Plan::Done(on_this_machine(ctx, path, sum.as_ref().filter(|_| !skip)));
        }
        Plan::change("", Changes::new(), sum)
    }

    fn apply(ctx: &Context<'_>, sum: Option<Sum>) -> Outcome {
        let name = ctx.name();
        let place = place(ctx);
        let path = ctx.host.path(&place);
        let algorithm = sum.as_ref().map_or(USUAL, |sum| sum.algorithm);
        let before = digest(&path, algorithm);
        let there = sum.as_ref().is_some_and(|sum| before.as_ref() == Some(&sum.digest));
        // What is there as it should be is not fetched again.
        if (!there || name.starts_with("salt://"))
            && let Err(problem) = fetched(ctx, &path)
        {
            return Outcome::failed(problem);
        }
        let now = digest(&path, algorithm);
        let mut changes = Changes::new();
        if before != now {
            let told = serde_json::json!({"old": before, "new": now});
            changes.insert("hash".to_owned(), told);
        }
        let now = now.unwrap_or_default();
        match sum.filter(|_| !ctx.flag("skip_verify", false)) {
            None => Outcome::changed(format!("File is cached to {place}"), changes),
            Some(sum) if sum.digest == now => {
                let comment = format!("File is already cached to {place} with hash {now}");
                Outcome::changed(comment, changes)
            }
            Some(sum) => {
                let problem = format!(
                    "File is cached to {place}, but the hash ({now}) does not match the specified \
                     hash ({})",
                    sum.digest
                );
                Outcome { changes, ..Outcome::failed(problem) }
            }
        }
    }
}

impl StateFunction for NotCached {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "not_cached";
    const TAKES: &'static [&'static str] = &["saltenv"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let name = ctx.name();
        if let Some(path) = local(name) {
            let path = real(ctx, path);
            return Plan::fine(format!("File {path} is a local path, no action taken"));
        }
        if !ctx.host.path(&place(ctx)).is_file() {
            return Plan::fine(format!("{name} is not cached"));
        }
        // Salt looks at no `test` here; a dry run that removes something is none.
        let comment = format!("{} is set for removal", place(ctx));
        Plan::change(comment, change("deleted", true), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let place = place(ctx);
        match remove(&ctx.host.path(&place)) {
            Ok(()) => Outcome::changed(format!("{place} was deleted"), change("deleted", true)),
            Err(error) => Outcome::failed(format!("Failed to delete {place}: {error}")),
        }
    }
}

/// Names that are of no kind that can be fetched.
fn lint(chunk: &Chunk) -> Vec<Lint> {
    let name = &chunk.name;
    let known = name.starts_with("salt://") || local(name).is_some() || crate::http::fetches(name);
    if known {
        return Vec::new();
    }
    let told = format!(
        "the source '{}' is of no supported kind: use salt://, a path, http:// or https://",
        redacted(name)
    );
    vec![("name", told)]
}

/// The path, if the source is one of this machine.
fn local(name: &str) -> Option<&str> {
    match name.split_once("://") {
        Some(("file", path)) => Some(path),
        Some(_) => None,
        None => Some(name),
    }
}

/// A path without links in it.
fn real(ctx: &Context<'_>, path: &str) -> String {
    let place = ctx.host.followed(path);
    let shown = match ctx.host.root() {
        Some(root) => Path::new("/").join(place.strip_prefix(root).unwrap_or(&place)),
        None => place,
    };
    shown.display().to_string()
}

/// Where the copy is kept.
fn place(ctx: &Context<'_>) -> String {
    let env = ctx.text("saltenv").unwrap_or_else(|| crate::tree::BASE.to_owned());
    place_of(ctx.name(), &env)
}

/// Where the copy of an address is kept; the address may name another environment.
pub(crate) fn place_of(name: &str, env: &str) -> String {
    let (address, env) = match name.split_once("?saltenv=") {
        Some((address, env)) if name.starts_with("salt://") => (address, env),
        _ => (name, env),
    };
    let path = address.split_once("://").map_or(address, |(_, path)| path);
    // A login is no part of a name that others can see.
    let path = path.rsplit_once('@').map_or(path, |(_, path)| path);
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != "." && *part != "..");
    let below = parts.collect::<Vec<_>>().join("/");
    if name.starts_with("salt://") {
        format!("{FOLDER}/{env}/{below}")
    } else {
        format!("{FOLDER}/extern/{env}/{below}")
    }
}

/// Keeps a copy that only root may read.
pub(crate) fn keep(host: &Host, path: &Path, data: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        make_folders(folder, Access { mode: Some(0o700), ..Access::default() })?;
    }
    replace(host, path, data, Access { mode: Some(0o600), ..Access::default() })
}

fn digest(path: &Path, algorithm: &str) -> Option<String> {
    hash::digest(algorithm, &fs::read(path).ok()?)
}

fn foreseen(ctx: &Context<'_>, sum: Option<&Sum>) -> String {
    let name = ctx.name();
    let kept = match local(name) {
        Some(_) => None,
        None => digest(&ctx.host.path(&place(ctx)), USUAL),
    };
    match (kept, sum) {
        (None, _) => format!("File will be cached: {name}"),
        (Some(_), None) => format!("No hash found. File will be cached: {name}"),
        (Some(kept), Some(sum)) if kept == sum.digest => format!("File already cached: {name}"),
        (Some(_), Some(_)) => format!("Hashes don't match.\nFile will be cached: {name}"),
    }
}

/// A file of this machine is where it is: only its digest is looked at.
fn on_this_machine(ctx: &Context<'_>, path: &str, sum: Option<&Sum>) -> Outcome {
    let shown = real(ctx, path);
    if ctx.host.stat(path).is_none() {
        return Outcome::failed(format!("File {shown} is not present on the minion"));
    }
    let Some(sum) = sum else {
        return Outcome::fine(format!("File {shown} is present on the minion"));
    };
    let actual = digest(&ctx.host.followed(path), sum.algorithm).unwrap_or_default();
    if actual == sum.digest {
        return Outcome::fine(format!(
            "File {shown} is present on the minion and has hash {actual}"
        ));
    }
    Outcome::failed(format!(
        "File {shown} is present on the minion, but the hash ({actual}) does not match the \
         specified hash ({})",
        sum.digest
    ))
}

fn fetched(ctx: &Context<'_>, path: &Path) -> Result<(), String> {
    let name = ctx.name();
    let none =
        |_| format!("Failed to cache {}, check minion log for more information", redacted(name));
    let found = source::find(ctx, &name.into()).map_err(none)?;
    let data = source::plain(ctx, &found)?;
    keep(ctx.host, path, &data).map_err(|error| error.to_string())
}
