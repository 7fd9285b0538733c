//! Filters that apply other filters, tests or attributes to each item.

use minijinja::value::Value;

use crate::render::jinja::args::Args;
use crate::render::jinja::{Failure, Run, ops, path, undefined};
use crate::render::python::{fault, group, list, view};

const NAMES: [&str; 8] =
    ["map", "select", "reject", "selectattr", "rejectattr", "groupby", "sum", "method_call"];

pub(super) fn has(name: &str) -> bool {
    NAMES.contains(&name)
}

pub(super) fn apply(
    run: &mut Run<'_>,
    name: &str,
    value: &Value,
    args: Args,
) -> Result<Value, Failure> {
    match name {
        "map" => map(run, value, args),
        "select" | "reject" => picked(run, value, args, name == "select", false),
        "selectattr" | "rejectattr" => picked(run, value, args, name == "selectattr", true),
        "groupby" => groupby(value, &args),
        "sum" => sum(value, &args),
        _ => {
            let mut args = args;
            if args.plain.is_empty() {
                return Err(Failure::from(fault("method_call needs the name of a method")));
            }
            let method = crate::render::python::text(&args.plain.remove(0));
            if crate::render::methods::has(value, &method) {
                run.method(value, &method, &args)
            } else {
                Ok(Value::from(()))
            }
        }
    }
}

/// The items of a value; what is false in itself has none, whatever it is.
fn each(value: &Value) -> Result<Vec<Value>, Failure> {
    if value.is_true() { Ok(ops::iterate(value)?) } else { Ok(Vec::new()) }
}

fn map(run: &mut Run<'_>, value: &Value, mut args: Args) -> Result<Value, Failure> {
    let all = each(value)?;
    let mut out = Vec::with_capacity(all.len());
    if args.plain.is_empty() {
        let Some(attribute) = args.named("attribute") else {
            return Err(Failure::syntax("map requires a filter argument"));
        };
        let default = args.named("default");
        for item in all {
            run.step(1)?;
            let found = path(&item, &attribute)?;
            let missing = undefined::is(&found);
            out.push(default.clone().filter(|_| missing).unwrap_or(found));
        }
        return Ok(view("generator", out));
    }
    let filter = args.plain.remove(0);
    let filter = crate::render::python::text(&filter);
    if !all.is_empty() && !super::has(&filter) {
        return Err(Failure::syntax(format!("No filter named '{filter}'.")));
    }
    for item in all {
        out.push(run.filter(&filter, item, args.clone())?);
    }
    Ok(view("generator", out))
}

fn picked(
    run: &mut Run<'_>,
    value: &Value,
    mut args: Args,
    wanted: bool,
    by_attribute: bool,
) -> Result<Value, Failure> {
    let attribute = match (by_attribute, args.plain.is_empty()) {
        (true, true) => return Err(Failure::syntax("Missing parameter for attribute name")),
        (true, false) => Some(args.plain.remove(0)),
        (false, _) => None,
    };
    let test = (!args.plain.is_empty()).then(|| args.plain.remove(0));
    let mut out = Vec::new();
    for item in each(value)? {
        run.step(1)?;
        let tested = match &attribute {
            Some(attribute) => path(&item, attribute)?,
            None => item.clone(),
        };
        let found = match &test {
            Some(test) => {
                let name = crate::render::python::text(test);
                if super::test(&name).is_none() {
                    return Err(Failure::syntax(format!("No test named '{name}'.")));
                }
                run.test(&name, &tested, &args)?
            }
            None => {
                undefined::refuse(&tested)?;
                tested.is_true()
            }
        };
        if found == wanted {
            out.push(item);
        }
    }
    Ok(view("generator", out))
}

/// Pairs of a value and the items that have it, by value.
fn groupby(value: &Value, args: &Args) -> Result<Value, Failure> {
    let attribute = args.must(0, "attribute")?;
    let default = args.get(1, "default");
    let exact = args.flag(2, "case_sensitive", false);
    let mut keyed = Vec::new();
    for item in ops::iterate(value)? {
        let found = path(&item, &attribute)?;
        let found = match &default {
            Some(default) if undefined::is(&found) => default.clone(),
            _ => found,
        };
        undefined::refuse(&found)?;
        keyed.push((super::sequences::folded(&found, exact), found, item));
    }
    ops::sort_by_key(&mut keyed, |(key, _, _)| key)?;
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for (key, found, item) in keyed {
        match groups.last_mut() {
            Some((last, _, items)) if ops::equal(last, &key)? => items.push(item),
            _ => groups.push((key, found, vec![item])),
        }
    }
    let pair = |(_, found, items): (Value, Value, Vec<Value>)| group(found, list(items));
    Ok(list(groups.into_iter().map(pair).collect()))
}

fn sum(value: &Value, args: &Args) -> Result<Value, Failure> {
    let attribute = args.get(0, "attribute").filter(|attribute| !attribute.is_none());
    let mut total = args.get(1, "start").unwrap_or_else(|| Value::from(0));
    for item in ops::iterate(value)? {
        let item = match &attribute {
            Some(attribute) => path(&item, attribute)?,
            None => item,
        };
        total = ops::add_values(&total, &item)?;
    }
    Ok(total)
}
