//! Why a render stopped, in the classes that Salt tells apart.

use minijinja::{Error, ErrorKind};

use crate::module;

/// Which words Salt puts before a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::render) enum Class {
    Undefined,
    Syntax,
    Function,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::render) struct Failure {
    pub(in crate::render) class: Class,
    pub(in crate::render) reason: String,
}

impl Failure {
    pub(super) fn other(reason: impl Into<String>) -> Failure {
        Failure { class: Class::Other, reason: reason.into() }
    }

    pub(in crate::render) fn syntax(reason: impl Into<String>) -> Failure {
        Failure { class: Class::Syntax, reason: reason.into() }
    }

    /// What Salt says of it, but for the place.
    pub(in crate::render) fn words(&self) -> String {
        let reason = &self.reason;
        match self.class {
            Class::Undefined => format!("Jinja variable {reason}"),
            Class::Syntax => format!("Jinja syntax error: {reason}"),
            Class::Function => {
                format!("Problem running salt function in Jinja template: {reason}")
            }
            Class::Other => format!("Jinja error: {reason}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let class = match error.kind() {
            ErrorKind::UndefinedError => Class::Undefined,
            ErrorKind::SyntaxError | ErrorKind::UnknownFilter | ErrorKind::UnknownTest => {
                Class::Syntax
            }
            ErrorKind::BadSerialization => Class::Function,
            _ if module::is_salts(&error) => Class::Function,
            _ => Class::Other,
        };
        let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        Failure { class, reason }
    }
}
