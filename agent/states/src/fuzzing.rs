//! What fuzz targets, tests and benches reach of the renderer; no part of the API.

use std::path::Path;

use serde_json::Value as Json;

use crate::facts::Facts;
use crate::host::Host;
use crate::opts::Opts;
use crate::render::{Renderer as Inner, sls_vars};
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

/// Reads YAML and writes it again: what was read must come back.
///
/// # Panics
/// When it does not.
pub fn yaml_round(text: &str) {
    let Ok(read) = crate::yaml::read_yaml(text) else { return };
    let written = crate::yaml::emit::block(&read);
    let again = crate::yaml::read_yaml(&written).map(|again| again == read);
    assert!(again == Ok(true), "{read} was written as {written:?}: {again:?}");
}
