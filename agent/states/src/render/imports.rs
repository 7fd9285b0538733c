//! `import_yaml`, `import_json`, `import_text`, `raise`; rendering inside a render.

use std::sync::Arc;

use minijinja::value::Value;
use minijinja::{Environment, Error, State};

use super::filters::load_json;
use super::python::fault;
use super::{Scope, Vars, preprocess, read_text, yaml_value};

/// Adds the functions that the preprocessor writes in place of `{% import_yaml .. %}` and its kin.
pub(super) fn install(env: &mut Environment<'static>, scope: &Arc<Scope>) {
    env.add_function("raise", |message: String| -> Result<Value, Error> { Err(fault(message)) });
    let tree = scope.tree.clone();
    env.add_function("__import_text", {
        let tree = tree.clone();
        move |path: &str| import(&tree, path).map(|text| Value::from(text.trim_end_matches('\n')))
    });
    for (name, json) in [("__import_yaml", false), ("__import_json", true)] {
        let tree = tree.clone();
        env.add_function(name, move |state: &mut State<'_, '_>, path: &str| {
            let text = import(&tree, &beside(state.name(), path))?;
            let text = if text.contains("{{") || text.contains("{%") {
                render_here(state, &text)?
            } else {
                text
            };
            if json { load_json(&text) } else { yaml_value(&text) }
        });
    }
}

/// Renders an imported data file with the importer's variables.
fn render_here(state: &mut State<'_, '_>, text: &str) -> Result<String, Error> {
    const FIXED: [&str; 16] = [
        "salt",
        "grains",
        "pillar",
        "opts",
        "saltenv",
        "env",
        "sls",
        "slspath",
        "slsdotpath",
        "slscolonpath",
        "sls_path",
        "tplpath",
        "tplfile",
        "tpldir",
        "tpldot",
        "tplroot",
    ];
    let known: Vec<String> = state.known_variables().iter().map(|name| name.to_string()).collect();
    let names = known.into_iter().chain(FIXED.iter().map(|name| (*name).to_owned()));
    let vars: Vec<(String, Value)> =
        names.filter_map(|name| state.lookup(&name).map(|value| (name, value))).collect();
    let context = Value::from_pairs(vars);
    let text = preprocess::preprocess(text);
    state.env().template_from_named_str("import", &text)?.render(context)
}

fn beside(parent: &str, path: &str) -> String {
    super::join(path, parent)
}

fn import(tree: &crate::tree::Tree, path: &str) -> Result<String, Error> {
    read_text(tree, path)?.ok_or_else(|| {
        Error::new(minijinja::ErrorKind::TemplateNotFound, format!("{path} is not in the tree"))
    })
}

/// Renders a template for a function that a template called; its errors are the inner template's.
pub(crate) fn render_inside(
    env: &Environment<'_>,
    scope: &Scope,
    name: &str,
    source: &str,
    vars: Vars,
) -> Result<String, Error> {
    let text = preprocess::preprocess(source.strip_suffix('\n').unwrap_or(source));
    let mut all: Vars =
        env.globals().filter(|(name, _)| *name == "salt").map(|(n, v)| (n.to_owned(), v)).collect();
    all.extend(super::usual_vars(scope));
    all.extend(vars);
    let template = env.template_from_named_str(name, &text)?;
    let mut out = template.render(Value::from_pairs(all))?;
    if source.ends_with('\n') {
        out.push('\n');
    }
    Ok(out)
}
