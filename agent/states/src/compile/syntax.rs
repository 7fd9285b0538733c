//! Whether the SLS of a tree parse at all: nothing is rendered, no machine is looked at.

use serde_json::Value;

use crate::error::{At, Error, Kind};
use crate::facts::Facts;
use crate::host::Host;
use crate::opts::Opts;
use crate::render::Renderer;
use crate::sls;
use crate::tree::Tree;
use crate::yaml;

/// All SLS of all environments whose templates do not parse, or whose YAML does not where there is
/// no template.
pub fn syntax(tree: &Tree) -> Vec<Error> {
    let facts = Facts::default();
    let of = |tree: &Tree| {
        let renderer = Renderer::new(tree, &facts, &Value::Null, &Host::new(), &Opts::default());
        let files = tree.paths().filter(|path| path.ends_with(".sls"));
        files.filter_map(|file| one(&renderer, tree, file).err()).collect::<Vec<_>>()
    };
    tree.envs().filter_map(|env| tree.env(env)).flat_map(|tree| of(&tree)).collect()
}

fn one(renderer: &Renderer, tree: &Tree, file: &str) -> Result<(), Error> {
    let place = sls::place(tree, file);
    let at = |line| Some(At::new(place.as_str(), line));
    let Some(data) = tree.read(file) else { return Ok(()) };
    let data = data.map_err(|error| Error::new(Kind::Missing, at(0), error.to_string()))?;
    let source =
        sls::text_of(data).map_err(|line| Error::new(Kind::Render, at(line), sls::NOT_UTF8))?;
    let (jinja, _) = sls::renderers(&source, &At::new(file, 1))?;
    let template = ["{{", "{%", "{#"].iter().any(|mark| source.contains(mark));
    if jinja && template {
        let parsed = renderer.parses(file, &source, true);
        return parsed.map_err(|(line, reason)| Error::new(Kind::Render, at(line), reason));
    }
    let parsed = yaml::parse(&source).map(|_| ());
    parsed.map_err(|error| Error::new(Kind::Render, at(error.line), error.short()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_parse_is_found_without_rendering() {
        let tree = Tree::from_files(
            [
                ("a.sls", "x: {{ nothing.at.all }}\n"),
                ("b.sls", "a: 1\n{% if %}\n"),
                ("c/init.sls", "a: [\n"),
                ("d.txt", "{% if %}"),
            ]
            .map(|(file, text)| (file, text.as_bytes().to_vec()))
            .into_iter()
            .chain([("e.sls", b"a: 1\nb: caf\xe9\n".to_vec())]),
        );
        let faults = syntax(&tree);
        let places: Vec<String> =
            faults.iter().map(|fault| fault.at.as_ref().unwrap().file.to_string()).collect();
        assert_eq!(places, ["b.sls", "c/init.sls", "e.sls"]);
        assert_eq!(faults[0].at.as_ref().unwrap().line, 2);
        assert_eq!(faults[2].at.as_ref().unwrap().line, 2, "not UTF-8");
    }
}
