//! Transactions: what a state lacks, and with it what later states of the run lack as well.

use std::collections::{HashMap, HashSet};

use indexmap::IndexSet;

use super::database::{Database, differences};
use super::manager::{Job, Manager};
use super::request::{self, Comparing, Wanted};
use crate::chunk::Chunk;
use crate::function::Context;
use crate::function::args::truth;
use crate::outcome::Changes;
use crate::session::Brought;

/// What came of a transaction.
pub(super) struct Done {
    pub(super) changes: Changes,
    pub(super) after: Database,
    pub(super) errors: Vec<String>,
}

/// Fetches the lists if this state wants that, and no state of this run has done it.
pub(super) fn refresh(ctx: &Context<'_>, manager: Manager) -> Result<(), String> {
    let wanted = ctx.value("refresh").map(truth).unwrap_or(true);
    if wanted && !ctx.session.refreshed.get() { manager.refresh(ctx) } else { Ok(()) }
}

/// What the package manager is to be told, and what cannot be asked of it.
pub(super) fn job(
    ctx: &Context<'_>,
    manager: Manager,
    database: &Database,
    targets: &Wanted,
    reinstalls: &Wanted,
) -> (Job, Vec<String>) {
    let comparing = Comparing::of(ctx, manager);
    let searched = |version: &&String| {
        version.starts_with(['<', '>', '!']) || (manager == Manager::Dnf && version.contains('*'))
    };
    let unclear: Vec<String> = targets
        .iter()
        .chain(reinstalls)
        .filter(|(_, version)| version.as_ref().filter(searched).is_some())
        .map(|(name, _)| name.clone())
        .collect();
    let available = manager.available(ctx, &unclear);
    let (mut job, mut errors) = (Job::default(), Vec::new());
    for (again, wanted) in [(false, targets), (true, reinstalls)] {
        for (name, version) in wanted {
            let Some(version) = version.as_ref().filter(|version| !version.is_empty()) else {
                let list = if again { &mut job.reinstalls } else { &mut job.targets };
                list.push((name.clone(), name.clone()));
                continue;
            };
            let there = available.get(name).map(Vec::as_slice).unwrap_or_default();
            let mut exact = version.trim_start_matches('=').trim().to_owned();
            if unclear.contains(name) {
                match comparing.pick(there, version) {
                    Some(found) => exact = found,
                    None => {
                        errors.push(none_matches(name, version, there));
                        continue;
                    }
                }
            }
            let argument = (name.clone(), manager.argument(name, &exact));
            let list = if again {
                &mut job.reinstalls
            } else if is_older(manager, database.versions(name), &exact) {
                &mut job.downgrades
            } else {
                &mut job.targets
            };
            list.push(argument);
        }
    }
    (job, errors)
}

fn none_matches(name: &str, version: &str, available: &[String]) -> String {
    let there = if available.is_empty() { "None".to_owned() } else { available.join(", ") };
    if version.contains('*') {
        let there = if available.is_empty() { "none".to_owned() } else { there };
        return format!(
            "No version matching '{version}' found for package '{name}' (available: {there})"
        );
    }
    format!("No version matching '{name}{version}' could be found (available: {there})")
}

/// Whether getting that version is a step back; of kernels, several stay side by side.
fn is_older(manager: Manager, installed: &[String], version: &str) -> bool {
    // A pattern may lead either way.
    let older = |old: &String| version.contains('*') || manager.compare(version, old).is_lt();
    !installed.is_empty() && installed.iter().all(older)
}

/// Installs these, and what other states of the run that commute with this one ask for.
pub(super) fn install(
    ctx: &Context<'_>,
    manager: Manager,
    targets: &Wanted,
    reinstalls: &Wanted,
) -> Result<Done, String> {
    refresh(ctx, manager)?;
    let before = manager.database(ctx)?;
    let (own, mut errors) = job(ctx, manager, &before, targets, reinstalls);
    let mut shared = own.clone();
    let mut extra = IndexSet::new();
    if reinstalls.is_empty() {
        for chunk in commuting(ctx) {
            let other = Context { chunk, ..*ctx };
            let lacking = lacking(&other, manager, &before);
            let (more, problems) = job(&other, manager, &before, &lacking, &Wanted::new());
            // What cannot be done is told by the state that asks for it.
            if problems.is_empty() {
                add(&mut shared, more, &mut extra);
            }
        }
    }
    if shared.names().next().is_some() {
        let told = manager.install(ctx, &shared, &before);
        // One bad name of another state must not keep this one from its packages.
        if !told.is_empty() && !extra.is_empty() {
            errors.extend(manager.install(ctx, &own, &before));
        } else {
            errors.extend(told);
        }
    }
    let after = manager.database(ctx)?;
    let changes = differences(&before.installed, &after.installed);
    let own: Vec<String> = own.names().cloned().collect();
    let changes =
        if extra.is_empty() { changes } else { shared_out(ctx, manager, changes, &own, &extra) };
    Ok(Done { changes, after, errors })
}

/// Keeps what is this state's own, and leaves the rest to those who asked for it. What nobody
/// named goes to the first package that needs it.
fn shared_out(
    ctx: &Context<'_>,
    manager: Manager,
    changes: Changes,
    own: &[String],
    extra: &IndexSet<String>,
) -> Changes {
    let changed: Vec<String> = changes.keys().cloned().collect();
    let needs = manager.needs(ctx, &changed);
    let mut owner: HashMap<String, String> = HashMap::new();
    for root in own.iter().chain(extra) {
        let mut todo = vec![root.clone()];
        while let Some(name) = todo.pop() {
            let named = name != *root && (own.contains(&name) || extra.contains(&name));
            if !named && !owner.contains_key(&name) {
                owner.insert(name.clone(), root.clone());
                todo.extend(needs.get(&name).cloned().unwrap_or_default());
            }
        }
    }
    let mut packages = ctx.session.packages.borrow_mut();
    let mut mine = Changes::new();
    for (name, change) in changes {
        match owner.get(&name).filter(|with| extra.contains(*with)) {
            Some(with) => {
                packages.insert(name, Brought { change, with: with.clone() });
            }
            None => {
                mine.insert(name, change);
            }
        }
    }
    mine
}

fn add(job: &mut Job, more: Job, extra: &mut IndexSet<String>) {
    let known: HashSet<String> = job.names().cloned().collect();
    for (list, new) in [(&mut job.targets, more.targets), (&mut job.downgrades, more.downgrades)] {
        for (name, argument) in new {
            if !known.contains(&name) && extra.insert(name.clone()) {
                list.push((name, argument));
            }
        }
    }
}

/// What another `pkg.installed` of this run lacks; nothing if that cannot be told.
fn lacking(other: &Context<'_>, manager: Manager, database: &Database) -> Wanted {
    let comparing = Comparing::of(other, manager);
    let mut wanted = request::written(other).unwrap_or_default();
    wanted.retain(|name, version| {
        version.as_deref() != Some("latest")
            && !comparing.is_met(database, name, version.as_deref())
    });
    wanted
}

/// Later `pkg.installed` that may as well run now: nothing that they wait for is still to be
/// done, and no state in between could change what is installed or where from.
fn commuting<'a>(ctx: &Context<'a>) -> Vec<&'a Chunk> {
    if !ctx.flag("aggregate", true) || !is_plain(ctx.chunk) {
        return Vec::new();
    }
    let graph = &ctx.compiled.graph;
    let chunks = ctx.compiled.chunks();
    let done = ctx.session.done.borrow();
    let here = ctx.chunk.tag();
    let steps = ctx.compiled.steps.iter().filter(|step| !step.prereq_test);
    let later = steps.skip_while(|step| chunks[step.chunk].tag() != here).skip(1);
    let mut out = Vec::new();
    for step in later {
        let chunk = &chunks[step.chunk];
        if !passes(chunk) {
            break;
        }
        let mut needs = graph.nodes[step.chunk].incoming.iter();
        if is_plain(chunk)
            && same_options(chunk, ctx.chunk)
            && needs.all(|(from, _)| done.contains(&graph.nodes[*from].tag))
        {
            out.push(chunk);
        }
    }
    out
}

/// Arguments that decide how packages are installed, not which.
const OPTIONS: [&str; 12] = [
    "fromrepo",
    "repo",
    "refresh",
    "install_recommends",
    "only_upgrade",
    "skip_verify",
    "setopt",
    "enablerepo",
    "disablerepo",
    "disableexcludes",
    "force_conf_new",
    "update_holds",
];

fn same_options(a: &Chunk, b: &Chunk) -> bool {
    OPTIONS.iter().all(|key| a.args.get(*key) == b.args.get(*key))
}

/// Whether a state only asks for packages to be there, whatever else happens.
fn is_plain(chunk: &Chunk) -> bool {
    const SPECIAL: [&str; 11] = [
        "onlyif",
        "unless",
        "creates",
        "prereq",
        "onchanges",
        "onchanges_any",
        "onfail",
        "onfail_any",
        "sources",
        "hold",
        "reinstall",
    ];
    chunk.function() == "pkg.installed" && !SPECIAL.iter().any(|key| chunk.args.contains_key(*key))
}

/// Whether what comes after a state may be done before it: it has nothing to do with packages.
fn passes(chunk: &Chunk) -> bool {
    const FOLDERS: [&str; 8] = [
        "/etc/apt",
        "/etc/dpkg",
        "/etc/yum",
        "/etc/dnf",
        "/etc/pki",
        "/usr/share/keyrings",
        "/usr/sbin",
        "/var/lib",
    ];
    match chunk.state.as_str() {
        "file" => !FOLDERS.iter().any(|folder| chunk.name.starts_with(folder)),
        "pkg" => chunk.fun == "installed",
        "service" | "test" | "sysctl" | "host" | "cron" | "ssh_auth" | "ssh_known_hosts" => true,
        _ => false,
    }
}

/// What the transaction of an earlier state brought for this one; told once.
pub(super) fn brought(ctx: &Context<'_>, targets: &Wanted) -> Changes {
    let mut packages = ctx.session.packages.borrow_mut();
    let mut out = Changes::new();
    packages.retain(|name, brought| {
        let mine = targets.contains_key(&brought.with);
        if mine {
            out.insert(name.clone(), brought.change.clone());
        }
        !mine
    });
    out
}

/// The database as this state would have found it, had no earlier one worked for it.
pub(super) fn view(ctx: &Context<'_>, manager: Manager) -> Result<Database, String> {
    let database = manager.database(ctx)?;
    let brought = ctx.session.packages.borrow();
    if brought.is_empty() {
        return Ok(database);
    }
    Ok(database.before(brought.iter().map(|(name, brought)| (name, &brought.change))))
}
