//! What fuzz targets, tests and benches reach of the renderer; no part of the API.

use std::path::Path;

use serde_json::Value as Json;

use crate::compile::{Selection, compile};
use crate::facts::Facts;
use crate::host::Host;
use crate::opts::Opts;
use crate::render::{Renderer as Inner, python, sls_vars};
use crate::tree::Tree;

/// Renders the templates of one tree, as one compilation does.
#[derive(Debug)]
pub struct Renderer(Inner);

impl Renderer {
    /// For a worker with these facts and pillar; the host is an empty folder.
    pub fn new(tree: &Tree, facts: &Facts, pillar: &Json, root: &Path) -> Renderer {
        Renderer(Inner::new(tree, facts, pillar, &Host::under(root), &Opts::default()))
    }

    /// The text, or the words and the line that Salt tells.
    ///
    /// # Errors
    /// When the template does not render.
    pub fn render(&self, sls: &str, file: &str, source: &str) -> Result<String, (String, u32)> {
        let rendered = self.0.render(file, source, sls_vars(sls, file));
        rendered.map_err(|error| (error.reason, error.told))
    }

    /// Renders and reads a file as an SLS is.
    ///
    /// # Errors
    /// When it does not render, or its data do not read.
    pub fn data(&self, sls: &str, file: &str) -> Result<(), String> {
        let loaded = crate::sls::load(&self.0, sls, file, crate::render::Vars::new());
        loaded.map(drop).map_err(|error| error.to_string())
    }
}

/// Renders a template beside a few others, with data but no function of `salt`.
pub fn template(text: &str) {
    let files = [
        ("a/self.jinja", text),
        ("a/lib.jinja", "{% macro m(x=[]) %}{{ x }}{{ caller is defined }}{% endmacro %}"),
        ("a/d.yaml", "k: [1, {x: 0644}]\n"),
    ];
    let tree = Tree::from_files(files);
    let pillar = serde_json::json!({"a": {"b": [1, 2.5, null, true, "x"]}});
    let inner = Inner::new(&tree, &Facts::default(), &pillar, &nowhere(), &Opts::default());
    let mut vars = sls_vars("a.main", "a/main.sls");
    vars.insert("salt".to_owned(), python::from_json(&serde_json::json!({})));
    drop(inner.render("a/main.sls", text, vars));
}

/// Compiles data as an SLS that includes another.
pub fn compiled(text: &str) {
    let (main, other) = (format!("#!yaml\n{text}"), "#!yaml\nx:\n  test.nop: []\n".to_owned());
    let tree = Tree::from_files([("a.sls", main), ("b.sls", other)]);
    let selection = Selection::Sls(vec!["a".to_owned()]);
    drop(compile(&tree, &Facts::default(), &Json::Null, &selection, &nowhere()));
}

/// A host without anything.
fn nowhere() -> Host {
    Host::under("/nonexistent")
}

/// Reads YAML and writes it again: what was read must come back. What is read line by line must be
/// what libyaml reads.
///
/// # Panics
/// When it is not.
pub fn yaml_round(text: &str) {
    assert!(crate::yaml::simple::agrees(text), "{text:?}");
    let Ok(read) = crate::yaml::read_pillar(text) else { return };
    // PyYAML, whose writing this is, does not read back these two line breaks of YAML 1.1 either.
    if read.to_string().contains(['\u{2028}', '\u{2029}']) {
        return;
    }
    // What no JSON holds (an infinite number) is written as null.
    let written = crate::yaml::emit::block(&read);
    let again = crate::yaml::read_pillar(&written).map(|again| again == read);
    assert!(again == Ok(true), "{read} was written as {written:?}: {again:?}");
}
