//! What a state asks for: package names, each with the versions that will do.

use std::cmp::Ordering;

use indexmap::IndexMap;
use serde_json::Value;

use super::database::Database;
use super::manager::Manager;
use crate::chunk::Chunk;
use crate::function::args::text;
use crate::function::{Context, Lint};
use crate::target::glob;

/// Package names in order, each with a version, `>=1.2`, `<2`, `1.2*`, `latest`, or several
/// of them joined by commas.
pub(super) type Wanted = IndexMap<String, Option<String>>;

const INVALID: &str = "Invalidly formatted 'pkgs' parameter. See minion log.";

/// Whether the state says explicitly that it wants no package at all.
pub(super) fn is_empty(ctx: &Context<'_>) -> bool {
    matches!(ctx.value("pkgs"), Some(Value::Array(items)) if items.is_empty())
}

/// The packages of a state: `pkgs`, or its name and `version`; names as they are written.
pub(super) fn written(ctx: &Context<'_>) -> Result<Wanted, String> {
    listed(ctx.name(), ctx.text("version"), ctx.value("pkgs"))
}

/// The packages of a state; names as the host spells them.
pub(super) fn wanted(ctx: &Context<'_>, manager: Manager) -> Result<Wanted, String> {
    let listed = written(ctx)?;
    if !ctx.flag("normalize", true) {
        return Ok(listed);
    }
    let count = listed.len();
    let out: Wanted =
        listed.into_iter().map(|(name, how)| (manager.normalized(ctx, &name), how)).collect();
    if out.len() == count { Ok(out) } else { Err(duplicates(ctx.value("pkgs"))) }
}

fn duplicates(pkgs: Option<&Value>) -> String {
    let shown = pkgs.map(text).unwrap_or_default();
    format!(
        "You are passing a list of packages that contains duplicated packages names: {shown}. \
         This cannot be processed. In case you are targeting different versions of the same \
         package, please target them individually"
    )
}

fn listed(name: &str, version: Option<String>, pkgs: Option<&Value>) -> Result<Wanted, String> {
    let items = match pkgs {
        None | Some(Value::Null) => {
            let version = version.filter(|version| !version.is_empty());
            check(name)?;
            return Ok(Wanted::from_iter([(name.to_owned(), version)]));
        }
        Some(Value::Array(items)) => items,
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            return Err(INVALID.to_owned());
        }
    };
    let mut out = Wanted::new();
    for item in items {
        let (name, version) = match item {
            Value::Object(map) => match map.iter().next() {
                Some((name, version)) if map.len() == 1 => {
                    (name.clone(), Some(version).filter(|v| !v.is_null()).map(text))
                }
                _ => return Err(INVALID.to_owned()),
            },
            other => (text(other), None),
        };
        check(&name)?;
        if out.insert(name, version).is_some() {
            return Err(duplicates(pkgs));
        }
    }
    Ok(out)
}

/// A name that the package manager would take for an option, or for something else.
fn check(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "+-._:@/*?()[]".contains(c);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(fits) {
        return Err(format!("'{name}' is not the name of a package"));
    }
    Ok(())
}

/// Names and versions that cannot be installed, told before anything runs.
pub(super) fn lint(chunk: &Chunk) -> Vec<Lint> {
    let version = chunk.args.get("version").filter(|version| !version.is_null()).map(text);
    match listed(&chunk.name, version, chunk.args.get("pkgs")) {
        Ok(_) => Vec::new(),
        Err(problem) => vec![("pkgs", problem)],
    }
}

/// How versions of a state are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comparing {
    pub(super) manager: Manager,
    /// Whether epochs count; by default only where one is named or an order is asked for.
    pub(super) ignore_epoch: Option<bool>,
    /// A newer one will do for an exact one.
    pub(super) allow_updates: bool,
}

impl Comparing {
    pub(super) fn of(ctx: &Context<'_>, manager: Manager) -> Comparing {
        Comparing {
            manager,
            ignore_epoch: ctx.value("ignore_epoch").map(crate::function::args::truth),
            allow_updates: ctx.flag("allow_updates", false),
        }
    }

    /// Whether one of the versions is as asked in every part of `wanted`.
    pub(super) fn fulfilled(self, versions: &[String], wanted: &str) -> bool {
        let parts: Vec<&str> = wanted.trim().split(',').filter(|part| !part.is_empty()).collect();
        let updates = self.allow_updates && parts.len() == 1;
        versions.iter().any(|version| {
            parts.iter().all(|part| {
                let (sign, wanted) = comparison(part.trim());
                let sign = if sign == "==" && updates { ">=" } else { sign };
                self.fits(version, sign, wanted)
            })
        })
    }

    /// Whether a version is as asked: `>=`, `<`, `!=`, a pattern, or the same.
    fn fits(self, version: &str, sign: &str, wanted: &str) -> bool {
        if sign == "==" && glob(wanted, version) {
            return true;
        }
        let usual = !sign.contains(['<', '>']) && !wanted.contains(':');
        let (mut a, mut b) = (version, wanted);
        if self.ignore_epoch.unwrap_or(usual) {
            a = a.split_once(':').map_or(a, |(_, rest)| rest);
            b = b.split_once(':').map_or(b, |(_, rest)| rest);
        }
        let order = self.manager.compare(a, b);
        match sign {
            "==" => order == Ordering::Equal,
            "!=" => order != Ordering::Equal,
            ">=" => order != Ordering::Less,
            "<=" => order != Ordering::Greater,
            ">" => order == Ordering::Greater,
            "<" => order == Ordering::Less,
            _ => false,
        }
    }

    /// The first of the available versions that is as asked.
    pub(super) fn pick(self, available: &[String], wanted: &str) -> Option<String> {
        let (sign, wanted) = comparison(wanted);
        let strict = Comparing { ignore_epoch: Some(self.ignore_epoch.unwrap_or(false)), ..self };
        available.iter().find(|version| strict.fits(version, sign, wanted)).cloned()
    }

    /// Whether what is installed will do.
    pub(super) fn is_met(self, database: &Database, name: &str, wanted: Option<&str>) -> bool {
        match (database.versions(name), wanted.filter(|wanted| !wanted.is_empty())) {
            // What stands for a virtual package is as good as the package.
            ([], None) => database.provides(name),
            ([], Some(_)) => false,
            (_, None) => true,
            (versions, Some(wanted)) => self.fulfilled(versions, wanted),
        }
    }
}

/// `>=1.2` as sign and version; no sign and `=` mean the same version.
pub(super) fn comparison(wanted: &str) -> (&str, &str) {
    const SIGNS: [&str; 10] = ["<=>", "!=", ">=", "<=", ">>", "<<", "<>", ">", "<", "="];
    let sign = SIGNS.iter().find(|sign| wanted.starts_with(**sign)).copied().unwrap_or_default();
    let rest = wanted[sign.len()..].trim_start();
    match sign {
        "" | "=" => ("==", rest.trim_start_matches('=')),
        sign => (sign, rest),
    }
}

/// A package and its version as Salt's comments name them.
pub(super) fn shown(name: &str, version: Option<&str>) -> String {
    match version.unwrap_or_default() {
        "" => name.to_owned(),
        version if version.starts_with(['<', '>', '=']) => format!("{name}{version}"),
        version => format!("{name}={version}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compare(manager: Manager) -> Comparing {
        Comparing { manager, ignore_epoch: None, allow_updates: false }
    }

    #[test]
    fn versions_fit_as_asked() {
        for (version, wanted, expected) in [
            ("1.2-3", "1.2-3", true),
            ("1.2-3", "=1.2-3", true),
            ("1.2-3", "1.2", false),
            ("1:1.2-3", "1.2-3", true),
            ("1:1.2-3", "2:1.2-3", false),
            ("1:1.2-3", ">=1.3", true),
            ("1.2-3", ">=1.2", true),
            ("1.2-3", "<1.2", false),
            ("1.2-3", "1.*", true),
            ("2.0", "!=1.0", true),
            ("2.0", "<=1.9", false),
            ("2.0", ">=1.9,<3", true),
            ("2.0", "<>1.9", false),
        ] {
            let found = compare(Manager::Apt).fulfilled(&[version.to_owned()], wanted);
            assert_eq!(found, expected, "{version} {wanted}");
        }
        assert!(compare(Manager::Dnf).fulfilled(&["1.2-3.el9".to_owned()], "1.2"));
    }

    #[test]
    fn a_newer_version_will_do_if_updates_are_allowed() {
        let exact = compare(Manager::Apt);
        let newer = Comparing { allow_updates: true, ..exact };
        assert!(!exact.fulfilled(&["2".to_owned()], "1"));
        assert!(newer.fulfilled(&["2".to_owned()], "1"));
        assert!(!newer.fulfilled(&["2".to_owned()], "<2"));
    }

    #[test]
    fn a_name_that_would_be_an_option_is_refused() {
        assert!(check("--root=/x").is_err());
        assert!(check("g++").is_ok());
    }

    #[test]
    fn a_package_is_named_once() {
        let twice = listed("x", None, Some(&json!(["a", {"a": "1"}])));
        assert!(twice.unwrap_err().contains("duplicated"));
        let listed = listed("x", None, Some(&json!([{"a": 1}, "b"]))).unwrap();
        assert_eq!(listed["a"].as_deref(), Some("1"));
        assert_eq!(listed["b"], None);
    }
}
