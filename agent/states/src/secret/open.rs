//! Which texts of a pillar also stand where everybody reads them: in the state tree and the facts.
//!
//! Names of packages and files, words of templates: hiding them would hide what a report is about,
//! and keeps nothing secret. Each file is read once, whatever the number of texts.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::choice::ALL_MIN;
use super::forms;
use crate::facts::Facts;
use crate::tree::Tree;

/// Larger files are no source of words; what stands only there stays hidden.
const FILE_BYTES_MAX: usize = 4 << 20;

/// The bytes by which a text is looked for: none is shorter.
type Start = [u8; ALL_MIN];

/// The texts that are open.
#[derive(Debug, Default)]
pub(super) struct Open {
    found: HashSet<String>,
}

impl Open {
    /// Looks for texts and their lines in all files of all environments, and in the facts.
    pub(super) fn of(texts: &[String], tree: &Tree, facts: &Facts) -> Open {
        let mut wanted: HashMap<Start, Vec<&str>> = HashMap::new();
        let pieces = texts.iter().flat_map(|text| forms::lines(text).chain([text.as_str()]));
        for piece in pieces.collect::<HashSet<_>>() {
            if let Some(start) = piece.as_bytes().first_chunk() {
                wanted.entry(*start).or_default().push(piece);
            }
        }
        let mut open = Open::default();
        for env in tree.envs().filter_map(|env| tree.env(env)) {
            for path in env.paths() {
                open.look(path.as_bytes(), &wanted);
                // `|` takes a path as it is, whatever is in it.
                let file = env.read(&format!("|{path}")).and_then(Result::ok);
                if let Some(file) = file.filter(|file| file.len() <= FILE_BYTES_MAX) {
                    open.look(&file, &wanted);
                }
            }
        }
        open.look_in(&Value::Object(facts.as_map().clone()), &wanted);
        open
    }

    pub(super) fn has(&self, text: &str) -> bool {
        self.found.contains(text)
    }

    fn look(&mut self, data: &[u8], wanted: &HashMap<Start, Vec<&str>>) {
        for (at, start) in data.windows(ALL_MIN).enumerate() {
            let known = Start::try_from(start).ok().and_then(|start| wanted.get(&start));
            for text in known.into_iter().flatten() {
                if data[at..].starts_with(text.as_bytes()) && !self.found.contains(*text) {
                    self.found.insert((*text).to_owned());
                }
            }
        }
    }

    fn look_in(&mut self, value: &Value, wanted: &HashMap<Start, Vec<&str>>) {
        match value {
            Value::String(text) => self.look(text.as_bytes(), wanted),
            Value::Number(number) => self.look(number.to_string().as_bytes(), wanted),
            Value::Array(items) => items.iter().for_each(|item| self.look_in(item, wanted)),
            Value::Object(map) => map.values().for_each(|value| self.look_in(value, wanted)),
            Value::Null | Value::Bool(_) => {}
        }
    }
}
