//! `sources`: packages from files, of the state tree, the host or the net.

use std::path::Path;

use serde_json::Value;

use super::database::differences;
use super::manager::{Job, Manager, ask, words};
use super::request::Wanted;
use super::transaction::Done;
use crate::chunk::Chunk;
use crate::function::args::text;
use crate::function::{Context, Lint};
use crate::host::files::which;

/// Names of packages and where their files are.
type Sources = Vec<(String, String)>;

/// The files of a state, and the folder that holds those that had to be fetched.
pub(super) struct Files {
    pub(super) sources: Sources,
    folder: tempfile::TempDir,
}

/// Sources that are none, told before anything runs.
pub(super) fn lint(chunk: &Chunk) -> Vec<Lint> {
    if chunk.args.get("pkgs").is_some_and(crate::function::args::truth) {
        return vec![("sources", "Only one of \"pkgs\" and \"sources\" is permitted.".to_owned())];
    }
    match chunk.args.get("sources").map(parse) {
        Some(Err(problem)) => vec![("sources", problem)],
        Some(Ok(_)) | None => Vec::new(),
    }
}

pub(super) fn sources(ctx: &Context<'_>) -> Result<Sources, String> {
    ctx.value("sources").map_or_else(|| Ok(Vec::new()), parse)
}

fn parse(value: &Value) -> Result<Sources, String> {
    let invalid = || "Invalidly formatted 'sources' parameter. See minion log.".to_owned();
    let Value::Array(items) = value else { return Err(invalid()) };
    let mut out = Sources::new();
    for item in items {
        match item.as_object().and_then(|map| map.iter().next().filter(|_| map.len() == 1)) {
            Some((name, uri)) => out.push((name.clone(), text(uri))),
            None => return Err(invalid()),
        }
    }
    for (name, uri) in &out {
        let known = ["salt://", "http://", "https://", "ftp://", "file://", "/"];
        if !known.iter().any(|start| uri.starts_with(start)) {
            return Err(format!(
                "Path {uri} for package {name} is either not absolute or an invalid protocol"
            ));
        }
    }
    Ok(out)
}

impl Files {
    pub(super) fn new(sources: Sources) -> Result<Files, String> {
        let folder = tempfile::Builder::new().prefix("muster-pkg-").tempdir();
        Ok(Files { sources, folder: folder.map_err(|error| error.to_string())? })
    }

    /// The path of a file on this machine; one of the tree or the net is fetched first.
    pub(super) fn fetch(&mut self, ctx: &Context<'_>, uri: &str) -> Result<String, String> {
        if let Some(path) = uri.strip_prefix("file://").or(uri.starts_with('/').then_some(uri)) {
            let there = ctx.host.stat(path).is_some();
            return if there { Ok(path.to_owned()) } else { Err("file not found".to_owned()) };
        }
        let base = uri.split(['?', '#']).next().unwrap_or(uri).rsplit('/').next();
        let path = self.folder.path().join(base.filter(|name| !name.is_empty()).unwrap_or("file"));
        if path.exists() {
            return Ok(path.display().to_string());
        }
        if let Some(inner) = uri.strip_prefix("salt://") {
            let inner = inner.split('?').next().unwrap_or(inner).trim_start_matches('/');
            let data = ctx.tree().read(inner).ok_or("file not found")?;
            let data = data.map_err(|error| error.to_string())?;
            std::fs::write(&path, data).map_err(|error| error.to_string())?;
        } else {
            download(ctx, uri, &path)?;
        }
        Ok(path.display().to_string())
    }

    pub(super) fn install(
        &mut self,
        ctx: &Context<'_>,
        manager: Manager,
        targets: &Wanted,
        reinstalls: &Wanted,
    ) -> Result<Done, String> {
        let mut job = Job { from_files: true, ..Job::default() };
        let mut errors = Vec::new();
        for (again, wanted) in [(false, targets), (true, reinstalls)] {
            for (name, uri) in wanted {
                let uri = uri.clone().unwrap_or_default();
                match self.fetch(ctx, &uri) {
                    Ok(path) if again => job.reinstalls.push((name.clone(), path)),
                    Ok(path) => job.targets.push((name.clone(), path)),
                    Err(problem) => errors.push(format!(
                        "Unable to cache source {uri} for package {name}: {problem}"
                    )),
                }
            }
        }
        let before = manager.database(ctx)?;
        if errors.is_empty() {
            errors.extend(manager.install(ctx, &job, &before));
        }
        let after = manager.database(ctx)?;
        let changes = differences(&before.installed, &after.installed);
        Ok(Done { changes, after, errors })
    }
}

/// What an address leads to: of the state tree, the host or the net.
pub(in crate::function) fn fetch(ctx: &Context<'_>, uri: &str) -> Result<Vec<u8>, String> {
    let mut files = Files::new(Sources::new())?;
    let path = files.fetch(ctx, uri)?;
    std::fs::read(path).map_err(|error| error.to_string())
}

/// Fetches with what the host has: curl, wget, or apt's own helper.
fn download(ctx: &Context<'_>, uri: &str, path: &Path) -> Result<(), String> {
    let path = path.display().to_string();
    let ways: [(&str, Vec<String>); 3] = [
        ("curl", words(&["curl", "-fsSL", "--max-time", "1500", "-o", &path, "--", uri])),
        ("wget", words(&["wget", "-q", "-O", &path, "--", uri])),
        (
            "/usr/lib/apt/apt-helper",
            words(&["/usr/lib/apt/apt-helper", "download-file", uri, &path]),
        ),
    ];
    let way = ways.into_iter().find(|(program, _)| which(ctx.host, program).is_some());
    let (_, argv) = way.ok_or("neither curl nor wget is installed")?;
    let output = ask(ctx, argv, &[])?;
    if output.code == 0 { Ok(()) } else { Err(output.stderr.trim().to_owned()) }
}
