//! From libyaml's events to nodes: anchors, merge keys, duplicate keys, and limits.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::libyaml::{Error, Event, EventData, Mark, Parser};
use super::{Data, Node, YamlError, scalar, simple};

/// Nodes that one document may expand to, aliases included.
pub(super) const NODES_MAX: usize = 500_000;
/// Depth that one document may nest to.
const DEPTH_MAX: usize = 128;
/// What PyYAML does when a map is at fault.
const MAPPING: &str = "while constructing a mapping";

/// Reads one document; an empty text is null.
pub(super) fn document(text: &str) -> Result<Node, YamlError> {
    simple::document(text).map_or_else(|| by_libyaml(text), Ok)
}

/// The same, however simple the text is.
pub(super) fn by_libyaml(text: &str) -> Result<Node, YamlError> {
    Loader::new(text).document()
}

/// The same as PyYAML itself reads it: a leading zero makes a number octal.
pub(super) fn with_octals(text: &str) -> Result<Node, YamlError> {
    Loader { octals: true, ..Loader::new(text) }.document()
}

/// The same; of keys that repeat themselves the last one counts.
pub(super) fn repeating(text: &str) -> Result<Node, YamlError> {
    Loader { repeats: true, ..Loader::new(text) }.document()
}

struct Loader<'a> {
    parser: Parser<'a>,
    /// The first fault of the values, and how deep: Salt finds those only in a document that
    /// parses, and level by level.
    fault: Option<(usize, YamlError)>,
    /// What an alias stands for, and where that was. `None` while it is being read.
    anchors: HashMap<String, (Mark, Option<Node>)>,
    nodes: usize,
    /// Whether `010` is eight.
    octals: bool,
    /// Whether a key may stand in a map more than once.
    repeats: bool,
}

/// What stands before a node's contents.
struct Head {
    mark: Mark,
    anchor: Option<String>,
    tag: Option<String>,
    /// How deep the list or map is that it stands in.
    level: usize,
}

impl<'a> Loader<'a> {
    fn new(text: &'a str) -> Loader<'a> {
        let parser = Parser::new(text);
        let anchors = HashMap::new();
        Loader { parser, fault: None, anchors, nodes: 0, octals: false, repeats: false }
    }
}

impl Loader<'_> {
    fn document(&mut self) -> Result<Node, YamlError> {
        let (root, start) = loop {
            let event = self.next()?;
            match event.data {
                EventData::StreamStart => {}
                EventData::DocumentStart => {
                    let first = self.next()?;
                    let start = first.start_mark;
                    break (self.node(first, 0)?, start);
                }
                _ => {
                    let (line, column) = place(event.start_mark);
                    return Ok(Node { line, column, data: Data::Null });
                }
            }
        };
        loop {
            let event = self.next()?;
            match event.data {
                EventData::DocumentEnd => {}
                EventData::StreamEnd => return self.fault.take().map_or(Ok(root), |(_, e)| Err(e)),
                _ => {
                    return fail_in(
                        "expected a single document in the stream",
                        start,
                        "but found another document",
                        event.start_mark,
                    );
                }
            }
        }
    }

    fn next(&mut self) -> Result<Event, YamlError> {
        self.parser.parse().map_err(|error| parser_error(&error))
    }

    fn node(&mut self, event: Event, depth: usize) -> Result<Node, YamlError> {
        let mark = event.start_mark;
        self.count(1, mark)?;
        if depth > DEPTH_MAX {
            return fail(&format!("nested deeper than {DEPTH_MAX} levels"), mark);
        }
        let level = depth.saturating_sub(1);
        match event.data {
            EventData::Alias { anchor } => self.alias(&anchor, mark, level),
            EventData::Scalar { anchor, tag, value, plain_implicit, .. } => {
                let head = self.open(Head { mark, anchor, tag, level })?;
                let octal = self.octals && plain_implicit && head.tag.is_none();
                let data = match scalar::octal(&value).filter(|_| octal) {
                    Some(number) => Ok(Data::Int(number)),
                    None => scalar::typed(value, plain_implicit, head.tag.as_deref()),
                };
                self.close(head, data)
            }
            EventData::SequenceStart { anchor, tag } => {
                let head = self.open(Head { mark, anchor, tag, level })?;
                let data = self.sequence(depth)?;
                let data = scalar::list(data, head.tag.as_deref());
                self.close(head, data)
            }
            EventData::MappingStart { anchor, tag } => {
                let head = self.open(Head { mark, anchor, tag, level })?;
                let data = self.mapping(depth, mark)?;
                let data = scalar::map(data, head.tag.as_deref());
                self.close(head, data)
            }
            _ => fail("unexpected token", mark),
        }
    }

    /// Notes that an anchor's node is being read.
    fn open(&mut self, head: Head) -> Result<Head, YamlError> {
        if let Some(anchor) = &head.anchor {
            if let Some((first, _)) = self.anchors.get(anchor) {
                return fail_in(
                    "found duplicate anchor; first occurrence",
                    *first,
                    "second occurrence",
                    head.mark,
                );
            }
            self.anchors.insert(anchor.clone(), (head.mark, None));
        }
        Ok(head)
    }

    fn close(&mut self, head: Head, data: Result<Data, String>) -> Result<Node, YamlError> {
        let data = match data {
            Ok(data) => data,
            Err(reason) => self.wrong(fail(&reason, head.mark), Data::Null, head.level),
        };
        let (line, column) = place(head.mark);
        let node = Node { line, column, data };
        if let Some(anchor) = head.anchor {
            self.anchors.insert(anchor, (head.mark, Some(node.clone())));
        }
        Ok(node)
    }

    /// A value, or what stands for it in a document that is refused at its end.
    fn wrong<T>(&mut self, found: Result<T, YamlError>, or: T, level: usize) -> T {
        match found {
            Ok(found) => found,
            Err(error) => {
                if self.fault.as_ref().is_none_or(|(own, _)| level < *own) {
                    self.fault = Some((level, error));
                }
                or
            }
        }
    }

    fn alias(&mut self, anchor: &str, mark: Mark, level: usize) -> Result<Node, YamlError> {
        match self.anchors.get(anchor) {
            None => fail("found undefined alias", mark),
            Some((_, None)) => {
                let found = fail("an alias that stands in what it means is not supported", mark);
                let (line, column) = place(mark);
                Ok(self.wrong(found, Node { line, column, data: Data::Null }, level))
            }
            Some((_, Some(node))) => {
                let node = node.clone();
                self.count(node.size(), mark)?;
                Ok(node)
            }
        }
    }

    fn count(&mut self, nodes: usize, mark: Mark) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            return fail(&format!("the document expands to more than {NODES_MAX} nodes"), mark);
        }
        Ok(())
    }

    fn sequence(&mut self, depth: usize) -> Result<Data, YamlError> {
        let mut items = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::SequenceEnd) {
                return Ok(Data::Seq(items));
            }
            items.push(self.node(event, depth + 1)?);
        }
    }

    /// A key that means something else as a value.
    fn text(&mut self, event: Event, text: &str) -> Result<Node, YamlError> {
        let EventData::Scalar { anchor, .. } = event.data else {
            return fail("unexpected token", event.start_mark);
        };
        let head = self.open(Head { mark: event.start_mark, anchor, tag: None, level: 0 })?;
        self.close(head, Ok(Data::Str(text.to_owned())))
    }

    fn mapping(&mut self, depth: usize, start: Mark) -> Result<Data, YamlError> {
        let mut pairs: Vec<(Node, Node)> = Vec::new();
        let mut merged: Vec<(Node, Node)> = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::MappingEnd) {
                if self.repeats {
                    return Ok(Data::Map(last_ones(pairs)));
                }
                let found = unique(merged, pairs, start);
                return Ok(self.wrong(found, Data::Null, depth));
            }
            let (merge, mark) = (is_plain(&event, "<<"), event.start_mark);
            let key = if merge || is_plain(&event, "=") {
                self.text(event, if merge { "<<" } else { "=" })?
            } else {
                self.node(event, depth + 1)?
            };
            let event = self.next()?;
            let value_mark = event.start_mark;
            let value = self.node(event, depth + 1)?;
            if merge {
                let more = to_merge(value, start, value_mark);
                merged.extend(self.wrong(more, Vec::new(), depth));
                self.count(merged.len(), mark)?;
            } else {
                pairs.push((key, value));
            }
        }
    }
}

/// A plain scalar without a tag.
fn is_plain(event: &Event, text: &str) -> bool {
    match &event.data {
        EventData::Scalar { value, tag: None, is_plain: true, .. } => value == text,
        _ => false,
    }
}

/// The last value of each key, in the place of its first, as in a Python dict.
fn last_ones(pairs: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    let mut out: Vec<(Node, Node)> = Vec::with_capacity(pairs.len());
    let mut places: HashMap<String, usize> = HashMap::new();
    for (key, value) in pairs {
        match places.entry(key.key_text()) {
            Entry::Occupied(at) => out[*at.get()].1 = value,
            Entry::Vacant(free) => {
                free.insert(out.len());
                out.push((key, value));
            }
        }
    }
    out
}

/// What makes two keys the same to Python: the value; 1, 1.0 and True are one.
fn same_as(key: &Node) -> (u8, Cow<'_, str>) {
    match &key.data {
        Data::Null => (0, Cow::Borrowed("")),
        Data::Bool(flag) => (1, u8::from(*flag).to_string().into()),
        Data::Int(number) => (1, number.to_string().into()),
        Data::Float(number) => (1, number.to_string().into()),
        Data::Str(text) => (2, Cow::Borrowed(text)),
        Data::Seq(_) | Data::Map(_) => (3, key.key_str()),
    }
}

/// The pairs of what is merged, of several maps the last one's first.
fn to_merge(value: Node, start: Mark, mark: Mark) -> Result<Vec<(Node, Node)>, YamlError> {
    let kind = |data: &Data| match data {
        Data::Map(_) => "mapping",
        Data::Seq(_) => "sequence",
        _ => "scalar",
    };
    match value.data {
        Data::Map(pairs) => Ok(pairs),
        Data::Seq(items) => {
            let mut out = Vec::new();
            for item in items.into_iter().rev() {
                let Data::Map(pairs) = item.data else {
                    let what = kind(&item.data);
                    let reason = format!("expected a mapping for merging, but found {what}");
                    return fail_in(MAPPING, start, &reason, mark_of(&item));
                };
                out.extend(pairs);
            }
            Ok(out)
        }
        other => {
            let what = kind(&other);
            let reason =
                format!("expected a mapping or list of mappings for merging, but found {what}");
            fail_in(MAPPING, start, &reason, mark)
        }
    }
}

/// What was merged, without what the map has itself, and then that.
fn joined(mut merged: Vec<(Node, Node)>, own: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    if merged.is_empty() {
        return own;
    }
    let there: HashSet<_> = own.iter().map(|(key, _)| same_as(key)).collect();
    merged.retain(|(key, _)| !there.contains(&same_as(key)));
    merged.extend(own);
    merged
}

/// A map: what was merged comes first. No key may stand twice.
pub(super) fn unique(
    merged: Vec<(Node, Node)>,
    own: Vec<(Node, Node)>,
    start: Mark,
) -> Result<Data, YamlError> {
    let out = joined(merged, own);
    // Most maps of an SLS have one key.
    let many = out.len() > 1;
    let mut seen = HashSet::with_capacity(if many { out.len() } else { 0 });
    for (key, _) in &out {
        if matches!(key.data, Data::Seq(_) | Data::Map(_)) {
            // PyYAML prints the key with all that it holds, which may be a secret.
            let reason = "found unacceptable key: a list or map cannot be a key; a possible cause \
                          are double curly braces";
            return fail_in(MAPPING, start, reason, mark_of(key));
        }
        if many && !seen.insert(same_as(key)) {
            let reason = format!("found conflicting ID '{}'", key.key_text());
            return fail_in(MAPPING, start, &reason, mark_of(key));
        }
    }
    Ok(Data::Map(out))
}

/// Line and column, from 1.
fn place(mark: Mark) -> (u32, u32) {
    let from_one = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).saturating_add(1);
    (from_one(mark.line), from_one(mark.column))
}

fn mark_of(node: &Node) -> Mark {
    let from_zero = |number: u32| u64::from(number.saturating_sub(1));
    Mark { line: from_zero(node.line), column: from_zero(node.column) }
}

/// A place as PyYAML tells of it.
fn shown(mark: Mark) -> String {
    let (line, column) = place(mark);
    format!("  in \"<unicode string>\", line {line}, column {column}")
}

fn fail<T>(reason: &str, mark: Mark) -> Result<T, YamlError> {
    let (line, column) = place(mark);
    let words = format!("{reason}\n{}", shown(mark));
    Err(YamlError { line, column, reason: words.clone(), words })
}

/// A fault in something larger.
fn fail_in<T>(context: &str, from: Mark, problem: &str, mark: Mark) -> Result<T, YamlError> {
    let (line, column) = place(mark);
    let words = with_context(context, from, problem, mark);
    Err(YamlError { line, column, reason: words.clone(), words })
}

/// PyYAML tells of the larger thing's place only if it is another one.
fn with_context(context: &str, from: Mark, problem: &str, mark: Mark) -> String {
    let from =
        if place(from) == place(mark) { String::new() } else { format!("{}\n", shown(from)) };
    format!("{context}\n{from}{problem}\n{}", shown(mark))
}

/// What does not parse. Of what the scanner does not know, Salt tells the problem alone.
fn parser_error(error: &Error) -> YamlError {
    let (problem, mark, context, in_scanner) = match error {
        Error::Character { problem, value, offset } => {
            let words = format!(
                "unacceptable character #x{value:04x}: {problem}\n  in \"<unicode string>\", \
                 position {offset}"
            );
            return YamlError { line: 1, column: 1, reason: words.clone(), words };
        }
        Error::Syntax { problem, mark, context, in_scanner } => {
            (problem, *mark, context, *in_scanner)
        }
    };
    let (line, column) = place(mark);
    let words = match context {
        Some((context, from)) => with_context(context, *from, problem, mark),
        None => format!("{problem}\n{}", shown(mark)),
    };
    let reason = if in_scanner { problem.clone() } else { words.clone() };
    YamlError { line, column, reason, words }
}
