//! The pillar tree: per-worker data, rendered on the controller from `top.sls` and pillar SLS.

use std::collections::HashSet;
use std::path::Path;

use serde_json::{Map, Value};

use crate::data::merge;
use crate::error::{At, Error, Kind};
use crate::facts::Facts;
use crate::host::Host;
use crate::opts::Opts;
use crate::render::python::from_json;
use crate::render::{Renderer, Vars};
use crate::sls;
use crate::top;
use crate::tree::Tree;
use crate::yaml::Node;

/// Renders the pillar of the worker `id` from the tree at `root`.
///
/// SLS are merged in top-file order, maps into maps, a later value over an earlier. A tree without
/// a top file gives an empty pillar. All faults are returned, each with file and line.
pub fn render(root: impl AsRef<Path>, id: &str, facts: &Facts) -> Result<Value, Vec<Error>> {
    let tree = Tree::from_dir(root).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        vec![Error::new(Kind::Missing, None, format!("{error}{}", cause.unwrap_or_default()))]
    })?;
    render_tree(&tree, id, facts)
}

/// As [`render`], for a tree that was read already.
pub fn render_tree(tree: &Tree, id: &str, facts: &Facts) -> Result<Value, Vec<Error>> {
    let mut facts = facts.clone();
    facts.set("id", id);
    let empty = Value::Object(Map::new());
    // Pillar SLS may look at the controller's files no more than at any other machine's.
    let renderer = Renderer::new(tree, &facts, &empty, &Host::new(), &Opts::default());
    let names = top::selected(&renderer, &facts, &empty)?.unwrap_or_default();
    let mut state = Pillar { renderer: &renderer, tree, seen: HashSet::new(), errors: Vec::new() };
    let mut pillar = empty;
    for name in names {
        if let Some(data) = state.sls(&name, Vars::new(), None) {
            merge(&mut pillar, &data, false);
        }
    }
    if state.errors.is_empty() { Ok(pillar) } else { Err(state.errors) }
}

struct Pillar<'a> {
    renderer: &'a Renderer,
    tree: &'a Tree,
    seen: HashSet<String>,
    errors: Vec<Error>,
}

impl Pillar<'_> {
    fn sls(&mut self, name: &str, vars: Vars, at: Option<At>) -> Option<Value> {
        if !self.seen.insert(name.to_owned()) {
            return None;
        }
        let Some(file) = sls::file_of(self.tree, name) else {
            let reason = format!(
                "Specified SLS '{name}' in environment 'base' is not available on the salt master"
            );
            self.errors.push(Error::new(Kind::Missing, at, reason));
            return None;
        };
        let loaded = match sls::load(self.renderer, name, &file, vars) {
            Ok(loaded) => loaded,
            Err(error) => {
                self.errors.push(error);
                return None;
            }
        };
        let root = &loaded.root;
        if root.is_null() {
            return None;
        }
        let Some(pairs) = root.as_map() else {
            let reason = format!("SLS '{name}' does not render to a dictionary");
            self.errors.push(Error::shape(&At::new(file, root.line), reason));
            return None;
        };
        let mut data = Value::Object(Map::new());
        let mut own = Map::new();
        for (key, value) in pairs {
            match key.key_text().as_str() {
                "include" => self.includes(name, &file, value, &mut data),
                key => {
                    own.insert(key.to_owned(), value.to_json());
                }
            }
        }
        merge(&mut data, &Value::Object(own), false);
        Some(data)
    }

    fn includes(&mut self, name: &str, file: &str, list: &Node, data: &mut Value) {
        let Some(items) = list.as_seq() else {
            let reason = format!("Include Declaration in SLS '{name}' is not formed as a list");
            self.errors.push(Error::shape(&At::new(file, list.line), reason));
            return;
        };
        for item in items {
            let (included, key, defaults) = include(item);
            let base = file.ends_with("/init.sls");
            let included = absolute(&included, name, base);
            let at = Some(At::new(file, item.line));
            let patterns: Vec<String> = sls::names(self.tree)
                .into_iter()
                .filter(|known| crate::target::glob(&included, known))
                .collect();
            let found = if patterns.is_empty() { vec![included] } else { patterns };
            for one in found {
                if let Some(inner) = self.sls(&one, defaults.clone(), at.clone()) {
                    merge(data, &under(key.as_deref(), inner), false);
                }
            }
        }
    }
}

/// An include: its SLS, the key to put it under, and variables for it.
fn include(item: &Node) -> (String, Option<String>, Vars) {
    let Some([(sls, options), ..]) = item.as_map() else {
        return (item.key_text(), None, Vars::new());
    };
    let options = options.to_json();
    let key = options.get("key").and_then(Value::as_str).map(str::to_owned);
    let defaults = options.get("defaults").and_then(Value::as_object);
    let vars = defaults.into_iter().flatten().map(|(name, value)| (name.clone(), from_json(value)));
    (sls.key_text(), key, vars.collect())
}

/// Resolves `.x` against the including SLS.
fn absolute(included: &str, from: &str, init: bool) -> String {
    let levels = included.chars().take_while(|c| *c == '.').count();
    if levels == 0 {
        return included.to_owned();
    }
    let mut parts: Vec<&str> = from.split('.').collect();
    if init {
        parts.push("init");
    }
    parts.truncate(parts.len().saturating_sub(levels));
    parts.push(&included[levels..]);
    parts.join(".")
}

/// Nests data under `a:b`.
fn under(key: Option<&str>, data: Value) -> Value {
    let Some(key) = key else { return data };
    key.rsplit(':')
        .fold(data, |inner, part| Value::Object(Map::from_iter([(part.to_owned(), inner)])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pillar(files: &[(&str, &str)], id: &str) -> Result<Value, Vec<Error>> {
        let tree = Tree::from_files(files.iter().map(|(path, text)| (*path, *text)));
        let facts = serde_json::from_value(json!({"os": "Debian"})).unwrap();
        render_tree(&tree, id, &facts)
    }

    #[test]
    fn a_worker_gets_what_the_top_file_gives_it() {
        let files = [
            (
                "top.sls",
                "base:\n  '*': [all]\n  'web*': [web]\n  'os:Debian':\n    - match: grain\n    \
                 - deb\n",
            ),
            ("all.sls", "a: {x: 1}\nid: {{ grains.id }}\n"),
            ("web.sls", "a: {y: 2}\n"),
            ("deb/init.sls", "include: [.more]\nd: 1\n"),
            ("deb/more.sls", "m: {{ sls }}\n"),
        ];
        let web = pillar(&files, "web1").unwrap();
        assert_eq!(web, json!({"a": {"x": 1, "y": 2}, "id": "web1", "m": "deb.more", "d": 1}));
        assert_eq!(pillar(&files, "db").unwrap()["a"], json!({"x": 1}));
        assert_eq!(pillar(&[("x.sls", "a: 1")], "w").unwrap(), json!({}));
    }

    #[test]
    fn faults_name_file_and_line() {
        let files = [("top.sls", "base:\n  '*': [p, nope]\n"), ("p.sls", "a: 1\nk: {% if %}\n")];
        let errors = pillar(&files, "w").unwrap_err();
        assert_eq!(errors.len(), 2);
        assert_eq!(errors[0].at, Some(At::new("p.sls", 2)));
        assert!(errors[1].reason.contains("'nope'"));
    }
}
