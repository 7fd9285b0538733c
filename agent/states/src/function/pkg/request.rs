//! What a state asks for: package names, each with the versions that will do.

use std::cmp::Ordering;

use serde_json::Value;

use super::transaction::Installed;
use crate::chunk::Chunk;
use crate::function::args::text;
use crate::function::{Context, Lint};
use crate::target::glob;
use crate::version;

/// One package asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    pub(crate) name: String,
    /// A version, `>=1.2`, `<2`, `1.2*`, or several of them joined by commas.
    pub(crate) version: Option<String>,
}

/// The packages of a state: `pkgs`, or its name and `version`.
pub(super) fn requests(ctx: &Context<'_>) -> Result<Vec<Request>, String> {
    listed(ctx.name(), ctx.text("version"), ctx.value("pkgs"))
}

fn listed(
    name: &str,
    version: Option<String>,
    pkgs: Option<&Value>,
) -> Result<Vec<Request>, String> {
    let items = match pkgs {
        None | Some(Value::Null) => {
            let version = version.filter(|version| !version.is_empty());
            return one(name, version).map(|one| vec![one]);
        }
        Some(Value::Array(items)) => items,
        Some(_) => {
            return Err("Invalidly formatted 'pkgs' parameter. See documentation.".to_owned());
        }
    };
    let mut out = Vec::new();
    for item in items {
        match item {
            Value::Object(map) => {
                for (name, version) in map {
                    out.push(one(name, Some(version).filter(|v| !v.is_null()).map(text))?);
                }
            }
            other => out.push(one(&text(other), None)?),
        }
    }
    Ok(out)
}

/// Names and versions that cannot be installed, told before anything runs.
pub(super) fn lint(chunk: &Chunk) -> Vec<Lint> {
    let version = chunk.args.get("version").filter(|version| !version.is_null()).map(text);
    match listed(&chunk.name, version, chunk.args.get("pkgs")) {
        Ok(_) => Vec::new(),
        Err(problem) => vec![("pkgs", problem)],
    }
}

fn one(name: &str, version: Option<String>) -> Result<Request, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "+-._:@/*()".contains(c);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(fits) {
        return Err(format!("'{name}' is not the name of a package"));
    }
    if version.as_deref() == Some("latest") {
        return Err(format!(
            "version: latest of '{name}' is not supported: name a version, or leave it to the \
             distribution's updates"
        ));
    }
    Ok(Request { name: name.to_owned(), version })
}

impl Request {
    /// Whether what is installed will do.
    pub(super) fn is_met(&self, installed: &Installed) -> bool {
        match (installed.version(&self.name), &self.version) {
            (Some(_), None) => true,
            (Some(version), Some(wanted)) => wanted.split(',').all(|one| fits(version, one.trim())),
            (None, None) => installed.provides(&self.name),
            (None, Some(_)) => false,
        }
    }
}

/// Whether a version is as asked: `>=`, `<`, `!=`, a pattern, or the same.
fn fits(version: &str, wanted: &str) -> bool {
    let signs = wanted.chars().take_while(|c| "<>=!".contains(*c)).count();
    let (sign, wanted) = wanted.split_at(signs);
    let wanted = wanted.trim();
    let order = version::debian(version, wanted);
    // A version without revision or epoch means any of that version.
    let same = order == Ordering::Equal || version.split(['-', ':']).any(|part| part == wanted);
    match sign {
        "" | "=" | "==" => same || glob(wanted, version),
        "!=" | "<>" => !same,
        ">=" => same || order == Ordering::Greater,
        "<=" => same || order == Ordering::Less,
        ">" => order == Ordering::Greater,
        "<" => order == Ordering::Less,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fit_as_asked() {
        for (version, wanted, expected) in [
            ("1.2-3", "1.2-3", true),
            ("1.2-3", "1.2", true),
            ("1.2-3", "1.3", false),
            ("1.2-3", ">=1.2", true),
            ("1.2-3", "<1.2", false),
            ("1.2-3", "1.*", true),
            ("2.0", "!=1.0", true),
            ("2.0", "<=1.9", false),
        ] {
            assert_eq!(fits(version, wanted), expected, "{version} {wanted}");
        }
    }

    #[test]
    fn a_name_that_would_be_an_option_is_refused() {
        assert!(one("--root=/x", None).is_err());
        assert!(one("g++", None).is_ok());
    }
}
