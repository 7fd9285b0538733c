//! Jinja as Salt has it: one engine for a whole compilation, rendering SLS and templates.
//!
//! `jinja` parses and runs templates, `python` and `methods` make values act as Python's,
//! `filters` and the execution modules (`crate::module`) hold what templates may call.

mod filters;
mod jinja;
mod lines;
mod markup;
mod methods;
pub(crate) mod python;
mod worlds;

pub(crate) use filters::dump::{Indent, json as json_text, measured};
pub(crate) use jinja::ops::{Number, iterate, number, type_name};
pub(crate) use worlds::Worlds;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use minijinja::Environment;
use minijinja::value::Value;
use serde_json::Value as Json;

use crate::facts::Facts;
use crate::host::Host;
use crate::module::Site;
use crate::opts::Opts;
use crate::tree::{BASE, LazyTree, Tree};
use crate::yaml;
use jinja::{Engine, Kinds, Options, Stopped};

/// The types of `opts`, and of `grains` and `pillar`, which are in it.
const OPTS: &str = "salt.utils.optsdict.OptsDict";
const PART_OF_OPTS: &str = "salt.utils.optsdict.DictProxy";

/// What templates see besides their own variables.
pub(crate) struct Scope {
    pub(crate) tree: Tree,
    pub(crate) host: Host,
    pub(crate) facts: Facts,
    pub(crate) grains: Value,
    pub(crate) pillar: Value,
    pub(crate) opts: Value,
    kinds: Kinds,
    /// Whether the tree is a pillar's.
    pub(crate) of_pillar: bool,
    /// The state tree beside a pillar's.
    states: Option<LazyTree>,
    /// The last function of `salt` that was looked for in vain: its call's error tells no name.
    missing: Mutex<Option<String>>,
    /// What renders for a function that a template called.
    engine: OnceLock<Weak<Engine>>,
}

impl Scope {
    pub(crate) fn note_missing(&self, name: &str) {
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    }

    fn take_missing(&self) -> Option<String> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What `salt://` means to functions: the state tree in an environment, also in a pillar. One
    /// that is not there is empty.
    pub(crate) fn files(&self, saltenv: &str) -> Result<Tree, minijinja::Error> {
        let tree = match &self.states {
            Some(states) => states.get().map_err(|why| python::fault(why.to_owned()))?,
            None => &self.tree,
        };
        Ok(tree.env(saltenv).unwrap_or_default())
    }

    /// The environment that the options name, or else `base`.
    pub(crate) fn saltenv(&self) -> String {
        let own = self.opts.get_attr("saltenv").ok();
        let own = own.and_then(|env| env.as_str().map(str::to_owned));
        own.filter(|env| !env.is_empty()).unwrap_or_else(|| BASE.to_owned())
    }
}

/// Renders templates of one tree for one host.
pub(crate) struct Renderer {
    engine: Arc<Engine>,
    scope: Arc<Scope>,
    salt: Value,
}

impl fmt::Debug for Renderer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renderer")
    }
}

/// Why a template did not render: the file and line at fault, and Salt's words where it has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; line {told}")]
pub(crate) struct RenderError {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) reason: String,
    /// The line that Salt tells.
    pub(crate) told: u32,
    /// What Salt shows of the place.
    shown: Shown,
}

/// The lines around a place, as Salt shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown {
    /// Of the file that was rendered.
    Own(String),
    /// Of a file that it brought in, whose path is told.
    Other(String),
    Nothing,
}

impl RenderError {
    /// What Salt says of it, with the lines around the place.
    pub(crate) fn words(&self) -> String {
        let RenderError { reason, told, .. } = self;
        match &self.shown {
            Shown::Own(lines) => format!("{reason}; line {told}\n\n{lines}"),
            Shown::Other(lines) => format!("{reason}\n{lines}"),
            Shown::Nothing => format!("{}: {self}", self.file),
        }
    }
}

/// Variables of one render.
pub(crate) type Vars = BTreeMap<String, Value>;

impl Scope {
    fn new(tree: &Tree, facts: &Facts, pillar: &Json, host: &Host, opts: &Opts) -> Scope {
        let grains = python::from_json(&Json::Object(facts.as_map().clone()));
        let grains = python::dict_of_type(&grains, PART_OF_OPTS);
        let pillar = python::dict_of_type(&python::from_pillar(pillar), PART_OF_OPTS);
        let kinds = Kinds::of(opts);
        let opts = python::from_json(&opts.for_templates(facts.id()));
        let own = [("grains", &grains), ("pillar", &pillar)];
        let own = own.map(|(name, value)| (Value::from(name), value.clone()));
        let opts = python::dict(python::pairs(&opts).into_iter().chain(own).collect());
        let opts = python::dict_of_type(&opts, OPTS);
        Scope {
            tree: tree.clone(),
            host: host.clone(),
            facts: facts.clone(),
            grains,
            pillar,
            opts,
            kinds,
            of_pillar: false,
            states: None,
            missing: Mutex::default(),
            engine: OnceLock::new(),
        }
    }

    /// The same scope in another environment of its tree; `None` if there is no such one.
    fn in_env(&self, saltenv: &str) -> Option<Scope> {
        Some(Scope {
            tree: self.tree.env(saltenv)?,
            host: self.host.clone(),
            facts: self.facts.clone(),
            grains: self.grains.clone(),
            pillar: self.pillar.clone(),
            opts: self.opts.clone(),
            kinds: self.kinds.clone(),
            of_pillar: self.of_pillar,
            states: self.states.clone(),
            missing: Mutex::default(),
            engine: OnceLock::new(),
        })
    }
}

impl Renderer {
    pub(crate) fn new(
        tree: &Tree,
        facts: &Facts,
        pillar: &Json,
        host: &Host,
        opts: &Opts,
    ) -> Renderer {
        Renderer::of(Scope::new(tree, facts, pillar, host, opts))
    }

    /// A renderer of a tree of pillar, beside which there is a state tree; `pillar` is what its
    /// templates see of another.
    pub(crate) fn of_pillar(
        (tree, states): (&Tree, &LazyTree),
        facts: &Facts,
        pillar: &Json,
        host: &Host,
        opts: &Opts,
    ) -> Renderer {
        let scope = Scope::new(tree, facts, pillar, host, opts);
        Renderer::of(Scope { of_pillar: true, states: Some(states.clone()), ..scope })
    }

    fn of(scope: Scope) -> Renderer {
        let scope = Arc::new(scope);
        let salt = crate::module::salt(&scope);
        let mut env = Environment::empty();
        env.add_global("salt", salt.clone());
        let engine = Arc::new(Engine::new(&scope.tree, &scope.host, scope.kinds.clone(), env));
        // It is set once: this scope is new.
        let _first = scope.engine.set(Arc::downgrade(&engine));
        Renderer { engine, scope, salt }
    }

    /// Renders `source`, which came from `file`.
    pub(crate) fn render(
        &self,
        file: &str,
        source: &str,
        vars: Vars,
    ) -> Result<String, RenderError> {
        let sls = sls_of(&vars);
        let vars = context(&self.scope, self.salt.clone(), vars);
        let rendered = self.engine.render(file, source, vars);
        rendered.map_err(|stopped| {
            let mut error = explain(&self.scope.tree, (file, source), sls.as_deref(), stopped);
            error.reason = advised(&self.scope, error.reason);
            error
        })
    }

    /// Whether `source`, which came from `file`, is a template at all; if not, where and why.
    pub(crate) fn parses(
        &self,
        file: &str,
        source: &str,
        is_sls: bool,
    ) -> Result<(), (u32, String)> {
        self.engine.parses(file, source, is_sls)
    }

    /// The source line of each line that `source` renders to; `None` if that cannot be told.
    pub(crate) fn source_lines(&self, file: &str, source: &str, vars: &Vars) -> Option<Vec<u32>> {
        let plain = self.render(file, source, vars.clone()).ok()?;
        let marked = self.render(file, &lines::marked(source), vars.clone()).ok()?;
        lines::lines_of(&marked, &plain)
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What a function is called with outside templates: it may not act, unless the caller says so.
    pub(crate) fn site(&self) -> Site<'_> {
        Site { scope: &self.scope, env: self.engine.env(), state: None }
    }
}

/// All variables of a render.
fn context(scope: &Scope, salt: Value, vars: Vars) -> HashMap<Arc<str>, Value> {
    let mut all = HashMap::from([(Arc::from("salt"), salt)]);
    let more = usual_vars(scope).into_iter().chain(vars);
    all.extend(more.map(|(name, value)| (Arc::from(name), value)));
    all
}

/// A reason, with what to do instead if it is that a function of `salt` is not there.
fn advised(scope: &Scope, reason: String) -> String {
    if !reason.contains("'salt.utils.templates.AliasedLoader object' has no attribute") {
        return reason;
    }
    let Some(name) = scope.take_missing() else { return reason };
    if crate::module::may_be_function(&name) {
        format!("{reason}: {}", crate::module::unsupported(&name))
    } else {
        reason
    }
}

/// Renders a template for a function that a template called; its errors are the inner template's.
pub(crate) fn render_inside(
    env: &Environment<'_>,
    scope: &Scope,
    name: &str,
    source: &str,
    vars: Vars,
) -> Result<String, minijinja::Error> {
    let engine = scope.engine.get().and_then(Weak::upgrade);
    let engine = engine.ok_or_else(|| python::fault("no template is being rendered"))?;
    let salt = env.globals().find(|(name, _)| *name == "salt").map(|(_, salt)| salt);
    let sls = sls_of(&vars);
    let vars = context(scope, salt.unwrap_or_default(), vars);
    engine.render(name, source, vars).map_err(|stopped| {
        let error = explain(&scope.tree, (name, source), sls.as_deref(), stopped);
        python::fault(format!("{}; line {}", advised(scope, error.reason), error.told))
    })
}

/// The variables that every template sees, but for `salt`.
fn usual_vars(scope: &Scope) -> [(String, Value); 4] {
    [
        ("grains".to_owned(), scope.grains.clone()),
        ("pillar".to_owned(), scope.pillar.clone()),
        ("opts".to_owned(), scope.opts.clone()),
        ("saltenv".to_owned(), Value::from(scope.tree.saltenv())),
    ]
}

/// The variables that tell an SLS where it is (`sls`, `slspath`, `tpldir`, ...).
pub(crate) fn sls_vars(sls: &str, file: &str) -> Vars {
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let var = |name: &str, value: &str| (name.to_owned(), Value::from(value));
    Vars::from_iter([
        var("tplpath", file),
        var("tplfile", file),
        var("tpldir", if folder.is_empty() { "." } else { folder }),
        var("tpldot", &folder.replace('/', ".")),
        var("sls", sls),
        var("slspath", folder),
        var("slsdotpath", &folder.replace('/', ".")),
        var("slscolonpath", &folder.replace('/', ":")),
        var("sls_path", &folder.replace('/', "_")),
    ])
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

/// The path that the name of the SLS means whose variables these are.
fn sls_of(vars: &Vars) -> Option<String> {
    vars.get("sls").map(|sls| python::text(sls).replace('.', "/"))
}

/// Salt's words, with the lines around the place, for what was rendered: its name and text.
fn explain(
    tree: &Tree,
    rendered: (&str, &str),
    sls: Option<&str>,
    stopped: Stopped,
) -> RenderError {
    let Stopped { failure, file, line, top: (place, told) } = stopped;
    // Salt takes any file for the SLS itself whose path ends with its name: `map.jinja` for `a`.
    let own = place == rendered.0 || sls.is_some_and(|sls| place.ends_with(sls));
    // What is too large to be a template is too large to be shown, and read.
    let large = if own { rendered.1.len() as u64 } else { tree.size(&place).unwrap_or(0) };
    let none = told == 0 || jinja::is_too_large(large);
    let shown = match if none || own { Ok(None) } else { read_text(tree, &place) } {
        _ if none => Shown::Nothing,
        _ if own => Shown::Own(lines::around(&Options::default().with_header(rendered.1).1, told)),
        Ok(Some(text)) => {
            let path = tree.disk_path(&place).map(|path| path.display().to_string());
            let path = path.as_ref().unwrap_or(&place);
            Shown::Other(format!("{path}({told}):\n{}", lines::around(&text, told)))
        }
        Ok(None) | Err(_) => Shown::Nothing,
    };
    RenderError { file, line, reason: failure.words(), told, shown }
}

/// Parses YAML for a template, naming the line in the error.
pub(crate) fn yaml_value(text: &str) -> Result<Value, minijinja::Error> {
    let node = yaml::parse(text).map_err(|error| python::fault(error.words))?;
    Ok(python::from_yaml(&node))
}

/// Parses YAML as Salt's serializer of that name does.
pub(crate) fn serialized_value(text: &str) -> Result<Value, minijinja::Error> {
    let node = yaml::parse_serialized(text).map_err(|error| python::fault(error.words))?;
    Ok(python::from_yaml(&node))
}

/// Parses YAML as Salt's renderer of that name does.
pub(crate) fn sls_value(text: &str) -> Result<Value, minijinja::Error> {
    let node = yaml::parse(text).map_err(|error| python::fault(error.words))?;
    Ok(python::from_sls_yaml(&node))
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
    fn a_fault_is_told_with_the_lines_around_it_also_of_another_file() {
        let files =
            [("m.jinja", "{% macro m() %}\n{{ nope }}\n{% endmacro %}"), ("s", "x\n{% if %}")];
        let renderer = renderer(&files);
        let words = |text: &str| renderer.render("a.sls", text, Vars::new()).unwrap_err().words();
        let own = "Jinja variable 'dict object' has no attribute 'x'; line 2\n\n---\nok\n\
                   {{ {}.x }}    <======================\n---";
        assert_eq!(words("ok\n{{ {}.x }}"), own);
        let macros = "Jinja variable 'nope' is undefined\nm.jinja(2):\n---\n{% macro m() %}\n\
                      {{ nope }}    <======================\n{% endmacro %}\n---";
        assert_eq!(words("{% from 'm.jinja' import m %}\n\n{{ m() }}"), macros);
        let syntax = "Jinja syntax error: Expected an expression, got 'end of statement block'\n\
                      s(2):\n---\nx\n{% if %}    <======================\n---";
        assert_eq!(words("{% include 's' %}"), syntax);
    }

    #[test]
    fn an_endless_loop_runs_out_of_fuel() {
        let text = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
        let error = renderer(&[]).render("a.sls", text, Vars::new()).unwrap_err();
        assert!(error.reason.contains("fuel"), "{}", error.reason);
    }

    #[test]
    fn a_template_that_is_too_large_is_told_and_not_shown() {
        let large = "x".repeat(9 << 20);
        let renderer = renderer(&[("big.jinja", &large)]);
        for text in ["{% import 'big.jinja' as x %}", "{% include 'big.jinja' %}", &large] {
            let error = renderer.render("a.sls", text, Vars::new()).unwrap_err();
            assert!(error.words().contains("larger than 8 MiB"), "{}", error.reason);
            assert!(error.words().len() < 1000, "{}", error.words().len());
        }
    }

    #[test]
    fn what_holds_one_thing_many_times_is_too_large() {
        let large = "(['x' * 999999] * 9999)";
        let filters = ["", "|string", "|pprint", "|yaml", "|dict_to_sls_yaml_params", "|sort"];
        let mut texts: Vec<String> =
            filters.iter().map(|filter| format!("{{{{ ({large}{filter})|length }}}}")).collect();
        texts[0] = format!("{{{{ {large} }}}}");
        let nested = "{% set x = namespace(l=[1]) %}{% for i in range(50) %}\
                      {% set x.l = [x.l, x.l] %}{% endfor %}";
        texts.push(format!("{nested}{{{{ x.l|string }}}}"));
        texts.push(format!("{nested}{{{{ salt['slsutil.serialize']('yaml', x.l) }}}}"));
        for text in texts {
            let reason = renderer(&[]).render("a.sls", &text, Vars::new()).map_err(|e| e.reason);
            let told = reason.is_err_and(|reason| reason.contains("too large"));
            assert!(told, "{text}");
        }
        let same = format!("{nested}{{{{ x.l == x.l }}}}");
        assert_eq!(renderer(&[]).render("a.sls", &same, Vars::new()).unwrap(), "True");
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
