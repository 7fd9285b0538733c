//! Making a new user, as useradd does.

use std::io;

use serde_json::Value;

use super::wanted::{AGES, Wanted, gid, number};
use super::{REDACTED, gecos, info};
use crate::function::Context;
use crate::function::args::text;
use crate::host::accounts::limits::Limits;
use crate::host::accounts::{Accounts, Group, User, edit, shadow, subordinate};
use crate::outcome::Outcome;

/// The user to be, and a group of its own to make first.
struct New {
    user: User,
    own_group: Option<Group>,
}

pub(super) fn create(ctx: &Context<'_>, wanted: &Wanted) -> Outcome {
    let name = ctx.name();
    let limits = Limits::read(ctx.host);
    let done = new(ctx, wanted, &limits)
        .map_err(io::Error::other)
        .and_then(|new| act(ctx, wanted, &limits, &new).map(|()| new.user));
    let user = match done {
        Ok(user) => user,
        Err(error) => {
            // Salt's words name no reason.
            tracing::warn!(user = name, %error, "cannot create a user");
            return Outcome::failed(format!("Failed to create new user {name}"));
        }
    };
    let mut changes = info(ctx, &user);
    if !ctx.flag("createhome", true) {
        changes.insert("home".to_owned(), Value::from(""));
    }
    let outcome = Outcome::changed(format!("New user {name} created"), changes);
    secrets(ctx, wanted, outcome).unwrap_or_else(|error| {
        let comment =
            format!("User {name} created but failed to set password to {REDACTED}: {error}");
        Outcome::failed(comment)
    })
}

fn act(ctx: &Context<'_>, wanted: &Wanted, limits: &Limits, new: &New) -> io::Result<()> {
    let (host, user) = (ctx.host, &new.user);
    let system = ctx.flag("system", false);
    if let Some(group) = &new.own_group {
        edit::add_group(host, group)?;
    }
    edit::add_user(host, user, limits, system)?;
    if !system {
        subordinate::give(host, user, limits)?;
    }
    if ctx.flag("createhome", true) {
        edit::make_home(host, user, limits.home_mode)?;
    }
    let mut groups = wanted.groups.clone().unwrap_or_default();
    groups.extend(wanted.optional_groups.iter().cloned());
    if groups.is_empty() { Ok(()) } else { edit::set_groups(host, &user.name, &groups, true) }
}

/// The password and its ages, and what is told of them.
fn secrets(ctx: &Context<'_>, wanted: &Wanted, mut outcome: Outcome) -> io::Result<Outcome> {
    let (host, name) = (ctx.host, ctx.name());
    let empty = ctx.flag("empty_password", false);
    match &wanted.password {
        Some(password) if !empty => {
            shadow::set_password(host, name, password)?;
            outcome.changes.insert("password".to_owned(), Value::from(REDACTED));
        }
        None if empty => {
            shadow::set_field(host, name, "")?;
            outcome.changes.insert("password".to_owned(), Value::from(""));
        }
        Some(_) | None => {}
    }
    for (key, age) in AGES {
        if let Some(days) = number(ctx, key).filter(|days| key == "date" || *days != 0) {
            shadow::set_age(host, name, age, days)?;
            outcome.changes.insert(key.to_owned(), Value::from(days));
        }
    }
    Ok(outcome)
}

fn new(ctx: &Context<'_>, wanted: &Wanted, limits: &Limits) -> Result<New, String> {
    let (name, accounts) = (ctx.name(), ctx.host.accounts());
    if !is_name(name) {
        return Err(format!("'{name}' is no name for a user"));
    }
    let system = ctx.flag("system", false);
    let uid = match number(ctx, "uid") {
        None => limits.free_uid(&accounts, system).ok_or("no uid is free")?,
        Some(uid) => u32::try_from(uid).map_err(|_| format!("{uid} is no uid"))?,
    };
    let taken = accounts.users.iter().any(|user| user.uid == uid);
    if taken && ctx.flag("unique", true) {
        return Err(format!("the uid {uid} is taken"));
    }
    let (gid, own_group) = primary(ctx, wanted, &accounts, limits, uid)?;
    let mut fields = gecos::split("");
    for (field, value) in gecos::FIELDS.iter().zip(&mut fields) {
        *value = ctx.text(field).unwrap_or_default();
    }
    let set = |key: &str| ctx.text(key).filter(|value| !value.is_empty());
    let user = User {
        name: name.to_owned(),
        uid,
        gid,
        gecos: gecos::join(&fields),
        home: ctx.text("home").unwrap_or_else(|| format!("{}/{name}", limits.home_base)),
        shell: set("shell").unwrap_or_else(|| limits.shell.clone()),
    };
    if [&user.gecos, &user.home, &user.shell].iter().any(|part| part.contains([':', '\n'])) {
        return Err("a colon or a line's end would break the line in passwd".to_owned());
    }
    Ok(New { user, own_group })
}

fn is_name(name: &str) -> bool {
    let fine = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, ':' | ',' | '/');
    !name.is_empty()
        && name.len() <= 256
        && !name.starts_with(['-', '+', '~'])
        && name.chars().all(fine)
}

/// The primary group: the one asked for, one of the user's own, or that of all users.
fn primary(
    ctx: &Context<'_>,
    wanted: &Wanted,
    accounts: &Accounts,
    limits: &Limits,
    uid: u32,
) -> Result<(u32, Option<Group>), String> {
    let name = ctx.name();
    if let Some(asked) = gid(ctx, accounts).map(|gid| text(&gid)).filter(|gid| !gid.is_empty()) {
        let found = accounts.gid(&asked).filter(|gid| accounts.group_name(*gid) != gid.to_string());
        let found = found.ok_or_else(|| format!("there is no group '{asked}'"))?;
        return Ok((found, None));
    }
    if !ctx.flag("usergroup", limits.own_group) {
        return Ok((limits.group, None));
    }
    if let Some(group) = accounts.group(name) {
        let listed = wanted.groups.iter().flatten().chain(&wanted.optional_groups);
        if listed.into_iter().any(|listed| listed == name) {
            return Ok((group.gid, None));
        }
        return Err(format!("the group {name} exists: set gid, or usergroup"));
    }
    let system = ctx.flag("system", false);
    let taken = accounts.groups.iter().any(|group| group.gid == uid);
    let own = !taken && limits.suits_group(uid, system);
    let gid = if own { Some(uid) } else { limits.free_gid(accounts, system) };
    let gid = gid.ok_or("no gid is free")?;
    Ok((gid, Some(Group { name: name.to_owned(), gid, members: Vec::new() })))
}
