//! `pkg.downloaded`: package files wait in the package manager's cache.

use std::path::Path;

use super::database::{Database, Packages};
use super::manager::Manager;
use super::request::{self, Comparing, Wanted};
use super::{told, transaction};
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::files::below;
use crate::outcome::{Changes, Outcome};

const CACHES: [&str; 2] = ["/var/cache/dnf", "/var/cache/yum"];

pub(super) struct Downloaded;

pub(super) struct Step {
    manager: Manager,
    targets: Wanted,
}

impl StateFunction for Downloaded {
    const MODULE: &'static str = "pkg";
    const NAME: &'static str = "downloaded";
    const TAKES: &'static [&'static str] = &[
        "pkgs",
        "version",
        "fromrepo",
        "repo",
        "refresh",
        "normalize",
        "ignore_epoch",
        "setopt",
        "enablerepo",
        "disablerepo",
        "disableexcludes",
        "cache_valid_time",
    ];
    const TOLERATES: &'static [&'static str] = &["downloadonly", "skip_suggestions"];
    const WATCHES: bool = true;
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        request::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        if request::is_empty(ctx) {
            return Plan::fine("No packages to download provided");
        }
        check(ctx).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        apply(ctx, &step).unwrap_or_else(|problem| {
            Outcome::failed(format!(
                "An error was encountered while downloading package(s): {problem}"
            ))
        })
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        super::hold::no_watch(ctx)
    }
}

fn check(ctx: &Context<'_>) -> Result<Plan<Step>, String> {
    let manager = Manager::of(ctx)?;
    let wanted = request::wanted(ctx, manager)?;
    let cached = cached(ctx, manager);
    let comparing = Comparing { allow_updates: false, ..Comparing::of(ctx, manager) };
    let mut versions = false;
    let mut targets = Wanted::new();
    for (name, version) in wanted {
        let there = cached.get(&name).map(Vec::as_slice).unwrap_or_default();
        let met = match version.as_deref().filter(|version| !version.is_empty()) {
            _ if there.is_empty() => false,
            None => true,
            Some(version) => {
                versions = true;
                comparing.fulfilled(there, version)
            }
        };
        if !met {
            targets.insert(name, version);
        }
    }
    if targets.is_empty() {
        let how = if versions { " (matching specified versions)" } else { "" };
        return Ok(Plan::fine(format!("All specified packages{how} are already downloaded")));
    }
    let names: Vec<&str> = targets.keys().map(String::as_str).collect();
    let comment = format!("The following packages would be downloaded: {}", names.join(", "));
    Ok(Plan::change(comment, Changes::new(), Step { manager, targets }))
}

/// The package files in the cache, told by their names.
fn cached(ctx: &Context<'_>, manager: Manager) -> Packages {
    let mut out = Packages::new();
    let folders: &[&str] = match manager {
        Manager::Apt => &["/var/cache/apt"],
        Manager::Dnf => &CACHES,
    };
    for path in folders.iter().flat_map(|folder| below(&ctx.host.path(folder)).unwrap_or_default())
    {
        let found = match manager {
            Manager::Apt => deb(&path),
            Manager::Dnf => rpm(ctx, &path),
        };
        if let Some((name, version)) = found {
            Database::add(&mut out, name, version);
        }
    }
    out
}

/// `name_1%3a2-3_amd64.deb`.
fn deb(path: &Path) -> Option<(String, String)> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".deb")?;
    let mut parts = stem.split('_');
    let (name, version) = (parts.next()?, parts.next()?);
    Some((name.to_owned(), version.replace("%3a", ":")))
}

fn rpm(ctx: &Context<'_>, path: &Path) -> Option<(String, String)> {
    let path = path.to_str().filter(|path| path.ends_with(".rpm"))?;
    Manager::Dnf.file_info(ctx, path)
}

fn apply(ctx: &Context<'_>, step: &Step) -> Result<Outcome, String> {
    if ctx.flag("refresh", false) {
        transaction::refresh(ctx, step.manager)?;
    }
    let database = step.manager.database(ctx)?;
    let before = cached(ctx, step.manager);
    let (mut job, mut errors) =
        transaction::job(ctx, step.manager, &database, &step.targets, &Wanted::new());
    job.download_only = true;
    errors.extend(step.manager.install(ctx, &job, &database));
    let after = cached(ctx, step.manager);
    // On apt Salt compares what is installed, and so tells of no change.
    let changes = match step.manager {
        Manager::Apt => Changes::new(),
        Manager::Dnf => super::database::differences(&before, &after),
    };
    if !errors.is_empty() {
        let comment = told(step.manager, "installing", &errors);
        return Ok(Outcome { result: Some(false), ..Outcome::changed(comment, changes) });
    }
    let comparing = Comparing { allow_updates: false, ..Comparing::of(ctx, step.manager) };
    let there = Database { installed: after, ..Database::default() };
    let failed: Vec<String> = step
        .targets
        .iter()
        .filter(|(name, version)| !comparing.is_met(&there, name, version.as_deref()))
        .map(|(name, version)| request::shown(name, version.as_deref()))
        .collect();
    if !failed.is_empty() {
        let comment = format!("The following packages failed to download: {}", failed.join(", "));
        return Ok(Outcome { result: Some(false), ..Outcome::changed(comment, changes) });
    }
    let names: Vec<&str> = step.targets.keys().map(String::as_str).collect();
    let comment = if changes.is_empty() {
        format!("Packages downloaded: {}", names.join(", "))
    } else {
        String::new()
    };
    Ok(Outcome::changed(comment, changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_file_of_apts_cache_tells_name_and_version() {
        let found = deb(Path::new("/var/cache/apt/archives/a-b_1%3a2-3_amd64.deb"));
        assert_eq!(found, Some(("a-b".to_owned(), "1:2-3".to_owned())));
        assert_eq!(deb(Path::new("/var/cache/apt/pkgcache.bin")), None);
    }
}
