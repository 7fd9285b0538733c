//! What an operator may set on one machine: `/etc/muster/agent.yaml`, and the bootstrap's `agent`.

use crate::files;
use crate::paths::{self, Root};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The seconds between two samples, unless set.
const INTERVAL_SECS: u32 = 10;
/// The longest time between two samples.
const INTERVAL_SECS_MAX: u32 = 3600;

/// What may be set; what is absent keeps its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Given {
    /// Run programs that the controller sends; off unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exec: Option<bool>,
    /// Seconds between two samples; 10 unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) interval_secs: Option<u32>,
    /// Where the agent keeps what it needs; `/var/lib/muster-agent` unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<String>,
    /// Where proc is mounted; `/proc` unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proc: Option<String>,
}

/// What holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Run programs that the controller sends.
    pub(crate) exec: bool,
    /// Seconds between two samples.
    pub(crate) interval_secs: u32,
    /// Where the agent keeps what it needs, before the root.
    pub(crate) data: String,
    /// Where proc is mounted; never below the root.
    pub(crate) proc: String,
}

/// Why settings do not hold.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] files::Error),
    /// An interval out of bounds.
    #[error("interval_secs is {found}: set 1 to {INTERVAL_SECS_MAX} in {}", paths::SETTINGS)]
    Interval {
        /// What it is.
        found: u32,
    },
}

impl Given {
    /// What this machine's own file says; nothing if there is none.
    pub(crate) fn read(root: &Root) -> Result<Given, Error> {
        let path = root.at(paths::SETTINGS);
        let Some(bytes) = files::read(&path)? else { return Ok(Given::default()) };
        parse(&path, &bytes)
    }

    /// These, where set, over `below`.
    fn over(self, below: Given) -> Given {
        Given {
            exec: self.exec.or(below.exec),
            interval_secs: self.interval_secs.or(below.interval_secs),
            data: self.data.or(below.data),
            proc: self.proc.or(below.proc),
        }
    }

    /// Whether what is given is within bounds.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.interval_secs {
            Some(found) if !(1..=INTERVAL_SECS_MAX).contains(&found) => {
                Err(Error::Interval { found })
            }
            _ => Ok(()),
        }
    }

    /// What holds when the bootstrap file has said `below`.
    pub(crate) fn settle(self, below: Given) -> Result<Settings, Error> {
        let given = self.over(below);
        given.check()?;
        let interval_secs = given.interval_secs.unwrap_or(INTERVAL_SECS);
        Ok(Settings {
            exec: given.exec.unwrap_or(false),
            interval_secs,
            data: given.data.unwrap_or_else(|| paths::DATA.to_owned()),
            proc: given.proc.unwrap_or_else(|| "/proc".to_owned()),
        })
    }
}

/// Reads YAML; an empty file says nothing.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<Given, Error> {
    let text = files::text(path, bytes)?;
    let given: Given = muster_states::read_yaml_or_default(text)
        .map_err(|error| files::at(path, error.line, error.column, error.reason))?;
    given.check()?;
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Result<Given, Error> {
        parse(Path::new(paths::SETTINGS), text.as_bytes())
    }

    #[test]
    fn programs_are_not_run_unless_the_machine_allows_it() {
        let settings = given("").unwrap().settle(Given::default()).unwrap();
        assert!(!settings.exec);
        assert_eq!(settings.interval_secs, 10);
        let below = given("exec: true\ninterval_secs: 30\n").unwrap();
        let settings = given("exec: false\n").unwrap().settle(below).unwrap();
        assert_eq!((settings.exec, settings.interval_secs), (false, 30));
    }

    #[test]
    fn an_unknown_setting_is_refused_with_its_name() {
        let error = given("# one\nexce: true\n").unwrap_err().to_string();
        let place = format!("{}:2:1: the field exce is unknown: remove it", paths::SETTINGS);
        assert!(error.starts_with(&place), "{error}");
        let error = given("interval_secs: 0\n").unwrap_err().to_string();
        assert!(error.contains("set 1 to 3600 in /etc/muster/agent.yaml"), "{error}");
    }

    #[test]
    fn the_example_says_the_defaults() {
        let text = include_str!("../../packaging/config/agent.yaml");
        let example = given(text).unwrap().settle(Given::default()).unwrap();
        assert_eq!(example, Given::default().settle(Given::default()).unwrap());
    }
}
