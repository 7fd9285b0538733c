//! What the columns of a frame mean: each metric's name, unit and kind.

use super::{Error, METRICS_MAX, NAME_BYTES_MAX, SCHEMA_BYTES_MAX, UNIT_BYTES_MAX};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// How a metric's value moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Only grows, until the host restarts or it wraps: what matters is its rate.
    Counter,
    /// Goes up and down: what matters is its value.
    Gauge,
}

/// One metric of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metric {
    /// Parts joined by dots, e.g. `cpu.0.user`; printable ASCII without spaces.
    pub name: String,
    /// Of the value, e.g. `bytes`; empty for a plain number.
    pub unit: String,
    /// Counter or gauge.
    pub kind: Kind,
}

impl Metric {
    /// A metric.
    pub fn new(name: impl Into<String>, unit: impl Into<String>, kind: Kind) -> Metric {
        Metric { name: name.into(), unit: unit.into(), kind }
    }
}

/// The first 128 bits of a schema's SHA-256, in hex: equal for equal schemas of all agents.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SchemaId(String);

const ID_DIGITS: usize = 32;

impl SchemaId {
    fn of(metrics: &[Metric]) -> SchemaId {
        let mut hasher = Sha256::new();
        for metric in metrics {
            let kind = match metric.kind {
                Kind::Counter => b"\0c\0",
                Kind::Gauge => b"\0g\0",
            };
            hasher.update(&metric.name);
            hasher.update(kind);
            hasher.update(&metric.unit);
            hasher.update(b"\n");
        }
        let digest = hasher.finalize();
        SchemaId(digest[..ID_DIGITS / 2].iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SchemaId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

impl FromStr for SchemaId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == ID_DIGITS && text.bytes().all(hex) {
            return Ok(SchemaId(text.to_owned()));
        }
        Err(Error::Id(text.chars().take(ID_DIGITS + 8).collect()))
    }
}

impl TryFrom<String> for SchemaId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<SchemaId> for String {
    fn from(id: SchemaId) -> String {
        id.0
    }
}

/// The metrics of an agent's frames, in the order of their columns: checked, within the limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Announced", into = "Announced")]
pub struct Schema {
    id: SchemaId,
    metrics: Vec<Metric>,
}

/// A schema as it travels, in an event's data.
#[derive(Serialize, Deserialize)]
struct Announced {
    metrics: Vec<Metric>,
}

impl From<Schema> for Announced {
    fn from(schema: Schema) -> Announced {
        Announced { metrics: schema.metrics }
    }
}

impl TryFrom<Announced> for Schema {
    type Error = Error;
    fn try_from(announced: Announced) -> Result<Self, Error> {
        Schema::new(announced.metrics)
    }
}

impl Schema {
    /// A schema of these metrics.
    ///
    /// # Errors
    /// When they are too many, too long, one stands twice, or a name could not stand in a line.
    pub fn new(metrics: Vec<Metric>) -> Result<Schema, Error> {
        within("metrics", metrics.len(), METRICS_MAX)?;
        let bytes = metrics.iter().map(|metric| metric.name.len() + metric.unit.len()).sum();
        within("bytes", bytes, SCHEMA_BYTES_MAX)?;
        let mut names = HashSet::with_capacity(metrics.len());
        for metric in &metrics {
            check(metric)?;
            if !names.insert(metric.name.as_str()) {
                return Err(Error::Twice(metric.name.clone()));
            }
        }
        Ok(Schema { id: SchemaId::of(&metrics), metrics })
    }

    /// Its id, by which frames name it.
    #[must_use]
    pub fn id(&self) -> &SchemaId {
        &self.id
    }

    /// The metrics, in the order of the columns.
    #[must_use]
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }
}

fn within(what: &'static str, found: usize, max: usize) -> Result<(), Error> {
    if found > max { Err(Error::SchemaSize { what, found, max }) } else { Ok(()) }
}

fn check(metric: &Metric) -> Result<(), Error> {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let name = metric.name.as_str();
    let good = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && metric.unit.len() <= UNIT_BYTES_MAX
        && plain(name)
        && plain(&metric.unit);
    if good { Ok(()) } else { Err(Error::Name(name.chars().take(80).collect())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(names: &[&str]) -> Result<Schema, Error> {
        let metric = |name: &&str| Metric::new(*name, "bytes", Kind::Gauge);
        Schema::new(names.iter().map(metric).collect())
    }

    #[test]
    fn names_that_could_break_a_line_are_refused() {
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        for name in ["", "a b", "a\nb", "ä", "a\0", &long] {
            assert!(schema(&[name]).is_err(), "{name:?}");
        }
        assert!(schema(&["filesystem./var/lib.free"]).is_ok());
    }

    #[test]
    fn a_metric_stands_once() {
        assert_eq!(schema(&["a", "b", "a"]), Err(Error::Twice("a".into())));
    }

    #[test]
    fn an_id_tells_name_unit_kind_and_order_apart() {
        let id = |name: &str, unit: &str, kind| {
            Schema::new(vec![Metric::new(name, unit, kind)]).unwrap().id().clone()
        };
        let one = id("a", "b", Kind::Gauge);
        assert_eq!(one, id("a", "b", Kind::Gauge));
        for other in [id("ab", "", Kind::Gauge), id("a", "b", Kind::Counter)] {
            assert_ne!(one, other);
        }
        assert_ne!(schema(&["a", "b"]).unwrap().id(), schema(&["b", "a"]).unwrap().id());
    }

    #[test]
    fn a_schema_off_the_wire_is_checked() {
        let text = r#"{"metrics":[{"name":"load.1m","unit":"","kind":"gauge","later":1}]}"#;
        let schema: Schema = serde_json::from_str(text).unwrap();
        assert_eq!(schema.metrics()[0].name, "load.1m");
        assert!(serde_json::from_str::<Schema>(&text.replace("load.1m", "a b")).is_err());
        assert!("..".parse::<SchemaId>().is_err());
        assert_eq!(schema.id().as_str().parse(), Ok(schema.id().clone()));
    }
}
