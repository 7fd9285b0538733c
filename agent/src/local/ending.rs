//! What a command of the state engine came to: printed as text or JSON, and an exit code.

use super::{eprint, text};
use crate::args::States;
use anyhow::Context;
use muster_states::{Error, Kind, Report, Told};
use serde_json::Value;
use std::io::{IsTerminal, Write};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As it should.
    Fine,
    /// Nothing was run.
    NotCompiled,
    /// A state failed, or there was none.
    Failed,
}

/// What is to be printed.
#[derive(Debug)]
pub(super) enum Answer {
    /// Something to look at.
    Data(Value),
    /// What Salt would return, and what is wrong.
    Broken(Value, Vec<Error>),
    /// A run.
    Ran(Report),
}

impl Answer {
    pub(super) fn broken(shown: Value, errors: Vec<Error>) -> Answer {
        Answer::Broken(shown, errors)
    }

    /// Faults of a tree, in Salt's words.
    pub(super) fn not_compiled(errors: Vec<Error>) -> Answer {
        let at_once = errors.iter().filter(|error| error.kind != Kind::Later);
        let words = at_once.map(|error| Value::from(error.words()));
        Answer::Broken(words.collect(), errors)
    }

    /// Prints it, and tells how it ended.
    pub(super) fn print(&self, states: &States) -> anyhow::Result<Ending> {
        let single = matches!(states.verb, crate::args::Verb::Single { .. });
        let text = match (self, states.json) {
            (Answer::Data(value) | Answer::Broken(value, _), true) => json(value)?,
            (Answer::Ran(report), true) => json(&as_salt(report, single)?)?,
            (Answer::Data(value), false) => text::data(value),
            (Answer::Broken(value, errors), false) => text::errors(value, errors),
            (Answer::Ran(report), false) => {
                let colours = std::io::stdout().is_terminal() && text::colours_wanted();
                text::report(report, states.test, colours)
            }
        };
        if let (Answer::Broken(_, errors), true) = (self, states.json) {
            errors.iter().for_each(|error| eprint(&format!("error: {error}\n")));
        }
        std::io::stdout().write_all(text.as_bytes()).context("printing")?;
        Ok(self.ending())
    }

    fn ending(&self) -> Ending {
        match self {
            Answer::Data(_) => Ending::Fine,
            Answer::Broken(..) => Ending::NotCompiled,
            Answer::Ran(report) if report.is_ok() && !report.states().is_empty() => Ending::Fine,
            Answer::Ran(_) => Ending::Failed,
        }
    }
}

fn json(value: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// A report with just the keys that Salt gives: one state alone has no SLS.
fn as_salt(report: &Report, single: bool) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(report)?;
    for (key, state) in value.as_object_mut().into_iter().flatten() {
        let Some(state) = state.as_object_mut() else { continue };
        let told = report.states().get(key).map(|state| state.told).unwrap_or_default();
        if told == Told::All && single {
            state.insert("__sls__".to_owned(), Value::Null);
        }
        for name in told.without() {
            state.shift_remove(*name);
        }
    }
    Ok(value)
}
