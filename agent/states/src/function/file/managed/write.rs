//! Writing the file: checked first, whole or not at all, what was there kept if asked.

use std::fs::Metadata;
use std::io;

use serde_json::Value;

use super::contents::looked_up;
use super::{Contents, Step, ignored, marks};
use crate::chunk::Chunk;
use crate::function::args::{show_mode, text, truth};
use crate::function::cmd::words;
use crate::function::file::perms::{Perms, searchable};
use crate::function::file::{diff, parent};
use crate::function::{Context, Lint};
use crate::host::command::{Exec, run};
use crate::host::files::{Access, TEMPORARY, copy_file, make_folders, replace, replace_keeping};
use crate::host::umask;
use crate::outcome::{Changes, Outcome, change};

/// What a comment starts with when `check_cmd` does not accept the contents.
pub(in crate::function::file) const REFUSED: &str = "check_cmd execution failed";

/// Where `backup: minion` keeps what was there.
const BACKUPS: &str = "/var/cache/muster/file_backup";

/// The kinds of backup that keep a copy here.
const KEEPING: [&str; 2] = ["minion", "both"];

/// A kind of backup that there is not: nothing is kept then, in Salt neither.
pub(in crate::function::file) fn doubt_backup(chunk: &Chunk) -> Vec<Lint> {
    let given = chunk.args.get("backup").filter(|value| truth(value)).map(text);
    match given.filter(|kind| !KEEPING.contains(&kind.as_str())) {
        Some(kind) => {
            let told = format!("the backup '{kind}' keeps nothing: use 'minion'");
            vec![("backup", told)]
        }
        None => Vec::new(),
    }
}

pub(super) fn written(ctx: &Context<'_>, step: Step) -> Outcome {
    let name = ctx.name();
    let sourced = matches!(step.contents, Contents::Sourced(_));
    let data = match step.contents {
        Contents::None => None,
        Contents::Given(data) | Contents::Sourced(Ok(data)) => Some(data),
        Contents::Sourced(Err(problem)) => return Outcome::failed(problem),
    };
    // A file that is made empty is checked if something is said of its owner or mode.
    let mode = step.perms.mode.unwrap_or(PRIVATE);
    let told = !new_file_changes(ctx, &step.perms, mode, false).is_empty();
    let checked = match &data {
        Some(data) => Some(data.as_slice()),
        None => (told && ctx.host.stat(name).is_none()).then_some(&b""[..]),
    };
    if let Some(data) = checked
        && let Err(outcome) = accepted(ctx, data)
    {
        return outcome;
    }
    // A mode that cannot be had leaves a new file as private as Salt makes it.
    let mut perms = step.perms;
    let new = ctx.host.stat(name).is_none();
    perms.mode = perms.mode.or((new && step.unmet.contains_key("mode")).then_some(PRIVATE));
    let done = match ctx.host.stat(name) {
        Some(meta) => update(ctx, &perms, data, &meta, sourced),
        None => create(ctx, &perms, data, sourced),
    };
    let mut outcome = match done {
        Ok(outcome) => outcome,
        Err(error) => return Outcome::failed(format!("Unable to manage file: {error}")),
    };
    if outcome.result == Some(true) {
        let (changes, mut problems) = marks::set(ctx);
        problems.extend(unmet(&step.unmet));
        // Of an old file that changed Salt tells only that.
        let updated = !new && outcome.changes.contains_key("diff") && !step.unmet.is_empty();
        outcome.changes.extend(changes);
        if !problems.is_empty() {
            outcome.result = Some(false);
            if !updated {
                outcome.comment = problems.join("; ");
            }
        }
    }
    outcome
}

/// What is told of an owner or a mode that cannot be had.
fn unmet(wanted: &Changes) -> Vec<String> {
    let names = [("user", "User does not exist\n"), ("group", "Group does not exist\n")];
    let unknown: String =
        names.iter().filter(|(key, _)| wanted.contains_key(*key)).map(|(_, told)| *told).collect();
    let failed = |(key, value)| format!("Failed to change {key} to {}", text(value));
    Some(unknown)
        .filter(|told| !told.is_empty())
        .into_iter()
        .chain(wanted.iter().map(failed))
        .collect()
}

/// Runs `check_cmd` on the new contents before anything is touched.
fn accepted(ctx: &Context<'_>, data: &[u8]) -> Result<(), Outcome> {
    let given = ctx.value("check_cmd").is_some_and(truth);
    let Some(command) = ctx.text("check_cmd").filter(|_| given) else { return Ok(()) };
    let fail = |error: io::Error| Outcome::failed(format!("Unable to check_cmd file: {error}"));
    let folder = ctx.text("tmp_dir").unwrap_or_else(|| "/tmp".to_owned());
    let ending = ctx.text("tmp_ext").unwrap_or_default();
    let folder = ctx.host.followed(&folder);
    ctx.host.makes_temp_in(&folder);
    let mut temp = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .suffix(&ending)
        .tempfile_in(folder)
        .map_err(fail)?;
    io::Write::write_all(&mut temp, data).map_err(fail)?;
    // Salt starts it without a shell.
    let line = format!("{command} {}", temp.path().display());
    let argv = words(&line).ok_or_else(|| Outcome::failed("No closing quotation"))?;
    let output = run(ctx.host, &Exec { argv, ..Exec::default() }, ctx.cancel)
        .map_err(|error| Outcome::raised(error.to_string()))?;
    if output.code == 0 {
        return Ok(());
    }
    let mut comment = REFUSED.to_owned();
    for stream in [output.stdout.trim_end(), output.stderr.trim_end()] {
        if !stream.is_empty() {
            comment.push_str(&format!("\n{stream}"));
        }
    }
    Err(Outcome { skip_watch: true, ..Outcome::failed(comment) })
}

fn update(
    ctx: &Context<'_>,
    perms: &Perms,
    data: Option<Vec<u8>>,
    meta: &Metadata,
    sourced: bool,
) -> io::Result<Outcome> {
    let name = ctx.name();
    let follow = ctx.flag("follow_symlinks", true);
    let place = if follow { ctx.host.followed(name) } else { ctx.host.path(name) };
    let link = std::fs::symlink_metadata(&place)?.is_symlink() && sourced;
    let mut changes = Changes::new();
    let mut quiet = false;
    if let Some(data) = &data {
        let current = std::fs::read(&place)?;
        if current != *data || link {
            let show = ctx.flag("show_changes", true);
            let shown = if link && current == *data {
                "Replace symbolic link with regular file".to_owned()
            } else {
                diff::between(&current, data, show)
            };
            changes.insert("diff".to_owned(), Value::from(shown));
            quiet = ignored::nothing_else(ctx, &current, data);
            keep(ctx, &place)?;
            // Owner and mode of the old file are in place before the new one appears.
            let differences = perms.differences(ctx.host, meta);
            replace_keeping(ctx.host, &place, data, perms.access(ctx.host), Access::of(meta))?;
            changes.extend(differences);
        }
    }
    if !changes.contains_key("diff") {
        changes.extend(perms.set(ctx.host, name, follow)?);
    }
    let replaced = data.is_some() || (looked_up(ctx) && ctx.flag("replace", true));
    let comment = if replaced { format!("File {name} updated") } else { String::new() };
    Ok(Outcome { skip_req: quiet, ..Outcome::changed(comment, changes) })
}

/// Keeps a copy of what was there, if `backup` asks for it.
fn keep(ctx: &Context<'_>, place: &std::path::Path) -> io::Result<()> {
    if !ctx.text("backup").is_some_and(|kind| KEEPING.contains(&kind.as_str())) {
        return Ok(());
    }
    let name = ctx.name();
    let now = time::OffsetDateTime::now_utc();
    let stamp = now.unix_timestamp_nanos() / 1000;
    let folder = format!("{BACKUPS}{}", parent(name));
    let access = Access { mode: Some(0o700), ..Access::default() };
    make_folders(&ctx.host.followed(&folder), access)?;
    let last = name.rsplit('/').next().unwrap_or_default();
    let copy = ctx.host.path(&format!("{folder}/{last}_{stamp}"));
    copy_file(ctx.host, place, &copy, Access::of(&std::fs::metadata(place)?))
}

fn create(
    ctx: &Context<'_>,
    perms: &Perms,
    data: Option<Vec<u8>>,
    sourced: bool,
) -> io::Result<Outcome> {
    let name = ctx.name();
    let folder = name.strip_suffix('/').unwrap_or_else(|| parent(name));
    if !ctx.host.stat(folder).is_some_and(|meta| meta.is_dir()) {
        if !ctx.flag("makedirs", false) {
            return Ok(Outcome::failed("Parent directory not present"));
        }
        if ctx.host.stat(folder).is_some() {
            return Ok(Outcome::failed("Unable to manage file: Not a directory"));
        }
        let mode = match ctx.mode("dir_mode") {
            Ok(mode) => mode.or_else(|| perms.mode.map(searchable)),
            Err(problem) => return Ok(Outcome::failed(problem)),
        };
        let access = Access { mode, ..perms.access(ctx.host) };
        make_folders(&ctx.host.followed(parent(name)), access)?;
    }
    let access = perms.access(ctx.host);
    let mode = access.mode.unwrap_or_else(umask::new_file);
    let place = ctx.host.followed(name);
    let contents = data.as_deref().unwrap_or_default();
    replace(ctx.host, &place, contents, Access { mode: Some(mode), ..access })?;
    let mut changes = match &data {
        Some(data) if ctx.flag("new_file_diff", false) => {
            change("diff", diff::between(b"", data, true))
        }
        Some(_) => change("diff", "New file"),
        None => change("new", format!("file {name} created")),
    };
    changes.extend(new_file_changes(ctx, perms, mode, sourced));
    let comment =
        if data.is_some() { format!("File {name} updated") } else { "Empty file".to_owned() };
    Ok(Outcome { skip_req: ignored::asked(ctx), ..Outcome::changed(comment, changes) })
}

/// The mode that Salt's file starts with when it is copied or its mode is given: what a report
/// tells of a new file's mode is how it differs from this.
const PRIVATE: u32 = 0o600;

/// Owner, group and mode of a new file, where Salt reports them.
fn new_file_changes(ctx: &Context<'_>, perms: &Perms, mode: u32, sourced: bool) -> Changes {
    let mut changes = Changes::new();
    let own = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    let wanted = perms.access(ctx.host);
    if let Some(user) = perms.user.as_ref().filter(|_| wanted.uid != Some(own.0)) {
        changes.insert("user".to_owned(), Perms::shown(user));
    }
    if let Some(group) = perms.group.as_ref().filter(|_| wanted.gid != Some(own.1)) {
        changes.insert("group".to_owned(), Perms::shown(group));
    }
    if (perms.mode.is_some() || sourced) && mode != PRIVATE {
        changes.insert("mode".to_owned(), Value::from(show_mode(mode)));
    }
    changes
}
