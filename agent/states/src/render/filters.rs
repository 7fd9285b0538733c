//! Filters and tests that Salt adds to Jinja, and Jinja's own where minijinja's differ.

mod data;
mod lists;
mod text;

use minijinja::Environment;
use minijinja::value::{Kwargs, Rest, Value};

use super::python;

pub(super) use data::load_json;

pub(super) fn install(env: &mut Environment<'static>) {
    data::install(env);
    lists::install(env);
    text::install(env);
    env.add_test("list", |value: &Value| {
        value.kind() == minijinja::value::ValueKind::Seq && !value.is_tuple()
    });
    env.add_test("callable", |value: &Value| value.as_object().is_some());
    env.add_test("match", |value: &Value, pattern: &str| text::test_match(value, pattern));
    env.add_test("equalto", |a: &Value, b: &Value| a == b);
    env.add_function("range", range);
    env.add_function("__l", |value: &Value| python::list(python::items(value)));
    env.add_function("__d", |value: &Value| {
        python::dict(python::pairs(value).into_iter().collect())
    });
}

/// Numbers that `range` makes at most.
const RANGE_MAX: i64 = 1_000_000;

fn range(start: i64, stop: Option<i64>, step: Option<i64>) -> Result<Value, minijinja::Error> {
    let (start, stop) = stop.map_or((0, start), |stop| (start, stop));
    let step = step.unwrap_or(1);
    if step == 0 || (stop - start) / step > RANGE_MAX {
        return Err(python::fault("range has a step of zero or more than a million items"));
    }
    let mut items = Vec::new();
    let mut at = start;
    while (step > 0 && at < stop) || (step < 0 && at > stop) {
        items.push(Value::from(at));
        at += step;
    }
    Ok(python::list(items))
}

/// The argument at a place or of a name, or its default.
pub(super) fn option(args: &Rest<Value>, kwargs: &Kwargs, at: usize, name: &str) -> Option<Value> {
    args.get(at).cloned().or_else(|| kwargs.get::<Value>(name).ok())
}
