//! Filters between values and texts: yaml, json, python; and paths into values.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

use super::{Filter, dump, xml};
use crate::render::jinja::args::Args;
use crate::render::jinja::{item, ops, undefined};
use crate::render::markup;
use crate::render::python::{dict, fault, from_json, is_tuple, list, pairs, repr, text};
use crate::render::yaml_value;
use crate::yaml::emit::{self, Style};

pub(super) fn find(name: &str) -> Option<Filter> {
    Some(match name {
        "yaml" => |value, args| yaml(value, args.flag(0, "flow_style", true)),
        "dict_to_sls_yaml_params" => |value, args| {
            dump::measured(value)?;
            if value.kind() != ValueKind::Map {
                let kind = ops::type_name(value);
                return Err(fault(format!("'{kind}' object has no attribute 'items'")));
            }
            let entry = |(key, item)| dict([(key, item)].into_iter().collect());
            let all = list(pairs(value).into_iter().map(entry).collect());
            yaml(&all, args.flag(0, "flow_style", false))
        },
        "json" => |value, args| {
            let indent = dump::Indent::of(args.get(1, "indent"))?;
            let sort = args.flag(0, "sort_keys", true);
            dump::json(value, sort, &indent, false).map(markup::of)
        },
        "tojson" => |value, args| {
            let indent = dump::Indent::of(args.get(0, "indent"))?;
            let sort = args.flag(usize::MAX, "sort_keys", false);
            let ascii = args.flag(usize::MAX, "ensure_ascii", true);
            let out = dump::json(value, sort, &indent, ascii)?;
            let out = out.replace('<', "\\u003c").replace('>', "\\u003e");
            Ok(Value::from(out.replace('&', "\\u0026").replace('\'', "\\u0027")))
        },
        "python" => |value, _| Ok(markup::of(super::pretty::pretty(value))),
        "pprint" => |value, _| Ok(Value::from(super::pretty::pretty(value))),
        "xml" => |value, _| xml::document(value).map(Value::from),
        "load_yaml" => |value, _| match value.as_str() {
            // PyYAML's loader takes no kind of text but the one.
            Some(text) if !value.is_safe() => yaml_value(text).map_err(|error| {
                let told = error.detail().unwrap_or_default();
                runtime(format!("Encountered error loading yaml: {told}"))
            }),
            _ => Err(fault("a string or stream input is required")),
        },
        "load_json" => |value, _| match value.as_str() {
            Some(text) => load_json(text),
            None => Err(runtime(format!("Unable to load json from {}", text(value)))),
        },
        "load_text" => |value, _| Ok(value.clone()),
        "yaml_encode" => yaml_encode,
        "yaml_dquote" => |value, _| Ok(Value::from(emit::ascii_quoted(&text(value)))),
        "yaml_squote" => |value, _| Ok(Value::from(emit::single_quoted(&text(value)))),
        "traverse" => traverse,
        "json_query" => |value, args| super::dicts::query(value, &args.text(0, "expr")?),
        "to_bool" => |value, _| Ok(Value::from(to_bool(value))),
        "is_list" => |value, _| Ok(Value::from(ops::type_name(value) == "list")),
        "is_iter" => |value, _| {
            Ok(Value::from(matches!(
                value.kind(),
                ValueKind::Seq | ValueKind::Iterable | ValueKind::Map | ValueKind::Bytes
            )))
        },
        "json_encode_dict" | "json_encode_list" | "json_decode_dict" | "json_decode_list" => {
            |value, _| Ok(encoded(value))
        }
        "skip" => |_, _| Ok(Value::from("")),
        "sequence" => |value, _| {
            Ok(match value.kind() {
                ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => value.clone(),
                _ => list(vec![value.clone()]),
            })
        },
        _ => return None,
    })
}

/// What Jinja and Salt call a runtime error of the template.
pub(super) fn runtime(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::SyntaxError, reason.into())
}

fn yaml(value: &Value, flow: bool) -> Result<Value, Error> {
    let style = Style::of(Some(flow));
    let out = emit::dump(&dump::item(value, true)?, style);
    let out = out.trim();
    Ok(markup::of(out.strip_suffix("\n...").unwrap_or(out)))
}

fn load_json(text: &str) -> Result<Value, Error> {
    let json = crate::data::json::read(text)
        .map_err(|_| runtime(format!("Unable to load json from {text}")))?;
    Ok(from_json(&json))
}

fn yaml_encode(value: &Value, _: &Args) -> Result<Value, Error> {
    Ok(Value::from(match value.kind() {
        ValueKind::String if value.is_safe() => {
            return Err(fault(format!("('cannot represent an object', {})", repr(value))));
        }
        ValueKind::String => emit::ascii_quoted(&text(value)),
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => text(value).to_lowercase(),
        ValueKind::Number => match ops::number(value) {
            Some(ops::Number::Float(number)) => emit::float_text(number),
            _ => text(value),
        },
        _ => {
            let kind = ops::type_name(value);
            return Err(fault(format!(
                "yaml_encode() only works with YAML scalar data; failed for <class '{kind}'>"
            )));
        }
    }))
}

fn traverse(value: &Value, args: &Args) -> Result<Value, Error> {
    let key = args.must(0, "key")?;
    let default = args.get(1, "default").unwrap_or_else(|| Value::from(()));
    let by = args.text_or(2, "delimiter", ":");
    let found = match key.as_str() {
        Some(path) => walk(value, path, &by),
        None if ops::is_list(&key) => {
            let keys = ops::iterate(&key)?;
            keys.iter().try_fold(value.clone(), |here, key| step(&here, key))
        }
        None => step(value, &key),
    };
    Ok(found.unwrap_or(default))
}

/// Follows `a:b:0` through maps and lists.
fn walk(value: &Value, path: &str, by: &str) -> Option<Value> {
    if by.is_empty() {
        return step(value, &Value::from(path));
    }
    path.split(by).try_fold(value.clone(), |here, part| step(&here, &Value::from(part)))
}

fn step(here: &Value, key: &Value) -> Option<Value> {
    let own = |of: &Value, key: &Value| {
        let found = of.get_item(key).ok()?;
        (!found.is_undefined()).then_some(found)
    };
    if ops::is_list(here) && !is_tuple(here) {
        let maps = || {
            let all = crate::render::python::items(here);
            all.into_iter().filter(|item| item.kind() == ValueKind::Map)
        };
        let index = key.as_str().map_or_else(|| key.as_i64(), |text| text.trim().parse().ok());
        let key = index.map_or_else(|| key.clone(), Value::from);
        let embedded = maps().find_map(|map| own(&map, &key));
        return embedded.or_else(|| own(here, &Value::from(index?)));
    }
    match here.kind() {
        ValueKind::Map => own(here, key).or_else(|| {
            // A number in a path may mean a number as key.
            let loaded = yaml_value(key.as_str()?).ok()?;
            own(here, &loaded)
        }),
        _ => {
            item(here, key).ok().filter(|found| !undefined::is(found) && ops::number(key).is_some())
        }
    }
}

fn to_bool(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Bool => value.is_true(),
        ValueKind::String => matches!(text(value).to_lowercase().as_str(), "yes" | "1" | "true"),
        ValueKind::Number if value.is_integer() => value.as_i64().is_none_or(|number| number > 0),
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            !is_tuple(value) && value.len().is_some_and(|len| len > 0)
        }
        _ => false,
    }
}

/// The same with bytes for texts.
fn encoded(value: &Value) -> Value {
    match value.kind() {
        ValueKind::String => Value::from_bytes(text(value).into_bytes()),
        ValueKind::Map => {
            let pair = |(key, item): (Value, Value)| (encoded(&key), encoded(&item));
            dict(pairs(value).into_iter().map(pair).collect())
        }
        ValueKind::Seq | ValueKind::Iterable => {
            list(crate::render::python::items(value).iter().map(encoded).collect())
        }
        _ => value.clone(),
    }
}
