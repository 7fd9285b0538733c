//! Rocky, Alma, RHEL, Fedora: rpm's database, dnf (or dnf5, or yum where there is no dnf).

use std::cmp::Ordering;
use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value;

use super::database::Database;
use super::manager::{Job, ask, transact, words};
use crate::function::Context;
use crate::function::args::text;
use crate::host::command::Output;
use crate::host::files::which;
use crate::version;

/// What dnf exits with when another process holds its lock and it was told not to wait.
pub(super) const LOCKED: i32 = 200;

const FORMAT: &str = "%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE} %{ARCH}\\n";
/// Where versionlock keeps its list.
const LOCKS: [&str; 3] = [
    "/etc/dnf/plugins/versionlock.list",
    "/etc/yum/pluginconf.d/versionlock.list",
    "/etc/dnf/versionlock.toml",
];
const ARCHES_32: [&str; 4] = ["i386", "i486", "i586", "i686"];
const ARCHES_X86_64: [&str; 2] = ["x86_64", "x86_64_v2"];
const ARCHES: [&str; 11] = [
    "x86_64",
    "x86_64_v2",
    "i386",
    "i486",
    "i586",
    "i686",
    "aarch64",
    "ppc64le",
    "s390x",
    "armv7hl",
    "noarch",
];

/// Asks rpm once for all names and versions.
pub(super) fn database(ctx: &Context<'_>) -> Result<Database, String> {
    let argv = words(&["rpm", "-qa", "--nodigest", "--nosignature", "--queryformat", FORMAT]);
    let output = ask(ctx, argv, &[])?;
    if output.code != 0 {
        return Err(told(&output));
    }
    let mut out = parse(&output.stdout, &native(ctx));
    for path in LOCKS {
        out.held.extend(locked(&ctx.host.read_text(path).unwrap_or_default()));
    }
    if ctx.flag("resolve_capabilities", false) {
        let argv = words(&["rpm", "-qa", "--queryformat", "[%{PROVIDENAME}\\n]"]);
        out.provided = ask(ctx, argv, &[])?.stdout.lines().map(str::to_owned).collect();
    }
    Ok(out)
}

/// Who requires what another provides, by rpm's database.
pub(super) fn needs(ctx: &Context<'_>, names: &[String]) -> HashMap<String, Vec<String>> {
    let query = |format: &str| {
        let mut argv = words(&["rpm", "-q", "--queryformat", format]);
        argv.extend(names.iter().cloned());
        let output = ask(ctx, argv, &[]).map(|output| output.stdout).unwrap_or_default();
        let pair = |line: &str| {
            let (name, what) = line.split_once(' ')?;
            Some((name.to_owned(), what.to_owned()))
        };
        output.lines().filter_map(pair).collect::<Vec<_>>()
    };
    let provided = query("[%{=NAME} %{PROVIDENAME}\\n][%{=NAME} %{FILENAMES}\\n]");
    let by: HashMap<String, String> =
        provided.into_iter().map(|(name, what)| (what, name)).collect();
    let mut out: HashMap<String, Vec<String>> = HashMap::new();
    for (name, what) in query("[%{=NAME} %{REQUIRENAME}\\n][%{=NAME} %{RECOMMENDNAME}\\n]") {
        if let Some(other) = by.get(&what).filter(|other| **other != name) {
            out.entry(name).or_default().push(other.clone());
        }
    }
    out
}

fn native(ctx: &Context<'_>) -> String {
    let arch = ctx.view().facts.get("osarch").and_then(Value::as_str);
    arch.unwrap_or("x86_64").to_owned()
}

fn parse(listed: &str, native: &str) -> Database {
    let mut out = Database { native: native.to_owned(), ..Database::default() };
    for line in listed.lines() {
        let mut fields = line.split(' ');
        let (Some(name), Some(version), Some(arch)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let version = version.strip_prefix("0:").unwrap_or(version);
        Database::add(&mut out.installed, resolved(name, arch, native), version.to_owned());
    }
    out
}

/// A name, with its architecture if that is a foreign one.
fn resolved(name: &str, arch: &str, native: &str) -> String {
    let both = |arches: &[&str]| arches.contains(&arch) && arches.contains(&native);
    // rpm says `(none)` of what has none, such as keys.
    if arch == native || arch == "noarch" || both(&ARCHES_32) || both(&ARCHES_X86_64) {
        name.to_owned()
    } else {
        format!("{name}.{arch}")
    }
}

pub(super) fn normalized(ctx: &Context<'_>, name: &str) -> String {
    match name.rsplit_once('.') {
        Some((bare, arch)) if ARCHES.contains(&arch) => resolved(bare, arch, &native(ctx)),
        _ => name.to_owned(),
    }
}

/// The names in versionlock's list: `bash-0:5.1-6.*`, or `name = "bash"` of dnf5.
fn locked(list: &str) -> Vec<String> {
    let entry = |line: &str| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("name = ") {
            return Some(name.trim_matches('"').to_owned());
        }
        if line.is_empty() || line.starts_with(['#', '!']) {
            return None;
        }
        let (name, _) = line.split_once(':')?;
        let (name, _epoch) = name.rsplit_once('-')?;
        Some(name.to_owned())
    };
    list.lines().filter_map(entry).collect()
}

/// The command that this host has.
pub(super) fn program(ctx: &Context<'_>) -> &'static str {
    let found = ["dnf5", "dnf", "yum"].into_iter().find(|name| which(ctx.host, name).is_some());
    found.unwrap_or("dnf")
}

fn command(ctx: &Context<'_>) -> Vec<String> {
    let program = program(ctx);
    let mut argv = words(&[program, "-y"]);
    if program == "dnf" {
        // It would wait without end for another process.
        argv.push("--setopt=exit_on_lock=True".to_owned());
    }
    argv
}

/// Options that a state gives: which repositories count, and any setting.
fn options(ctx: &Context<'_>) -> Vec<String> {
    let each = |key: &str| {
        ctx.list(key)
            .into_iter()
            .flat_map(|value| value.split(',').map(|one| one.trim().to_owned()).collect::<Vec<_>>())
            .filter(|value| !value.is_empty())
            .collect::<Vec<_>>()
    };
    let mut out = Vec::new();
    let only = ctx.text("fromrepo").or_else(|| ctx.text("repo")).filter(|repo| !repo.is_empty());
    if let Some(only) = only {
        out.extend(["--disablerepo=*".to_owned(), format!("--enablerepo={only}")]);
    } else {
        out.extend(each("disablerepo").iter().map(|repo| format!("--disablerepo={repo}")));
        out.extend(each("enablerepo").iter().map(|repo| format!("--enablerepo={repo}")));
    }
    for key in ["disableexcludes", "branch"] {
        out.extend(ctx.value(key).map(|value| format!("--{key}={}", text(value))));
    }
    out.extend(each("setopt").iter().map(|option| format!("--setopt={option}")));
    out
}

/// Expires what dnf has cached of the repositories, and asks them again.
pub(super) fn refresh(ctx: &Context<'_>) -> Result<(), String> {
    for verb in [["clean", "expire-cache"].as_slice(), &["check-update"]] {
        let mut argv = command(ctx);
        argv.push("--quiet".to_owned());
        argv.extend(words(verb));
        argv.extend(options(ctx));
        ask(ctx, argv, &[])?;
    }
    Ok(())
}

/// Names, versions and architectures that `dnf list` shows; long lines are broken anywhere.
fn listed(output: &str, native: &str) -> Vec<(String, String, String)> {
    let headline = |line: &&str| {
        let line = line.trim().to_lowercase();
        ![
            "installed packages",
            "available packages",
            "available upgrades",
            "updated packages",
            "upgraded packages",
            "obsoleting packages",
        ]
        .contains(&line.as_str())
            && !line.starts_with("last metadata expiration check")
    };
    let words: Vec<&str> =
        output.lines().filter(headline).flat_map(str::split_whitespace).collect();
    let entry = |parts: &[&str]| {
        let (name, arch) = parts[0].rsplit_once('.').unwrap_or((parts[0], native));
        let version = parts[1].strip_prefix("0:").unwrap_or(parts[1]);
        (resolved(name, arch, native), version.to_owned(), arch.to_owned())
    };
    words.chunks_exact(3).map(entry).collect()
}

pub(super) fn candidates(
    ctx: &Context<'_>,
    names: &[String],
) -> Result<IndexMap<String, String>, String> {
    let all = list(ctx, &["list", "available"], names)?;
    let mut out: IndexMap<String, String> = IndexMap::new();
    for (name, version, _) in all {
        let better =
            out.get(&name).is_none_or(|best| version::rpm(best, &version) == Ordering::Less);
        if names.contains(&name) && better {
            out.insert(name, version);
        }
    }
    Ok(out)
}

pub(super) fn available(ctx: &Context<'_>, names: &[String]) -> IndexMap<String, Vec<String>> {
    let mut out: IndexMap<String, Vec<String>> = IndexMap::new();
    if names.is_empty() {
        return out;
    }
    for (name, version, _) in list(ctx, &["--showduplicates", "list"], names).unwrap_or_default() {
        let versions = out.entry(name).or_default();
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    out.values_mut().for_each(|versions| versions.sort_by(|a, b| version::rpm(b, a)));
    out
}

type Listed = Vec<(String, String, String)>;

fn list(ctx: &Context<'_>, verb: &[&str], names: &[String]) -> Result<Listed, String> {
    let mut argv = words(&[program(ctx), "--quiet"]);
    argv.extend(options(ctx));
    argv.extend(words(verb));
    argv.extend(names.iter().cloned());
    // Nothing to list is an error of dnf's.
    let output = ask(ctx, argv, &[])?;
    Ok(if output.code == 0 { listed(&output.stdout, &native(ctx)) } else { Vec::new() })
}

/// A package of a version as dnf takes it: `name-version.arch`, without an epoch.
pub(super) fn argument(name: &str, version: &str) -> String {
    let version = version.split_once(':').map_or(version, |(_, rest)| rest);
    match name.rsplit_once('.') {
        Some((bare, arch)) if ARCHES.contains(&arch) => format!("{bare}-{version}.{arch}"),
        _ => format!("{name}-{version}"),
    }
}

/// Does the job; packages that versionlock holds are left alone unless `update_holds` is set.
pub(super) fn install(ctx: &Context<'_>, job: &Job, database: &Database) -> Vec<String> {
    let mut errors = Vec::new();
    let update_holds = ctx.flag("update_holds", false);
    let (held, prevented): (Vec<&String>, Vec<&String>) =
        job.names().filter(|name| database.held.contains(*name)).partition(|_| update_holds);
    if !prevented.is_empty() {
        let names: Vec<&str> = prevented.iter().map(|name| name.as_str()).collect();
        errors.push(format!(
            "The following package(s) could not be updated because they are being held: {}. Set \
             'update_holds' to True to temporarily unhold these packages so that they can be \
             updated.",
            names.join(", ")
        ));
    }
    for name in &held {
        errors.extend(lock(ctx, "delete", name).err());
    }
    for (verb, list) in
        [("install", &job.targets), ("downgrade", &job.downgrades), ("reinstall", &job.reinstalls)]
    {
        let arguments: Vec<String> = list
            .iter()
            .filter(|(name, _)| !prevented.contains(&name))
            .map(|(_, argument)| argument.clone())
            .collect();
        if arguments.is_empty() {
            continue;
        }
        let mut argv = command(ctx);
        argv.extend(options(ctx));
        if ctx.flag("skip_verify", false) {
            argv.push("--nogpgcheck".to_owned());
        }
        if job.download_only {
            argv.push("--downloadonly".to_owned());
        }
        argv.push(verb.to_owned());
        if verb == "install" && program(ctx) != "yum" {
            argv.extend(words(&["--best", "--allowerasing"]));
        }
        argv.push("--".to_owned());
        argv.extend(arguments);
        errors.extend(failure(transact(ctx, argv, &[])));
    }
    for name in &held {
        errors.extend(lock(ctx, "add", name).err());
    }
    errors
}

pub(super) fn remove(ctx: &Context<'_>, names: &[String]) -> Vec<String> {
    let mut argv = command(ctx);
    argv.extend(words(&["remove", "--"]));
    argv.extend(names.iter().cloned());
    failure(transact(ctx, argv, &[])).into_iter().collect()
}

/// What would be upgraded, and to which version.
pub(super) fn upgrades(ctx: &Context<'_>) -> Result<IndexMap<String, String>, String> {
    let verb = if program(ctx) == "yum" { "updates" } else { "--upgrades" };
    let all = list(ctx, &["list", verb], &[])?;
    Ok(all.into_iter().map(|(name, version, _)| (name, version)).collect())
}

/// Upgrades these packages, or all that can be.
pub(super) fn upgrade(ctx: &Context<'_>, names: &[String]) -> Result<(), Output> {
    let mut argv = command(ctx);
    argv.push("--quiet".to_owned());
    argv.extend(options(ctx));
    if ctx.flag("skip_verify", false) {
        argv.push("--nogpgcheck".to_owned());
    }
    if !ctx.flag("obsoletes", true) {
        argv.push("--setopt=obsoletes=False".to_owned());
    }
    let minimal = ctx.flag("minimal", false);
    argv.push(if minimal { "upgrade-minimal" } else { "upgrade" }.to_owned());
    argv.extend(names.iter().cloned());
    match transact(ctx, argv, &[]) {
        Ok(output) if output.code == 0 => Ok(()),
        Ok(output) => Err(output),
        Err(problem) => {
            let stdout = String::new();
            Err(Output { pid: 0, code: 1, stdout, stderr: problem, timed_out: false })
        }
    }
}

/// `versionlock add` or `delete`.
pub(super) fn lock(ctx: &Context<'_>, verb: &str, name: &str) -> Result<(), String> {
    let mut argv = command(ctx);
    argv.extend(words(&["versionlock", verb, name]));
    failure(transact(ctx, argv, &[])).map_or(Ok(()), Err)
}

/// The packages of a group: mandatory ones, default ones, optional ones.
pub(super) fn group(ctx: &Context<'_>, name: &str) -> Result<[Vec<String>; 3], String> {
    let mut argv = words(&[program(ctx), "--quiet"]);
    argv.extend(options(ctx));
    // yum and dnf know it in one word; dnf5 in two.
    let verb: &[&str] = if program(ctx) == "dnf5" { &["group", "info"] } else { &["groupinfo"] };
    argv.extend(words(verb));
    argv.push(name.to_owned());
    let output = ask(ctx, argv, &[])?;
    if output.code != 0 || output.stdout.trim().is_empty() {
        return Err(format!("Group '{name}' not found"));
    }
    Ok(members(&output.stdout))
}

fn members(info: &str) -> [Vec<String>; 3] {
    let mut out = [Vec::new(), Vec::new(), Vec::new()];
    let mut current = None;
    for line in info.lines() {
        let line = line.trim();
        let lower = line.to_lowercase();
        let kind = ["mandatory packages", "default packages", "optional packages"]
            .iter()
            .position(|kind| lower.starts_with(kind));
        let member = match (kind, line.split_once(':')) {
            (Some(kind), Some((_, first))) => {
                current = Some(kind);
                first.trim()
            }
            // dnf5 goes on under a bare colon.
            (None, Some((head, rest))) if head.trim().is_empty() => rest.trim(),
            (None, Some(_)) => {
                current = None;
                ""
            }
            _ => line,
        };
        if let Some(kind) = current.filter(|_| !member.is_empty()) {
            out[kind].push(member.trim_start_matches(['+', '-', '=']).to_owned());
        }
    }
    out.iter_mut().for_each(|list| list.sort());
    out
}

fn failure(done: Result<Output, String>) -> Option<String> {
    match done {
        Ok(output) if output.code == 0 => None,
        Ok(output) => Some(told(&output)),
        Err(problem) => Some(problem),
    }
}

/// dnf tells of errors on either stream.
fn told(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rpms_list_is_understood() {
        let found = parse(
            "bash 0:5.1-6.el9 x86_64\nx 1:2-3 noarch\nlib 0:1-1 i686\nkernel 0:5-2 x86_64\n\
             kernel 0:5-1 x86_64\n",
            "x86_64",
        );
        assert_eq!(found.versions("bash"), ["5.1-6.el9"]);
        assert_eq!(found.versions("x"), ["1:2-3"]);
        assert_eq!(found.versions("lib.i686"), ["1-1"]);
        assert_eq!(found.versions("kernel"), ["5-1", "5-2"]);
    }

    #[test]
    fn dnfs_list_is_understood_where_lines_are_broken() {
        let output = "Available Packages\na.noarch   1:2-1  local\na-very-long-name.x86_64\n      \
                      3-1.el9   local\n";
        let found = listed(output, "x86_64");
        assert_eq!(found[0], ("a".to_owned(), "1:2-1".to_owned(), "noarch".to_owned()));
        assert_eq!(found[1].0, "a-very-long-name");
    }

    #[test]
    fn a_version_is_asked_for_without_its_epoch_and_before_the_architecture() {
        assert_eq!(argument("a", "1:2-3"), "a-2-3");
        assert_eq!(argument("a.i686", "2-3"), "a-2-3.i686");
    }

    #[test]
    fn versionlocks_list_is_understood() {
        let list = "# why\nbash-0:5.1-6.el9.*\n!gone-0:1-1.*\npython3-dnf-1:2-3.*\n";
        assert_eq!(locked(list), ["bash", "python3-dnf"]);
        assert_eq!(locked("[[packages]]\nname = \"bash\"\n"), ["bash"]);
    }

    #[test]
    fn members_of_a_group_are_understood() {
        let info = "Group: Tools\n Description: x\n Mandatory Packages:\n   b\n   a\n \
                    Default Packages:\n   c\n Conditional Packages:\n   z\n";
        assert_eq!(
            members(info),
            [vec!["a".to_owned(), "b".to_owned()], vec!["c".to_owned()], vec![]]
        );
    }
}
