//! Jinja by its own rules: a lexer, a parser, and a walk over the tree it gives.
//!
//! Values are minijinja's; its templates are not used, as what Salt's trees do with Python's
//! operators, methods, scopes and imports has no form in them.

pub(super) mod args;
mod ast;
mod call;
mod eval;
mod failure;
mod files;
pub(super) mod format;
mod lexer;
pub(super) mod objects;
pub(super) mod ops;
mod options;
mod parser;
mod run;
mod scope;
pub(super) mod undefined;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Environment;
use minijinja::value::Value;

pub(super) use ast::Template;
pub(super) use call::copied;
pub(super) use eval::{attribute, item, path};
pub(super) use failure::Failure;
pub(super) use options::{Kinds, Options};
pub(super) use run::Run;

use crate::host::Host;
use crate::tree::Tree;
use crate::yaml::{self, Node};
use ast::Name;
use objects::Builtin;
use run::Frame;
use scope::Scope;

/// Brackets that may be open at once.
const BRACKETS_MAX: usize = 100;
/// Bytes that one template may have.
const TEMPLATE_MAX: usize = 8 << 20;
/// Bytes of sources that are kept parsed.
const CACHE_MAX: usize = 32 << 20;

/// A template that is not Jinja.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Syntax {
    pub(super) line: u32,
    pub(super) reason: String,
}

/// Why another file of the tree is no template.
enum Unread {
    Data(Failure),
    Syntax(Syntax),
}

/// Why and where a render stopped.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) failure: Failure,
    /// The innermost place.
    pub(super) file: String,
    pub(super) line: u32,
    /// The place outside of macros, which Salt names.
    pub(super) top: (String, u32),
}

/// Renders the templates of one tree; keeps what it parsed.
pub(super) struct Engine {
    env: Environment<'static>,
    tree: Tree,
    host: Host,
    kinds: Kinds,
    builtins: HashMap<Name, Value>,
    names: Names,
    cache: Mutex<Cache>,
}

/// Names that the engine itself sets.
struct Names {
    of_loop: Name,
    caller: Name,
    varargs: Name,
    kwargs: Name,
}

#[derive(Default)]
struct Cache {
    size: usize,
    templates: HashMap<String, (Arc<str>, Arc<Template>)>,
    data: HashMap<String, (Arc<str>, Arc<Node>)>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine")
    }
}

impl Engine {
    pub(super) fn new(tree: &Tree, host: &Host, kinds: Kinds, env: Environment<'static>) -> Engine {
        let builtin = |name: &str, builtin| (Name::from(name), Value::from_object(builtin));
        let builtins = HashMap::from([
            builtin("range", Builtin::Range),
            builtin("dict", Builtin::Dict),
            builtin("odict", Builtin::Dict),
            builtin("namespace", Builtin::Namespace),
            builtin("cycler", Builtin::Cycler),
            builtin("joiner", Builtin::Joiner),
            builtin("lipsum", Builtin::Lipsum),
            builtin("raise", Builtin::Raise),
            builtin("show_full_context", Builtin::FullContext),
            builtin("ifelse", Builtin::IfElse),
        ]);
        let names = Names {
            of_loop: Name::from("loop"),
            caller: Name::from("caller"),
            varargs: Name::from("varargs"),
            kwargs: Name::from("kwargs"),
        };
        Engine {
            env,
            tree: tree.clone(),
            host: host.clone(),
            kinds,
            builtins,
            names,
            cache: Mutex::default(),
        }
    }

    /// Renders `source`, which came from `file`, with `vars`.
    pub(super) fn render(
        &self,
        file: &str,
        source: &str,
        vars: HashMap<Name, Value>,
    ) -> Result<String, Stopped> {
        let is_sls = vars.get("sls").and_then(Value::as_str).is_some_and(|sls| !sls.is_empty());
        let mut run = Run::new(self, file, vars.clone());
        let stop = |run: &Run<'_>, failure| Stopped {
            failure,
            file: run.place.file.to_string(),
            line: run.place.line,
            top: (run.top.file.to_string(), run.top.line),
        };
        let (options, source, removed) = self.kinds.kind(is_sls).with_header(source);
        let template = match self.parsed(file, &source, &options) {
            Ok(template) => template,
            Err(Syntax { line, reason }) => {
                let (line, top) = (line + removed, (file.to_owned(), line));
                let failure = Failure::syntax(reason);
                return Err(Stopped { failure, file: file.to_owned(), line, top });
            }
        };
        run.options = options;
        let mut out = String::with_capacity(source.len());
        let mut frame = Frame::new(Scope::of(vars), &run.globals);
        match run.template(&template, &mut frame, &mut out) {
            Ok(()) => {
                frame.scope.clear();
                if source.ends_with('\n') {
                    out.push('\n');
                }
                Ok(out)
            }
            Err(failure) => {
                frame.scope.clear();
                let mut stopped = stop(&run, failure);
                if stopped.file == file {
                    stopped.line += removed;
                }
                Err(stopped)
            }
        }
    }

    /// Whether `source`, which came from `file`, is a template at all; if not, where and why.
    pub(super) fn parses(
        &self,
        file: &str,
        source: &str,
        is_sls: bool,
    ) -> Result<(), (u32, String)> {
        let (options, source, removed) = self.kinds.kind(is_sls).with_header(source);
        match self.parsed(file, &source, &options) {
            Ok(_) => Ok(()),
            Err(Syntax { line, reason }) => Err((line + removed, Failure::syntax(reason).words())),
        }
    }

    pub(super) fn env(&self) -> &Environment<'static> {
        &self.env
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parsed(&self, file: &str, source: &str, options: &Options) -> Result<Arc<Template>, Syntax> {
        if source.len() > TEMPLATE_MAX {
            return Err(too_large());
        }
        let key = if options.is_usual() { file.to_owned() } else { format!("{options:?} {file}") };
        if let Some((known, template)) = self.cache().templates.get(&key)
            && **known == *source
        {
            return Ok(Arc::clone(template));
        }
        let template = parser::parse(file, &options.normal(source), options)?;
        let template = Arc::new(template);
        let mut cache = self.cache();
        cache.make_room(source.len());
        cache.templates.insert(key, (Arc::from(source), Arc::clone(&template)));
        Ok(template)
    }

    /// A file of the tree, parsed.
    fn file(&self, path: &str, options: &Options) -> Result<Option<Arc<Template>>, Unread> {
        if self.tree.size(path).is_some_and(is_too_large) {
            return Err(Unread::Syntax(too_large()));
        }
        let source = super::read_text(&self.tree, path).map_err(|error| Unread::Data(error.into()));
        let Some(source) = source? else { return Ok(None) };
        self.parsed(path, &source, options).map(Some).map_err(Unread::Syntax)
    }

    /// The data of a YAML file without tags; `None` if they do not parse.
    fn data(&self, file: &str, text: &str) -> Option<Arc<Node>> {
        if let Some((known, node)) = self.cache().data.get(file)
            && **known == *text
        {
            return Some(Arc::clone(node));
        }
        let node = Arc::new(yaml::parse(text).ok()?);
        let mut cache = self.cache();
        cache.make_room(text.len());
        cache.data.insert(file.to_owned(), (Arc::from(text), Arc::clone(&node)));
        Some(node)
    }
}

impl Cache {
    fn make_room(&mut self, more: usize) {
        self.size += more;
        if self.size > CACHE_MAX {
            *self = Cache { size: more, ..Cache::default() };
        }
    }
}

/// Whether so many bytes are more than one template may have.
pub(super) fn is_too_large(bytes: u64) -> bool {
    usize::try_from(bytes).map_or(true, |bytes| bytes > TEMPLATE_MAX)
}

fn too_large() -> Syntax {
    Syntax { line: 1, reason: "the template is larger than 8 MiB".into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::python::{from_json, text};

    fn render(source: &str) -> Result<String, String> {
        let files = [("own.jinja", source), ("s.jinja", "{% include 's.jinja' %}")];
        let engine = Engine::new(
            &Tree::from_files(files),
            &Host::new(),
            Kinds::default(),
            Environment::empty(),
        );
        let vars = HashMap::from([(Name::from("d"), from_json(&serde_json::json!({"l": [1]})))]);
        engine.render("own.jinja", source, vars).map_err(|stopped| stopped.failure.words())
    }

    #[test]
    fn a_template_can_neither_hang_nor_eat_the_host() {
        let deep = "(".repeat(5000);
        let unary = format!("{{{{ {}1 }}}}", "-".repeat(5000));
        let sum = format!("{{{{ 1{} }}}}", "+1".repeat(5000));
        let ifs = "{% if 1 %}".repeat(5000);
        let hostile = [
            "{{ 'a' * 10 ** 9 }}",
            "{{ [1] * 10 ** 9 }}",
            "{{ range(10 ** 9) }}",
            "{{ 2 ** 100000 }}",
            "{{ '%1000000000s' % 'a' }}",
            "{{ '{:>1000000000}'.format('a') }}",
            "{{ 'a'.center(10 ** 9) }}{{ 'a'.zfill(10 ** 9) }}",
            "{{ ('a' * 9000)|replace('', 'b' * 9000) }}",
            "{{ ('a\\n' * 100000)|indent(9999) }}",
            "{% set ns = namespace(s='ab') %}{% for i in range(99999) %}\
             {% set ns.s = ns.s ~ ns.s %}{% endfor %}",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% set l = [] %}{% for a in range(9999) %}{% do l.extend(range(99999)) %}{% endfor %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
            "{% include 'own.jinja' %}",
            "{% include 's.jinja' %}",
            "{% import 'own.jinja' as x %}",
            "{% extends 'own.jinja' %}",
            "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
            "{% set l = [] %}{% do l.append(l) %}{{ l }}",
            "{% set a = [] %}{% set b = [a] %}{% do a.append(b) %}{{ a }}",
            "{% do d.update({'x': d}) %}{{ d }}",
            "{% set ns = namespace(t=()) %}{% for i in range(9999) %}{% set ns.t = (ns.t,) %}\
             {% endfor %}",
            "{{ range(20)|permutations|list }}",
            "{{ range(99)|product(range(99), range(99), range(99))|list }}",
            "{{ 'a' * 9999999 ~ 'a' * 9999999 }}",
            "{{ ((-2) ** 127) // -1 }}",
            "{{ -((-2) ** 127) }}",
            "{{ ((-2) ** 127)|abs }}",
            "{% set ns = namespace(b='ab'.encode()) %}{% for i in range(99) %}\
             {% set ns.b = ns.b + ns.b %}{% endfor %}",
            "{% for i in range(99) %}{% set b = ('a' * 9999999).encode() %}{% endfor %}",
            "{% set b = ('a' * 9999999).encode() %}{% for i in range(99) %}\
             {% set c = b + b[:9] %}{% endfor %}",
            "{{ ('a' * 999999).encode().hex('b' * 99999) }}",
            "{{ ('a' * 9999999).encode().hex(':') }}",
            "{{ ('www.a.org ' * 99999)|urlize(target='x' * 1000000) }}",
            "{{ 'a'|urlize(extra_schemes=['ab:'] * 1000000) }}",
            "{{ ('a\n' * 99999)|wordwrap(9, wrapstring='b' * 999999) }}",
            "{{ ('\t' * 999999).expandtabs(1000) }}",
            "{{ '%.1048577d' % 5 }}",
            "{{ '{:.70000}'.format(1.5) }}",
            &deep,
            &format!("{{{{ {deep} }}}}"),
            &unary,
            &sum,
            &ifs,
        ];
        for source in hostile {
            let found = render(source);
            let shown: String = source.chars().take(80).collect();
            assert!(found.is_err() || source == deep, "{shown} rendered");
        }
    }

    #[test]
    fn what_is_large_takes_little_time() {
        for (source, wanted) in [
            ("{{ '{:095000,d}'.format(5)|length }}", "95001"),
            ("{{ ('%.65536d' % 5)|length }}{{ ('%#.65536x' % 5)|length }}", "6553665538"),
            ("{{ 5 % ((-2) ** 127) }}", "-170141183460469231731687303715884105723"),
            ("{{ ((-2) ** 127) % -1 }}{{ ((-2) ** 127) is divisibleby(-1) }}", "0True"),
            ("{{ ('y' * 99999).translate('é' * 99999)|length }}", "99999"),
            ("{{ ('a' * 1999999).encode() in ('a' * 999999 ~ 'b').encode() }}", "False"),
            ("{{ ('a' * 999999 ~ 'b').encode() in ('a' * 9999999).encode() }}", "False"),
            ("{{ ('a' * 199999)|wordwrap(1)|length }}", "399997"),
            ("{{ ('a' * 999999).strip('b' * 999999 ~ 'a') }}", ""),
        ] {
            let started = std::time::Instant::now();
            assert_eq!(render(source).as_deref(), Ok(wanted), "{source}");
            assert!(started.elapsed().as_secs() < 5, "{source}: {:?}", started.elapsed());
        }
    }

    #[test]
    fn values_that_nest_deep_are_dropped_without_a_stack() {
        let source = "{% set ns = namespace(l=[]) %}{% for i in range(50000) %}\
                      {% set ns.l = [ns.l] %}{% endfor %}{{ ns.l|length }}";
        assert_eq!(render(source), Ok("1".to_owned()));
        let source = "{% set root = [] %}{% set ns = namespace(l=root) %}\
                      {% for i in range(3000) %}{% set n = {} %}{% do ns.l.append(n) %}\
                      {% set ns.l = n.setdefault('k', []) %}{% endfor %}{{ root|length }}";
        assert_eq!(render(source), Ok("1".to_owned()));
    }

    #[test]
    fn macros_and_namespaces_do_not_outlive_their_render() {
        let kept = from_json(&serde_json::json!([]));
        let engine =
            Engine::new(&Tree::default(), &Host::new(), Kinds::default(), Environment::empty());
        let source = "{% macro m() %}{{ kept }}{{ m }}{% endmacro %}{% set x = kept %}\
                      {% for i in [1] %}{% macro n() %}{{ x }}{% endmacro %}{% endfor %}";
        let vars = HashMap::from([(Name::from("kept"), kept.clone())]);
        assert_eq!(engine.render("a", source, vars).map_err(|_| ()), Ok(String::new()));
        // The test's own and nothing else: a leak would hold the list twice.
        let own = kept.downcast_object::<crate::render::python::PyList>();
        assert_eq!(own.map(|own| Arc::strong_count(&own)), Some(2), "{}", text(&kept));
    }
}
