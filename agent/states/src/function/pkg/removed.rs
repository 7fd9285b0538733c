//! `pkg.removed` and `pkg.purged`: packages are not there; purged ones left no configuration.

use serde_json::{Value, json};

use super::database::{Database, Packages, differences};
use super::manager::Manager;
use super::request::{self, Comparing, Wanted};
use super::told;
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};
use crate::target::glob;

const TAKES: &[&str] = &["pkgs", "version", "normalize", "ignore_epoch"];

/// What goes.
pub(super) struct Step {
    manager: Manager,
    wanted: Wanted,
    targets: Vec<String>,
}

pub(super) struct Removed;

impl StateFunction for Removed {
    const MODULE: &'static str = "pkg";
    const NAME: &'static str = "removed";
    const TAKES: &'static [&'static str] = TAKES;
    const WATCHES: bool = true;
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        request::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        check(ctx, false).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        apply(ctx, &step, false).unwrap_or_else(Outcome::failed)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::super::run::<Removed>(ctx)
    }
}

pub(super) struct Purged;

impl StateFunction for Purged {
    const MODULE: &'static str = "pkg";
    const NAME: &'static str = "purged";
    const TAKES: &'static [&'static str] = TAKES;
    const WATCHES: bool = true;
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        request::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        check(ctx, true).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        apply(ctx, &step, true).unwrap_or_else(Outcome::failed)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::super::run::<Purged>(ctx)
    }
}

fn check(ctx: &Context<'_>, purge: bool) -> Result<Plan<Step>, String> {
    let manager = Manager::of(ctx)?;
    let database = manager.database(ctx)?;
    let wanted = request::wanted(ctx, manager)?;
    let comparing = Comparing { allow_updates: false, ..Comparing::of(ctx, manager) };
    let (mut targets, mut versions) = (Vec::new(), false);
    for (name, version) in &wanted {
        let there = database.versions(name);
        match version.as_deref().filter(|version| !version.is_empty()) {
            _ if there.is_empty() => {}
            None => targets.push(name.clone()),
            Some(version) => {
                versions = true;
                if comparing.fulfilled(there, version) {
                    targets.push(name.clone());
                }
            }
        }
    }
    if targets.is_empty() && !purge {
        let how = if versions { " (matching specified versions)" } else { "" };
        return Ok(Plan::fine(format!("All specified packages{how} are already absent")));
    }
    if purge {
        let left = wanted.keys().filter(|name| database.removed.contains_key(*name));
        targets.extend(left.cloned());
    }
    targets.sort();
    if targets.is_empty() {
        return Ok(Plan::fine(
            "None of the targeted packages are installed or partially installed",
        ));
    }
    let done = if purge { "purged" } else { "removed" };
    let changes = targets.iter().map(|name| (name.clone(), json!({"new": done, "old": ""})));
    let comment = format!("The following packages will be {done}: {}.", targets.join(", "));
    Ok(Plan::change(comment, changes.collect(), Step { manager, wanted, targets }))
}

fn apply(ctx: &Context<'_>, step: &Step, purge: bool) -> Result<Outcome, String> {
    let before = step.manager.database(ctx)?;
    let targets = arguments(step, &before, purge);
    let errors =
        if targets.is_empty() { Vec::new() } else { step.manager.remove(ctx, &targets, purge) };
    let after = step.manager.database(ctx)?;
    let gone = differences(&before.installed, &after.installed);
    let changes = if purge && step.manager == Manager::Apt {
        let cleaned = differences(&before.removed, &after.removed);
        Changes::from_iter([
            ("removed".to_owned(), Value::Object(cleaned)),
            ("installed".to_owned(), Value::Object(gone)),
        ])
    } else {
        gone
    };
    let failed =
        |comment| Outcome { result: Some(false), ..Outcome::changed(comment, changes.clone()) };
    if !errors.is_empty() {
        return Ok(failed(told(step.manager, "removing", &errors)));
    }
    let mut left: Vec<&str> = step
        .wanted
        .iter()
        .filter(|(name, version)| is_left(step.manager, &after, name, version.as_deref()))
        .map(|(name, _)| name.as_str())
        .collect();
    if purge {
        left.extend(
            step.wanted.keys().filter(|name| after.removed.contains_key(*name)).map(String::as_str),
        );
    }
    left.sort_unstable();
    let verb = if purge { "purge" } else { "remove" };
    if !left.is_empty() {
        let names = left.join(", ");
        return Ok(failed(format!("The following packages failed to {verb}: {names}.")));
    }
    let mut absent: Vec<&str> = step
        .wanted
        .keys()
        .filter(|name| !step.targets.contains(name))
        .map(String::as_str)
        .collect();
    absent.sort_unstable();
    let comment = if absent.is_empty() {
        format!("All targeted packages were {verb}d.")
    } else {
        format!(
            "The following packages were not installed: {} The following packages were {verb}d: \
             {}.",
            absent.join(", "),
            step.targets.join(", ")
        )
    };
    Ok(Outcome::changed(comment, changes))
}

fn is_left(manager: Manager, after: &Database, name: &str, version: Option<&str>) -> bool {
    match (manager, version) {
        (Manager::Dnf, Some(version)) => after.versions(name).iter().any(|one| one == version),
        (Manager::Apt, _) | (Manager::Dnf, None) => !after.versions(name).is_empty(),
    }
}

/// What the package manager is told: of several versions on dnf only the one that is named.
fn arguments(step: &Step, database: &Database, purge: bool) -> Vec<String> {
    let matching = |packages: &Packages| {
        let named = |name: &String| {
            step.wanted
                .keys()
                .any(|wanted| wanted == name || (wanted.contains('*') && glob(wanted, name)))
        };
        packages.keys().filter(|name| named(name)).cloned().collect::<Vec<_>>()
    };
    let mut out = Vec::new();
    for name in matching(&database.installed) {
        match (step.manager, step.wanted.get(&name).cloned().flatten()) {
            (Manager::Dnf, Some(version)) => {
                if database.versions(&name).contains(&version) {
                    out.push(step.manager.argument(&name, &version));
                }
            }
            (Manager::Apt | Manager::Dnf, _) => out.push(name),
        }
    }
    if purge {
        out.extend(matching(&database.removed));
    }
    out
}
