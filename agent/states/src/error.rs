//! Why a tree cannot be compiled: file, line, and Salt's own words for it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A place in a state tree: the path below the tree's root, and a line (from 1; 0 = unknown).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct At {
    /// Path of the file below the tree's root.
    #[serde(serialize_with = "as_text")]
    pub file: Arc<str>,
    /// Line in that file, from 1; 0 when it is not known.
    pub line: u32,
}

fn as_text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl At {
    pub(crate) fn new(file: impl Into<Arc<str>>, line: u32) -> At {
        At { file: file.into(), line }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// What kind of fault an [`Error`] tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A file of the tree is missing or cannot be read.
    Missing,
    /// Jinja or YAML did not parse or render.
    Render,
    /// The data have not the shape of a state declaration.
    Shape,
    /// A requisite names a state that is not there, or requisites form a circle.
    Requisite,
    /// A fault that Salt tells of only when those before it are mended.
    Later,
    /// Salt has it, this engine does not: a function, an argument, a renderer, a matcher.
    Unsupported,
    /// No state was selected for this worker.
    Nothing,
}

/// One fault of a state or pillar tree, found before anything ran.
///
/// `reason` is what Salt says where Salt has a text of its own, so that operators recognise it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{}{reason}", place(at))]
pub struct Error {
    /// The kind of fault.
    pub kind: Kind,
    /// Where it is, when it has a place.
    pub at: Option<At>,
    /// What is wrong.
    pub reason: String,
    /// More that Salt says of it: all of its words, with the lines around the place.
    #[serde(skip)]
    pub(crate) in_full: Option<String>,
}

fn place(at: &Option<At>) -> String {
    at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default()
}

impl Error {
    pub(crate) fn new(kind: Kind, at: Option<At>, reason: impl Into<String>) -> Error {
        Error { kind, at, reason: reason.into(), in_full: None }
    }

    pub(crate) fn in_full(self, words: impl Into<String>) -> Error {
        Error { in_full: Some(words.into()), ..self }
    }

    /// All that Salt says of it: for a template's fault, with the lines around the place.
    pub fn words(&self) -> &str {
        self.in_full.as_ref().unwrap_or(&self.reason)
    }

    pub(crate) fn shape(at: &At, reason: impl Into<String>) -> Error {
        Error::new(Kind::Shape, Some(at.clone()), reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_file_and_line() {
        let error = Error::shape(&At::new("a/init.sls", 3), "not a list");
        assert_eq!(error.to_string(), "a/init.sls:3: not a list");
    }
}
