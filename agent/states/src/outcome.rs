//! What came of one state, as a state function tells it.

use serde_json::{Map, Value};

use crate::report::{Name, Told};

/// What a state changed, or would change: Salt's `changes`.
pub(crate) type Changes = Map<String, Value>;

/// What came of one state.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Outcome {
    /// `None` only in a dry run: it would change something.
    pub(crate) result: Option<bool>,
    pub(crate) changes: Changes,
    pub(crate) comment: String,
    /// A list of words, if it warns at all.
    pub(crate) warnings: Option<Box<Value>>,
    /// A condition (`onlyif`, `unless`, `creates`) kept it from running.
    pub(crate) skip_watch: bool,
    /// What it changed is nothing that others should react to.
    pub(crate) skip_req: bool,
    /// What its return is called, if that is not the state's name.
    pub(crate) name: Option<Box<Name>>,
    /// How much there is to tell of it.
    pub(crate) told: Told,
    /// What came of it cannot be known: it had begun when the run before this one was interrupted.
    pub(crate) unknown: bool,
}

impl Outcome {
    /// As wanted already.
    pub(crate) fn fine(comment: impl Into<String>) -> Outcome {
        Outcome { result: Some(true), comment: comment.into(), ..Outcome::default() }
    }

    /// Not done, and why.
    pub(crate) fn failed(comment: impl Into<String>) -> Outcome {
        Outcome { result: Some(false), comment: comment.into(), ..Outcome::default() }
    }

    /// What Salt makes of a fault of Python's in a state: what was done before is not told.
    pub(crate) fn raised(words: impl std::fmt::Display) -> Outcome {
        Outcome::failed(format!("An exception occurred in this state: {words}"))
    }

    /// Done, with these changes.
    pub(crate) fn changed(comment: impl Into<String>, changes: Changes) -> Outcome {
        Outcome { result: Some(true), comment: comment.into(), changes, ..Outcome::default() }
    }

    /// What Salt puts in the place of a return whose `changes` are no map.
    pub(crate) fn malformed() -> Outcome {
        let words = "An exception occurred in this state: 'Changes' should be a dictionary.";
        Outcome { told: Told::Least, ..Outcome::failed(words).called("later") }
    }

    /// Under another name than the state's.
    pub(crate) fn called(self, name: impl Into<String>) -> Outcome {
        Outcome { name: Some(Box::new(Name::One(name.into()))), ..self }
    }

    /// What a dry run foresees.
    pub(crate) fn foreseen(comment: impl Into<String>, changes: Changes) -> Outcome {
        Outcome { result: None, comment: comment.into(), changes, ..Outcome::default() }
    }
}

/// Makes `Changes` of one entry.
pub(crate) fn change(key: impl Into<String>, value: impl Into<Value>) -> Changes {
    Changes::from_iter([(key.into(), value.into())])
}
