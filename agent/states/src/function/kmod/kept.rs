//! Modules that are loaded at each start: lines of a file.

use serde_json::json;

use super::modules;
use crate::function::fault::Fault;
use crate::function::{Context, part};
use crate::host::files::{Access, replace, rewrite};
use crate::outcome::Outcome;
use crate::regex::{escape, python_regex};

/// systemd's, or Debian's from before.
fn file(ctx: &Context<'_>) -> &'static str {
    match ctx.view().facts.get("systemd") {
        Some(_) => "/etc/modules-load.d/salt_managed.conf",
        None => "/etc/modules",
    }
}

/// The names in the file.
pub(super) fn names(ctx: &Context<'_>) -> Vec<String> {
    let text = ctx.host.read_text(file(ctx)).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

/// Names a module in the file; its name, if it was not there.
pub(super) fn keep(ctx: &Context<'_>, name: &str) -> Result<Option<String>, Fault> {
    let path = file(ctx);
    if ctx.host.stat(path).is_none() {
        replace(ctx.host, &ctx.host.followed(path), b"", Access::default())
            .map_err(|error| Fault::of(&error, path))?;
    }
    let Some(first) = name.split_whitespace().next() else { return Ok(None) };
    let known = modules::available(ctx);
    if names(ctx).iter().any(|own| own == first) || !known.iter().any(|own| own == first) {
        return Ok(None);
    }
    let pattern = escape(name);
    let text = ctx.host.read_text(path).unwrap_or_default();
    let commented = python_regex(&format!("^#[\t ]*{pattern}[\t ]*$"), false, true, false);
    let commented = commented.and_then(|regex| regex.search(&text));
    let told = if commented.map_err(|error| Fault::Raised(error.to_string()))? {
        part(ctx, ("file", "uncomment"), path, &json!({"regex": pattern}))
    } else {
        part(ctx, ("file", "append"), path, &json!({"text": name}))
    };
    done(told, first)
}

/// Takes a module out of the file, or makes its line a comment; its name, if it was there.
pub(super) fn drop(ctx: &Context<'_>, name: &str, comment: bool) -> Result<Option<String>, Fault> {
    let path = file(ctx);
    let Some(first) = name.split_whitespace().next() else { return Ok(None) };
    if !names(ctx).iter().any(|own| own == first) {
        return Ok(None);
    }
    let pattern = format!("^[\t ]*{}[\t ]?", escape(name));
    if comment {
        return done(part(ctx, ("file", "comment"), path, &json!({"regex": pattern})), first);
    }
    cut(ctx, path, &pattern)?;
    Ok(Some(first.to_owned()))
}

fn done(told: Outcome, name: &str) -> Result<Option<String>, Fault> {
    match told.result {
        Some(false) => Err(Fault::Raised(told.comment)),
        _ => Ok(Some(name.to_owned())),
    }
}

/// Takes what a pattern finds out of each line, as `sed -i.bak` does; the lines stay.
fn cut(ctx: &Context<'_>, path: &str, pattern: &str) -> Result<(), Fault> {
    let text = ctx.host.read_text(path).unwrap_or_default();
    let regex = python_regex(pattern, false, true, false);
    let cut = regex.and_then(|regex| regex.replaced(&text, 0, |_| String::new()));
    let (new, _) = cut.map_err(|error| Fault::Raised(error.to_string()))?;
    let place = ctx.host.followed(path);
    rewrite(ctx.host, &place, new.as_bytes()).map_err(|error| Fault::of(&error, path))
}
