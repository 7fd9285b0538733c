//! Filters on lists: sets, order, numbers.

use std::collections::HashSet;

use minijinja::value::{Kwargs, Rest, Value, ValueKind};
use minijinja::{Environment, Error};

use super::option;
use crate::render::python::{fault, items, list, pairs};

pub(super) fn install(env: &mut Environment<'static>) {
    env.add_filter("unique", |value: &Value| list(unique(&items(value))));
    env.add_filter("union", |a: &Value, b: &Value| list(unique(&[items(a), items(b)].concat())));
    env.add_filter("intersect", |a: &Value, b: &Value| list(keep(a, b, true)));
    env.add_filter("difference", |a: &Value, b: &Value| list(keep(a, b, false)));
    env.add_filter("symmetric_difference", |a: &Value, b: &Value| {
        list([keep(a, b, false), keep(b, a, false)].concat())
    });
    env.add_filter("flatten", |value: &Value, args: Rest<Value>, kwargs: Kwargs| {
        let levels = option(&args, &kwargs, 0, "levels").and_then(|levels| levels.as_usize());
        let mut out = Vec::new();
        flatten(value, levels.unwrap_or(usize::MAX), &mut out);
        list(out)
    });
    env.add_filter("avg", avg);
    env.add_filter("sorted_ignorecase", |value: &Value| {
        let mut sorted = items(value);
        sorted.sort_by_key(|item| item.to_string().to_lowercase());
        list(sorted)
    });
    env.add_filter("is_sorted", |value: &Value| items(value).is_sorted());
    env.add_filter("compare_lists", compare_lists);
    env.add_filter("dictsort", dictsort);
    env.add_filter("list", to_list);
    env.add_filter("batch", batch);
}

fn unique(values: &[Value]) -> Vec<Value> {
    let mut seen = HashSet::new();
    values.iter().filter(|value| seen.insert((*value).clone())).cloned().collect()
}

fn keep(a: &Value, b: &Value, inside: bool) -> Vec<Value> {
    let b: HashSet<Value> = items(b).into_iter().collect();
    unique(&items(a)).into_iter().filter(|item| b.contains(item) == inside).collect()
}

fn flatten(value: &Value, levels: usize, out: &mut Vec<Value>) {
    for item in items(value) {
        if item.kind() == ValueKind::Seq && levels > 0 {
            flatten(&item, levels - 1, out);
        } else if !item.is_none() {
            out.push(item);
        }
    }
}

fn avg(value: &Value) -> Result<Value, Error> {
    let numbers: Vec<f64> = items(value)
        .into_iter()
        .map(|item| f64::try_from(item).map_err(|_| fault("avg needs numbers")))
        .collect::<Result<_, _>>()?;
    if numbers.is_empty() {
        return Err(fault("avg of an empty list"));
    }
    #[allow(clippy::cast_precision_loss, reason = "a list's length is small")]
    let count = numbers.len() as f64;
    Ok(Value::from(numbers.iter().sum::<f64>() / count))
}

fn compare_lists(a: &Value, b: &Value) -> Value {
    let (old, new) = (keep(a, b, false), keep(b, a, false));
    let mut out = indexmap::IndexMap::new();
    if !new.is_empty() {
        out.insert(Value::from("new"), list(new));
    }
    if !old.is_empty() {
        out.insert(Value::from("old"), list(old));
    }
    crate::render::python::dict(out)
}

fn dictsort(value: &Value, args: Rest<Value>, kwargs: Kwargs) -> Value {
    let exact = option(&args, &kwargs, 0, "case_sensitive").is_some_and(|flag| flag.is_true());
    let by = option(&args, &kwargs, 1, "by").is_some_and(|by| by.as_str() == Some("value"));
    let reverse = option(&args, &kwargs, 2, "reverse").is_some_and(|flag| flag.is_true());
    let fold = |value: &Value| match value.as_str() {
        Some(text) if !exact => Value::from(text.to_lowercase()),
        _ => value.clone(),
    };
    let mut sorted = pairs(value);
    sorted.sort_by_key(|(key, item)| fold(if by { item } else { key }));
    if reverse {
        sorted.reverse();
    }
    list(sorted.into_iter().map(Value::from).collect())
}

/// Python's `list()`: items, a map's keys, a text's characters.
fn to_list(value: &Value) -> Value {
    match value.as_str() {
        Some(text) => list(text.chars().map(|c| Value::from(c.to_string())).collect()),
        None => list(items(value)),
    }
}

fn batch(value: &Value, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let size = option(&args, &kwargs, 0, "linecount").and_then(|size| size.as_usize());
    let size = size.filter(|size| *size > 0).ok_or_else(|| fault("batch needs a size"))?;
    let fill = option(&args, &kwargs, 1, "fill_with");
    let all = items(value);
    let rows = all.chunks(size).map(|row| {
        let mut row = row.to_vec();
        if let Some(fill) = &fill {
            row.resize(size, fill.clone());
        }
        list(row)
    });
    Ok(list(rows.collect()))
}
