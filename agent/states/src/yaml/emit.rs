//! Writes YAML as PyYAML on libyaml does: the choice of quotes, folding at 80 columns, anchors.

mod scalar;

use minijinja::value::ValueKind;
use serde_json::Value;

use crate::data::key;
use scalar::Shape;
pub(crate) use scalar::{ascii_quoted, double_quoted, single_quoted};

/// PyYAML's width of a line.
const WIDTH: usize = 80;
/// Characters that a key may have to stand before `:` on its line.
const KEY_MAX: usize = 128;

/// What is written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// A scalar that is no text: `null`, `true`, `12`.
    Plain(String),
    Text(String),
    Seq(Vec<Item>),
    Map(Vec<(Item, Item)>),
    /// A value that stands in several places, at the first of them.
    Anchor(usize, Box<Item>),
    /// The other places.
    Alias(usize),
}

/// How lists and maps are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// On one line; `None` is so for those that hold scalars only.
    pub(crate) flow: Option<bool>,
    /// Whether lists stand two columns further in than their key.
    pub(crate) indent_lists: bool,
    /// Whether what is not ASCII is escaped.
    pub(crate) ascii: bool,
    /// Columns after which a line is folded at the next space.
    pub(crate) width: usize,
    /// Columns of a level.
    pub(crate) indent: i32,
    /// Whether the document begins with `---`.
    pub(crate) start: bool,
}

impl Style {
    /// As Salt's trees are written, on one line or not.
    pub(crate) fn of(flow: Option<bool>) -> Style {
        Style { flow, indent_lists: false, ascii: false, width: WIDTH, indent: 2, start: false }
    }
}

/// Writes a value as YAML in block style, as Salt's trees are written.
pub fn write_yaml(value: &Value) -> String {
    block(value)
}

/// Block style, two spaces a level, lists at their key's column; ends in a line break.
pub(crate) fn block(value: &Value) -> String {
    dump(&of_json(value), Style::of(Some(false)))
}

/// A value in a style, as `yaml.dump` writes it: without a line break at the end.
pub(crate) fn styled(value: &Value, style: Style) -> String {
    let text = dump(&of_json(value), style);
    let bare = text.strip_suffix("\n...\n").or_else(|| text.strip_suffix('\n'));
    bare.unwrap_or(&text).to_owned()
}

fn of_json(value: &Value) -> Item {
    match value {
        Value::Null => Item::Plain("null".to_owned()),
        Value::Bool(flag) => Item::Plain(flag.to_string()),
        Value::Number(number) => Item::Plain(match number.as_f64() {
            Some(float) if number.is_f64() => float_text(float),
            Some(_) | None => number.to_string(),
        }),
        Value::String(text) => of_key(text),
        Value::Array(items) => Item::Seq(items.iter().map(of_json).collect()),
        Value::Object(map) => {
            let pair = |(key, item): (&String, &Value)| (of_key(key), of_json(item));
            Item::Map(map.iter().map(pair).collect())
        }
    }
}

fn of_key(key: &str) -> Item {
    let value = key::value(key);
    match value.kind() {
        _ if key::is_text(key) => Item::Text(key::text(key).to_owned()),
        ValueKind::Number if !value.is_integer() => {
            Item::Plain(f64::try_from(value).map_or_else(|_| String::new(), float_text))
        }
        ValueKind::Number => Item::Plain(key::text(key).to_owned()),
        _ => Item::Plain(key::json_text(key).into_owned()),
    }
}

/// A float as PyYAML represents it: always with a point.
pub(crate) fn float_text(number: f64) -> String {
    if number.is_nan() {
        return ".nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let text = crate::render::python::float(number);
    if text.contains('e') && !text.contains('.') { text.replacen('e', ".0e", 1) } else { text }
}

/// One document, with `...` after a plain scalar that is all there is.
pub(crate) fn dump(item: &Item, style: Style) -> String {
    let mut writer = Writer {
        out: String::new(),
        column: 0,
        whitespace: true,
        indention: true,
        indent: -1,
        flow_level: 0,
        open_ended: false,
        style,
    };
    if style.start {
        writer.write_indent();
        writer.indicator("---", true, false, false);
    }
    writer.node(item, Place::Root);
    if writer.column > 0 {
        writer.line_break();
    }
    if writer.open_ended {
        writer.out.push_str("...\n");
    }
    writer.out
}

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    SimpleKey,
    Key,
    Value,
}

struct Writer {
    out: String,
    column: usize,
    whitespace: bool,
    indention: bool,
    indent: i32,
    flow_level: usize,
    open_ended: bool,
    style: Style,
}

impl Writer {
    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    fn indicator(&mut self, text: &str, need_space: bool, is_space: bool, is_indention: bool) {
        if need_space && !self.whitespace {
            self.put(' ');
        }
        text.chars().for_each(|c| self.put(c));
        self.whitespace = is_space;
        self.indention = self.indention && is_indention;
    }

    fn write_indent(&mut self) {
        let indent = usize::try_from(self.indent).unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn deeper(&mut self, flow: bool, indentless: bool) -> i32 {
        let before = self.indent;
        if self.indent < 0 {
            self.indent = if flow { self.style.indent } else { 0 };
        } else if !indentless {
            self.indent += self.style.indent;
        }
        before
    }

    fn node(&mut self, item: &Item, place: Place) {
        match item {
            Item::Anchor(number, inner) => {
                self.indicator(&format!("&id{number:03}"), true, false, false);
                self.node(inner, place);
            }
            Item::Alias(number) => {
                self.indicator(&format!("*id{number:03}"), true, false, false);
                if place == Place::SimpleKey {
                    self.put(' ');
                }
            }
            Item::Plain(_) | Item::Text(_) => {
                let before = self.deeper(true, false);
                let start = self.out.len();
                match item {
                    Item::Text(text) => self.text(text, place),
                    Item::Plain(text) => self.plain(text, place != Place::SimpleKey),
                    _ => {}
                }
                let quoted = self.out[start..].trim_start().starts_with(['\'', '"']);
                self.open_ended = place == Place::Root && !quoted;
                self.indent = before;
            }
            Item::Seq(items) => {
                if self.is_flow(item) {
                    self.flow_seq(items);
                } else {
                    self.block_seq(items, place);
                }
            }
            Item::Map(pairs) => {
                if self.is_flow(item) {
                    self.flow_map(pairs);
                } else {
                    self.block_map(pairs);
                }
            }
        }
    }

    fn is_flow(&self, item: &Item) -> bool {
        let scalar = |item: &Item| matches!(item, Item::Plain(_) | Item::Text(_));
        let (empty, leaf) = match item {
            Item::Seq(items) => (items.is_empty(), items.iter().all(scalar)),
            Item::Map(pairs) => {
                (pairs.is_empty(), pairs.iter().all(|(key, item)| scalar(key) && scalar(item)))
            }
            Item::Plain(_) | Item::Text(_) | Item::Anchor(..) | Item::Alias(_) => (true, true),
        };
        self.flow_level > 0 || empty || self.style.flow.unwrap_or(leaf)
    }

    fn flow_seq(&mut self, items: &[Item]) {
        self.indicator("[", true, true, false);
        let before = self.deeper(true, false);
        self.flow_level += 1;
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.indicator(",", false, false, false);
            }
            if self.column > self.style.width {
                self.write_indent();
            }
            self.node(item, Place::Item);
        }
        self.flow_level -= 1;
        self.indent = before;
        self.indicator("]", false, false, false);
    }

    fn flow_map(&mut self, pairs: &[(Item, Item)]) {
        self.indicator("{", true, true, false);
        let before = self.deeper(true, false);
        self.flow_level += 1;
        for (at, (key, item)) in pairs.iter().enumerate() {
            if at > 0 {
                self.indicator(",", false, false, false);
            }
            if self.column > self.style.width {
                self.write_indent();
            }
            if is_simple(key) {
                self.node(key, Place::SimpleKey);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, false);
                self.node(key, Place::Key);
                if self.column > self.style.width {
                    self.write_indent();
                }
                self.indicator(":", true, false, false);
            }
            self.node(item, Place::Value);
        }
        self.flow_level -= 1;
        self.indent = before;
        self.indicator("}", false, false, false);
    }

    fn block_seq(&mut self, items: &[Item], place: Place) {
        let in_map = matches!(place, Place::SimpleKey | Place::Key | Place::Value);
        let indentless = in_map && !self.indention && !self.style.indent_lists;
        let before = self.deeper(false, indentless);
        for item in items {
            self.write_indent();
            self.indicator("-", true, false, true);
            self.node(item, Place::Item);
        }
        self.indent = before;
    }

    fn block_map(&mut self, pairs: &[(Item, Item)]) {
        let before = self.deeper(false, false);
        for (key, item) in pairs {
            self.write_indent();
            if is_simple(key) {
                self.node(key, Place::SimpleKey);
                self.indicator(":", false, false, false);
            } else {
                self.indicator("?", true, false, true);
                self.node(key, Place::Key);
                self.write_indent();
                self.indicator(":", true, false, true);
            }
            self.node(item, Place::Value);
        }
        self.indent = before;
    }

    fn text(&mut self, text: &str, place: Place) {
        let key = place == Place::SimpleKey;
        let shape = Shape::of(text, self.style.ascii);
        let allowed = if self.flow_level > 0 { shape.flow_plain } else { shape.block_plain };
        let empty = text.is_empty() && (self.flow_level > 0 || key);
        let plain = allowed && !empty && !(key && shape.multiline) && scalar::reads_as_text(text);
        if plain {
            self.plain(text, !key);
        } else if shape.single && !(key && shape.multiline) {
            self.single(text, !key);
        } else {
            self.double(text, !key);
        }
    }

    fn plain(&mut self, text: &str, breaks: bool) {
        if !self.whitespace && (!text.is_empty() || self.flow_level > 0) {
            self.put(' ');
        }
        let mut spaces = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let fold = c == ' ' && breaks && !spaces && self.column > self.style.width;
            if fold && chars.peek() != Some(&' ') {
                self.write_indent();
            } else {
                self.put(c);
            }
            spaces = c == ' ';
            if c != ' ' {
                self.indention = false;
            }
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn single(&mut self, text: &str, breaks: bool) {
        self.indicator("'", true, false, false);
        let (mut spaces, mut broken) = (false, false);
        let count = text.chars().count();
        let mut chars = text.chars().enumerate().peekable();
        while let Some((at, c)) = chars.next() {
            let next_space = chars.peek().is_some_and(|(_, next)| *next == ' ');
            if c == ' ' {
                let inside = at > 0 && at + 1 < count && !next_space;
                if breaks && !spaces && self.column > self.style.width && inside {
                    self.write_indent();
                } else {
                    self.put(c);
                }
                spaces = true;
                continue;
            }
            if scalar::is_break(c) {
                if !broken && c == '\n' {
                    self.line_break();
                }
                if c == '\n' {
                    self.line_break();
                } else {
                    self.out.push(c);
                    self.column = 0;
                }
                self.indention = true;
                broken = true;
                continue;
            }
            if broken {
                self.write_indent();
            }
            if c == '\'' {
                self.put('\'');
            }
            self.put(c);
            self.indention = false;
            spaces = false;
            broken = false;
        }
        if broken {
            self.write_indent();
        }
        self.indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn double(&mut self, text: &str, breaks: bool) {
        self.indicator("\"", true, false, false);
        let mut spaces = false;
        let count = text.chars().count();
        let mut chars = text.chars().enumerate().peekable();
        while let Some((at, c)) = chars.next() {
            if let Some(escape) = scalar::escape(c, self.style.ascii) {
                escape.chars().for_each(|c| self.put(c));
                spaces = false;
                continue;
            }
            let inside = at > 0 && at + 1 < count;
            if c == ' ' && breaks && !spaces && self.column > self.style.width && inside {
                self.write_indent();
                if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                    self.put('\\');
                }
            } else {
                self.put(c);
            }
            spaces = c == ' ';
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }
}

/// Whether a key fits before its `:`.
fn is_simple(key: &Item) -> bool {
    match key {
        Item::Plain(text) => text.len() <= KEY_MAX,
        Item::Text(text) => text.len() <= KEY_MAX && !Shape::of(text, false).multiline,
        Item::Seq(items) => items.is_empty(),
        Item::Map(pairs) => pairs.is_empty(),
        Item::Anchor(_, inner) => is_simple(inner),
        Item::Alias(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn flow_and_block_look_like_pyyaml() {
        let users = json!({"amy": {"uid": 1}, "zed": {"l": [1, "two"]}, "e": {}, "n": null});
        assert_eq!(
            styled(&users, Style::of(Some(true))),
            "{amy: {uid: 1}, zed: {l: [1, two]}, e: {}, n: null}"
        );
        assert_eq!(block(&users), "amy:\n  uid: 1\nzed:\n  l:\n  - 1\n  - two\ne: {}\nn: null\n");
        assert_eq!(block(&json!([{"a": 1, "b": [2]}, [3]])), "- a: 1\n  b:\n  - 2\n- - 3\n");
    }

    #[test]
    fn long_lines_fold_and_line_breaks_double() {
        let long = "word ".repeat(30);
        let text = block(&json!({"k": long.trim_end()}));
        assert!(text.lines().all(|line| line.len() <= 86), "{text}");
        assert_eq!(block(&json!({"k": "a\nb\n"})), "k: 'a\n\n  b\n\n  '\n");
        assert_eq!(block(&json!({"k": "a\tb"})), "k: \"a\\tb\"\n");
    }

    #[test]
    fn line_breaks_that_are_not_printed_are_escaped() {
        for (text, written) in [
            ("a\rb", r#""a\rb""#),
            ("a\r\nb", r#""a\r\nb""#),
            ("a\u{85}b", r#""a\Nb""#),
            ("a\u{2028}b", "'a\u{2028}  b'"),
        ] {
            assert_eq!(block(&json!([text])), format!("- {written}\n"), "{text:?}");
        }
    }

    #[test]
    fn strings_read_back_as_the_same_string() {
        for string in ["a", "a: b", "yes", "12", "", " x", "it's", "a #b", "- a", "-", "x\ny", "{"]
        {
            let text = block(&json!({"k": string}));
            let node = super::super::parse(&text).unwrap();
            assert_eq!(node.to_json(), json!({"k": string}), "{string:?}");
        }
    }
}
