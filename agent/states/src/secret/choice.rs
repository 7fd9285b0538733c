//! What an operator says of a pillar's secrets: all of it, and paths that are secret or open.

use serde_json::Value;

use crate::error::{Error, Kind};
use crate::opts::Opts;
use crate::target::glob;

/// `keys` (the default) or `all`.
const SECRETS: &str = "muster_secrets";
/// Paths whose values are secrets, also short ones and such as stand elsewhere.
const SECRET_PATHS: &str = "muster_secret_paths";
/// Paths whose values are none.
const PUBLIC_PATHS: &str = "muster_public_paths";

/// With `all`, the shortest text that is a secret: shorter ones are in words of every report.
pub(super) const ALL_MIN: usize = 8;

/// What is said of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Secret,
    Open,
}

/// An operator's choice.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Every text that is long enough.
    pub(super) all: bool,
    secret: Vec<Vec<String>>,
    open: Vec<Vec<String>>,
}

impl Choice {
    pub(super) fn of(opts: &Opts) -> Choice {
        let paths = |name: &str| {
            let paths = opts.texts(name).into_iter();
            paths.map(|path| path.split(':').map(str::to_owned).collect()).collect()
        };
        let all = opts.text(SECRETS) == Some("all");
        Choice { all, secret: paths(SECRET_PATHS), open: paths(PUBLIC_PATHS) }
    }

    /// What is said of the value at a path, below one of which `above` is said; the longer path
    /// counts, and of two that are equally long the secret one.
    pub(super) fn said(&self, path: &[&str], above: Said) -> Said {
        let named = |paths: &[Vec<String>]| {
            paths.iter().any(|parts| {
                parts.len() == path.len() && parts.iter().zip(path).all(|(a, b)| glob(a, b))
            })
        };
        if named(&self.secret) {
            Said::Secret
        } else if named(&self.open) {
            Said::Open
        } else {
            above
        }
    }
}

/// What is wrong with the choice: one that is not understood must not pass for none.
pub(crate) fn check(opts: &Opts) -> Vec<Error> {
    let mut errors = Vec::new();
    let mut wrong = |name: &str, instead: &str| {
        let reason = format!("the option '{name}' is not understood: {instead}");
        errors.push(Error::new(Kind::Unsupported, None, reason));
    };
    if opts.get(SECRETS).is_some_and(|value| !matches!(value.as_str(), Some("all" | "keys"))) {
        wrong(SECRETS, "give keys or all");
    }
    for name in [SECRET_PATHS, PUBLIC_PATHS] {
        let is_list = |value: &Value| {
            value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
        };
        if opts.get(name).is_some_and(|value| !is_list(value)) {
            wrong(name, "give a list of paths, as [\"db:login\", \"users:*:note\"]");
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_choice_that_is_not_understood_is_refused() {
        let errors = |opts: Value| check(&serde_json::from_value(opts).unwrap()).len();
        assert_eq!(errors(json!({"muster_secrets": "all", "muster_secret_paths": ["a:b"]})), 0);
        assert_eq!(errors(json!({"muster_secrets": "everything"})), 1);
        assert_eq!(errors(json!({"muster_secrets": true, "muster_public_paths": "a:b"})), 2);
        assert_eq!(errors(json!({"muster_secret_paths": [1]})), 1);
    }

    #[test]
    fn the_longer_path_counts() {
        let opts = json!({"muster_secret_paths": ["a", "a:*:b"], "muster_public_paths": ["a:x"]});
        let choice = Choice::of(&serde_json::from_value(opts).unwrap());
        let said = choice.said(&["a"], Said::Nothing);
        assert_eq!(said, Said::Secret);
        let said = choice.said(&["a", "x"], said);
        assert_eq!(said, Said::Open);
        assert_eq!(choice.said(&["a", "x", "c"], said), Said::Open);
        assert_eq!(choice.said(&["a", "x", "b"], said), Said::Secret);
    }
}
