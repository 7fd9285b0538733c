//! From a state tree to an ordered list of states: every stage pure, every fault told at once.

mod check;
mod rendered;
mod single;
mod syntax;

use std::fmt;

use serde_json::{Map, Value, json};

use crate::chunk::Chunk;
use crate::error::{Error, Kind};
use crate::facts::Facts;
use crate::function;
use crate::high::{self, High, extend, requisite_in};
use crate::host::Host;
use crate::low;
use crate::opts::Opts;
use crate::order::graph::{Graph, circle_error};
use crate::order::{self, Step};
use crate::render::{Renderer, Worlds};
use crate::secret::Secrets;
use crate::sls;
use crate::top;
use crate::tree::Tree;

pub use rendered::rendered;
pub use single::single;
pub use syntax::syntax;

/// What to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// What `top.sls` gives to this worker.
    Highstate,
    /// These SLS.
    Sls(Vec<String>),
}

/// All that a compilation needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The state tree.
    pub tree: &'a Tree,
    /// What the worker is.
    pub facts: &'a Facts,
    /// Its data; null is none.
    pub pillar: &'a Value,
    /// Salt's minion options, as far as they differ from the defaults.
    pub opts: &'a Opts,
    /// What to apply.
    pub selection: &'a Selection,
    /// SLS that are left out beside those that `exclude` names (globs).
    pub exclude: &'a [String],
    /// The machine that templates look at; nothing of it is changed.
    pub host: &'a Host,
}

/// A compiled tree: what to run, in which order, and what templates need meanwhile.
pub struct Compiled {
    pub(crate) facts: Facts,
    pub(crate) pillar: Value,
    worlds: Worlds,
    pub(crate) graph: Graph,
    pub(crate) steps: Vec<Step>,
    chunks: Vec<Chunk>,
    high: High,
    selected: Vec<String>,
    warnings: Vec<Error>,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").field("states", &self.chunks.len()).finish_non_exhaustive()
    }
}

/// Compiles the selected states of a tree for one worker, with default options.
///
/// `host` is only read from, by templates (`salt['file.file_exists']`, `salt['cmd.run']`, ...).
/// Nothing is changed. On failure, all faults are returned, each with file and line where known.
pub fn compile(
    tree: &Tree,
    facts: &Facts,
    pillar: &Value,
    selection: &Selection,
    host: &Host,
) -> Result<Compiled, Vec<Error>> {
    let opts = &Opts::default();
    compile_request(&Request { tree, facts, pillar, opts, selection, exclude: &[], host })
}

/// As [`compile`], with everything that can be asked for.
///
/// # Errors
/// All faults of the tree that were found, before anything ran.
pub fn compile_request(request: &Request<'_>) -> Result<Compiled, Vec<Error>> {
    let Request { tree, facts, opts, selection, host, .. } = *request;
    let refused = opts.check();
    if !refused.is_empty() {
        return Err(refused);
    }
    let null = request.pillar.is_null();
    let pillar = if null { json!({}) } else { request.pillar.clone() };
    let worlds = Worlds::new(Renderer::new(tree, facts, &pillar, host, opts));
    let renderer = worlds.base();
    let selected = match selection {
        Selection::Sls(names) => names.clone(),
        Selection::Highstate => match top::selected(renderer, facts, &pillar)? {
            Some(names) if !names.is_empty() => names,
            Some(_) | None => return Err(vec![nothing()]),
        },
    };
    let top = *selection == Selection::Highstate;
    match stages(renderer, &selected, top) {
        Ok(Stages { high, chunks, graph, steps, mut warnings }) => {
            sls::relocate(renderer, &mut warnings);
            let facts = facts.clone();
            Ok(Compiled { facts, pillar, worlds, graph, steps, chunks, high, selected, warnings })
        }
        Err(mut errors) => {
            sls::relocate(renderer, &mut errors);
            let secrets = Secrets::of(&pillar);
            errors.iter_mut().for_each(|error| secrets.mask(&mut error.reason));
            Err(errors)
        }
    }
}

/// What the stages come to.
struct Stages {
    high: High,
    chunks: Vec<Chunk>,
    graph: Graph,
    steps: Vec<Step>,
    warnings: Vec<Error>,
}

fn stages(renderer: &Renderer, selected: &[String], top: bool) -> Result<Stages, Vec<Error>> {
    let (mut high, mut errors) = high::build(renderer, selected, top);
    let extends = std::mem::take(&mut high.extends);
    errors.extend(extend::apply(&mut high, extends, false));
    let (extends, faults) = requisite_in::extensions(&high);
    errors.extend(faults);
    errors.extend(extend::apply(&mut high, extends, true));
    high.apply_excludes();
    if !errors.is_empty() {
        return Err(errors);
    }
    let (chunks, errors) = low::chunks(&high);
    let (warnings, faults) = check::check(&chunks);
    let errors = [errors, faults].concat();
    let (graph, faults) = Graph::build(&chunks, &high.rendered, function::watches);
    let mut errors = [errors, faults].concat();
    let steps = order::sort(&graph, &chunks);
    if steps.is_none() {
        errors.push(circle_error(&graph, &chunks));
    }
    match steps {
        Some(steps) if errors.is_empty() => Ok(Stages { high, chunks, graph, steps, warnings }),
        _ => Err(errors),
    }
}

fn nothing() -> Error {
    Error::new(
        Kind::Nothing,
        None,
        "No Top file or master_tops data matches found. Please see master log for details.",
    )
}

impl Compiled {
    /// The renderer of an environment, and by it its view of the tree.
    pub(crate) fn renderer(&self, saltenv: &str) -> &Renderer {
        self.worlds.get(saltenv).unwrap_or_else(|| self.worlds.base())
    }

    /// The SLS that were selected, as the top file or the caller named them.
    pub fn selected(&self) -> &[String] {
        &self.selected
    }

    /// All states, in the order of their declaration.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// All states, in the order in which they run.
    pub fn ordered(&self) -> impl Iterator<Item = &Chunk> {
        let real = self.steps.iter().filter(|step| !step.prereq_test);
        real.map(|step| &self.chunks[step.chunk])
    }

    /// What does no harm but has no effect either, e.g. an argument that no function knows.
    pub fn warnings(&self) -> &[Error] {
        &self.warnings
    }

    /// The high data after `extend`, `exclude` and requisites, as `state.show_highstate` shows it.
    pub fn high(&self) -> Value {
        self.high.to_json()
    }

    /// The low data in run order, as `state.show_lowstate` shows them.
    pub fn low(&self) -> Value {
        let low = |chunk: &Chunk| {
            let mut map = Map::from_iter([
                ("state".to_owned(), Value::from(chunk.state.as_str())),
                ("name".to_owned(), Value::from(chunk.name.as_str())),
                ("__sls__".to_owned(), Value::from(chunk.sls.as_str())),
                ("__env__".to_owned(), Value::from(chunk.saltenv.as_str())),
                ("__id__".to_owned(), Value::from(chunk.id.as_str())),
                ("fun".to_owned(), Value::from(chunk.fun.as_str())),
            ]);
            map.extend(chunk.args.clone());
            Value::Object(map)
        };
        self.ordered().map(low).collect()
    }
}
