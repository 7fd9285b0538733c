//! The package manager of a host: one face of apt and dnf.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use serde_json::Value;

use super::database::Database;
use super::{apt, dnf};
use crate::function::Context;
use crate::host::command::{Cancel, Exec, Output, run};
use crate::host::looking;
use crate::version;

/// How long a question to a package manager, or fetching its lists, may take.
const ASK_MAX: Duration = Duration::from_secs(1800);
/// How long a transaction may take; it is never cut short by a cancelled run.
const TRANSACTION_MAX: Duration = Duration::from_secs(6 * 3600);
/// How long another process may hold the package manager's lock.
const LOCK_MAX: Duration = Duration::from_secs(300);
/// How often a held lock is tried again.
const LOCK_POLL: Duration = Duration::from_secs(1);

/// The package manager of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::function) enum Manager {
    Apt,
    Dnf,
}

/// What a transaction does.
#[derive(Debug, Default, Clone)]
pub(super) struct Job {
    /// Names, and what the package manager is told: `name=version`, a path, ...
    pub(super) targets: Vec<(String, String)>,
    pub(super) downgrades: Vec<(String, String)>,
    pub(super) reinstalls: Vec<(String, String)>,
    /// The targets are files.
    pub(super) from_files: bool,
    /// Fetch the packages only.
    pub(super) download_only: bool,
}

impl Job {
    /// The names of all packages that it is about.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        let all = self.targets.iter().chain(&self.downgrades).chain(&self.reinstalls);
        all.map(|(name, _)| name)
    }
}

impl Manager {
    /// The one of this host.
    pub(in crate::function) fn of(ctx: &Context<'_>) -> Result<Manager, String> {
        if ctx.host.root().is_some() {
            return Err("packages cannot be managed below a root prefix".to_owned());
        }
        match ctx.view().facts.get("os_family").and_then(Value::as_str) {
            Some("Debian") => Ok(Manager::Apt),
            Some("RedHat") => Ok(Manager::Dnf),
            other => Err(format!(
                "packages of the os_family '{}' are not supported: only Debian and RedHat are",
                other.unwrap_or_default()
            )),
        }
    }

    /// What is installed now.
    pub(super) fn database(self, ctx: &Context<'_>) -> Result<Database, String> {
        match self {
            Manager::Apt => apt::database(ctx),
            Manager::Dnf => dnf::database(ctx),
        }
    }

    /// Compares versions by the distribution's rule.
    pub(super) fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            Manager::Apt => version::debian(a, b),
            Manager::Dnf => version::rpm(a, b),
        }
    }

    /// A package's name without an architecture that goes without saying.
    pub(super) fn normalized(self, ctx: &Context<'_>, name: &str) -> String {
        match self {
            Manager::Apt => apt::normalized(ctx, name),
            Manager::Dnf => dnf::normalized(ctx, name),
        }
    }

    /// Fetches the lists of packages.
    pub(in crate::function) fn refresh(self, ctx: &Context<'_>) -> Result<(), String> {
        if looking::refuses() {
            return Err("it is not the turn of the package lists".to_owned());
        }
        ctx.host.acted();
        ctx.session.refreshed.set(true);
        match self {
            Manager::Apt => apt::refresh(ctx),
            Manager::Dnf => dnf::refresh(ctx),
        }
    }

    /// The version that would be installed of each package; none if that is there already.
    pub(super) fn candidates(
        self,
        ctx: &Context<'_>,
        names: &[String],
        database: &Database,
    ) -> Result<IndexMap<String, String>, String> {
        if names.is_empty() {
            return Ok(IndexMap::new());
        }
        let mut found = match self {
            Manager::Apt => apt::candidates(ctx, names)?,
            Manager::Dnf => dnf::candidates(ctx, names)?,
        };
        found.retain(|name, version| {
            let newer = |old: &String| self.compare(old, version) == Ordering::Less;
            database.versions(name).iter().all(newer)
        });
        Ok(found)
    }

    /// All versions of packages that could be installed, best first.
    pub(super) fn available(
        self,
        ctx: &Context<'_>,
        names: &[String],
    ) -> IndexMap<String, Vec<String>> {
        match self {
            Manager::Apt => apt::available(ctx, names),
            Manager::Dnf => dnf::available(ctx, names),
        }
    }

    /// How a package of a version is asked for.
    pub(super) fn argument(self, name: &str, version: &str) -> String {
        match self {
            Manager::Apt => format!("{name}={version}"),
            Manager::Dnf => dnf::argument(name, version),
        }
    }

    /// Does it; returns what went wrong.
    pub(super) fn install(self, ctx: &Context<'_>, job: &Job, database: &Database) -> Vec<String> {
        match self {
            Manager::Apt => apt::install(ctx, job, database),
            Manager::Dnf => dnf::install(ctx, job, database),
        }
    }

    /// Removes packages; returns what went wrong.
    pub(super) fn remove(self, ctx: &Context<'_>, names: &[String], purge: bool) -> Vec<String> {
        match self {
            Manager::Apt => apt::remove(ctx, names, purge),
            Manager::Dnf => dnf::remove(ctx, names),
        }
    }

    /// Which of these installed packages need which others of them.
    pub(super) fn needs(self, ctx: &Context<'_>, names: &[String]) -> HashMap<String, Vec<String>> {
        match self {
            Manager::Apt => apt::needs(ctx, names),
            Manager::Dnf => dnf::needs(ctx, names),
        }
    }

    /// What would be upgraded, and to which version.
    pub(super) fn upgrades(self, ctx: &Context<'_>) -> Result<IndexMap<String, String>, String> {
        match self {
            Manager::Apt => apt::upgrades(ctx),
            Manager::Dnf => dnf::upgrades(ctx),
        }
    }

    /// Upgrades these packages, or all that can be; apt always upgrades all.
    pub(super) fn upgrade(self, ctx: &Context<'_>, names: &[String]) -> Result<(), Output> {
        match self {
            Manager::Apt => apt::upgrade(ctx),
            Manager::Dnf => dnf::upgrade(ctx, names),
        }
    }

    /// Name and version of a package file.
    pub(super) fn file_info(self, ctx: &Context<'_>, path: &str) -> Option<(String, String)> {
        let argv = match self {
            Manager::Apt => {
                words(&["dpkg-deb", "--show", "--showformat=${Package} ${Version}", path])
            }
            Manager::Dnf => words(&[
                "rpm",
                "-qp",
                "--nodigest",
                "--nosignature",
                "--queryformat",
                "%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}",
                path,
            ]),
        };
        let output = ask(ctx, argv, &[]).ok().filter(|output| output.code == 0)?;
        let (name, version) = output.stdout.trim().split_once(' ')?;
        let version = version.strip_prefix("0:").unwrap_or(version);
        Some((name.to_owned(), version.to_owned()))
    }
}

/// Asks a package manager something; the run's cancellation stops it.
pub(in crate::function) fn ask(
    ctx: &Context<'_>,
    argv: Vec<String>,
    env: &[(&str, &str)],
) -> Result<Output, String> {
    let exec = Exec { reads: true, ..exec(argv, env, ASK_MAX) };
    execute(ctx, &exec, ctx.cancel)
}

/// Lets a package manager change the host: to its end, whatever becomes of the run.
pub(super) fn transact(
    ctx: &Context<'_>,
    argv: Vec<String>,
    env: &[(&str, &str)],
) -> Result<Output, String> {
    execute(ctx, &exec(argv, env, TRANSACTION_MAX), &Cancel::default())
}

fn exec(argv: Vec<String>, env: &[(&str, &str)], limit: Duration) -> Exec {
    let env = env.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())));
    Exec { argv, env: env.collect(), timeout: Some(limit), ..Exec::default() }
}

fn execute(ctx: &Context<'_>, exec: &Exec, cancel: &Cancel) -> Result<Output, String> {
    let until = Instant::now() + LOCK_MAX;
    loop {
        let output = run(ctx.host, exec, cancel).map_err(|error| error.to_string())?;
        if output.timed_out {
            let limit = exec.timeout.unwrap_or_default().as_secs();
            return Err(format!("{} took longer than {limit} s", exec.argv[0]));
        }
        let locked = output.code != 0
            && (output.stderr.contains("Could not get lock") || output.code == dnf::LOCKED);
        if !locked || Instant::now() >= until || ctx.cancel.is_cancelled() {
            return Ok(output);
        }
        std::thread::sleep(LOCK_POLL);
    }
}

/// Words as owned texts.
pub(in crate::function) fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}
