//! A document as a type of its reader, refused with the place and in plain words.
//!
//! No error repeats a value of the document: it may be a secret, and the place is enough.

use super::{Data, Node, YamlError};
use serde::Deserialize;
use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{self, DeserializeOwned, Expected, IntoDeserializer, Unexpected, Visitor};
use std::fmt;

/// The longest word of a document that an error repeats; every seed and credential is longer.
const SHOWN_CHARS_MAX: usize = 40;

/// Reads one document, at most `NODES_MAX` values of it, as a type.
///
/// # Errors
/// With the place, what was expected there, and what to do.
pub fn read_yaml_as<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    let root = super::parse(text).map_err(told)?;
    T::deserialize(Value(&root)).map_err(|error| {
        let Wrong { place, key, what } = error.at(&root);
        // Of a document without anything the place is where it ends.
        let place = place.filter(|_| !root.is_null());
        let (line, column) = place.unwrap_or((1, 1));
        let reason = key.map_or(what.clone(), |key| format!("`{key}`: {what}"));
        YamlError { line, column, words: reason.clone(), reason }
    })
}

/// A parser's error on one line, without what it quotes.
fn told(error: YamlError) -> YamlError {
    let reason = match error.reason.split_once("found conflicting ID '") {
        Some((_, rest)) => {
            let key = rest.split('\'').next().unwrap_or_default();
            let key = if is_short(key) { format!("`{key}`") } else { "a key".to_owned() };
            format!("{key} stands twice: keep one of them")
        }
        None => clean(&error.short()),
    };
    YamlError { words: reason.clone(), reason, ..error }
}

fn is_short(word: &str) -> bool {
    word.chars().count() <= SHOWN_CHARS_MAX && !word.chars().any(char::is_control)
}

/// Keeps what a type says of its value, but for the value, which types put into quotes.
fn clean(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let part = |(at, part): (usize, &str)| match at % 2 {
        0 => part.to_owned(),
        _ => "what stands here".to_owned(),
    };
    text.split('"').enumerate().map(part).collect()
}

/// What a reader does not take.
#[derive(Debug)]
struct Wrong {
    place: Option<(u32, u32)>,
    key: Option<String>,
    what: String,
}

impl Wrong {
    fn new(what: String) -> Wrong {
        Wrong { place: None, key: None, what }
    }

    /// The innermost place is the one.
    fn at(self, node: &Node) -> Wrong {
        Wrong { place: self.place.or(Some((node.line, node.column))), ..self }
    }

    /// The value of a key: an error that has no place yet is about it.
    fn of(self, key: &Node, value: &Node) -> Wrong {
        let name = self.place.is_none().then(|| key.key_text()).filter(|name| is_short(name));
        Wrong { key: name.or(self.key.clone()), ..self.at(value) }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.what)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(what: T) -> Wrong {
        Wrong::new(clean(&what.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Wrong {
        Wrong::new(format!("expected {}", kind(&expected.to_string())))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Wrong {
        Wrong::new(format!("expected {}", kind(&expected.to_string())))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Wrong {
        let known = expected.join(", ");
        let field =
            if is_short(field) { format!("the field {field}") } else { "this field".to_owned() };
        Wrong::new(format!("{field} is unknown: remove it, or use one of {known}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Wrong {
        Wrong::new(format!("expected one of {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Wrong {
        Wrong::new(format!("the field {field} is missing: add it"))
    }

    fn duplicate_field(field: &'static str) -> Wrong {
        Wrong::new(format!("{field} stands twice: keep one of them"))
    }
}

/// A type's words for what it takes, as people say them.
fn kind(expected: &str) -> String {
    match expected {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "a boolean" => "true or false".to_owned(),
        "a string" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        other if other.starts_with("struct ") => "fields, `name: value`".to_owned(),
        other => other.to_owned(),
    }
}

#[derive(Clone, Copy)]
struct Value<'a>(&'a Node);

impl<'de> de::Deserializer<'de> for Value<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.data {
            Data::Null => visitor.visit_unit(),
            Data::Bool(value) => visitor.visit_bool(*value),
            Data::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => visitor.visit_i64(value),
                (Err(_), Ok(value)) => visitor.visit_u64(value),
                (Err(_), Err(_)) => visitor.visit_i128(*value),
            },
            Data::Float(value) => visitor.visit_f64(*value),
            Data::Str(text) => visitor.visit_str(text),
            Data::Seq(items) => visitor.visit_seq(Items(items.iter())),
            Data::Map(pairs) => visitor.visit_map(Pairs { pairs: pairs.iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    /// A list would be taken for the fields in their order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        if self.0.as_seq().is_some() {
            return Err(de::Error::invalid_type(Unexpected::Seq, &visitor));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let name = self.0.as_str();
        let name = name.ok_or_else(|| <Wrong as de::Error>::unknown_variant("", variants))?;
        visitor.visit_enum(IntoDeserializer::<Wrong>::into_deserializer(name))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Wrong;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        let Some(node) = self.0.next() else { return Ok(None) };
        seed.deserialize(Value(node)).map(Some).map_err(|error| error.at(node))
    }
}

struct Pairs<'a> {
    pairs: std::slice::Iter<'a, (Node, Node)>,
    value: Option<(&'a Node, &'a Node)>,
}

impl<'de> de::MapAccess<'de> for Pairs<'_> {
    type Error = Wrong;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        let Some((key, value)) = self.pairs.next() else { return Ok(None) };
        self.value = Some((key, value));
        let text: StringDeserializer<Wrong> = key.key_text().into_deserializer();
        seed.deserialize(text).map(Some).map_err(|error| error.at(key))
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let Some((key, value)) = self.value.take() else {
            return seed.deserialize(StrDeserializer::new(""));
        };
        seed.deserialize(Value(value)).map_err(|error| error.of(key, value))
    }
}

/// An absent document has no fields, as one that says nothing.
///
/// # Errors
/// As [`read_yaml_as`].
pub fn read_yaml_or_default<T: for<'de> Deserialize<'de> + Default>(
    text: &str,
) -> Result<T, YamlError> {
    read_yaml_as::<Option<T>>(text).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Small {
        name: String,
        count: Option<u32>,
        exec: Option<bool>,
        list: Vec<String>,
        more: Option<Box<Small>>,
    }

    fn refusal(text: &str) -> String {
        let error = read_yaml_as::<Small>(text).unwrap_err();
        format!("{}:{}: {}", error.line, error.column, error.reason)
    }

    #[test]
    fn a_document_is_read_as_a_type() {
        let text = "name: a\ncount: 3\nexec: yes\nlist: [b]\nmore: {name: c}\n";
        let small: Small = read_yaml_as(text).unwrap();
        let more = Small { name: "c".into(), ..Small::default() };
        let list = vec!["b".to_owned()];
        let expected = Small {
            name: "a".into(),
            count: Some(3),
            exec: Some(true),
            list,
            more: Some(more.into()),
        };
        assert_eq!(small, expected);
        assert_eq!(read_yaml_or_default::<Small>("# nothing\n").unwrap(), Small::default());
    }

    #[test]
    fn what_is_wrong_has_its_place_and_no_value() {
        for (text, expected) in [
            ("count: SECRET\n", "1:8: `count`: expected a whole number from 0 to 4294967295"),
            ("count: -1\n", "1:8: `count`: expected a whole number from 0 to 4294967295"),
            ("name: a\nexec: SECRET\n", "2:7: `exec`: expected true or false"),
            ("name: [SECRET]\n", "1:7: `name`: expected a text"),
            ("more:\n  list:\n    - a\n    - {b: SECRET}\n", "4:7: expected a text"),
            ("more: {nam: a}\n", "1:8: the field nam is unknown: remove it, or use one of name,"),
            ("name: a\nname: SECRET\n", "2:1: `name` stands twice: keep one of them"),
            ("- SECRET\n", "1:1: expected fields, `name: value`"),
            ("SECRET\n", "1:1: expected fields, `name: value`"),
        ] {
            let found = refusal(text);
            assert!(found.starts_with(expected) && !found.contains("SECRET"), "{text:?}: {found}");
        }
        let seed = "S".repeat(58);
        for text in [format!("{seed}: 1\n"), format!("{seed}: 1\n{seed}: 2\n"), format!("[{seed}")]
        {
            let found = refusal(&text);
            assert!(!found.contains(&seed), "{found}");
        }
    }
}
