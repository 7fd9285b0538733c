//! `file.keyvalue`: keys and their values, a line each.

use std::io;

use serde_json::{Map, Value};

use super::text::{self, Edit, decoded, encoded, universal_lines};
use crate::function::args::text as shown;
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::{Outcome, change};

pub(in crate::function) struct KeyValue;

impl StateFunction for KeyValue {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "keyvalue";
    const TAKES: &'static [&'static str] = &[
        "key",
        "value",
        "key_values",
        "separator",
        "append_if_not_found",
        "prepend_if_not_found",
        "show_changes",
        "ignore_if_missing",
        "count",
        "uncomment",
        "key_ignore_case",
        "value_ignore_case",
        "create_if_missing",
        "prune",
    ];
    // Salt takes it and does nothing with it.
    const TOLERATES: &'static [&'static str] = &["search_only"];
    type Step = Edit;

    fn check(ctx: &Context<'_>) -> Plan<Edit> {
        let pairs = match pairs(ctx) {
            Ok(pairs) => pairs,
            Err(problem) => return Plan::failed(problem),
        };
        let name = ctx.name();
        let create = ctx.flag("create_if_missing", false);
        let (data, missing) = match std::fs::read(ctx.host.followed(name)) {
            Ok(data) => (data, false),
            Err(error) if create && error.kind() == io::ErrorKind::NotFound => (Vec::new(), true),
            Err(_) => {
                let result = Some(ctx.flag("ignore_if_missing", false));
                let comment = format!("unable to open {name}");
                return Plan::Done(Outcome { result, comment, ..Outcome::default() });
            }
        };
        let (old, utf8) = match text::utf8(&data) {
            Ok(_) => decoded(&data),
            Err(problem) => return Plan::failed(problem),
        };
        let mut edited = Edited::of(ctx, pairs);
        if edited.separator.is_empty() && !old.is_empty() {
            return Plan::failed("empty separator");
        }
        if ctx.value("uncomment").is_some_and(|signs| !signs.is_string()) && !old.is_empty() {
            return Plan::failed("lstrip arg must be None or str");
        }
        universal_lines(&old).into_iter().for_each(|line| edited.line(line));
        edited.not_found(missing || ctx.flag("append_if_not_found", false));
        if edited.changed == 0 && edited.pruned.is_empty() {
            return Plan::fine("");
        }
        planned(ctx, edited, utf8)
    }

    fn apply(ctx: &Context<'_>, edit: Edit) -> Outcome {
        let (name, foreseen) = (ctx.name(), edit.changes().clone());
        let done = edit.apply(ctx);
        // Salt tells of what it could not write.
        match done.result {
            Some(false) => {
                Outcome { changes: foreseen, ..Outcome::failed(format!("{name} not writable")) }
            }
            Some(true) | None => done,
        }
    }
}

fn pairs(ctx: &Context<'_>) -> Result<Map<String, Value>, String> {
    const NONE: &str = "file.keyvalue key and value not supplied and key_values";
    let given = ctx.value("key_values");
    match (ctx.text("key"), ctx.value("value"), given) {
        // Salt would refuse `key_values` beside them, but takes no map of an SLS for one.
        (Some(key), Some(value), _) => Ok(Map::from_iter([(key, value.clone())])),
        (_, _, Some(Value::Object(map))) if !map.is_empty() => Ok(map.clone()),
        (_, _, Some(other)) if crate::function::args::truth(other) => {
            Err(format!("{NONE} is not a dictionary"))
        }
        _ => Err(format!("{NONE} is empty")),
    }
}

fn planned(ctx: &Context<'_>, edited: Edited<'_>, utf8: bool) -> Plan<Edit> {
    let mut diff = edited.diff;
    for line in &edited.pruned {
        diff.insert(diff.len().min(1), format!("- {line}"));
    }
    let (changed, deleted) = (edited.changed, edited.pruned.len());
    let mut foreseen = format!(
        "File {} is set to be changed ({changed} lines modified, {deleted} deleted)",
        ctx.name()
    );
    let mut changes = Default::default();
    if ctx.flag("show_changes", true) {
        changes = change("diff", diff.concat());
        foreseen.push_str("\nPredicted diff:\n\r\t\t");
        foreseen.push_str(&diff.join("\r\t\t"));
    }
    let done = format!("Changed {changed}, deleted {deleted} lines");
    let data = encoded(&edited.content.concat(), utf8);
    Edit::plan(
        Outcome::foreseen(foreseen, changes.clone()),
        data,
        None,
        Outcome::changed(done, changes),
    )
}

/// The file as it becomes, and what tells of it.
struct Edited<'a> {
    ctx: &'a Context<'a>,
    /// Each key with its value and how often it is still to be set.
    pairs: Vec<(String, Value, i64)>,
    separator: String,
    content: Vec<String>,
    diff: Vec<String>,
    pruned: Vec<String>,
    changed: usize,
}

impl<'a> Edited<'a> {
    fn of(ctx: &'a Context<'a>, pairs: Map<String, Value>) -> Edited<'a> {
        let count = ctx.value("count").and_then(Value::as_i64).unwrap_or(1);
        Edited {
            ctx,
            pairs: pairs.into_iter().map(|(key, value)| (key, value, count)).collect(),
            separator: ctx.text("separator").unwrap_or_else(|| "=".to_owned()),
            content: Vec::new(),
            diff: Vec::new(),
            pruned: Vec::new(),
            changed: 0,
        }
    }

    fn folded(&self, text: &str, by: &str) -> String {
        if self.ctx.flag(by, false) { text.to_lowercase() } else { text.to_owned() }
    }

    /// A line of the file as it is.
    fn line(&mut self, line: &str) {
        let bare = match self.ctx.text("uncomment") {
            Some(signs) => line.trim_start_matches(signs.chars().collect::<Vec<_>>().as_slice()),
            None => line.trim_start(),
        };
        let uncommented = bare.len() < line.len();
        let tested = self.folded(bare, "key_ignore_case");
        let keys: Vec<String> =
            self.pairs.iter().map(|(key, ..)| self.folded(key, "key_ignore_case")).collect();
        if self.ctx.flag("prune", false) && !keys.iter().any(|key| tested.starts_with(key)) {
            self.pruned.push(line.to_owned());
            return;
        }
        let mut line = line.to_owned();
        if let Some((own_key, own_value)) = bare.split_once(self.separator.as_str()) {
            for (at, key) in keys.iter().enumerate() {
                if *key == self.folded(own_key, "key_ignore_case") && tested.starts_with(key) {
                    self.pair(at, &mut line, own_key, own_value, uncommented);
                }
            }
        }
        self.content.push(line);
    }

    /// A line that has one of the keys.
    fn pair(&mut self, at: usize, line: &mut String, key: &str, value: &str, uncommented: bool) {
        let (_, wanted, left) = self.pairs[at].clone();
        let fold = |text: &str| self.folded(text.trim(), "value_ignore_case");
        let mut same = fold(value) == fold(&shown(&wanted));
        let mut change = false;
        if uncommented && left > 0 {
            change = true;
        } else if uncommented {
            same = true;
        } else if left == 0 {
            change = true;
        }
        if !same || change {
            self.diff.push(format!("- {line}"));
            line.clear();
            if left != 0 {
                *line = format!("{key}{}{}\n", self.separator, shown(&wanted));
                self.diff.push(match type_name(&wanted) {
                    None => format!("+ {line}"),
                    Some(kind) => format!("+ {} (from {kind} type)\n", line.trim_end()),
                });
            }
            self.changed += 1;
        }
        if left > 0 {
            self.pairs[at].2 -= 1;
        }
    }

    /// What is added for keys that were not found.
    fn not_found(&mut self, append: bool) {
        let prepend = self.ctx.flag("prepend_if_not_found", false);
        if !append && !prepend {
            return;
        }
        let mut lines = Vec::new();
        for (key, value, left) in &self.pairs {
            if *left > 0 {
                lines.push(format!("{key}{}{}\n", self.separator, shown(value)));
            }
        }
        if lines.is_empty() {
            return;
        }
        self.changed += lines.len();
        if append {
            self.diff.push("- <EOF>\n".to_owned());
            self.diff.extend(lines.iter().map(|line| format!("+ {line}")));
            self.diff.push("+ <EOF>\n".to_owned());
            self.content.extend(lines);
            return;
        }
        self.diff.insert(0, "  <SOF>\n".to_owned());
        for line in lines {
            self.diff.insert(1, format!("+ {line}"));
            self.content.insert(0, line);
        }
    }
}

/// Python's name for the kind of a value that is no text.
fn type_name(value: &Value) -> Option<&'static str> {
    match value {
        Value::String(_) => None,
        Value::Null => Some("NoneType"),
        Value::Bool(_) => Some("bool"),
        Value::Number(number) if number.is_f64() => Some("float"),
        Value::Number(_) => Some("int"),
        Value::Array(_) => Some("list"),
        Value::Object(_) => Some("OrderedDict"),
    }
}
