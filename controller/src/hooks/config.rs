//! The `hooks:` of controller.yaml.

use super::webhook::Url;
use muster_protocol::event::PhaseChanged;
use muster_protocol::id::PoolName;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a hook may take unless it says otherwise.
const TIMEOUT_SECS: u32 = 60;
/// The longest that a hook may be given: it may hold a launch for so long.
const TIMEOUT_SECS_MAX: u32 = 3600;

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// The cloud is about to be asked for its server; waited for.
    BeforeLaunch,
    /// The cloud has its server, new or rebuilt.
    Launched,
    /// It works: for the first time, or again after it was lost or drained.
    Ready,
    /// It is silent.
    Lost,
    /// It takes no more work.
    Draining,
    /// It is idle and drained, and its server is being rebuilt.
    Rebuilding,
    /// It failed, and will be removed.
    Failed,
    /// The cloud is about to be asked to remove its server; waited for.
    BeforeTerminate,
    /// Its server is gone.
    Terminated,
}

impl Point {
    /// The name in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Point::BeforeLaunch => "before_launch",
            Point::Launched => "launched",
            Point::Ready => "ready",
            Point::Lost => "lost",
            Point::Draining => "draining",
            Point::Rebuilding => "rebuilding",
            Point::Failed => "failed",
            Point::BeforeTerminate => "before_terminate",
            Point::Terminated => "terminated",
        }
    }

    /// Whether what follows waits for it.
    #[must_use]
    pub fn is_before(self) -> bool {
        match self {
            Point::BeforeLaunch | Point::BeforeTerminate => true,
            Point::Launched
            | Point::Ready
            | Point::Lost
            | Point::Draining
            | Point::Rebuilding
            | Point::Failed
            | Point::Terminated => false,
        }
    }

    /// The point that a change of phase is.
    #[must_use]
    pub fn of(change: &PhaseChanged) -> Option<Point> {
        match (change.from.as_str(), change.to.as_str()) {
            // An agent may enrol before the cloud's answer is read.
            (_, "booting") | ("launching", "configuring") => Some(Point::Launched),
            (_, "ready") => Some(Point::Ready),
            (_, "lost") => Some(Point::Lost),
            (_, "draining") => Some(Point::Draining),
            (_, "rebuilding") => Some(Point::Rebuilding),
            (_, "failed") => Some(Point::Failed),
            (_, "terminated") => Some(Point::Terminated),
            _ => None,
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name())
    }
}

/// One hook.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Config {
    /// When it runs.
    pub on: Vec<Point>,
    /// What it does.
    pub act: Act,
    /// How long it may take.
    pub timeout: Duration,
    /// The pools whose workers it is for; all if empty.
    pub pools: Vec<PoolName>,
}

/// What a hook does.
#[derive(Clone, Debug)]
pub enum Act {
    /// Runs a program.
    Run(Vec<String>),
    /// Sends a request.
    Webhook(Webhook),
}

/// A request: POST, the worker as its body.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where to: `https://` or `http://`.
    pub url: Url,
    /// Headers that are no secret.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Headers whose values are in files that only the controller's user can read.
    #[serde(default)]
    pub header_files: BTreeMap<String, PathBuf>,
    /// The certificates, as PEM, that may vouch for the server; the system's if absent.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    /// One point, or a list of them.
    #[serde(deserialize_with = "one_or_more")]
    on: Vec<Point>,
    /// The program and its arguments, without a shell; the worker is its standard input.
    #[serde(default)]
    run: Option<Vec<String>>,
    /// Or the request.
    #[serde(default)]
    webhook: Option<Webhook>,
    /// Seconds that it may take; then it is killed with all that it started.
    #[serde(default = "default_timeout")]
    timeout_secs: u32,
    /// The pools whose workers it is for; all if absent.
    #[serde(default)]
    pools: Vec<PoolName>,
}

fn default_timeout() -> u32 {
    TIMEOUT_SECS
}

impl TryFrom<Fields> for Config {
    type Error = String;
    fn try_from(fields: Fields) -> Result<Config, String> {
        if fields.on.is_empty() {
            return Err("a hook has no point; name one at `on`".into());
        }
        if !(1..=TIMEOUT_SECS_MAX).contains(&fields.timeout_secs) {
            let secs = fields.timeout_secs;
            return Err(format!("a hook's timeout_secs is {secs}; use 1 to {TIMEOUT_SECS_MAX}"));
        }
        let act = match (fields.run, fields.webhook) {
            (Some(argv), None) if argv.first().is_some_and(|program| !program.is_empty()) => {
                Act::Run(argv)
            }
            (Some(_), None) => return Err("a hook's `run` names no program".into()),
            (None, Some(webhook)) => {
                super::header::check(&webhook)?;
                Act::Webhook(webhook)
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err("a hook has either `run` or `webhook`".into());
            }
        };
        let timeout = Duration::from_secs(fields.timeout_secs.into());
        Ok(Config { on: fields.on, act, timeout, pools: fields.pools })
    }
}

impl Config {
    /// Whether it waits for a point of a pool's worker.
    #[must_use]
    pub fn concerns(&self, point: Point, pool: &PoolName) -> bool {
        self.on.contains(&point) && (self.pools.is_empty() || self.pools.contains(pool))
    }
}

impl Act {
    /// What it is called where it is told of: nothing that may be a secret.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Act::Run(argv) => argv.first().cloned().unwrap_or_default(),
            Act::Webhook(webhook) => webhook.url.host_part(),
        }
    }
}

/// Makes the paths of an entry absolute.
pub fn resolve(hooks: &mut [Config], base: &Path) {
    for hook in hooks {
        match &mut hook.act {
            Act::Run(_) => {}
            Act::Webhook(webhook) => {
                let files = webhook.header_files.values_mut().chain(&mut webhook.ca);
                files.for_each(|path| *path = base.join(&*path));
            }
        }
    }
}

/// Says which pool of a hook there is not.
///
/// # Errors
/// With the pool, and what to do.
pub fn check<'a>(
    hooks: &[Config],
    pools: impl Iterator<Item = &'a PoolName>,
) -> Result<(), String> {
    let pools: Vec<&PoolName> = pools.collect();
    let named = hooks.iter().flat_map(|hook| &hook.pools);
    match named.into_iter().find(|pool| !pools.contains(pool)) {
        Some(pool) => Err(format!("a hook names the pool {pool}, which is not there; see pools")),
        None => Ok(()),
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Point>, D::Error> {
    struct Points;
    impl<'de> Visitor<'de> for Points {
        type Value = Vec<Point>;
        fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
            to.write_str("a point of a worker's life, or a list of them")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<Point>, E> {
            Ok(vec![Point::deserialize(de::value::StrDeserializer::new(text))?])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Vec<Point>, A::Error> {
            let mut points = Vec::new();
            while let Some(point) = all.next_element()? {
                points.push(point);
            }
            Ok(points)
        }
    }
    deserializer.deserialize_any(Points)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Config>, String> {
        serde_saphyr::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_short_entry_has_working_defaults() {
        let hooks = parse("[{on: ready, run: [/bin/true]}]").unwrap();
        assert_eq!((&hooks[0].on[..], hooks[0].timeout.as_secs()), (&[Point::Ready][..], 60));
        assert!(hooks[0].concerns(Point::Ready, &"any".parse().unwrap()));
        assert!(!hooks[0].concerns(Point::Lost, &"any".parse().unwrap()));
    }

    #[test]
    fn a_hook_of_one_pool_is_not_for_another() {
        let hooks = parse("[{on: [ready, lost], run: [x], pools: [gpu]}]").unwrap();
        assert!(hooks[0].concerns(Point::Lost, &"gpu".parse().unwrap()));
        assert!(!hooks[0].concerns(Point::Lost, &"compute".parse().unwrap()));
        let pools: [PoolName; 1] = ["compute".parse().unwrap()];
        assert!(check(&hooks, pools.iter()).unwrap_err().contains("the pool gpu"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, expected) in [
            ("[{run: [x]}]", "on"),
            ("[{on: [], run: [x]}]", "no point"),
            ("[{on: reddy, run: [x]}]", "reddy"),
            ("[{on: ready}]", "either `run` or `webhook`"),
            ("[{on: ready, run: []}]", "names no program"),
            ("[{on: ready, run: [x], webhook: {url: 'http://a/'}}]", "either `run` or `webhook`"),
            ("[{on: ready, run: [x], timeout_secs: 0}]", "timeout_secs is 0; use 1 to 3600"),
            ("[{on: ready, run: [x], timeout: 3}]", "timeout"),
            ("[{on: ready, webhook: {url: 'ftp://a/'}}]", "http"),
            ("[{on: ready, webhook: {url: 'http://me:pw@a/'}}]", "header_files"),
            ("[{on: ready, webhook: {url: 'http://a/', headers: {'a b': c}}}]", "a b"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn each_change_of_phase_is_the_point_that_its_name_says() {
        let point = |from: &str, to: &str| {
            let change = PhaseChanged {
                agent_id: String::new(),
                pool: "p".into(),
                generation: 1,
                from: from.into(),
                to: to.into(),
                reason: None,
                millis: None,
            };
            Point::of(&change).map(Point::name)
        };
        for (from, to, expected) in [
            ("", "pending", None),
            ("pending", "launching", None),
            ("launching", "booting", Some("launched")),
            ("launching", "configuring", Some("launched")),
            ("booting", "configuring", None),
            ("draining", "rebuilding", Some("rebuilding")),
            ("rebuilding", "booting", Some("launched")),
            ("configuring", "ready", Some("ready")),
            ("lost", "ready", Some("ready")),
            ("ready", "terminating", None),
            ("terminating", "terminated", Some("terminated")),
        ] {
            assert_eq!(point(from, to), expected, "{from} -> {to}");
        }
    }
}
