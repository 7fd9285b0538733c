//! Salt's `cron`: jobs and variables of users' crontabs.

mod env;
mod file;
mod job;
mod spool;
mod tab;

use super::{Context, Function, Plan};
use crate::outcome::{Changes, Outcome, change};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<job::Present>(),
    Function::of::<job::Absent>(),
    Function::of::<file::File>(),
    Function::of::<env::Present>(),
    Function::of::<env::Absent>(),
];

/// The user whose crontab it is.
fn user(ctx: &Context<'_>) -> String {
    ctx.text("user").unwrap_or_else(|| "root".to_owned())
}

/// What putting something into a crontab came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Present,
    New,
    Updated,
}

/// The words of a dry run; `what` is `Cron x` or `Cron env x`.
fn foreseen<S>(status: Status, what: &str, step: S) -> Plan<S> {
    match status {
        Status::Present => Plan::fine(format!("{what} already present")),
        Status::New => Plan::change(format!("{what} is set to be added"), Changes::new(), step),
        Status::Updated => {
            Plan::change(format!("{what} is set to be updated"), Changes::new(), step)
        }
    }
}

/// The words of a real run.
fn done(ctx: &Context<'_>, status: Result<Status, String>, what: &str) -> Outcome {
    let user = user(ctx);
    let changes = || change(user.clone(), ctx.name().trim());
    match status {
        Ok(Status::Present) => Outcome::fine(format!("{what} already present")),
        Ok(Status::New) => Outcome::changed(format!("{what} added to {user}'s crontab"), changes()),
        Ok(Status::Updated) => Outcome::changed(format!("{what} updated"), changes()),
        Err(error) => {
            Outcome::failed(format!("{what} for user {user} failed to commit with error \n{error}"))
        }
    }
}

/// The words of taking something away.
fn removed(ctx: &Context<'_>, gone: Result<bool, String>, what: &str) -> Outcome {
    let user = user(ctx);
    match gone {
        Ok(false) => Outcome::fine(format!("{what} already absent")),
        Ok(true) => Outcome::changed(
            format!("{what} removed from {user}'s crontab"),
            change(user, ctx.name().trim()),
        ),
        Err(error) => {
            Outcome::failed(format!("{what} for user {user} failed to commit with error {error}"))
        }
    }
}
