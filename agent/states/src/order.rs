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

/// The steps of a run, and the order of each chunk as Salt's low data show it.
#[derive(Debug, PartialEq)]
pub(crate) struct Sorted {
    pub(crate) steps: Vec<Step>,
    pub(crate) orders: Vec<f64>,
}

/// Sorts the nodes of a graph; `None` if it has a circle.
pub(crate) fn sort(graph: &Graph, chunks: &[Chunk]) -> Option<Sorted> {
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
    (steps.len() == graph.nodes.len()).then_some(Sorted { steps, orders: orders.own })
}

#[derive(Debug)]
struct Key<'a> {
    effective: f64,
    own: f64,
    chunk: &'a Chunk,
    tag: &'a str,
    node: usize,
}

impl Key<'_> {
    /// Salt's label of a state.
    fn label(&self) -> impl Iterator<Item = u8> {
        let Chunk { state, name, fun, .. } = self.chunk;
        state.bytes().chain(name.bytes()).chain(fun.bytes())
    }
}

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl Eq for Key<'_> {}

impl Ord for Key<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.effective
            .total_cmp(&other.effective)
            .then_with(|| self.own.total_cmp(&other.own))
            .then_with(|| self.label().cmp(other.label()))
            .then_with(|| self.tag.cmp(other.tag))
            .then_with(|| self.node.cmp(&other.node))
    }
}

impl PartialOrd for Key<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
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
            if let Some(order) = chunk.args.get("order").and_then(whole).map(to_float)
                && order > cap - 1.0
                && order > 0.0
            {
                cap = order + 100.0;
            }
        }
        let own = chunks.iter().map(|chunk| raw(chunk, cap)).collect();
        Orders { cap, own, settled: vec![false; chunks.len()] }
    }

    fn key<'a>(&mut self, graph: &'a Graph, chunks: &'a [Chunk], node: usize) -> Key<'a> {
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
            chunk,
            tag: &graph.nodes[node].tag,
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

/// A whole number; Python counts its booleans among them.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_bool().map(i64::from))
}

/// The order as written: a number, `first`, `last`, or else the common cap.
fn raw(chunk: &Chunk, cap: f64) -> f64 {
    match chunk.args.get("order") {
        Some(Value::Number(number)) => number.as_f64().unwrap_or(cap),
        Some(Value::Bool(flag)) => f64::from(u8::from(*flag)),
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
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::error::At;
    use crate::requisite::Kind;

    fn chunk(name: &str, args: Value) -> Chunk {
        Chunk {
            state: "test".into(),
            fun: "nop".into(),
            id: name.into(),
            name: name.into(),
            sls: "a".into(),
            saltenv: "base".into(),
            at: At::new("a.sls", 1),
            args: args.as_object().cloned().unwrap_or_default().into_iter().collect(),
            included_from: Vec::new(),
            name_order: 0,
            lines: Vec::new(),
        }
    }

    fn sorted(chunks: &[Chunk]) -> Option<Vec<Step>> {
        let (graph, errors) = Graph::build(chunks);
        assert!(errors.is_empty(), "{errors:?}");
        sort(&graph, chunks).map(|sorted| sorted.steps)
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

    /// Salt's rule, read off plainly: of all states whose requisites have run, the one goes next
    /// whose order is least; a state that others wait for counts with the least of the orders of
    /// those that wait for it by the strongest kind of requisite.
    fn plain_order(chunks: &[Chunk]) -> Vec<usize> {
        let cap = chunks.iter().fold(1.0, |cap: f64, chunk| {
            let order = chunk.args.get("order").and_then(Value::as_f64).unwrap_or(0.0);
            if order > cap - 1.0 && order > 0.0 { order + 100.0 } else { cap }
        });
        let written =
            |chunk: &Chunk| chunk.args.get("order").and_then(Value::as_f64).unwrap_or(cap);
        let own = |chunk: &Chunk| {
            let order = written(chunk);
            if order < 0.0 { order + cap + 1_000_000.0 } else { order }
        };
        // (who waits, for whom, how), in the order in which Salt reads them.
        let mut waits: Vec<(usize, usize, Kind)> = Vec::new();
        for (who, chunk) in chunks.iter().enumerate() {
            for kind in Kind::READ {
                let list = chunk.args.get(kind.name()).and_then(Value::as_array);
                for item in list.into_iter().flatten() {
                    let name = item["test"].as_str().unwrap();
                    let whom = chunks.iter().position(|other| other.id == name).unwrap();
                    if !waits.contains(&(who, whom, kind)) {
                        waits.push((who, whom, kind));
                    }
                }
            }
        }
        let counts_with = |at: usize| {
            let mut least = f64::INFINITY;
            let mut strongest = Kind::Onfail;
            for (who, _, kind) in waits.iter().filter(|(_, whom, _)| *whom == at) {
                if *kind >= strongest {
                    strongest = *kind;
                    least = least.min(written(&chunks[*who]));
                }
            }
            least.min(own(&chunks[at]))
        };
        let mut done: Vec<usize> = Vec::new();
        while done.len() < chunks.len() {
            let ready = |at: &usize| {
                let mut asked = waits.iter().filter(|(who, ..)| who == at);
                !done.contains(at) && asked.all(|(_, whom, _)| done.contains(whom))
            };
            let key = |at: &usize| (counts_with(*at), own(&chunks[*at]), chunks[*at].tag());
            let next = (0..chunks.len()).filter(ready).min_by(|a, b| {
                let (a, b) = (key(a), key(b));
                a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2))
            });
            done.push(next.unwrap());
        }
        done
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_the_plain_rule(chunks in acyclic()) {
            let steps = sorted(&chunks).unwrap();
            let found: Vec<usize> = steps.iter().map(|step| step.chunk).collect();
            prop_assert_eq!(found, plain_order(&chunks));
        }

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
            let (graph, _) = Graph::build(&chunks);
            prop_assert!(sort(&graph, &chunks).is_none());
            prop_assert_eq!(graph.circle().len(), count);
        }
    }
}
