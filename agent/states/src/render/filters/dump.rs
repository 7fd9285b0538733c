//! Values as YAML and as JSON.

use std::collections::HashMap;

use minijinja::Error;
use minijinja::value::{Value, ValueKind};

use crate::render::jinja::{ops, undefined};
use crate::render::python::{fault, identity, is_ordered, items, pairs, text, view_name};
use crate::yaml::emit::{Item, float_text};

/// Levels that a value may nest to be written.
const DEPTH_MAX: usize = 100;
/// Nodes that are written at most.
const NODES_MAX: usize = 500_000;

/// A value as YAML's items: the keys of a plain dict in order as PyYAML sorts them, and values that
/// stand in several places as anchors.
pub(in crate::render) fn item(value: &Value, sort: bool) -> Result<Item, Error> {
    let mut seen = Seen { sort, ..Seen::default() };
    seen.count(value, 0)?;
    seen.item(value)
}

/// Fails for what is too large to be written out, containers as often as they are met.
pub(crate) fn measured(value: &Value) -> Result<(), Error> {
    Seen { whole: true, ..Seen::default() }.count(value, 0)
}

#[derive(Default)]
struct Seen {
    sort: bool,
    /// Whether what was met before counts again.
    whole: bool,
    nodes: usize,
    /// Of all texts.
    bytes: usize,
    /// How often each container was met.
    met: HashMap<usize, usize>,
    /// The anchors given so far.
    given: HashMap<usize, usize>,
}

impl Seen {
    fn count(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.nodes += 1;
        self.bytes += value.as_str().map_or(0, str::len);
        if depth > DEPTH_MAX || self.nodes > NODES_MAX || self.bytes > ops::TEXT_MAX {
            return Err(fault("the value is too large to be written"));
        }
        if let Some(place) = identity(value) {
            let met = self.met.entry(place).or_default();
            *met += 1;
            if *met > 1 && !self.whole {
                return Ok(());
            }
        }
        match value.kind() {
            ValueKind::Map => {
                for (key, item) in self.pairs(value) {
                    self.count(&key, depth + 1)?;
                    self.count(&item, depth + 1)?;
                }
                Ok(())
            }
            ValueKind::Seq | ValueKind::Iterable => {
                items(value).iter().try_for_each(|item| self.count(item, depth + 1))
            }
            _ => Ok(()),
        }
    }

    fn pairs(&self, value: &Value) -> Vec<(Value, Value)> {
        let mut all = pairs(value);
        if self.sort && !is_ordered(value) {
            let mut sorted = all.clone();
            // What has no order stays as it is, as with PyYAML.
            if ops::sort_by_key(&mut sorted, |(key, _)| key).is_ok() {
                all = sorted;
            }
        }
        all
    }

    fn item(&mut self, value: &Value) -> Result<Item, Error> {
        if undefined::is(value) {
            return Ok(Item::Plain("NULL".to_owned()));
        }
        let place = identity(value).filter(|place| self.met.get(place).is_some_and(|met| *met > 1));
        if let Some(place) = place {
            if let Some(number) = self.given.get(&place) {
                return Ok(Item::Alias(*number));
            }
            let number = self.given.len() + 1;
            self.given.insert(place, number);
            return Ok(Item::Anchor(number, Box::new(self.plain_item(value)?)));
        }
        self.plain_item(value)
    }

    fn plain_item(&mut self, value: &Value) -> Result<Item, Error> {
        Ok(match value.kind() {
            ValueKind::Map => {
                let pairs = self.pairs(value).into_iter();
                let pairs = pairs.map(|(key, item)| Ok((self.item(&key)?, self.item(&item)?)));
                Item::Map(pairs.collect::<Result<_, Error>>()?)
            }
            ValueKind::Seq | ValueKind::Iterable if view_name(value).is_none() => {
                let all = items(value);
                Item::Seq(all.iter().map(|item| self.item(item)).collect::<Result<_, _>>()?)
            }
            ValueKind::None => Item::Plain("null".to_owned()),
            ValueKind::Bool => Item::Plain(text(value).to_lowercase()),
            ValueKind::Number => Item::Plain(match ops::number(value) {
                Some(ops::Number::Float(number)) => float_text(number),
                _ => text(value),
            }),
            ValueKind::String if !value.is_safe() => Item::Text(text(value)),
            // PyYAML's safe dumper knows no other; Salt's writes them as NULL.
            _ => Item::Plain("NULL".to_owned()),
        })
    }
}

/// The `indent` of Python's JSON: nothing, a number of spaces, or a text.
pub(crate) enum Indent {
    None,
    By(String),
}

impl Indent {
    pub(crate) fn of(value: Option<Value>) -> Result<Indent, Error> {
        let Some(value) = value.filter(|value| !value.is_none()) else { return Ok(Indent::None) };
        if let Some(text) = value.as_str() {
            return Ok(Indent::By(text.to_owned()));
        }
        let width = value.as_i64().ok_or_else(|| fault("indent is a whole number"))?;
        if width > 1000 {
            return Err(fault("the indent is too large"));
        }
        Ok(Indent::By(" ".repeat(usize::try_from(width).unwrap_or(0))))
    }
}

/// A value as Python's `json.dumps` writes it.
pub(crate) fn json(
    value: &Value,
    sort: bool,
    indent: &Indent,
    ascii: bool,
) -> Result<String, Error> {
    let mut writer = JsonWriter { out: String::new(), sort, indent, ascii };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct JsonWriter<'a> {
    out: String,
    sort: bool,
    indent: &'a Indent,
    ascii: bool,
}

impl JsonWriter<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX || self.out.len() > ops::TEXT_MAX {
            return Err(fault("the value is too large to be written"));
        }
        undefined::refuse(value)?;
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(&text(value).to_lowercase()),
            ValueKind::Number => self.out.push_str(&number(value)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::Map => {
                let mut all = pairs(value);
                if self.sort {
                    ops::sort_by_key(&mut all, |(key, _)| key)?;
                }
                self.open('{', '}', all.len(), depth, |writer, at| {
                    let (key, item) = &all[at];
                    let key = match key.kind() {
                        ValueKind::String => text(key),
                        ValueKind::None => "null".to_owned(),
                        ValueKind::Bool => text(key).to_lowercase(),
                        ValueKind::Number => number(key),
                        _ => {
                            let kind = ops::type_name(key);
                            return Err(fault(format!(
                                "keys must be str, int, float, bool or None, not {kind}"
                            )));
                        }
                    };
                    writer.string(&key);
                    writer.out.push_str(": ");
                    writer.value(item, depth + 1)
                })?;
            }
            ValueKind::Seq | ValueKind::Iterable if view_name(value).is_none() => {
                let all = items(value);
                self.open('[', ']', all.len(), depth, |writer, at| {
                    writer.value(&all[at], depth + 1)
                })?;
            }
            _ => {
                let kind = ops::type_name(value);
                return Err(fault(format!("Object of type {kind} is not JSON serializable")));
            }
        }
        Ok(())
    }

    fn open(
        &mut self,
        open: char,
        close: char,
        count: usize,
        depth: usize,
        mut each: impl FnMut(&mut Self, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        for at in 0..count {
            if at > 0 {
                self.out.push(',');
            }
            match self.indent {
                Indent::None => self.out.push_str(if at > 0 { " " } else { "" }),
                Indent::By(by) => {
                    self.out.push('\n');
                    self.out.push_str(&by.repeat(depth + 1));
                }
            }
            each(self, at)?;
        }
        if let (Indent::By(by), true) = (self.indent, count > 0) {
            self.out.push('\n');
            self.out.push_str(&by.repeat(depth));
        }
        self.out.push(close);
        Ok(())
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if u32::from(c) < 0x20 || (self.ascii && !(' '..='~').contains(&c)) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

fn number(value: &Value) -> String {
    match ops::number(value) {
        Some(ops::Number::Float(number)) if number.is_nan() => "NaN".to_owned(),
        Some(ops::Number::Float(number)) if number.is_infinite() => {
            if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
        }
        _ => text(value),
    }
}
