//! `clean`: what is in a folder but of no required state goes.

use std::collections::HashSet;
use std::io;

use serde_json::Value;

use super::plan::paths_below;
use crate::function::Context;
use crate::function::file::parent;
use crate::function::file::patterns::Patterns;
use crate::function::file::recurse;
use crate::host::files::remove;

/// The paths that stay.
pub(crate) struct Keep(HashSet<String>);

impl Keep {
    /// The files that the states required by this one manage below `name`, and their folders.
    pub(crate) fn of(ctx: &Context<'_>, name: &str) -> Keep {
        let mut keep = Keep(HashSet::new());
        for wanted in required(ctx) {
            for chunk in ctx.compiled.chunks() {
                if chunk.state != "file" || (chunk.name != wanted && chunk.id != wanted) {
                    continue;
                }
                let is_dir = ctx.host.stat(&chunk.name).is_some_and(|meta| meta.is_dir());
                // Of a folder that is copied, only what was copied stays.
                if is_dir && chunk.fun == "recurse" {
                    for path in recurse::kept(&Context { chunk, ..*ctx }) {
                        keep.add(&path, name);
                    }
                    continue;
                }
                keep.add(&chunk.name, name);
                if is_dir {
                    for path in paths_below(ctx, &chunk.name).unwrap_or_default() {
                        keep.add(&path, name);
                    }
                }
            }
        }
        keep
    }

    /// Keeps a path and the folders above it, up to `root`.
    pub(crate) fn add(&mut self, path: &str, root: &str) {
        let mut path = path.trim_end_matches('/');
        while path.len() > root.len() && path.starts_with(root) {
            self.0.insert(path.to_owned());
            path = parent(path);
        }
    }

    /// Whether a path stays, or its name is a part of one that does: so Salt's dry run asks.
    pub(crate) fn mentions(&self, path: &str) -> bool {
        self.0.iter().any(|kept| kept.contains(path))
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.0.contains(path)
    }
}

/// The names in `require: - file: x`.
fn required(ctx: &Context<'_>) -> Vec<String> {
    let items = ctx.value("require").and_then(Value::as_array);
    let name = |item: &Value| item.get("file").and_then(Value::as_str).map(str::to_owned);
    items.into_iter().flatten().filter_map(name).collect()
}

/// Removes what is not kept; returns the topmost paths that went, or all that would go, if `dry`.
pub(crate) fn remove_others(
    ctx: &Context<'_>,
    name: &str,
    keep: &Keep,
    dry: bool,
) -> io::Result<Vec<String>> {
    let patterns = Patterns::of(ctx, false).map_err(io::Error::other)?;
    let mut removed: Vec<String> = Vec::new();
    for path in paths_below(ctx, name)? {
        let relative = path.strip_prefix(name).unwrap_or(&path).trim_start_matches('/');
        let gone = !dry && removed.iter().any(|above| path.starts_with(&format!("{above}/")));
        if gone || keep.has(&path) || !patterns.wants(relative) {
            continue;
        }
        if !dry {
            remove(&ctx.host.path(&path))?;
        }
        removed.push(path);
    }
    Ok(removed)
}
