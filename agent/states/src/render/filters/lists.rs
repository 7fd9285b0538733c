//! Salt's filters on lists: sets, order, numbers, combinations.

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use super::Filter;
use crate::module::random::sample;
use crate::render::jinja::args::Args;
use crate::render::jinja::ops::{self, ITEMS_MAX, Number};
use crate::render::python::{dict, fault, items, list, text, tuple_of, view_name};

pub(super) fn find(name: &str) -> Option<Filter> {
    Some(match name {
        "unique" => |value, _| unique(ops::iterate(value)?).map(list),
        "union" => |a, args| union(a, &args.must(0, "lst2")?).map(list),
        "intersect" => |a, args| kept(a, &args.must(0, "lst2")?, true).map(list),
        "difference" => |a, args| kept(a, &args.must(0, "lst2")?, false).map(list),
        "symmetric_difference" => |a, args| {
            let b = args.must(0, "lst2")?;
            union(a, &b)?;
            Ok(list([kept(a, &b, false)?, kept(&b, a, false)?].concat()))
        },
        "min" => |value, _| extreme(value, false),
        "max" => |value, _| extreme(value, true),
        "avg" => avg,
        "flatten" => |value, args| {
            let levels = args.get(0, "levels").filter(|levels| !levels.is_none());
            let levels = levels.and_then(|levels| levels.as_usize()).unwrap_or(usize::MAX);
            let mut out = Vec::new();
            flatten(value, levels, args.flag(1, "preserve_nulls", false), &mut out, 0)?;
            Ok(list(out))
        },
        "sorted_ignorecase" => |value, _| {
            let mut all = ops::iterate(value)?;
            if let Some(other) = all.iter().find(|item| item.as_str().is_none()) {
                let kind = ops::type_name(other);
                return Err(fault(format!("'{kind}' object has no attribute 'lower'")));
            }
            all.sort_by_key(|item| text(item).to_lowercase());
            Ok(list(all))
        },
        "compare_lists" => compare_lists,
        "substring_in_list" => |value, args| {
            let all = ops::iterate(&args.must(0, "list_to_search")?)?;
            for item in all {
                if ops::contains(&item, value)? {
                    return Ok(Value::from(true));
                }
            }
            Ok(Value::from(false))
        },
        other => return find_more(other),
    })
}

fn find_more(name: &str) -> Option<Filter> {
    Some(match name {
        "exactly_n_true" => |value, args| {
            let amount = args.int(0, "amount", 1)?;
            let count = ops::iterate(value)?.iter().filter(|item| item.is_true()).count();
            Ok(Value::from(i64::try_from(count) == Ok(amount)))
        },
        "exactly_one_true" => |value, _| {
            let count = ops::iterate(value)?.iter().filter(|item| item.is_true()).count();
            Ok(Value::from(count == 1))
        },
        "combinations" => |value, args| choose(value, args, false, false),
        "combinations_with_replacement" => |value, args| choose(value, args, false, true),
        "permutations" => |value, args| choose(value, args, true, false),
        "product" => product,
        "zip" => |value, args| zip(value, args, None),
        "zip_longest" => |value, args| {
            let fill = args.named("fillvalue").unwrap_or_else(|| Value::from(()));
            zip(value, args, Some(fill))
        },
        "compress" => |value, args| {
            let picks = ops::iterate(&args.must(0, "selectors")?)?;
            let all = ops::iterate(value)?.into_iter().zip(picks);
            Ok(list(all.filter(|(_, pick)| pick.is_true()).map(|(item, _)| item).collect()))
        },
        "random" => |value, _| {
            let all = ops::iterate(value)?;
            match u64::try_from(all.len()) {
                Ok(len) if len > 0 => {
                    let at = usize::try_from(super::hashes::random() % len).unwrap_or(0);
                    Ok(all[at].clone())
                }
                _ => {
                    Ok(crate::render::jinja::undefined::new("No random item, sequence was empty."))
                }
            }
        },
        "random_sample" => {
            |value, args| sample(value, Some(args.int(0, "size", 0)?), args.get(1, "seed").as_ref())
        }
        "random_shuffle" => |value, args| sample(value, None, args.get(0, "seed").as_ref()),
        _ => return None,
    })
}

fn unique(all: Vec<Value>) -> Result<Vec<Value>, Error> {
    let mut out: Vec<Value> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for item in all {
        let found = match item.kind() {
            ValueKind::String | ValueKind::None => !seen.insert(item.clone()),
            _ => ops::contains(&list(out.clone()), &item)?,
        };
        if !found {
            out.push(item);
        }
    }
    Ok(out)
}

/// All of two lists; of other kinds only what Python adds, or makes sets of.
fn union(a: &Value, b: &Value) -> Result<Vec<Value>, Error> {
    let keyed = |value| matches!(view_name(value), Some("dict_keys" | "dict_items"));
    if [a, b].into_iter().all(|value| ops::hashable(value).is_ok() && !keyed(value)) {
        return unique([ops::iterate(a)?, ops::iterate(b)?].concat());
    }
    unique(ops::iterate(&ops::add_values(a, b)?)?)
}

fn kept(a: &Value, b: &Value, inside: bool) -> Result<Vec<Value>, Error> {
    let b = list(ops::iterate(b)?);
    let mut out = Vec::new();
    for item in ops::iterate(a)? {
        if ops::contains(&b, &item)? == inside {
            out.push(item);
        }
    }
    unique(out)
}

fn extreme(value: &Value, largest: bool) -> Result<Value, Error> {
    let mut best: Option<Value> = None;
    for item in ops::iterate(value)? {
        let better = match &best {
            None => true,
            Some(best) => {
                let (op, wanted) = if largest {
                    (">", std::cmp::Ordering::Greater)
                } else {
                    ("<", std::cmp::Ordering::Less)
                };
                ops::order(&item, best, op)? == Some(wanted)
            }
        };
        if better {
            best = Some(item);
        }
    }
    let name = if largest { "max" } else { "min" };
    best.ok_or_else(|| fault(format!("{name}() arg is an empty sequence")))
}

fn avg(value: &Value, _: &Args) -> Result<Value, Error> {
    if let Some(number) = super::numbers::to_float(value) {
        return Ok(Value::from(number));
    }
    let all = ops::iterate(value)?;
    let mut sum = 0.0;
    for item in &all {
        let number = ops::number(item).map(Number::as_float);
        sum += number.ok_or_else(|| {
            let kind = ops::type_name(item);
            fault(format!("unsupported operand type(s) for +: 'int' and '{kind}'"))
        })?;
    }
    if all.is_empty() {
        return Err(fault("division by zero"));
    }
    #[allow(clippy::cast_precision_loss, reason = "a list's length is small")]
    let count = all.len() as f64;
    Ok(Value::from(sum / count))
}

fn flatten(
    value: &Value,
    levels: usize,
    nulls: bool,
    out: &mut Vec<Value>,
    depth: usize,
) -> Result<(), Error> {
    if depth > 100 {
        return Err(fault("Reference cycle detected. Check input list."));
    }
    for item in ops::iterate(value)? {
        let null = item.is_none() || matches!(item.as_str(), Some("None" | "null"));
        if null && !nulls {
            continue;
        }
        let iterable = ops::is_list(&item) || item.kind() == ValueKind::Map;
        if iterable && levels > 0 {
            let levels = if levels == usize::MAX { levels } else { levels - 1 };
            flatten(&item, levels, nulls, out, depth + 1)?;
        } else {
            out.push(item);
        }
        if out.len() > ITEMS_MAX {
            return Err(fault("the list is too large"));
        }
    }
    Ok(())
}

fn compare_lists(old: &Value, args: &Args) -> Result<Value, Error> {
    let (old, new) = (list(ops::iterate(old)?), list(ops::iterate(&args.must(0, "new")?)?));
    let mut out = indexmap::IndexMap::new();
    for (name, of, other) in [("new", &new, &old), ("old", &old, &new)] {
        let mut found = Vec::new();
        for item in items(of) {
            if !ops::contains(other, &item)? {
                found.push(item);
            }
        }
        if !found.is_empty() {
            out.insert(Value::from(name), list(found));
        }
    }
    Ok(dict(out))
}

/// Combinations or permutations of `r` items, in Python's order.
fn choose(value: &Value, args: &Args, order: bool, again: bool) -> Result<Value, Error> {
    let all = ops::iterate(value)?;
    let usual = i64::try_from(all.len()).unwrap_or(0);
    let wanted = if order {
        args.int(0, "r", usual)?
    } else {
        args.must(0, "r")?.as_i64().ok_or_else(|| fault("r is a whole number"))?
    };
    let wanted = usize::try_from(wanted).map_err(|_| fault("r must be non-negative"))?;
    let (mut out, mut picked) = (Vec::new(), Vec::new());
    pick(&all, wanted, order, again, &mut picked, &mut out)?;
    Ok(list(out))
}

fn pick(
    all: &[Value],
    wanted: usize,
    order: bool,
    again: bool,
    picked: &mut Vec<usize>,
    out: &mut Vec<Value>,
) -> Result<(), Error> {
    if out.len() > ITEMS_MAX / 10 || wanted > 64 {
        return Err(fault("too many combinations"));
    }
    if picked.len() == wanted {
        out.push(tuple_of(picked.iter().map(|at| all[*at].clone()).collect()));
        return Ok(());
    }
    let from = match picked.last() {
        Some(last) if !order => {
            if again {
                *last
            } else {
                *last + 1
            }
        }
        _ => 0,
    };
    for at in from..all.len() {
        if order && picked.contains(&at) {
            continue;
        }
        picked.push(at);
        pick(all, wanted, order, again, picked, out)?;
        picked.pop();
    }
    Ok(())
}

fn product(value: &Value, args: &Args) -> Result<Value, Error> {
    let mut lists = vec![ops::iterate(value)?];
    for other in &args.plain {
        lists.push(ops::iterate(other)?);
    }
    let repeat = args.named("repeat").and_then(|repeat| repeat.as_usize()).unwrap_or(1);
    if repeat > 16 {
        return Err(fault("too many combinations"));
    }
    let lists: Vec<_> = std::iter::repeat_n(lists, repeat).flatten().collect();
    let mut out: Vec<Vec<Value>> = vec![Vec::new()];
    for one in &lists {
        if out.len().saturating_mul(one.len()) > ITEMS_MAX / 10 {
            return Err(fault("too many combinations"));
        }
        out = out
            .iter()
            .flat_map(|row| {
                one.iter()
                    .map(|item| [row.clone(), vec![item.clone()]].concat())
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    Ok(list(out.into_iter().map(tuple_of).collect()))
}

fn zip(value: &Value, args: &Args, fill: Option<Value>) -> Result<Value, Error> {
    let mut lists = vec![ops::iterate(value)?];
    for other in &args.plain {
        lists.push(ops::iterate(other)?);
    }
    let lens = lists.iter().map(Vec::len);
    let len = if fill.is_some() { lens.max() } else { lens.min() };
    let row = |at: usize| {
        let item = |own: &Vec<Value>| own.get(at).or(fill.as_ref()).cloned().unwrap_or_default();
        tuple_of(lists.iter().map(item).collect())
    };
    Ok(list((0..len.unwrap_or(0)).map(row).collect()))
}
