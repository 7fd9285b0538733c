//! Locales that a machine has, by `locale -a`, and their making by `locale-gen` or `localedef`.

use super::default::touch;
use super::{only_here, put_line};
use crate::function::Context;
use crate::function::fault::{Fault, act, ask};
use crate::host::files::which;
use crate::regex::python_regex;

/// Debian's list of what can be made.
const SUPPORTED: &str = "/usr/share/i18n/SUPPORTED";
const SOURCES: &str = "/usr/share/i18n/locales";
/// What is to be made, on Debian.
const WANTED: &str = "/etc/locale.gen";

/// The parts of `ca_ES.UTF-8@valencia UTF-8`.
#[derive(Debug, Clone)]
struct Locale {
    language: String,
    territory: String,
    codeset: String,
    modifier: String,
    charmap: String,
}

impl Locale {
    fn of(text: &str) -> Locale {
        let cut = |text: &str, at: char| {
            let (before, after) = text.split_once(at).unwrap_or((text, ""));
            (before.to_owned(), after.to_owned())
        };
        let (rest, charmap) = cut(text, ' ');
        let (rest, modifier) = cut(&rest, '@');
        let (rest, codeset) = cut(&rest, '.');
        let (language, territory) = cut(&rest, '_');
        Locale { language, territory, codeset, modifier, charmap }
    }

    fn joined(&self) -> String {
        let parts = [
            ('_', &self.territory),
            ('.', &self.codeset),
            ('@', &self.modifier),
            (' ', &self.charmap),
        ];
        let mut out = self.language.clone();
        for (sign, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
            out.push(sign);
            out.push_str(part);
        }
        out
    }

    /// As `locale -a` has it.
    fn normal(text: &str) -> String {
        let own = Locale::of(text);
        Locale {
            territory: own.territory.to_uppercase(),
            codeset: own.codeset.to_lowercase().replace('-', ""),
            charmap: String::new(),
            ..own
        }
        .joined()
    }
}

/// Whether the machine has a locale.
pub(super) fn has(ctx: &Context<'_>, name: &str) -> Result<bool, Fault> {
    only_here(ctx)?;
    let wanted = Locale::normal(name);
    let told = ask(ctx, &["locale", "-a"])?.stdout;
    Ok(told.lines().any(|line| Locale::normal(line.trim()) == wanted))
}

/// Makes a locale; whether that came about.
pub(super) fn generate(ctx: &Context<'_>, name: &str) -> Result<bool, Fault> {
    let (os, family) = (ctx.fact("os"), ctx.fact("os_family"));
    let ubuntu = os == "Ubuntu";
    let mut locale = Locale::of(name);
    let base = format!("{}_{}", locale.language, locale.territory);
    let mut full = name.to_owned();
    if locale.charmap.is_empty() && !ubuntu {
        locale.charmap.clone_from(&locale.codeset);
        full = locale.joined();
    }
    let known = if os == "Debian" || family == "Gentoo" {
        is_supported(ctx, &full)?
    } else {
        let folder = if family == "Suse" { "/usr/share/locale" } else { SOURCES };
        let entries = std::fs::read_dir(ctx.host.followed(folder));
        let entries =
            entries.map_err(|_| Fault::Told(format!("Locale \"{full}\" is not available.")))?;
        entries.flatten().any(|entry| entry.file_name() == base.as_str())
    };
    if !known {
        return Ok(false);
    }
    if ctx.host.stat(WANTED).is_some() {
        put_line(ctx, WANTED, &format!(r"^\s*#\s*{full}\s*$"), &format!("{full}\n"))?;
    } else if ubuntu {
        let path = format!("/var/lib/locales/supported.d/{}", locale.language);
        touch(ctx, &path)?;
        put_line(ctx, &path, &full, &full)?;
    }
    made(ctx, &full, &base, &locale)
}

fn is_supported(ctx: &Context<'_>, full: &str) -> Result<bool, Fault> {
    let Some(text) = ctx.host.read_text(SUPPORTED) else {
        return Err(Fault::Raised(format!("File not found: {SUPPORTED}")));
    };
    let regex = python_regex(&format!("^{full}$"), false, true, false);
    let found = regex.and_then(|regex| regex.search(&text));
    found.map_err(|error| Fault::Raised(error.to_string()))
}

fn made(ctx: &Context<'_>, full: &str, base: &str, locale: &Locale) -> Result<bool, Fault> {
    if let Some(program) = which(ctx.host, "locale-gen") {
        let all = ctx.fact("os_family") == "Gentoo";
        let name = if ctx.fact("os") == "Ubuntu" { Locale::normal(full) } else { full.to_owned() };
        let argv =
            if all { vec![&*program, "--generate", &*name] } else { vec![&*program, &*name] };
        return Ok(act(ctx, &argv)?.code == 0);
    }
    let Some(program) = which(ctx.host, "localedef") else {
        let words = "Command \"locale-gen\" or \"localedef\" was not found on this system.";
        return Err(Fault::Told(words.to_owned()));
    };
    let codeset = &locale.codeset;
    let name = format!("{base}.{codeset}");
    let argv = [&*program, "--force", "-i", base, "-f", codeset, &*name, "--quiet"];
    Ok(act(ctx, &argv)?.code == 0)
}

#[cfg(test)]
mod tests {
    use super::Locale;

    #[test]
    fn locales_are_the_same_however_written() {
        assert_eq!(Locale::normal("en_us.UTF-8 UTF-8"), "en_US.utf8");
        assert_eq!(Locale::normal("ca_ES.UTF-8@valencia"), "ca_ES.utf8@valencia");
        assert_eq!(Locale::normal("C"), "C");
    }
}
