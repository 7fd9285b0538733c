//! Salt's `user`: local users.

mod gecos;
mod wanted;

use serde_json::{Value, json};

use super::{Context, Function, Plan, StateFunction};
use crate::host::accounts::edit;
use crate::host::accounts::limits::Limits;
use crate::host::accounts::{Group, User};
use crate::outcome::{Changes, Outcome};

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<Present>()];

const REDACTED: &str = "XXX-REDACTED-XXX";

pub(super) struct Present;

/// What is to be done to a user.
pub(super) struct Step {
    user: User,
    /// `None`: the user is new.
    changes: Option<Changes>,
    /// A group of its own to make first.
    own_group: Option<Group>,
    groups: Option<Vec<String>>,
    exact: bool,
    password: Option<String>,
}

impl StateFunction for Present {
    const MODULE: &'static str = "user";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] = &[
        "uid",
        "gid",
        "usergroup",
        "groups",
        "optional_groups",
        "remove_groups",
        "home",
        "createhome",
        "password",
        "enforce_password",
        "shell",
        "system",
        "fullname",
        "roomnumber",
        "workphone",
        "homephone",
        "other",
        "allow_uid_change",
        "allow_gid_change",
        "unique",
    ];
    const TOLERATES: &'static [&'static str] = &[
        "local",
        "nologinit",
        "persist_home",
        "loginclass",
        "win_homedrive",
        "win_profile",
        "win_logonscript",
        "win_description",
    ];
    const REFUSES: &'static [&'static str] = &[
        "hash_password",
        "empty_password",
        "date",
        "mindays",
        "maxdays",
        "inactdays",
        "warndays",
        "expire",
        "password_lock",
    ];
    type Step = Step;

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let name = ctx.name();
        let (step, pending) = match wanted::wanted(ctx) {
            Ok(found) => found,
            Err(problem) => return Plan::failed(problem),
        };
        let waiting = if pending.is_empty() {
            String::new()
        } else {
            format!(" (pending groups: {})", pending.join(","))
        };
        let Some(changes) = &step.changes else {
            let comment = format!("User {name} set to be added{waiting}");
            return Plan::change(comment, Changes::new(), step);
        };
        if changes.is_empty() {
            return Plan::fine(format!("User {name} is present and up to date"));
        }
        let mut comment = "The following user attributes are set to be changed:\n".to_owned();
        for (key, value) in changes {
            comment.push_str(&format!("{key}: {}\n", super::args::text(value)));
        }
        Plan::change(comment, Changes::new(), step)
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let name = ctx.name();
        let new = step.changes.is_none();
        match act(ctx, &step) {
            Ok(()) if new => {
                let comment = format!("New user {name} created");
                Outcome::changed(comment, info(ctx, &step))
            }
            Ok(()) => {
                Outcome::changed(format!("Updated user {name}"), step.changes.unwrap_or_default())
            }
            Err(error) if new => {
                Outcome::failed(format!("Failed to create new user {name}: {error}"))
            }
            Err(error) => Outcome::failed(format!("Failed to change user {name}: {error}")),
        }
    }
}

fn act(ctx: &Context<'_>, step: &Step) -> std::io::Result<()> {
    if let Some(group) = &step.own_group {
        edit::add_group(ctx.host, group)?;
    }
    if step.changes.is_none() {
        edit::add_user(ctx.host, &step.user)?;
    } else {
        edit::change_user(ctx.host, &step.user)?;
    }
    if let Some(groups) = &step.groups {
        edit::set_groups(ctx.host, &step.user.name, groups, step.exact)?;
    }
    if ctx.flag("createhome", true) {
        edit::make_home(ctx.host, &step.user, Limits::read(ctx.host).home_mode)?;
    }
    if let Some(password) = &step.password {
        edit::set_password(ctx.host, &step.user.name, password)?;
    }
    Ok(())
}

/// What Salt's `user.info` shows of a new user.
fn info(ctx: &Context<'_>, step: &Step) -> Changes {
    let user = &step.user;
    let accounts = ctx.host.accounts();
    let mut groups = step.groups.clone().unwrap_or_default();
    groups.push(accounts.group_name(user.gid));
    groups.sort();
    groups.dedup();
    let home = if ctx.flag("createhome", true) { user.home.as_str() } else { "" };
    let mut info = json!({
        "uid": user.uid, "gid": user.gid, "groups": groups, "home": home, "name": user.name,
        "passwd": "x", "shell": user.shell,
    });
    for (field, value) in gecos::FIELDS.iter().zip(gecos::split(&user.gecos)) {
        info[*field] = Value::from(value);
    }
    if step.password.is_some() {
        info["password"] = Value::from(REDACTED);
    }
    info.as_object().cloned().unwrap_or_default()
}
