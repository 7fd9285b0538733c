//! `pkg.latest`: packages are there in the newest version that the repositories have.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::manager::Manager;
use super::request::{self, Wanted};
use super::{installed, told, transaction};
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

pub(super) struct Latest;

/// Packages and the versions that they are to get.
pub(super) struct Step {
    manager: Manager,
    targets: IndexMap<String, String>,
    current: Vec<String>,
}

impl StateFunction for Latest {
    const MODULE: &'static str = "pkg";
    const NAME: &'static str = "latest";
    const TAKES: &'static [&'static str] = &[
        "pkgs",
        "refresh",
        "fromrepo",
        "repo",
        "skip_verify",
        "normalize",
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
    ];
    const TOLERATES: &'static [&'static str] = &["watch_flags", "force_yes"];
    const REFUSES: &'static [&'static str] = &["sources", "debconf", "downloadonly"];
    const WATCHES: bool = true;
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        request::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        if request::is_empty(ctx) {
            return Plan::fine("No packages to install provided");
        }
        check(ctx).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        apply(ctx, &step).unwrap_or_else(|problem| {
            Outcome::failed(format!(
                "An error was encountered while installing package(s): {problem}"
            ))
        })
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::super::run::<Latest>(ctx)
    }
}

fn check(ctx: &Context<'_>) -> Result<Plan<Step>, String> {
    let manager = Manager::of(ctx)?;
    let names: Vec<String> = request::wanted(ctx, manager)?.into_keys().collect();
    let asking = |problem| {
        format!(
            "An error was encountered while checking the newest available version of package(s): \
             {problem}"
        )
    };
    if !ctx.test {
        transaction::refresh(ctx, manager).map_err(asking)?;
    }
    let database = manager.database(ctx)?;
    let mut targets = manager.candidates(ctx, &names, &database).map_err(asking)?;
    targets.sort_by(|a, _, b, _| place(&names, a).cmp(&place(&names, b)));
    let unknown: Vec<String> = names
        .iter()
        .filter(|name| !targets.contains_key(*name) && database.versions(name).is_empty())
        .map(|name| format!("No information found for '{name}'."))
        .collect();
    if !unknown.is_empty() {
        return Err(unknown.join(" "));
    }
    if targets.is_empty() {
        return Ok(Plan::fine(all_current(&names)));
    }
    let mut current: Vec<String> =
        names.into_iter().filter(|name| !targets.contains_key(name)).collect();
    current.sort();
    let mut sorted: Vec<&str> = targets.keys().map(String::as_str).collect();
    sorted.sort_unstable();
    let mut comment =
        format!("The following packages would be installed/upgraded: {}", sorted.join(", "));
    match current.len() {
        0 => {}
        1..=10 => {
            let shown = |name: &String| format!("{name} ({})", database.versions(name).join(","));
            let names: Vec<String> = current.iter().map(shown).collect();
            comment.push_str("\nThe following packages are already up-to-date: ");
            comment.push_str(&names.join(", "));
        }
        count => comment.push_str(&format!("\n{count} packages are already up-to-date")),
    }
    let exact: Wanted =
        targets.iter().map(|(name, version)| (name.clone(), Some(version.clone()))).collect();
    let known = if ctx.test { installed::installable(ctx, manager, &exact) } else { exact };
    let change = |name: &String| {
        let new = known.get(name).cloned().flatten().unwrap_or_else(|| "installed".to_owned());
        (name.clone(), json!({"new": new, "old": database.versions(name).join(",")}))
    };
    let changes: Changes = targets.keys().map(change).collect();
    Ok(Plan::change(comment, changes, Step { manager, targets, current }))
}

fn place(names: &[String], name: &String) -> Option<usize> {
    names.iter().position(|one| one == name)
}

fn all_current(names: &[String]) -> String {
    match names {
        [name] => format!("Package {name} is already up-to-date"),
        _ if names.len() > 10 => format!("All {} packages are up-to-date.", names.len()),
        _ => {
            let mut sorted = names.to_vec();
            sorted.sort();
            format!("All packages are up-to-date ({}).", sorted.join(", "))
        }
    }
}

fn apply(ctx: &Context<'_>, step: &Step) -> Result<Outcome, String> {
    let targets: Wanted = step.targets.keys().map(|name| (name.clone(), None)).collect();
    let done = transaction::install(ctx, step.manager, &targets, &Wanted::new())?;
    if !done.errors.is_empty() {
        return Err(told(step.manager, "installing", &done.errors));
    }
    let is_done = |name: &str, version: &str| {
        let new = done.changes.get(name).and_then(|change| change["new"].as_str());
        new.is_some_and(|new| new.split(',').any(|one| one == version))
    };
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    for (name, version) in &step.targets {
        if is_done(name, version) { &mut good } else { &mut failed }.push(name.as_str());
    }
    good.sort_unstable();
    failed.sort_unstable();
    let mut comments = Vec::new();
    if done.changes.is_empty() {
        comments.push(nothing(&failed));
    } else {
        if !failed.is_empty() {
            comments
                .push(format!("The following packages failed to update: {}", failed.join(", ")));
        }
        if !good.is_empty() {
            comments.push(format!(
                "The following packages were successfully installed/upgraded: {}",
                good.join(", ")
            ));
        }
    }
    match step.current.len() {
        0 => {}
        1..=10 => comments.push(format!(
            "The following packages were already up-to-date: {}",
            step.current.join(", ")
        )),
        count => comments.push(format!("{count} packages were already up-to-date ")),
    }
    let result = failed.is_empty();
    Ok(Outcome { result: Some(result), ..Outcome::changed(comments.join(" "), done.changes) })
}

fn nothing(failed: &[&str]) -> String {
    match failed {
        [name] => format!("Package {name} failed to update."),
        _ if failed.len() > 10 => format!(
            "{} targeted packages failed to update. See debug log for details.",
            failed.len()
        ),
        _ => format!(
            "The following targeted packages failed to update. See debug log for details: ({}).",
            failed.join(", ")
        ),
    }
}

pub(super) struct Uptodate;

impl StateFunction for Uptodate {
    const MODULE: &'static str = "pkg";
    const NAME: &'static str = "uptodate";
    const TAKES: &'static [&'static str] = &[
        "pkgs",
        "refresh",
        "dist_upgrade",
        "fromrepo",
        "skip_verify",
        "force_conf_new",
        "cache_valid_time",
        "download_only",
        "downloadonly",
        "allow_downgrades",
        "setopt",
        "enablerepo",
        "disablerepo",
        "disableexcludes",
        "minimal",
        "obsoletes",
    ];
    const TOLERATES: &'static [&'static str] = &["force_yes", "normalize"];
    const WATCHES: bool = true;
    type Step = (Manager, Changes);

    fn check(ctx: &Context<'_>) -> Plan<Self::Step> {
        match upgrades(ctx) {
            Err(problem) => Plan::failed(problem),
            Ok((_, expected)) if expected.is_empty() => Plan::fine("System is already up-to-date"),
            Ok((manager, expected)) => Plan::change(
                "System update will be performed",
                expected.clone(),
                (manager, expected),
            ),
        }
    }

    fn apply(ctx: &Context<'_>, (manager, expected): Self::Step) -> Outcome {
        upgrade(ctx, manager, &expected).unwrap_or_else(Outcome::failed)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::hold::no_watch(ctx)
    }
}

/// What would be upgraded, of the packages that the state names.
fn upgrades(ctx: &Context<'_>) -> Result<(Manager, Changes), String> {
    if ctx.chunk.args.get("refresh").is_some_and(|refresh| !refresh.is_boolean()) {
        return Err("refresh must be either True or False".to_owned());
    }
    let manager = Manager::of(ctx)?;
    if ctx.flag("refresh", false) && !ctx.test {
        transaction::refresh(ctx, manager)?;
    }
    let database = manager.database(ctx)?;
    let named = ctx.value("pkgs").filter(|pkgs| pkgs.is_array()).map(|_| ctx.list("pkgs"));
    let mut all = manager.upgrades(ctx)?;
    all.retain(|name, _| named.as_ref().is_none_or(|names| names.contains(name)));
    let change = |(name, new): (String, String)| {
        let old = database.versions(&name).join(",");
        (name, json!({"new": new, "old": old}))
    };
    Ok((manager, all.into_iter().map(change).collect()))
}

fn upgrade(ctx: &Context<'_>, manager: Manager, expected: &Changes) -> Result<Outcome, String> {
    let before = manager.database(ctx)?;
    let named = ctx.value("pkgs").is_some_and(Value::is_array);
    let names: Vec<String> = expected.keys().filter(|_| named).cloned().collect();
    let done = manager.upgrade(ctx, &names);
    let after = manager.database(ctx)?;
    let changes = super::database::differences(&before.installed, &after.installed);
    if let Err(output) = done {
        let result = json!({
            "pid": output.pid,
            "retcode": output.code,
            "stdout": output.stdout.trim_end(),
            "stderr": output.stderr.trim_end(),
        });
        let info = super::nested("result", &result);
        let comment =
            format!("Problem encountered upgrading packages. Additional info follows:\n\n{info}");
        return Ok(Outcome { result: Some(false), ..Outcome::changed(comment, changes) });
    }
    let missing: Vec<&str> = expected
        .keys()
        .filter(|name| named && !changes.contains_key(*name))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return Ok(Outcome::changed("Upgrade ran successfully", changes));
    }
    let comment = format!("The following package(s) failed to update: {}", missing.join(", "));
    Ok(Outcome { result: Some(false), ..Outcome::changed(comment, changes) })
}
