//! timezone, locale, kernelpkg: the machine's time, languages and kernel.

use minijinja::Error;
use minijinja::value::Value;
use serde_json::json;

use super::service::printed;
use super::{Call, Function, reads};
use crate::render::python::{from_json, text};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("timezone.get_zone", "", |call| Ok(zone(call))),
    reads("timezone.zone_compare", "timezone", |call| {
        Ok(Value::from(text(&zone(call)) == call.text("timezone")))
    }),
    reads("timezone.get_offset", "", |call| told(call, &["date", "+%z"])),
    reads("timezone.get_zonecode", "", |call| told(call, &["date", "+%Z"])),
    reads("locale.get_locale", "", locale),
    reads("locale.list_avail", "", |call| Ok(from_json(&json!(locales(call)?)))),
    reads("locale.avail", "locale", |call| {
        let wanted = normal(&call.text("locale"));
        Ok(Value::from(locales(call)?.iter().any(|own| normal(own.trim()) == wanted)))
    }),
    reads("kernelpkg.active", "", |call| {
        Ok(call.scope.facts.get("kernelrelease").map_or_else(|| Value::from(""), from_json))
    }),
];

fn zone(call: &Call<'_>) -> Value {
    call.scope.facts.get("timezone").map_or_else(|| Value::from("UTC"), from_json)
}

fn told(call: &Call<'_>, argv: &[&str]) -> Result<Value, Error> {
    Ok(Value::from(printed(call, argv)?.trim_end()))
}

fn locale(call: &Call<'_>) -> Result<Value, Error> {
    let files = ["/etc/locale.conf", "/etc/default/locale", "/etc/sysconfig/i18n"];
    let lang = |text: String| {
        let line =
            text.lines().find_map(|line| line.trim().strip_prefix("LANG=").map(str::to_owned));
        line.map(|value| value.trim_matches(['"', '\'']).to_owned())
    };
    let found = files.iter().filter_map(|path| call.scope.host.read_text(path)).find_map(lang);
    Ok(Value::from(found.unwrap_or_default()))
}

fn locales(call: &Call<'_>) -> Result<Vec<String>, Error> {
    let told = printed(call, &["locale", "-a"])?;
    Ok(told.trim_end().split('\n').map(str::to_owned).collect())
}

/// A locale as `locale -a` writes it: `de_DE.utf8@euro`.
fn normal(locale: &str) -> String {
    let cut = |text: &str, by: char| {
        let (start, end) = text.split_once(by).unwrap_or((text, ""));
        (start.to_owned(), if end.is_empty() { String::new() } else { format!("{by}{end}") })
    };
    let (locale, _) = cut(locale, ' ');
    let (locale, modifier) = cut(&locale, '@');
    let (locale, codeset) = cut(&locale, '.');
    let (language, territory) = cut(&locale, '_');
    let codeset = codeset.to_lowercase().replace('-', "");
    format!("{language}{}{codeset}{modifier}", territory.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_written_as_the_machine_lists_them() {
        assert_eq!(normal("de_de.UTF-8@euro UTF-8"), "de_DE.utf8@euro");
        assert_eq!(normal("C.UTF-8"), "C.utf8");
        assert_eq!(normal("POSIX"), "POSIX");
    }
}
