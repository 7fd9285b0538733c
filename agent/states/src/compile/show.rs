//! What Salt's `state.show_*` show: top file matches, high data, low data.

use serde_json::{Map, Value, json};

use super::{Compiled, Request, Selected, Selection, Stages, stages};
use crate::chunk::Chunk;
use crate::data::key;
use crate::error::Error;
use crate::high;
use crate::order::Step;
use crate::order::graph::Graph;
use crate::secret::Secrets;
use crate::sls;

/// What a stage came to, with the secrets of the pillar masked wherever they stand.
///
/// # Errors
/// The faults that were given, masked as well.
pub fn masked(
    request: &Request<'_>,
    shown: Result<Value, Vec<Error>>,
) -> Result<Value, Vec<Error>> {
    let secrets = Secrets::of(request.pillar, request.opts, request.tree, request.facts);
    match shown {
        Ok(mut value) => {
            secrets.mask_value(&mut value);
            Ok(value)
        }
        Err(mut errors) => {
            errors.iter_mut().for_each(|error| secrets.mask_error(error));
            Err(errors)
        }
    }
}

/// The SLS by environment, as `state.show_top` shows them.
///
/// # Errors
/// When the top files do not render, or are malformed.
pub fn show_top(request: &Request<'_>) -> Result<Value, Vec<Error>> {
    let request = Request { selection: &Selection::Highstate, ..*request };
    Ok(Selected::of(&request)?.to_json())
}

/// The high data before requisites and extensions, as `state.show_highstate` and `state.show_sls`
/// show them.
///
/// # Errors
/// All faults of the SLS that were selected.
pub fn show_high(request: &Request<'_>) -> Result<Value, Vec<Error>> {
    let selected = Selected::of(request)?;
    let built = high::build(&selected.view.worlds, &selected.matches, request.opts);
    let (high, mut errors) = (built.high, built.errors);
    if matches!(request.selection, Selection::Sls(_)) {
        errors.extend(high.malformed.clone());
    }
    sls::relocate(&selected.view.worlds, &mut errors);
    if errors.is_empty() { Ok(key::shown(high.to_json())) } else { Err(errors) }
}

/// The low data in run order, as `state.show_lowstate` shows them; functions and arguments that
/// this engine does not have are shown too.
///
/// # Errors
/// All faults that Salt finds before it runs the first state.
pub fn show_low(request: &Request<'_>) -> Result<Value, Vec<Error>> {
    let selected = Selected::of(request)?;
    match stages(&selected, request, false) {
        Ok(Stages { steps, chunks, orders, graph, .. }) => {
            Ok(steps.iter().map(|step| low(step.chunk, &chunks, &orders, &graph)).collect())
        }
        Err(mut errors) => {
            sls::relocate(&selected.view.worlds, &mut errors);
            Err(errors)
        }
    }
}

impl Compiled {
    /// The low data in run order, as `state.show_lowstate` shows them: what is run dry for a
    /// `prereq` comes there too.
    pub fn low(&self) -> Value {
        let one = |step: &Step| low(step.chunk, &self.chunks, &self.orders, &self.graph);
        self.steps.iter().map(one).collect()
    }
}

fn low(at: usize, chunks: &[Chunk], orders: &[f64], graph: &Graph) -> Value {
    let chunk = &chunks[at];
    let mut map = Map::from_iter([
        ("state".to_owned(), json!(chunk.state)),
        ("name".to_owned(), json!(chunk.name)),
        ("__sls__".to_owned(), json!(chunk.sls)),
        ("__env__".to_owned(), json!(chunk.saltenv)),
        ("__id__".to_owned(), json!(chunk.id)),
        ("fun".to_owned(), json!(chunk.fun)),
    ]);
    if !chunk.included_from.is_empty() {
        map.insert("__sls_included_from__".to_owned(), json!(chunk.included_from));
    }
    map.extend(chunk.args.clone());
    if !chunk.args.get("order").is_some_and(Value::is_boolean) {
        map.insert("order".to_owned(), number(orders[at]));
    }
    if graph.test_of(at).is_some() {
        map.insert("__prereq__".to_owned(), json!(true));
    }
    if graph.has_prereq(at) {
        map.insert("__prerequiring__".to_owned(), json!(true));
    }
    key::shown(Value::Object(map))
}

/// A whole number as one.
#[allow(clippy::cast_possible_truncation, reason = "orders are far below 2^53")]
fn number(order: f64) -> Value {
    if order.fract() == 0.0 && order.abs() < 1e15 { json!(order as i64) } else { json!(order) }
}
