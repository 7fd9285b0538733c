//! The graph of requisites: states as nodes, an edge from what is required to who requires it.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Step;
use crate::chunk::Chunk;
use crate::error::{Error, Kind as Fault};
use crate::requisite::{self, Kind};
use crate::target::glob;

/// A node and its edges.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) step: Step,
    pub(crate) tag: String,
    /// Who it depends on.
    pub(crate) incoming: Vec<(usize, Kind)>,
    /// Who depends on it, grouped by dependent in the order of the first edge.
    pub(crate) outgoing: Vec<(usize, Kind)>,
}

/// All nodes: first one per chunk, then the dry runs that `prereq` asks for.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    edges: HashSet<(usize, usize, Kind)>,
    tests: HashMap<usize, usize>,
}

impl Graph {
    /// Builds the graph; requisites that name nothing are faults.
    pub(crate) fn build(chunks: &[Chunk]) -> (Graph, Vec<Error>) {
        let mut graph = Graph::default();
        for (at, chunk) in chunks.iter().enumerate() {
            graph.add_node(Step { chunk: at, prereq_test: false }, chunk.tag());
        }
        let index = Index::new(chunks);
        let mut errors: Vec<Error> = Vec::new();
        for (at, chunk) in chunks.iter().enumerate() {
            let own = errors.len();
            for kind in Kind::READ {
                for item in items(chunk, kind.name()) {
                    match index.find(item) {
                        // What comes after a fault has no edges, so that a circle is told
                        // in the words that Salt has for it.
                        Ok(_) if errors.len() > own => {}
                        Ok(found) => found.iter().for_each(|to| graph.require(at, *to, kind)),
                        Err(problem) => {
                            let mut error = fault(chunk, kind.name(), &problem);
                            if errors.len() > own {
                                error.kind = Fault::Later;
                            }
                            errors.push(error);
                        }
                    }
                }
            }
        }
        (graph, errors)
    }

    /// The dry-run node of a chunk, if a `prereq` names it.
    pub(crate) fn test_of(&self, chunk: usize) -> Option<usize> {
        self.tests.get(&chunk).copied()
    }

    /// Whether a chunk runs only if another one would change.
    pub(crate) fn has_prereq(&self, chunk: usize) -> bool {
        self.nodes[chunk].incoming.iter().any(|(_, kind)| *kind == Kind::Prereq)
    }

    fn add_node(&mut self, step: Step, tag: String) -> usize {
        self.nodes.push(Node { step, tag, incoming: Vec::new(), outgoing: Vec::new() });
        self.nodes.len() - 1
    }

    fn add_edge(&mut self, from: usize, to: usize, kind: Kind) {
        if !self.edges.insert((from, to, kind)) {
            return;
        }
        self.nodes[to].incoming.push((from, kind));
        let outgoing = &mut self.nodes[from].outgoing;
        let after = outgoing.iter().rposition(|(other, _)| *other == to);
        let place = after.map_or(outgoing.len(), |at| at + 1);
        outgoing.insert(place, (to, kind));
    }

    fn require(&mut self, dependent: usize, required: usize, kind: Kind) {
        if kind == Kind::Prereq {
            return self.prereq(dependent, required);
        }
        if let Some(test) = self.test_of(dependent) {
            self.add_edge(required, test, kind);
        }
        self.add_edge(required, dependent, kind);
    }

    /// `dependent` runs before `required`, if the dry run of that one foresees changes.
    fn prereq(&mut self, dependent: usize, required: usize) {
        let test = match self.test_of(required) {
            Some(test) => test,
            None => {
                let step = Step { chunk: required, prereq_test: true };
                let tag = format!("{}_|-__prereq_test__", self.nodes[required].tag);
                let test = self.add_node(step, tag);
                self.tests.insert(required, test);
                for (from, kind) in self.nodes[required].incoming.clone() {
                    if kind != Kind::Prereq {
                        self.add_edge(from, test, kind);
                    }
                }
                test
            }
        };
        self.add_edge(test, dependent, Kind::Prereq);
        self.add_edge(dependent, required, Kind::Require);
        if let Some(own) = self.test_of(dependent) {
            self.add_edge(test, own, Kind::Prereq);
        }
    }

    /// The edges of a circle, as (required, dependent, kind).
    pub(crate) fn circle(&self) -> Vec<(usize, usize, Kind)> {
        let mut done = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            if let Some(found) = self.circle_from(start, &mut done) {
                return found;
            }
        }
        Vec::new()
    }

    fn circle_from(&self, start: usize, done: &mut [bool]) -> Option<Vec<(usize, usize, Kind)>> {
        if done[start] {
            return None;
        }
        // The path walked, with the next edge of each node on it.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((node, edge)) = path.last_mut() {
            let Some((to, kind)) = self.nodes[*node].outgoing.get(*edge).copied() else {
                done[*node] = true;
                path.pop();
                continue;
            };
            *edge += 1;
            let closing = (*node, to, kind);
            if let Some(begin) = path.iter().position(|(on_path, _)| *on_path == to) {
                let walked = path[begin..path.len() - 1].iter().map(|(node, next)| {
                    let (to, kind) = self.nodes[*node].outgoing[next - 1];
                    (*node, to, kind)
                });
                return Some(walked.chain([closing]).collect());
            }
            if !done[to] {
                path.push((to, 0));
            }
        }
        None
    }
}

/// Salt's words for a circle of requisites.
pub(crate) fn circle_error(graph: &Graph, chunks: &[Chunk]) -> Error {
    let name = |node: usize| {
        let chunk = &chunks[graph.nodes[node].step.chunk];
        let more = if chunk.id == chunk.name {
            String::new()
        } else {
            format!(", 'NAME': '{}'", chunk.name)
        };
        format!("{{'SLS': '{}', 'ID': '{}'{more}}}", chunk.sls, chunk.id)
    };
    let circle = graph.circle();
    // A requirement that nobody wrote comes of a `prereq`.
    let written = |to: usize, kind: Kind| {
        let chunk = &chunks[graph.nodes[to].step.chunk];
        let made = kind == Kind::Require && !chunk.args.contains_key(kind.name());
        if made { Kind::Prereq.name() } else { kind.name() }
    };
    let edge = |(from, to, kind): &(usize, usize, Kind)| {
        format!("({}, '{}', {})", name(*to), written(*to, *kind), name(*from))
    };
    let edges: Vec<String> = circle.iter().map(edge).collect();
    let at =
        circle.first().map(|(_, to, kind)| chunks[graph.nodes[*to].step.chunk].at_arg(kind.name()));
    let reason = format!("Recursive requisites were found: {}", edges.join(", "));
    Error::new(Fault::Requisite, at, reason)
}

/// The targets of a requisite; one without a value asks for nothing.
fn items<'a>(chunk: &'a Chunk, key: &str) -> impl Iterator<Item = &'a Value> {
    let items = chunk.args.get(key).and_then(Value::as_array).into_iter().flatten();
    items.filter(|item| !item.as_object().is_some_and(|map| map.values().all(Value::is_null)))
}

/// What `listen` and `listen_in` name and is not there: it is told when the run comes to it.
pub(crate) fn unheard(chunks: &[Chunk]) -> Vec<Error> {
    let index = Index::new(chunks);
    let mut errors = Vec::new();
    for chunk in chunks {
        for key in [Kind::Listen.name(), "listen_in"] {
            let found = items(chunk, key).map(|item| index.find(item));
            errors.extend(found.filter_map(Result::err).map(|problem| fault(chunk, key, &problem)));
        }
    }
    errors
}

enum Problem {
    Missing(String, String),
    NotText(String),
}

fn fault(chunk: &Chunk, kind: &str, problem: &Problem) -> Error {
    let (name, sls) = (&chunk.name, &chunk.sls);
    let reason = match problem {
        Problem::Missing(key, value) => format!(
            "Referenced state does not exist for requisite [{kind}: ({key}: {value})] in state \
             [{name}] in SLS [{sls}]"
        ),
        Problem::NotText(key) => format!(
            "Requisite [{kind}: {key}] in state [{name}] in SLS [{sls}] must have a string as the \
             value"
        ),
    };
    Error::new(Fault::Requisite, Some(chunk.at_arg(kind)), reason)
}

/// Chunks by module and by ID or name, and by SLS; made when the first requisite asks.
struct Index<'a> {
    chunks: &'a [Chunk],
    made: OnceCell<Lists<'a>>,
}

#[derive(Default)]
struct Lists<'a> {
    by_name: HashMap<(&'a str, &'a str), Vec<usize>>,
    by_sls: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Lists<'a> {
    fn new(chunks: &'a [Chunk]) -> Lists<'a> {
        let mut lists = Lists::default();
        for (at, chunk) in chunks.iter().enumerate() {
            for module in [&*chunk.state, "id"] {
                for name in [&*chunk.name, &*chunk.id] {
                    let list = lists.by_name.entry((module, name)).or_default();
                    if list.last() != Some(&at) {
                        list.push(at);
                    }
                }
            }
            for sls in chunk.included_from.iter().chain([&chunk.sls]) {
                lists.by_sls.entry(sls).or_default().push(at);
            }
        }
        lists
    }
}

impl<'a> Index<'a> {
    fn new(chunks: &'a [Chunk]) -> Index<'a> {
        Index { chunks, made: OnceCell::new() }
    }

    fn find(&self, item: &Value) -> Result<Vec<usize>, Problem> {
        let Some((key, value)) = requisite::target(item) else {
            return Err(Problem::NotText(item.to_string()));
        };
        let Some(value) = value else { return Err(Problem::NotText(key)) };
        let Lists { by_name, by_sls } = self.made.get_or_init(|| Lists::new(self.chunks));
        let pattern = value.contains(['*', '?', '[', ']']);
        let mut found: Vec<usize> = match (key.as_str(), pattern) {
            ("sls", true) => {
                let lists = by_sls.iter().filter(|(sls, _)| glob(&value, sls));
                lists.flat_map(|(_, list)| list.clone()).collect()
            }
            ("sls", false) => by_sls.get(&*value).cloned().unwrap_or_default(),
            (_, true) => {
                let same =
                    |((module, name), _): &(&(&str, &str), _)| *module == key && glob(&value, name);
                by_name.iter().filter(same).flat_map(|(_, list)| list.clone()).collect()
            }
            (_, false) => by_name.get(&(&*key, &*value)).cloned().unwrap_or_default(),
        };
        found.sort_unstable();
        found.dedup();
        // A pattern of SLS may mean none.
        if found.is_empty() && !(key == "sls" && pattern) {
            return Err(Problem::Missing(key, value));
        }
        Ok(found)
    }
}
