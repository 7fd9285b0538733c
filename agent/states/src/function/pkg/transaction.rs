//! One transaction for all `pkg.installed` of a run that can already be done.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use super::request::{Request, requests};
use super::{apt, dnf, one_change};
use crate::chunk::Chunk;
use crate::function::Context;
use crate::host::command::{Exec, Output, run};
use crate::outcome::Changes;

/// How long a package manager may take.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// The packages of a host, and what they provide.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    pub(crate) versions: HashMap<String, String>,
    /// The same by name and architecture.
    pub(crate) qualified: HashMap<String, String>,
    pub(crate) provided: HashSet<String>,
}

impl Installed {
    pub(crate) fn version(&self, name: &str) -> Option<&str> {
        self.versions.get(name).or_else(|| self.qualified.get(name)).map(String::as_str)
    }

    pub(crate) fn provides(&self, name: &str) -> bool {
        self.provided.contains(name)
    }

    /// What is other afterwards, by package.
    pub(super) fn differences(&self, after: &Installed) -> Changes {
        let mut names: Vec<&String> = after.versions.keys().chain(self.versions.keys()).collect();
        names.sort();
        names.dedup();
        let change = |name: &String| {
            let (old, new) = (self.version(name), after.version(name));
            (old != new).then(|| {
                (name.clone(), one_change(old.unwrap_or_default(), new.unwrap_or_default()))
            })
        };
        names.into_iter().filter_map(change).collect()
    }
}

/// The package manager of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
}

fn manager(ctx: &Context<'_>) -> Result<Manager, String> {
    if ctx.host.root().is_some() {
        return Err("packages cannot be managed below a root prefix".to_owned());
    }
    match ctx.compiled.facts.get("os_family").and_then(Value::as_str) {
        Some("Debian") => Ok(Manager::Apt),
        Some("RedHat") => Ok(Manager::Dnf),
        other => Err(format!(
            "packages of the os_family '{}' are not supported: only Debian and RedHat are",
            other.unwrap_or_default()
        )),
    }
}

/// What is installed now.
pub(super) fn installed(ctx: &Context<'_>) -> Result<Installed, String> {
    match manager(ctx)? {
        Manager::Apt => apt::installed(ctx),
        Manager::Dnf => dnf::installed(ctx),
    }
}

/// Installs these, and what other states of the run that are ready ask for as well.
pub(super) fn install(ctx: &Context<'_>, lacking: &[Request]) -> Result<(), String> {
    let manager = manager(ctx)?;
    let mut all = lacking.to_vec();
    if ctx.flag("aggregate", true) {
        let now = installed(ctx)?;
        for chunk in ready(ctx) {
            let other = Context { chunk, ..*ctx };
            let more = requests(&other).unwrap_or_default();
            all.extend(more.into_iter().filter(|one| !one.is_met(&now)));
        }
    }
    let mut seen = HashSet::new();
    all.retain(|one| seen.insert(one.name.clone()));
    let refresh = match ctx.value("refresh").map(crate::function::args::truth) {
        Some(false) => false,
        Some(true) | None => !ctx.session.refreshed.get(),
    };
    if refresh {
        ctx.session.refreshed.set(true);
        match manager {
            Manager::Apt => apt::refresh(ctx)?,
            Manager::Dnf => dnf::refresh(ctx)?,
        }
    }
    let together = match manager {
        Manager::Apt => apt::install(ctx, &all),
        Manager::Dnf => dnf::install(ctx, &all),
    };
    // One bad name of another state must not keep this one from its packages.
    match together {
        Err(_) if all.len() > lacking.len() => match manager {
            Manager::Apt => apt::install(ctx, lacking),
            Manager::Dnf => dnf::install(ctx, lacking),
        },
        other => other,
    }
}

/// Other `pkg.installed` of this run that wait for nothing and ask for the same sources.
fn ready<'a>(ctx: &Context<'a>) -> Vec<&'a Chunk> {
    const CONDITIONS: [&str; 6] = ["onlyif", "unless", "creates", "prereq", "onchanges", "onfail"];
    const SAME: [&str; 4] = ["fromrepo", "refresh", "install_recommends", "only_upgrade"];
    let same = |chunk: &Chunk| {
        chunk.function() == "pkg.installed"
            && chunk.tag() != ctx.chunk.tag()
            && !CONDITIONS.iter().any(|key| chunk.args.contains_key(*key))
            && SAME.iter().all(|key| chunk.args.get(*key) == ctx.chunk.args.get(*key))
    };
    let graph = &ctx.compiled.graph;
    let done = ctx.session.done.borrow();
    let chunks = ctx.compiled.chunks().iter().enumerate();
    chunks
        .filter(|(at, chunk)| {
            let mut needs = graph.nodes[*at].incoming.iter();
            same(chunk) && needs.all(|(from, _)| done.contains(&graph.nodes[*from].tag))
        })
        .map(|(_, chunk)| chunk)
        .collect()
}

/// The packages that other `pkg.installed` of this run ask for.
pub(super) fn asked_by_others(ctx: &Context<'_>) -> HashSet<String> {
    let others = ctx
        .compiled
        .chunks()
        .iter()
        .filter(|chunk| chunk.function() == "pkg.installed" && chunk.tag() != ctx.chunk.tag());
    others
        .flat_map(|chunk| requests(&Context { chunk, ..*ctx }).unwrap_or_default())
        .map(|one| one.name)
        .collect()
}

/// Runs a package manager.
pub(super) fn execute(
    ctx: &Context<'_>,
    argv: Vec<String>,
    env: &[(&str, &str)],
) -> Result<Output, String> {
    let program = argv[0].clone();
    let env = env.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())));
    let exec = Exec { argv, env: env.collect(), timeout: Some(TIMEOUT), ..Exec::default() };
    let output = run(ctx.host, &exec, ctx.cancel).map_err(|error| error.to_string())?;
    match output {
        Output { timed_out: true, .. } => {
            Err(format!("{program} took longer than {} s", TIMEOUT.as_secs()))
        }
        Output { code: 0, .. } => Ok(output),
        Output { stderr, stdout, .. } => {
            let told = if stderr.trim().is_empty() { stdout } else { stderr };
            Err(format!("{program}: {}", told.trim()))
        }
    }
}

/// Words as owned texts.
pub(super) fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}
