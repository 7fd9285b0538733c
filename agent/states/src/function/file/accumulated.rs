//! `file.accumulated`: texts gathered for a file that a later state writes.

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::function::args::python_type;
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::Outcome;

pub(in crate::function) struct Accumulate;

/// By file, then by accumulator's name.
pub(crate) type Accumulated = IndexMap<String, IndexMap<String, Gathered>>;

/// What one accumulator has, and the IDs of the states that it is for.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    texts: Vec<Value>,
    wanted_by: Vec<String>,
}

impl StateFunction for Accumulate {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "accumulated";
    const TAKES: &'static [&'static str] = &["filename", "text"];
    const NEEDS: &'static [&'static str] = &["filename", "text"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let (name, chunk) = (ctx.name(), ctx.chunk);
        if ctx.value("text").is_none() {
            return Plan::failed("No text supplied for accumulator");
        }
        if wanted_by(ctx).is_empty() {
            let (sls, id) = (&chunk.sls, &chunk.id);
            return Plan::failed(format!("Orphaned accumulator {name} in {sls}:{id}"));
        }
        // A dry run gathers, too: nothing of the host is changed, and later states foresee by it.
        if ctx.test { Plan::Done(gather(ctx)) } else { Plan::change("", Default::default(), ()) }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        gather(ctx)
    }
}

fn gather(ctx: &Context<'_>) -> Outcome {
    let (name, file) = (ctx.name(), ctx.text("filename").unwrap_or_default());
    let texts = match ctx.value("text") {
        Some(Value::Array(items)) => items.clone(),
        Some(one @ (Value::String(_) | Value::Object(_))) => vec![one.clone()],
        Some(other) => {
            let told = format!("'{}' object is not iterable", python_type(other));
            return Outcome::raised(told);
        }
        None => Vec::new(),
    };
    let mut all = ctx.session.accumulated.borrow_mut();
    let gathered = all.entry(file.clone()).or_default().entry(name.to_owned()).or_default();
    gathered.wanted_by.extend(wanted_by(ctx));
    let mut comment = String::new();
    for text in texts {
        if !gathered.texts.contains(&text) {
            gathered.texts.push(text);
            comment = format!("Accumulator {name} for file {file} was charged by text");
        }
    }
    Outcome::fine(comment)
}

/// The file states that `require_in` and `watch_in` name.
fn wanted_by(ctx: &Context<'_>) -> Vec<String> {
    let keys = ["require_in", "watch_in"];
    let items = keys.iter().filter_map(|key| ctx.value(key)).filter_map(Value::as_array).flatten();
    items.filter_map(|item| Some(item.get("file")?.as_str()?.to_owned())).collect()
}

/// The lines for a file: of the accumulators that name this state, or of all.
pub(super) fn lines_for(ctx: &Context<'_>) -> Vec<String> {
    let all = ctx.session.accumulated.borrow();
    let Some(file) = all.get(ctx.name()) else { return Vec::new() };
    let for_this = |gathered: &&Gathered| gathered.wanted_by.contains(&ctx.chunk.id);
    let named: Vec<&Gathered> = file.values().filter(for_this).collect();
    let chosen = if named.is_empty() { file.values().collect() } else { named };
    let texts = chosen.into_iter().flat_map(|gathered| &gathered.texts);
    texts.map(crate::function::args::text).collect()
}

/// What a template sees as `accumulator`, if anything was gathered for its file.
pub(super) fn for_template(ctx: &Context<'_>) -> Option<Value> {
    let all = ctx.session.accumulated.borrow();
    let file = all.get(ctx.name())?;
    Some(file.iter().map(|(name, gathered)| (name.clone(), json!(gathered.texts))).collect())
}
