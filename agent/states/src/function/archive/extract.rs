//! Unpacking, and whose files it makes.

use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use serde_json::{Value, json};

use super::contents::Contents;
use super::{Format, explanation, folder, stamp, zip};
use crate::chunk::{Args, Chunk};
use crate::function::args::truth;
use crate::function::file::Directory;
use crate::function::file::source::{Fetched, Sum};
use crate::function::{Context, run};
use crate::host::command::{Exec, Output, run as run_command};
use crate::host::files::remove;
use crate::outcome::{Changes, Outcome};

/// Lines of output that `trim_output: True` keeps.
const TRIMMED: usize = 100;

/// An archive that was listed.
pub(super) struct Archive {
    pub(super) format: Format,
    pub(super) file: Fetched,
    /// What comments call it.
    pub(super) shown: String,
    pub(super) contents: Contents,
    /// What it must hash to, and whether that is still to be checked.
    pub(super) sum: Option<(Sum, bool)>,
}

/// Whose the files are to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
}

/// What is to be done.
pub(in crate::function) struct Step {
    pub(super) archive: Archive,
    pub(super) owner: Owner,
    pub(super) extract: bool,
    /// Paths of another kind, which go first.
    pub(super) remove: Vec<String>,
    pub(super) by_hash: bool,
    pub(super) missing: bool,
    /// The checksum to keep.
    pub(super) stamp: Option<String>,
}

pub(super) fn extracted(ctx: &Context<'_>, step: Step) -> Outcome {
    let name = folder(ctx);
    let mut changes = Changes::new();
    let mut outcome = if step.extract {
        match unpacked(ctx, &name, &step, &mut changes) {
            Ok(outcome) => outcome,
            // A command that failed is told in the changes alone.
            Err(outcome) if !outcome.changes.is_empty() => return outcome,
            Err(outcome) => return Outcome { changes, ..outcome },
        }
    } else {
        Outcome::fine("All files in archive are already present")
    };
    if let Some(sum) = &step.stamp
        && let Err(error) = stamp::keep(ctx, &step.archive.shown, sum)
    {
        return Outcome::failed(format!("cannot keep the checksum of the archive: {error}"));
    }
    let found = ownership(ctx, &name, &step.archive.contents, step.owner, false);
    outcome.changes = changes;
    if found.changed {
        outcome.changes.insert("updated ownership".to_owned(), true.into());
    }
    found.tell(ctx, &mut outcome);
    outcome
}

/// Cleans, makes the folder, unpacks.
fn unpacked(
    ctx: &Context<'_>,
    name: &str,
    step: &Step,
    changes: &mut Changes,
) -> Result<Outcome, Outcome> {
    let failed = |error: std::io::Error| Outcome::failed(error.to_string());
    removed(ctx, name, step, changes).map_err(failed)?;
    let bare = name.trim_end_matches('/');
    let made = !ctx.host.stat(bare).is_some_and(|meta| meta.is_dir());
    if made {
        let mut args = Args::from_iter([("makedirs".to_owned(), true.into())]);
        args.extend(ctx.value("user").map(|user| ("user".to_owned(), user.clone())));
        let chunk = directory(ctx, bare, args);
        let outcome = run::<Directory>(&Context { chunk: &chunk, ..*ctx });
        if outcome.result == Some(false) {
            return Err(outcome);
        }
    }
    let archive = &step.archive;
    let files = files(ctx, name, archive).inspect_err(|_| {
        if made && ctx.value("options").is_none() {
            // Only an empty folder goes; one that holds something is left to be looked at.
            drop(std::fs::remove_dir(ctx.host.path(bare)));
        }
    })?;
    let count = match &files {
        Value::Array(items) => items.len(),
        _ => 1,
    };
    if count == 0 {
        return Err(Outcome::failed(format!("No files were extracted from {}", archive.shown)));
    }
    if made {
        changes.insert("directories_created".to_owned(), json!([name]));
    }
    changes.insert("extracted_files".to_owned(), files);
    let mut comment = format!("{} extracted to {name}", archive.shown);
    comment.push_str(explanation(step.by_hash, step.missing));
    if let Some(lines) = trimmed(ctx) {
        comment.push_str(&format!(". Output was trimmed to {lines} number of lines"));
    }
    Ok(Outcome::fine(comment))
}

fn removed(
    ctx: &Context<'_>,
    name: &str,
    step: &Step,
    changes: &mut Changes,
) -> std::io::Result<()> {
    if ctx.flag("clean_parent", false) {
        let bare = name.trim_end_matches('/');
        if ctx.host.lstat(bare).is_some() {
            remove(&ctx.host.path(bare))?;
            let told = format!("Directory {name} was removed prior to the extraction");
            changes.insert("removed".to_owned(), told.into());
        }
        return Ok(());
    }
    let contents = &step.archive.contents;
    let paths = if ctx.flag("clean", false) {
        [contents.top_dirs(), contents.top_files()].concat()
    } else {
        step.remove.clone()
    };
    let mut gone = Vec::new();
    for path in paths {
        let full = format!("{name}{path}");
        let place = ctx.host.path(full.trim_end_matches('/'));
        if std::fs::symlink_metadata(&place).is_ok() {
            remove(&place)?;
            gone.push(full);
        }
    }
    if !gone.is_empty() {
        changes.insert("removed".to_owned(), gone.into());
    }
    Ok(())
}

/// How many names a report keeps, if not all.
fn trimmed(ctx: &Context<'_>) -> Option<usize> {
    match ctx.value("trim_output")? {
        Value::Bool(true) => Some(TRIMMED),
        Value::Number(lines) => {
            lines.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0)
        }
        Value::String(lines) => lines.parse().ok(),
        Value::Null | Value::Bool(false) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Unpacks; returns the names that are told of.
fn files(ctx: &Context<'_>, name: &str, archive: &Archive) -> Result<Value, Outcome> {
    let options = ctx.text("options").filter(|options| !options.is_empty());
    let to = ctx.host.followed(name.trim_end_matches('/'));
    let path = archive.file.path().to_string_lossy().into_owned();
    match archive.format {
        Format::Tar => tar(ctx, name, &path, options.as_deref(), archive),
        Format::Zip => {
            let unzip = ctx.value("use_cmd_unzip").is_some_and(truth);
            let password = ctx.text("password");
            if options.is_some() || unzip || password.is_some() {
                return unzipped(ctx, &path, &to, options.as_deref(), password, archive, unzip);
            }
            zip::entries(archive.file.path())
                .and_then(|entries| {
                    let modes = ctx.flag("extract_perms", true);
                    zip::extract(archive.file.path(), &entries, &to, modes)
                })
                .map_err(|error| {
                    Outcome::failed(format!("Exception encountered unpacking zipfile: {error}"))
                })?;
            Ok(zip_names(ctx, &archive.contents.names))
        }
    }
}

/// Salt's list of a zip's names, with a last line that tells of a cut.
fn zip_names(ctx: &Context<'_>, names: &[String]) -> Value {
    let mut shown: Vec<String> = names.to_vec();
    if let Some(lines) = trimmed(ctx).filter(|lines| names.len() > *lines) {
        shown.truncate(lines);
        shown.push(format!("List trimmed after {lines} files."));
    }
    shown.into()
}

fn first(ctx: &Context<'_>, mut names: Vec<String>) -> Value {
    names.truncate(trimmed(ctx).unwrap_or(usize::MAX));
    names.into()
}

fn tar(
    ctx: &Context<'_>,
    name: &str,
    path: &str,
    options: Option<&str>,
    archive: &Archive,
) -> Result<Value, Outcome> {
    let Some(options) = options else {
        let argv = ["tar", "-x", "-f", path].map(str::to_owned).to_vec();
        done(ctx, name, argv)?;
        return Ok(first(ctx, archive.contents.names.clone()));
    };
    let (mut short, mut long) = ("xv".to_owned(), Vec::new());
    let words = words(options)?;
    let words = words.into_iter().filter(|word| !["v", "-v", "--verbose"].contains(&word.as_str()));
    for (at, word) in words.enumerate() {
        if at > 0 || word.starts_with('-') {
            long.push(word);
        } else {
            short.push_str(&word.replace(['x', 'f'], ""));
        }
    }
    let mut argv = vec!["tar".to_owned(), short];
    argv.extend(long);
    argv.extend(["-f".to_owned(), path.to_owned()]);
    let output = done(ctx, name, argv)?;
    let lines: Vec<String> = output.stdout.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return Ok("no tar output so far".into());
    }
    Ok(first(ctx, lines))
}

fn words(options: &str) -> Result<Vec<String>, Outcome> {
    crate::module::words(options).ok_or_else(|| Outcome::failed("Invalid CLI options"))
}

/// Runs a command in the folder; one that fails is told as Salt tells it, in the changes.
fn done(ctx: &Context<'_>, name: &str, argv: Vec<String>) -> Result<Output, Outcome> {
    let cwd = Some(name.trim_end_matches('/').to_owned());
    let output = run_command(ctx.host, &Exec { argv, cwd, ..Exec::default() }, ctx.cancel)
        .map_err(|error| Outcome::failed(error.to_string()))?;
    if output.code == 0 {
        return Ok(output);
    }
    let changes = json!({
        "pid": output.pid,
        "retcode": output.code,
        "stdout": output.stdout.trim_end_matches('\n'),
        "stderr": output.stderr.trim_end_matches('\n'),
    });
    let changes = changes.as_object().cloned().unwrap_or_default();
    Err(Outcome { changes, ..Outcome::failed("") })
}

fn unzipped(
    ctx: &Context<'_>,
    path: &str,
    to: &Path,
    options: Option<&str>,
    password: Option<String>,
    archive: &Archive,
    shown: bool,
) -> Result<Value, Outcome> {
    let mut argv = vec!["unzip".to_owned()];
    if let Some(password) = &password {
        argv.extend(["-P".to_owned(), password.clone()]);
    }
    match options {
        Some(options) => argv.extend(words(options)?),
        None => argv.push("-o".to_owned()),
    }
    argv.extend([path.to_owned(), "-d".to_owned(), to.to_string_lossy().into_owned()]);
    let exec = Exec { argv, merge_stderr: true, ..Exec::default() };
    let output = run_command(ctx.host, &exec, ctx.cancel)
        .map_err(|error| Outcome::failed(error.to_string()))?;
    if output.code != 0 {
        return Err(Outcome::failed(output.stdout.trim_end()));
    }
    if password.is_some() && !shown {
        return Ok(zip_names(ctx, &archive.contents.names));
    }
    let lines: Vec<String> = output.stdout.trim_end().lines().map(str::to_owned).collect();
    Ok(zip_names(ctx, &lines))
}

fn directory(ctx: &Context<'_>, path: &str, args: Args) -> Chunk {
    Chunk {
        state: "file".to_owned(),
        fun: "directory".to_owned(),
        name: path.to_owned(),
        args,
        ..ctx.chunk.clone()
    }
}

/// What came of setting the owner.
#[derive(Default)]
pub(super) struct Owned {
    pub(super) changed: bool,
    missing: Vec<String>,
    failed: Vec<String>,
}

impl Owned {
    /// Adds what went wrong to an outcome.
    pub(super) fn tell(&self, ctx: &Context<'_>, outcome: &mut Outcome) {
        let list = |items: &[String]| -> String {
            items.iter().map(|item| format!("\n- {item}")).collect()
        };
        if !self.missing.is_empty() {
            if ctx.value("if_missing").is_none() {
                outcome.result = Some(false);
            }
            outcome.comment.push_str(&format!(
                "\n\nWhile trying to enforce user/group ownership, the following paths were \
                 missing:\n{}",
                list(&self.missing)
            ));
        }
        if !self.failed.is_empty() {
            outcome.result = Some(false);
            outcome.comment.push_str(&format!(
                "\n\nWhile trying to enforce user/group ownership, Salt was unable to change \
                 ownership on the following paths:\n{}",
                list(&self.failed)
            ));
        }
    }
}

/// Gives the archive's files to their owner, or tells whether that would change anything.
pub(super) fn ownership(
    ctx: &Context<'_>,
    name: &str,
    contents: &Contents,
    owner: Owner,
    dry: bool,
) -> Owned {
    let mut out = Owned::default();
    if owner.uid.is_none() && owner.gid.is_none() {
        return out;
    }
    let (dirs, files) = match ctx.text("enforce_ownership_on") {
        Some(path) if ctx.host.stat(&path).is_some_and(|meta| meta.is_dir()) => {
            (vec![path], Vec::new())
        }
        Some(path) => (Vec::new(), vec![path]),
        None => {
            let full =
                |paths: Vec<String>| paths.iter().map(|path| format!("{name}{path}")).collect();
            (full(contents.top_dirs()), full([contents.top_files(), contents.top_links()].concat()))
        }
    };
    for path in dirs {
        if !ctx.host.stat(&path).is_some_and(|meta| meta.is_dir()) {
            if !dry {
                out.missing.push(path);
            }
            continue;
        }
        let outcome = whole(ctx, &path, owner, dry);
        out.changed |= !outcome.changes.is_empty();
        if outcome.result == Some(false) {
            out.failed.push(path);
        }
    }
    for path in files {
        match ctx.host.lstat(&path) {
            None if dry => {}
            None => {
                out.missing.push(path.clone());
                out.failed.push(path);
            }
            Some(meta)
                if owner.uid.is_some_and(|uid| uid != meta.uid())
                    || owner.gid.is_some_and(|gid| gid != meta.gid()) =>
            {
                let set = dry || lchown(ctx.host.path(&path), owner.uid, owner.gid).is_ok();
                out.changed |= set;
                if !set {
                    out.failed.push(path);
                }
            }
            Some(_) => {}
        }
    }
    out
}

/// A folder and all below it, as a `file.directory` that recurses.
fn whole(ctx: &Context<'_>, path: &str, owner: Owner, dry: bool) -> Outcome {
    let mut args = Args::default();
    let mut recurse = Vec::new();
    for (key, set) in [("user", owner.uid.is_some()), ("group", owner.gid.is_some())] {
        if let Some(value) = ctx.value(key).filter(|_| set) {
            args.insert(key.to_owned(), value.clone());
            recurse.push(key);
        }
    }
    args.insert("recurse".to_owned(), json!(recurse));
    let chunk = directory(ctx, path.trim_end_matches('/'), args);
    run::<Directory>(&Context { chunk: &chunk, test: dry, ..*ctx })
}
