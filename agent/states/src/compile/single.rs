//! One state function with arguments, as `state.single` runs it: no SLS, no requisites.

use serde_json::{Map, Value, json};

use super::{Compiled, Request, check};
use crate::chunk::{Args, Chunk};
use crate::error::{At, Error, Kind};
use crate::function;
use crate::function::args::text;
use crate::order;
use crate::order::graph::Graph;
use crate::requisite;
use crate::top::Matches;
use crate::tree::BASE;
use crate::view::View;

/// Compiles one call of a state function; `name` is among its arguments, the selection is not used.
///
/// Requisites have nothing to refer to and are passed over with a warning, as Salt does silently.
///
/// # Errors
/// When the function is not known, or its arguments are not what it takes.
pub fn single(
    request: &Request<'_>,
    function: &str,
    args: &Map<String, Value>,
) -> Result<Compiled, Vec<Error>> {
    let Request { tree, facts, opts, host, .. } = *request;
    let refused = opts.check();
    if !refused.is_empty() {
        return Err(refused);
    }
    let pillar = if request.pillar.is_null() { json!({}) } else { request.pillar.clone() };
    let (chunk, mut warnings) = chunk(function, args)?;
    let chunks = vec![chunk];
    let missing = function::find(&chunks[0].state, &chunks[0].fun).is_none();
    if missing || function::not_loaded(host, &chunks[0]).is_some() {
        let reason = format!("Specified state '{}' was not found", chunks[0].function());
        return Err(vec![Error::new(Kind::Unsupported, None, reason)]);
    }
    let (more, faults) = check::check(&chunks);
    warnings.extend(more);
    if !faults.is_empty() {
        return Err(faults.into_iter().map(placeless).collect());
    }
    let (graph, faults) = Graph::build(&chunks);
    let sorted = order::sort(&graph, &chunks).filter(|_| faults.is_empty()).ok_or(faults)?;
    Ok(Compiled {
        view: View::new(tree, facts, pillar, host, opts),
        graph,
        steps: sorted.steps,
        chunks,
        orders: sorted.orders,
        selected: Matches::new(),
        warnings: warnings.into_iter().map(placeless).collect(),
    })
}

/// The command line has no file and no lines.
fn placeless(error: Error) -> Error {
    Error { at: None, ..error }
}

fn chunk(function: &str, args: &Map<String, Value>) -> Result<(Chunk, Vec<Error>), Vec<Error>> {
    let fault = |reason: String| vec![Error::new(Kind::Shape, None, reason)];
    let name = match args.get("name") {
        Some(Value::String(name)) => name.clone(),
        Some(other) => {
            let kind = python_kind(other);
            let id = text(other);
            let reason = format!("ID '{id}' is not formed as a string, but is a {kind}");
            return Err(fault(reason));
        }
        None => return Err(fault(format!("Missing parameter name for state {function}"))),
    };
    let mut words = function.split('.');
    let (state, fun) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut warnings = Vec::new();
    let mut kept = Args::default();
    for (key, value) in args.iter().filter(|(key, _)| *key != "name" && *key != "names") {
        if requisite::is_keyword(key) {
            let reason = format!("'{key}' has no effect on a state that runs alone");
            warnings.push(Error::new(Kind::Shape, None, reason));
        } else {
            kept.insert(key.clone(), value.clone());
        }
    }
    let chunk = Chunk {
        state: state.to_owned(),
        fun: fun.to_owned(),
        id: name.clone(),
        name,
        sls: String::new(),
        saltenv: BASE.to_owned(),
        at: At::new("", 0),
        args: kept,
        included_from: Vec::new(),
        name_order: 0,
        lines: Vec::new(),
    };
    Ok((chunk, warnings))
}

fn python_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::Selection;
    use crate::facts::Facts;
    use crate::host::Host;
    use crate::opts::Opts;
    use crate::tree::Tree;

    fn compiled(function: &str, args: Value) -> Result<Compiled, Vec<Error>> {
        let request = Request {
            tree: &Tree::default(),
            facts: &Facts::default(),
            pillar: &Value::Null,
            opts: &Opts::default(),
            selection: &Selection::Highstate,
            exclude: &[],
            host: &Host::new(),
        };
        single(&request, function, args.as_object().unwrap())
    }

    fn said(function: &str, args: Value) -> String {
        compiled(function, args).unwrap_err()[0].to_string()
    }

    #[test]
    fn one_function_is_one_state() {
        let found = compiled("test.nop", json!({"name": "x", "require": [{"test": "y"}]})).unwrap();
        let tags: Vec<String> = found.chunks().iter().map(Chunk::tag).collect();
        assert_eq!(tags, ["test_|-x_|-x_|-nop"]);
        assert_eq!(found.warnings().len(), 1);
    }

    #[test]
    fn what_is_no_call_is_refused_in_salts_words() {
        assert_eq!(
            said("test.nope", json!({"name": "x"})),
            "Specified state 'test.nope' was not found"
        );
        let int = said("test.nop", json!({"name": 5}));
        assert_eq!(int, "ID '5' is not formed as a string, but is a int");
        let refused = said("file.managed", json!({"name": "/x", "signature": true}));
        assert!(refused.starts_with("the argument 'signature'"), "{refused}");
    }
}
