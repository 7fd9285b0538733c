//! YAML 1.1 as PyYAML and Salt read it, with the line of every node.
//!
//! Events come from granit-parser; this module builds the nodes, resolves anchors, merge keys and
//! duplicate keys, and keeps hostile documents small. Scalars are resolved in `yaml/scalar.rs`.

pub(crate) mod emit;
pub(crate) mod scalar;
pub(crate) mod typed;

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Value};

/// Nodes that one document may expand to, aliases included.
const NODES_MAX: usize = 500_000;
/// Depth that one document may nest to.
const DEPTH_MAX: usize = 128;
/// The line break that YAML 1.2 has given up.
const NEXT_LINE: char = '\u{85}';

/// A YAML value, and the line and column (from 1) where it starts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) data: Data,
}

/// The shapes that a node takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Seq(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{reason}; line {line}")]
pub struct YamlError {
    /// Where, from 1.
    pub line: u32,
    /// Where, from 1, in characters.
    pub column: u32,
    /// What is wrong.
    pub reason: String,
}

/// Reads one document as JSON, for whoever keeps small files in YAML.
///
/// # Errors
/// When it is no YAML, or too large.
pub fn read_yaml(text: &str) -> Result<Value, YamlError> {
    parse(text).map(|node| node.to_json())
}

/// Reads one document; an empty text is null.
pub(crate) fn parse(text: &str) -> Result<Node, YamlError> {
    // A block scalar at the very end needs its line break to be seen whole.
    let text = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
    // A line break of YAML 1.1, which PyYAML reads as one; the parser is of 1.2.
    let text = if text.contains(NEXT_LINE) { text.replace(NEXT_LINE, "\n") } else { text };
    refuse_tab(&text)?;
    let mut loader =
        Loader { parser: Parser::new_from_str(&text), anchors: HashMap::new(), nodes: 0 };
    loader.document()
}

/// A document whose first line of content begins with a tab, which the parser would pass over.
fn refuse_tab(text: &str) -> Result<(), YamlError> {
    let blank = |line: &str| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line.starts_with("---")
    };
    match text.lines().enumerate().find(|(_, line)| !blank(line)) {
        Some((at, line)) if line.starts_with('\t') => Err(YamlError {
            line: u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1),
            column: 1,
            reason: "found character '\\t' that cannot start any token".to_owned(),
        }),
        Some(_) | None => Ok(()),
    }
}

impl Node {
    /// What Python calls a value of this shape.
    pub(crate) fn python_type(&self) -> &'static str {
        match self.data {
            Data::Null => "NoneType",
            Data::Bool(_) => "bool",
            Data::Int(_) => "int",
            Data::Float(_) => "float",
            Data::Str(_) => "str",
            Data::Seq(_) => "list",
            Data::Map(_) => "dict",
        }
    }

    /// The node as JSON; keys become strings, as Salt makes them.
    pub(crate) fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(b) => Value::from(*b),
            Data::Int(i) => Value::from(*i),
            Data::Float(f) => Value::from(*f),
            Data::Str(s) => Value::from(s.as_str()),
            Data::Seq(items) => items.iter().map(Node::to_json).collect(),
            Data::Map(pairs) => {
                let pairs = pairs.iter().map(|(key, value)| (key.key_text(), value.to_json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// The text of a key: what Python's `str()` makes of it.
    pub(crate) fn key_text(&self) -> String {
        match &self.data {
            Data::Null => "None".to_owned(),
            Data::Bool(true) => "True".to_owned(),
            Data::Bool(false) => "False".to_owned(),
            Data::Int(i) => i.to_string(),
            Data::Float(f) => crate::render::python::float(*f),
            Data::Str(s) => s.clone(),
            Data::Seq(_) | Data::Map(_) => self.to_json().to_string(),
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Str(s) => Some(s),
            _ => None,
        }
    }

    pub(crate) fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.data {
            Data::Map(pairs) => Some(pairs),
            _ => None,
        }
    }

    pub(crate) fn as_seq(&self) -> Option<&[Node]> {
        match &self.data {
            Data::Seq(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.data == Data::Null
    }

    fn size(&self) -> usize {
        match &self.data {
            Data::Seq(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Data::Map(pairs) => 1 + pairs.iter().map(|(k, v)| k.size() + v.size()).sum::<usize>(),
            Data::Null | Data::Bool(_) | Data::Int(_) | Data::Float(_) | Data::Str(_) => 1,
        }
    }
}

struct Loader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Loader<'a> {
    fn document(&mut self) -> Result<Node, YamlError> {
        let root = loop {
            match self.next()? {
                None => return Ok(Node { line: 1, column: 1, data: Data::Null }),
                Some((Event::StreamStart | Event::DocumentStart(..), _)) => {}
                Some((Event::StreamEnd | Event::DocumentEnd, span)) => {
                    return Ok(Node { line: line_of(&span), column: 1, data: Data::Null });
                }
                Some((event, span)) => break self.node(event, &span, 0)?,
            }
        };
        loop {
            match self.next()? {
                None => return Ok(root),
                Some((Event::DocumentEnd | Event::StreamEnd, _)) => {}
                Some((_, span)) => {
                    return fail(&span, "expected a single document in the stream");
                }
            }
        }
    }

    /// The next event that carries data.
    fn next(&mut self) -> Result<Option<(Event<'a>, Span)>, YamlError> {
        loop {
            match self.parser.next_event() {
                None => return Ok(None),
                Some(Err(error)) => return Err(scan_error(&error)),
                Some(Ok((Event::Comment(..) | Event::Anchor(..), _))) => {}
                Some(Ok(pair)) => return Ok(Some(pair)),
            }
        }
    }

    fn must(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        let reason = "unexpected end of the stream".to_owned();
        self.next()?.ok_or(YamlError { line: 0, column: 1, reason })
    }

    fn node(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Node, YamlError> {
        self.count(1, span)?;
        if depth > DEPTH_MAX {
            return fail(span, &format!("nested deeper than {DEPTH_MAX} levels"));
        }
        let line = line_of(span);
        let (anchor, data) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let tag = tag.as_deref().map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
                let data = scalar::typed(&text, plain, tag.as_deref());
                (anchor, data.or_else(|reason| fail(span, &reason))?)
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            Event::SequenceStart(_, anchor, tag) => {
                let tag = tag.as_deref().map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
                let data = self.sequence(depth)?;
                (anchor, scalar::list(data, tag.as_deref()).or_else(|reason| fail(span, &reason))?)
            }
            Event::MappingStart(_, anchor, tag) => {
                let tag = tag.as_deref().map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
                let data = self.mapping(depth, line)?;
                (anchor, scalar::map(data, tag.as_deref()).or_else(|reason| fail(span, &reason))?)
            }
            _ => return fail(span, "unexpected token"),
        };
        let node = Node { line, column: column_of(span), data };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Result<Node, YamlError> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return fail(span, "found undefined alias");
        };
        self.count(node.size(), span)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            return fail(span, &format!("the document expands to more than {NODES_MAX} nodes"));
        }
        Ok(())
    }

    fn sequence(&mut self, depth: usize) -> Result<Data, YamlError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.must()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Data::Seq(items));
            }
            items.push(self.node(event, &span, depth + 1)?);
        }
    }

    fn mapping(&mut self, depth: usize, start: u32) -> Result<Data, YamlError> {
        let mut pairs: Vec<(Node, Node)> = Vec::new();
        let mut seen = HashSet::new();
        let mut merges = Vec::new();
        loop {
            let (event, span) = self.must()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Data::Map(merged(merges, pairs)));
            }
            let merge = is_merge_key(&event);
            let key = self.node(event, &span, depth + 1)?;
            let (event, value_span) = self.must()?;
            let value = self.node(event, &value_span, depth + 1)?;
            if merge {
                refuse_merge(&value, &value_span)?;
                merges.push(value);
                continue;
            }
            if matches!(key.data, Data::Seq(_) | Data::Map(_)) {
                let reason = "while constructing a mapping: found unacceptable key: a list or map \
                              cannot be a key; a possible cause are double curly braces";
                return fail(&span, reason);
            }
            if !seen.insert(key.data_only()) {
                return fail(&span, &conflicting(&key, start, &span));
            }
            pairs.push((key, value));
        }
    }
}

impl Node {
    /// What makes two keys the same: the value, not the place.
    fn data_only(&self) -> (u8, String) {
        // To Python 1, 1.0 and True are the same key.
        match &self.data {
            Data::Null => (0, String::new()),
            Data::Bool(flag) => (1, u8::from(*flag).to_string()),
            Data::Int(number) => (1, number.to_string()),
            Data::Float(number) => (1, number.to_string()),
            Data::Str(text) => (2, text.clone()),
            Data::Seq(_) | Data::Map(_) => (3, self.key_text()),
        }
    }
}

/// Only maps can be merged.
fn refuse_merge(value: &Node, span: &Span) -> Result<(), YamlError> {
    let kind = |node: &Node| match node.data {
        Data::Map(_) => None,
        Data::Seq(_) => Some("sequence"),
        _ => Some("scalar"),
    };
    let wrong = match &value.data {
        Data::Seq(items) => items.iter().find_map(kind),
        _ => kind(value),
    };
    match wrong {
        None => Ok(()),
        Some(wrong) => fail(
            span,
            &format!(
                "while constructing a mapping: expected a mapping or list of mappings for merging, \
                 but found {wrong}"
            ),
        ),
    }
}

/// Salt's words for a key that stands twice in one mapping.
fn conflicting(key: &Node, start: u32, span: &Span) -> String {
    let here = format!("line {}, column {}", span.start.line(), span.start.col() + 1);
    format!(
        "while constructing a mapping\n  in \"<unicode string>\", line {start}, column 1\n\
         found conflicting ID '{}'\n  in \"<unicode string>\", {here}",
        key.key_text()
    )
}

fn is_merge_key(event: &Event<'_>) -> bool {
    matches!(event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<")
}

/// Puts merged keys first, the mapping's own values winning.
fn merged(merges: Vec<Node>, own: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    if merges.is_empty() {
        return own;
    }
    let mut out: Vec<(Node, Node)> = Vec::new();
    let sources = merges.into_iter().flat_map(|node| match node.data {
        Data::Seq(items) => items,
        _ => vec![node],
    });
    for (key, value) in sources.filter_map(|node| node.as_map().map(<[_]>::to_vec)).flatten() {
        let same = |pair: &(Node, Node)| pair.0.data == key.data;
        if !own.iter().any(same) && !out.iter().any(same) {
            out.push((key, value));
        }
    }
    out.extend(own);
    out
}

fn line_of(span: &Span) -> u32 {
    u32::try_from(span.start.line()).unwrap_or(u32::MAX)
}

fn column_of(span: &Span) -> u32 {
    u32::try_from(span.start.col()).unwrap_or(u32::MAX).saturating_add(1)
}

fn fail<T>(span: &Span, reason: &str) -> Result<T, YamlError> {
    Err(YamlError { line: line_of(span), column: column_of(span), reason: reason.to_owned() })
}

fn scan_error(error: &ScanError) -> YamlError {
    let line = u32::try_from(error.marker().line()).unwrap_or(u32::MAX);
    let column = u32::try_from(error.marker().col()).unwrap_or(u32::MAX).saturating_add(1);
    YamlError { line, column, reason: error.info() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn json_of(text: &str) -> Value {
        parse(text).unwrap().to_json()
    }

    #[test]
    fn documents_read_as_salt_reads_them() {
        assert_eq!(json_of("a: [1, yes, ~, 'x']"), json!({"a": [1, true, null, "x"]}));
        assert_eq!(json_of(""), json!(null));
        // As libyaml answers, with which Salt reads.
        assert_eq!(json_of("a: \"x\u{85}  y\""), json!({"a": "x y"}));
        assert_eq!(json_of("a: x\u{85}  y\nb: 1"), json!({"a": "x y", "b": 1}));
        assert_eq!(json_of("- 'q\u{85}\u{85}  r'"), json!(["q\nr"]));
        assert_eq!(json_of("a: |\n  l1\u{85}  l2\n"), json!({"a": "l1\nl2\n"}));
        assert_eq!(json_of("a: 1\u{85}b: 2"), json!({"a": 1, "b": 2}));
        assert_eq!(json_of("# only a comment\n"), json!(null));
        assert_eq!(json_of("a: |\n  x"), json!({"a": "x\n"}));
        assert_eq!(json_of("m: {a: 1,\n}\n"), json!({"m": {"a": 1}}));
    }

    #[test]
    fn merge_keys_come_first_and_lose() {
        let text = "b: &b {x: 1, y: 2}\nc:\n  z: 3\n  <<: *b\n  y: 9\n";
        assert_eq!(json_of(text)["c"], json!({"x": 1, "z": 3, "y": 9}));
        let keys: Vec<_> = json_of(text)["c"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["x", "z", "y"]);
    }

    #[test]
    fn a_repeated_key_is_a_conflicting_id() {
        let error = parse("x: 1\ny: 2\nx: 3\n").unwrap_err();
        assert_eq!(error.line, 3);
        assert!(error.reason.contains("found conflicting ID 'x'"), "{}", error.reason);
    }

    #[test]
    fn lines_are_kept() {
        let node = parse("a:\n  - b\n  - c\n").unwrap();
        let (key, value) = &node.as_map().unwrap()[0];
        assert_eq!((key.line, value.as_seq().unwrap()[1].line), (1, 3));
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..9 {
            let refs = vec![format!("*a{}", i - 1); 10].join(", ");
            text.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
        }
        assert!(parse(&text).unwrap_err().reason.contains("expands to more than"));
    }
}
