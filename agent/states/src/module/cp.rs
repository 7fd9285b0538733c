//! cp: what the state tree holds.

use minijinja::Error;
use minijinja::value::Value;

use super::{Call, Function, reads};
use crate::render::python::{from_json, list};
use crate::render::read_text;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("cp.get_file_str", "path saltenv=", |call| {
        let found = read_text(&call.scope.tree, &address(&call.text("path")))?;
        Ok(found.map_or_else(|| Value::from(false), Value::from))
    }),
    reads("cp.list_master", "saltenv= prefix=", |call| {
        let prefix = call.text("prefix");
        let files = call.scope.tree.paths().filter(|path| path.starts_with(&prefix));
        Ok(list(files.map(Value::from).collect()))
    }),
    reads("cp.list_master_dirs", "saltenv= prefix=", |call| {
        let prefix = call.text("prefix");
        let mut all: Vec<&str> = call.scope.tree.paths().flat_map(folders).collect();
        all.sort_unstable();
        all.dedup();
        let kept = all.into_iter().filter(|path| path.starts_with(&prefix));
        Ok(list(kept.map(Value::from).collect()))
    }),
    reads("cp.list_states", "saltenv=", |call| {
        let mut names = crate::sls::names(&call.scope.tree);
        names.sort();
        Ok(list(names.into_iter().map(Value::from).collect()))
    }),
    reads("cp.hash_file", "path saltenv=", hash_file),
    reads("cp.stat_file", "path saltenv= octal=", stat_file),
    reads("cp.envs", "", |_| Ok(list(vec![Value::from("base")]))),
];

/// A path of the tree from an address: `salt://a/b?saltenv=base` is `a/b`.
fn address(path: &str) -> String {
    let path = path.strip_prefix("salt://").unwrap_or(path);
    path.split("?saltenv=").next().unwrap_or(path).to_owned()
}

/// The folders that a file lies in.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// Whether the tree has a folder.
pub(super) fn has_folder(call: &Call<'_>, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    call.scope.tree.paths().any(|file| folders(file).any(|folder| folder == path))
}

fn hash_file(call: &Call<'_>) -> Result<Value, Error> {
    let path = address(&call.text("path"));
    let Some(data) = call.scope.tree.read(&path) else {
        return Ok(Value::from(""));
    };
    let data = data.map_err(|error| call.fail(format!("cannot read {path}: {error}")))?;
    let sum = crate::hash::digest("sha256", &data).unwrap_or_default();
    Ok(from_json(&serde_json::json!({"hash_type": "sha256", "hsum": sum})))
}

fn stat_file(call: &Call<'_>) -> Result<Value, Error> {
    let Some(mode) = call.scope.tree.mode(&address(&call.text("path"))) else {
        return Ok(Value::from(()));
    };
    let octal = format!("{mode:04o}");
    Ok(if call.flag("octal", true) { Value::from(octal) } else { Value::from(mode) })
}
