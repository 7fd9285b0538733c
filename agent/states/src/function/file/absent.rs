//! `file.absent`: no file, link or folder of this name.

use super::not_absolute;
use crate::function::{Context, Plan, StateFunction};
use crate::host::files::remove;
use crate::outcome::{Outcome, change};

pub(in crate::function) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "absent";
    const TAKES: &'static [&'static str] = &[];
    /// What it is, in Salt's words.
    type Step = &'static str;

    fn check(ctx: &Context<'_>) -> Plan<&'static str> {
        let name = ctx.name();
        if let Some(problem) = not_absolute(name) {
            return Plan::failed(problem);
        }
        if ctx.host.path(name) == ctx.host.path("/") {
            return Plan::failed("Refusing to make \"/\" absent");
        }
        match ctx.host.lstat(name) {
            None => Plan::fine(format!("File {name} is not present")),
            Some(meta) => {
                let kind = if meta.is_dir() { "Directory" } else { "File" };
                Plan::change(
                    format!("{kind} {name} is set for removal"),
                    change("removed", name),
                    kind,
                )
            }
        }
    }

    fn apply(ctx: &Context<'_>, kind: &'static str) -> Outcome {
        let (name, kind) = (ctx.name(), kind.to_lowercase());
        match remove(&ctx.host.path(name)) {
            Ok(()) => Outcome::changed(format!("Removed {kind} {name}"), change("removed", name)),
            Err(error) => Outcome::failed(format!("Failed to remove {kind} {name}: {error}")),
        }
    }
}
