//! Changing a user that is there.

use std::io;

use serde_json::Value;

use super::wanted::{AGES, Wanted, number};
use super::{REDACTED, gecos, info, redacted};
use crate::function::Context;
use crate::function::args::text;
use crate::host::accounts::shadow::{self, Shadow};
use crate::host::accounts::{User, edit};
use crate::outcome::{Changes, Outcome};
use crate::render::python;

/// Names of [`Shadow::days`] in a return.
const DAYS: [&str; 6] = ["lstchg", "min", "max", "warn", "inact", "expire"];

/// Does what differs, and tells what it found different afterwards.
pub(super) fn change(ctx: &Context<'_>, wanted: &Wanted, changes: &Changes) -> Outcome {
    let name = ctx.name();
    let Some(before) = ctx.host.accounts().user(name) else {
        return Outcome::failed(format!("User {name} is not present"));
    };
    let (told, secret) = (info(ctx, &before), shadow::of(ctx.host, name));
    // What fails shows in what is still different afterwards.
    for (what, done) in [
        ("password", secrets(ctx, changes)),
        ("home", home(ctx, changes, &before)),
        ("entry", entry(ctx, changes, &before)),
        ("groups", groups(ctx, changes)),
    ] {
        if let Err(error) = done {
            tracing::warn!(user = name, what, %error, "cannot change a user");
        }
    }
    let mut seen = Changes::new();
    if let Some(after) = ctx.host.accounts().user(name) {
        let after = info(ctx, &after);
        seen.extend(after.into_iter().filter(|(key, value)| told.get(key) != Some(value)));
    }
    let password = wanted.password.clone().unwrap_or_default();
    if secret.as_ref().is_none_or(|secret| secret.passwd != password) {
        seen.extend(aged(secret.as_ref(), shadow::of(ctx.host, name).as_ref()));
    }
    let comment = match seen.is_empty() {
        true => format!("User {name} is present and up to date"),
        false => format!("Updated user {name}"),
    };
    let outcome = Outcome::changed(comment, seen);
    match wanted.changes(ctx, true) {
        Ok(Some(left)) if !left.is_empty() => {
            let left = python::text(&python::from_json(&Value::Object(redacted(&left))));
            let comment = format!("These values could not be changed: {left}");
            Outcome { result: Some(false), comment, ..outcome }
        }
        Ok(_) | Err(_) => outcome,
    }
}

/// How the shadow line differs from what it was.
fn aged(before: Option<&Shadow>, after: Option<&Shadow>) -> Changes {
    let mut changes = Changes::new();
    let Some(after) = after else { return changes };
    if before.map(|before| &before.passwd) != Some(&after.passwd) {
        changes.insert("passwd".to_owned(), Value::from(REDACTED));
    }
    for (at, (key, days)) in DAYS.iter().zip(after.days).enumerate() {
        if before.map(|before| before.days[at]) != Some(days) {
            changes.insert((*key).to_owned(), Value::from(days));
        }
    }
    changes
}

fn secrets(ctx: &Context<'_>, changes: &Changes) -> io::Result<()> {
    let (host, name) = (ctx.host, ctx.name());
    if let Some(hash) = changes.get("passwd") {
        shadow::set_password(host, name, &text(hash))?;
    }
    if changes.contains_key("empty_password") {
        shadow::set_field(host, name, "")?;
    }
    if let Some(lock) = changes.get("password_lock") {
        let current = shadow::of(host, name).map(|own| own.passwd).unwrap_or_default();
        let unlocked = current.trim_start_matches('!');
        if *lock != Value::Bool(false) {
            shadow::set_field(host, name, &format!("!{current}"))?;
        } else if !unlocked.is_empty() {
            // An account without a password stays locked: passwd -u refuses that too.
            shadow::set_field(host, name, unlocked)?;
        }
    }
    for (key, age) in AGES {
        if let Some(days) = changes.get(key).and_then(|_| number(ctx, key)) {
            shadow::set_age(host, name, age, days)?;
        }
    }
    Ok(())
}

fn home(ctx: &Context<'_>, changes: &Changes, before: &User) -> io::Result<()> {
    let host = ctx.host;
    if let Some(home) = changes.get("home").map(text) {
        let from = host.path(&before.home);
        let to = host.path(&home);
        if ctx.flag("persist_home", false) && from.is_dir() && !to.exists() {
            std::fs::rename(&from, &to)?;
        }
        edit::change_user(host, &User { home, ..before.clone() })?;
    }
    match changes.get("homeDoesNotExist").map(text) {
        Some(home) if !host.path(&home).is_dir() => {
            edit::make_bare_home(host, &home, before.uid, before.gid)
        }
        Some(_) | None => Ok(()),
    }
}

/// The rest of the line in passwd.
fn entry(ctx: &Context<'_>, changes: &Changes, before: &User) -> io::Result<()> {
    let accounts = ctx.host.accounts();
    let Some(own) = accounts.users.iter().find(|user| user.name == before.name) else {
        return Err(io::Error::other("the user is not a local one"));
    };
    let mut user = own.clone();
    if let Some(uid) = changes.get("uid").and_then(|uid| text(uid).parse().ok()) {
        let taken = accounts.users.iter().any(|other| other.uid == uid);
        if taken {
            return Err(io::Error::other(format!("the uid {uid} is taken")));
        }
        user.uid = uid;
    }
    if let Some(gid) = changes.get("gid").map(text) {
        let found = accounts.gid(&gid).filter(|gid| accounts.group_name(*gid) != gid.to_string());
        user.gid = found.ok_or_else(|| io::Error::other(format!("there is no group '{gid}'")))?;
    }
    if let Some(shell) = changes.get("shell").map(text) {
        user.shell = shell;
    }
    let mut fields = gecos::split(&user.gecos);
    for (field, value) in gecos::FIELDS.iter().zip(&mut fields) {
        if let Some(wanted) = changes.get(*field).map(text) {
            *value = wanted;
        }
    }
    user.gecos = gecos::join(&fields);
    if user == *own {
        return Ok(());
    }
    edit::change_user(ctx.host, &user)?;
    if (user.uid, user.gid) == (own.uid, own.gid) {
        return Ok(());
    }
    edit::renumber_home(ctx.host, own, &user)
}

fn groups(ctx: &Context<'_>, changes: &Changes) -> io::Result<()> {
    let Some(groups) = changes.get("groups").map(crate::function::args::list) else {
        return Ok(());
    };
    edit::set_groups(ctx.host, ctx.name(), &groups, ctx.flag("remove_groups", true))
}
