//! Keys of maps that are no text to Python, and numbers that JSON has no form for: JSON keeps
//! them as texts behind a mark.
//!
//! `80: x` in a pillar is a number to templates, `'80': x` is a text; both may stand in one map.
//! Numbers beyond 64 bits, `.inf` and `.nan` are values that need the mark.
//! The mark is a character that no YAML document may hold; it never leaves this crate but in a
//! pillar, from one rendering to the next.

use std::borrow::Cow;
use std::cmp::Ordering;

use minijinja::value::{Value as Jinja, ValueKind};
use serde_json::{Map, Value};

use crate::yaml::{Data, Node};

const MARK: char = '\u{0}';
/// Bytes before the text of a marked key: the mark, and a letter for the type.
const HEAD: usize = 2;
/// Arguments of states whose maps go to templates and files as they are.
const KEPT: [&str; 3] = ["context", "defaults", "dataset"];

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// A text that itself begins with the mark.
    Escaped,
    Int,
    Float,
    Bool,
    None,
}

fn kind(key: &str) -> Kind {
    match key.as_bytes() {
        [0, b'i', ..] => Kind::Int,
        [0, b'f', ..] => Kind::Float,
        [0, b'b', ..] => Kind::Bool,
        [0, b'n', ..] => Kind::None,
        [0, b't', ..] => Kind::Escaped,
        _ => Kind::Text,
    }
}

fn marked(letter: char, text: &str) -> String {
    let mut key = String::with_capacity(HEAD + text.len());
    key.extend([MARK, letter]);
    key.push_str(text);
    key
}

/// A text from without, which stays a text even if it begins with the mark.
pub(crate) fn of_text(text: String) -> String {
    if text.starts_with(MARK) { marked('t', &text) } else { text }
}

/// The key of a YAML node.
pub(crate) fn of_node(node: Node) -> String {
    match &node.data {
        Data::Int(_) => marked('i', &node.key_text()),
        Data::Float(_) => marked('f', &node.key_text()),
        Data::Bool(_) => marked('b', &node.key_text()),
        Data::Null => marked('n', &node.key_text()),
        Data::Str(_) | Data::Seq(_) | Data::Map(_) => of_text(node.into_key_text()),
    }
}

/// A whole number as JSON.
pub(crate) fn of_whole(number: i128) -> Value {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => Value::from(number),
        (Err(_), Ok(number)) => Value::from(number),
        (Err(_), Err(_)) => Value::from(marked('i', &number.to_string())),
    }
}

/// A float as JSON.
pub(crate) fn of_float(number: f64) -> Value {
    let text = || Value::from(marked('f', &crate::render::python::float(number)));
    serde_json::Number::from_f64(number).map_or_else(text, Value::Number)
}

/// The key that a whole number is.
pub(crate) fn of_int(number: usize) -> String {
    marked('i', &number.to_string())
}

/// The key of a template's value.
pub(crate) fn of_value(value: &Jinja) -> String {
    let text = || crate::render::python::text(value);
    match value.kind() {
        ValueKind::Number if value.is_integer() => marked('i', &text()),
        ValueKind::Number => marked('f', &text()),
        ValueKind::Bool => marked('b', &text()),
        ValueKind::None => marked('n', &text()),
        _ => of_text(value.as_str().map_or_else(text, str::to_owned)),
    }
}

/// The value that a template sees.
pub(crate) fn value(key: &str) -> Jinja {
    let shown = text(key);
    match kind(key) {
        Kind::Text | Kind::Escaped => Jinja::from(shown),
        Kind::Int => match (shown.parse::<i64>(), shown.parse::<i128>()) {
            (Ok(number), _) => Jinja::from(number),
            (Err(_), Ok(number)) => Jinja::from(number),
            (Err(_), Err(_)) => Jinja::from(shown),
        },
        Kind::Float => shown.parse::<f64>().map_or_else(|_| Jinja::from(shown), Jinja::from),
        Kind::Bool => Jinja::from(shown == "True"),
        Kind::None => Jinja::from(()),
    }
}

/// Whether a key is a text to Python.
pub(crate) fn is_text(key: &str) -> bool {
    matches!(kind(key), Kind::Text | Kind::Escaped)
}

/// What Python calls the type of a key.
pub(crate) fn python_type(key: &str) -> &'static str {
    match kind(key) {
        Kind::Text | Kind::Escaped => "str",
        Kind::Int => "int",
        Kind::Float => "float",
        Kind::Bool => "bool",
        Kind::None => "NoneType",
    }
}

/// What Python's `str()` makes of a key.
pub(crate) fn text(key: &str) -> &str {
    if kind(key) == Kind::Text { key } else { &key[HEAD..] }
}

/// What Python's JSON makes of a key.
pub(crate) fn json_text(key: &str) -> Cow<'_, str> {
    match kind(key) {
        Kind::Bool => Cow::Owned(text(key).to_lowercase()),
        Kind::None => Cow::Borrowed("null"),
        Kind::Float => match text(key) {
            "nan" => Cow::Borrowed("NaN"),
            "inf" => Cow::Borrowed("Infinity"),
            "-inf" => Cow::Borrowed("-Infinity"),
            other => Cow::Borrowed(other),
        },
        Kind::Int | Kind::Text | Kind::Escaped => Cow::Borrowed(text(key)),
    }
}

/// The order that Python sorts keys by; `None` where it has none.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let number = |key: &str| match kind(key) {
        Kind::Int | Kind::Float => text(key).parse::<f64>().ok(),
        Kind::Bool => Some(f64::from(u8::from(text(key) == "True"))),
        Kind::None | Kind::Text | Kind::Escaped => None,
    };
    match (is_text(a), is_text(b)) {
        (true, true) => Some(text(a).cmp(text(b))),
        (false, false) => number(a)?.partial_cmp(&number(b)?),
        _ => None,
    }
}

/// The pairs of a map as Python sorts them; as they stand if it cannot.
pub(crate) fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut pairs: Vec<_> = map.iter().collect();
    if pairs.iter().all(|(key, _)| is_text(key)) {
        pairs.sort_by_key(|(key, _)| text(key));
    } else if pairs.windows(2).all(|two| compare(two[0].0, two[1].0).is_some()) {
        pairs.sort_by(|a, b| compare(a.0, b.0).unwrap_or(Ordering::Equal));
    }
    pairs
}

/// Whether Python could sort the keys of every map in a value.
pub(crate) fn sortable(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            let keys: Vec<_> = map.keys().collect();
            let comparable = keys.iter().all(|key| is_text(key))
                || keys.windows(2).all(|two| compare(two[0], two[1]).is_some());
            comparable && map.values().all(sortable)
        }
        Value::Array(items) => items.iter().all(sortable),
        _ => true,
    }
}

/// An argument of a state: keys are texts, but for those that templates and files see.
pub(crate) fn of_argument(name: &str, value: &mut Value) {
    // A text that begins with the mark stays marked: `text` may come over it once more.
    let new = |key: &str| if is_text(key) { key } else { text(key) }.to_owned();
    if !KEPT.contains(&name) {
        change(value, &new, &KEPT);
    }
}

/// A value whose keys are as Python's JSON writes them, to be shown.
pub fn shown(mut value: Value) -> Value {
    change(&mut value, &|key| json_text(key).into_owned(), &[]);
    value
}

/// A value whose keys are texts.
pub(crate) fn plain(mut value: Value) -> Value {
    change(&mut value, &|key| text(key).to_owned(), &[]);
    value
}

fn change(value: &mut Value, new: &impl Fn(&str) -> String, but: &[&str]) {
    match value {
        Value::Object(map) => {
            if map.keys().any(|key| kind(key) != Kind::Text) {
                let old = std::mem::take(map);
                map.extend(old.into_iter().map(|(key, value)| {
                    let key = if kind(&key) == Kind::Text { key } else { new(&key) };
                    (key, value)
                }));
            }
            for (key, value) in map.iter_mut() {
                if !but.contains(&key.as_str()) {
                    change(value, new, but);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| change(item, new, but)),
        Value::String(own) if kind(own) != Kind::Text => *own = new(own),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::python::{from_json, repr, to_json};
    use crate::yaml::parse;
    use serde_json::json;

    #[test]
    fn keys_keep_their_type_and_are_shown_as_json_shows_them() {
        let text = "80: a\n'80': b\n1.5: c\nyes: d\n~: e\nx: {-3: f}\n";
        let json = parse(text).unwrap().to_json();
        let python = "{80: 'a', '80': 'b', 1.5: 'c', True: 'd', None: 'e', 'x': {-3: 'f'}}";
        assert_eq!(repr(&from_json(&json)), python);
        assert_eq!(to_json(&from_json(&json)), json);
        let expected = json!({"80": "b", "1.5": "c", "true": "d", "null": "e", "x": {"-3": "f"}});
        assert_eq!(shown(json.clone()), expected);
        let texts = json!({"80": "b", "1.5": "c", "True": "d", "None": "e", "x": {"-3": "f"}});
        assert_eq!(plain(json), texts);
    }

    #[test]
    fn numbers_beyond_json_stay_numbers() {
        let text = "a: 18446744073709551615\nb: -98765432109876543210\nc: [.inf, .nan]\n";
        let json = parse(text).unwrap().to_json();
        let python = "{'a': 18446744073709551615, 'b': -98765432109876543210, 'c': [inf, nan]}";
        assert_eq!(repr(&from_json(&json)), python);
        assert_eq!(to_json(&from_json(&json)), json);
        let shown_as = json!({
            "a": 18_446_744_073_709_551_615_u64, "b": "-98765432109876543210",
            "c": ["Infinity", "NaN"],
        });
        assert_eq!(shown(json), shown_as);
    }

    #[test]
    fn a_text_that_begins_with_the_mark_is_no_number() {
        let json = parse(r#"{a: "\0i5", "\0i6": [x, "\0"]}"#).unwrap().to_json();
        assert_eq!(repr(&from_json(&json)), r"{'a': '\x00i5', '\x00i6': ['x', '\x00']}");
        assert_eq!(to_json(&from_json(&json)), json);
        let texts = json!({"a": "\0i5", "\0i6": ["x", "\0"]});
        assert_eq!(shown(json.clone()), texts);
        assert_eq!(plain(json.clone()), texts);
        let mut argument = json["a"].clone();
        of_argument("contents", &mut argument);
        of_argument("contents", &mut argument);
        assert_eq!(crate::function::args::text(&argument), "\0i5");
        assert_eq!(crate::function::args::python_type(&argument), "str");
    }

    #[test]
    fn numbers_are_sorted_as_numbers() {
        let sorted_keys = |text: &str| {
            let json = parse(text).unwrap().to_json();
            let map = json.as_object().unwrap().clone();
            sorted(&map).iter().map(|(key, _)| super::text(key).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(sorted_keys("{10: a, 9: b, 1.5: c}"), ["1.5", "9", "10"]);
        assert_eq!(sorted_keys("{10: a, b: b, 9: c}"), ["10", "b", "9"]);
    }

    #[test]
    fn of_arguments_only_what_templates_see_keeps_its_keys() {
        let read = |text: &str| parse(text).unwrap().to_json();
        let of = |name: &str, mut value: Value| {
            of_argument(name, &mut value);
            value
        };
        assert_eq!(of("env", read("{1: x}")), json!({"1": "x"}));
        let kept = read("{1: x}");
        assert_eq!(of("context", kept.clone()), kept);
        let names = of("names", read("[{1: [{context: {1: x}}]}]"));
        assert_eq!(names, json!([{"1": [{"context": kept}]}]));
    }
}
