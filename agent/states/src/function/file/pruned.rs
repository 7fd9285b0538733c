//! `file.pruned`: empty folders are removed.

use std::fs;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::function::args::python_error;
use crate::function::{Context, Plan, StateFunction};
use crate::outcome::{Changes, Outcome, change};

pub(in crate::function) struct Pruned;

impl StateFunction for Pruned {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "pruned";
    const TAKES: &'static [&'static str] = &["recurse", "ignore_errors", "older_than"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let name = ctx.name();
        if !ctx.host.stat(name).is_some_and(|meta| meta.is_dir()) {
            return Plan::fine(format!("Directory {name} is not present"));
        }
        let comment = format!("Directory {name} is set for removal");
        Plan::change(comment, change("deleted", name), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let name = ctx.name();
        let ignore = ctx.flag("ignore_errors", false);
        let recurse = ignore || ctx.flag("recurse", false);
        let gone = Gone::of(ctx, recurse);
        let fine = if recurse { gone.errors.is_empty() } else { !gone.deleted.is_empty() };
        let mut deleted = gone.deleted.clone();
        deleted.sort();
        let emptied = format!("Recursively removed empty directories under {name}");
        if fine && recurse && !deleted.is_empty() {
            return Outcome::changed(emptied, change("deleted", deleted));
        }
        if fine && !recurse {
            return Outcome::changed(format!("Removed directory {name}"), change("deleted", name));
        }
        if fine {
            return Outcome::fine("");
        }
        if ignore && !deleted.is_empty() {
            return Outcome::changed(emptied, change("deleted", deleted));
        }
        let mut changes = Changes::new();
        changes.insert("deleted".to_owned(), json!(gone.deleted));
        changes.insert("errors".to_owned(), Value::from(gone.errors));
        let comment = format!("Failed to remove directory {name}");
        Outcome { changes, ..Outcome::failed(comment) }
    }
}

#[derive(Default)]
struct Gone {
    deleted: Vec<String>,
    errors: Vec<Value>,
}

impl Gone {
    /// Removes the folder, and those below it first if `recurse`; none that holds anything goes.
    fn of(ctx: &Context<'_>, recurse: bool) -> Gone {
        let name = ctx.name();
        let mut gone = Gone::default();
        let before = older_than(ctx);
        let mut paths = vec![name.to_owned()];
        if recurse {
            let root = ctx.host.followed(name);
            for path in crate::host::files::below(&root).unwrap_or_default() {
                if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
                    let below = path.strip_prefix(&root).unwrap_or(&path).display();
                    paths.push(format!("{}/{below}", name.trim_end_matches('/')));
                }
            }
        }
        for path in paths.iter().rev() {
            let place = ctx.host.path(path);
            let old = before.is_none_or(|before| {
                let time = fs::metadata(&place).and_then(|meta| meta.modified());
                time.is_ok_and(|time| time < before)
            });
            if old {
                crate::backup::keep(&place);
            }
            match old.then(|| fs::remove_dir(&place)) {
                None => {}
                Some(Ok(())) => gone.deleted.push(path.clone()),
                Some(Err(error)) => gone.errors.push(json!([path, python_error(&error, path)])),
            }
        }
        gone
    }
}

/// The time before which a folder must have changed last.
fn older_than(ctx: &Context<'_>) -> Option<SystemTime> {
    let days: u64 = ctx.text("older_than")?.parse().ok().filter(|days| *days > 0)?;
    #[allow(clippy::disallowed_methods, reason = "an age is told from now")]
    SystemTime::now().checked_sub(Duration::from_secs(days.saturating_mul(86_400)))
}
