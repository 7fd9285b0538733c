//! `user.absent`.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::function::{Context, Plan, StateFunction};
use crate::host::Host;
use crate::host::accounts::{User, remove};
use crate::outcome::{Changes, Outcome};

pub(in crate::function) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "user";
    const NAME: &'static str = "absent";
    const TAKES: &'static [&'static str] = &["purge", "force"];
    const TOLERATES: &'static [&'static str] = &["local"];
    type Step = User;

    fn check(ctx: &Context<'_>) -> Plan<User> {
        let name = ctx.name();
        match ctx.host.accounts().user(name) {
            None => Plan::fine(format!("User {name} is not present")),
            Some(user) => {
                Plan::change(format!("User {name} set for removal"), Changes::new(), user)
            }
        }
    }

    fn apply(ctx: &Context<'_>, user: User) -> Outcome {
        let name = ctx.name();
        let before = ctx.host.accounts().all_groups_of(&user);
        if let Err(error) = act(ctx, &user) {
            // Salt's words name no reason.
            tracing::warn!(user = name, %error, "cannot remove a user");
            return Outcome::failed(format!("Failed to remove user {name}"));
        }
        let accounts = ctx.host.accounts();
        let gone = before.into_iter().filter(|group| accounts.group(group).is_none());
        let mut changes: Changes =
            gone.map(|group| (format!("{group} group"), Value::from("removed"))).collect();
        changes.insert(name.to_owned(), Value::from("removed"));
        Outcome::changed(format!("Removed user {name}"), changes)
    }
}

fn act(ctx: &Context<'_>, user: &User) -> io::Result<()> {
    let force = ctx.flag("force", false);
    if !ctx.host.accounts().users.iter().any(|own| own.name == user.name) {
        return Err(io::Error::other("the user is not a local one"));
    }
    if !force && let Some(pid) = busy(ctx.host, user.uid) {
        return Err(io::Error::other(format!("the user is used by process {pid}")));
    }
    if ctx.flag("purge", false) {
        remove::home(ctx.host, user, force)?;
    }
    remove::user(ctx.host, user, force)
}

/// A process of the user; a host under a root prefix has none.
fn busy(host: &Host, uid: u32) -> Option<u32> {
    if host.root().is_some() {
        return None;
    }
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        (entry.metadata().ok()?.uid() == uid).then_some(pid)
    })
}
