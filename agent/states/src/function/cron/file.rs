//! `cron.file`: a user's whole crontab from a file of the tree.

use super::{spool, user};
use crate::chunk::Chunk;
use crate::function::file::{diff, source};
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome, change};
use serde_json::Value;

pub(in crate::function) struct File;

/// The crontab to be, and how it differs from what is there.
pub(in crate::function) struct Step {
    text: String,
    diff: String,
}

impl StateFunction for File {
    const MODULE: &'static str = "cron";
    const NAME: &'static str = "file";
    const TAKES: &'static [&'static str] =
        &["source_hash", "user", "template", "context", "replace", "defaults"];
    /// A crontab has no copy to keep.
    const TOLERATES: &'static [&'static str] = &["backup", "source_hash_name", "skip_verify"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        let mut with = chunk.clone();
        with.args.insert("source".to_owned(), Value::from(chunk.name.as_str()));
        source::lint(&with)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let user = user(ctx);
        if ctx.host.accounts().user(&user).is_none() {
            return Plan::failed(format!("Could not identify group for user {user}"));
        }
        let mut current = match spool::read(ctx, &user) {
            Ok(current) => current,
            Err(problem) => return Plan::failed(problem),
        };
        // Salt compares with a file that ends in a line's end.
        if !current.ends_with('\n') {
            current.push('\n');
        }
        if !ctx.flag("replace", true) {
            return Plan::fine(format!("User {user} already has a crontab. No changes made"));
        }
        let found = match source::find(ctx, &Value::from(ctx.name())) {
            Ok(found) => found,
            Err(problem) => return Plan::failed(problem),
        };
        let read = source::read(ctx, &found, source::Sees::File).and_then(|data| {
            source::verify(ctx, &data)?;
            String::from_utf8(data).map_err(|_| format!("{} is not UTF-8", ctx.name()))
        });
        let text = match read {
            Ok(text) => text,
            Err(problem) => return Plan::failed(format!("Unable to manage file: {problem}")),
        };
        if text == current {
            return Plan::fine(format!("Crontab for user {user} is in the correct state"));
        }
        let diff = diff::between(current.as_bytes(), text.as_bytes(), true);
        let comment = format!("The following values are set to be changed:\ndiff: {diff}\n");
        Plan::change(comment, Changes::new(), Step { text, diff })
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let user = user(ctx);
        match spool::write(ctx, &user, &step.text) {
            Ok(()) => {
                let mut changes = change("diff", step.diff);
                if user != "root" {
                    changes.insert("user".to_owned(), Value::from(user.as_str()));
                    changes.insert("group".to_owned(), Value::from(group(ctx, &user)));
                }
                Outcome::changed(format!("Crontab for user {user} was updated"), changes)
            }
            Err(error) => {
                Outcome::failed(format!("Unable to update user {user} crontab. Error: {error}"))
            }
        }
    }
}

/// The first of a user's groups.
fn group(ctx: &Context<'_>, user: &str) -> String {
    let accounts = ctx.host.accounts();
    let account = accounts.user(user);
    let groups = account.map(|account| accounts.all_groups_of(&account));
    groups.and_then(|groups| groups.into_iter().next()).unwrap_or_default()
}
