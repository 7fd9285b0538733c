//! The locale that a machine starts with: `localectl`'s, or what a file of the distribution says.

use indexmap::IndexMap;
use serde_json::Value;

use super::{only_here, put_line};
use crate::function::Context;
use crate::function::args::strerror;
use crate::function::fault::{Fault, act, ask};
use crate::host::files::{Access, replace, which};

const CONF: &str = "/etc/locale.conf";

/// Parts of a locale, as `LANG`; `None` is said to be unset.
type Parts = IndexMap<String, Option<String>>;

/// The machine's `LANG`.
pub(super) fn current(ctx: &Context<'_>) -> Result<String, Fault> {
    only_here(ctx)?;
    let release = major(ctx);
    if booted(ctx) && !(ctx.fact("os_family") == "Suse" && release == Some(12)) {
        let parts = status(ctx)?.ok_or_else(|| Fault::Raised("'system_locale'".to_owned()))?;
        return Ok(parts.get("LANG").cloned().flatten().unwrap_or_default());
    }
    let (begin, path) = match ctx.fact("os_family") {
        family if family.contains("Suse") => ("RC_LANG", "/etc/sysconfig/language"),
        family if family.contains("RedHat") => ("LANG=", "/etc/sysconfig/i18n"),
        family if family.contains("Debian") => ("LANG=", "/etc/default/locale"),
        _ => {
            let name = ctx.fact("oscodename");
            return Err(Fault::Told(format!("Error: \"{name}\" is unsupported!")));
        }
    };
    let text = ctx.host.read_text(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(begin)).collect();
    // All lines that it found are one text to Salt.
    let found = lines.join("\n");
    Ok(found.trim_end().split('=').nth(1).unwrap_or_default().replace('"', ""))
}

/// Sets the machine's `LANG`.
pub(super) fn set(ctx: &Context<'_>, name: &str) -> Result<(), Fault> {
    let (family, release) = (ctx.fact("os_family"), major(ctx));
    let by_file = (family == "Suse" && release == Some(12))
        || (family == "Debian" && release.is_some_and(|release| release >= 13));
    if booted(ctx) && !by_file {
        return by_localectl(ctx, name);
    }
    if family.contains("Suse") {
        let path = "/etc/sysconfig/language";
        touch(ctx, path)?;
        put_line(ctx, path, "^RC_LANG=.*", &format!("RC_LANG=\"{name}\""))
    } else if family.contains("RedHat") {
        let path = "/etc/sysconfig/i18n";
        touch(ctx, path)?;
        put_line(ctx, path, "^LANG=.*", &format!("LANG=\"{name}\""))
    } else if family.contains("Debian") {
        let program = which(ctx.host, "update-locale").ok_or_else(|| {
            Fault::Told("Cannot set locale: \"update-locale\" was not found.".to_owned())
        })?;
        act(ctx, &[&program])?;
        put_line(ctx, "/etc/default/locale", "^LANG=.*", &format!("LANG=\"{name}\""))
    } else {
        Err(Fault::Told("Error: Unsupported platform!".to_owned()))
    }
}

fn booted(ctx: &Context<'_>) -> bool {
    ctx.host.stat("/run/systemd/system").is_some()
}

fn major(ctx: &Context<'_>) -> Option<i64> {
    ctx.view().facts.get("osmajorrelease").and_then(Value::as_i64)
}

/// What `localectl` says of the locale; `None` if it says nothing of it.
fn status(ctx: &Context<'_>) -> Result<Option<Parts>, Fault> {
    let program = which(ctx.host, "localectl")
        .ok_or_else(|| Fault::Told("Unable to find \"localectl\"".to_owned()))?;
    let output = ask(ctx, &[&program, "status"])?;
    if output.stderr.contains("Failed to connect to bus: No such file or directory") {
        return Err(Fault::Told("Command \"localectl\" is in a degraded state.".to_owned()));
    }
    parsed(&format!("{}{}", output.stdout, output.stderr))
}

fn parsed(told: &str) -> Result<Option<Parts>, Fault> {
    let mut all: IndexMap<String, Parts> = IndexMap::new();
    let mut key = None;
    for line in told.trim().lines() {
        let data = match line.split_once(": ") {
            None => line.trim(),
            Some((_, data)) if data.contains(": ") => {
                return Err(Fault::Raised("too many values to unpack (expected 2)".to_owned()));
            }
            Some((name, data)) => {
                key = Some(name.trim().to_lowercase().replace(' ', "_"));
                data
            }
        };
        let Some(key) = key.as_ref().filter(|_| !data.is_empty()) else { continue };
        match data.split_once('=') {
            Some((_, value)) if value.contains('=') => {}
            Some((name, value)) => {
                let own = all.entry(key.clone()).or_default();
                own.insert(name.to_owned(), Some(value.to_owned()));
            }
            None => {
                let value = Some(data.to_owned()).filter(|data| data != "n/a" && data != "(unset)");
                all.insert(key.clone(), Parts::from_iter([("data".to_owned(), value)]));
            }
        }
    }
    if all.is_empty() {
        return Err(Fault::Told("Unable to parse result of \"localectl\"".to_owned()));
    }
    Ok(all.swap_remove("system_locale"))
}

/// Sets one part and leaves the others; where the service does not do it, its file is written.
fn by_localectl(ctx: &Context<'_>, name: &str) -> Result<(), Fault> {
    let mut parts = status(ctx)?.unwrap_or_default();
    parts.insert("LANG".to_owned(), Some(name.to_owned()));
    let program = which(ctx.host, "localectl").unwrap_or_else(|| "localectl".to_owned());
    let words: Vec<String> = parts
        .iter()
        .filter_map(|(part, value)| Some(format!("{part}={}", value.as_ref()?)))
        .collect();
    let argv = [program.as_str(), "set-locale"].into_iter();
    let argv: Vec<&str> = argv.chain(words.iter().map(String::as_str)).collect();
    if act(ctx, &argv)?.code == 0 {
        return Ok(());
    }
    touch(ctx, CONF)?;
    put_line(ctx, CONF, "^LANG=.*", &format!("LANG={name}"))
}

/// Makes a file that is not there.
pub(super) fn touch(ctx: &Context<'_>, path: &str) -> Result<(), Fault> {
    if ctx.host.stat(path).is_some() {
        return Ok(());
    }
    replace(ctx.host, &ctx.host.followed(path), b"", Access::default())
        .map_err(|error| Fault::Told(strerror(&error)))
}

#[cfg(test)]
mod tests {
    use super::parsed;

    #[test]
    fn localectl_tells_the_locale_in_lines() {
        let told = "   System Locale: LANG=C.UTF-8\n                  LC_TIME=C\n       \
                    VC Keymap: (unset)\n";
        let parts = parsed(told).unwrap().unwrap();
        assert_eq!(parts["LANG"].as_deref(), Some("C.UTF-8"));
        assert_eq!(parts["LC_TIME"].as_deref(), Some("C"));
        let parts = parsed("System Locale: n/a\n").unwrap().unwrap();
        assert_eq!(parts["data"], None);
        assert!(parsed("nothing\n").is_err());
    }
}
