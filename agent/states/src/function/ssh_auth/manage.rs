//! `ssh_auth.manage`: exactly these keys.

use serde_json::Value;

use super::{TAKES, TOLERATES, absent, go, keys, present};
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::Outcome;

pub(in crate::function) struct Manage;

impl StateFunction for Manage {
    const MODULE: &'static str = "ssh_auth";
    const NAME: &'static str = "manage";
    const TAKES: &'static [&'static str] =
        &["ssh_keys", TAKES[0], TAKES[1], TAKES[2], TAKES[4], TAKES[5]];
    const NEEDS: &'static [&'static str] = &["ssh_keys", "user"];
    const TOLERATES: &'static [&'static str] = TOLERATES;
    const REFUSES: &'static [&'static str] = &["source"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if ctx.test { Plan::Done(manage(ctx).called("")) } else { go() }
    }

    /// Salt's return has no name.
    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        manage(ctx).called("")
    }
}

fn manage(ctx: &Context<'_>) -> Outcome {
    let user = ctx.text("user").unwrap_or_default();
    let wanted = ctx.list("ssh_keys");
    let named = |key: &str| wanted.iter().any(|line| line.split(' ').any(|word| word == key));
    let keys = match keys::Keys::of(ctx, &user) {
        Ok(keys) => keys,
        Err(problem) => return Outcome::failed(problem),
    };
    let mut all = Outcome::fine("");
    for key in keys.names().filter(|key| !named(key)) {
        if ctx.test {
            all.comment = format!("{key} Key set for removal");
            all.result = None;
        } else {
            all.changes.insert(key.clone(), Value::from(absent(ctx, key).comment));
        }
    }
    for line in &wanted {
        let one = present(ctx, line);
        if one.changes.is_empty() {
            all.comment = format!("{}\n{}", all.comment, one.comment).trim().to_owned();
        }
        all.changes.extend(one.changes);
        match one.result {
            None => all.result = None,
            Some(false) => all.result = Some(false),
            Some(true) => {}
        }
    }
    all
}
