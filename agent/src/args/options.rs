//! The options of the commands that run the state engine, and their values.

use super::{Data, Error, help};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// The environment of a root that names none.
const BASE: &str = "base";
/// How much may be wrong in a word that is taken for another.
const TYPOS_MAX: usize = 2;

/// An option: its name, and the word for its value if it takes one.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) value: Option<&'static str>,
    pub(super) help: &'static str,
    /// The commands that have it.
    pub(super) of: &'static [&'static str],
}

const ALL: &[&str] = &["apply", "show", "single", "pillar"];

const fn option(
    name: &'static str,
    value: Option<&'static str>,
    of: &'static [&'static str],
    help: &'static str,
) -> Known {
    Known { name, value, help, of }
}

/// Every option of those commands.
pub(super) const KNOWN: &[Known] = &[
    option("--local", None, ALL, "Without a controller: from the folders given here"),
    option(
        "--file-root",
        Some("[ENV=]DIR"),
        ALL,
        "The folder of the state tree (salt://); may be given several times",
    ),
    option(
        "--pillar-root",
        Some("[ENV=]DIR"),
        ALL,
        "The folder of the pillar tree; may be given several times",
    ),
    option("--id", Some("ID"), ALL, "The worker's name [default: this machine's]"),
    option("--grains", Some("JSON"), ALL, "Facts over those of this machine"),
    option("--pillar", Some("JSON"), ALL, "Pillar data, merged over the tree's"),
    option("--opts", Some("JSON"), ALL, "Salt's minion options, e.g. {\"failhard\": true}"),
    option("--exclude", Some("SLS"), &["apply"], "Leave out these SLS"),
    option("--only", Some("ID"), &["apply"], "Only the states of this ID and what they require"),
    option("--test", None, ALL, "Only tell what would change; templates see it as opts['test']"),
    option("--unmask", None, &["pillar"], "Show the values too, not only the keys"),
    option("--out", Some("FORMAT"), ALL, "text or json [default: text]"),
];

/// What a command was given.
#[derive(Debug, Default)]
pub(super) struct Given {
    options: Vec<(&'static str, String)>,
    /// What is no option.
    pub(super) words: Vec<String>,
}

/// Reads options and words; the inner error is an argument that another one must explain.
pub(super) fn read(
    command: &str,
    mut args: impl Iterator<Item = String>,
) -> Result<Result<Given, String>, Error> {
    let mut given = Given::default();
    while let Some(arg) = args.next() {
        if arg == "--" {
            given.words.extend(args.by_ref());
            break;
        }
        if !arg.starts_with('-') || arg == "-" {
            given.words.push(arg);
            continue;
        }
        let (name, attached) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let name = if matches!(name, "-o" | "--output") { "--out" } else { name };
        let mut own = KNOWN.iter().filter(|known| known.of.contains(&command));
        let Some(known) = own.find(|known| known.name == name) else { return Ok(Err(arg)) };
        let value = match (known.value, attached) {
            (None, None) => String::new(),
            (None, Some(_)) => return Err(Error::NoValue(known.name)),
            (Some(_), Some(value)) => value,
            (Some(_), None) => args.next().ok_or(Error::Value(known.name))?,
        };
        given.options.push((known.name, value));
    }
    Ok(Ok(given))
}

impl Given {
    pub(super) fn all(&self, option: &'static str) -> impl Iterator<Item = &str> {
        let options = self.options.iter().filter(move |(name, _)| *name == option);
        options.map(|(_, value)| value.as_str())
    }

    pub(super) fn last(&self, option: &'static str) -> Option<&str> {
        self.all(option).last()
    }

    pub(super) fn has(&self, option: &'static str) -> bool {
        self.last(option).is_some()
    }

    /// Folders with their environments.
    pub(super) fn roots(&self, option: &'static str) -> Result<Vec<(String, PathBuf)>, Error> {
        let root = |text: &str| match text.split_once('=') {
            Some((env, dir)) if !env.contains('/') => (env.to_owned(), dir.to_owned()),
            _ => (BASE.to_owned(), text.to_owned()),
        };
        let wrong = |what: &str| Error::Wrong { option, what: what.to_owned() };
        let mut roots = Vec::new();
        for (env, dir) in self.all(option).map(root) {
            if dir.is_empty() || env.is_empty() {
                return Err(wrong("give a folder, or ENV=DIR"));
            }
            roots.push((env, PathBuf::from(dir)));
        }
        Ok(roots)
    }

    /// A map: as JSON, or in the file behind `@`.
    pub(super) fn data(&self, option: &'static str) -> Result<Data, Error> {
        let Some(text) = self.last(option) else { return Ok(Data::default()) };
        if let Some(path) = text.strip_prefix('@') {
            return Ok(Data::File(path.into()));
        }
        let wrong = |what: String| Error::Wrong { option, what };
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(Data::Here(map)),
            Ok(Value::Null) => Ok(Data::Here(Map::new())),
            Ok(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                Err(wrong("expected a map: write JSON as {\"name\": \"value\"}".to_owned()))
            }
            Err(error) => {
                let full = error.to_string();
                let what = full.split(" at line ").next().unwrap_or_default();
                let (line, column) = (error.line().max(1), error.column().max(1));
                Err(wrong(format!(
                    "line {line}, column {column}: {what}: write JSON as {{\"name\": \"value\"}}, \
                     or @FILE"
                )))
            }
        }
    }

    pub(super) fn json(&self) -> Result<bool, Error> {
        match self.last("--out") {
            None | Some("text") => Ok(false),
            Some("json") => Ok(true),
            Some(other) => {
                let what = format!("{other:?} is unknown: give text or json");
                Err(Error::Wrong { option: "--out", what })
            }
        }
    }
}

/// The known word that was likely meant.
pub(super) fn near(word: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let word = word.split('=').next().unwrap_or_default();
    let near = known.map(|known| (typos(word, known), known)).min()?;
    (near.0 <= TYPOS_MAX.min(word.len() / 3)).then_some(near.1)
}

/// Letters to change, add, drop or exchange with a neighbour until the words are the same.
fn typos(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut next = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (row[j - 1] + same).min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

/// The options of a command, for its help.
pub(super) fn of(command: &str) -> impl Iterator<Item = &'static Known> {
    KNOWN.iter().filter(move |known| known.of.contains(&command))
}

/// The names of a command's options.
pub(super) fn names(command: &str) -> impl Iterator<Item = &'static str> {
    let known = help::command(command);
    KNOWN
        .iter()
        .filter(move |one| known.is_some_and(|known| one.of.contains(&known)))
        .map(|k| k.name)
}
