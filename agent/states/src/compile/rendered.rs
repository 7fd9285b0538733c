//! One SLS as the text that its templates render to, for people who look for a mistake.

use serde_json::json;

use super::Request;
use crate::error::{At, Error, Kind};
use crate::render::{Renderer, sls_vars};
use crate::sls;

/// The rendered text of the SLS `name`; the selection of the request is not used.
///
/// # Errors
/// When there is no such SLS, or it does not render.
pub fn rendered(request: &Request<'_>, name: &str) -> Result<String, Error> {
    let Request { tree, facts, opts, host, .. } = *request;
    let pillar = if request.pillar.is_null() { json!({}) } else { request.pillar.clone() };
    let saltenv = tree.saltenv();
    let failed = |reason: &str| sls::failed(saltenv, name, reason);
    let file = sls::file_of(tree, name).ok_or_else(|| sls::missing(name, saltenv))?;
    let fault = |kind, reason: String| Error::new(kind, Some(At::new(file.as_str(), 0)), reason);
    let data = tree.read(&file).ok_or_else(|| sls::missing(name, saltenv))?;
    let data = data.map_err(|error| fault(Kind::Missing, error.to_string()))?;
    let source = sls::text_of(data).map_err(|line| Error {
        at: Some(At::new(file.as_str(), line)),
        ..fault(Kind::Render, failed(sls::NOT_UTF8))
    })?;
    let (jinja, _) = sls::renderers(&source, &At::new(file.as_str(), 1))?;
    if !jinja {
        return Ok(source);
    }
    let renderer = Renderer::new(tree, facts, &pillar, host, opts);
    let rendered = renderer.render(&file, &source, sls_vars(name, &file));
    rendered.map_err(|error| {
        let at = At::new(error.file.as_str(), error.line);
        Error::new(Kind::Render, Some(at), failed(&error.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::Selection;
    use crate::facts::Facts;
    use crate::host::Host;
    use crate::opts::Opts;
    use crate::tree::Tree;

    #[test]
    fn an_sls_is_shown_as_its_templates_render_it() {
        let files = [("a/init.sls", "x: {{ pillar.p + 1 }}\n"), ("b.sls", "#!yaml\n{{ x }}\n")];
        let request = Request {
            tree: &Tree::from_files(files),
            facts: &Facts::default(),
            pillar: &json!({"p": 1}),
            opts: &Opts::default(),
            selection: &Selection::Highstate,
            exclude: &[],
            host: &Host::new(),
        };
        assert_eq!(rendered(&request, "a").unwrap(), "x: 2\n");
        assert_eq!(rendered(&request, "b").unwrap(), "#!yaml\n{{ x }}\n");
        assert_eq!(rendered(&request, "c").unwrap_err().kind, Kind::Missing);
    }
}
