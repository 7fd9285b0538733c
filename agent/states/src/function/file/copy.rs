//! `file.copy`: a file or folder of the host, copied.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown, symlink};
use std::path::Path;

use super::perms::{self, Perms};
use super::{not_absolute, parent};
use crate::function::{Context, Plan, StateFunction};
use crate::hash::same_contents;
use crate::host::files::{Access, copy_file, make_folders, remove};
use crate::outcome::{Outcome, change};

pub(in crate::function) struct Copy;

/// Where it goes, and whose it becomes.
pub(in crate::function) struct Step {
    to: String,
    perms: Perms,
    comment: String,
}

impl StateFunction for Copy {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "copy";
    const TAKES: &'static [&'static str] = &[
        "source", "force", "makedirs", "preserve", "user", "owner", "group", "mode", "dir_mode",
        "subdir",
    ];
    const NEEDS: &'static [&'static str] = &["source"];
    type Step = Step;

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let (mut to, source) = (ctx.name().to_owned(), ctx.text("source").unwrap_or_default());
        if let Some(problem) = not_absolute(&to) {
            return Plan::failed(problem);
        }
        let Some(meta) = ctx.host.stat(&source) else {
            return Plan::failed(format!("Source file \"{source}\" is not present"));
        };
        let perms = match wanted(ctx, &meta) {
            Ok(perms) => perms,
            Err(problem) => return Plan::failed(problem),
        };
        if ctx.flag("subdir", false) && ctx.host.stat(&to).is_some_and(|meta| meta.is_dir()) {
            let last = source.rsplit('/').next().unwrap_or_default();
            to = format!("{}/{last}", to.trim_end_matches('/'));
        }
        let mut comment = format!("Copied \"{source}\" to \"{}\"", ctx.name());
        if ctx.host.lstat(&to).is_some() {
            if !ctx.flag("force", false) {
                return Plan::fine(format!(
                    "The target file \"{to}\" exists and will not be overwritten"
                ));
            }
            let file = ctx.host.stat(&to).is_some_and(|meta| meta.is_file());
            if file && meta.is_dir() {
                // Salt would compare the two, and fails at reading a folder.
                return Plan::failed(format!("[Errno 21] Is a directory: '{source}'"));
            }
            let same = ctx.host.stat(&to).is_some_and(|meta| meta.is_file())
                && same_contents(&ctx.host.followed(&to), &ctx.host.followed(&source));
            if same {
                comment.push_str(" - files are identical but force flag is set");
            }
        }
        let foreseen = format!("File \"{source}\" is set to be copied to \"{to}\"");
        Plan::change(foreseen, Default::default(), Step { to, perms, comment })
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let (to, source) = (&step.to, ctx.text("source").unwrap_or_default());
        let folder = parent(to);
        if !ctx.host.stat(folder).is_some_and(|meta| meta.is_dir()) {
            if !ctx.flag("makedirs", false) {
                return Outcome::failed(format!("The target directory {folder} is not present"));
            }
            if let Err(problem) = make_parent(ctx, &step) {
                return Outcome::failed(problem);
            }
        }
        match copied(ctx, &source, &step) {
            Ok(outcome) => outcome,
            Err(error) => {
                Outcome::failed(format!("Failed to copy \"{source}\" to \"{to}\": {error}"))
            }
        }
    }
}

/// Owner and mode: those of the source, or those asked for.
fn wanted(ctx: &Context<'_>, source: &fs::Metadata) -> Result<Perms, String> {
    if ctx.flag("preserve", false) {
        let accounts = ctx.host.accounts();
        return Ok(Perms {
            user: Some(accounts.user_name(source.uid())),
            group: Some(accounts.group_name(source.gid())),
            mode: Some(source.mode() & 0o7777),
        });
    }
    let perms = perms::with_default_owner(ctx, "mode")?;
    Ok(Perms { mode: perms.mode.or(Some(source.mode() & 0o7777)), ..perms })
}

fn make_parent(ctx: &Context<'_>, step: &Step) -> Result<(), String> {
    let mode = match ctx.mode("dir_mode")? {
        Some(mode) => Some(mode),
        None => step.perms.mode.map(perms::searchable),
    };
    let access = Access { mode, ..step.perms.access(ctx.host) };
    make_folders(&ctx.host.followed(parent(&step.to)), access)
        .map_err(|error| format!("Failed to create directory {}: {error}", parent(&step.to)))
}

fn copied(ctx: &Context<'_>, source: &str, step: &Step) -> io::Result<Outcome> {
    let (from, place) = (ctx.host.followed(source), ctx.host.path(&step.to));
    let access = step.perms.access(ctx.host);
    let meta = fs::metadata(&from)?;
    if fs::symlink_metadata(&place).is_ok_and(|there| there.is_dir() || meta.is_dir()) {
        remove(&place)?;
    }
    if meta.is_dir() {
        copy_tree(ctx, &from, &place, access)?;
    } else {
        copy_file(
            ctx.host,
            &from,
            &place,
            Access { mode: Some(meta.mode() & 0o7777), ..Access::default() },
        )?;
    }
    let mut changes = change(step.to.as_str(), source);
    if !ctx.flag("preserve", false) {
        changes.extend(step.perms.set(ctx.host, &step.to, false)?);
    }
    Ok(Outcome::changed(step.comment.clone(), changes))
}

/// Copies a folder with all below it; links stay links.
fn copy_tree(ctx: &Context<'_>, from: &Path, to: &Path, owner: Access) -> io::Result<()> {
    let make = |from: &Path, to: &Path| -> io::Result<()> {
        fs::create_dir(to)?;
        fs::set_permissions(to, fs::metadata(from)?.permissions())
    };
    make(from, to)?;
    for path in crate::host::files::below(from)? {
        let place = to.join(path.strip_prefix(from).unwrap_or(&path));
        let meta = fs::symlink_metadata(&path)?;
        if meta.is_dir() {
            make(&path, &place)?;
        } else if meta.is_symlink() {
            symlink(fs::read_link(&path)?, &place)?;
        } else {
            copy_file(
                ctx.host,
                &path,
                &place,
                Access { mode: Some(meta.mode() & 0o7777), ..Access::default() },
            )?;
        }
        lchown(&place, owner.uid, owner.gid)?;
        if !meta.is_symlink() {
            // A change of owner clears setuid and setgid.
            fs::set_permissions(&place, meta.permissions())?;
        }
    }
    Ok(())
}
