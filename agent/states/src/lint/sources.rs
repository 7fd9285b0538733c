//! Files that states take from the tree, and that are not there.

use serde_json::Value;

use crate::chunk::Chunk;
use crate::error::{Error, Kind};
use crate::tree::Tree;

/// Arguments that name files of the tree.
const ARGUMENTS: [&str; 3] = ["source", "sources", "source_hash"];

/// The sources of all chunks that are not in the tree; of alternatives, one is enough.
pub(super) fn missing(tree: &Tree, chunks: &[Chunk]) -> Vec<Error> {
    let mut errors = Vec::new();
    for chunk in chunks {
        let tree = tree.env(chunk.saltenv()).unwrap_or_else(|| tree.clone());
        for name in ARGUMENTS {
            let Some(value) = chunk.args.get(name) else { continue };
            let mut texts = Vec::new();
            collect(value, &mut texts);
            let gone: Vec<&str> =
                texts.iter().copied().filter(|text| !is_there(&tree, text)).collect();
            let reason = match gone.as_slice() {
                [] => continue,
                [only] if texts.len() == 1 => {
                    format!("Source file {only} not found in saltenv '{}'", chunk.saltenv())
                }
                some if name == "source" && some.len() < texts.len() => continue,
                _ => format!("none of the specified sources were found: {}", gone.join(", ")),
            };
            errors.push(Error::new(Kind::Missing, Some(chunk.at_arg(name)), reason));
        }
    }
    errors
}

/// Texts of a list, or the names of its maps.
fn collect<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => out.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, out)),
        Value::Object(map) => {
            for (key, value) in map {
                out.push(if key.starts_with("salt://") {
                    key
                } else {
                    value.as_str().unwrap_or("")
                });
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether an address of the tree names a file or folder; others are not looked for.
fn is_there(tree: &Tree, address: &str) -> bool {
    let Some(path) = address.strip_prefix("salt://") else { return true };
    tree.has(path) || tree.below(path).next().is_some()
}
