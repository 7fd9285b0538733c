//! slsutil: merging, rendering and looking into the state tree.

use std::cell::Cell;

use minijinja::Error;
use minijinja::value::Value;

use super::merge::{is_list, merge, update_by};
use super::pillar::texts;
use super::{Call, Function, cp, reads, serial};
use crate::render::python::{dict, from_json, pairs, text};
use crate::render::{self, Vars};
use crate::tree::{BASE, Tree};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("slsutil.update", "dest upd recursive_update= merge_lists=", |call| {
        let recurse = call.flag("recursive_update", true);
        update_by(&call.must("dest"), &call.must("upd"), recurse, call.flag("merge_lists", false))
    }),
    reads("slsutil.merge", "obj_a obj_b strategy= renderer= merge_lists=", |call| {
        one(call, &call.must("obj_a"), &call.must("obj_b"))
    }),
    reads("slsutil.merge_all", "lst strategy= renderer= merge_lists=", |call| {
        let all = render::iterate(&call.must("lst"))?;
        all.iter().try_fold(dict(Default::default()), |merged, next| one(call, &merged, next))
    }),
    reads("slsutil.renderer", "path= string= default_renderer= **kwargs", renderer),
    reads("slsutil.serialize", "serializer obj **mod_kwargs", serial::serialize),
    reads("slsutil.deserialize", "serializer stream_or_string **mod_kwargs", serial::deserialize),
    reads(
        "slsutil.banner",
        "width= commentchar= borderchar= blockstart= blockend= title= text= newline=",
        banner,
    ),
    reads("slsutil.boolstr", "value true= false=", |call| {
        let (name, default) =
            if call.flag("value", false) { ("true", "true") } else { ("false", "false") };
        Ok(call.value(name).unwrap_or_else(|| Value::from(default)))
    }),
    reads("slsutil.file_exists", "path saltenv=", |call| {
        Ok(Value::from(tree(call)?.has(&call.text("path"))))
    }),
    reads("slsutil.dir_exists", "path saltenv=", |call| {
        Ok(Value::from(cp::has_folder(&tree(call)?, &call.text("path"))))
    }),
    reads("slsutil.path_exists", "path saltenv=", |call| {
        Ok(Value::from(exists(&tree(call)?, &call.text("path"))))
    }),
    reads("slsutil.findup", "startpath filenames saltenv=", find_up),
    reads("jinja.load_map", "path value", |call| {
        let (path, value) = (call.text("path"), call.text("value"));
        template(
            call,
            &format!(
                "{{% from \"{path}\" import {value} with context %}}{{{{ {value} | tojson }}}}"
            ),
        )
    }),
    reads("jinja.import_yaml", "path", |call| {
        let path = call.text("path");
        template(
            call,
            &format!("{{% import_yaml \"{path}\" as imported %}}{{{{ imported | tojson }}}}"),
        )
    }),
    reads("jinja.import_json", "path", |call| {
        let path = call.text("path");
        template(
            call,
            &format!("{{% import_json \"{path}\" as imported %}}{{{{ imported | tojson }}}}"),
        )
    }),
];

/// Templates that render one another: more than anyone nests, less than the stack holds.
const DEPTH_MAX: u32 = 12;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

fn one(call: &Call<'_>, base: &Value, over: &Value) -> Result<Value, Error> {
    let strategy = call.text_or("strategy", "smart");
    let renderer = call.text_or("renderer", "yaml");
    merge(base, over, &strategy, &renderer, call.flag("merge_lists", false))
}

/// Renders a template inside a call.
fn rendered(call: &Call<'_>, name: &str, source: &str, vars: Vars) -> Result<String, Error> {
    nested(call, name, || render::render_inside(call.site.env, call.scope, name, source, vars))?
}

/// Renders something while a template is rendered, with a limit on depth.
pub(super) fn nested<T>(call: &Call<'_>, name: &str, work: impl FnOnce() -> T) -> Result<T, Error> {
    let depth = DEPTH.get();
    if depth >= DEPTH_MAX {
        return Err(
            call.fail(format!("{name}: templates render one another more than {DEPTH_MAX} deep"))
        );
    }
    DEPTH.set(depth + 1);
    let out = work();
    DEPTH.set(depth);
    Ok(out)
}

fn template(call: &Call<'_>, source: &str) -> Result<Value, Error> {
    // Salt writes it into a file of its own, which has no SLS.
    let text = rendered(call, call.name(), source, render::sls_vars("", "__salt.tmp"))?;
    crate::render::yaml_value(text.trim())
}

/// Renders a file of the tree, or a text, through `default_renderer` or its own `#!` line.
fn renderer(call: &Call<'_>) -> Result<Value, Error> {
    let given = |name: &str| call.value(name).filter(Value::is_true).map(|value| text(&value));
    let other = |name: &str| call.others().find(|(key, _)| *key == name).map(|(_, value)| value);
    let saltenv = other("saltenv").map_or_else(|| BASE.to_owned(), text);
    let (name, source) = match (given("path"), given("string")) {
        (None, None) => return Err(call.invalid("Must pass path or string.")),
        (Some(_), Some(_)) => return Err(call.invalid("Must not pass both path and string.")),
        (Some(path), None) => match source_of(call, &path, &saltenv)? {
            (name, Some(source)) if !source.trim().is_empty() => (name, source),
            // Salt logs of what is not there, or has nothing in it, and goes on.
            _ => return Ok(dict(Default::default())),
        },
        (None, Some(string)) => (":string:".to_owned(), string),
    };
    let pipe = source.lines().next().and_then(|line| line.strip_prefix("#!"));
    let own = pipe.filter(|pipe| !pipe.starts_with('/')).map(|pipe| pipe.trim().to_owned());
    let pipe = own.unwrap_or_else(|| call.text_or("default_renderer", "jinja|yaml"));
    // Without an SLS, Salt knows no folder of the file.
    let mut vars = render::sls_vars("", name.rsplit('/').next().unwrap_or_default());
    vars.insert("saltenv".to_owned(), Value::from(saltenv));
    for (key, value) in call.others().filter(|(key, _)| *key != "context" && *key != "saltenv") {
        vars.insert(key.to_owned(), value.clone());
    }
    vars.extend(
        other("context").into_iter().flat_map(pairs).map(|(key, value)| (text(&key), value)),
    );
    let mut value = Value::from(source);
    for part in pipe.split('|').map(|part| part.split_whitespace().next().unwrap_or_default()) {
        value = match part {
            "jinja" => Value::from(rendered(call, &name, &text(&value), vars.clone())?),
            "yaml" => some(crate::render::sls_value(&text(&value))?),
            "json" => json(call, &text(&value))?,
            "text" | "" => value,
            other => {
                return Err(call.fail(format!(
                    "the renderer '{other}' is not supported: use jinja, yaml or json"
                )));
            }
        };
    }
    Ok(value)
}

/// Data, or an empty map for none.
fn some(data: Value) -> Value {
    if data.is_true() { data } else { dict(Default::default()) }
}

/// The data of a JSON text. A `#!` line is no comment there, and passed over.
fn json(call: &Call<'_>, source: &str) -> Result<Value, Error> {
    let data = match source.split_once('\n') {
        Some((first, rest)) if first.starts_with("#!") => rest,
        Some(_) | None => source,
    };
    if data.trim().is_empty() {
        return Ok(dict(Default::default()));
    }
    let read = crate::data::json::read(data);
    read.map(|json| from_json(&json)).map_err(|error| call.fail(error.to_string()))
}

/// The name of a file and what it holds, of the tree or, by an absolute path, of the host.
fn source_of(
    call: &Call<'_>,
    path: &str,
    saltenv: &str,
) -> Result<(String, Option<String>), Error> {
    if let Some(path) = path.strip_prefix("salt://") {
        let name = path.split('?').next().unwrap_or(path).to_owned();
        let source = render::read_text(&call.scope.files(saltenv)?, path)?;
        return Ok((name, source));
    }
    let own = path.strip_prefix("file://").unwrap_or(path);
    if own.contains("://") {
        return Err(call.fail(format!(
            "slsutil.renderer of {path} is not supported: put the file into the tree"
        )));
    }
    if !own.starts_with('/') {
        return Err(call.fail(format!("Path '{own}' is not absolute")));
    }
    Ok((own.to_owned(), call.scope.host.read_text(own)))
}

/// The state tree in the given environment.
fn tree(call: &Call<'_>) -> Result<Tree, Error> {
    call.scope.files(&call.text_or("saltenv", BASE))
}

fn exists(tree: &Tree, path: &str) -> bool {
    tree.has(path) || cp::has_folder(tree, path)
}

/// Looks for one of some names in a folder of the tree and in those above it.
fn find_up(call: &Call<'_>) -> Result<Value, Error> {
    let mut start = match call.text_of("startpath").filter(|path| !path.is_empty()) {
        Some(path) => super::tidy::normal(&path),
        None => String::new(),
    };
    let tree = tree(call)?;
    if !start.is_empty() && !exists(&tree, &start) {
        return Err(call.invalid(format!("Starting path not found in the state tree: {start}")));
    }
    let names = call.must("filenames");
    if !is_list(&names) && names.as_str().is_none() {
        return Err(call.invalid("Filenames argument must be a string or list of strings"));
    }
    let names = texts(&names);
    loop {
        let found = names
            .iter()
            .map(|name| if start.is_empty() { name.clone() } else { format!("{start}/{name}") })
            .find(|path| exists(&tree, path));
        if let Some(path) = found {
            return Ok(Value::from(path));
        }
        if start.is_empty() {
            return Err(call.fail("File pattern(s) not found in path ancestry"));
        }
        start = start.rsplit_once('/').map(|(folder, _)| folder.to_owned()).unwrap_or_default();
    }
}

const TITLE: &str = "THIS FILE IS MANAGED BY SALT - DO NOT EDIT";
const TEXT: &str = "The contents of this file are managed by Salt. Any changes to this file may be \
                    overwritten automatically and without warning.";

fn banner(call: &Call<'_>) -> Result<Value, Error> {
    let width = usize::try_from(call.number("width")?.unwrap_or(72)).unwrap_or_default().min(4096);
    let mark = call.text_or("commentchar", "#");
    let border = call.text_or("borderchar", "#");
    let (left, right) = (format!("{} ", mark.trim_end()), format!(" {}", mark.trim()));
    let len = |text: &str| text.chars().count();
    let room = width.saturating_sub(len(&left) + len(&right));
    if room == 0 {
        return Err(call.fail("Width is too small to render banner"));
    }
    let fill = |text: &str, times: usize| text.chars().take(1).collect::<String>().repeat(times);
    let rule = format!(
        "{mark}{}{}",
        fill(&border, width.saturating_sub(len(mark.trim_end()) + len(mark.trim()))),
        mark.trim()
    );
    let space = format!("{mark}{}{mark}", " ".repeat(width.saturating_sub(len(&mark) * 2)));
    let mut lines: Vec<String> = call.text_of("blockstart").into_iter().collect();
    lines.extend([rule.clone(), space.clone()]);
    for line in super::tidy::wrap(&call.text_or("title", TITLE), room) {
        lines.push(format!("{left}{}{right}", super::tidy::centred(&line, room)));
    }
    lines.push(space);
    for line in super::tidy::wrap(&call.text_or("text", TEXT), room) {
        lines.push(format!("{left}{line}{}{right}", " ".repeat(room - len(&line))));
    }
    lines.push(rule);
    lines.extend(call.text_of("blockend"));
    let end = if call.flag("newline", false) { "\n" } else { "" };
    Ok(Value::from(lines.join("\n") + end))
}
