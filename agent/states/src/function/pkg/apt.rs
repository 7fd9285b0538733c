//! Debian and Ubuntu: dpkg's status file, apt-get.

use super::request::Request;
use super::transaction::{Installed, execute, words};
use crate::function::Context;

const STATUS: &str = "/var/lib/dpkg/status";
const ENV: [(&str, &str); 4] = [
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("APT_LISTCHANGES_FRONTEND", "none"),
    ("APT_LISTBUGS_FRONTEND", "none"),
    ("UCF_FORCE_CONFFOLD", "1"),
];

/// Reads dpkg's status file: twenty times as fast as asking dpkg-query.
pub(super) fn installed(ctx: &Context<'_>) -> Result<Installed, String> {
    let status = ctx.host.read_text(STATUS).ok_or_else(|| format!("cannot read {STATUS}"))?;
    Ok(parse(&status))
}

fn parse(status: &str) -> Installed {
    let mut out = Installed::default();
    for paragraph in status.split("\n\n") {
        let field = |name: &str| {
            paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let (Some(name), Some(version)) = (field("Package"), field("Version")) else { continue };
        if !field("Status").is_some_and(|status| status.ends_with(" ok installed")) {
            continue;
        }
        let arch = field("Architecture").unwrap_or_default();
        out.qualified.insert(format!("{name}:{arch}"), version.to_owned());
        out.versions.insert(name.to_owned(), version.to_owned());
        for provided in field("Provides").unwrap_or_default().split(',') {
            let name = provided.split_whitespace().next().unwrap_or_default();
            out.provided.insert(name.to_owned());
        }
    }
    out
}

pub(super) fn refresh(ctx: &Context<'_>) -> Result<(), String> {
    execute(ctx, words(&["apt-get", "-q", "update"]), &ENV).map(|_| ())
}

pub(super) fn install(ctx: &Context<'_>, wanted: &[Request]) -> Result<(), String> {
    let mut argv = words(&[
        "apt-get",
        "-q",
        "-y",
        "-o",
        "DPkg::Options::=--force-confold",
        "-o",
        "DPkg::Options::=--force-confdef",
        "-o",
        "DPkg::Lock::Timeout=300",
    ]);
    if !ctx.flag("install_recommends", true) {
        argv.push("--no-install-recommends".to_owned());
    }
    if ctx.flag("only_upgrade", false) {
        argv.push("--only-upgrade".to_owned());
    }
    if let Some(release) = ctx.text("fromrepo") {
        argv.extend(["-t".to_owned(), release]);
    }
    argv.extend(words(&["install", "--"]));
    argv.extend(wanted.iter().map(|one| match &one.version {
        // Comparisons are apt's own choice; an exact version or a pattern is passed on.
        Some(version) if !version.starts_with(['<', '>', '!']) => {
            format!("{}={}", one.name, version.trim_start_matches('='))
        }
        _ => one.name.clone(),
    }));
    execute(ctx, argv, &ENV).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dpkgs_status_file_is_understood() {
        let installed = parse(
            "Package: mawk\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.3.4-1\n\
             Provides: awk, x (= 1)\n\nPackage: gone\nStatus: deinstall ok \
             config-files\nVersion: 1\n",
        );
        assert_eq!(installed.version("mawk"), Some("1.3.4-1"));
        assert!(installed.provides("awk") && installed.provides("x"));
        assert_eq!(installed.version("gone"), None);
    }
}
