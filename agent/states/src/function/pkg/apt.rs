//! Debian and Ubuntu: dpkg's status file, apt-get, apt-cache.

use std::collections::HashMap;
use std::time::SystemTime;

use indexmap::IndexMap;
use serde_json::Value;

use super::database::Database;
use super::manager::{Job, ask, transact, words};
use crate::function::Context;

const STATUS: &str = "/var/lib/dpkg/status";
const LISTS: &str = "/var/lib/apt/lists";
const ENV: [(&str, &str); 4] = [
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("APT_LISTCHANGES_FRONTEND", "none"),
    ("APT_LISTBUGS_FRONTEND", "none"),
    ("UCF_FORCE_CONFFOLD", "1"),
];

/// Reads dpkg's status file: twenty times as fast as asking dpkg-query.
pub(super) fn database(ctx: &Context<'_>) -> Result<Database, String> {
    let status = ctx.host.read_text(STATUS).ok_or_else(|| format!("cannot read {STATUS}"))?;
    Ok(parse(&status, &native(ctx)))
}

/// The host's own architecture.
fn native(ctx: &Context<'_>) -> String {
    let arch = ctx.view().facts.get("osarch").and_then(Value::as_str);
    arch.unwrap_or("amd64").to_owned()
}

fn parse(status: &str, native: &str) -> Database {
    let mut out = Database { native: native.to_owned(), ..Database::default() };
    for paragraph in status.split("\n\n") {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let (Some(name), Some(status)) = (field("Package"), field("Status")) else { continue };
        let mut status = status.split(' ');
        let (want, state) = (status.next().unwrap_or_default(), status.nth(1).unwrap_or_default());
        let name = match field("Architecture") {
            Some(arch) if arch != native && arch != "all" => format!("{name}:{arch}"),
            _ => name.to_owned(),
        };
        if want == "hold" {
            out.held.insert(name.clone());
        }
        let Some(version) = field("Version") else { continue };
        if want != "purge" && state.contains("installed") {
            for provided in field("Provides").unwrap_or_default().split(',') {
                let provided = provided.split_whitespace().next().unwrap_or_default();
                out.provided.insert(provided.to_owned());
            }
            Database::add(&mut out.installed, name, version.to_owned());
        } else if want == "deinstall" {
            Database::add(&mut out.removed, name, version.to_owned());
        } else if want == "purge" && state == "installed" {
            Database::add(&mut out.doomed, name.clone(), version.to_owned());
            Database::add(&mut out.installed, name, version.to_owned());
        }
    }
    out
}

/// Who depends on whom, by dpkg's status file.
pub(super) fn needs(ctx: &Context<'_>, names: &[String]) -> HashMap<String, Vec<String>> {
    dependencies(&ctx.host.read_text(STATUS).unwrap_or_default(), names)
}

fn dependencies(status: &str, names: &[String]) -> HashMap<String, Vec<String>> {
    let mut out: HashMap<String, Vec<String>> = HashMap::new();
    for paragraph in status.split("\n\n") {
        let package = paragraph.lines().find_map(|line| line.strip_prefix("Package: "));
        let Some(package) = package.filter(|name| names.iter().any(|one| one == name)) else {
            continue;
        };
        let fields = paragraph.lines().filter_map(|line| {
            let (field, value) = line.split_once(": ")?;
            ["Depends", "Pre-Depends", "Recommends"].contains(&field).then_some(value)
        });
        let needed = fields.flat_map(|value| value.split([',', '|'])).filter_map(|entry| {
            let name = entry.split_whitespace().next()?.split(':').next()?;
            names.iter().find(|one| *one == name).cloned()
        });
        out.entry(package.to_owned()).or_default().extend(needed);
    }
    out
}

/// `name:arch` without an architecture that is the host's own.
pub(super) fn normalized(ctx: &Context<'_>, name: &str) -> String {
    match name.rsplit_once(':') {
        Some((bare, arch)) if arch == native(ctx) || arch == "all" || arch == "any" => {
            bare.to_owned()
        }
        _ => name.to_owned(),
    }
}

/// Fetches the lists, unless `cache_valid_time` says that they are fresh enough.
pub(super) fn refresh(ctx: &Context<'_>) -> Result<(), String> {
    let valid = ctx.value("cache_valid_time");
    if let Some(valid) = crate::function::args::seconds(valid) {
        let changed = ctx.host.stat(LISTS).and_then(|meta| meta.modified().ok());
        let age = changed.and_then(age);
        if age.is_some_and(|age| age < valid) {
            return Ok(());
        }
    }
    let output = ask(ctx, words(&["apt-get", "-q", "update"]), &ENV)?;
    if output.code == 0 { Ok(()) } else { Err(output.stderr.trim_end().to_owned()) }
}

fn age(at: SystemTime) -> Option<std::time::Duration> {
    SystemTime::now().duration_since(at).ok()
}

/// `apt-cache policy`: the candidate of each package that has one.
pub(super) fn candidates(
    ctx: &Context<'_>,
    names: &[String],
) -> Result<IndexMap<String, String>, String> {
    let mut argv = words(&["apt-cache", "-q", "policy"]);
    argv.extend(names.iter().cloned());
    if let Some(release) = ctx.text("fromrepo") {
        argv.extend(["-o".to_owned(), format!("APT::Default-Release={release}")]);
    }
    let output = ask(ctx, argv, &ENV)?;
    let mut out = IndexMap::new();
    let mut name = String::new();
    for line in output.stdout.lines() {
        if let Some(package) = line.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
            package.clone_into(&mut name);
        } else if let Some(version) = line.trim().strip_prefix("Candidate:") {
            let version = version.trim();
            let bare = normalized(ctx, &name);
            let asked = [&name, &bare].into_iter().find(|name| names.contains(name));
            if let Some(asked) = asked.filter(|_| version != "(none)" && !version.is_empty()) {
                out.insert(asked.clone(), version.to_owned());
            }
        }
    }
    Ok(out)
}

/// `apt-cache show`: all versions, as apt lists them.
pub(super) fn available(ctx: &Context<'_>, names: &[String]) -> IndexMap<String, Vec<String>> {
    let mut out: IndexMap<String, Vec<String>> = IndexMap::new();
    if names.is_empty() {
        return out;
    }
    let mut argv = words(&["apt-cache", "show"]);
    argv.extend(names.iter().cloned());
    let Ok(output) = ask(ctx, argv, &ENV) else { return out };
    let mut name = String::new();
    for line in output.stdout.lines() {
        if let Some(package) = line.strip_prefix("Package: ") {
            package.trim().clone_into(&mut name);
        } else if let Some(version) = line.strip_prefix("Version: ") {
            out.entry(name.clone()).or_default().push(version.trim().to_owned());
        }
    }
    out
}

fn command(ctx: &Context<'_>) -> Vec<String> {
    let mut argv = words(&["apt-get", "-q", "-y"]);
    let confs: &[&str] = if ctx.flag("force_conf_new", false) {
        &["--force-confnew"]
    } else {
        &["--force-confold", "--force-confdef"]
    };
    for conf in confs {
        argv.extend(["-o".to_owned(), format!("DPkg::Options::={conf}")]);
    }
    argv.extend(words(&["-o", "DPkg::Lock::Timeout=300"]));
    argv
}

/// Does the job; packages on hold that it names are held again afterwards.
pub(super) fn install(ctx: &Context<'_>, job: &Job, database: &Database) -> Vec<String> {
    let held: Vec<&String> = job.names().filter(|name| database.held.contains(*name)).collect();
    let mut errors = Vec::new();
    for name in &held {
        errors.extend(select(ctx, name, "install").err());
    }
    let mut prefix = command(ctx);
    match ctx.value("install_recommends").map(crate::function::args::truth) {
        Some(true) => prefix.push("--install-recommends".to_owned()),
        Some(false) => prefix.push("--no-install-recommends".to_owned()),
        None => {}
    }
    if ctx.flag("only_upgrade", false) {
        prefix.push("--only-upgrade".to_owned());
    }
    if ctx.flag("skip_verify", false) {
        prefix.push("--allow-unauthenticated".to_owned());
    }
    if job.download_only {
        prefix.push("--download-only".to_owned());
    }
    if let Some(release) = ctx.text("fromrepo").filter(|_| !job.from_files) {
        prefix.extend(["-t".to_owned(), release]);
    }
    for (list, option) in [
        (&job.targets, None),
        (&job.downgrades, Some("--allow-downgrades")),
        (&job.reinstalls, Some("--reinstall")),
    ] {
        if list.is_empty() {
            continue;
        }
        let mut argv = prefix.clone();
        argv.extend(option.map(str::to_owned));
        argv.extend(words(&["install", "--"]));
        argv.extend(list.iter().map(|(_, argument)| argument.clone()));
        errors.extend(failure(transact(ctx, argv, &ENV)));
    }
    for name in &held {
        errors.extend(select(ctx, name, "hold").err());
    }
    errors
}

pub(super) fn remove(ctx: &Context<'_>, names: &[String], purge: bool) -> Vec<String> {
    let mut argv = words(&["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300"]);
    argv.extend(words(&[if purge { "purge" } else { "remove" }, "--"]));
    argv.extend(names.iter().cloned());
    failure(transact(ctx, argv, &ENV)).into_iter().collect()
}

/// What would be upgraded, and to which version.
pub(super) fn upgrades(ctx: &Context<'_>) -> Result<IndexMap<String, String>, String> {
    let whole = ctx.flag("dist_upgrade", true);
    let verb = if whole { "dist-upgrade" } else { "upgrade" };
    let mut argv = words(&["apt-get", "--just-print", verb]);
    if let Some(release) = ctx.text("fromrepo") {
        argv.extend(["-o".to_owned(), format!("APT::Default-Release={release}")]);
    }
    let output = ask(ctx, argv, &ENV)?;
    if output.code != 0 {
        let told = [&output.stderr, &output.stdout].into_iter().find(|text| !text.is_empty());
        let told = told.map(|text| format!(": {}", text.trim_end())).unwrap_or_default();
        return Err(format!("Failed to get upgrades{told}"));
    }
    let entry = |line: &str| {
        let (name, rest) = line.strip_prefix("Conf ")?.split_once(" (")?;
        Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
    };
    Ok(output.stdout.lines().filter_map(entry).collect())
}

/// Upgrades all that can be; returns what went wrong.
pub(super) fn upgrade(ctx: &Context<'_>) -> Result<(), crate::host::command::Output> {
    let mut argv = command(ctx);
    for (flag, option) in [
        ("skip_verify", "--allow-unauthenticated"),
        ("download_only", "--download-only"),
        ("downloadonly", "--download-only"),
        ("allow_downgrades", "--allow-downgrades"),
    ] {
        if ctx.flag(flag, false) {
            argv.push(option.to_owned());
        }
    }
    let whole = ctx.flag("dist_upgrade", false);
    argv.push(if whole { "dist-upgrade" } else { "upgrade" }.to_owned());
    match transact(ctx, argv, &ENV) {
        Ok(output) if output.code == 0 => Ok(()),
        Ok(output) => Err(output),
        Err(problem) => Err(crate::host::command::Output {
            pid: 0,
            code: 1,
            stdout: String::new(),
            stderr: problem,
            timed_out: false,
        }),
    }
}

/// Sets what dpkg is to do with a package: `hold`, `install`.
pub(super) fn select(ctx: &Context<'_>, name: &str, what: &str) -> Result<(), String> {
    // dpkg reads selections from its input only.
    let line = "printf '%s %s\\n' \"$1\" \"$2\" | dpkg --set-selections";
    let argv = words(&["/bin/sh", "-c", line, "sh", name, what]);
    failure(transact(ctx, argv, &ENV)).map_or(Ok(()), Err)
}

/// What a command that failed tells.
fn failure(done: Result<crate::host::command::Output, String>) -> Option<String> {
    match done {
        Ok(output) if output.code == 0 => None,
        Ok(output) if output.stderr.trim().is_empty() => Some(output.stdout.trim_end().to_owned()),
        Ok(output) => Some(output.stderr.trim_end().to_owned()),
        Err(problem) => Some(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dpkgs_status_file_is_understood() {
        let found = parse(
            "Package: mawk\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.3.4-1\n\
             Provides: awk, x (= 1)\n\nPackage: gone\nStatus: deinstall ok config-files\n\
             Version: 1\n\nPackage: libc6\nStatus: hold ok installed\nArchitecture: i386\n\
             Version: 2\n\nPackage: never\nStatus: unknown ok not-installed\n",
            "amd64",
        );
        assert_eq!(found.versions("mawk"), ["1.3.4-1"]);
        assert!(found.provides("awk") && found.provides("x"));
        assert!(found.versions("gone").is_empty() && found.versions("never").is_empty());
        assert_eq!(found.removed["gone"], ["1"]);
        assert_eq!(found.versions("libc6:i386"), ["2"]);
        assert!(found.held.contains("libc6:i386"));
    }

    #[test]
    fn dependencies_among_packages_are_read_from_the_status_file() {
        let status = "Package: a\nStatus: install ok installed\nDepends: b:any (>= 1), x | c\n\n\
                      Package: x\nDepends: a\n";
        let names = ["a", "b", "c"].map(str::to_owned);
        let found = dependencies(status, &names);
        assert_eq!(found["a"], ["b", "c"]);
        assert_eq!(found.len(), 1);
    }
}
