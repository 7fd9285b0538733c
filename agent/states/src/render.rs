//! Jinja as Salt has it: one environment for a whole compilation, rendering SLS and templates.
//!
//! minijinja does the work; `preprocess` rewrites Salt's extensions, `python` makes values act as
//! Python's, `filters` and the execution modules (`crate::module`) hold what templates may call.

mod filters;
mod imports;
mod lines;
mod methods;
mod preprocess;
pub(crate) mod python;

pub(crate) use imports::render_inside;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value as Json;

use crate::facts::Facts;
use crate::host::Host;
use crate::module::Site;
use crate::opts::Opts;
use crate::tree::Tree;
use crate::yaml;

/// Instructions that one render may take: stops endless loops within seconds.
const FUEL: u64 = 50_000_000;
/// Bytes that one template may have.
const TEMPLATE_MAX: usize = 8 << 20;

/// What templates see besides their own variables.
pub(crate) struct Scope {
    pub(crate) tree: Tree,
    pub(crate) host: Host,
    pub(crate) facts: Facts,
    pub(crate) grains: Value,
    pub(crate) pillar: Value,
    pub(crate) opts: Value,
    /// The last function of `salt` that was looked for in vain: its call's error tells no name.
    missing: Mutex<Option<String>>,
}

impl Scope {
    pub(crate) fn note_missing(&self, name: &str) {
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    }

    fn take_missing(&self) -> Option<String> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Renders templates of one tree for one host.
pub(crate) struct Renderer {
    env: Environment<'static>,
    scope: Arc<Scope>,
    salt: Value,
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renderer")
    }
}

/// A renderer for each environment of a tree.
#[derive(Debug)]
pub(crate) struct Worlds {
    base: Renderer,
    others: Vec<Renderer>,
}

impl Worlds {
    pub(crate) fn new(base: Renderer) -> Worlds {
        let envs = base.scope.tree.envs().skip(1).map(str::to_owned).collect::<Vec<_>>();
        let others = envs.iter().filter_map(|env| base.in_env(env)).collect();
        Worlds { base, others }
    }

    pub(crate) fn base(&self) -> &Renderer {
        &self.base
    }

    pub(crate) fn get(&self, saltenv: &str) -> Option<&Renderer> {
        let mut all = std::iter::once(&self.base).chain(&self.others);
        all.find(|renderer| renderer.scope.tree.saltenv() == saltenv)
    }
}

/// Why a template did not render: the file and line at fault, and Salt's words where it has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; line {line}")]
pub(crate) struct RenderError {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) reason: String,
}

/// Variables of one render.
pub(crate) type Vars = BTreeMap<String, Value>;

impl Renderer {
    pub(crate) fn new(
        tree: &Tree,
        facts: &Facts,
        pillar: &Json,
        host: &Host,
        opts: &Opts,
    ) -> Renderer {
        let grains = python::from_json(&Json::Object(facts.as_map().clone()));
        let pillar = python::from_json(pillar);
        let opts = python::from_json(&opts.for_templates(facts.id()));
        let own = [("grains", &grains), ("pillar", &pillar)];
        let own = own.map(|(name, value)| (Value::from(name), value.clone()));
        let opts = python::dict(python::pairs(&opts).into_iter().chain(own).collect());
        Renderer::of(Scope {
            tree: tree.clone(),
            host: host.clone(),
            facts: facts.clone(),
            grains,
            pillar,
            opts,
            missing: Mutex::default(),
        })
    }

    /// The same renderer for another environment of its tree; `None` if there is no such one.
    pub(crate) fn in_env(&self, saltenv: &str) -> Option<Renderer> {
        let scope = &self.scope;
        Some(Renderer::of(Scope {
            tree: scope.tree.env(saltenv)?,
            host: scope.host.clone(),
            facts: scope.facts.clone(),
            grains: scope.grains.clone(),
            pillar: scope.pillar.clone(),
            opts: scope.opts.clone(),
            missing: Mutex::default(),
        }))
    }

    fn of(scope: Scope) -> Renderer {
        let scope = Arc::new(scope);
        let mut env = Environment::new();
        env.set_undefined_behavior(UndefinedBehavior::Strict);
        env.set_fuel(Some(FUEL));
        env.set_auto_escape_callback(|_| AutoEscape::None);
        env.set_unknown_method_callback(methods::call);
        env.set_formatter(|out, _, value| {
            fmt::Write::write_str(out, &python::text(value)).map_err(|_| python::fault("no room"))
        });
        let tree = scope.tree.clone();
        env.set_loader(move |name| load(&tree, name));
        env.set_path_join_callback(|name, parent| join(name, parent).into());
        filters::install(&mut env);
        imports::install(&mut env, &scope);
        let salt = crate::module::salt(&scope);
        env.add_global("salt", salt.clone());
        Renderer { env, scope, salt }
    }

    /// Renders `source`, which came from `file`.
    pub(crate) fn render(
        &self,
        file: &str,
        source: &str,
        vars: Vars,
    ) -> Result<String, RenderError> {
        let fail = |line, reason: &str| {
            Err(RenderError { file: file.to_owned(), line, reason: reason.to_owned() })
        };
        if source.len() > TEMPLATE_MAX {
            return fail(0, "the template is larger than 8 MiB");
        }
        let text = preprocess::preprocess(source.strip_suffix('\n').unwrap_or(source));
        let context = self.context(vars);
        let rendered = self
            .env
            .template_from_named_str(file, &text)
            .and_then(|template| template.render(&context));
        match rendered {
            Ok(mut out) => {
                if source.ends_with('\n') {
                    out.push('\n');
                }
                Ok(out)
            }
            Err(error) => {
                let mut told = explain(file, &error);
                if told.reason.ends_with("value of type undefined is not callable")
                    && let Some(name) = self.scope.take_missing()
                {
                    told.reason = format!("Jinja variable 'salt' has no attribute '{name}'");
                    if crate::module::is_module(name.split('.').next().unwrap_or_default()) {
                        told.reason =
                            format!("{}: {}", told.reason, crate::module::unsupported(&name));
                    }
                }
                Err(told)
            }
        }
    }

    /// The source line of each line that `source` renders to; `None` if that cannot be told.
    pub(crate) fn source_lines(&self, file: &str, source: &str, vars: &Vars) -> Option<Vec<u32>> {
        let plain = self.render(file, source, vars.clone()).ok()?;
        let marked = self.render(file, &lines::marked(source), vars.clone()).ok()?;
        lines::lines_of(&marked, &plain)
    }

    fn context(&self, vars: Vars) -> Value {
        let mut all: Vars = BTreeMap::new();
        all.insert("salt".to_owned(), self.salt.clone());
        all.extend(usual_vars(&self.scope));
        all.extend(vars);
        Value::from_pairs(all)
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What a function is called with outside templates: it may not act, unless the caller says so.
    pub(crate) fn site(&self) -> Site<'_> {
        Site { scope: &self.scope, env: &self.env, may_act: false }
    }
}

/// The variables that every template sees, but for `salt`.
fn usual_vars(scope: &Scope) -> [(String, Value); 5] {
    [
        ("grains".to_owned(), scope.grains.clone()),
        ("pillar".to_owned(), scope.pillar.clone()),
        ("opts".to_owned(), scope.opts.clone()),
        ("saltenv".to_owned(), Value::from(scope.tree.saltenv())),
        ("env".to_owned(), Value::from(scope.tree.saltenv())),
    ]
}

/// The variables that tell an SLS where it is (`sls`, `slspath`, `tpldir`, ...).
pub(crate) fn sls_vars(sls: &str, file: &str) -> Vars {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut vars = file_vars(file);
    vars.insert("sls".to_owned(), Value::from(sls));
    vars.insert("slspath".to_owned(), Value::from(folder));
    vars.insert("slsdotpath".to_owned(), Value::from(folder.replace('/', ".")));
    vars.insert("slscolonpath".to_owned(), Value::from(folder.replace('/', ":")));
    vars.insert("sls_path".to_owned(), Value::from(folder.replace('/', "_")));
    vars
}

/// The variables that tell a template where it is.
pub(crate) fn file_vars(file: &str) -> Vars {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let shown = if folder.is_empty() { "." } else { folder };
    let root = shown.split('/').next().unwrap_or(shown);
    let var = |name: &str, value: &str| (name.to_owned(), Value::from(value));
    Vars::from_iter([
        var("tplpath", file),
        var("tplfile", file),
        var("tpldir", shown),
        var("tpldot", &folder.replace('/', ".")),
        var("tplroot", root),
    ])
}

/// Reads an imported or included file; an imported one sees its own `tpldir`.
fn load(tree: &Tree, name: &str) -> Result<Option<String>, minijinja::Error> {
    let (imported, path) = match name.strip_prefix(preprocess::IMPORTED) {
        Some(path) => (true, path),
        None => (false, name),
    };
    let Some(text) = read_text(tree, path)? else { return Ok(None) };
    let text = preprocess::preprocess(text.strip_suffix('\n').unwrap_or(&text));
    if !imported {
        return Ok(Some(text));
    }
    let sets: String = file_vars(path)
        .into_iter()
        .map(|(name, value)| format!("{{% set {name} = {value:?} %}}"))
        .collect();
    Ok(Some(sets + &text))
}

/// The text of a file of the tree, by path or `salt://` address.
pub(crate) fn read_text(tree: &Tree, path: &str) -> Result<Option<String>, minijinja::Error> {
    let path = path.strip_prefix("salt://").unwrap_or(path).trim_start_matches('/');
    let Some(data) = tree.read(path) else { return Ok(None) };
    let data = data.map_err(|error| python::fault(format!("cannot read {path}: {error}")))?;
    let text =
        String::from_utf8(data).map_err(|_| python::fault(format!("{path} is not UTF-8")))?;
    Ok(Some(text))
}

/// Resolves `./x` and `../x` against the folder of the importing file.
pub(crate) fn join(name: &str, parent: &str) -> String {
    let (mark, path) = match name.strip_prefix(preprocess::IMPORTED) {
        Some(path) => (preprocess::IMPORTED, path),
        None => ("", name),
    };
    let path = path.strip_prefix("salt://").unwrap_or(path);
    if !(path.starts_with("./") || path.starts_with("../")) {
        return format!("{mark}{path}");
    }
    let parent = parent.strip_prefix(preprocess::IMPORTED).unwrap_or(parent);
    let mut parts: Vec<&str> = parent.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("{mark}{}", parts.join("/"))
}

/// The innermost place and cause of a minijinja error.
fn explain(file: &str, error: &minijinja::Error) -> RenderError {
    let mut inner = error;
    let mut next: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<minijinja::Error>() {
            inner = found;
        }
        next = cause.source();
    }
    let place = if inner.line().is_some() { inner } else { error };
    let name = place.name().unwrap_or(file);
    let detail = inner.detail().unwrap_or_default();
    let reason = match inner.kind() {
        minijinja::ErrorKind::UndefinedError => format!("Jinja variable is undefined: {detail}"),
        minijinja::ErrorKind::SyntaxError => format!("Jinja syntax error: {detail}"),
        kind if detail.is_empty() => format!("Jinja error: {kind}"),
        kind => format!("Jinja error: {kind}: {detail}"),
    };
    RenderError {
        file: name.strip_prefix(preprocess::IMPORTED).unwrap_or(name).to_owned(),
        line: place.line().and_then(|line| u32::try_from(line).ok()).unwrap_or(0),
        reason: reason.trim_end_matches(": ").to_owned(),
    }
}

/// Parses YAML for a template, naming the line in the error.
pub(crate) fn yaml_value(text: &str) -> Result<Value, minijinja::Error> {
    let node = yaml::parse(text).map_err(|error| python::fault(error.to_string()))?;
    Ok(python::from_yaml(&node))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renderer(files: &[(&str, &str)]) -> Renderer {
        let tree = Tree::from_files(files.iter().map(|(path, text)| (*path, *text)));
        let facts: Facts =
            serde_json::from_value(serde_json::json!({"id": "w1", "os": "Debian"})).unwrap();
        let pillar = serde_json::json!({"a": {"b": 1}, "l": [1, 2], "none": null});
        Renderer::new(&tree, &facts, &pillar, &Host::new(), &Opts::default())
    }

    fn render(text: &str) -> String {
        renderer(&[]).render("a.sls", text, Vars::new()).unwrap()
    }

    #[test]
    fn values_print_as_python_prints_them() {
        assert_eq!(
            render("{{ pillar.none }} {{ true }} {{ pillar }}\n"),
            "None True {'a': {'b': 1}, 'l': [1, 2], 'none': None}\n"
        );
        assert_eq!(render("{{ [1, 'a', (2,)] }}{{ 1.0 }}"), "[1, 'a', (2,)]1.0");
    }

    #[test]
    fn containers_change_in_place() {
        assert_eq!(render("{% set l = [] %}{% do l.append(3) %}{{ l }}"), "[3]");
        assert_eq!(render("{% set d = {} %}{% do d.update({'a': 1}) %}{{ d.a }}"), "1");
        let text = "{% set d = {'n': 0} %}{% for i in [1,2] %}{% do d.update({'n': i}) %}\
                    {% endfor %}{{ d['n'] }}";
        assert_eq!(render(text), "2");
    }

    #[test]
    fn an_undefined_variable_names_its_line_and_file() {
        let renderer = renderer(&[("m.jinja", "x\n{{ nope.y }}\n")]);
        let error = renderer.render("a.sls", "ok\n{{ nope }}\n", Vars::new()).unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("a.sls", 2));
        let error = renderer.render("a.sls", "{% include 'm.jinja' %}", Vars::new()).unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("m.jinja", 2));
    }

    #[test]
    fn an_endless_loop_runs_out_of_fuel() {
        let text = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
        let error = renderer(&[]).render("a.sls", text, Vars::new()).unwrap_err();
        assert!(error.reason.contains("fuel"), "{}", error.reason);
    }

    #[test]
    fn imports_find_files_beside_them_and_know_their_folder() {
        let files = [
            ("a/m.jinja", "{% macro m(x) %}<{{ x }}>{% endmacro %}{% set where = tpldir %}"),
            ("a/d.yaml", "k: [1, 0644]\n"),
        ];
        let renderer = renderer(&files);
        let text = "{% from './m.jinja' import m, where with context %}{{ m(1) }}{{ where }}\
                    {% import_yaml 'a/d.yaml' as d %}{{ d.k }}{% load_yaml as y %}z: 2{% endload %}\
                    {{ y.z }}";
        let out = renderer.render("a/init.sls", text, sls_vars("a", "a/init.sls")).unwrap();
        assert_eq!(out, "<1>a[1, 644]2");
    }
}
