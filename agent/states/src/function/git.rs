//! Salt's `git`, by the git command.

mod cli;
mod cloned;
mod config;
mod detached;
mod foresee;
mod fresh;
mod latest;
mod present;
mod remote;
mod update;

use serde_json::Value;

use super::Function;
use super::args::text;
use crate::chunk::Chunk;
use crate::function::Lint;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<latest::Latest>(),
    Function::of::<cloned::Cloned>(),
    Function::of::<detached::Detached>(),
    Function::of::<present::Present>(),
    Function::of::<config::ConfigSet>(),
    Function::of::<config::ConfigUnset>(),
];

/// A target that is no absolute path, and names that git would take for options.
fn lint_paths(chunk: &Chunk) -> Vec<Lint> {
    let mut out = Vec::new();
    let target = chunk.args.get("target").map(text);
    if let Some(target) = target.filter(|target| !target.starts_with('/')) {
        out.push(("target", format!("target '{target}' is not an absolute path")));
    }
    if chunk.name.starts_with('-') {
        out.push(("name", format!("'{}' is not the address of a repository", chunk.name)));
    }
    for key in ["rev", "branch", "remote"] {
        let value = chunk.args.get(key).filter(|value| !value.is_null()).map(text);
        if let Some(value) = value.filter(|value| value.starts_with('-')) {
            out.push((key, format!("'{value}' is not a valid value for the '{key}' argument")));
        }
    }
    if matches!(chunk.args.get("identity"), Some(Value::Bool(_) | Value::Object(_))) {
        out.push(("identity", "identity must be either a list or a string".to_owned()));
    }
    out
}

/// Salt's way of telling several things.
fn sentences(comments: &[String]) -> String {
    let mut out = comments.join(". ");
    if comments.len() > 1 {
        out.push('.');
    }
    out
}

/// The first seven digits of a commit.
fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

/// Whether a revision can be a commit's number.
fn is_hex(rev: &str) -> bool {
    !rev.is_empty() && rev.len() <= 40 && rev.chars().all(|c| c.is_ascii_hexdigit())
}
