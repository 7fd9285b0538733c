//! Python's list and dict for templates: they change in place and print as Python prints them.

mod text;

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::Value as Json;

use crate::data::key;
use crate::render::jinja::ops;
use crate::yaml::{Data, Node};

pub(super) use text::is_printable;
pub(in crate::render) use text::was_cut;
pub(crate) use text::{float, printed, repr, text};

/// Containers that a value may hold which is put into another one.
const HELD_MAX: usize = 100_000;
/// Levels that a copied value may nest.
const DEPTH_MAX: usize = 100;

/// What goes over items without being a list: `dict_keys`, `range`, a generator.
pub(super) struct View {
    name: &'static str,
    items: Vec<Value>,
    /// A range's start, stop and step.
    bounds: Option<[i64; 3]>,
}

/// A list that templates can change.
#[derive(Default)]
pub(super) struct PyList(RwLock<Vec<Value>>);

/// A dict that templates can change; keys keep their order.
#[derive(Default)]
pub(super) struct PyDict {
    map: RwLock<IndexMap<Value, Value>>,
    /// Python's `OrderedDict`, which is what Salt reads SLS into: it prints as such, and filters
    /// that sort the keys of a dict leave its keys as they are.
    ordered: bool,
    /// The type of Salt's that it is of, which faults name.
    of_type: Option<&'static str>,
}

pub(crate) fn list(items: Vec<Value>) -> Value {
    Value::from_object(PyList(RwLock::new(items)))
}

pub(crate) fn dict(pairs: IndexMap<Value, Value>) -> Value {
    Value::from_object(PyDict { map: RwLock::new(pairs), ordered: false, of_type: None })
}

/// An `OrderedDict`.
pub(crate) fn ordered(pairs: IndexMap<Value, Value>) -> Value {
    Value::from_object(PyDict { map: RwLock::new(pairs), ordered: true, of_type: None })
}

/// A dict of the kind that another one is.
pub(crate) fn alike(other: &Value, pairs: IndexMap<Value, Value>) -> Value {
    if is_ordered(other) { ordered(pairs) } else { dict(pairs) }
}

/// Whether a value is an `OrderedDict`.
pub(crate) fn is_ordered(value: &Value) -> bool {
    value.downcast_object_ref::<PyDict>().is_some_and(|own| own.ordered)
}

/// The same dict as one of Salt's own types.
pub(super) fn dict_of_type(dict: &Value, name: &'static str) -> Value {
    let map = RwLock::new(pairs(dict).into_iter().collect());
    Value::from_object(PyDict { map, ordered: is_ordered(dict), of_type: Some(name) })
}

/// The type of Salt's that a dict is of.
pub(super) fn salts_type(value: &Value) -> Option<&'static str> {
    value.downcast_object_ref::<PyDict>().and_then(|own| own.of_type)
}

/// A pair of `groupby`: a tuple with names.
pub(super) struct Group([Value; 2]);

pub(super) fn group(key: Value, items: Value) -> Value {
    Value::from_object(Group([key, items]))
}

/// Whether Python holds a value for a tuple.
pub(crate) fn is_tuple(value: &Value) -> bool {
    value.is_tuple() || value.downcast_object_ref::<Group>().is_some()
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<group>")
    }
}

impl Object for Group {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = match key.as_str() {
            Some("grouper") => 0,
            Some("list") => 1,
            Some(_) => return None,
            None => key.as_usize()?,
        };
        self.0.get(at).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(2)
    }
}

/// A view of items; `name` is its type in Python.
pub(super) fn view(name: &'static str, items: Vec<Value>) -> Value {
    Value::from_object(View { name, items, bounds: None })
}

/// A range: its numbers, and its start, stop and step.
pub(super) fn range(items: Vec<Value>, bounds: [i64; 3]) -> Value {
    Value::from_object(View { name: "range", items, bounds: Some(bounds) })
}

/// The type of a view.
pub(super) fn view_name(value: &Value) -> Option<&'static str> {
    value.downcast_object_ref::<View>().map(|own| own.name)
}

/// A range's start, stop and step.
pub(super) fn bounds(value: &Value) -> Option<[i64; 3]> {
    value.downcast_object_ref::<View>().and_then(|own| own.bounds)
}

/// A tuple; what nests in it came from templates, which nest little.
pub(crate) fn tuple_of(items: Vec<Value>) -> Value {
    minijinja::value::Tuple::from(items).into()
}

/// What tells one list or dict from another that is equal.
pub(crate) fn identity(value: &Value) -> Option<usize> {
    match value.downcast_object_ref::<PyList>() {
        Some(own) => Some(std::ptr::from_ref(own).addr()),
        None => value.downcast_object_ref::<PyDict>().map(|own| std::ptr::from_ref(own).addr()),
    }
}

pub(crate) fn fault(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail)
}

/// Whether a value is a dict that can change; puts an entry into it.
pub(crate) fn put(map: &Value, entry: Option<(Value, Value)>) -> bool {
    let Some(own) = map.downcast_object_ref::<PyDict>() else { return false };
    own.write().extend(entry.filter(|(_, item)| refuse_circle(map, item).is_ok()));
    true
}

/// An error that Salt calls one of its functions, not the template's.
pub(super) fn refused(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::BadSerialization, detail)
}

/// The items of a sequence, the keys of a map; nothing for anything else.
pub(crate) fn items(value: &Value) -> Vec<Value> {
    if let Some(own) = value.downcast_object_ref::<PyList>() {
        return own.read().clone();
    }
    value.try_iter().map(Iterator::collect).unwrap_or_default()
}

/// The pairs of a map.
pub(crate) fn pairs(value: &Value) -> Vec<(Value, Value)> {
    if let Some(own) = value.downcast_object_ref::<PyDict>() {
        return own.read().iter().map(|(key, item)| (key.clone(), item.clone())).collect();
    }
    let pair = |key: Value| {
        let item = value.get_item(&key).unwrap_or_default();
        (key, item)
    };
    items(value).into_iter().map(pair).collect()
}

/// A deep copy in Python containers.
pub(crate) fn deep(value: &Value) -> Value {
    copy(value, DEPTH_MAX)
}

fn copy(value: &Value, left: usize) -> Value {
    if left == 0 {
        return value.clone();
    }
    match value.kind() {
        ValueKind::Map => {
            let pairs = pairs(value).into_iter().map(|(key, item)| (key, copy(&item, left - 1)));
            alike(value, pairs.collect())
        }
        ValueKind::Seq | ValueKind::Iterable if !value.is_tuple() => {
            list(items(value).iter().map(|item| copy(item, left - 1)).collect())
        }
        _ => value.clone(),
    }
}

/// JSON as Python containers.
pub(crate) fn from_json(json: &Json) -> Value {
    of_json(json, dict)
}

/// What came from an SLS, as Python containers: maps are `OrderedDict`s.
pub(crate) fn from_sls(json: &Json) -> Value {
    of_json(json, ordered)
}

/// A pillar: a dict of what came from SLS.
pub(crate) fn from_pillar(json: &Json) -> Value {
    match json {
        Json::Object(map) => {
            dict(map.iter().map(|(key, item)| (key::value(key), from_sls(item))).collect())
        }
        other => from_json(other),
    }
}

fn of_json(json: &Json, new: fn(IndexMap<Value, Value>) -> Value) -> Value {
    match json {
        Json::Array(items) => list(items.iter().map(|item| of_json(item, new)).collect()),
        Json::Object(map) => {
            new(map.iter().map(|(key, item)| (key::value(key), of_json(item, new))).collect())
        }
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(*flag),
        Json::String(text) => key::value(text),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
    }
}

/// YAML as Python containers; keys keep their type.
pub(crate) fn from_yaml(node: &Node) -> Value {
    of_yaml(node, dict)
}

/// An SLS as Python containers.
pub(crate) fn from_sls_yaml(node: &Node) -> Value {
    of_yaml(node, ordered)
}

fn of_yaml(node: &Node, new: fn(IndexMap<Value, Value>) -> Value) -> Value {
    match &node.data {
        Data::Null => Value::from(()),
        Data::Bool(flag) => Value::from(*flag),
        Data::Int(number) => ops::int(*number),
        Data::Float(number) => Value::from(*number),
        Data::Str(text) => Value::from(text.as_str()),
        Data::Seq(items) => list(items.iter().map(|item| of_yaml(item, new)).collect()),
        Data::Map(pairs) => {
            let pair = |(key, item): &(Node, Node)| (of_yaml(key, new), of_yaml(item, new));
            new(pairs.iter().map(pair).collect())
        }
    }
}

/// A value as JSON; what JSON has no form for becomes its text.
pub(crate) fn to_json(value: &Value) -> Json {
    json(value, DEPTH_MAX)
}

fn json(value: &Value, left: usize) -> Json {
    match value.kind() {
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable if left == 0 => Json::Null,
        ValueKind::Map => {
            let entry = |(key, item): (Value, Value)| (key::of_value(&key), json(&item, left - 1));
            Json::Object(pairs(value).into_iter().map(entry).collect())
        }
        ValueKind::Seq | ValueKind::Iterable => {
            items(value).iter().map(|item| json(item, left - 1)).collect()
        }
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::from(value.is_true()),
        ValueKind::Number => match ops::number(value) {
            Some(ops::Number::Int(number)) => key::of_whole(number),
            Some(ops::Number::Float(number)) => key::of_float(number),
            None => Json::Null,
        },
        _ => Json::from(key::of_text(text(value))),
    }
}

impl PyList {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Vec<Value>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Vec<Value>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PyDict {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, IndexMap<Value, Value>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, IndexMap<Value, Value>> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for PyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<list of {}>", self.read().len())
    }
}

impl fmt::Debug for PyDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<dict of {}>", self.read().len())
    }
}

impl Object for PyList {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = key.as_i64()?;
        let items = self.read();
        let at = if at < 0 { at + i64::try_from(items.len()).ok()? } else { at };
        items.get(usize::try_from(at).ok()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.read().clone())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.read().len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&repr(&Value::from_dyn_object(Arc::clone(self))))
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.name)
    }
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items.get(key.as_usize()?).filter(|_| self.name == "range").cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items.clone())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.items.len())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let_go(self.items.drain(..));
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

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.read().len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&repr(&Value::from_dyn_object(Arc::clone(self))))
    }
}

impl Drop for PyList {
    fn drop(&mut self) {
        let own = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let_go(own.drain(..));
    }
}

impl Drop for PyDict {
    fn drop(&mut self) {
        let own = self.map.get_mut().unwrap_or_else(PoisonError::into_inner);
        let_go(own.drain(..).map(|(_, value)| value));
    }
}

thread_local! {
    /// Values to drop next, while one is being dropped.
    static LATER: RefCell<Option<Vec<Value>>> = const { RefCell::new(None) };
}

/// Drops what containers hold one after the other: nested ones would take stack for each level.
fn let_go(values: impl Iterator<Item = Value>) {
    let mut own: Vec<Value> = values.filter(|value| value.as_object().is_some()).collect();
    if own.is_empty() {
        return;
    }
    let queued = LATER.try_with(|later| {
        let mut later = later.borrow_mut();
        match later.as_mut() {
            Some(queue) => {
                queue.append(&mut own);
                true
            }
            None => {
                *later = Some(Vec::new());
                false
            }
        }
    });
    if queued != Ok(false) {
        return;
    }
    while let Some(value) = own.pop() {
        drop(value);
        LATER.with(|later| {
            if let Some(queue) = later.borrow_mut().as_mut() {
                own.append(queue);
            }
        });
    }
    LATER.with(|later| *later.borrow_mut() = None);
}

/// Refuses to put `value` into the container at `into` if it holds that container itself.
pub(super) fn refuse_circle(into: &Value, value: &Value) -> Result<(), Error> {
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Map) {
        return Ok(());
    }
    let wanted = identity(into);
    let (mut open, mut seen) = (vec![value.clone()], std::collections::HashSet::new());
    while let Some(next) = open.pop() {
        let at = identity(&next);
        if at.is_some() && at == wanted {
            return Err(fault("a list or dict cannot hold itself"));
        }
        if at.is_none_or(|at| seen.insert(at)) {
            if seen.len() > HELD_MAX {
                return Err(fault("the value is too large"));
            }
            let parts = match next.kind() {
                ValueKind::Map => pairs(&next).into_iter().map(|(_, item)| item).collect(),
                _ => items(&next),
            };
            open.extend(
                parts
                    .into_iter()
                    .filter(|part| matches!(part.kind(), ValueKind::Seq | ValueKind::Map)),
            );
        }
    }
    Ok(())
}
