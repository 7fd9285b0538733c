//! The paths of a schema's metrics, made once per schema.

use super::original;
use muster_protocol::stats::{Batch, Schema, SchemaId};
use std::collections::HashMap;
use std::sync::Arc;

/// Schemas whose paths are remembered; then all are forgotten and made anew.
const SCHEMAS_MAX: usize = 256;

/// Where a value goes, and what it is made of.
pub(super) struct Path {
    /// Behind the worker's name.
    pub(super) name: String,
    pub(super) source: Source,
}

/// One column times a factor, or the first column less the others.
pub(super) enum Source {
    Column { index: usize, factor: f64 },
    Remainder { of: usize, less: Vec<usize>, factor: f64 },
}

impl Path {
    pub(super) fn value(&self, batch: &Batch, sample: usize) -> f64 {
        let at = |index: usize| batch.column(index).get(sample).copied().unwrap_or(f64::NAN);
        match &self.source {
            Source::Column { index, factor } => at(*index) * factor,
            Source::Remainder { of, less, factor } => {
                less.iter().fold(at(*of), |rest, &index| rest - at(index)) * factor
            }
        }
    }
}

pub(super) struct Paths {
    original: bool,
    known: HashMap<SchemaId, Arc<[Path]>>,
}

impl Paths {
    pub(super) fn new(original: bool) -> Paths {
        Paths { original, known: HashMap::new() }
    }

    pub(super) fn of(&mut self, schema: &Schema) -> Arc<[Path]> {
        if let Some(known) = self.known.get(schema.id()) {
            return known.clone();
        }
        if self.known.len() >= SCHEMAS_MAX {
            self.known.clear();
        }
        let all: Arc<[Path]> =
            if self.original { original::paths(schema) } else { plain(schema) }.into();
        self.known.insert(schema.id().clone(), all.clone());
        all
    }
}

fn plain(schema: &Schema) -> Vec<Path> {
    let path = |(index, name): (usize, &str)| {
        let (family, key, leaf) = parts(name);
        let name = match key {
            "" => format!("{}.{}", node(family), node(leaf)),
            key => format!("{}.{}.{}", node(family), node(key), node(leaf)),
        };
        Path { name, source: Source::Column { index, factor: 1.0 } }
    };
    schema.metrics().iter().map(|metric| metric.name.as_str()).enumerate().map(path).collect()
}

/// A metric's name as `<family>.<key>.<leaf>`; the key may hold dots, or be empty.
pub(super) fn parts(name: &str) -> (&str, &str, &str) {
    let (family, rest) = name.split_once('.').unwrap_or(("", name));
    let (key, leaf) = rest.rsplit_once('.').unwrap_or(("", rest));
    (family, key, leaf)
}

/// A part of a name as one node of a path: what means something to Graphite becomes `_`.
pub(super) fn node(part: &str) -> String {
    let good = |char: char| char.is_ascii_alphanumeric() || "_-:@+".contains(char);
    let node: String = part.chars().map(|char| if good(char) { char } else { '_' }).collect();
    if node.is_empty() { "_".to_owned() } else { node }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_name_is_the_key() {
        for (name, expected) in [
            ("load.1m", ("load", "", "1m")),
            ("cpu.0.user", ("cpu", "0", "user")),
            ("network.eth0.100.rx_bytes", ("network", "eth0.100", "rx_bytes")),
            ("filesystem./var/a.b.bytes_free", ("filesystem", "/var/a.b", "bytes_free")),
            ("odd", ("", "", "odd")),
        ] {
            assert_eq!(parts(name), expected);
        }
    }

    #[test]
    fn a_node_has_nothing_that_means_something_to_graphite() {
        for (part, expected) in [
            ("eth0.100", "eth0_100"),
            ("/var/lib", "_var_lib"),
            ("a;b=c{*}?", "a_b_c____"),
            ("", "_"),
        ] {
            assert_eq!(node(part), expected);
        }
    }
}
