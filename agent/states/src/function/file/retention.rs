//! `file.retention_schedule`: of backups, so many of each age stay.

mod dates;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use crate::chunk::Chunk;
use crate::function::args::text;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::files::remove;
use crate::outcome::{Changes, Outcome};
use dates::Moment;

pub(in crate::function) struct RetentionSchedule;

/// What goes.
pub(in crate::function) struct Step {
    deleted: Vec<String>,
    changes: Changes,
}

/// Files by the parts of their time, the coarsest first.
type Ages = BTreeMap<Vec<i64>, String>;

impl StateFunction for RetentionSchedule {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "retention_schedule";
    const TAKES: &'static [&'static str] = &["retain", "strptime_format"];
    const NEEDS: &'static [&'static str] = &["retain"];
    const REFUSES: &'static [&'static str] = &["timezone"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        let format = chunk.args.get("strptime_format").and_then(Value::as_str);
        let wrong = format.and_then(dates::unknown);
        wrong
            .map(|sign| {
                let told =
                    format!("'%{sign}' is not supported in strptime_format: use {}", dates::KNOWN);
                ("strptime_format", told)
            })
            .into_iter()
            .collect()
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let name = ctx.name();
        if !ctx.host.stat(name).is_some_and(|meta| meta.is_dir()) {
            return Plan::failed("Name provided to file.retention must be a directory");
        }
        let step = match sorted_out(ctx) {
            Ok(step) => step,
            Err(problem) => return Plan::failed(problem),
        };
        let count = step.deleted.len();
        if ctx.test {
            let comment = format!("{count} backups would have been removed from {name}.\n");
            return match count {
                0 => Plan::fine(comment),
                _ => Plan::change(comment, step.changes.clone(), step),
            };
        }
        Plan::change("", Changes::new(), step)
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let name = ctx.name();
        for file in &step.deleted {
            if let Err(error) = remove(&ctx.host.path(&format!("{name}/{file}"))) {
                return Outcome::failed(format!("Failed to remove {name}/{file}: {error}"));
            }
        }
        let comment = format!("{} backups were removed from {name}.\n", step.deleted.len());
        Outcome::changed(comment, step.changes)
    }
}

/// Tells what stays from what goes.
fn sorted_out(ctx: &Context<'_>) -> Result<Step, String> {
    let name = ctx.name();
    let format = ctx.text("strptime_format").filter(|format| !format.is_empty());
    let (mut by_day, mut by_week) = (Ages::new(), Ages::new());
    let mut relevant = BTreeSet::new();
    let mut ignored = BTreeSet::from([".".to_owned(), "..".to_owned()]);
    let entries = fs::read_dir(ctx.host.followed(name)).map_err(|error| error.to_string())?;
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let moment = match &format {
            Some(format) => Moment::read(&file, format),
            None => entry.metadata().ok().and_then(|meta| Moment::changed(&meta)),
        };
        match moment {
            Some(moment) => {
                by_day.insert(moment.by_day(), file.clone());
                by_week.insert(moment.by_week(), file.clone());
                relevant.insert(file);
            }
            None => {
                ignored.insert(file);
            }
        }
    }
    let retained = retained(ctx, &by_day, &by_week)?;
    let goes = |file: &&String| !retained.contains(*file);
    let deleted: Vec<String> = relevant.iter().rev().filter(goes).cloned().collect();
    let mut changes = Changes::new();
    if !deleted.is_empty() {
        let listed = |files: &BTreeSet<String>| files.iter().rev().cloned().collect::<Value>();
        changes.insert("retained".to_owned(), listed(&retained));
        changes.insert("deleted".to_owned(), json!(deleted));
        changes.insert("ignored".to_owned(), listed(&ignored));
    }
    Ok(Step { deleted, changes })
}

/// The files that some rule keeps.
fn retained(ctx: &Context<'_>, by_day: &Ages, by_week: &Ages) -> Result<BTreeSet<String>, String> {
    let rules = ctx.value("retain").and_then(Value::as_object);
    let rules = rules.ok_or("retain must be a map of rules and how many to keep")?;
    let mut out = BTreeSet::new();
    for (rule, count) in rules {
        let depth = match rule.as_str() {
            "first_of_year" => 1,
            "first_of_month" | "first_of_week" => 2,
            "first_of_day" => 3,
            "first_of_hour" => 4,
            "most_recent" => 5,
            other => return Err(format!("retain has no rule '{other}'")),
        };
        let count = match text(count).as_str() {
            "all" => usize::MAX,
            digits => digits
                .trim()
                .parse::<i64>()
                .map(|count| usize::try_from(count).unwrap_or(0))
                .map_err(|_| format!("retain: '{digits}' is not a number of {rule}"))?,
        };
        // Salt keeps one week more than it is asked for.
        let (ages, count) = match rule.as_str() {
            "first_of_week" => (by_week, count.saturating_add(1)),
            _ => (by_day, count),
        };
        let ages: Vec<(&Vec<i64>, &String)> = ages.iter().collect();
        first(&ages, 0, depth, count, &mut out);
    }
    Ok(out)
}

/// Keeps the oldest file of each of the latest periods; `ages` is sorted, and alike up to `level`.
fn first(
    ages: &[(&Vec<i64>, &String)],
    level: usize,
    depth: usize,
    count: usize,
    out: &mut BTreeSet<String>,
) -> usize {
    if level == depth {
        out.extend(ages.first().map(|(_, file)| (*file).clone()));
        return 1;
    }
    let mut kept = 0;
    for group in ages.chunk_by(|one, other| one.0[level] == other.0[level]).rev() {
        if kept >= count {
            break;
        }
        kept += first(group, level + 1, depth, count - kept, out);
    }
    kept
}
