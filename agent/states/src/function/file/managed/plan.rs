//! What a file is to become, and what a dry run tells of it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use super::contents::looked_up;
use super::{Contents, Step, ignored, marks};
use crate::function::args::show_mode;
use crate::function::file::diff;
use crate::function::file::perms::Perms;
use crate::function::{Context, Plan};
use crate::outcome::{Changes, Outcome, change};

/// Compares with what is there; `meta` is what the name leads to.
pub(in crate::function::file) fn planned(
    ctx: &Context<'_>,
    step: Step,
    meta: Option<&Metadata>,
) -> Plan<Step> {
    let name = ctx.name();
    let follow = ctx.flag("follow_symlinks", true);
    let asked = !matches!(step.contents, Contents::None) || looked_up(ctx);
    let replacing = ctx.flag("replace", true) && asked;
    let Some(meta) = meta else {
        return if ctx.host.lstat(name).is_some() { dangling(ctx, &step) } else { new(ctx, step) };
    };
    let mut changes = Changes::new();
    let mut quiet = false;
    if replacing {
        let wanted = match &step.contents {
            Contents::Given(data) | Contents::Sourced(Ok(data)) => Some(data),
            Contents::None => None,
            Contents::Sourced(Err(_)) => return Plan::change(to_be_changed(name), changes, step),
        };
        let current = ctx.host.read_of(name, meta).unwrap_or_default();
        let link = !follow && ctx.host.lstat(name).is_some_and(|meta| meta.is_symlink());
        if let Some(wanted) = wanted.filter(|wanted| **wanted != current) {
            let show = ctx.flag("show_changes", true);
            changes.insert("diff".to_owned(), diff::between(&current, wanted, show).into());
            quiet = ignored::nothing_else(ctx, &current, wanted);
        } else if link && matches!(step.contents, Contents::Sourced(_)) {
            changes.insert("diff".to_owned(), Value::from(""));
        }
    }
    changes.extend(step.perms.differences(ctx.host, meta));
    changes.extend(marks::differences(ctx, replacing));
    changes.extend(step.unmet.clone());
    let kept = Step { contents: if replacing { step.contents } else { Contents::None }, ..step };
    let fine = changes.is_empty();
    match (fine, replacing) {
        (true, true) if ctx.test => Plan::fine(format!("The file {name} is in the correct state")),
        (true, true) => Plan::fine(format!("File {name} is in the correct state")),
        (true, false) if ctx.test => Plan::fine(format!("File {name} not updated")),
        (true, false) => {
            Plan::fine(format!("File {name} exists with proper permissions. No changes made."))
        }
        (false, true) => {
            let foreseen = Outcome::foreseen(to_be_changed(name), changes);
            Plan::Change { foreseen: Outcome { skip_req: quiet, ..foreseen }, step: kept }
        }
        (false, false) => Plan::change(permissions_only(ctx, &kept.perms, meta), changes, kept),
    }
}

/// A file that is not there yet.
fn new(ctx: &Context<'_>, step: Step) -> Plan<Step> {
    let name = ctx.name();
    let mut changes = change("newfile", name);
    if ctx.flag("new_file_diff", false)
        && let Contents::Given(data) | Contents::Sourced(Ok(data)) = &step.contents
    {
        let diff = diff::between(b"", data, ctx.flag("show_changes", true));
        changes = if diff.is_empty() { Changes::new() } else { change("diff", diff) };
        if changes.is_empty() && ctx.test {
            return Plan::fine(format!("The file {name} is in the correct state"));
        }
    }
    let foreseen = Outcome::foreseen(to_be_changed(name), changes);
    Plan::Change { foreseen, step }
}

/// A link that leads nowhere is, to Salt, a file that is there and cannot be read.
fn dangling(ctx: &Context<'_>, step: &Step) -> Plan<Step> {
    const MISSING: &str = "No such file or directory";
    let name = ctx.name();
    match &step.contents {
        Contents::Sourced(_) if ctx.test => Plan::failed(format!("[Errno 2] {MISSING}: '{name}'")),
        Contents::Sourced(_) => Plan::failed(format!(
            "Unable to manage file: [Errno 2] {MISSING}: '{}'",
            ctx.host.followed(name).display()
        )),
        Contents::Given(_) if ctx.test => {
            let changes = change("diff", format!("Failed to read {name}: {MISSING}"));
            Plan::Done(Outcome::foreseen(to_be_changed(name), changes))
        }
        Contents::Given(_) if !ctx.flag("follow_symlinks", true) => {
            Plan::failed(format!("Unable to manage file: {MISSING}: '{name}'"))
        }
        Contents::None if ctx.test => {
            Plan::fine(format!("The file {name} is in the correct state"))
        }
        Contents::Given(_) | Contents::None => {
            Plan::fine(format!("File {name} is in the correct state"))
        }
    }
}

fn to_be_changed(name: &str) -> String {
    format!(
        "The file {name} is set to be changed\nNote: No changes made, actual changes may\nbe \
         different due to other states."
    )
}

fn permissions_only(ctx: &Context<'_>, perms: &Perms, meta: &Metadata) -> String {
    let (name, current) = (ctx.name(), meta.mode() & 0o7777);
    match perms.mode.filter(|mode| *mode != current) {
        Some(mode) => format!(
            "File {name} will be updated with permissions {} from its current state of {}",
            show_mode(mode),
            show_mode(current)
        ),
        None => format!("File {name} not updated"),
    }
}
