//! Python's list and dict for templates: they change in place and print as Python prints them.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};
use serde_json::Value as Json;

use crate::yaml::{Data, Node};

/// A list that templates can change.
#[derive(Default)]
pub(super) struct PyList(RwLock<Vec<Value>>);

/// A dict that templates can change; keys keep their order.
#[derive(Default)]
pub(super) struct PyDict(RwLock<IndexMap<Value, Value>>);

pub(crate) fn list(items: Vec<Value>) -> Value {
    Value::from_object(PyList(RwLock::new(items)))
}

pub(crate) fn dict(pairs: IndexMap<Value, Value>) -> Value {
    Value::from_object(PyDict(RwLock::new(pairs)))
}

pub(crate) fn fault(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}

/// Whether a value is a dict that can change; puts an entry into it.
pub(crate) fn put(map: &Value, entry: Option<(Value, Value)>) -> bool {
    let Some(map) = map.downcast_object_ref::<PyDict>() else { return false };
    map.write().extend(entry);
    true
}

/// The items of a sequence, the keys of a map; nothing for anything else.
pub(crate) fn items(value: &Value) -> Vec<Value> {
    value.try_iter().map(Iterator::collect).unwrap_or_default()
}

/// The pairs of a map.
pub(crate) fn pairs(value: &Value) -> Vec<(Value, Value)> {
    let pair = |key: Value| {
        let item = value.get_item(&key).unwrap_or_default();
        (key, item)
    };
    items(value).into_iter().map(pair).collect()
}

/// A deep copy in Python containers.
pub(crate) fn deep(value: &Value) -> Value {
    match value.kind() {
        ValueKind::Map => {
            dict(pairs(value).into_iter().map(|(key, item)| (key, deep(&item))).collect())
        }
        ValueKind::Seq | ValueKind::Iterable => list(items(value).iter().map(deep).collect()),
        _ => value.clone(),
    }
}

/// JSON as Python containers.
pub(crate) fn from_json(json: &Json) -> Value {
    match json {
        Json::Array(items) => list(items.iter().map(from_json).collect()),
        Json::Object(map) => {
            dict(map.iter().map(|(key, item)| (Value::from(key), from_json(item))).collect())
        }
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::String(text) => Value::from(text.as_str()),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
    }
}

/// YAML as Python containers; keys keep their type.
pub(crate) fn from_yaml(node: &Node) -> Value {
    match &node.data {
        Data::Null => Value::from(()),
        Data::Bool(flag) => Value::from(*flag),
        Data::Int(number) => Value::from(*number),
        Data::Float(number) => Value::from(*number),
        Data::Str(text) => Value::from(text.as_str()),
        Data::Seq(items) => list(items.iter().map(from_yaml).collect()),
        Data::Map(pairs) => {
            dict(pairs.iter().map(|(key, item)| (from_yaml(key), from_yaml(item))).collect())
        }
    }
}

/// A value as JSON; what JSON has no form for becomes its text.
pub(crate) fn to_json(value: &Value) -> Json {
    match value.kind() {
        ValueKind::Map => {
            let entry = |(key, item): (Value, Value)| (key_text(&key), to_json(&item));
            Json::Object(pairs(value).into_iter().map(entry).collect())
        }
        ValueKind::Seq | ValueKind::Iterable => items(value).iter().map(to_json).collect(),
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::from(value.is_true()),
        ValueKind::Number => match value.as_i64() {
            Some(number) if value.is_integer() => Json::from(number),
            _ => f64::try_from(value.clone()).map_or(Json::Null, Json::from),
        },
        _ => Json::from(value.to_string()),
    }
}

fn key_text(key: &Value) -> String {
    key.as_str().map_or_else(|| repr(key), str::to_owned)
}

/// Python's `repr()`.
pub(crate) fn repr(value: &Value) -> String {
    if let Some(text) = value.as_str() {
        return repr_str(text);
    }
    match value.kind() {
        ValueKind::Map => {
            let pairs = pairs(value);
            let entries = pairs.iter().map(|(key, item)| format!("{}: {}", repr(key), repr(item)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let inner: Vec<_> = items(value).iter().map(repr).collect();
            match (value.is_tuple(), inner.len()) {
                (true, 1) => format!("({},)", inner[0]),
                (true, _) => format!("({})", inner.join(", ")),
                (false, _) => format!("[{}]", inner.join(", ")),
            }
        }
        _ => text(value),
    }
}

/// Python's `str()`.
pub(crate) fn text(value: &Value) -> String {
    match value.kind() {
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => repr(value),
        _ => value.to_string(),
    }
}

fn repr_str(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

fn arg(args: &[Value], at: usize) -> Result<Value, Error> {
    args.get(at).cloned().ok_or_else(|| Error::from(ErrorKind::MissingArgument))
}

/// Python's index: negative counts from the end.
fn position(key: &Value, len: usize) -> Option<usize> {
    let at = key.as_i64()?;
    let at = if at < 0 { at + i64::try_from(len).ok()? } else { at };
    usize::try_from(at).ok().filter(|at| *at < len)
}

fn none() -> Value {
    Value::from(())
}

impl PyList {
    fn read(&self) -> RwLockReadGuard<'_, Vec<Value>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vec<Value>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PyDict {
    fn read(&self) -> RwLockReadGuard<'_, IndexMap<Value, Value>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, IndexMap<Value, Value>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&repr(&Value::from(self.read().clone())))
    }
}

impl fmt::Debug for PyDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.read().clone();
        let entries = pairs.iter().map(|(key, item)| format!("{}: {}", repr(key), repr(item)));
        write!(f, "{{{}}}", entries.collect::<Vec<_>>().join(", "))
    }
}

impl Object for PyList {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let items = self.read();
        position(key, items.len()).map(|at| items[at].clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.read().clone())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }

    fn call_method(
        self: &Arc<Self>,
        _state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let found = |item: &Value| self.read().iter().position(|own| own == item);
        let find = |item: &Value| found(item).ok_or_else(|| fault("the item is not in the list"));
        match method {
            "append" => self.write().push(arg(args, 0)?),
            "extend" => {
                let more = items(&arg(args, 0)?);
                self.write().extend(more);
            }
            "insert" => {
                let mut own = self.write();
                let at = arg(args, 0)?.as_usize().unwrap_or(0).min(own.len());
                own.insert(at, arg(args, 1)?);
            }
            "pop" => {
                let mut own = self.write();
                let key = args.first().cloned().unwrap_or(Value::from(-1));
                let at =
                    position(&key, own.len()).ok_or_else(|| fault("pop from an empty list"))?;
                return Ok(own.remove(at));
            }
            "remove" => {
                let at = find(&arg(args, 0)?)?;
                self.write().remove(at);
            }
            "index" => return find(&arg(args, 0)?).map(Value::from),
            "count" => {
                let wanted = arg(args, 0)?;
                return Ok(Value::from(self.read().iter().filter(|own| **own == wanted).count()));
            }
            "sort" => self.write().sort(),
            "reverse" => self.write().reverse(),
            "clear" => self.write().clear(),
            "copy" => return Ok(list(self.read().clone())),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(none())
    }
}

impl Object for PyDict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.read().get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.read().keys().cloned().collect())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let or_none = |at: usize| args.get(at).cloned().unwrap_or_else(none);
        Ok(match method {
            "get" => self.read().get(&or_none(0)).cloned().unwrap_or_else(|| or_none(1)),
            "items" | "iteritems" | "viewitems" => {
                let own = self.read();
                list(own.iter().map(|(k, v)| Value::from((k.clone(), v.clone()))).collect())
            }
            "keys" | "iterkeys" => list(self.read().keys().cloned().collect()),
            "values" | "itervalues" => list(self.read().values().cloned().collect()),
            "has_key" => Value::from(self.read().contains_key(&or_none(0))),
            "update" => {
                let more: Vec<_> = args.iter().flat_map(update_pairs).collect();
                self.write().extend(more);
                none()
            }
            "pop" => match self.write().shift_remove(&or_none(0)) {
                Some(value) => value,
                None if args.len() > 1 => or_none(1),
                None => return Err(fault(format!("KeyError: {}", repr(&or_none(0))))),
            },
            "setdefault" => self.write().entry(or_none(0)).or_insert(or_none(1)).clone(),
            "copy" => dict(self.read().clone()),
            "clear" => {
                self.write().clear();
                none()
            }
            _ => {
                let function = self.read().get(&Value::from(method)).cloned();
                let unknown = || Error::from(ErrorKind::UnknownMethod);
                return function.ok_or_else(unknown)?.call(state, args);
            }
        })
    }
}

/// What `dict.update` takes: keyword arguments, a map, or a list of pairs.
fn update_pairs(value: &Value) -> Vec<(Value, Value)> {
    if value.is_kwargs() || value.kind() == ValueKind::Map {
        return pairs(value);
    }
    let pair = |item: &Value| match items(item).as_slice() {
        [key, item] => Some((key.clone(), item.clone())),
        _ => None,
    };
    items(value).iter().filter_map(pair).collect()
}
