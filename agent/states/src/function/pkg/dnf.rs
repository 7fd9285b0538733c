//! Rocky, Alma, RHEL, Fedora: rpm's database, dnf.

use super::request::Request;
use super::transaction::{Installed, execute, words};
use crate::function::Context;

/// Asks rpm once for all names, versions and provides.
pub(super) fn installed(ctx: &Context<'_>) -> Result<Installed, String> {
    let format = "P %{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE} %{ARCH}\\n[V %{PROVIDENAME}\\n]";
    let output = execute(ctx, words(&["rpm", "-qa", "--queryformat", format]), &[])?;
    Ok(parse(&output.stdout))
}

fn parse(listed: &str) -> Installed {
    let mut out = Installed::default();
    for line in listed.lines() {
        let mut fields = line.split(' ');
        match (fields.next(), fields.next(), fields.next(), fields.next()) {
            (Some("P"), Some(name), Some(version), Some(arch)) => {
                let version = version.strip_prefix("0:").unwrap_or(version);
                out.qualified.insert(format!("{name}.{arch}"), version.to_owned());
                out.versions.insert(name.to_owned(), version.to_owned());
            }
            (Some("V"), Some(name), ..) => {
                out.provided.insert(name.to_owned());
            }
            _ => {}
        }
    }
    out
}

/// dnf refreshes by itself when its lists are old; an explicit run makes sure they are not.
pub(super) fn refresh(ctx: &Context<'_>) -> Result<(), String> {
    if ctx.value("refresh").is_none() {
        return Ok(());
    }
    execute(ctx, words(&["dnf", "-q", "-y", "makecache"]), &[]).map(|_| ())
}

pub(super) fn install(ctx: &Context<'_>, wanted: &[Request]) -> Result<(), String> {
    let mut argv = words(&["dnf", "-q", "-y"]);
    if let Some(repository) = ctx.text("fromrepo") {
        argv.extend(["--disablerepo=*".to_owned(), format!("--enablerepo={repository}")]);
    }
    argv.push("install".to_owned());
    argv.extend(wanted.iter().map(|one| match &one.version {
        Some(version) if !version.starts_with(['<', '>', '!']) => {
            format!("{}-{}", one.name, version.trim_start_matches('='))
        }
        Some(version) => format!("{} {version}", one.name),
        None => one.name.clone(),
    }));
    execute(ctx, argv, &[]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rpms_list_is_understood() {
        let installed = parse("P bash 0:5.1-6.el9 x86_64\nV bash\nV /bin/sh\nP x 1:2-3 noarch\n");
        assert_eq!(installed.version("bash"), Some("5.1-6.el9"));
        assert_eq!(installed.version("x"), Some("1:2-3"));
        assert!(installed.provides("/bin/sh"));
    }
}
