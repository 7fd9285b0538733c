//! `file.touch`: a file is there, and its times are now or those that are given.

use std::fs::{File, FileTimes, Metadata};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use super::{not_absolute, parent};
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::files::{Access, make_folders};
use crate::outcome::{Changes, Outcome, change};

pub(in crate::function) struct Touch;

impl StateFunction for Touch {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "touch";
    const TAKES: &'static [&'static str] = &["atime", "mtime", "makedirs"];
    type Step = ();

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        let wrong = |key: &&&'static str| {
            let value = chunk.args.get(**key).filter(|value| !value.is_null());
            value.is_some_and(|value| seconds(&crate::function::args::text(value)).is_none())
        };
        let told = |key: &&'static str| (*key, format!("{key} must be a number of seconds"));
        ["atime", "mtime"].iter().filter(wrong).map(told).collect()
    }

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let name = ctx.name();
        if let Some(problem) = not_absolute(name) {
            return Plan::failed(problem);
        }
        if ctx.test {
            return foreseen(ctx);
        }
        if !ctx.flag("makedirs", false)
            && !ctx.host.stat(parent(name)).is_some_and(|meta| meta.is_dir())
        {
            return Plan::failed(format!("Directory not present to touch file {name}"));
        }
        Plan::change("", Changes::new(), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let name = ctx.name();
        let there = ctx.host.stat(name);
        if let Err(error) = touch(ctx, there.is_some()) {
            return Outcome::failed(format!("Failed to touch {name}: {error}"));
        }
        // The file is there by then.
        if !Touch::doubt(ctx.chunk).is_empty() {
            return Outcome::failed("atime and mtime must be integers");
        }
        match there {
            None => Outcome::changed(format!("Created empty file {name}"), change("new", name)),
            Some(meta) => {
                let kind = if meta.is_dir() { "directory" } else { "file" };
                let comment = format!("Updated times on {kind} {name}");
                Outcome::changed(comment, change("touched", name))
            }
        }
    }
}

fn foreseen(ctx: &Context<'_>) -> Plan<()> {
    let name = ctx.name();
    if ctx.host.stat(name).is_none() {
        return Plan::change(format!("File {name} is set to be created"), change("new", name), ());
    }
    // Salt compares with Python's float, as text: a whole second never equals it.
    let differs = |key: &str, own: fn(&Metadata) -> (i64, i64)| {
        let meta = ctx.host.lstat(name);
        ctx.text(key).is_some_and(|text| meta.is_none_or(|meta| text != float(own(&meta))))
    };
    if differs("atime", |meta| (meta.atime(), meta.atime_nsec()))
        || differs("mtime", |meta| (meta.mtime(), meta.mtime_nsec()))
    {
        let comment = format!("Times set to be updated on file {name}");
        return Plan::change(comment, change("touched", name), ());
    }
    // Salt tells of a touch here although it says that nothing is to be done.
    let comment = format!("File {name} exists and has the correct times");
    Plan::Done(Outcome { changes: change("new", name), ..Outcome::fine(comment) })
}

/// A time as Python's `str()` of its float.
fn float((seconds, nanos): (i64, i64)) -> String {
    #[allow(clippy::cast_precision_loss, reason = "Python's float has the same precision")]
    let value = seconds as f64 + nanos as f64 * 1e-9;
    let text = value.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

fn seconds(text: &str) -> Option<SystemTime> {
    let seconds = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(seconds)
}

fn touch(ctx: &Context<'_>, there: bool) -> std::io::Result<()> {
    let name = ctx.name();
    if ctx.flag("makedirs", false) {
        make_folders(&ctx.host.followed(parent(name)), Access::default())?;
    }
    let place = ctx.host.followed(name);
    let file = if there {
        File::open(&place)?
    } else {
        crate::backup::keep(&place);
        let file = File::create_new(&place)?;
        ctx.host.renamed_in(place.parent().unwrap_or(&place))?;
        file
    };
    #[allow(clippy::disallowed_methods, reason = "what is touched is touched now")]
    let now = SystemTime::now();
    let time = |key: &str| ctx.text(key).and_then(|text| seconds(&text)).unwrap_or(now);
    file.set_times(FileTimes::new().set_accessed(time("atime")).set_modified(time("mtime")))
}
