//! `file.symlink`: a symbolic link to a target.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use super::{WINDOWS, not_absolute, parent, perms};
use crate::backup::{keep, keep_all};
use crate::function::{Context, Plan, StateFunction};
use crate::host::files::{Access, TEMPORARY, make_folders, remove, set_access};
use crate::outcome::{Changes, Outcome, change};

pub(in crate::function) struct Symlink;

/// Who owns the link: names to show, numbers to set.
pub(in crate::function) struct Owner {
    shown: String,
    uid: u32,
    gid: u32,
}

impl StateFunction for Symlink {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "symlink";
    const TAKES: &'static [&'static str] = &[
        "target",
        "force",
        "makedirs",
        "user",
        "owner",
        "group",
        "mode",
        "atomic",
        "backupname",
        "inherit_user_and_group",
    ];
    const NEEDS: &'static [&'static str] = &["target"];
    const TOLERATES: &'static [&'static str] = &[
        "disallow_copy_and_unlink",
        "follow_symlinks",
        WINDOWS[0],
        WINDOWS[1],
        WINDOWS[2],
        WINDOWS[3],
        WINDOWS[4],
    ];
    type Step = Owner;

    fn check(ctx: &Context<'_>) -> Plan<Owner> {
        let owner = match owner(ctx) {
            Ok(owner) => owner,
            Err(problem) => return Plan::failed(problem),
        };
        let (name, target) = (ctx.name(), ctx.text("target").unwrap_or_default());
        let parented = ctx.host.stat(folder(name)).is_some_and(|meta| meta.is_dir());
        let Some(meta) = ctx.host.lstat(name) else {
            let mut comment = format!("Symlink {name} to {target} is set for creation");
            if !parented {
                comment.push_str(&missing_parent(ctx));
            }
            return Plan::change(comment, change("new", name), owner);
        };
        if meta.is_symlink() {
            return existing(ctx, &target, &meta, owner);
        }
        in_the_way(ctx, &target, &meta, owner)
    }

    fn apply(ctx: &Context<'_>, owner: Owner) -> Outcome {
        let (name, target) = (ctx.name(), ctx.text("target").unwrap_or_default());
        match make(ctx, &target, &owner) {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::warn!(name, target, %error, "cannot make a link");
                Outcome::failed(format!(
                    "Unable to create new symlink {name} -> {target}: Could not create '{name}'"
                ))
            }
        }
    }
}

fn owner(ctx: &Context<'_>) -> Result<Owner, String> {
    if !ctx.test && ctx.value("target").is_some_and(|target| !target.is_string()) {
        return Err("the target must be a text".to_owned());
    }
    let (mut perms, mut problems) = perms::default_owner(ctx);
    let meta = ctx.host.lstat(ctx.name()).filter(fs::Metadata::is_symlink);
    if let Some(meta) = meta.filter(|_| ctx.flag("inherit_user_and_group", false)) {
        let accounts = ctx.host.accounts();
        if ctx.value("user").or(ctx.value("owner")).is_none() {
            perms.user = Some(accounts.user_name(meta.uid()));
        }
        if ctx.value("group").is_none() {
            perms.group = Some(accounts.group_name(meta.gid()));
        }
    }
    problems.extend(not_absolute(ctx.name()));
    let access = perms.access(ctx.host);
    match (access.uid, access.gid, problems.as_slice()) {
        (Some(uid), Some(gid), []) => {
            let shown = [perms.user, perms.group].map(Option::unwrap_or_default).join(":");
            Ok(Owner { shown, uid, gid })
        }
        (_, _, [one]) => Err(one.clone()),
        (_, _, many) => Err(format!("{}.", many.join(". "))),
    }
}

/// Python's `dirname`: that of a name with a slash at its end is the name.
fn folder(name: &str) -> &str {
    name.strip_suffix('/').filter(|own| !own.is_empty()).unwrap_or(parent(name))
}

fn missing_parent(ctx: &Context<'_>) -> String {
    let folder = folder(ctx.name());
    if ctx.flag("makedirs", false) {
        format!("\n{folder} will be created")
    } else {
        format!("\nDirectory {folder} for symlink is not present")
    }
}

/// A link is there: right, to be pointed elsewhere, or to be given to another owner.
fn existing(ctx: &Context<'_>, target: &str, meta: &fs::Metadata, owner: Owner) -> Plan<Owner> {
    let name = ctx.name();
    let current = fs::read_link(ctx.host.path(name)).unwrap_or_default();
    if current.as_os_str() != target {
        let comment = format!("Link {name} target is set to be changed to {target}");
        return Plan::change(comment, change("change", name), owner);
    }
    if (meta.uid(), meta.gid()) == (owner.uid, owner.gid) {
        return Plan::fine(if ctx.test {
            format!("The symlink {name} is present")
        } else {
            format!("Symlink {name} is present and owned by {}", owner.shown)
        });
    }
    let accounts = ctx.host.accounts();
    let old = format!("{}:{}", accounts.user_name(meta.uid()), accounts.group_name(meta.gid()));
    let comment = format!(
        "The symlink {name} is present, but the ownership of the symlink would be changed from \
         {old} \
         to {}",
        owner.shown
    );
    Plan::change(comment, change("ownership", old), owner)
}

/// Something else stands where the link should be.
fn in_the_way(ctx: &Context<'_>, target: &str, meta: &fs::Metadata, owner: Owner) -> Plan<Owner> {
    let name = ctx.name();
    let may = ctx.flag("force", false) || (!ctx.test && ctx.flag("atomic", false));
    if may || (!ctx.test && ctx.value("backupname").is_some()) {
        let comment = format!(
            "The file or directory {name} is set for removal to make way for a new symlink \
             targeting \
             {target}"
        );
        return Plan::change(comment, Changes::new(), owner);
    }
    if ctx.test {
        return Plan::failed(format!(
            "File or directory exists where the symlink {name} should be. Did you mean to use \
             force?"
        ));
    }
    let kind = if meta.is_dir() { "Directory" } else { "File" };
    Plan::failed(format!("{kind} exists where the symlink {name} should be"))
}

fn make(ctx: &Context<'_>, target: &str, owner: &Owner) -> io::Result<Outcome> {
    let name = ctx.name();
    let path = ctx.host.path(name);
    let access = Access { uid: Some(owner.uid), gid: Some(owner.gid), mode: None };
    if !ctx.host.stat(folder(name)).is_some_and(|meta| meta.is_dir()) {
        if !ctx.flag("makedirs", false) {
            return Ok(Outcome::failed(missing_parent(ctx).trim_start()));
        }
        let mode = ctx.mode("mode").map_err(io::Error::other)?;
        make_folders(&ctx.host.followed(parent(name)), Access { mode, ..access })?;
    }
    if let Ok(meta) = fs::symlink_metadata(&path) {
        if meta.is_symlink() && fs::read_link(&path)?.as_os_str() == target {
            set_access(&path, access)?;
            let comment = format!("Set ownership of symlink {name} to {}", owner.shown);
            return Ok(Outcome::changed(comment, change("ownership", owner.shown.as_str())));
        }
        if !meta.is_symlink()
            && let Some(problem) = set_aside(ctx, &path)?
        {
            return Ok(Outcome::failed(problem));
        }
        if meta.is_dir() && path.symlink_metadata().is_ok() {
            // Salt takes no folder away for a link: what is in it could be anything.
            let name = ctx.name();
            let problem = if ctx.flag("atomic", false) {
                format!("Could not create '{name}'")
            } else {
                format!("[Errno 21] Is a directory: '{name}'")
            };
            let told = format!("Unable to create new symlink {name} -> {target}: {problem}");
            return Ok(Outcome::failed(told));
        }
    }
    // Made beside it and renamed over it: the name never leads nowhere.
    let folder = path.parent().unwrap_or(&path);
    ctx.host.makes_temp_in(folder);
    let holder = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(folder)?;
    let temp = holder.path().join("link");
    std::os::unix::fs::symlink(target, &temp)?;
    set_access(&temp, access)?;
    keep(&path);
    fs::rename(&temp, &path)?;
    Ok(Outcome::changed(format!("Created new symlink {name} -> {target}"), change("new", name)))
}

/// Moves what stands in the way to `backupname`, if there is one.
fn set_aside(ctx: &Context<'_>, path: &std::path::Path) -> io::Result<Option<String>> {
    let Some(backup) = ctx.text("backupname") else { return Ok(None) };
    let backup = if backup.starts_with('/') {
        backup
    } else if !backup.contains('/') {
        format!("{}/{backup}", parent(ctx.name()))
    } else {
        let problem = format!("Backupname must be an absolute path or a file name: {backup}");
        return Ok(Some(problem));
    };
    let place = ctx.host.path(&backup);
    if fs::symlink_metadata(&place).is_ok() {
        if !ctx.flag("force", false) {
            return Ok(Some(format!(
                "Symlink & backup dest exists and Force not set. {} -> {} - backup: {backup}",
                ctx.name(),
                ctx.text("target").unwrap_or_default()
            )));
        }
        remove(&place)?;
    }
    keep_all(path);
    keep(&place);
    fs::rename(path, place)?;
    Ok(None)
}
