//! Salt's `pkg`, by apt and dnf: all packages of a run in one transaction.

mod apt;
mod dnf;
mod request;
mod transaction;

use serde_json::{Value, json};

use super::{Context, Function, Lint, Plan, StateFunction};
use crate::chunk::Chunk;
use crate::outcome::{Changes, Outcome};
use request::Request;

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<Installed>()];

pub(super) struct Installed;

/// The packages that this state still lacks.
pub(super) struct Step {
    lacking: Vec<Request>,
}

impl StateFunction for Installed {
    const MODULE: &'static str = "pkg";
    const NAME: &'static str = "installed";
    const TAKES: &'static [&'static str] =
        &["pkgs", "version", "refresh", "fromrepo", "install_recommends", "only_upgrade"];
    const TOLERATES: &'static [&'static str] = &[
        "skip_suggestions",
        "normalize",
        "ignore_epoch",
        "allow_updates",
        "update_holds",
        "aggregate",
        "cache_valid_time",
        "pkg_verify",
    ];
    const REFUSES: &'static [&'static str] =
        &["sources", "hold", "reinstall", "skip_verify", "setopt", "enablerepo", "disablerepo"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        request::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let wanted = match request::requests(ctx) {
            Ok(wanted) => wanted,
            Err(problem) => return Plan::failed(problem),
        };
        let installed = match transaction::installed(ctx) {
            Ok(installed) => installed,
            Err(problem) => return Plan::failed(problem),
        };
        let lacking: Vec<Request> =
            wanted.iter().filter(|one| !one.is_met(&installed)).cloned().collect();
        if lacking.is_empty() {
            let earlier = by_earlier_state(ctx, &wanted);
            if earlier.is_empty() {
                return Plan::fine(already(&wanted));
            }
            let comment = updated(earlier.keys().map(String::as_str));
            return Plan::Done(Outcome::changed(comment, earlier));
        }
        let names: Vec<&str> = lacking.iter().map(|one| one.name.as_str()).collect();
        let comment =
            format!("The following packages would be installed/updated: {}", names.join(", "));
        let changes: Changes = lacking
            .iter()
            .map(|one| {
                let old = installed.version(&one.name).unwrap_or_default();
                let new = one.version.clone().unwrap_or_else(|| "installed".to_owned());
                (one.name.clone(), json!({"new": new, "old": old}))
            })
            .collect();
        Plan::change(comment, changes, Step { lacking })
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let before = transaction::installed(ctx);
        let done = transaction::install(ctx, &step.lacking);
        let (before, after) = match (before, transaction::installed(ctx)) {
            (Ok(before), Ok(after)) => (before, after),
            (Err(problem), _) | (_, Err(problem)) => return Outcome::failed(problem),
        };
        let changes: Changes = before.differences(&after);
        let missing: Vec<&str> = step
            .lacking
            .iter()
            .filter(|one| !one.is_met(&after))
            .map(|one| one.name.as_str())
            .collect();
        if missing.is_empty() {
            let comment = updated(step.lacking.iter().map(|one| one.name.as_str()));
            let (own, others) = shared_out(ctx, changes);
            ctx.session.packages.borrow_mut().extend(others);
            return Outcome::changed(comment, own);
        }
        let mut comment =
            format!("The following packages failed to install/update: {}", missing.join(", "));
        if let Err(problem) = done {
            comment.push_str(&format!("\n{problem}"));
        }
        Outcome { result: Some(false), ..Outcome::changed(comment, changes) }
    }
}

fn updated<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    format!("The following packages were installed/updated: {}", names.join(", "))
}

/// What one transaction changed: for this state, and for others of the run that asked for it.
fn shared_out(ctx: &Context<'_>, changes: Changes) -> (Changes, Changes) {
    let mine: Vec<String> =
        request::requests(ctx).unwrap_or_default().into_iter().map(|one| one.name).collect();
    let others = transaction::asked_by_others(ctx);
    changes.into_iter().partition(|(name, _)| mine.contains(name) || !others.contains(name))
}

/// What the transaction of an earlier state installed for this one; told once.
fn by_earlier_state(ctx: &Context<'_>, wanted: &[Request]) -> Changes {
    if ctx.test {
        return Changes::new();
    }
    let mut packages = ctx.session.packages.borrow_mut();
    let take = |one: &Request| packages.shift_remove(&one.name).map(|how| (one.name.clone(), how));
    wanted.iter().filter_map(take).collect()
}

fn already(wanted: &[Request]) -> String {
    match wanted {
        [one] => match &one.version {
            Some(version) => {
                format!("Version {version} of package {} is already installed", one.name)
            }
            None => "All specified packages are already installed".to_owned(),
        },
        _ => "All specified packages are already installed".to_owned(),
    }
}

/// A change of one package as Salt shows it.
fn one_change(old: &str, new: &str) -> Value {
    json!({"new": new, "old": old})
}
