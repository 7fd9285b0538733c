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
