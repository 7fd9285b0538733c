//! What is sure to fail as soon as it runs: Salt tells it only then.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::chunk::Chunk;
use crate::error::{At, Error, Kind};
use crate::facts::Facts;
use crate::function::missing_functions;
use crate::host::Host;
use crate::opts::Opts;
use crate::render::Renderer;
use crate::sls;
use crate::tree::Tree;

/// Functions of `file` whose name is a path that must be absolute.
const PATHS: [&str; 19] = [
    "absent",
    "append",
    "blockreplace",
    "comment",
    "copy",
    "directory",
    "exists",
    "keyvalue",
    "line",
    "managed",
    "missing",
    "prepend",
    "recurse",
    "replace",
    "serialize",
    "symlink",
    "touch",
    "uncomment",
    "rename",
];
/// Bytes of a template that is parsed.
const TEMPLATE_MAX: usize = 4 << 20;

/// States that cannot succeed: a relative path, a function that nobody has, a template that does
/// not parse.
pub(super) fn failures(tree: &Tree, chunks: &[Chunk]) -> Vec<Error> {
    let mut errors = Vec::new();
    for chunk in chunks {
        if chunk.state == "file"
            && PATHS.contains(&chunk.fun.as_str())
            && !["/", "~", "__slot__:"].iter().any(|start| chunk.name.starts_with(start))
        {
            let reason = format!("Specified file {} is not an absolute path", chunk.name);
            errors.push(Error::new(Kind::Shape, Some(chunk.at_arg("name")), reason));
        }
        // Those that only Salt has are refused when the tree is compiled.
        let unknown = |name: &String| !crate::module::may_be_function(name);
        for name in missing_functions(chunk).into_iter().filter(unknown) {
            let reason = format!("Module function {name} is not available");
            errors.push(Error::new(Kind::Missing, Some(chunk.at_arg(&name)), reason));
        }
    }
    let places: BTreeSet<(&str, String)> = chunks.iter().flat_map(|c| templates(tree, c)).collect();
    errors.extend(places.iter().filter_map(|(env, file)| fault(&tree.env(env)?, file)));
    errors
}

/// Files of the tree that a state renders with Jinja, by environment.
fn templates<'a>(tree: &Tree, chunk: &'a Chunk) -> Vec<(&'a str, String)> {
    let env = chunk.saltenv();
    let Some(tree) = tree.env(env) else { return Vec::new() };
    if chunk.args.get("template").and_then(Value::as_str) != Some("jinja") {
        return Vec::new();
    }
    let listed = |value: &Value| match value {
        Value::Array(items) => items.clone(),
        other => vec![other.clone()],
    };
    let named = ["source", "sources"].iter().filter_map(|name| chunk.args.get(*name));
    let mut files = Vec::new();
    for source in named.flat_map(listed) {
        let Some(path) = source.as_str().and_then(|source| source.strip_prefix("salt://")) else {
            continue;
        };
        if path.contains("?saltenv=") {
            continue;
        }
        if tree.has(path) {
            files.push((env, path.to_owned()));
        } else if chunk.fun == "recurse" {
            let folder = path.trim_end_matches('/');
            files.extend(tree.below(path).map(|below| (env, format!("{folder}/{below}"))));
        }
    }
    files
}

/// Why a template does not parse. Files that are no text are none of them.
fn fault(tree: &Tree, file: &str) -> Option<Error> {
    let data = tree.read(file)?.ok().filter(|data| data.len() <= TEMPLATE_MAX)?;
    let source = String::from_utf8(data).ok()?;
    let facts = Facts::default();
    let renderer = Renderer::new(tree, &facts, &Value::Null, &Host::new(), &Opts::default());
    let (line, reason) = renderer.parses(file, &source, false).err()?;
    Some(Error::new(Kind::Render, Some(At::new(sls::place(tree, file), line)), reason))
}
