//! `pkg.held` and `pkg.unheld`: packages that the package manager leaves as they are.

use serde_json::{Value, json};

use super::database::Database;
use super::manager::Manager;
use super::{apt, dnf, request};
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

/// What came of holding one package, or of letting it go.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) name: String,
    pub(super) result: Option<bool>,
    pub(super) comment: String,
    /// `{old, new}`, if something changed.
    pub(super) change: Option<Value>,
}

impl Held {
    /// Puts the change beside that of the same package's version.
    pub(super) fn merge_into(self, changes: &mut Changes) {
        let Some(change) = self.change else { return };
        match changes.get_mut(&self.name).and_then(Value::as_object_mut) {
            None => {
                changes.insert(self.name, json!({"new": change["new"]}));
            }
            Some(version) => {
                for side in ["new", "old"] {
                    let more = change[side].as_str().unwrap_or("None");
                    let so_far = version.get(side).and_then(Value::as_str).unwrap_or_default();
                    let text = if so_far.is_empty() {
                        more.to_owned()
                    } else {
                        format!("{so_far}\n{more}")
                    };
                    version.insert(side.to_owned(), Value::from(text));
                }
            }
        }
    }

    /// As Salt's `pkg.hold` returns it.
    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "changes": self.change.clone().unwrap_or_else(|| json!({})),
            "result": self.result,
            "comment": self.comment,
        })
    }
}

/// Holds packages, or lets them go; in a dry run tells what would be.
pub(super) fn set<'a>(
    ctx: &Context<'_>,
    manager: Manager,
    names: impl Iterator<Item = &'a String>,
    on: bool,
) -> Vec<Held> {
    let database = manager.database(ctx).unwrap_or_default();
    names.map(|name| one(ctx, manager, name, &database, on)).collect()
}

fn one(ctx: &Context<'_>, manager: Manager, name: &str, database: &Database, on: bool) -> Held {
    let held = database.held.contains(name);
    let say =
        |result, comment: String, change| Held { name: name.to_owned(), result, comment, change };
    let apt = manager == Manager::Apt;
    if held == on {
        let comment = match (on, apt) {
            (true, _) => format!("Package {name} is already set to be held."),
            (false, true) => format!("Package {name} is already set not to be held."),
            (false, false) => format!("Package {name} is not being held."),
        };
        return say(Some(true), comment, None);
    }
    if ctx.test {
        let comment = match (on, apt) {
            (true, _) => format!("Package {name} is set to be held."),
            (false, true) => format!("Package {name} is set not to be held."),
            (false, false) => format!("Package {name} is set to be unheld."),
        };
        return say(None, comment, None);
    }
    let done = match manager {
        Manager::Apt => apt::select(ctx, name, if on { "hold" } else { "install" }),
        Manager::Dnf => dnf::lock(ctx, if on { "add" } else { "delete" }, name),
    };
    if done.is_err() {
        let how = if on { "held" } else { "unheld" };
        return say(Some(false), format!("Package {name} was unable to be {how}."), None);
    }
    // dpkg only warns of a package that it does not know; Salt takes that for done, every time.
    let known = !database.versions(name).is_empty() || database.removed.contains_key(name);
    let (old, new) = match (apt, on) {
        (true, true) if known => (Some("install"), "hold"),
        (true, true) => (None, "hold"),
        (true, false) => (Some("hold"), "install"),
        (false, true) => (Some(""), "hold"),
        (false, false) => (Some("hold"), ""),
    };
    let comment = match (on, apt) {
        (true, _) => format!("Package {name} is now being held."),
        (false, true) => format!("Package {name} is no longer being held."),
        (false, false) => format!("Package {name} is no longer held."),
    };
    say(Some(true), comment, Some(json!({"old": old, "new": new})))
}

/// What a state does to holds: which to set, which to take off.
pub(super) struct Step {
    manager: Manager,
    hold: Vec<String>,
    release: Vec<String>,
}

pub(super) struct HeldState;

impl StateFunction for HeldState {
    const MODULE: &'static str = "pkg";
    const NAME: &'static str = "held";
    const TAKES: &'static [&'static str] = &["pkgs", "replace"];
    const TOLERATES: &'static [&'static str] = &["version"];
    const WATCHES: bool = true;
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        request::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let replace = ctx.flag("replace", false);
        if request::is_empty(ctx) && !replace {
            return Plan::fine("No packages to be held provided");
        }
        let (manager, database, names) = match look(ctx) {
            Ok(found) => found,
            Err(problem) => return Plan::failed(problem),
        };
        let hold = names.iter().filter(|name| !database.held.contains(*name)).cloned().collect();
        let extra = database.held.iter().filter(|name| replace && !names.contains(name));
        plan(ctx, Step { manager, hold, release: extra.cloned().collect() })
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        apply(ctx, &step)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        no_watch(ctx)
    }
}

pub(super) struct Unheld;

impl StateFunction for Unheld {
    const MODULE: &'static str = "pkg";
    const NAME: &'static str = "unheld";
    const TAKES: &'static [&'static str] = &["pkgs", "all"];
    const TOLERATES: &'static [&'static str] = &["version"];
    const WATCHES: bool = true;
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        request::lint(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let all = ctx.flag("all", false);
        if request::is_empty(ctx) && !all {
            return Plan::fine("No packages to be unheld provided");
        }
        let (manager, database, names) = match look(ctx) {
            Ok(found) => found,
            Err(problem) => return Plan::failed(problem),
        };
        let release = database.held.iter().filter(|name| all || names.contains(name));
        plan(ctx, Step { manager, hold: Vec::new(), release: release.cloned().collect() })
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        apply(ctx, &step)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        no_watch(ctx)
    }
}

fn look(ctx: &Context<'_>) -> Result<(Manager, Database, Vec<String>), String> {
    let manager = Manager::of(ctx)?;
    let names = request::wanted(ctx, manager)?.into_keys().collect();
    Ok((manager, manager.database(ctx)?, names))
}

fn plan(ctx: &Context<'_>, step: Step) -> Plan<Step> {
    let would = |name: &String, how: &str| format!("The following package would be {how}: {name}");
    let hold = step.hold.iter().map(|name| would(name, "held"));
    let comments: Vec<String> =
        hold.chain(step.release.iter().map(|name| would(name, "unheld"))).collect();
    if comments.is_empty() {
        return Plan::fine("No changes made");
    }
    if ctx.test {
        // Salt's dry run tells in words only that something would change.
        return Plan::fine(comments.join("\n"));
    }
    Plan::change(comments.join("\n"), Changes::new(), step)
}

fn apply(ctx: &Context<'_>, step: &Step) -> Outcome {
    let (mut comments, mut changes, mut result) = (Vec::new(), Changes::new(), true);
    for held in set(ctx, step.manager, step.hold.iter(), true) {
        result &= held.result == Some(true);
        comments.push(match held.result {
            Some(true) => format!("Package {} is now being held", held.name),
            _ => format!("Package {} was not held", held.name),
        });
        changes.insert(held.name.clone(), held.to_json());
    }
    for held in set(ctx, step.manager, step.release.iter(), false) {
        result &= held.result == Some(true);
        comments.push(held.comment.clone());
        changes.insert(held.name.clone(), held.to_json());
    }
    Outcome { result: Some(result), ..Outcome::changed(comments.join("\n"), changes) }
}

/// Salt lets these states be watching, and fails them when it comes to that.
pub(super) fn no_watch(ctx: &Context<'_>) -> Outcome {
    Outcome::failed(format!("pkg.{} does not work with the watch requisite", ctx.chunk.fun))
}
