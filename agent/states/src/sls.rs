//! One SLS: its file, its renderers, its data with lines.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::chunk::Chunk;
use crate::data::json;
use crate::error::{At, Error, Kind};
use crate::render::{Renderer, Vars, Worlds, sls_vars};
use crate::tree::{BASE, Tree};
use crate::yaml::{self, Node};

/// One rendered SLS.
#[derive(Debug)]
pub(crate) struct Sls {
    pub(crate) name: String,
    pub(crate) saltenv: String,
    pub(crate) file: String,
    /// The file as faults name it: of `base` its path, of others with `?saltenv=` behind.
    pub(crate) place: Arc<str>,
    pub(crate) root: Node,
}

/// What the text of an SLS is once its templates are rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Yaml,
    Json,
    /// No data at all: `#!jinja` alone.
    Text,
}

/// The file of an SLS: `a.b` is `a/b.sls` or `a/b/init.sls`.
///
/// So is `a.b.`, which is what `include: [.]` in a file of that folder comes to.
pub(crate) fn file_of(tree: &Tree, sls: &str) -> Option<String> {
    let path = sls.replace('.', "/");
    let folder = path.strip_suffix('/').unwrap_or(&path);
    [format!("{path}.sls"), format!("{folder}/init.sls")].into_iter().find(|file| tree.has(file))
}

/// How faults name a file of a tree's environment.
pub(crate) fn place(tree: &Tree, file: &str) -> String {
    match tree.saltenv() {
        BASE => file.to_owned(),
        saltenv => format!("{file}?saltenv={saltenv}"),
    }
}

/// The names of all SLS in a tree, sorted.
pub(crate) fn names(tree: &Tree) -> Vec<String> {
    let name = |path: &str| {
        let stem = path.strip_suffix(".sls")?;
        let stem = stem.strip_suffix("/init").unwrap_or(stem);
        Some(stem.replace('/', "."))
    };
    let names: BTreeSet<String> = tree.paths().filter_map(name).collect();
    names.into_iter().collect()
}

/// What is said of an SLS that [`text_of`] refuses.
pub(crate) const NOT_UTF8: &str = "it is not UTF-8: save it as UTF-8";

/// The text of a file, or the line of the first byte that belongs to none.
pub(crate) fn text_of(data: Vec<u8>) -> Result<String, u32> {
    String::from_utf8(data).map_err(|error| {
        let fine = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let above = fine.iter().filter(|byte| **byte == b'\n').count();
        u32::try_from(above).unwrap_or(u32::MAX).saturating_add(1)
    })
}

/// Renders and parses the SLS `name` in `file`; `more` are variables beside the usual.
pub(crate) fn load(renderer: &Renderer, name: &str, file: &str, more: Vars) -> Result<Sls, Error> {
    let tree = &renderer.scope().tree;
    let (saltenv, place) = (tree.saltenv(), Arc::<str>::from(place(tree, file)));
    let failed = |reason: &str| failed(saltenv, name, reason);
    let at = |line| At::new(place.clone(), line);
    let read = tree.read(file).ok_or_else(|| missing(name, saltenv))?;
    let data = read.map_err(|error| Error::new(Kind::Missing, Some(at(0)), error.to_string()))?;
    let source =
        text_of(data).map_err(|line| Error::new(Kind::Render, Some(at(line)), failed(NOT_UTF8)))?;
    let (jinja, format) = renderers(&source, &at(1)).map_err(|mut error| {
        if error.kind == Kind::Render {
            error.reason = failed(&error.reason);
        }
        error
    })?;
    if format == Format::Text {
        let reason = format!("SLS {name} does not render to a dictionary");
        return Err(Error::shape(&at(1), reason));
    }
    let json = format == Format::Json;
    let mut vars = sls_vars(name, file);
    vars.extend(more);
    let text = if jinja {
        let rendered = renderer.render(file, &source, vars.clone());
        let rendered = rendered.map_err(|error| {
            let at = At::new(crate::sls::place(tree, &error.file), error.line);
            let fault = Error::new(Kind::Render, Some(at), failed(&error.to_string()));
            fault.in_full(failed(&error.words()))
        });
        Cow::Owned(rendered?)
    } else {
        Cow::Borrowed(&*source)
    };
    let root = if json { parse_json(&text) } else { yaml::parse(&text) };
    let root = root.map_err(|error| {
        let lines = if jinja { renderer.source_lines(file, &source, &vars) } else { None };
        let line = source_line(lines.as_deref(), error.line);
        let fault = Error::new(Kind::Render, Some(at(line)), failed(&error.reason));
        if !json {
            return fault;
        }
        fault.in_full(format!("Rendering SLS {name} failed, render error: {}", error.words))
    })?;
    let (name, saltenv, file) = (name.to_owned(), saltenv.to_owned(), file.to_owned());
    Ok(Sls { name, saltenv, file, place, root })
}

fn source_line(lines: Option<&[u32]>, rendered: u32) -> u32 {
    let at = usize::try_from(rendered).unwrap_or(0);
    lines.and_then(|lines| lines.get(at.checked_sub(1)?).copied()).unwrap_or(rendered)
}

/// Turns the rendered lines of chunks and their arguments into those of the sources.
pub(crate) fn relocate_chunks(worlds: &Worlds, chunks: &mut [Chunk]) {
    let mut known = HashMap::new();
    for chunk in chunks {
        let Some(lines) = lines_of(worlds, &chunk.at, &mut known) else { continue };
        chunk.at.line = source_line(Some(lines), chunk.at.line);
        for (_, line) in &mut chunk.lines {
            *line = source_line(Some(lines), *line);
        }
    }
}

/// Turns the rendered lines that faults name into those of the sources.
pub(crate) fn relocate(worlds: &Worlds, errors: &mut [Error]) {
    let mut known = HashMap::new();
    for error in errors {
        // Faults of rendering name source lines already.
        let Some(at) = error.at.as_mut().filter(|_| error.kind != Kind::Render) else { continue };
        if let Some(lines) = lines_of(worlds, at, &mut known) {
            at.line = source_line(Some(lines), at.line);
        }
    }
}

/// The source lines of the file of a place; `None` where they are those of the rendering.
fn lines_of<'a>(
    worlds: &Worlds,
    at: &At,
    known: &'a mut HashMap<Arc<str>, Option<Vec<u32>>>,
) -> Option<&'a [u32]> {
    let lines = known.entry(Arc::clone(&at.file)).or_insert_with_key(|file| {
        let (file, saltenv) = file.split_once("?saltenv=").unwrap_or((file, BASE));
        let renderer = worlds.get(saltenv)?;
        let tree = &renderer.scope().tree;
        let name = file.strip_suffix(".sls")?;
        let name = name.strip_suffix("/init").unwrap_or(name).replace('/', ".");
        let source = String::from_utf8(tree.read(file)?.ok()?).ok()?;
        let (jinja, _) = renderers(&source, at).ok()?;
        if !jinja || !(source.contains("{%") || source.contains("{{") || source.contains("{#")) {
            return None;
        }
        renderer.source_lines(file, &source, &sls_vars(&name, file))
    });
    lines.as_deref()
}

/// Salt's words for an SLS that is not in the tree.
pub(crate) fn missing(name: &str, saltenv: &str) -> Error {
    let reason = format!(
        "Specified SLS {name} in saltenv {saltenv} is not available on the salt master or through \
         a configured fileserver"
    );
    Error::new(Kind::Missing, None, reason)
}

/// Salt's words for an SLS that does not render.
pub(crate) fn failed(saltenv: &str, name: &str, reason: &str) -> String {
    format!("Rendering SLS '{saltenv}:{name}' failed: {reason}")
}

/// Whether the `#!` line asks for Jinja, and what is read from that.
pub(crate) fn renderers(source: &str, at: &At) -> Result<(bool, Format), Error> {
    let first = source.lines().next().unwrap_or_default();
    let Some(pipe) = first.strip_prefix("#!").filter(|rest| !rest.starts_with('/')) else {
        return Ok((true, Format::Yaml));
    };
    let (mut jinja, mut format) = (false, Format::Text);
    for part in pipe.trim().split('|').map(str::trim) {
        let fault = |kind, reason| Err(Error::new(kind, Some(at.clone()), reason));
        match part {
            "jinja" | "yaml" | "yamlex" | "json" if format != Format::Text => {
                let reason =
                    format!("the renderer '{part}' reads text, and gets data: put it first");
                return fault(Kind::Render, reason);
            }
            "jinja" => jinja = true,
            "yaml" | "yamlex" => format = Format::Yaml,
            "json" => format = Format::Json,
            other => {
                let reason =
                    format!("the renderer '{other}' is not supported: use jinja, yaml or json");
                return fault(Kind::Unsupported, reason);
            }
        }
    }
    Ok((jinja, format))
}

/// JSON is YAML too, but for characters that are written as two; the `#!` line is a comment.
fn parse_json(text: &str) -> Result<Node, yaml::YamlError> {
    let (first, body) = match text.split_once('\n') {
        Some((first, body)) if first.starts_with("#!") => (1, body),
        _ => (0, text),
    };
    json::check(body).map_err(|error| {
        let line = u32::try_from(error.line()).unwrap_or(0) + first;
        let column = u32::try_from(error.column()).unwrap_or(0);
        let words = error.to_string();
        yaml::YamlError { line, column, reason: words.clone(), words }
    })?;
    let lines = "\n".repeat(usize::from(first > 0));
    yaml::parse_repeating(&(lines + &joined(&json::numbers_as_yaml(body))))
}

/// JSON with each `\\uD83D\\uDE00` as the one character that it means.
fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let half = |from: usize| {
            let digits = rest.get(from..from + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(digits, 16).ok()
        };
        let pair = half(0).zip(half(6)).map(|(high, low)| [high, low]);
        let found = pair.and_then(|pair| String::from_utf16(&pair).ok());
        let len = match found.filter(|found| found.chars().count() == 1) {
            Some(found) => {
                out.push_str(&found);
                12
            }
            // The character that is escaped is none that begins an escape.
            None => {
                let len = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..len]);
                len
            }
        };
        rest = &rest[len..];
    }
    out + rest
}
