//! What a user should be like, compared with what it is.

use serde_json::Value;

use super::{REDACTED, Step, gecos};
use crate::function::Context;
use crate::function::args::text;
use crate::host::accounts::edit::password;
use crate::host::accounts::limits::Limits;
use crate::host::accounts::{Accounts, Group, User};
use crate::outcome::Changes;

/// The step, and the groups that a dry run still waits for.
pub(super) fn wanted(ctx: &Context<'_>) -> Result<(Step, Vec<String>), String> {
    for field in ["fullname", "roomnumber", "workphone"] {
        if let Some(value) = ctx.text(field).filter(|value| value.contains(',')) {
            return Err(format!("Unsupported char ',' in {value}"));
        }
    }
    let accounts = ctx.host.accounts();
    let (mut groups, mut pending) = (ctx.list("groups"), Vec::new());
    let known = |name: &String| accounts.group(name).is_some();
    if let Some(first) = groups.iter().position(|name| !known(name)) {
        let missing: Vec<String> =
            groups[first..].iter().filter(|name| !known(name)).cloned().collect();
        if !ctx.test {
            return Err(format!("The following group(s) are not present: {}", missing.join(",")));
        }
        groups.retain(known);
        pending = missing;
    }
    groups.extend(ctx.list("optional_groups").into_iter().filter(known));
    groups.sort();
    groups.dedup();
    let asked = ctx.value("groups").is_some() || ctx.value("optional_groups").is_some();
    let groups = asked.then_some(groups);
    let step = match accounts.user(ctx.name()) {
        Some(own) => existing(ctx, &accounts, own, groups)?,
        None => new(ctx, &accounts, groups)?,
    };
    Ok((step, pending))
}

fn number(ctx: &Context<'_>, key: &str) -> Result<Option<u32>, String> {
    let Some(value) = ctx.value(key) else { return Ok(None) };
    let digits = text(value);
    digits.parse().map(Some).map_err(|_| format!("the {key} '{digits}' is not a number"))
}

/// The gid asked for, by number or name.
fn gid(ctx: &Context<'_>, accounts: &Accounts) -> Result<Option<u32>, String> {
    let Some(value) = ctx.text("gid") else { return Ok(None) };
    let found = accounts.gid(&value);
    if found.is_none() && ctx.test {
        // An earlier state may be about to make it.
        return Ok(None);
    }
    found.map(Some).ok_or_else(|| format!("Default group with gid \"{value}\" is not present"))
}

fn new(
    ctx: &Context<'_>,
    accounts: &Accounts,
    groups: Option<Vec<String>>,
) -> Result<Step, String> {
    let (name, limits) = (ctx.name(), Limits::read(ctx.host));
    let uid = number(ctx, "uid")?;
    if let Some(uid) = uid
        && ctx.flag("unique", true)
        && accounts.users.iter().any(|user| user.uid == uid)
    {
        return Err(format!("User {name} is not present but uid {uid} is already taken"));
    }
    let system = ctx.flag("system", false);
    let free = || limits.free_uid(accounts, system);
    let uid = uid.or_else(free).ok_or("no uid is free: give the user a uid of its own")?;
    let (gid, own_group) = match gid(ctx, accounts)? {
        Some(gid) => (gid, None),
        None if ctx.flag("usergroup", limits.own_group) => own_group(name, uid, accounts, &limits)?,
        None => (limits.group, None),
    };
    let mut fields = gecos::split("");
    for (field, value) in gecos::FIELDS.iter().zip(&mut fields) {
        *value = ctx.text(field).unwrap_or_default();
    }
    let user = User {
        name: name.to_owned(),
        uid,
        gid,
        gecos: gecos::join(&fields),
        home: ctx.text("home").unwrap_or_else(|| format!("{}/{name}", limits.home_base)),
        shell: ctx.text("shell").unwrap_or(limits.shell),
    };
    let password = ctx.text("password");
    Ok(Step { user, changes: None, own_group, groups, exact: true, password })
}

/// The group that bears the user's name: found, or made with the user's number if that is free.
fn own_group(
    name: &str,
    uid: u32,
    accounts: &Accounts,
    limits: &Limits,
) -> Result<(u32, Option<Group>), String> {
    if let Some(group) = accounts.group(name) {
        return Ok((group.gid, None));
    }
    let taken = accounts.groups.iter().any(|group| group.gid == uid);
    let gid = if taken { limits.free_gid(accounts, false) } else { Some(uid) };
    let gid = gid.ok_or("no gid is free: give the user a gid of its own")?;
    Ok((gid, Some(Group { name: name.to_owned(), gid, members: Vec::new() })))
}

fn existing(
    ctx: &Context<'_>,
    accounts: &Accounts,
    own: User,
    groups: Option<Vec<String>>,
) -> Result<Step, String> {
    let mut user = own.clone();
    let mut changes = Changes::new();
    let mut told = |key: &str, value: Value| {
        changes.insert(key.to_owned(), value);
    };
    let mut refused = Vec::new();
    if let Some(uid) = number(ctx, "uid")?.filter(|uid| *uid != own.uid) {
        user.uid = uid;
        told("uid", Value::from(uid));
        if !ctx.flag("allow_uid_change", false) {
            refused.push(not_permitted("uid", own.uid, uid));
        }
    }
    let gid = match ctx.flag("usergroup", false) {
        true => accounts.gid(ctx.name()).or(gid(ctx, accounts)?),
        false => gid(ctx, accounts)?,
    };
    if let Some(gid) = gid.filter(|gid| *gid != own.gid) {
        user.gid = gid;
        told("gid", Value::from(gid));
        if !ctx.flag("allow_gid_change", false) {
            refused.push(not_permitted("gid", own.gid, gid));
        }
    }
    if !refused.is_empty() {
        return Err(format!(
            "Encountered error checking for needed changes. Additional info follows:\n\n- {}",
            refused.join("\n- ")
        ));
    }
    let exact = ctx.flag("remove_groups", true);
    if let Some(wanted) = &groups
        && let Some(list) = membership(accounts, &user, wanted, exact)
    {
        told("groups", Value::from(list));
    }
    if let Some(home) = ctx.text("home").filter(|home| *home != own.home) {
        told("home", Value::from(home.as_str()));
        user.home = home;
    }
    if ctx.flag("createhome", true) && !ctx.host.stat(&user.home).is_some_and(|meta| meta.is_dir())
    {
        told("homeDoesNotExist", Value::from(user.home.as_str()));
    }
    if let Some(shell) = ctx.text("shell").filter(|shell| *shell != own.shell) {
        told("shell", Value::from(shell.as_str()));
        user.shell = shell;
    }
    let password = new_password(ctx);
    if password.is_some() {
        told("passwd", Value::from(REDACTED));
    }
    let mut fields = gecos::split(&own.gecos);
    for (field, value) in gecos::FIELDS.iter().zip(&mut fields) {
        if let Some(wanted) = ctx.text(field).filter(|wanted| wanted != value) {
            told(field, Value::from(wanted.as_str()));
            *value = wanted;
        }
    }
    user.gecos = gecos::join(&fields);
    Ok(Step { user, changes: Some(changes), own_group: None, groups, exact, password })
}

fn not_permitted(key: &str, old: u32, new: u32) -> String {
    format!(
        "Changing {key} ({old} -> {new}) not permitted, set allow_{key}_change to True to force \
         this \
         change. Note that this will not change file ownership."
    )
}

/// The wanted groups, if they differ from those the user is in; the primary group does not count.
fn membership(
    accounts: &Accounts,
    user: &User,
    wanted: &[String],
    exact: bool,
) -> Option<Vec<String>> {
    let primary = accounts.group_name(user.gid);
    let other = |name: &&String| **name != primary;
    let has: Vec<String> =
        accounts.groups_of(&user.name).iter().map(|group| group.name.clone()).collect();
    let wanted: Vec<String> = wanted.iter().filter(other).cloned().collect();
    let missing = wanted.iter().any(|name| !has.contains(name));
    let surplus = has.iter().filter(other).any(|name| !wanted.contains(name) && *name != user.name);
    (missing || (exact && surplus)).then_some(wanted)
}

/// The password hash, if it is to be set.
fn new_password(ctx: &Context<'_>) -> Option<String> {
    let wanted = ctx.text("password").filter(|wanted| !wanted.is_empty())?;
    let current = password(ctx.host, ctx.name()).unwrap_or_default();
    let unset = matches!(current.as_str(), "" | "!" | "!!" | "*");
    (current != wanted && (unset || ctx.flag("enforce_password", true))).then_some(wanted)
}
