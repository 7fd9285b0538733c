//! Where a file's contents come from: `salt://`, the host itself; templates are rendered.

use std::fs;
use std::os::unix::fs::MetadataExt;

use minijinja::Value as Jinja;
use serde_json::Value;

use crate::chunk::Chunk;
use crate::function::{Context, Lint};
use crate::hash;
use crate::render::python::from_json;
use crate::render::{Vars, file_vars};

/// A source that was found.
pub(in crate::function) enum Source {
    /// A path of the state tree.
    Tree(String),
    /// A path of the host.
    Local(String),
}

impl Source {
    /// The mode that `keep` copies.
    pub(in crate::function) fn mode(&self, ctx: &Context<'_>) -> Option<u32> {
        match self {
            Source::Tree(path) => ctx.tree().mode(path),
            Source::Local(path) => ctx.host.stat(path).map(|meta| meta.mode() & 0o7777),
        }
    }
}

/// Sources and template engines that this engine does not have.
pub(in crate::function) fn lint(chunk: &Chunk) -> Vec<Lint> {
    let mut out = Vec::new();
    for key in ["source", "sources"] {
        let sources = match chunk.args.get(key) {
            Some(Value::Array(items)) => items.iter().map(entry).collect(),
            Some(Value::Null) | None => Vec::new(),
            Some(one) => vec![entry(one)],
        };
        let remote = |source: &&String| source.contains("://") && !is_local(source);
        if let Some(source) = sources.iter().find(remote) {
            out.push((key, format!("{NOT_SUPPORTED}: {source}")));
        }
    }
    match chunk.args.get("template") {
        None | Some(Value::Null) => {}
        Some(engine) if engine == "jinja" => {}
        Some(engine) => {
            let engine = crate::function::args::text(engine);
            out.push((
                "template",
                format!("the template engine '{engine}' is not supported: use jinja"),
            ));
        }
    }
    out
}

const NOT_SUPPORTED: &str =
    "sources outside the state tree are not supported, put the file into it (salt://)";

fn is_local(source: &str) -> bool {
    ["salt://", "file://", "/"].iter().any(|start| source.starts_with(start))
}

/// A source, or the one that a map names beside its hash.
fn entry(item: &Value) -> String {
    match item {
        Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
        other => crate::function::args::text(other),
    }
}

/// The first source that exists, from a text or a list of texts and `{source: hash}`.
pub(in crate::function) fn find(ctx: &Context<'_>, source: &Value) -> Result<Source, String> {
    match source {
        Value::Array(items) => {
            let found = items.iter().find_map(|item| one(ctx, &entry(item)).ok());
            found.ok_or_else(|| "none of the specified sources were found".to_owned())
        }
        other => one(ctx, &entry(other)),
    }
}

fn one(ctx: &Context<'_>, source: &str) -> Result<Source, String> {
    if let Some(path) = source.strip_prefix("salt://") {
        let path = path.split('?').next().unwrap_or(path).trim_start_matches('/');
        return if ctx.tree().has(path) {
            Ok(Source::Tree(path.to_owned()))
        } else {
            Err(format!("Source file {source} not found in saltenv 'base'"))
        };
    }
    let path = source.strip_prefix("file://").unwrap_or(source);
    if !is_local(path) {
        return Err(format!("{NOT_SUPPORTED}: {source}"));
    }
    if ctx.host.stat(path).is_some_and(|meta| meta.is_file()) {
        Ok(Source::Local(path.to_owned()))
    } else {
        Err(format!("Local file source {path} does not exist"))
    }
}

/// Salt's refusal of arguments that say the same twice.
pub(super) fn exclusive(ctx: &Context<'_>) -> Result<(), String> {
    let set = |key: &str| ctx.value(key).is_some_and(crate::function::args::truth);
    for (one, many) in [("source", "sources"), ("source_hash", "source_hashes")] {
        if set(one) && set(many) {
            return Err(format!("{one} and {many} are mutually exclusive"));
        }
    }
    Ok(())
}

/// The texts of `source` or `sources`, rendered; `None` if there are neither.
pub(super) fn texts(ctx: &Context<'_>) -> Result<Option<Vec<String>>, String> {
    let given = ctx.value("source").or_else(|| ctx.value("sources"));
    let sources: Vec<Value> = match given.filter(|value| crate::function::args::truth(value)) {
        None => return Ok(None),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    let mut out = Vec::new();
    for source in &sources {
        let shown = entry(source);
        let engine = ctx.text("template").unwrap_or_else(|| "jinja".to_owned());
        let missing = |_| format!("Failed to load template file {shown}");
        let found = find(ctx, source).map_err(missing)?;
        let data = read_as(ctx, &found, Some(&engine))
            .map_err(|problem| format!("Failed to load template file {shown}: {problem}"))?;
        let text = String::from_utf8(data).map_err(|_| format!("{shown} is not UTF-8"))?;
        if text.is_empty() {
            return Err(format!("Failed to read rendered template file {shown}"));
        }
        out.push(text);
    }
    Ok(Some(out))
}

/// The contents of a source, rendered if `template` is set.
pub(in crate::function) fn read(ctx: &Context<'_>, source: &Source) -> Result<Vec<u8>, String> {
    read_as(ctx, source, ctx.text("template").as_deref())
}

/// The contents of a source, rendered by a template engine if one is named.
fn read_as(ctx: &Context<'_>, source: &Source, engine: Option<&str>) -> Result<Vec<u8>, String> {
    let (data, file) = match source {
        Source::Tree(path) => {
            let found = ctx.tree().read(path);
            let data = found.ok_or_else(|| format!("Source file salt://{path} not found"))?;
            (data.map_err(|error| error.to_string())?, path)
        }
        Source::Local(path) => {
            (fs::read(ctx.host.followed(path)).map_err(|error| error.to_string())?, path)
        }
    };
    match engine {
        None => Ok(data),
        Some("jinja") => {
            let text = String::from_utf8(data).map_err(|_| format!("{file} is not UTF-8"))?;
            render(ctx, file, &text).map(String::into_bytes)
        }
        Some(engine) => Err(format!("Specified template format {engine} is not supported")),
    }
}

/// Renders a template with `defaults`, then `context` over them.
pub(in crate::function) fn render(
    ctx: &Context<'_>,
    file: &str,
    text: &str,
) -> Result<String, String> {
    let mut vars: Vars = file_vars(file);
    let set = |vars: &mut Vars, key: &str, value: Jinja| {
        vars.insert(key.to_owned(), value);
    };
    set(&mut vars, "name", Jinja::from(ctx.name()));
    set(&mut vars, "source", Jinja::from(format!("salt://{file}")));
    set(&mut vars, "sls", Jinja::from(ctx.chunk.sls.as_str()));
    for key in ["user", "group", "mode"] {
        let value = ctx.text(key).map_or_else(|| Jinja::from(()), Jinja::from);
        set(&mut vars, key, value);
    }
    for key in ["defaults", "context"] {
        match ctx.value(key) {
            None => {}
            Some(Value::Object(map)) => {
                vars.extend(map.iter().map(|(name, value)| (name.clone(), from_json(value))));
            }
            Some(_) if key == "context" => {
                return Err("Context must be formed as a dict".to_owned());
            }
            Some(_) => return Err("Defaults must be formed as a dict".to_owned()),
        }
    }
    if let Some(gathered) = super::accumulated::for_template(ctx) {
        vars.insert("accumulator".to_owned(), from_json(&gathered));
    }
    let rendered = ctx.renderer().render(file, text, vars);
    rendered.map_err(|error| format!("{}: {error}", error.file))
}

/// Compares a local source with `source_hash`; `Err` tells how it differs.
pub(in crate::function) fn verify(ctx: &Context<'_>, data: &[u8]) -> Result<(), String> {
    let Some(given) = ctx.text("source_hash").filter(|given| !given.is_empty()) else {
        return Ok(());
    };
    let (algorithm, wanted) = match given.split_once('=').or_else(|| given.split_once(':')) {
        Some((algorithm, digest)) => (algorithm.trim().to_lowercase(), digest.trim()),
        None => (hash::algorithm_of(&given).unwrap_or("unknown").to_owned(), given.as_str()),
    };
    let wanted = wanted.to_lowercase();
    let actual = hash::digest(&algorithm, data).ok_or_else(|| {
        format!("the source_hash '{given}' is of no supported kind: use sha256=..")
    })?;
    if actual == wanted {
        return Ok(());
    }
    Err(format!(
        "Specified {algorithm} checksum for {} ({wanted}) does not match actual checksum \
         ({actual})",
        ctx.name()
    ))
}
