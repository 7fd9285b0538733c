//! YAML 1.1 as PyYAML and Salt read it, with the line of every node.
//!
//! Salt reads with libyaml, and so does this: what parses, and the words for what does not, are the
//! same. `yaml/load.rs` builds the nodes, `yaml/scalar.rs` resolves scalars; `yaml/simple.rs` reads
//! what is so simple that it can do without libyaml, four times faster.

pub(crate) mod emit;
mod libyaml;
mod load;
pub(crate) mod scalar;
pub(crate) mod simple;
pub(crate) mod typed;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::data::key;

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
    Int(i128),
    Float(f64),
    Str(String),
    Seq(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}; line {line}", self.short())]
pub struct YamlError {
    /// Where, from 1.
    pub line: u32,
    /// Where, from 1, in characters.
    pub column: u32,
    /// What is wrong, as Salt says it of an SLS.
    pub reason: String,
    /// What is wrong, as PyYAML says it.
    pub words: String,
}

impl YamlError {
    /// What is wrong, on one line and without places.
    pub fn short(&self) -> String {
        let lines = self.words.lines().filter(|line| !line.starts_with("  in \"<"));
        lines.collect::<Vec<_>>().join(", ")
    }
}

/// Reads one document as a pillar: keys that are no texts keep their type, for templates to see.
///
/// # Errors
/// When it is no YAML, or too large.
pub fn read_pillar(text: &str) -> Result<Value, YamlError> {
    parse(text).map(Node::into_json)
}

/// Reads one document as JSON, for whoever keeps small files in YAML.
///
/// # Errors
/// When it is no YAML, or too large.
pub fn read_yaml(text: &str) -> Result<Value, YamlError> {
    parse(text).map(|node| key::plain(node.into_json()))
}

/// Reads one document; an empty text is null.
pub(crate) fn parse(text: &str) -> Result<Node, YamlError> {
    load::document(text)
}

/// Reads one document as Salt's serializers do, which are PyYAML's: with octal numbers.
pub(crate) fn parse_serialized(text: &str) -> Result<Node, YamlError> {
    load::with_octals(text)
}

/// As [`parse`]; of keys that repeat themselves the last one counts, as in JSON.
pub(crate) fn parse_repeating(text: &str) -> Result<Node, YamlError> {
    load::repeating(text)
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
            Data::Map(_) => "OrderedDict",
        }
    }

    /// The node as JSON; keys that are no texts carry a mark (`data::key`).
    pub(crate) fn into_json(self) -> Value {
        match self.data {
            Data::Null => Value::Null,
            Data::Bool(b) => Value::from(b),
            Data::Int(i) => key::of_whole(i),
            Data::Float(f) => key::of_float(f),
            Data::Str(s) => Value::from(key::of_text(s)),
            Data::Seq(items) => items.into_iter().map(Node::into_json).collect(),
            Data::Map(pairs) => {
                let pair = |(key, value): (Node, Node)| (key::of_node(key), value.into_json());
                Value::Object(pairs.into_iter().map(pair).collect::<Map<_, _>>())
            }
        }
    }

    /// As [`Node::into_json`], of a node that is needed again.
    pub(crate) fn to_json(&self) -> Value {
        self.clone().into_json()
    }

    /// The text of a key: what Python's `str()` makes of it.
    pub(crate) fn key_str(&self) -> Cow<'_, str> {
        match &self.data {
            Data::Null => "None".into(),
            Data::Bool(true) => "True".into(),
            Data::Bool(false) => "False".into(),
            Data::Int(i) => i.to_string().into(),
            Data::Float(f) => crate::render::python::float(*f).into(),
            Data::Str(s) => s.into(),
            Data::Seq(_) | Data::Map(_) => key::plain(self.to_json()).to_string().into(),
        }
    }

    /// As [`Node::key_str`].
    pub(crate) fn key_text(&self) -> String {
        self.key_str().into_owned()
    }

    /// As [`Node::key_str`], of a node that is not needed again.
    pub(crate) fn into_key_text(self) -> String {
        match self.data {
            Data::Str(s) => s,
            _ => self.key_text(),
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
        // A tag's comma, which other readers of YAML stumble over.
        let told = parse("[1, ?!644, 1]").unwrap_err().words;
        assert!(told.starts_with("could not determine a constructor for the tag '!644'"), "{told}");
        assert_eq!(json_of("[Hello!, you, a !x, b:!y, c]")[2], json!("a !x"));
        assert_eq!(json_of("# only a comment\n"), json!(null));
        assert_eq!(json_of("a: |\n  x"), json!({"a": "x"}));
        assert_eq!(json_of("a: |+\n  x\n\n"), json!({"a": "x\n\n"}));
        assert_eq!(json_of("- 'a\nb'"), json!(["a b"]));
        assert_eq!(json_of("k: \"a\nb\"\nl: 'c\n\nd'"), json!({"k": "a b", "l": "c\nd"}));
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
