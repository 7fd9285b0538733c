//! `file.rename`: a file or folder of the host, moved.

use std::fs;
use std::io;
use std::path::Path;

use super::{not_absolute, parent};
use crate::backup::{keep, keep_all};
use crate::function::{Context, Plan, StateFunction};
use crate::host::files::{Access, copy_file, make_folders, remove};
use crate::outcome::{Outcome, change};

pub(in crate::function) struct Rename;

impl StateFunction for Rename {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "rename";
    const TAKES: &'static [&'static str] = &["source", "force", "makedirs"];
    const NEEDS: &'static [&'static str] = &["source"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let (name, source) = (ctx.name(), ctx.text("source").unwrap_or_default());
        if ctx.value("source").is_none() {
            return Plan::failed("expected str, bytes or os.PathLike object, not NoneType");
        }
        if let Some(problem) = not_absolute(name) {
            return Plan::failed(problem);
        }
        if ctx.host.lstat(&source).is_none() {
            let comment = format!("Source file \"{source}\" has already been moved out of place");
            return Plan::fine(comment);
        }
        if ctx.host.lstat(name).is_some() && !ctx.flag("force", false) {
            return Plan::fine(format!(
                "The target file \"{name}\" exists and will not be overwritten"
            ));
        }
        let foreseen = format!("File \"{source}\" is set to be moved to \"{name}\"");
        Plan::change(foreseen, Default::default(), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let (name, source) = (ctx.name(), ctx.text("source").unwrap_or_default());
        let folder = parent(name);
        if !ctx.host.stat(folder).is_some_and(|meta| meta.is_dir()) {
            if !ctx.flag("makedirs", false) {
                return Outcome::failed(format!("The target directory {folder} is not present"));
            }
            if let Err(error) = make_folders(&ctx.host.followed(folder), Access::default()) {
                return Outcome::failed(format!("Failed to create directory {folder}: {error}"));
            }
        }
        match moved(ctx, &ctx.host.path(&source), &ctx.host.path(name)) {
            Ok(()) => {
                let comment = format!("Moved \"{source}\" to \"{name}\"");
                Outcome::changed(comment, change(name, source))
            }
            Err(error) => {
                // Salt's words name no reason.
                tracing::warn!(source, name, %error, "cannot move a file");
                Outcome::failed(format!("Failed to move \"{source}\" to \"{name}\""))
            }
        }
    }
}

fn moved(ctx: &Context<'_>, from: &Path, to: &Path) -> io::Result<()> {
    // A file is replaced by the rename itself; a folder would be in its way.
    if fs::symlink_metadata(to).is_ok_and(|there| there.is_dir())
        || fs::symlink_metadata(from)?.is_dir() && fs::symlink_metadata(to).is_ok()
    {
        remove(to)?;
    }
    keep_all(from);
    keep(to);
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => carried(ctx, from, to)?,
        other => other?,
    }
    for path in [from, to] {
        ctx.host.renamed_in(path.parent().unwrap_or(path))?;
    }
    Ok(())
}

/// To another filesystem: copied, then removed.
fn carried(ctx: &Context<'_>, from: &Path, to: &Path) -> io::Result<()> {
    let place = |path: &Path| match path.strip_prefix(from) {
        Ok(rest) if !rest.as_os_str().is_empty() => to.join(rest),
        _ => to.to_path_buf(),
    };
    let mut paths = vec![from.to_path_buf()];
    if fs::symlink_metadata(from)?.is_dir() {
        paths.extend(crate::host::files::below(from)?);
    }
    for path in paths {
        let meta = fs::symlink_metadata(&path)?;
        let access = Access::of(&meta);
        if meta.is_dir() {
            fs::create_dir(place(&path))?;
            crate::host::files::set_access(&place(&path), access)?;
        } else if meta.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&path)?, place(&path))?;
            crate::host::files::set_access(&place(&path), access)?;
        } else {
            copy_file(ctx.host, &path, &place(&path), access)?;
        }
    }
    remove(from)
}
