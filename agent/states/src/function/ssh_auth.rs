//! Salt's `ssh_auth`: keys that may log in as a user.

pub(super) mod keys;
mod manage;

use regex::Regex;
use serde_json::Value;

use super::file::source;
use super::{Context, Function, Lint, Plan, StateFunction};
use crate::chunk::Chunk;
use crate::outcome::{Changes, Outcome, change};
use keys::{Key, Set, Status};

/// This module's functions.
pub(super) const ALL: &[Function] =
    &[Function::of::<Present>(), Function::of::<Absent>(), Function::of::<manage::Manage>()];

const TAKES: &[&str] = &["user", "enc", "comment", "source", "options", "config"];
/// Fingerprints are made for nobody to see.
const TOLERATES: &[&str] = &["fingerprint_hash_type"];
const INVALID: &str = "Invalid public ssh key, most likely has spaces or invalid syntax";
const NOWHERE: &str =
    "Failed to add the ssh key. Is the home directory available, and/or does the key file exist?";

pub(super) struct Present;

impl StateFunction for Present {
    const MODULE: &'static str = "ssh_auth";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] = TAKES;
    const NEEDS: &'static [&'static str] = &["user"];
    const TOLERATES: &'static [&'static str] = TOLERATES;
    type Step = ();

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if ctx.test {
            return foreseen(present(ctx, ctx.name()));
        }
        let (key, user) = (key(ctx, ctx.name()), ctx.text("user").unwrap_or_default());
        if source_of(ctx).is_none() && keys::is_there(ctx, &user, &key) {
            return foreseen(put(Status::Same, &key.key, &key.key, &user));
        }
        go()
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        present(ctx, ctx.name())
    }
}

pub(super) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "ssh_auth";
    const NAME: &'static str = "absent";
    const TAKES: &'static [&'static str] = TAKES;
    const NEEDS: &'static [&'static str] = &["user"];
    const TOLERATES: &'static [&'static str] = TOLERATES;
    type Step = ();

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if ctx.test || is_absent(ctx) { foreseen(absent(ctx, ctx.name())) } else { go() }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        absent(ctx, ctx.name())
    }
}

/// What is done is found out while it is done.
fn go() -> Plan<()> {
    Plan::change("", Changes::new(), ())
}

fn foreseen(told: Outcome) -> Plan<()> {
    Plan::Done(told)
}

fn lint(chunk: &Chunk) -> Vec<Lint> {
    if chunk.args.get("source").is_some_and(super::args::truth) {
        return source::lint(chunk).into_iter().filter(|(key, _)| *key == "source").collect();
    }
    Vec::new()
}

/// A key as a state names it: bare, with a comment, or as a whole line.
fn key(ctx: &Context<'_>, name: &str) -> Key {
    let mut key = Key {
        options: ctx.list("options"),
        enc: ctx.text("enc").unwrap_or_else(|| "ssh-rsa".to_owned()),
        key: String::new(),
        comment: ctx.text("comment").unwrap_or_default(),
    };
    let whole = keys::line_pattern().captures(name);
    let Some(whole) = whole else {
        let mut parts = name.splitn(2, char::is_whitespace);
        parts.next().unwrap_or_default().clone_into(&mut key.key);
        if let Some(comment) = parts.next() {
            comment.trim_start().clone_into(&mut key.comment);
        }
        return key;
    };
    if !whole[1].is_empty() {
        key.options = whole[1].split(',').map(str::to_owned).collect();
    }
    let mut words = whole[2].splitn(3, char::is_whitespace);
    words.next().unwrap_or_default().clone_into(&mut key.enc);
    words.next().unwrap_or_default().clone_into(&mut key.key);
    if let Some(comment) = words.next() {
        comment.clone_into(&mut key.comment);
    }
    key
}

/// The keys of the file that `source` names: `None` if there is no such file.
fn sourced(ctx: &Context<'_>, source: &str) -> Result<Option<Set>, String> {
    let Ok(found) = source::find(ctx, &Value::from(source)) else { return Ok(None) };
    let data = source::read(ctx, &found, source::Sees::File)?;
    let set = Set::parse(&String::from_utf8_lossy(&data));
    if set.is_empty() {
        return Err(format!("No keys detected in {source}. Is file properly formatted?"));
    }
    Ok(Some(set))
}

fn source_of(ctx: &Context<'_>) -> Option<String> {
    ctx.text("source").filter(|source| !source.is_empty())
}

/// Puts a key, or those of a file, into place; in a dry run tells what it would do.
fn present(ctx: &Context<'_>, name: &str) -> Outcome {
    let user = ctx.text("user").unwrap_or_default();
    if let Some(source) = source_of(ctx) {
        return present_from(ctx, name, &user, &source);
    }
    let key = key(ctx, name);
    let shown = key.key.clone();
    if ctx.test {
        return match keys::Keys::of(ctx, &user).and_then(|keys| keys.status(&key)) {
            Err(problem) => Outcome::failed(problem),
            Ok(Status::Same) => Outcome::fine(format!(
                "The authorized host key {shown} is already present for user {user}"
            )),
            Ok(Status::Other) => told(format!("Key {shown} for user {user} is set to be updated")),
            Ok(Status::New) => told(format!("Key {shown} for user {user} is set to be added")),
        };
    }
    match keys::put(ctx, &user, key) {
        Err(problem) => Outcome::failed(problem),
        Ok(status) => put(status, &shown, &shown, &user),
    }
}

fn told(comment: String) -> Outcome {
    Outcome::foreseen(comment, Changes::new())
}

/// What became of a key: `entry` is its name among the changes.
fn put(status: Status, entry: &str, shown: &str, user: &str) -> Outcome {
    let subject = format!("The authorized host key {shown}");
    match status {
        Status::Same => Outcome::fine(format!("{subject} is already present for user {user}")),
        Status::New => {
            Outcome::changed(format!("{subject} for user {user} was added"), change(entry, "New"))
        }
        Status::Other => Outcome::changed(
            format!("{subject} for user {user} was updated"),
            change(entry, "Updated"),
        ),
    }
}

fn present_from(ctx: &Context<'_>, name: &str, user: &str, source: &str) -> Outcome {
    let all = format!("All host keys in file {source} are already present");
    let set = match sourced(ctx, source) {
        Err(problem) => return Outcome::failed(problem),
        Ok(None) if ctx.test => return Outcome::fine(all),
        Ok(None) => {
            let comment = format!("Failed to add the ssh key. Source file {source} is missing");
            return Outcome::failed(comment);
        }
        Ok(Some(set)) => set,
    };
    if ctx.test {
        let mut comment = String::new();
        for key in set.iter() {
            match keys::Keys::of(ctx, user).and_then(|keys| keys.status(key)) {
                Err(problem) => return Outcome::failed(problem),
                Ok(Status::Same) => {}
                Ok(Status::New) => comment.push_str(&format!("Set to add: {}\n", key.key)),
                Ok(Status::Other) => comment.push_str(&format!("Set to update: {}\n", key.key)),
            }
        }
        return if comment.is_empty() { Outcome::fine(all) } else { told(comment) };
    }
    let options = ctx.list("options");
    let mut most = Status::Same;
    for key in set.iter() {
        let mut key = key.clone();
        if !options.is_empty() {
            key.options.clone_from(&options);
        }
        match keys::put(ctx, user, key) {
            Err(problem) if problem == INVALID => {}
            Err(problem) => return Outcome::failed(problem),
            Ok(status) => most = most.max(status),
        }
    }
    put(most, name, name, user)
}

/// Whether there is no such key to take away.
fn is_absent(ctx: &Context<'_>) -> bool {
    let keys = keys::Keys::of(ctx, &ctx.text("user").unwrap_or_default());
    source_of(ctx).is_none() && keys.is_ok_and(|keys| !keys.has(&key(ctx, ctx.name()).key))
}

/// Takes a key, or those of a file, away; in a dry run tells what it would do.
fn absent(ctx: &Context<'_>, name: &str) -> Outcome {
    let user = ctx.text("user").unwrap_or_default();
    let keys = match keys::Keys::of(ctx, &user) {
        Ok(keys) => keys,
        Err(problem) => return Outcome::failed(problem),
    };
    if let Some(source) = source_of(ctx) {
        let set = match sourced(ctx, &source) {
            Err(problem) => return Outcome::failed(problem),
            Ok(set) => set.unwrap_or_default(),
        };
        let there: Vec<&Key> = set.iter().filter(|key| keys.has(&key.key)).collect();
        if ctx.test {
            let all = format!("All host keys in file {source} are already absent");
            let lines = there.iter().map(|key| format!("Set to remove: {}\n", key.key));
            let comment: String = lines.collect();
            return if comment.is_empty() { Outcome::fine(all) } else { told(comment) };
        }
        return match (there.is_empty(), set.is_empty()) {
            (true, true) => Outcome::fine(""),
            (true, false) => Outcome::fine("Key not present"),
            (false, _) => gone(keys.remove(ctx, &there), name),
        };
    }
    let key = key(ctx, name);
    match (keys.has(&key.key), ctx.test) {
        (true, true) => told(format!("Key {} for user {user} is set for removal", key.key)),
        (false, true) => Outcome::fine("Key is already absent"),
        (false, false) => Outcome::fine("Key not present"),
        (true, false) => gone(keys.remove(ctx, &[&key]), &key.key),
    }
}

fn gone(done: std::io::Result<()>, entry: &str) -> Outcome {
    match done {
        Ok(()) => Outcome::changed("Key removed", change(entry, "Removed")),
        Err(error) => {
            tracing::warn!(%error, "cannot write authorized keys");
            Outcome::fine("Key not removed")
        }
    }
}

/// A pattern that is known to be one.
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant")
}
