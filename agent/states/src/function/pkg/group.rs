//! `pkg.group_installed`: the packages of a dnf group are there.

use super::manager::Manager;
use super::request::Wanted;
use super::{dnf, told, transaction};
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

pub(super) struct GroupInstalled;

pub(super) struct Step {
    targets: Vec<String>,
    required: Vec<String>,
    partial: bool,
}

impl StateFunction for GroupInstalled {
    const MODULE: &'static str = "pkg";
    const NAME: &'static str = "group_installed";
    const TAKES: &'static [&'static str] = &[
        "skip",
        "include",
        "fromrepo",
        "repo",
        "setopt",
        "enablerepo",
        "disablerepo",
        "disableexcludes",
        "skip_verify",
        "refresh",
    ];
    const WATCHES: bool = true;
    type Step = Step;

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        check(ctx).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        apply(ctx, &step).unwrap_or_else(|problem| {
            Outcome::failed(format!(
                "An error was encountered while installing/updating group '{}': {problem}",
                ctx.name()
            ))
        })
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::hold::no_watch(ctx)
    }
}

fn check(ctx: &Context<'_>) -> Result<Plan<Step>, String> {
    let manager = Manager::of(ctx)?;
    if manager != Manager::Dnf {
        return Err("pkg.group_install not available for this platform".to_owned());
    }
    for key in ["skip", "include"] {
        if ctx.value(key).is_some_and(|value| !value.is_array()) {
            return Err(format!("{key} must be formatted as a list"));
        }
    }
    let (name, skip, include) = (ctx.name(), ctx.list("skip"), ctx.list("include"));
    let asking = |problem| {
        format!("An error was encountered while installing/updating group '{name}': {problem}.")
    };
    let [mandatory, default, optional] = dnf::group(ctx, name).map_err(asking)?;
    let database = manager.database(ctx)?;
    let there = |name: &String| !database.versions(name).is_empty();
    let kept: Vec<&str> =
        mandatory.iter().filter(|name| skip.contains(name)).map(String::as_str).collect();
    if !kept.is_empty() {
        return Err(format!(
            "The following mandatory packages cannot be skipped: {}",
            kept.join(", ")
        ));
    }
    let mut required: Vec<String> = mandatory.iter().filter(|name| !there(name)).cloned().collect();
    let mut targets = required.clone();
    targets.extend(default.iter().filter(|name| !there(name) && !skip.contains(name)).cloned());
    // What is installed already is no target, or a second run would find work again.
    targets.extend(include.iter().filter(|name| !there(name)).cloned());
    required.extend(include);
    if targets.is_empty() {
        return Ok(Plan::fine(format!("Group '{name}' is already installed")));
    }
    let partial = mandatory.iter().chain(&default).chain(&optional).any(there);
    let how =
        if partial { "is partially installed and will be updated" } else { "will be installed" };
    let step = Step { targets, required, partial };
    Ok(Plan::change(format!("Group '{name}' {how}"), Changes::new(), step))
}

fn apply(ctx: &Context<'_>, step: &Step) -> Result<Outcome, String> {
    let targets: Wanted = step.targets.iter().map(|name| (name.clone(), None)).collect();
    let done = transaction::install(ctx, Manager::Dnf, &targets, &Wanted::new())?;
    if !done.errors.is_empty() {
        let comment = told(Manager::Dnf, "installing", &done.errors);
        return Ok(Outcome { result: Some(false), ..Outcome::changed(comment, done.changes) });
    }
    let failed: Vec<&str> = step
        .required
        .iter()
        .filter(|name| done.after.versions(name).is_empty())
        .map(String::as_str)
        .collect();
    if !failed.is_empty() {
        let comment = format!("Failed to install the following packages: {}", failed.join(", "));
        return Ok(Outcome { result: Some(false), ..Outcome::changed(comment, done.changes) });
    }
    let how = if step.partial { "updated" } else { "installed" };
    Ok(Outcome::changed(format!("Group '{}' was {how}", ctx.name()), done.changes))
}
