//! `pkg.installed`: packages are there, in a version that will do.

use serde_json::json;

use super::database::Database;
use super::hold::{self, Held};
use super::manager::Manager;
use super::request::{self, Comparing, Wanted, shown};
use super::source::{self, Files};
use super::{told, transaction};
use crate::chunk::Chunk;
use crate::function::args::truth;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

pub(super) struct Installed;

/// What this state lacks.
pub(super) struct Step {
    manager: Manager,
    desired: Wanted,
    targets: Wanted,
    reinstalls: Wanted,
    files: Option<Files>,
}

impl StateFunction for Installed {
    const MODULE: &'static str = "pkg";
    const NAME: &'static str = "installed";
    const TAKES: &'static [&'static str] = &[
        "pkgs",
        "version",
        "refresh",
        "fromrepo",
        "repo",
        "sources",
        "hold",
        "reinstall",
        "skip_verify",
        "normalize",
        "ignore_epoch",
        "allow_updates",
        "update_holds",
        "install_recommends",
        "only_upgrade",
        "force_conf_new",
        "cache_valid_time",
        "setopt",
        "enablerepo",
        "disablerepo",
        "disableexcludes",
        "branch",
        "resolve_capabilities",
    ];
    const TOLERATES: &'static [&'static str] =
        &["skip_suggestions", "split_arch", "verify_ssl", "force_yes", "diff_attr"];
    const REFUSES: &'static [&'static str] = &["pkg_verify", "debconf", "downloadonly"];
    const WATCHES: bool = true;
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        if chunk.args.get("sources").is_some_and(truth) {
            return source::lint(chunk);
        }
        request::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        if request::is_empty(ctx) {
            return Plan::fine("No packages to install provided");
        }
        match find(ctx) {
            Err(outcome) => Plan::Done(outcome),
            Ok(step) => {
                let (comment, changes) = foreseen(ctx, &step);
                Plan::change(comment, changes, step)
            }
        }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        apply(ctx, step).unwrap_or_else(Outcome::failed)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::super::run::<Installed>(ctx)
    }
}

/// What is to be done, or the outcome if nothing is.
fn find(ctx: &Context<'_>) -> Result<Step, Outcome> {
    let failed = |problem: String| Outcome::failed(problem);
    let manager = Manager::of(ctx).map_err(failed)?;
    let database = transaction::view(ctx, manager).map_err(failed)?;
    if ctx.value("sources").is_some_and(truth) {
        return from_files(ctx, manager, &database);
    }
    let mut desired = request::written(ctx).map_err(failed)?;
    resolve_latest(ctx, manager, &database, &mut desired).map_err(failed)?;
    let comparing = Comparing::of(ctx, manager);
    let reinstall = ctx.flag("reinstall", false);
    let (mut targets, mut reinstalls, mut versions) = (Wanted::new(), Wanted::new(), false);
    for (name, version) in &desired {
        let wanted = version.as_deref().filter(|version| !version.is_empty());
        if database.versions(name).is_empty() {
            // What stands for a virtual package is as good as the package.
            if wanted.is_some() || !database.provides(name) {
                targets.insert(name.clone(), version.clone());
            }
        } else if reinstall {
            reinstalls.insert(name.clone(), version.clone());
        } else if let Some(wanted) = wanted {
            versions = true;
            if !comparing.fulfilled(database.versions(name), wanted) {
                targets.insert(name.clone(), version.clone());
            }
        }
    }
    let step = Step { manager, desired, targets, reinstalls, files: None };
    if step.targets.is_empty() && step.reinstalls.is_empty() {
        let at = if versions { " and are at the desired version" } else { "" };
        let comment = format!("All specified packages are already installed{at}");
        return Err(settled(ctx, &step, comment));
    }
    Ok(step)
}

/// Packages from files: those that are not installed in the file's version.
fn from_files(ctx: &Context<'_>, manager: Manager, database: &Database) -> Result<Step, Outcome> {
    let sources = source::sources(ctx).map_err(Outcome::failed)?;
    let reinstall = ctx.flag("reinstall", false);
    let mut files = Files::new(sources).map_err(Outcome::failed)?;
    let comparing = Comparing { allow_updates: false, ..Comparing::of(ctx, manager) };
    let (mut desired, mut targets, mut reinstalls) = (Wanted::new(), Wanted::new(), Wanted::new());
    for (name, uri) in files.sources.clone() {
        let name = manager.normalized(ctx, &name);
        desired.insert(name.clone(), Some(uri.clone()));
        let there = database.versions(&name);
        if there.is_empty() {
            targets.insert(name, Some(uri));
        } else if reinstall {
            reinstalls.insert(name, Some(uri));
        } else {
            let path = files
                .fetch(ctx, &uri)
                .map_err(|problem| Outcome::failed(format!("Unable to cache {uri}: {problem}")))?;
            if let Some((_, version)) = manager.file_info(ctx, &path)
                && !comparing.fulfilled(there, &version)
            {
                targets.insert(name, Some(uri));
            }
        }
    }
    let step = Step { manager, desired, targets, reinstalls, files: Some(files) };
    if step.targets.is_empty() && step.reinstalls.is_empty() {
        return Err(settled(ctx, &step, "All specified packages are already installed".to_owned()));
    }
    Ok(step)
}

/// Nothing to install; what is to be held may still have to be.
fn settled(ctx: &Context<'_>, step: &Step, comment: String) -> Outcome {
    let mut outcome = Outcome::fine(comment);
    let Some(on) = ctx.value("hold").map(truth) else { return outcome };
    for held in hold::set(ctx, step.manager, step.desired.keys(), on) {
        outcome.comment.push_str(&format!(".\n{}", held.comment));
        outcome.result = held.result;
        if let Some(change) = held.change {
            outcome.changes.insert(held.name, change);
        }
    }
    outcome
}

/// `latest` is the newest version that there is, or the one that is installed.
fn resolve_latest(
    ctx: &Context<'_>,
    manager: Manager,
    database: &Database,
    desired: &mut Wanted,
) -> Result<(), String> {
    let is_latest = |version: &Option<String>| version.as_deref() == Some("latest");
    let names: Vec<String> = desired
        .iter()
        .filter(|(_, version)| is_latest(version))
        .map(|(name, _)| name.clone())
        .collect();
    if names.is_empty() {
        return Ok(());
    }
    if !ctx.test {
        transaction::refresh(ctx, manager)?;
    }
    let candidates = manager.candidates(ctx, &names, database)?;
    for name in names {
        let newest = candidates.get(&name).or_else(|| database.versions(&name).last());
        let newest = newest.cloned();
        desired.insert(name, newest);
    }
    Ok(())
}

/// What a dry run tells.
fn foreseen(ctx: &Context<'_>, step: &Step) -> (String, Changes) {
    let (mut comment, mut changes) = (Vec::new(), Changes::new());
    if !step.targets.is_empty() {
        let names: Vec<&str> = step.targets.keys().map(String::as_str).collect();
        comment.push(format!(
            "The following packages would be installed/updated: {}",
            names.join(", ")
        ));
        let versions = if ctx.test && step.files.is_none() {
            installable(ctx, step.manager, &step.targets)
        } else {
            Wanted::new()
        };
        for name in step.targets.keys() {
            let new = versions.get(name).cloned().flatten();
            let new = new.unwrap_or_else(|| "installed".to_owned());
            changes.insert(name.clone(), json!({"new": new, "old": ""}));
        }
    }
    if !step.reinstalls.is_empty() {
        let named = |(name, version): (&String, &Option<String>)| match step.files {
            Some(_) => name.clone(),
            None => shown(name, version.as_deref()),
        };
        let names: Vec<String> = step.reinstalls.iter().map(named).collect();
        comment.push(format!("The following packages would be reinstalled: {}", names.join(", ")));
        changes
            .extend(names.into_iter().map(|name| (name, json!({"new": "installed", "old": ""}))));
    }
    (comment.join("\n"), changes)
}

/// The version that each package would get, where that can be told.
pub(super) fn installable(ctx: &Context<'_>, manager: Manager, targets: &Wanted) -> Wanted {
    let (open, exact): (Vec<_>, Vec<_>) =
        targets.iter().partition(|(_, version)| version.as_deref().is_none_or(str::is_empty));
    let open: Vec<String> = open.into_iter().map(|(name, _)| name.clone()).collect();
    let mut out = Wanted::new();
    let found = manager.candidates(ctx, &open, &Database::default()).unwrap_or_default();
    out.extend(found.into_iter().map(|(name, version)| (name, Some(version))));
    if manager == Manager::Dnf {
        // Salt asks dnf for `name=version`, which it does not know.
        return out;
    }
    let asked: Vec<String> =
        exact.iter().map(|(name, version)| shown(name, version.as_deref())).collect();
    let found = manager.available(ctx, &asked);
    out.extend(found.into_iter().map(|(name, versions)| (name, versions.into_iter().next())));
    out
}

fn apply(ctx: &Context<'_>, step: Step) -> Result<Outcome, String> {
    let Step { manager, desired, mut targets, reinstalls, mut files } = step;
    let wanted = targets.clone();
    let mut changes = transaction::brought(ctx, &targets);
    let comparing = Comparing::of(ctx, manager);
    if files.is_none() && !changes.is_empty() {
        let now = manager.database(ctx)?;
        targets.retain(|name, version| !comparing.is_met(&now, name, version.as_deref()));
    }
    let (after, errors) = if targets.is_empty() && reinstalls.is_empty() {
        (manager.database(ctx)?, Vec::new())
    } else {
        let done = match &mut files {
            Some(files) => files.install(ctx, manager, &targets, &reinstalls)?,
            None => {
                transaction::install(ctx, manager, &targets, &reinstalls).map_err(|problem| {
                    format!("An error was encountered while installing package(s): {problem}")
                })?
            }
        };
        changes.extend(done.changes);
        for name in reinstalls.keys().filter(|name| !done.after.versions(name).is_empty()) {
            let version = done.after.versions(name).join(",");
            changes.entry(name).or_insert_with(|| json!({"new": version, "old": version}));
        }
        (done.after, done.errors)
    };
    if !errors.is_empty() {
        let comment = told(manager, "installing", &errors);
        return Ok(Outcome { result: Some(false), ..Outcome::changed(comment, changes) });
    }
    let held = match ctx.value("hold").map(truth) {
        Some(on) => hold::set(ctx, manager, desired.keys(), on),
        None => Vec::new(),
    };
    let there = |name: &String| match &files {
        Some(_) => changes.contains_key(name) || reinstalls.contains_key(name),
        None => comparing.is_met(&after, name, desired[name].as_deref()),
    };
    let sorted = Sorted {
        modified: wanted.keys().filter(|name| there(name)).cloned().collect(),
        failed: wanted.keys().filter(|name| !there(name)).cloned().collect(),
        unmodified: desired
            .keys()
            .filter(|name| !wanted.contains_key(*name) && !reinstalls.contains_key(*name))
            .cloned()
            .collect(),
        reinstalled: reinstalls.keys().cloned().collect(),
        held,
    };
    let named = |name: &String| match &files {
        Some(_) => name.clone(),
        None => shown(name, desired[name].as_deref()),
    };
    Ok(sorted.outcome(&named, changes))
}

/// What became of each package.
struct Sorted {
    modified: Vec<String>,
    failed: Vec<String>,
    unmodified: Vec<String>,
    reinstalled: Vec<String>,
    held: Vec<Held>,
}

impl Sorted {
    fn outcome(self, named: &dyn Fn(&String) -> String, mut changes: Changes) -> Outcome {
        let join = |names: &[String]| names.iter().map(named).collect::<Vec<_>>().join(", ");
        let mut comment = Vec::new();
        let mut result = self.failed.is_empty();
        if !self.failed.is_empty() {
            let names = join(&self.failed);
            comment.push(format!("The following packages failed to install/update: {names}"));
        }
        if !self.modified.is_empty() {
            comment.push(modified(self.modified.len(), &join(&self.modified)));
        }
        let (turned, kept): (Vec<Held>, Vec<Held>) =
            self.held.into_iter().partition(|held| held.change.is_some());
        for held in turned {
            comment.push(held.comment.clone());
            held.merge_into(&mut changes);
        }
        match self.unmodified.len() {
            0 => {}
            1..=20 => comment.push(format!(
                "The following packages were already installed: {}",
                join(&self.unmodified)
            )),
            count => comment.push(format!("{count} targeted packages were already installed")),
        }
        result &= kept.iter().all(|held| held.result == Some(true));
        comment.extend(kept.into_iter().map(|held| held.comment));
        let again = self.reinstalled.iter();
        comment.extend(again.map(|name| format!("Package {} was reinstalled.", named(name))));
        Outcome { result: Some(result), ..Outcome::changed(comment.join("\n"), changes) }
    }
}

/// Salt names them as long as that is short.
fn modified(count: usize, names: &str) -> String {
    match (names.len(), count) {
        (0..20, _) => format!("The following packages were installed/updated: {names}"),
        (_, 1) => "1 targeted package was installed/updated.".to_owned(),
        _ => format!("{count} targeted packages were installed/updated."),
    }
}
