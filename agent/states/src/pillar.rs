//! The pillar tree: per-worker data, rendered from its `top.sls` and SLS.
//!
//! The controller renders it for each worker; a machine without a controller renders its own.

mod includes;
mod merging;

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::data::key;
use crate::error::{At, Error, Kind};
use crate::facts::Facts;
use crate::host::Host;
use crate::opts::Opts;
use crate::render::{Renderer, Vars, Worlds};
use crate::sls;
use crate::target::{Subject, glob};
use crate::top::{self, Matches};
use crate::tree::{BASE, LazyTree, Tree};
use crate::yaml::{Data, Node};
use merging::Merging;

/// What a pillar is rendered from.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The pillar tree.
    pub tree: &'a Tree,
    /// The state tree, which functions read that take `salt://`.
    pub states: &'a LazyTree,
    /// The worker's name.
    pub id: &'a str,
    /// What the worker is.
    pub facts: &'a Facts,
    /// Salt's options, as far as they differ from the defaults.
    pub opts: &'a Opts,
    /// Values that the caller puts over those of the tree, by the same merging strategy.
    pub over: Option<&'a Map<String, Value>>,
    /// The pillar environment that this one call asks for, over what the options say.
    pub pillarenv: Option<&'a str>,
    /// On a machine that renders its own, SLS see the pillar that they make as `pillar` and may
    /// look at the machine, as Salt's do without a master; elsewhere it is empty.
    pub local: Option<&'a Host>,
}

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
    let (states, opts) = (&LazyTree::from(Tree::default()), &Opts::default());
    let (over, pillarenv, local) = (None, None, None);
    render_request(&Request { tree, states, id, facts, opts, over, pillarenv, local })
}

/// As [`render`], with everything that can be asked for.
///
/// # Errors
/// All faults of the tree that were found.
pub fn render_request(request: &Request<'_>) -> Result<Value, Vec<Error>> {
    let (data, errors) = render_what_can_be(request);
    if errors.is_empty() { Ok(Value::Object(data)) } else { Err(errors) }
}

/// As [`render_request`], also of a tree that is at fault: what the rest of it gives, and all
/// faults.
pub fn render_what_can_be(request: &Request<'_>) -> (Map<String, Value>, Vec<Error>) {
    let refused = request.opts.check();
    if !refused.is_empty() {
        return (Map::new(), refused);
    }
    let (mut data, errors) = match request.local {
        Some(_) => twice(request),
        None => Pass::new(request, json!({})).render(),
    };
    if request.opts.flag("pillar_opts") {
        let mut opts = request.opts.for_templates(request.id);
        if let Some(opts) = opts.as_object_mut() {
            opts.insert("saltversion".to_owned(), Value::from("3008.5"));
        }
        data.insert("master".to_owned(), opts);
    }
    if let Some(over) = request.over.filter(|over| !over.is_empty()) {
        data = Merging::of(request.opts).merge(data, over.clone());
    }
    (data, errors)
}

/// Renders as a minion without a master does: once when it starts, and again for a call, whose
/// pillar goes over the first one key by key.
fn twice(request: &Request<'_>) -> (Map<String, Value>, Vec<Error>) {
    let started = Request { pillarenv: None, ..*request };
    let mut pass = Pass::new(&started, json!({}));
    let (mut data, mut errors) = pass.render();
    if pass.looks_at_itself || request.pillarenv.is_some() {
        let seen = Value::Object(data.clone());
        let (more, found) = Pass::new(request, seen).render();
        data.extend(more);
        errors = if found.is_empty() { errors } else { found };
    }
    (data, errors)
}

/// What Salt says of a pillar that did not render, where its state would have been applied.
pub fn messages(errors: &[Error], opts: &Opts) -> Vec<String> {
    let head = "Pillar failed to render with the following messages:".to_owned();
    std::iter::once(head).chain(words(errors, opts)).collect()
}

/// The faults in Salt's words, as `_errors` has them.
///
/// The causes are left out as Salt leaves them out, unless `pillar_safe_render_error` is false.
pub fn words(errors: &[Error], opts: &Opts) -> Vec<String> {
    let is_safe = opts.get("pillar_safe_render_error").is_none_or(|safe| *safe != json!(false));
    let told = |error: &Error| match error.reason.split_once(" failed, render error:\n") {
        Some((what, _)) if is_safe && what.starts_with("Rendering SLS") => {
            format!("{what} failed. Please see master log for details.")
        }
        _ if error.reason.starts_with(BROKEN_TOP) => BROKEN_TOP.to_owned(),
        Some(_) | None => error.words().to_owned(),
    };
    errors.iter().map(told).collect()
}

/// What Salt says of a top file that is no map of targets; the reason is ours.
const BROKEN_TOP: &str = "Error encountered while rendering pillar top file.";

/// One rendering of the whole tree, with a pillar that its SLS see.
struct Pass<'a> {
    opts: &'a Opts,
    /// The one environment that counts, if it is not all.
    only: Option<&'a str>,
    facts: Facts,
    seen: Value,
    worlds: Worlds,
    merging: Merging,
    /// What was rendered, by name; for the environment in hand.
    done: HashMap<String, Option<Map<String, Value>>>,
    /// SLS that may be missing, by environment.
    optional: HashMap<String, Vec<String>>,
    looks_at_itself: bool,
    errors: Vec<Error>,
}

impl<'a> Pass<'a> {
    fn new(request: &Request<'a>, seen: Value) -> Pass<'a> {
        let mut facts = request.facts.clone();
        facts.set("id", request.id);
        // Pillar SLS may look at the controller's files no more than at any other machine's.
        let host = request.local.cloned().unwrap_or_default();
        let trees = (request.tree, request.states);
        let renderer = Renderer::of_pillar(trees, &facts, &seen, &host, request.opts);
        Pass {
            opts: request.opts,
            only: request.pillarenv.or_else(|| request.opts.pillarenv()),
            facts,
            seen,
            worlds: Worlds::new(renderer),
            merging: Merging::of(request.opts),
            done: HashMap::new(),
            optional: HashMap::new(),
            looks_at_itself: false,
            errors: Vec::new(),
        }
    }

    fn render(&mut self) -> (Map<String, Value>, Vec<Error>) {
        let matches = self.matches();
        let mut data = Map::new();
        let of_tops = std::mem::take(&mut self.errors);
        let first =
            self.opts.texts("env_order").into_iter().filter(|env| matches.contains_key(*env));
        let mut envs: Vec<&str> = first.collect();
        for env in matches.keys() {
            if !envs.contains(&env.as_str()) {
                envs.push(env);
            }
        }
        for env in envs {
            self.done.clear();
            for name in self.names(env, &matches) {
                if let Some(more) = self.sls(&name.sls, env, &Vars::new(), name.at) {
                    data = self.merging.merge(data, more);
                }
            }
        }
        self.errors.extend(of_tops);
        sls::relocate(&self.worlds, &mut self.errors);
        (data, std::mem::take(&mut self.errors))
    }

    /// The SLS that the top files give to the worker, by environment.
    fn matches(&mut self) -> Matches {
        let envs = self.environments();
        let read = top::pillar_tops(&self.worlds, &envs, self.opts);
        let merged = read.and_then(|(tops, errors)| {
            self.errors = errors;
            top::pillar_targets(tops)
        });
        let top = match merged {
            Ok(top) => top,
            Err(mut error) => {
                error.reason = format!("{BROKEN_TOP} {}", error.reason);
                self.errors.push(error);
                return Matches::new();
            }
        };
        self.optional = top::optional(&top);
        let (facts, pillar) = (&self.facts, &self.seen);
        let nodegroups = self.opts.get("nodegroups");
        let subject = Subject { id: facts.id(), facts, pillar, nodegroups };
        match top::pillar_matches(&top, &subject, self.only) {
            Ok(selection) => selection.matches,
            Err(errors) => {
                self.errors.extend(errors);
                Matches::new()
            }
        }
    }

    fn environments(&self) -> Vec<String> {
        let known = |env: &str| self.worlds.get(env).map(|_| env.to_owned()).into_iter().collect();
        if let Some(only) = self.only {
            return known(only);
        }
        match self.opts.text("pillar_source_merging_strategy") {
            Some("none") => known(self.opts.saltenv().unwrap_or(BASE)),
            Some(_) | None => self.worlds.envs().map(str::to_owned).collect(),
        }
    }

    /// The selected SLS of an environment, with patterns filled in.
    fn names(&mut self, env: &str, matches: &Matches) -> Vec<top::Selected> {
        let mut out = Vec::new();
        let known = self.worlds.get(env).map(|renderer| sls::names(&renderer.scope().tree));
        for selected in matches.get(env).into_iter().flatten() {
            let Some(known) = &known else {
                let reason =
                    format!("No matching pillar environment for environment '{env}' found");
                self.errors.push(Error::new(Kind::Missing, selected.at.clone(), reason));
                continue;
            };
            let found: Vec<_> = known.iter().filter(|name| glob(&selected.sls, name)).collect();
            if found.is_empty() {
                out.push(selected.clone());
            }
            let at = &selected.at;
            out.extend(
                found.into_iter().map(|sls| top::Selected { sls: sls.clone(), at: at.clone() }),
            );
        }
        out
    }

    /// One SLS with what it includes; `None` if it is missing, empty or at fault.
    fn sls(
        &mut self,
        name: &str,
        env: &str,
        vars: &Vars,
        at: Option<At>,
    ) -> Option<Map<String, Value>> {
        let renderer = self.worlds.get(env)?;
        let tree = &renderer.scope().tree;
        self.done.insert(name.to_owned(), None);
        let Some(file) = sls::file_of(tree, name) else {
            if !self.optional.get(env).is_some_and(|names| names.iter().any(|own| own == name)) {
                let reason = format!(
                    "Specified SLS '{name}' in environment '{env}' is not available on the salt \
                     master"
                );
                self.errors.push(Error::new(Kind::Missing, at, reason));
            }
            return None;
        };
        // A look through the text, lest every pillar be rendered twice.
        let is_word = |data: &[u8]| data.windows(6).any(|word| word == b"pillar");
        self.looks_at_itself |= tree.read(&file).and_then(Result::ok).is_some_and(|d| is_word(&d));
        let mut loaded = match sls::load(renderer, name, &file, vars.clone()) {
            Ok(loaded) => loaded,
            Err(mut error) => {
                let words = format!("Rendering SLS '{env}:{name}' failed: ");
                for told in std::iter::once(&mut error.reason).chain(&mut error.in_full) {
                    if let Some(cause) = told.strip_prefix(&words) {
                        *told = format!("Rendering SLS '{name}' failed, render error:\n{cause}");
                    }
                }
                self.errors.push(error);
                return None;
            }
        };
        let line = loaded.root.line;
        let pairs = match std::mem::replace(&mut loaded.root.data, Data::Null) {
            Data::Null => return None,
            Data::Map(pairs) => pairs,
            _ => {
                let reason = format!("SLS '{name}' does not render to a dictionary");
                self.errors.push(Error::shape(&At::new(loaded.place.clone(), line), reason));
                return None;
            }
        };
        let is_include = |(key, _): &(Node, Node)| key.as_str() == Some("include");
        let (include, own): (Vec<_>, Vec<_>) = pairs.into_iter().partition(is_include);
        let own = own.into_iter().map(|(key, value)| (key::of_node(key), value.into_json()));
        let own: Map<String, Value> = own.collect();
        self.done.insert(name.to_owned(), Some(own.clone()));
        match include.first() {
            Some((_, list)) => Some(self.with_includes(own, list, &loaded, env, vars)),
            None => Some(own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_command_that_a_pillar_cannot_start_is_told_without_its_arguments() {
        let sls = "x: {{ salt['cmd.run']('/no/such --password=s3cret') }}\n";
        let told = pillar(&[("top.sls", "base: {'*': [p]}"), ("p.sls", sls)], "w").unwrap_err();
        let told = told[0].to_string();
        assert!(told.contains("cannot start /no/such") && !told.contains("s3cret"), "{told}");
    }

    #[test]
    fn a_pillar_at_fault_is_what_the_rest_of_it_gives() {
        let top = "base:\n  '*': [p, q, r]\n";
        let files = [
            ("top.sls", top),
            ("p.sls", "a: 1\n"),
            ("q.sls", "include: [nope]\nb: 2\n"),
            ("r.sls", "include: [nope, p]\nc: {{ none }\n"),
        ];
        let found = |files: &[(&str, &str)]| {
            let tree = Tree::from_files(files.iter().map(|(path, text)| (*path, *text)));
            let (facts, opts) = (Facts::default(), Opts::default());
            let request = Request {
                tree: &tree,
                states: &LazyTree::from(Tree::default()),
                id: "w",
                facts: &facts,
                opts: &opts,
                over: None,
                pillarenv: None,
                local: None,
            };
            let (data, errors) = render_what_can_be(&request);
            (Value::Object(data), words(&errors, &opts))
        };
        let missing =
            "Specified SLS 'nope' in environment 'base' is not available on the salt master";
        let broken = "Rendering SLS 'r' failed. Please see master log for details.";
        let expected = (json!({"a": 1, "b": 2}), vec![missing.to_owned(), broken.to_owned()]);
        assert_eq!(found(&files), expected);
        let top = [("top.sls", "base: [p]\n"), ("p.sls", "a: 1\n")];
        assert_eq!(found(&top), (json!({}), vec![BROKEN_TOP.to_owned()]));
        let top = [("top.sls", "base: {'*': null}\n"), ("p.sls", "a: 1\n")];
        assert_eq!(found(&top), (json!({}), vec![BROKEN_TOP.to_owned()]));
        // A text is gone through letter by letter.
        let top = [("top.sls", "base: {'*': p}\n"), ("p.sls", "a: 1\n")];
        assert_eq!(found(&top), (json!({"a": 1}), vec![]));
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
