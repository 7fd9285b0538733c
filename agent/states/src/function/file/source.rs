//! Where a file's contents come from: the tree, the host, a web server.

mod read;
mod sum;

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::chunk::Chunk;
use crate::function::args::{text, truth};
use crate::function::{Context, Lint};
use crate::http;
use crate::tree::tidy;

pub(crate) use crate::http::redacted;
pub(crate) use read::{Fetched, Refused, file};
pub(in crate::function) use read::{Sees, read, verify};
pub(in crate::function::file) use read::{
    fetched_text, plain, render_contents, rendered, texts, texts_failed,
};
pub(crate) use sum::{Sum, sum};

/// A source that was found.
pub(crate) enum Source {
    /// A path of the state tree, in one of its environments.
    Tree { path: String, env: String },
    /// A path of the host.
    Local(String),
    /// An http or https address.
    Remote(String),
}

impl Source {
    /// The mode that `keep` copies.
    pub(in crate::function) fn mode(&self, ctx: &Context<'_>) -> Option<u32> {
        match self {
            Source::Tree { path, env } => ctx.view().renderer(env).scope().tree.mode(path),
            Source::Local(path) => ctx.host.stat(path).map(|meta| meta.mode() & 0o7777),
            Source::Remote(_) => None,
        }
    }
}

/// Sources and template engines that this engine does not have.
pub(crate) fn lint(chunk: &Chunk) -> Vec<Lint> {
    let mut out = Vec::new();
    for key in ["source", "sources"] {
        let sources = match chunk.args.get(key) {
            Some(Value::Array(items)) => items.iter().map(entry).collect(),
            Some(Value::Null) | None => Vec::new(),
            Some(one) => vec![entry(one)],
        };
        let unknown = |source: &&String| {
            source.contains("://") && !is_local(source) && !http::fetches(source)
        };
        if let Some(source) = sources.iter().find(unknown) {
            let source = redacted(source);
            let told = format!(
                "the source '{source}' is of no supported kind: use salt://, a path, http:// or \
                 https://"
            );
            out.push((key, told));
        }
    }
    if let Some(engine) = other_engine(chunk).filter(|engine| ENGINES.contains(&engine.as_str())) {
        let told = format!("the template engine '{engine}' is not supported: use jinja");
        out.push(("template", told));
    }
    if chunk.args.get("verify_ssl").is_some_and(|flag| !truth(flag)) {
        let told = "certificates are always checked: remove 'verify_ssl', and install the \
                    authority that the server's certificate is from"
            .to_owned();
        out.push(("verify_ssl", told));
    }
    out
}

/// A template engine that there is not, which Salt tells where it comes to use it.
pub(in crate::function::file) fn doubt(chunk: &Chunk) -> Vec<Lint> {
    let engine = other_engine(chunk).filter(|engine| !ENGINES.contains(&engine.as_str()));
    let told = |engine: String| ("template", no_engine(&engine));
    engine.map(told).into_iter().collect()
}

/// Salt's template engines beside Jinja.
const ENGINES: [&str; 5] = ["cheetah", "genshi", "mako", "py", "wempy"];

/// Salt's words for a template engine that it does not know.
pub(in crate::function::file) fn no_engine(engine: &str) -> String {
    format!("Specified template format {engine} is not supported")
}

fn other_engine(chunk: &Chunk) -> Option<String> {
    let engine = chunk.args.get("template").filter(|engine| truth(engine));
    engine.map(text).filter(|engine| engine != "jinja")
}

fn is_local(source: &str) -> bool {
    ["salt://", "file://", "/"].iter().any(|start| source.starts_with(start))
}

/// A source, or the one that a map names beside its hash.
fn entry(item: &Value) -> String {
    match item {
        Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
        other => text(other),
    }
}

/// The first source that exists, from a text or a list of texts and `{source: hash}`.
pub(in crate::function) fn find(ctx: &Context<'_>, source: &Value) -> Result<Source, String> {
    find_with_hash(ctx, source).map(|(found, _)| found)
}

/// The first source that exists, and its hash: its own, the one in the same place of a list of
/// hashes, or the state's. Salt 3008 ends on sources with hashes of their own, which its function
/// that looks for sources knows, and on lists of hashes.
pub(crate) fn find_with_hash(
    ctx: &Context<'_>,
    source: &Value,
) -> Result<(Source, Option<String>), String> {
    let hash = |at: usize| match ctx.value("source_hash") {
        Some(Value::Array(hashes)) => hashes.get(at).filter(|hash| truth(hash)).map(text),
        shared => shared.filter(|hash| truth(hash)).map(text),
    };
    let items = match source {
        Value::Array(items) => items,
        other => return Ok((one(ctx, &entry(other))?, hash(0))),
    };
    for (at, item) in items.iter().enumerate() {
        let name = entry(item);
        if http::fetches(&name) && !http::exists(&name, ctx.cancel) {
            continue;
        }
        if !is_listed(&name) {
            continue;
        }
        if let Ok(found) = one(ctx, &name) {
            let own = item.get(&name).filter(|hash| truth(hash)).map(text);
            return Ok((found, own.or_else(|| hash(at))));
        }
    }
    Err("none of the specified sources were found".to_owned())
}

/// Whether a list of a tree's files can have this address in it: of several sources Salt takes the
/// first that such a list has, letter by letter.
fn is_listed(source: &str) -> bool {
    let path = source.strip_prefix("salt://").map(|path| path.trim_start_matches(['/', '|']));
    path.is_none_or(|path| matches!(tidy(path), Cow::Borrowed(_)))
}

fn one(ctx: &Context<'_>, source: &str) -> Result<Source, String> {
    if let Some(path) = source.strip_prefix("salt://") {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = path.trim_start_matches(['/', '|']);
        let env = query.split('&').find_map(|pair| pair.strip_prefix("saltenv="));
        let env = env.unwrap_or_else(|| ctx.chunk.saltenv());
        let tree = &ctx.view().renderer(env).scope().tree;
        return if tree.saltenv() == env && tree.has(path) {
            Ok(Source::Tree { path: path.to_owned(), env: env.to_owned() })
        } else {
            let env = ctx.chunk.saltenv();
            Err(format!("Source file {source} not found in saltenv '{env}'"))
        };
    }
    if http::fetches(source) {
        return Ok(Source::Remote(source.to_owned()));
    }
    let path = source.strip_prefix("file://").unwrap_or(source);
    if ctx.host.stat(path).is_some_and(|meta| meta.is_file()) {
        Ok(Source::Local(path.to_owned()))
    } else {
        Err(format!("Local file source {path} does not exist"))
    }
}

/// Salt's refusal of arguments that say the same twice.
pub(super) fn exclusive(ctx: &Context<'_>) -> Result<(), String> {
    let set = |key: &str| ctx.value(key).is_some_and(truth);
    for (one, many) in [("source", "sources"), ("source_hash", "source_hashes")] {
        if set(one) && set(many) {
            return Err(format!("{one} and {many} are mutually exclusive"));
        }
    }
    Ok(())
}
