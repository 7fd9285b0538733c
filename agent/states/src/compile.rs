//! From a state tree to an ordered list of states: every stage pure, every fault told at once.

mod check;
mod rendered;
mod show;
mod single;
mod syntax;

use std::fmt;

use serde_json::{Value, json};

use crate::chunk::Chunk;
use crate::data::key;
use crate::error::{Error, Kind};
use crate::facts::Facts;
use crate::high::{self, Exclude, High, extend, requisite_in};
use crate::host::Host;
use crate::low;
use crate::opts::Opts;
use crate::order::graph::{Graph, circle_error, unheard};
use crate::order::{self, Sorted, Step};
use crate::requisite;
use crate::sls;
use crate::target::Subject;
use crate::top::{self, Matches};
use crate::tree::{BASE, Tree};
use crate::view::View;

pub use rendered::rendered;
pub use show::{masked, show_high, show_low, show_top};
pub use single::single;
pub use syntax::syntax;

/// What to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// What `top.sls` gives to this worker.
    Highstate,
    /// These SLS.
    Sls(Vec<String>),
    /// These SLS, for a run of one ID of them: as Salt's `state.sls_id`, what they extend and
    /// exclude is left as it is.
    OfId(Vec<String>),
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
    pub(crate) view: View,
    pub(crate) graph: Graph,
    pub(crate) steps: Vec<Step>,
    chunks: Vec<Chunk>,
    orders: Vec<f64>,
    selected: Matches,
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
    let selected = Selected::of(request)?;
    let stages = stages(&selected, request, true);
    let Selected { view, matches, warnings: mut more } = selected;
    let View { worlds, secrets, .. } = &view;
    match stages {
        Ok(Stages { chunks, graph, steps, orders, mut warnings }) => {
            sls::relocate(worlds, &mut warnings);
            more.extend(warnings);
            more.iter_mut().for_each(|warning| secrets.mask_error(warning));
            Ok(Compiled { view, graph, steps, chunks, orders, selected: matches, warnings: more })
        }
        Err(mut errors) => {
            sls::relocate(worlds, &mut errors);
            errors.iter_mut().for_each(|error| secrets.mask_error(error));
            Err(errors)
        }
    }
}

/// What was selected, and what renders it.
struct Selected {
    view: View,
    matches: Matches,
    warnings: Vec<Error>,
}

impl Selected {
    fn of(request: &Request<'_>) -> Result<Selected, Vec<Error>> {
        let Request { tree, facts, opts, selection, host, .. } = *request;
        let refused = opts.check();
        if !refused.is_empty() {
            return Err(refused);
        }
        let null = request.pillar.is_null();
        let pillar = if null { json!({}) } else { request.pillar.clone() };
        let mut opts = opts.clone();
        if *selection != Selection::Highstate && opts.saltenv().is_none() {
            opts.set("saltenv", BASE);
        }
        let view = View::new(tree, facts, pillar, host, &opts);
        let (matches, warnings) = match selection {
            Selection::Sls(names) | Selection::OfId(names) => {
                let named = |name: &String| top::Selected { sls: name.clone(), at: None };
                let saltenv = opts.saltenv().unwrap_or(BASE).to_owned();
                (Matches::from([(saltenv, names.iter().map(named).collect())]), Vec::new())
            }
            Selection::Highstate => {
                let nodegroups = opts.get("nodegroups");
                let subject = Subject { id: facts.id(), facts, pillar: &view.pillar, nodegroups };
                let found = top::selected(&view.worlds, &subject, &opts)?;
                if found.matches.is_empty() {
                    return Err(vec![nothing(top::NO_TOP)]);
                }
                (found.matches, found.warnings)
            }
        };
        Ok(Selected { view, matches, warnings })
    }

    /// The names of the SLS by environment.
    fn to_json(&self) -> Value {
        let names = |list: &Vec<top::Selected>| list.iter().map(|one| json!(one.sls)).collect();
        let envs = self.matches.iter().map(|(env, list)| (env.clone(), names(list)));
        Value::Object(envs.collect())
    }
}

/// What the stages come to.
struct Stages {
    chunks: Vec<Chunk>,
    graph: Graph,
    steps: Vec<Step>,
    orders: Vec<f64>,
    warnings: Vec<Error>,
}

/// As far as the stages got, and why no further.
#[derive(Default)]
struct Draft {
    /// SLS that were rendered, as `env:name`.
    rendered: Vec<String>,
    chunks: Vec<Chunk>,
    /// Each state was looked at alone.
    checked: bool,
    sorted: Option<(Graph, Sorted)>,
    errors: Vec<Error>,
    warnings: Vec<Error>,
}

impl Draft {
    /// Looks at each state alone, and gives the faults.
    fn check(&mut self) -> Vec<Error> {
        self.checked = true;
        for (name, value) in self.chunks.iter_mut().flat_map(|chunk| chunk.args.iter_mut()) {
            key::of_argument(name, value);
        }
        let (warnings, faults) = check::check(&self.chunks);
        self.warnings.extend(warnings);
        faults
    }
}

/// From what was selected to steps in order; `runnable` if it is to be run by this engine.
fn stages(
    selected: &Selected,
    request: &Request<'_>,
    runnable: bool,
) -> Result<Stages, Vec<Error>> {
    // As Salt's `state.show_low_sls`.
    let alone = !runnable && matches!(request.selection, Selection::Sls(_));
    let Draft { chunks, sorted, errors, warnings, .. } = draft(selected, request, runnable, alone);
    match sorted {
        Some((graph, Sorted { steps, orders })) if errors.is_empty() => {
            Ok(Stages { chunks, graph, steps, orders, warnings })
        }
        Some(_) | None => Err(errors),
    }
}

/// `alone` leaves out what SLS say of each other: `extend`, `exclude`, `require_in` and its like.
fn draft(selected: &Selected, request: &Request<'_>, runnable: bool, alone: bool) -> Draft {
    let built = high::build(&selected.view.worlds, &selected.matches, request.opts);
    let (mut high, mut errors) = (built.high, built.errors);
    let mut draft = Draft { rendered: built.rendered, ..Draft::default() };
    draft.warnings = std::mem::take(&mut high.warnings);
    // What was not read would be missed by everything that names it.
    if !errors.is_empty() {
        if runnable {
            high.malformed.iter_mut().for_each(|error| error.kind = Kind::Later);
        }
        errors.append(&mut high.malformed);
        let extends = std::mem::take(&mut high.extends);
        extend::apply(&mut high, extends, false);
        return in_order(high, runnable, Draft { errors, ..draft });
    }
    if high.is_empty() && *request.selection == Selection::Highstate && runnable {
        return Draft { errors: vec![nothing("No states found for this minion")], ..draft };
    }
    if matches!(request.selection, Selection::OfId(_)) {
        high.extends.clear();
        high.excludes.clear();
    }
    // They count for what extends, too.
    let more = request.exclude.iter().map(|pattern| Exclude::Sls(pattern.clone(), false));
    high.excludes.extend(more);
    if alone {
        high.extends.clear();
        high.excludes.clear();
        errors.append(&mut high.malformed);
        return in_order(high, runnable, Draft { errors, ..draft });
    }
    let extends = std::mem::take(&mut high.extends);
    errors.extend(extend::apply(&mut high, extends, false));
    errors.append(&mut high.malformed);
    if runnable && !errors.is_empty() {
        return in_order(high, runnable, Draft { errors, ..draft });
    }
    let (extends, faults) = requisite_in::extensions(&high);
    errors.extend(faults);
    errors.extend(extend::apply(&mut high, extends, true));
    high.apply_excludes();
    in_order(high, runnable, Draft { errors, ..draft })
}

/// From high data to states in order.
fn in_order(high: High, runnable: bool, mut draft: Draft) -> Draft {
    let (chunks, faults) = low::chunks(high, requisite::watches);
    draft.chunks = chunks;
    if !draft.errors.is_empty() {
        return draft;
    }
    let mut errors = faults;
    if runnable {
        errors.extend(draft.check());
        draft.warnings.extend(unheard(&draft.chunks));
    }
    let (graph, faults) = Graph::build(&draft.chunks);
    errors.extend(faults);
    let sorted = order::sort(&graph, &draft.chunks);
    if sorted.is_none() {
        errors.push(circle_error(&graph, &draft.chunks));
    }
    Draft { sorted: sorted.map(|sorted| (graph, sorted)), errors, ..draft }
}

/// What a tree comes to for one worker, whether it can be run or not.
pub(crate) struct Inspected {
    pub(crate) rendered: Vec<String>,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) errors: Vec<Error>,
    pub(crate) warnings: Vec<Error>,
}

/// Compiles as far as it goes; lines are those of the sources.
pub(crate) fn inspect(request: &Request<'_>) -> Inspected {
    let selected = match Selected::of(request) {
        Ok(selected) => selected,
        Err(errors) => {
            let (rendered, chunks, warnings) = (Vec::new(), Vec::new(), Vec::new());
            return Inspected { rendered, chunks, errors, warnings };
        }
    };
    let mut draft = draft(&selected, request, true, false);
    // What was read is looked at, though other SLS could not be.
    if !draft.checked {
        let faults = draft.check();
        draft.errors.extend(faults);
    }
    let Draft { rendered, mut chunks, mut errors, mut warnings, .. } = draft;
    warnings.extend(selected.warnings);
    sls::relocate(&selected.view.worlds, &mut errors);
    sls::relocate(&selected.view.worlds, &mut warnings);
    sls::relocate_chunks(&selected.view.worlds, &mut chunks);
    Inspected { rendered, chunks, errors, warnings }
}

fn nothing(reason: &str) -> Error {
    Error::new(Kind::Nothing, None, reason)
}

impl Compiled {
    /// The SLS that were selected, as the top file or the caller named them.
    pub fn selected(&self) -> impl Iterator<Item = &str> {
        self.selected.values().flatten().map(|selected| selected.sls.as_str())
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
}
