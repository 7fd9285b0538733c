//! The order in which states run: Salt 3008's rule, a topological sort with a heap.
//!
//! A state's key is (effective order, own order, label). The effective order is the least of its
//! own and of those of the direct dependents of its strongest kind of requisite. A state that
//! another one names in `prereq` has a second node, which runs first, as a dry run.

pub(crate) mod graph;

use std::cmp::Ordering;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde_json::Value;

use crate::chunk::Chunk;
use graph::Graph;

/// One step of a run: a chunk, for real or as the dry run that a `prereq` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) chunk: usize,
    pub(crate) prereq_test: bool,
}

/// Sorts the nodes of a graph; `None` if it has a circle.
pub(crate) fn sort(graph: &Graph, chunks: &[Chunk]) -> Option<Vec<Step>> {
    let mut orders = Orders::new(chunks);
    let mut missing: Vec<usize> = graph.nodes.iter().map(|node| node.incoming.len()).collect();
    let mut heap = BinaryHeap::new();
    for (at, count) in missing.iter().enumerate() {
        if *count == 0 {
            heap.push(Reverse(orders.key(graph, chunks, at)));
        }
    }
    let mut steps = Vec::with_capacity(graph.nodes.len());
    while let Some(Reverse(key)) = heap.pop() {
        let node = &graph.nodes[key.node];
        steps.push(node.step);
        for (to, _) in &node.outgoing {
            missing[*to] -= 1;
            if missing[*to] == 0 {
                heap.push(Reverse(orders.key(graph, chunks, *to)));
            }
        }
    }
    (steps.len() == graph.nodes.len()).then_some(steps)
}

#[derive(Debug, PartialEq)]
struct Key {
    effective: f64,
    own: f64,
    label: String,
    tag: String,
    node: usize,
}

impl Eq for Key {}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        self.effective
            .total_cmp(&other.effective)
            .then_with(|| self.own.total_cmp(&other.own))
            .then_with(|| self.label.cmp(&other.label))
            .then_with(|| self.tag.cmp(&other.tag))
            .then_with(|| self.node.cmp(&other.node))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// How far behind all others `last` and negative orders stand.
const LAST: f64 = 1_000_000.0;

/// Own orders, normalised when a node is first asked for, as Salt does.
struct Orders {
    cap: f64,
    own: Vec<f64>,
    settled: Vec<bool>,
}

impl Orders {
    fn new(chunks: &[Chunk]) -> Orders {
        let mut cap = 1.0_f64;
        for chunk in chunks {
            if let Some(order) = chunk.args.get("order").and_then(Value::as_i64).map(to_float)
                && order > cap - 1.0
                && order > 0.0
            {
                cap = order + 100.0;
            }
        }
        let own = chunks.iter().map(|chunk| raw(chunk, cap)).collect();
        Orders { cap, own, settled: vec![false; chunks.len()] }
    }

    fn key(&mut self, graph: &Graph, chunks: &[Chunk], node: usize) -> Key {
        let at = graph.nodes[node].step.chunk;
        let chunk = &chunks[at];
        if !self.settled[at] {
            self.settled[at] = true;
            self.own[at] += f64::from(chunk.name_order) / 10_000.0;
            if self.own[at] < 0.0 {
                self.own[at] += self.cap + LAST;
            }
        }
        let own = self.own[at];
        Key {
            effective: own.min(self.least_dependent(graph, node)),
            own,
            label: format!("{}{}{}", chunk.state, chunk.name, chunk.fun),
            tag: graph.nodes[node].tag.clone(),
            node,
        }
    }

    fn least_dependent(&self, graph: &Graph, node: usize) -> f64 {
        let mut strongest = None;
        let mut least = f64::INFINITY;
        for (to, kind) in &graph.nodes[node].outgoing {
            if strongest.is_none_or(|strongest| strongest <= *kind) {
                strongest = Some(*kind);
                least = least.min(self.own[graph.nodes[*to].step.chunk]);
            }
        }
        least
    }
}

/// The order as written: a number, `first`, `last`, or else the common cap.
fn raw(chunk: &Chunk, cap: f64) -> f64 {
    match chunk.args.get("order") {
        Some(Value::Number(number)) => number.as_f64().unwrap_or(cap),
        Some(Value::String(word)) if word == "last" => cap + LAST,
        Some(Value::String(word)) if word == "first" => 0.0,
        _ => cap,
    }
}

#[allow(clippy::cast_precision_loss, reason = "orders are far below 2^52")]
fn to_float(order: i64) -> f64 {
    order as f64
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::error::At;

    fn chunk(name: &str, args: Value) -> Chunk {
        Chunk {
            state: "test".into(),
            fun: "nop".into(),
            id: name.into(),
            name: name.into(),
            sls: "a".into(),
            saltenv: "base".into(),
            at: At::new("a.sls", 1),
            args: args.as_object().cloned().unwrap_or_else(Map::new),
            included_from: Vec::new(),
            name_order: 0,
            lines: HashMap::new(),
        }
    }

    fn sorted(chunks: &[Chunk]) -> Option<Vec<Step>> {
        let (graph, errors) = Graph::build(chunks, &HashSet::new(), |_| true);
        assert!(errors.is_empty(), "{errors:?}");
        sort(&graph, chunks)
    }

    fn names(chunks: &[Chunk]) -> Vec<String> {
        let steps = sorted(chunks).unwrap();
        let mark = |step: &Step| if step.prereq_test { "?" } else { "" };
        steps.iter().map(|step| format!("{}{}", chunks[step.chunk].id, mark(step))).collect()
    }

    #[test]
    fn orders_are_first_numbers_none_last_and_negative() {
        let chunks = [
            chunk("c", json!({"order": 1})),
            chunk("b", json!({"order": "last"})),
            chunk("a", json!({"order": 10_000})),
            chunk("d", json!({"order": "first"})),
            chunk("e", json!({"order": -2})),
        ];
        assert_eq!(names(&chunks), ["d", "c", "a", "e", "b"]);
    }

    #[test]
    fn a_required_state_moves_up_to_who_requires_it() {
        let chunks = [
            chunk("a", json!({"order": 1, "require": [{"test": "z"}]})),
            chunk("b", json!({"order": 2})),
            chunk("z", json!({"order": 3})),
        ];
        assert_eq!(names(&chunks), ["z", "a", "b"]);
    }

    #[test]
    fn what_a_prereq_names_is_first_run_dry() {
        let chunks = [
            chunk("pre", json!({"order": 1, "prereq": [{"test": "x"}]})),
            chunk("x", json!({"order": 2})),
        ];
        assert_eq!(names(&chunks), ["x?", "pre", "x"]);
    }

    /// States that require only later ones of a shuffled row: no circle is possible.
    fn acyclic() -> impl Strategy<Value = Vec<Chunk>> {
        let kinds = ["require", "watch", "onchanges", "onfail", "watch_any", "require_any"];
        let one = (0..kinds.len(), any::<prop::sample::Index>(), -3_i64..30);
        prop::collection::vec(prop::collection::vec(one, 0..4), 1..24).prop_map(move |rows| {
            let count = rows.len();
            let chunk_of = |(at, wants): (usize, Vec<(usize, prop::sample::Index, i64)>)| {
                let mut args = Map::new();
                for (kind, index, order) in wants {
                    args.insert("order".into(), json!(order));
                    if at + 1 < count {
                        let target = at + 1 + index.index(count - at - 1);
                        let list = args.entry(kinds[kind]).or_insert_with(|| json!([]));
                        list.as_array_mut().unwrap().push(json!({"test": format!("s{target}")}));
                    }
                }
                chunk(&format!("s{at}"), Value::Object(args))
            };
            rows.into_iter().enumerate().map(chunk_of).collect()
        })
    }

    proptest! {
        #[test]
        fn every_state_runs_once_after_all_it_depends_on(chunks in acyclic()) {
            let steps = sorted(&chunks).unwrap();
            let place = |wanted: usize| {
                steps.iter().position(|step| step.chunk == wanted && !step.prereq_test).unwrap()
            };
            for (at, chunk) in chunks.iter().enumerate() {
                let real = steps.iter().filter(|step| step.chunk == at && !step.prereq_test);
                prop_assert_eq!(real.count(), 1);
                for kind in crate::requisite::Kind::READ {
                    let list = chunk.args.get(kind.name()).and_then(Value::as_array);
                    for item in list.into_iter().flatten() {
                        let target = item["test"].as_str().unwrap()[1..].parse::<usize>().unwrap();
                        prop_assert!(place(target) < place(at));
                    }
                }
            }
            prop_assert_eq!(&sorted(&chunks).unwrap(), &steps);
        }

        #[test]
        fn a_circle_is_found_and_named(count in 1..12_usize) {
            let chunks: Vec<Chunk> = (0..count)
                .map(|at| {
                    let next = (at + 1) % count;
                    chunk(&format!("s{at}"), json!({"require": [{"test": format!("s{next}")}]}))
                })
                .collect();
            let (graph, _) = Graph::build(&chunks, &HashSet::new(), |_| true);
            prop_assert!(sort(&graph, &chunks).is_none());
            prop_assert_eq!(graph.circle().len(), count);
        }
    }
}
