//! Salt's `mount`: what is mounted now, and what fstab mounts at the next start.

mod active;
mod command;
mod entry;
pub(crate) mod fstab;
mod mounted;
mod options;
mod swap;
mod unmounted;

use super::{Context, Function, Plan};
use crate::outcome::{Changes, Outcome};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    Function::of::<mounted::Mounted>(),
    Function::of::<unmounted::Unmounted>(),
    Function::of::<swap::Swap>(),
    Function::of::<entry::Present>(),
    Function::of::<entry::Absent>(),
];

const FSTAB: &str = "/etc/fstab";

/// What is done is found out while it is done.
fn go() -> Plan<()> {
    Plan::change("", Changes::new(), ())
}

/// What a dry run finds as it should be is so; anything else is found out while it is done.
fn settled(ctx: &Context<'_>, work: impl Fn(&Context<'_>) -> Outcome) -> Plan<()> {
    let found = work(&Context { test: true, ..*ctx });
    let fine = found.result == Some(true) && found.changes.is_empty();
    if ctx.test || fine { Plan::Done(found) } else { go() }
}

fn config(ctx: &Context<'_>) -> String {
    ctx.text("config").unwrap_or_else(|| FSTAB.to_owned())
}

/// A mount point without the slash at its end.
fn trimmed(name: &str) -> &str {
    if name == "/" { name } else { name.trim_end_matches('/') }
}

/// Options as a list, or one text with commas.
fn options(ctx: &Context<'_>, key: &str) -> Vec<String> {
    let all = ctx.list(key);
    all.iter().flat_map(|text| text.split(',')).map(str::to_owned).collect()
}

/// Adds to a comment, as Salt strings them together.
fn also(outcome: &mut Outcome, comment: &str) {
    outcome.comment = format!("{}. {comment}", outcome.comment);
}
