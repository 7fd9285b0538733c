//! `file.line`: one line of a file, by what it matches or what it stands beside.

mod edit;

use serde_json::Value;

use super::diff;
use super::managed;
use super::text::{self, Edit, decoded, encoded, python_lines, universal_lines};
use crate::chunk::{Args, Chunk};
use crate::function::args::{self, truth};
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Outcome, change};
use edit::{Mode, Wanted};

pub(in crate::function) struct Line;

/// The file's perms and creation first, as a `file.managed`; then the line.
pub(in crate::function) struct Step {
    managed: Chunk,
    /// Unset if only the applied file can tell.
    edit: Option<Edit>,
}

impl StateFunction for Line {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "line";
    const TAKES: &'static [&'static str] = &[
        "content",
        "match",
        "mode",
        "location",
        "before",
        "after",
        "show_changes",
        "backup",
        "quiet",
        "indent",
        "create",
        "user",
        "group",
        "file_mode",
    ];
    type Step = Step;

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        let mode = chunk.args.get("mode").map(crate::function::args::text);
        match mode.map(|mode| Mode::of(&mode)) {
            Some(Err(problem)) => vec![("mode", problem)],
            _ => Vec::new(),
        }
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let managed = managed_chunk(ctx);
        let missing = text::present(ctx).err();
        let makes = missing.is_some() && ctx.flag("create", false) && !ctx.test;
        if let Some(problem) = missing.filter(|_| !makes) {
            return Plan::failed(problem);
        }
        if let Err(problem) = mode(ctx) {
            return Plan::failed(problem);
        }
        if makes {
            let foreseen = Outcome::foreseen(FORESEEN, Default::default());
            return Plan::Change { foreseen, step: Step { managed, edit: None } };
        }
        match planned(ctx) {
            Err(problem) => Plan::failed(problem),
            Ok(Plan::Change { foreseen, step }) => {
                Plan::Change { foreseen, step: Step { managed, edit: Some(step) } }
            }
            Ok(Plan::Done(outcome)) => {
                let perms = Context { chunk: &managed, ..*ctx };
                // What comes of owner and mode is not told, in Salt neither.
                match managed::Managed::check(&perms) {
                    Plan::Change { .. } if !ctx.test => {
                        Plan::Change { foreseen: outcome, step: Step { managed, edit: None } }
                    }
                    Plan::Change { .. } | Plan::Done(_) => Plan::Done(outcome),
                }
            }
        }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let perms = Context { chunk: &step.managed, ..*ctx };
        drop(crate::function::run::<managed::Managed>(&perms));
        if let Some(edit) = step.edit {
            return edit.apply(ctx);
        }
        match text::present(ctx).and_then(|()| planned(ctx)) {
            Err(problem) => Outcome::failed(problem),
            Ok(Plan::Done(outcome)) => outcome,
            Ok(Plan::Change { step, .. }) => step.apply(ctx),
        }
    }
}

const FORESEEN: &str = "Changes would be made";

fn managed_chunk(ctx: &Context<'_>) -> Chunk {
    let mut args = Args::default();
    for (own, other) in [("user", "user"), ("group", "group"), ("file_mode", "mode")] {
        args.extend(ctx.value(own).map(|value| (other.to_owned(), value.clone())));
    }
    args.insert("create".to_owned(), ctx.flag("create", false).into());
    args.insert("replace".to_owned(), false.into());
    Chunk { fun: "managed".to_owned(), args, ..ctx.chunk.clone() }
}

fn mode(ctx: &Context<'_>) -> Result<Mode, String> {
    let mode = ctx.text("mode").filter(|mode| !mode.is_empty());
    let mode = mode.ok_or("Mode was not defined. How to process the file?")?;
    let mode = Mode::of(&mode)?;
    if mode != Mode::Delete && ctx.value("content").is_none() {
        return Err("Content can only be empty if mode is ['delete']".to_owned());
    }
    Ok(mode)
}

fn planned(ctx: &Context<'_>) -> Result<Plan<Edit>, String> {
    const UNCHANGED: &str = "No changes needed to be made";
    let name = ctx.name();
    if !ctx.host.stat(name).is_some_and(|meta| meta.is_file()) {
        return if ctx.flag("quiet", false) {
            Ok(Plan::fine(UNCHANGED))
        } else {
            Err(format!("File \"{name}\" does not exists or is not a file."))
        };
    }
    let data = std::fs::read(ctx.host.followed(name)).map_err(|error| error.to_string())?;
    text::utf8(&data)?;
    let (old, utf8) = decoded(&data);
    let wanted = Wanted {
        mode: mode(ctx)?,
        content: ctx.text("content").unwrap_or_default(),
        matching: sought(ctx, "match"),
        location: ctx.text("location").filter(|location| !location.is_empty()),
        before: sought(ctx, "before"),
        after: sought(ctx, "after"),
        indent: ctx.flag("indent", true),
    };
    let lines: Vec<String> = universal_lines(&old).into_iter().map(str::to_owned).collect();
    if let Some(number) = unsearchable(ctx).filter(|_| !lines.is_empty()) {
        return Err(format!("first argument must be string or compiled pattern: '{number}'"));
    }
    let new = wanted.edited(lines)?;
    if new.concat() == old {
        return Ok(Plan::fine(UNCHANGED));
    }
    if wanted.mode != Mode::Delete && ctx.value("content").is_some_and(is_number) {
        return Err("the content is a number, and has no end to be stripped".to_owned());
    }
    let shown = if ctx.flag("show_changes", true) {
        let new: Vec<&str> = new.iter().map(String::as_str).collect();
        Value::from(diff::unified(&python_lines(&old), &new))
    } else {
        true.into()
    };
    let changes = change("diff", shown);
    let foreseen = Outcome::foreseen(FORESEEN, changes.clone());
    let done = Outcome::changed("Changes were made", changes);
    let backup = ctx.flag("backup", false).then(|| format!(".{}", stamp()));
    Ok(Edit::plan(foreseen, encoded(&new.concat(), utf8), backup, done))
}

/// A number that is to be searched for, in the order in which Salt comes to it.
fn unsearchable(ctx: &Context<'_>) -> Option<String> {
    let mut searched = ["after", "before", "match"].map(|key| ctx.value(key));
    if searched.iter().all(Option::is_none) {
        searched[2] = ctx.value("content");
    }
    searched.into_iter().flatten().find(|value| truth(value) && is_number(value)).map(args::text)
}

/// What a line is searched for; what is false to Python finds nothing.
fn sought(ctx: &Context<'_>, key: &str) -> Option<String> {
    ctx.value(key).map(|value| if truth(value) { args::text(value) } else { String::new() })
}

fn is_number(value: &Value) -> bool {
    value.is_number() || value.is_boolean()
}

/// The time in a backup's name.
fn stamp() -> String {
    let now = time::OffsetDateTime::now_utc();
    let (date, (hour, minute, second)) = (now.date(), now.time().as_hms());
    format!("{date}-{hour:02}-{minute:02}-{second:02}")
}
