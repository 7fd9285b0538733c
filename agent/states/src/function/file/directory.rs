//! `file.directory`: a folder, its owner and mode, and what may be in it.

mod clean;
mod plan;

use serde_json::{Value, json};

use super::perms::Perms;
use super::{WINDOWS, not_absolute, parent};
use crate::backup::{keep, keep_all};
use crate::function::{Context, Plan, StateFunction};
use crate::host::files::{make_folders, remove};
use crate::outcome::{Changes, Outcome};

pub(super) use clean::{Keep, remove_others};

pub(in crate::function) struct Directory;

/// What is to be done.
pub(in crate::function) struct Step {
    wanted: plan::Wanted,
    foreseen: Changes,
}

impl StateFunction for Directory {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "directory";
    const TAKES: &'static [&'static str] = &[
        "user",
        "owner",
        "group",
        "recurse",
        "max_depth",
        "dir_mode",
        "file_mode",
        "mode",
        "makedirs",
        "clean",
        "exclude_pat",
        "follow_symlinks",
        "force",
        "backupname",
        "allow_symlink",
        "children_only",
    ];
    const TOLERATES: &'static [&'static str] = WINDOWS;
    type Step = Step;

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let name = plan::name(ctx);
        let wanted = match plan::wanted(ctx) {
            Ok(wanted) => wanted,
            Err(problem) => return Plan::failed(problem),
        };
        let mut changes = Changes::new();
        match in_the_way(ctx, name) {
            Ok(Some((key, value))) => {
                let backed = key == "backup";
                changes.insert(key.to_owned(), Value::from(value));
                if ctx.test && backed {
                    let comment =
                        format!("{name} would be backed up and replaced with a new directory");
                    changes.insert(name.to_owned(), json!({"directory": "new"}));
                    return Plan::change(
                        comment,
                        changes.clone(),
                        Step { wanted, foreseen: changes },
                    );
                }
            }
            Ok(None) => {}
            Err(problem) => return Plan::failed(problem),
        }
        let way = changes.len();
        match plan::differences(ctx, name, &wanted) {
            Ok(found) => changes.extend(found),
            Err(error) => return Plan::failed(format!("Failed to read {name}: {error}")),
        }
        if changes.len() == way {
            let comment = format!("The directory {name} is in the correct state");
            if ctx.test || changes.is_empty() {
                return Plan::Done(Outcome { changes, ..Outcome::fine(comment) });
            }
        }
        let comment = plan::comment(changes.iter());
        Plan::change(comment, changes.clone(), Step { wanted, foreseen: changes })
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let name = plan::name(ctx);
        match make(ctx, name, step) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::failed(format!("Failed to create directory {name}: {error}")),
        }
    }
}

/// What stands where the folder should be, as a dry run tells that it would go.
fn in_the_way(ctx: &Context<'_>, name: &str) -> Result<Option<(&'static str, String)>, String> {
    let Some(meta) = ctx.host.lstat(name) else { return Ok(None) };
    let file = ctx.host.stat(name).is_some_and(|meta| meta.is_file());
    let (force, link) = (ctx.flag("force", false), meta.is_symlink());
    if !(file || (link && (force || !ctx.flag("allow_symlink", true)))) {
        return Ok(None);
    }
    let kind = if file { "File" } else { "Symlink" };
    if let Some(backup) = ctx.text("backupname") {
        if ctx.host.lstat(&backup).is_some() && !force {
            return Err(format!("File exists where the backup target {backup} should go"));
        }
        return Ok(Some(("backup", format!("{name} would be renamed to {backup}"))));
    }
    if force {
        return Ok(Some(("forced", format!("{kind} would be forcibly replaced"))));
    }
    Err(format!("Specified location {name} exists and is a {}", kind.to_lowercase()))
}

fn make(ctx: &Context<'_>, name: &str, step: Step) -> std::io::Result<Outcome> {
    let path = ctx.host.path(name);
    let mut changes = Changes::new();
    if step.foreseen.contains_key("backup")
        && let Some(backup) = ctx.text("backupname")
    {
        let place = ctx.host.path(&backup);
        if place.symlink_metadata().is_ok() {
            remove(&place)?;
        }
        keep_all(&path);
        keep(&place);
        std::fs::rename(&path, place)?;
    } else if let Some(forced) = step.foreseen.get("forced").and_then(Value::as_str) {
        remove(&path)?;
        changes.insert("forced".to_owned(), Value::from(forced.replace("would be", "was")));
    }
    if !ctx.host.stat(name).is_some_and(|meta| meta.is_dir()) {
        return create(ctx, name, &step.wanted.dir, changes);
    }
    changes.extend(step.foreseen);
    if !step.wanted.children_only {
        changes.extend(step.wanted.dir.set(ctx.host, name, step.wanted.follow)?);
    }
    if step.wanted.silent {
        changes = crate::outcome::change("recursion", "Changes silenced");
    }
    for (path, perms) in plan::children(ctx, name, &step.wanted)? {
        // Salt tells the last owner and mode that it set beside those of each path.
        changes.extend(perms.set(ctx.host, &path, step.wanted.follow)?);
    }
    let result = Some(step.wanted.fault.is_none());
    let mut comment = step.wanted.fault.unwrap_or_else(|| {
        let below = if step.wanted.children_only { "/*" } else { "" };
        format!("Directory {name}{below} updated")
    });
    if ctx.flag("clean", false) {
        let removed = remove_others(ctx, name, &Keep::of(ctx, name), false)?;
        if !removed.is_empty() {
            changes.insert("removed".to_owned(), Value::from(removed));
            comment = format!("Files cleaned from directory {name}");
        }
    }
    Ok(Outcome { result, ..Outcome::changed(comment, changes) })
}

fn create(
    ctx: &Context<'_>,
    name: &str,
    perms: &Perms,
    mut changes: Changes,
) -> std::io::Result<Outcome> {
    let access = perms.access(ctx.host);
    if !ctx.host.stat(parent(name)).is_some_and(|meta| meta.is_dir()) {
        if !ctx.flag("makedirs", false) {
            let problem = format!("No directory to create {name} in");
            changes.insert(name.to_owned(), json!({"directory": "new"}));
            return Ok(Outcome { changes, ..Outcome::failed(problem) });
        }
        make_folders(&ctx.host.followed(parent(name)), access)?;
    }
    make_folders(&ctx.host.path(name), access)?;
    changes.insert(name.to_owned(), json!({"directory": "new"}));
    Ok(Outcome::changed("", changes))
}

/// Checks the name as all folder states do.
fn valid(name: &str) -> Result<(), String> {
    not_absolute(name).map_or(Ok(()), Err)
}
