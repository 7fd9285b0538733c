//! An INI file as Salt reads it, changes it and writes it: comments stay, an option that was
//! commented out comes back in its place, lines that are indented belong to the one before.

use std::rc::Rc;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::function::args::text;
use crate::function::file::text::{python_lines, without_end};
use crate::outcome::Changes;
use crate::regex::{Flags, Regex};

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Text(String),
    Section(Section),
}

/// The file itself, or a section of it.
#[derive(Debug, Clone)]
pub(crate) struct Section {
    separator: String,
    no_spaces: bool,
    line: Rc<Regex>,
    pub(crate) items: IndexMap<String, Item>,
}

/// Salt finds two sections the same by their names alone.
impl PartialEq for Section {
    fn eq(&self, other: &Section) -> bool {
        self.items == other.items
    }
}

/// What is to be put into a section.
#[derive(Debug, Clone)]
pub(super) enum New {
    Text(String),
    Section(Vec<(String, New)>),
}

impl New {
    pub(super) fn pairs(map: &Map<String, Value>) -> Vec<(String, New)> {
        map.iter().map(|(key, value)| (key.clone(), New::of(value))).collect()
    }

    fn of(value: &Value) -> New {
        match value {
            Value::Object(map) => New::Section(New::pairs(map)),
            other => New::Text(text(other)),
        }
    }
}

impl Item {
    /// As Salt tells of it, comments and all.
    pub(crate) fn json(&self) -> Value {
        match self {
            Item::Text(text) => Value::from(text.as_str()),
            Item::Section(section) => {
                section.items.iter().map(|(key, item)| (key.clone(), item.json())).collect()
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Item::Text(text) => text.is_empty(),
            Item::Section(section) => section.items.is_empty(),
        }
    }
}

impl Section {
    /// An empty file; the separator is part of a regular expression, as it is in Salt.
    fn new(separator: &str, no_spaces: bool) -> Result<Section, String> {
        let pattern = format!(r"^(\s*)(.+?)\s*(\{separator})\s*(.*)\s*");
        let line = Regex::new(&pattern, Flags::default()).map_err(|error| error.to_string())?;
        let separator = separator.to_owned();
        Ok(Section { separator, no_spaces, line: Rc::new(line), items: IndexMap::new() })
    }

    /// Reads a file's text.
    pub(crate) fn parse(text: &str, separator: &str, no_spaces: bool) -> Result<Section, String> {
        let mut file = Section::new(separator, no_spaces)?;
        let lines: Vec<&str> = python_lines(text).into_iter().map(without_end).collect();
        let text = lines.join("\n");
        let flags = Flags { multi_line: true, ..Flags::default() };
        let header = Regex::new(r"^\s*\[(.+?)\]\s*$", flags).map_err(|error| error.to_string())?;
        let mut name: Option<String> = None;
        let mut rest = text.as_str();
        loop {
            let found = header.captures(rest);
            let parts = found.as_ref().and_then(|found| Some((found.get(0)?, found.get(1)?)));
            let body = parts.map_or(rest, |(all, _)| &rest[..all.start()]);
            match name.take() {
                None => file.read(body)?,
                Some(name) => {
                    let mut section = file.child();
                    section.read(body)?;
                    file.update(vec![(name, New::Section(section.into_pairs()))])?;
                }
            }
            let Some((all, own)) = parts else { return Ok(file) };
            name = Some(own.as_str().to_owned());
            rest = &rest[all.end()..];
        }
    }

    fn child(&self) -> Section {
        Section { items: IndexMap::new(), ..self.clone() }
    }

    fn into_pairs(self) -> Vec<(String, New)> {
        let new = |item| match item {
            Item::Text(text) => New::Text(text),
            Item::Section(section) => New::Section(section.into_pairs()),
        };
        self.items.into_iter().map(|(key, item)| (key, new(item))).collect()
    }

    fn read(&mut self, text: &str) -> Result<(), String> {
        let text = text.trim_matches('\n');
        let (mut comments, mut unknown, mut indent) = (0, 0, String::new());
        for line in text.split('\n').filter(|_| !text.is_empty()) {
            let (name, value) = if is_comment(line) {
                comments += 1;
                (format!("#comment{comments}"), line.to_owned())
            } else if let Some(longer) = self.continued(line, &indent) {
                longer
            } else if let Some((deep, name, separator, value)) = self.option(line) {
                (indent, self.separator) = (spaced(&deep), separator);
                (name, value)
            } else {
                unknown += 1;
                (format!("#unknown{unknown}"), line.to_owned())
            };
            self.update(vec![(name, New::Text(value))])?;
        }
        Ok(())
    }

    /// A line that is indented more than its option, at the end of what is last in the section.
    fn continued(&self, line: &str, indent: &str) -> Option<(String, String)> {
        let own = spaced(&line[..line.len() - line.trim_start().len()]);
        let (name, item) = self.items.last().filter(|_| own.as_str() > indent)?;
        match item {
            Item::Text(text) => Some((name.clone(), format!("{text}\n{line}"))),
            Item::Section(_) => None,
        }
    }

    /// Indent, name, separator and value.
    fn option(&self, line: &str) -> Option<(String, String, String, String)> {
        let found = self.line.captures(line)?;
        let group = |number| found.get(number).map(|group| group.as_str().to_owned());
        Some((group(1)?, group(2)?, group(3)?, group(4)?))
    }

    /// Puts options and sections in; what that changed.
    pub(super) fn update(&mut self, new: Vec<(String, New)>) -> Result<Changes, String> {
        let mut changes = Changes::new();
        for (key, value) in new {
            let item = match value {
                New::Text(text) => Item::Text(text),
                New::Section(pairs) => {
                    let mut section = self.child();
                    section.update(pairs)?;
                    Item::Section(section)
                }
            };
            match (self.items.get_mut(&key), item) {
                (None, item) => {
                    changes.insert(key.clone(), json!({"before": null, "after": item.json()}));
                    if matches!(item, Item::Text(_)) {
                        self.uncomment(&key);
                    }
                    self.items.insert(key, item);
                }
                (Some(Item::Section(own)), Item::Section(section)) => {
                    let below = own.update(section.into_pairs())?;
                    if !below.is_empty() {
                        changes.insert(key, below.into());
                    }
                }
                (Some(Item::Section(_)), Item::Text(_)) => {
                    return Err("'str' object has no attribute 'items'".to_owned());
                }
                (Some(own), item) if *own != item => {
                    let change = json!({"before": own.json(), "after": item.json()});
                    changes.insert(key, change);
                    *own = item;
                }
                (Some(_), _) => {}
            }
        }
        Ok(changes)
    }

    /// Makes a place for a new option: that of the first comment which is this option.
    fn uncomment(&mut self, key: &str) {
        let is = |(name, item): (&String, &Item)| match item {
            Item::Text(text) if name.contains("#comment") => {
                let option = self.option(text.trim_start_matches('#'));
                option.is_some_and(|(_, name, ..)| name == key)
            }
            _ => false,
        };
        if let Some(at) = self.items.iter().position(is) {
            self.items.shift_remove_index(at);
            self.items.shift_insert(at, key.to_owned(), Item::Text(String::new()));
        }
    }

    /// The file's text.
    pub(super) fn text(&self) -> String {
        let mut parts = Vec::new();
        self.put(&mut parts);
        if let Some(first) = parts.first_mut() {
            *first = first.trim_start_matches('\n').to_owned();
        }
        parts.concat()
    }

    fn put(&self, parts: &mut Vec<String>) {
        let separator = match self.separator.trim() {
            "" => " ".to_owned(),
            plain if self.no_spaces => plain.to_owned(),
            plain => format!(" {plain} "),
        };
        for (name, item) in &self.items {
            match item {
                Item::Text(line) if is_comment(name) => parts.push(format!("{line}\n")),
                Item::Text(value) => parts.push(format!("{name}{separator}{value}\n")),
                Item::Section(_) => {}
            }
        }
        for (name, item) in &self.items {
            if let Item::Section(section) = item {
                parts.push(format!("\n[{name}]\n"));
                section.put(parts);
            }
        }
    }

    /// Options and sections without comments and lines that mean nothing.
    pub(crate) fn plain(&self) -> Map<String, Value> {
        let known = self.items.iter().filter(|(key, _)| !key.starts_with('#'));
        let value = |item: &Item| match item {
            Item::Text(text) => Value::from(text.as_str()),
            Item::Section(section) => section.plain().into(),
        };
        known.map(|(key, item)| (key.clone(), value(item))).collect()
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', ';'])
}

fn spaced(indent: &str) -> String {
    indent.replace('\t', "    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(text: &str, new: Value) -> String {
        let mut file = Section::parse(text, "=", false).unwrap();
        file.update(New::pairs(new.as_object().unwrap())).unwrap();
        file.text()
    }

    #[test]
    fn what_was_commented_out_comes_back_in_its_place() {
        let new = json!({"b": 2, "s": {"d": true}});
        let old = "#b = 1\na=1\n[s]\n; c\n#d=0\ne = 5\n";
        assert_eq!(rewritten(old, new), "b = 2\na = 1\n\n[s]\n; c\nd = True\ne = 5\n");
    }

    #[test]
    fn indented_lines_belong_to_the_option_before() {
        let file = Section::parse("a = 1\n  2\n  3\nb = 4\n", "=", false).unwrap();
        assert_eq!(Value::from(file.plain()), json!({"a": "1\n  2\n  3", "b": "4"}));
    }

    #[test]
    fn a_section_that_comes_twice_is_one() {
        let new = json!({});
        assert_eq!(rewritten("[s]\na=1\n\n[t]\n[s]\na=2\n", new), "[s]\na = 2\n\n[t]\n");
    }
}
