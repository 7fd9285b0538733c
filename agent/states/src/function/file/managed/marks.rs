//! `attrs` and `selinux`: marks of a file beside its mode, by the tools that know them.

use serde_json::{Map, Value, json};

use crate::function::Context;
use crate::host::command::{Exec, run};
use crate::host::files::{security_label, set_security_label};
use crate::outcome::Changes;

/// What differs, as a dry run tells it: of a file whose contents may change less than of another.
pub(super) fn differences(ctx: &Context<'_>, replacing: bool) -> Changes {
    let mut changes = Changes::new();
    if let Some((old, added, removed)) = attributes(ctx)
        && !(added.is_empty() && removed.is_empty())
    {
        let new = ctx.text("attrs").unwrap_or_default();
        if !replacing {
            changes.insert("attrs".to_owned(), json!({"old": old, "new": new}));
        } else if !(ctx.test && new.is_empty()) {
            changes.insert("attrs".to_owned(), Value::from(new));
        }
    }
    for (name, _, wanted) in contexts(ctx) {
        changes.insert("selinux".to_owned(), json!({name: wanted}));
    }
    changes
}

/// Sets what differs; tells the changes and what could not be set.
pub(super) fn set(ctx: &Context<'_>) -> (Changes, Vec<String>) {
    let (mut changes, mut problems) = (Changes::new(), Vec::new());
    if let Some((old, added, removed)) = attributes(ctx) {
        let place = ctx.host.followed(ctx.name()).to_string_lossy().into_owned();
        for (sign, letters) in [('+', &added), ('-', &removed)] {
            if letters.is_empty() {
                continue;
            }
            let argv = vec!["chattr".to_owned(), format!("{sign}{letters}"), place.clone()];
            let exec = Exec { argv, ..Exec::default() };
            if !run(ctx.host, &exec, ctx.cancel).is_ok_and(|output| output.code == 0) {
                let wanted = ctx.text("attrs").unwrap_or_default();
                problems.push(format!("Failed to change attributes to {wanted}"));
            }
        }
        if problems.is_empty() && !(added.is_empty() && removed.is_empty()) {
            let new = ctx.text("attrs").unwrap_or_default();
            changes.insert("attrs".to_owned(), json!({"old": old, "new": new}));
        }
    }
    let wanted = contexts(ctx);
    if !wanted.is_empty() {
        match label(ctx, &wanted) {
            Ok(()) => {
                let told = |pick: fn(&(&str, String, String)) -> String| -> String {
                    let words = wanted.iter().map(|entry| {
                        let (first, rest) = entry.0.split_at(1);
                        format!("{}{rest}: {}", first.to_uppercase(), pick(entry))
                    });
                    words.collect::<Vec<_>>().join(" ")
                };
                let old = told(|entry| entry.1.clone());
                let new = told(|entry| entry.2.clone());
                changes.insert("selinux".to_owned(), json!({"Old": old, "New": new}));
            }
            Err(problem) => problems.push(problem),
        }
    }
    (changes, problems)
}

/// The attributes that are set, and the letters to add and to remove.
fn attributes(ctx: &Context<'_>) -> Option<(String, String, String)> {
    let wanted = ctx.text("attrs")?;
    let place = ctx.host.followed(ctx.name()).to_string_lossy().into_owned();
    let argv = vec!["lsattr".to_owned(), "-d".to_owned(), place];
    let exec = Exec { argv, reads: true, ..Exec::default() };
    let output = run(ctx.host, &exec, ctx.cancel).ok().filter(|output| output.code == 0)?;
    let old: String = output
        .stdout
        .split_whitespace()
        .next()?
        .chars()
        .filter(|letter| "aAcCdDeijPsStTu".contains(*letter))
        .collect();
    let added = wanted.chars().filter(|letter| !old.contains(*letter)).collect();
    // Extents are the filesystem's own business.
    let removed = old.chars().filter(|letter| *letter != 'e' && !wanted.contains(*letter));
    let removed = removed.collect();
    Some((old, added, removed))
}

const FIELDS: [(&str, &str); 4] =
    [("user", "seuser"), ("role", "serole"), ("type", "setype"), ("range", "serange")];

/// Fields of the SELinux context that differ: name, current, wanted.
fn contexts(ctx: &Context<'_>) -> Vec<(&'static str, String, String)> {
    let Some(wanted) = ctx.value("selinux").and_then(Value::as_object) else { return Vec::new() };
    let current = security_label(&ctx.host.followed(ctx.name())).unwrap_or_default();
    let mut current = current.splitn(4, ':').map(str::to_owned);
    let mut out = Vec::new();
    for (name, key) in FIELDS {
        let own = current.next().unwrap_or_default();
        if let Some(value) = text(wanted, key).filter(|value| *value != own) {
            out.push((name, own, value));
        }
    }
    out
}

fn text(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key).map(crate::function::args::text).filter(|value| !value.is_empty())
}

fn label(ctx: &Context<'_>, wanted: &[(&str, String, String)]) -> Result<(), String> {
    let place = ctx.host.followed(ctx.name());
    let current = security_label(&place).ok_or("Failed to get selinux attributes")?;
    let mut fields: Vec<String> = current.splitn(4, ':').map(str::to_owned).collect();
    for (at, (name, _)) in FIELDS.iter().enumerate() {
        let value = wanted.iter().find(|(own, ..)| own == name);
        if let (Some((.., value)), Some(field)) = (value, fields.get_mut(at)) {
            field.clone_from(value);
        }
    }
    set_security_label(&place, &fields.join(":"))
        .map_err(|error| format!("Failed to set selinux attributes: {error}"))
}
