//! What a folder and its contents should be like, and how they differ.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use super::clean::Keep;
use super::valid;
use crate::function::Context;
use crate::function::args::text;
use crate::function::file::patterns::Patterns;
use crate::function::file::perms::Perms;
use crate::outcome::Changes;

/// What the state wants of the folder and of what is in it.
pub(super) struct Wanted {
    pub(super) dir: Perms,
    /// For folders and files below, when `recurse` asks for it.
    below: Option<(Perms, Perms)>,
    files: bool,
    dirs: bool,
    depth: usize,
    /// What is wrong with `recurse`: told once the folder is there.
    pub(super) fault: Option<String>,
    pub(super) silent: bool,
    pub(super) children_only: bool,
    pub(super) follow: bool,
}

/// The name without a slash at its end.
pub(super) fn name<'a>(ctx: &Context<'a>) -> &'a str {
    match ctx.name().trim_end_matches('/') {
        "" => "/",
        name => name,
    }
}

pub(super) fn wanted(ctx: &Context<'_>) -> Result<Wanted, String> {
    if ctx.value("max_depth").is_some() && ctx.flag("clean", false) {
        return Err("Cannot specify both max_depth and clean".to_owned());
    }
    let dir_key = if ctx.value("dir_mode").is_some() { "dir_mode" } else { "mode" };
    let dir = Perms::of(ctx, dir_key)?;
    valid(ctx.name())?;
    let file_mode = ctx.mode("file_mode")?.or(dir.mode);
    let recurse = ctx.list("recurse");
    let given = ctx.value("recurse").filter(|value| crate::function::args::truth(value));
    if given.is_some_and(|value| !value.is_array()) {
        return Err("\"recurse\" must be formed as a list of strings".to_owned());
    }
    let has = |word: &str| recurse.iter().any(|own| own == word);
    const KNOWN: [&str; 6] = ["user", "group", "mode", "ignore_files", "ignore_dirs", "silent"];
    if recurse.iter().any(|word| !KNOWN.contains(&word.as_str())) {
        return Err("Types for \"recurse\" limited to \"user\", \"group\", \"mode\", \
                    \"ignore_files\", \"ignore_dirs\", \"silent\"."
            .to_owned());
    }
    if has("ignore_files") && has("ignore_dirs") {
        return Err("Must not specify \"recurse\" options \"ignore_files\" and \"ignore_dirs\" \
                    at the same time."
            .to_owned());
    }
    let unowned = |word: &str, own: &Option<String>| {
        (has(word) && own.is_none()).then(|| {
            format!(
                "{word} not specified, but configured as a target for recursive ownership \
                     management"
            )
        })
    };
    let fault = unowned("user", &dir.user).or_else(|| unowned("group", &dir.group));
    let inner = |mode: Option<u32>| Perms {
        user: dir.user.clone().filter(|_| has("user")),
        group: dir.group.clone().filter(|_| has("group")),
        mode: mode.filter(|_| has("mode")),
    };
    let depth = ctx.text("max_depth").and_then(|depth| depth.parse().ok());
    Ok(Wanted {
        below: (!recurse.is_empty()).then(|| (inner(dir.mode), inner(file_mode))),
        dir: dir.clone(),
        files: !has("ignore_files"),
        dirs: !has("ignore_dirs"),
        depth: depth.unwrap_or(usize::MAX),
        fault,
        silent: has("silent"),
        children_only: ctx.flag("children_only", false),
        follow: ctx.flag("follow_symlinks", false),
    })
}

/// What differs, by path: below first, then the folder itself, then what `clean` removes.
pub(super) fn differences(ctx: &Context<'_>, name: &str, wanted: &Wanted) -> io::Result<Changes> {
    let mut changes = Changes::new();
    let Some(meta) = ctx.host.stat(name).filter(fs::Metadata::is_dir) else {
        changes.insert(name.to_owned(), json!({"directory": "new"}));
        return Ok(changes);
    };
    for (path, perms) in children(ctx, name, wanted)? {
        let Some(meta) = seen(ctx, &path, wanted.follow) else { continue };
        let found = perms.differences(ctx.host, &meta);
        if !found.is_empty() {
            changes.insert(path, Value::Object(found));
        }
    }
    if !wanted.children_only {
        // With `recurse`, only what it names counts here; Salt sets the rest with other changes.
        let looked = wanted.below.as_ref().map_or(&wanted.dir, |(dirs, _)| dirs);
        // A link to the folder has an owner of its own.
        let own = ctx.host.lstat(name).filter(|_| !wanted.follow).unwrap_or(meta);
        let found = looked.differences(ctx.host, &own);
        if !found.is_empty() {
            changes.insert(name.to_owned(), Value::Object(found));
        }
    }
    if ctx.flag("clean", false) {
        let keep = Keep::of(ctx, name);
        let patterns = Patterns::of(ctx, false).map_err(io::Error::other)?;
        for path in paths_below(ctx, name)? {
            let relative = path.strip_prefix(name).unwrap_or(&path).trim_start_matches('/');
            if !keep.mentions(&path) && patterns.wants(relative) {
                changes.insert(path, json!({"removed": "Removed due to clean"}));
            }
        }
    }
    Ok(changes)
}

/// What lies below a folder, as paths of the host.
pub(super) fn paths_below(ctx: &Context<'_>, name: &str) -> io::Result<Vec<String>> {
    let root = ctx.host.followed(name);
    let shown = |path: &Path| {
        let relative = path.strip_prefix(&root).unwrap_or(path);
        format!("{}/{}", name.trim_end_matches('/'), relative.display())
    };
    Ok(crate::host::files::below(&root)?.iter().map(|path| shown(path)).collect())
}

/// The paths below that `recurse` means, with what they should be like.
pub(super) fn children(
    ctx: &Context<'_>,
    name: &str,
    wanted: &Wanted,
) -> io::Result<Vec<(String, Perms)>> {
    let Some((dirs, files)) = &wanted.below else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    let mut paths = paths_below(ctx, name)?;
    // A folder's files, then its folders, then what is in them: as Python walks.
    paths.sort_by_cached_key(|path| walked(ctx, name, path));
    for path in paths {
        let relative = path[name.len()..].trim_start_matches('/');
        if relative.matches('/').count() >= wanted.depth {
            continue;
        }
        match is_dir(ctx, &path) {
            true if wanted.dirs => out.push((path, dirs.clone())),
            false if wanted.files => out.push((path, files.clone())),
            _ => {}
        }
    }
    Ok(out)
}

/// Sorts a path below `name`: the folder it is in, then files before folders, then by name.
fn walked(ctx: &Context<'_>, name: &str, path: &str) -> (String, bool, String) {
    let folder = crate::function::file::parent(path);
    (folder[name.len().min(folder.len())..].to_owned(), is_dir(ctx, path), path.to_owned())
}

/// Whether Python's `os.walk` takes it for a folder: also a link to one, which it does not enter.
fn is_dir(ctx: &Context<'_>, path: &str) -> bool {
    ctx.host.stat(path).is_some_and(|meta| meta.is_dir())
}

/// What owner and mode are compared with: a link, or what it leads to.
fn seen(ctx: &Context<'_>, path: &str, follow: bool) -> Option<fs::Metadata> {
    if follow { ctx.host.stat(path) } else { ctx.host.lstat(path) }
}

/// Salt's list of what will change.
pub(super) fn comment<'a>(changes: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let mut out = "The following files will be changed:\n".to_owned();
    for (path, what) in changes {
        for (key, value) in what.as_object().into_iter().flatten() {
            out.push_str(&format!("{path}: {key} - {}\n", text(value)));
        }
    }
    out
}
