//! `file.tidied`: what is old or large goes.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use super::not_absolute;
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::files::remove;
use crate::outcome::{Outcome, change};
use crate::regex::{Regex, python_regex};

pub(in crate::function) struct Tidied;

const DAY_SECS: i64 = 86_400;
/// Folders that a walk may nest in.
const DEPTH_MAX: usize = 256;

impl StateFunction for Tidied {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "tidied";
    const TAKES: &'static [&'static str] = &[
        "age",
        "matches",
        "rmdirs",
        "size",
        "exclude",
        "full_path_match",
        "followlinks",
        "time_comparison",
        "age_size_logical_operator",
        "age_size_only",
        "rmlinks",
    ];
    type Step = Vec<String>;

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        let wrong = |key: &'static str| {
            let given = chunk.args.get(key).map(crate::function::args::list).unwrap_or_default();
            compiled(&given).err().map(|problem| (key, problem))
        };
        ["matches", "exclude"].into_iter().filter_map(wrong).collect()
    }

    fn check(ctx: &Context<'_>) -> Plan<Vec<String>> {
        let name = ctx.name();
        if let Some(problem) = not_absolute(name) {
            return Plan::failed(problem);
        }
        if !ctx.host.stat(name).is_some_and(|meta| meta.is_dir()) {
            return Plan::failed(format!("{name} does not exist or is not a directory."));
        }
        let found = Wanted::of(ctx).and_then(|wanted| {
            let mut out = Vec::new();
            walk(ctx, &wanted, name, 0, &mut out).map_err(|error| error.to_string())?;
            Ok(out)
        });
        match found {
            Err(problem) => Plan::failed(problem),
            Ok(paths) if paths.is_empty() => {
                Plan::fine(format!("Nothing to remove from directory {name}"))
            }
            Ok(paths) => {
                let changes = change("removed", paths.clone());
                Plan::change(format!("{name} is set for tidy"), changes, paths)
            }
        }
    }

    fn apply(ctx: &Context<'_>, paths: Vec<String>) -> Outcome {
        let mut removed: Vec<Value> = Vec::new();
        for path in &paths {
            let place = ctx.host.path(path);
            if fs::symlink_metadata(&place).is_ok()
                && let Err(error) = remove(&place)
            {
                let comment = format!("Could not remove '{path}': {error}");
                return Outcome { changes: change("removed", removed), ..Outcome::failed(comment) };
            }
            removed.push(path.as_str().into());
        }
        let comment =
            format!("Removed {} files or directories from directory {}", paths.len(), ctx.name());
        Outcome::changed(comment, change("removed", removed))
    }
}

fn compiled(patterns: &[String]) -> Result<Vec<Regex>, String> {
    let one = |pattern: &String| python_regex(pattern, false, false, false);
    patterns.iter().map(one).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

/// Which of age and size count.
enum By {
    Age,
    Size,
    Either,
    Both,
}

struct Wanted {
    matches: Vec<Regex>,
    exclude: Vec<Regex>,
    by: By,
    age_days: i64,
    size: u64,
    time: fn(&Metadata) -> i64,
    today: i64,
}

impl Wanted {
    fn of(ctx: &Context<'_>) -> Result<Wanted, String> {
        let word = |key: &str| ctx.text(key).unwrap_or_default().to_lowercase();
        let by = match (word("age_size_only").as_str(), word("age_size_logical_operator").as_str())
        {
            ("age", _) => By::Age,
            ("size", _) => By::Size,
            (_, "and") => By::Both,
            _ => By::Either,
        };
        let time: fn(&Metadata) -> i64 = match word("time_comparison").as_str() {
            "ctime" => MetadataExt::ctime,
            "mtime" => MetadataExt::mtime,
            _ => MetadataExt::atime,
        };
        let mut matches = ctx.list("matches");
        if ctx.value("matches").is_none() {
            matches.push(".*".to_owned());
        }
        let size = ctx.text("size").unwrap_or_default();
        let days = ctx.text("age").and_then(|age| age.parse().ok()).unwrap_or(0);
        Ok(Wanted {
            matches: compiled(&matches)?,
            exclude: compiled(&ctx.list("exclude"))?,
            by,
            age_days: days,
            size: bytes(&size),
            time,
            today: time::OffsetDateTime::now_utc().unix_timestamp().div_euclid(DAY_SECS),
        })
    }

    fn meets(&self, meta: &Metadata, size: u64) -> bool {
        let age = self.today.abs_diff((self.time)(meta).div_euclid(DAY_SECS));
        let old = i64::try_from(age).unwrap_or(i64::MAX) >= self.age_days;
        let large = size >= self.size;
        match self.by {
            By::Age => old,
            By::Size => large,
            By::Either => old || large,
            By::Both => old && large,
        }
    }

    fn named(&self, name: &str) -> bool {
        let hit = |patterns: &[Regex]| patterns.iter().any(|pattern| pattern.matches_start(name));
        hit(&self.matches) && !hit(&self.exclude)
    }
}

/// Salt's sizes: `10k`, `5 MiB` by 1024, `5MB` by 1000; what is none is 0.
fn bytes(size: &str) -> u64 {
    let size = size.trim();
    let end = size.find(|sign: char| !sign.is_ascii_digit() && sign != '.').unwrap_or(size.len());
    let Ok(number) = size[..end].parse::<f64>() else { return 0 };
    let unit = size[end..].trim().to_lowercase();
    let (step, unit): (f64, &str) = match unit.as_str() {
        "" | "b" => return number as u64,
        unit if unit.len() == 2 && unit.ends_with('b') => (1000.0, &unit[..1]),
        unit if unit.len() == 1 => (1024.0, unit),
        unit if unit.len() == 3 && unit.ends_with("ib") => (1024.0, &unit[..1]),
        _ => return 0,
    };
    match "kmgtpezy".find(unit) {
        Some(power) => (number * step.powi(i32::try_from(power).unwrap_or(0) + 1)) as u64,
        None => 0,
    }
}

/// Collects what goes, deepest first.
fn walk(
    ctx: &Context<'_>,
    wanted: &Wanted,
    folder: &str,
    depth: usize,
    out: &mut Vec<String>,
) -> std::io::Result<()> {
    if depth > DEPTH_MAX {
        return Err(std::io::Error::other(format!("{folder} nests too deep")));
    }
    let Ok(entries) = fs::read_dir(ctx.host.followed(folder)) else { return Ok(()) };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut here = Vec::new();
    for name in names {
        let path = format!("{}/{name}", folder.trim_end_matches('/'));
        let Some(own) = ctx.host.lstat(&path) else { continue };
        let leads = if own.is_symlink() { ctx.host.stat(&path) } else { Some(own.clone()) };
        let is_folder = leads.is_some_and(|meta| meta.is_dir());
        if is_folder && (!own.is_symlink() || ctx.flag("followlinks", false)) {
            walk(ctx, wanted, &path, depth + 1, out)?;
        }
        let may = if own.is_symlink() {
            ctx.flag("rmlinks", true)
        } else {
            !own.is_dir() || ctx.flag("rmdirs", false)
        };
        let size = if own.is_file() { own.len() } else { 0 };
        let tested = if ctx.flag("full_path_match", false) { &path } else { &name };
        if may && wanted.meets(&own, size) && wanted.named(tested) {
            here.push((own.is_dir(), path));
        }
    }
    // Files first, then folders, as Python's walk lists them.
    here.sort_by_key(|(folder, _)| *folder);
    out.extend(here.into_iter().map(|(_, path)| path));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_read_as_salt_reads_them() {
        for (text, expected) in [
            ("10", 10),
            ("1k", 1024),
            ("1 KiB", 1024),
            ("1.5MB", 1_500_000),
            ("2x", 0),
            ("", 0),
            ("k", 0),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
