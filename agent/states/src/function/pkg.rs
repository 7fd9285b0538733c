//! Salt's `pkg`, by apt and dnf: the packages of a run in as few transactions as can be.

mod apt;
mod database;
mod dnf;
mod downloaded;
mod group;
mod hold;
mod installed;
mod latest;
mod manager;
mod removed;
mod request;
mod source;
mod transaction;

use serde_json::Value;

use super::Function;
pub(super) use manager::{Manager, ask, words};
pub(super) use source::fetch;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<installed::Installed>(),
    Function::of::<latest::Latest>(),
    Function::of::<latest::Uptodate>(),
    Function::of::<removed::Removed>(),
    Function::of::<removed::Purged>(),
    Function::of::<hold::HeldState>(),
    Function::of::<hold::Unheld>(),
    Function::of::<downloaded::Downloaded>(),
    Function::of::<group::GroupInstalled>(),
];

/// What went wrong, in Salt's words: `doing` is `installing` or `removing`.
fn told(manager: Manager, doing: &str, errors: &[String]) -> String {
    let what = match manager {
        Manager::Apt => "Problem encountered",
        Manager::Dnf => "Error occurred",
    };
    let errors = nested("errors", &Value::from(errors.to_vec()));
    format!("{what} {doing} package(s). Additional info follows:\n\n{errors}")
}

/// A value under a key, as Salt's nested output shows it.
fn nested(key: &str, value: &Value) -> String {
    let mut out = vec![format!("{key}:")];
    match value {
        Value::Array(items) => {
            for item in items {
                let text = super::args::text(item);
                let mut lines = text.lines();
                out.push(format!("    - {}", lines.next().unwrap_or_default()));
                out.extend(lines.map(|line| format!("      {line}")));
            }
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push("    ----------".to_owned());
            for key in keys {
                out.push(format!("    {key}:"));
                let text = super::args::text(&map[key]);
                out.extend(text.lines().map(|line| format!("        {line}")));
            }
        }
        other => out.push(format!("    {}", super::args::text(other))),
    }
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_are_told_as_in_salt() {
        let found = nested("errors", &json!(["E: one\nW: two", "three"]));
        assert_eq!(found, "errors:\n    - E: one\n      W: two\n    - three");
    }
}
