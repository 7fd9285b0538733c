//! Salt's `user`: local users.

mod absent;
mod change;
mod create;
mod gecos;
mod hashed;
mod wanted;

use serde_json::{Value, json};

use super::args::text;
use super::{Context, Function, Lint, Plan, StateFunction};
use crate::chunk::Chunk;
use crate::host::accounts::User;
use crate::outcome::{Changes, Outcome};
use wanted::Wanted;

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<Present>(), Function::of::<absent::Absent>()];

const REDACTED: &str = "XXX-REDACTED-XXX";

pub(super) struct Present;

/// What is to be done to a user.
pub(super) enum Step {
    Create(Wanted),
    Change(Wanted, Changes),
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
        "persist_home",
        "password",
        "hash_password",
        "enforce_password",
        "empty_password",
        "password_lock",
        "shell",
        "system",
        "fullname",
        "roomnumber",
        "workphone",
        "homephone",
        "other",
        "date",
        "mindays",
        "maxdays",
        "inactdays",
        "warndays",
        "expire",
        "allow_uid_change",
        "allow_gid_change",
        "unique",
    ];
    /// `local` is how it is done here; `nologinit` is about files that are not written; the rest
    /// is of other systems.
    const TOLERATES: &'static [&'static str] = &[
        "local",
        "nologinit",
        "loginclass",
        "win_homedrive",
        "win_profile",
        "win_logonscript",
        "win_description",
    ];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        let numbers = ["uid", "date", "mindays", "maxdays", "inactdays", "warndays", "expire"];
        let wrong = numbers.into_iter().filter_map(|key| {
            let value = chunk.args.get(key).filter(|value| !value.is_null())?;
            let digits = text(value);
            let reason = format!("'{digits}' is not a number");
            digits.parse::<i64>().is_err().then_some((key, reason))
        });
        wrong.collect()
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let name = ctx.name();
        let wanted = match Wanted::of(ctx) {
            Ok(wanted) => wanted,
            Err(problem) => return Plan::failed(problem),
        };
        let changes = match wanted.changes(ctx, false) {
            Ok(changes) => changes,
            Err(problem) => return Plan::failed(problem),
        };
        let missing = wanted.missing_groups.join(",");
        let Some(changes) = changes else {
            let mut comment = format!("User {name} set to be added");
            if !missing.is_empty() {
                comment.push_str(&format!(" (pending groups: {missing})"));
            }
            return Plan::change(comment, Changes::new(), Step::Create(wanted));
        };
        if changes.is_empty() {
            return Plan::fine(format!("User {name} is present and up to date"));
        }
        let mut comment = "The following user attributes are set to be changed:\n".to_owned();
        for (key, value) in &redacted(&changes) {
            comment.push_str(&format!("{key}: {}\n", text(value)));
        }
        if !missing.is_empty() {
            comment.push_str(&format!("groups (pending creation): {missing}\n"));
        }
        Plan::change(comment, Changes::new(), Step::Change(wanted, changes))
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        match step {
            Step::Create(wanted) => create::create(ctx, &wanted),
            Step::Change(wanted, changes) => change::change(ctx, &wanted, &changes),
        }
    }
}

fn redacted(changes: &Changes) -> Changes {
    let mut shown = changes.clone();
    if let Some(hash) = shown.get_mut("passwd") {
        *hash = Value::from(REDACTED);
    }
    shown
}

/// What Salt's `user.info` tells of a user.
fn info(ctx: &Context<'_>, user: &User) -> Changes {
    let mut info = json!({
        "gid": user.gid, "groups": ctx.host.accounts().all_groups_of(user), "home": user.home,
        "name": user.name, "passwd": "x", "shell": user.shell, "uid": user.uid,
    });
    for (field, value) in gecos::FIELDS.iter().zip(gecos::split(&user.gecos)) {
        info[*field] = Value::from(value);
    }
    info.as_object().cloned().unwrap_or_default()
}
