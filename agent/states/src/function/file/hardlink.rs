//! `file.hardlink`: another name for a file.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;

use super::perms::{self, Perms};
use super::{not_absolute, parent};
use crate::backup::keep;
use crate::function::{Context, Plan, StateFunction};
use crate::host::files::{Access, TEMPORARY, make_folders};
use crate::outcome::{Changes, Outcome, change};

pub(in crate::function) struct Hardlink;

impl StateFunction for Hardlink {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "hardlink";
    const TAKES: &'static [&'static str] =
        &["target", "force", "makedirs", "user", "owner", "group", "dir_mode"];
    const NEEDS: &'static [&'static str] = &["target"];
    type Step = Perms;

    fn check(ctx: &Context<'_>) -> Plan<Perms> {
        let perms = match preflight(ctx) {
            Ok(perms) => perms,
            Err(problem) => return Plan::failed(problem),
        };
        if ctx.test { foreseen(ctx, perms) } else { wanted(ctx, perms) }
    }

    fn apply(ctx: &Context<'_>, perms: Perms) -> Outcome {
        let (name, target) = (ctx.name(), ctx.text("target").unwrap_or_default());
        match link(ctx, &target, &perms) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::failed(format!(
                "Unable to create new hard link {name} -> {target}: {error}"
            )),
        }
    }
}

/// Whose folders are made, or all that is wrong with the arguments.
fn preflight(ctx: &Context<'_>) -> Result<Perms, String> {
    let (name, target) = (ctx.name(), ctx.text("target").unwrap_or_default());
    let (perms, mut problems) = perms::default_owner(ctx);
    problems.extend(not_absolute(name));
    if !target.starts_with('/') {
        problems.push(format!("Specified target {target} is not an absolute path"));
    }
    match problems.as_slice() {
        [] => Ok(Perms { mode: ctx.mode("dir_mode")?, ..perms }),
        [one] => Err(one.clone()),
        many => Err(format!("{}.", many.join(". "))),
    }
}

fn is_dir(ctx: &Context<'_>, path: &str) -> bool {
    ctx.host.stat(path).is_some_and(|meta| meta.is_dir())
}

/// Salt's `is_hardlink`: what has more names than one, a link too.
fn is_hardlink(meta: Option<&Metadata>) -> bool {
    meta.is_some_and(|meta| meta.nlink() > 1)
}

fn same(ctx: &Context<'_>, name: &str, target: &str) -> bool {
    let (one, other) = (ctx.host.lstat(name), ctx.host.lstat(target));
    one.zip(other).is_some_and(|(one, other)| one.ino() == other.ino())
}

fn foreseen(ctx: &Context<'_>, perms: Perms) -> Plan<Perms> {
    let (name, target) = (ctx.name(), ctx.text("target").unwrap_or_default());
    if ctx.host.stat(&target).is_none() {
        return Plan::failed(format!("Target {target} for hard link does not exist"));
    }
    if is_dir(ctx, &target) {
        return Plan::failed(format!("Unable to hard link from directory {target}"));
    }
    if is_dir(ctx, name) {
        return Plan::failed(format!("Unable to hard link to directory {name}"));
    }
    if ctx.host.stat(name).is_none() {
        let comment = format!("Hard link {name} to {target} is set for creation");
        return Plan::change(comment, change("new", name), perms);
    }
    if is_hardlink(ctx.host.lstat(name).as_ref()) {
        if same(ctx, name, &target) {
            let comment = format!("The hard link {name} is presently targetting {target}");
            return Plan::fine(comment);
        }
        let comment = format!("Link {name} target is set to be changed to {target}");
        return Plan::change(comment, change("change", name), perms);
    }
    if ctx.flag("force", false) {
        let comment = format!(
            "The file or directory {name} is set for removal to make way for a new hard link \
             targeting {target}"
        );
        return Plan::change(comment, Changes::new(), perms);
    }
    Plan::failed(format!(
        "File or directory exists where the hard link {name} should be. Did you mean to use force?"
    ))
}

fn wanted(ctx: &Context<'_>, perms: Perms) -> Plan<Perms> {
    let (name, target) = (ctx.name(), ctx.text("target").unwrap_or_default());
    for (direction, path) in [("to", name), ("from", target.as_str())] {
        if is_dir(ctx, path) {
            return Plan::failed(format!("Unable to hard link {direction} directory {path}"));
        }
    }
    if ctx.host.stat(&target).is_none() {
        return Plan::failed(format!("Target {target} for hard link does not exist"));
    }
    if !is_dir(ctx, parent(name)) && !ctx.flag("makedirs", false) {
        let folder = parent(name);
        return Plan::failed(format!("Directory {folder} for hard link is not present"));
    }
    let linked = is_hardlink(ctx.host.lstat(name).as_ref());
    if linked && same(ctx, name, &target) {
        let comment = format!("Target of hard link {name} is already pointing to {target}");
        return Plan::fine(comment);
    }
    let there = ctx.host.stat(name).is_some_and(|meta| meta.is_file());
    if there && !linked && !ctx.flag("force", false) {
        return Plan::failed(format!("File exists where the hard link {name} should be"));
    }
    // A link that leads nowhere is no file to Salt, and in the way all the same.
    if !linked && !there && ctx.host.lstat(name).is_some() {
        return Plan::failed(format!(
            "Unable to create new hard link {name} -> {target}: Could not create '{name}': \
             [Errno 17] File exists: '{target}' -> '{name}'"
        ));
    }
    Plan::change("", Changes::new(), perms)
}

/// Made beside it and renamed over it: the name is never gone.
fn link(ctx: &Context<'_>, target: &str, perms: &Perms) -> std::io::Result<Outcome> {
    let name = ctx.name();
    let path = ctx.host.path(name);
    if !is_dir(ctx, parent(name)) {
        let access: Access = perms.access(ctx.host);
        make_folders(&ctx.host.followed(parent(name)), access)?;
    }
    let there = ctx.host.lstat(name);
    let mut changes = Changes::new();
    let linked = is_hardlink(there.as_ref());
    if there.is_some() && !linked {
        let told = "File for hard link was forcibly replaced";
        changes.insert("forced".to_owned(), told.into());
    }
    let folder = path.parent().unwrap_or(&path);
    ctx.host.makes_temp_in(folder);
    let holder = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(folder)?;
    let temp = holder.path().join("link");
    // The target itself, as Python links it: a link stays one.
    fs::hard_link(ctx.host.path(target), &temp)?;
    keep(&path);
    fs::rename(&temp, &path)?;
    ctx.host.renamed_in(folder)?;
    changes.insert("new".to_owned(), name.into());
    let comment = if linked {
        format!("Set target of hard link {name} -> {target}")
    } else {
        format!("Created new hard link {name} -> {target}")
    };
    Ok(Outcome::changed(comment, changes))
}
