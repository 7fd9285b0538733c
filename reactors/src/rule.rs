//! Rules: which events lead to which actions, read from YAML.
//!
//! ```yaml
//! name: start
//! on: muster.event.agent.*.started
//! when: data.fresh            # a Jinja expression over the event; absent: always
//! do:
//!   - apply: {}
//! ```

use minijinja::{Environment, UndefinedBehavior};
use muster_protocol::event::Event;
use muster_protocol::subject;
use muster_protocol::yaml::{self, Words};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The most rules of one controller.
pub const RULES_MAX: usize = 1000;
/// The steps that one `when` may take.
const FUEL: u64 = 10_000;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, for logs.
    pub name: String,
    /// A pattern of subjects, with `*` and `>`.
    pub on: String,
    /// A Jinja expression over `subject`, `source`, `id`, `kind`, `at` and `data`.
    #[serde(default)]
    pub when: Option<String>,
    /// What to do, in this order.
    #[serde(rename = "do")]
    pub actions: Vec<Action>,
}

/// What a rule can do; the worker is the one that the event's subject names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Publishes the worker's desired state, which its agent then applies.
    Apply {},
    /// Runs a program on the worker, without a shell.
    Run {
        /// Program and arguments.
        argv: Vec<String>,
    },
    /// Removes the worker.
    Terminate {},
    /// Runs a program on the head node, without a shell, with the event as JSON on its input.
    Exec {
        /// Program and arguments.
        argv: Vec<String>,
        /// It is killed after so many seconds.
        #[serde(default = "default_timeout")]
        timeout_secs: u32,
    },
}

fn default_timeout() -> u32 {
    60
}

/// What is wrong with a rule.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or folder cannot be read.
    #[error("reading the rules in {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It cannot be read, is not YAML, or is no rule: with line and column.
    #[error(transparent)]
    File(#[from] yaml::Error),
    /// There are more files than rules may be.
    #[error("{path} holds more than {RULES_MAX} rules; merge some")]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
}

/// The rules that are always there.
#[must_use]
pub fn built_in() -> Vec<Rule> {
    vec![Rule {
        name: "start".into(),
        on: "muster.event.agent.*.started".into(),
        // A connection that came back is no start: a restart of NATS shall not apply the fleet.
        when: Some("data.fresh".into()),
        actions: vec![Action::Apply {}],
    }]
}

/// Reads all `*.yaml` of a folder, each one rule, in the order of their names.
///
/// # Errors
/// With the file, and the line where there is one.
pub fn load(dir: &Path) -> Result<Vec<Rule>, Error> {
    let read = |source| Error::Read { path: dir.into(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(read)? {
        let path = entry.map_err(read)?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            paths.push(path);
        }
    }
    paths.sort();
    let rules: Vec<Rule> = paths.iter().map(|path| load_one(path)).collect::<Result<_, _>>()?;
    match rules.len() > RULES_MAX {
        false => Ok(rules),
        true => Err(Error::TooMany { path: dir.into() }),
    }
}

fn load_one(path: &Path) -> Result<Rule, Error> {
    parse(&yaml::read_text(path)?, path)
}

/// Reads and checks one rule; `path` is for the error alone.
///
/// # Errors
/// With line and column.
pub fn parse(text: &str, path: &Path) -> Result<Rule, Error> {
    let rule: Rule = yaml::parse(text, path, Words::Shown)?;
    let invalid = |(key, what): (&str, String)| {
        let what = format!("rule {}: {what}", rule.name);
        yaml::invalid(text, path, &[key], what)
    };
    rule.check().map_err(invalid)?;
    Ok(rule)
}

impl Rule {
    /// The key of what makes no sense, and what is wrong with it.
    fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.on.starts_with(subject::EVENT_PREFIX) {
            return Err(("on", format!("`on` is {:?}; begin it with muster.event.", self.on)));
        }
        if self.actions.is_empty() {
            return Err(("do", "`do` is empty; name at least one action".into()));
        }
        for action in &self.actions {
            if let Action::Run { argv } | Action::Exec { argv, .. } = action
                && argv.is_empty()
            {
                return Err(("do", "`argv` is empty; name a program".into()));
            }
        }
        if let Some(when) = &self.when {
            let environment = environment();
            environment.compile_expression(when).map_err(|error| {
                ("when", format!("`when` is no Jinja expression: {error}; correct it"))
            })?;
        }
        Ok(())
    }

    /// Whether an event is one for this rule.
    ///
    /// # Errors
    /// With the reason why `when` cannot be told, e.g. a field that is missing.
    pub fn matches(&self, subject: &str, event: &Event) -> Result<bool, String> {
        if !subject::matches(&self.on, subject) {
            return Ok(false);
        }
        let Some(when) = &self.when else { return Ok(true) };
        let environment = environment();
        let expression = environment.compile_expression(when).map_err(|error| error.to_string())?;
        let [source, id, kind] =
            subject::tokens(subject, subject::EVENT_PREFIX).unwrap_or_default();
        let data = minijinja::value::Serde(&event.data);
        let context = minijinja::context! { subject, source, id, kind, at => event.at.0, data };
        let value = expression.eval(context).map_err(|error| error.to_string())?;
        Ok(value.is_true())
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::{Token, UnixMillis, random};

    fn event(data: serde_json::Value) -> Event {
        Event { id: Token::random(random()), at: UnixMillis(1), data }
    }

    fn rule(when: &str) -> Rule {
        let text = format!(
            "name: r\non: muster.event.agent.*.failed\nwhen: {when:?}\ndo: [{{terminate: {{}}}}]"
        );
        serde_saphyr::from_str(&text).unwrap()
    }

    #[test]
    fn a_rule_matches_by_subject_and_expression() {
        let subject = "muster.event.agent.w-aaaaaaaaaaaa.failed";
        let failed = event(serde_json::json!({"outcome": {"failed": 3}}));
        assert_eq!(rule("data.outcome.failed > 2").matches(subject, &failed), Ok(true));
        assert_eq!(rule("data.outcome.failed > 3").matches(subject, &failed), Ok(false));
        assert_eq!(rule("true").matches("muster.event.pool.p.failed", &failed), Ok(false));
        assert!(rule("data.nothing.there").matches(subject, &failed).is_err());
    }

    #[test]
    fn a_rule_that_makes_no_sense_is_told_with_its_file() {
        let dir = tempfile::tempdir().unwrap();
        for (text, expected) in [
            ("name: r\non: muster.event.>\ndo: []\n", "name at least one action"),
            ("name: r\non: other.>\ndo: [{apply: {}}]\n", "begin it with muster.event."),
            ("name: r\non: muster.event.>\ndo: [{exec: {argv: []}}]\n", "name a program"),
            ("name: r\non: muster.event.>\nwhen: '1 +'\ndo: [{apply: {}}]\n", "`when`"),
            ("name: r\non: muster.event.>\ndo: [{reboot: {}}]\n", "r.yaml"),
        ] {
            std::fs::write(dir.path().join("r.yaml"), text).unwrap();
            let error = load(dir.path()).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("r.yaml"), "{error}");
        }
    }
}
