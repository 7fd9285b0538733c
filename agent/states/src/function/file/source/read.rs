//! The contents of a source: read, fetched, rendered.

use std::fs;
use std::path::{Path, PathBuf};

use minijinja::Value as Jinja;
use serde_json::Value;
use tempfile::NamedTempFile;

use super::{Source, Sum, entry, find, redacted};
use crate::function::file::accumulated;
use crate::function::{self, Context};
use crate::http;
use crate::outcome::Outcome;
use crate::render::Vars;
use crate::render::python::{from_json, from_sls};

/// A source as a file: the host's own, or a temporary copy.
pub(crate) enum Fetched {
    Own(PathBuf),
    Copy(NamedTempFile),
}

impl Fetched {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Fetched::Own(path) => path,
            Fetched::Copy(file) => file.path(),
        }
    }
}

/// Why there is no copy of a source.
pub(crate) struct Refused {
    pub(crate) told: String,
    /// What was fetched hashes to, if it should hash otherwise.
    pub(crate) digest: Option<String>,
}

impl From<String> for Refused {
    fn from(told: String) -> Refused {
        Refused { told, digest: None }
    }
}

/// A source as a file; a copy must hash to `sum`, if there is one.
pub(crate) fn file(
    ctx: &Context<'_>,
    source: &Source,
    sum: Option<&Sum>,
) -> Result<Fetched, Refused> {
    let copy = match source {
        Source::Local(path) => return Ok(Fetched::Own(ctx.host.followed(path))),
        Source::Tree { .. } | Source::Remote(_) => copied(ctx, source, sum.is_some())?,
    };
    let Some(sum) = sum.filter(|_| !ctx.flag("skip_verify", false)) else {
        return Ok(Fetched::Copy(copy));
    };
    let digest = sum.of(&fs::read(copy.path()).map_err(unkept)?);
    if digest == sum.digest {
        return Ok(Fetched::Copy(copy));
    }
    let told = format!(
        "File is cached, but the hash ({digest}) does not match the specified hash ({})",
        sum.digest
    );
    Err(Refused { told, digest: Some(digest) })
}

fn unkept(error: std::io::Error) -> String {
    format!("cannot keep a source: {error}")
}

/// A temporary copy of what is not the host's own.
fn copied(ctx: &Context<'_>, source: &Source, hashed: bool) -> Result<NamedTempFile, String> {
    let mut copy = NamedTempFile::new().map_err(unkept)?;
    match source {
        Source::Local(_) | Source::Tree { .. } => {
            fs::write(copy.path(), plain(ctx, source)?).map_err(unkept)?;
        }
        Source::Remote(url) => {
            if !hashed && !ctx.flag("skip_verify", false) && !ctx.flag("use_etag", false) {
                return Err(format!(
                    "Unable to verify upstream hash of source file {}, please set source_hash or \
                     set skip_verify or use_etag to True",
                    redacted(url)
                ));
            }
            http::get(url, &mut copy, ctx.cancel)
                .map_err(|error| format!("Failed to cache {}: {error}", redacted(url)))?;
        }
    }
    Ok(copy)
}

/// The bytes of a source as they are.
pub(in crate::function::file) fn plain(
    ctx: &Context<'_>,
    source: &Source,
) -> Result<Vec<u8>, String> {
    match source {
        Source::Tree { path, env } => {
            let found = ctx.view().renderer(env).scope().tree.read(path);
            let data = found.ok_or_else(|| format!("Source file salt://{path} not found"))?;
            data.map_err(|error| error.to_string())
        }
        Source::Local(path) => fs::read(ctx.host.followed(path)).map_err(|error| error.to_string()),
        Source::Remote(url) => {
            let mut data = Vec::new();
            http::get(url, &mut data, ctx.cancel)
                .map_err(|error| format!("Failed to cache {}: {error}", redacted(url)))?;
            Ok(data)
        }
    }
}

/// The text of a file of sums.
pub(in crate::function::file) fn fetched_text(
    ctx: &Context<'_>,
    source: &str,
) -> Result<String, String> {
    let data = plain(ctx, &super::one(ctx, source)?)?;
    Ok(String::from_utf8_lossy(&data).into_owned())
}

/// What a template sees beside `context` and `defaults`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::function) enum Sees {
    /// The file that it is for.
    File,
    /// No more than that.
    Given,
}

/// The contents of a source, rendered if `template` is set.
pub(in crate::function) fn read(
    ctx: &Context<'_>,
    source: &Source,
    sees: Sees,
) -> Result<Vec<u8>, String> {
    let data = plain(ctx, source)?;
    rendered(ctx, source, data, ctx.text("template").as_deref(), sees)
}

/// Compares a source with `source_hash`; `Err` tells how it differs.
pub(in crate::function) fn verify(ctx: &Context<'_>, data: &[u8]) -> Result<(), String> {
    let Some(given) = ctx.text("source_hash").filter(|given| !given.is_empty()) else {
        return Ok(());
    };
    let sum = super::sum(ctx, ctx.name(), &given)?;
    let actual = sum.of(data);
    if actual == sum.digest {
        return Ok(());
    }
    Err(format!(
        "Specified {} checksum for {} ({}) does not match actual checksum ({actual})",
        sum.algorithm,
        ctx.name(),
        sum.digest
    ))
}

/// Bytes of a source, rendered by a template engine if one is named.
pub(in crate::function::file) fn rendered(
    ctx: &Context<'_>,
    source: &Source,
    data: Vec<u8>,
    engine: Option<&str>,
    sees: Sees,
) -> Result<Vec<u8>, String> {
    let (Source::Tree { path: file, .. } | Source::Local(file) | Source::Remote(file)) = source;
    match engine {
        None => Ok(data),
        Some("jinja") => match String::from_utf8(data) {
            Ok(text) => render(ctx, source, &text, sees).map(String::into_bytes),
            // What is no text is no template: a folder of files may hold both.
            Err(error) if is_binary(error.as_bytes()) => Ok(error.into_bytes()),
            Err(_) => Err(format!("{file} is not UTF-8")),
        },
        Some(engine) => Err(format!("Specified template format {engine} is not supported")),
    }
}

/// Salt's guess of what is no text: a zero byte, or many that are no ASCII, at the start.
fn is_binary(data: &[u8]) -> bool {
    let block = &data[..data.len().min(2048)];
    let odd = |byte: &&u8| !(32..127).contains(*byte) && !b"\n\r\t\x0c\x08".contains(byte);
    let count = block.iter().filter(odd).count();
    block.contains(&0) || count * 10 > block.len() * 3
}

/// The texts of `source` or `sources`, rendered; `None` if there are neither.
pub(in crate::function::file) fn texts(ctx: &Context<'_>) -> Result<Option<Vec<String>>, String> {
    let given = ctx.value("source").or_else(|| ctx.value("sources"));
    let sources: Vec<Value> = match given.filter(|value| crate::function::args::truth(value)) {
        None => return Ok(None),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    let mut out = Vec::new();
    for source in &sources {
        let shown = entry(source);
        let missing = || format!("{UNLOADED}{shown}");
        let engine = match ctx.chunk.args.get("template") {
            None => "jinja".to_owned(),
            Some(engine) if crate::function::args::truth(engine) => {
                crate::function::args::text(engine)
            }
            // A source that is no template cannot be loaded as one.
            Some(_) => return Err(missing()),
        };
        let found = find(ctx, source).map_err(|_| missing())?;
        let data = plain(ctx, &found)
            .and_then(|data| rendered(ctx, &found, data, Some(&engine), Sees::Given))
            .map_err(|problem| format!("{}: {problem}", missing()))?;
        let text = String::from_utf8(data).map_err(|_| format!("{shown} is not UTF-8"))?;
        if text.is_empty() {
            return Err(format!("Failed to read rendered template file {shown}"));
        }
        out.push(text);
    }
    Ok(Some(out))
}

/// How Salt tells of a source that is not there.
const UNLOADED: &str = "Failed to load template file ";

/// What a state returns whose sources could not be read: under the name of the source, as in Salt.
pub(in crate::function::file) fn texts_failed(problem: String) -> Outcome {
    let source = problem.strip_prefix(UNLOADED).filter(|source| !source.contains(": "));
    match source.map(str::to_owned) {
        Some(source) => Outcome::failed(problem).called(source),
        None => Outcome::failed(problem),
    }
}

/// Renders the `contents` of a state: they see nothing but what the state gives them.
pub(in crate::function::file) fn render_contents(
    ctx: &Context<'_>,
    text: &str,
) -> Result<String, String> {
    let rendered = ctx.renderer().render("contents", text, given(ctx)?);
    rendered.map_err(|error| error.words())
}

/// The variables of `defaults`, and those of `context` over them.
fn given(ctx: &Context<'_>) -> Result<Vars, String> {
    let mut vars = Vars::new();
    for (key, what) in [("defaults", "Defaults"), ("context", "Context")] {
        match ctx.value(key) {
            None => {}
            Some(Value::Object(map)) => {
                vars.extend(map.iter().map(|(name, value)| (name.clone(), from_sls(value))));
            }
            Some(_) => return Err(format!("{what} must be formed as a dict")),
        }
    }
    Ok(vars)
}

/// Renders a template with `defaults`, then `context` over them.
fn render(ctx: &Context<'_>, source: &Source, text: &str, sees: Sees) -> Result<String, String> {
    let (Source::Tree { path: file, .. } | Source::Local(file) | Source::Remote(file)) = source;
    let mut vars = if sees == Sees::File { of_file(ctx, source) } else { Vars::new() };
    vars.extend(given(ctx)?);
    if let Some(gathered) = accumulated::for_template(ctx) {
        vars.insert("accumulator".to_owned(), from_json(&gathered));
    }
    let rendered = ctx.renderer().render(file, text, vars);
    rendered.map_err(|error| error.words())
}

/// What a template is told of the file that it is for: also arguments that mean nothing else. Where
/// the template itself is it does not learn: Salt tells that to an SLS only.
fn of_file(ctx: &Context<'_>, source: &Source) -> Vars {
    let text = |value: Option<String>| value.map_or_else(|| Jinja::from(()), Jinja::from);
    let mode = ctx.text("mode").map(|mode| format!("{:0>4}", mode.trim_start_matches('0')));
    let mut vars = Vars::from_iter([
        ("name".to_owned(), Jinja::from(ctx.name())),
        ("source".to_owned(), Jinja::from(address(ctx, source))),
        ("user".to_owned(), text(ctx.text("user"))),
        ("group".to_owned(), text(ctx.text("group"))),
        ("mode".to_owned(), text(mode)),
        ("attrs".to_owned(), text(ctx.text("attrs"))),
    ]);
    if let Some(function) = function::find("file", "managed").filter(|_| ctx.chunk.fun == "managed")
    {
        let more = ctx.chunk.args.iter().filter(|(name, _)| !function.knows(name));
        vars.extend(more.map(|(name, value)| (name.clone(), from_sls(value))));
    }
    vars
}

/// The address of a source: as it was given, or the one of several that was found.
fn address(ctx: &Context<'_>, source: &Source) -> String {
    match (ctx.value("source"), source) {
        (Some(Value::String(given)), _) => given.clone(),
        (_, Source::Tree { path, .. }) => format!("salt://{path}"),
        (_, Source::Local(path) | Source::Remote(path)) => path.clone(),
    }
}
