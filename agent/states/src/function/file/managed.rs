//! `file.managed`: a file's contents, owner and mode.

mod contents;
mod encoding;

use std::fs::Metadata;

use serde_json::Value;

use super::perms::{Perms, searchable};
use super::source::{self, Source};
use super::{WINDOWS, diff, not_absolute, parent};
use crate::chunk::Chunk;
use crate::function::args::show_mode;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::command::{Exec, run};
use crate::host::files::{Access, TEMPORARY, make_folders, replace, replace_keeping};
use crate::host::umask;
use crate::outcome::{Changes, Outcome, change};

pub(super) use encoding::{encoded, lint as lint_encoding};

pub(in crate::function) struct Managed;

/// What a comment starts with when `check_cmd` does not accept the contents.
pub(super) const REFUSED: &str = "check_cmd execution failed";

/// What is to be written.
pub(in crate::function) struct Step {
    perms: Perms,
    contents: Contents,
}

impl Step {
    /// These contents, whatever the state says of them.
    pub(super) fn of(perms: Perms, contents: Vec<u8>) -> Step {
        Step { perms, contents: Contents::Given(contents) }
    }
}

/// Where the contents come from.
enum Contents {
    /// Owner and mode only; a missing file is made empty.
    None,
    Given(Vec<u8>),
    /// From a source; faults that only applying reports are kept.
    Sourced(Result<Vec<u8>, String>),
}

impl StateFunction for Managed {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "managed";
    const TAKES: &'static [&'static str] = &[
        "source",
        "source_hash",
        "user",
        "owner",
        "group",
        "mode",
        "template",
        "makedirs",
        "dir_mode",
        "context",
        "replace",
        "defaults",
        "show_changes",
        "create",
        "contents",
        "contents_pillar",
        "contents_grains",
        "contents_newline",
        "contents_delimiter",
        "allow_empty",
        "follow_symlinks",
        "check_cmd",
        "encoding",
        "encoding_errors",
    ];
    const TOLERATES: &'static [&'static str] = &[
        "keep_source",
        "skip_verify",
        "verify_ssl",
        "use_etag",
        "tmp_dir",
        "source_hash_name",
        "sig_backend",
        WINDOWS[0],
        WINDOWS[1],
        WINDOWS[2],
        WINDOWS[3],
        WINDOWS[4],
    ];
    const REFUSES: &'static [&'static str] = &[
        "attrs",
        "selinux",
        "backup",
        "tmp_ext",
        "signature",
        "source_hash_sig",
        "signed_by_any",
        "signed_by_all",
        "keyring",
        "gnupghome",
        "ignore_ordering",
        "ignore_whitespace",
        "ignore_comment_characters",
        "new_file_diff",
    ];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        let mut out = source::lint(chunk);
        out.extend(lint_encoding(chunk));
        out
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        match prepared(ctx) {
            Ok(Some(step)) => planned(ctx, step),
            Ok(None) => {
                let name = ctx.name();
                Plan::fine(format!("File {name} is not present and is not set for creation"))
            }
            Err(problem) => Plan::failed(problem),
        }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let name = ctx.name();
        let data = match step.contents {
            Contents::None => None,
            Contents::Given(data) => Some(data),
            Contents::Sourced(Ok(data)) => Some(data),
            Contents::Sourced(Err(problem)) => return Outcome::failed(problem),
        };
        if let Some(data) = &data
            && let Err(outcome) = accepted(ctx, data)
        {
            return outcome;
        }
        let sourced = ctx.value("source").is_some();
        let done = match ctx.host.stat(name) {
            Some(meta) => update(ctx, &step.perms, data, &meta),
            None => create(ctx, &step.perms, data, sourced),
        };
        done.unwrap_or_else(|error| Outcome::failed(format!("Unable to manage file: {error}")))
    }
}

/// Checks the arguments and gathers the contents; `None` if there is nothing to make.
fn prepared(ctx: &Context<'_>) -> Result<Option<Step>, String> {
    let name = ctx.name();
    let keep = ctx.text("mode").is_some_and(|mode| mode == "keep");
    let given = contents::given(ctx, keep)?;
    if !ctx.flag("create", true) && !ctx.host.stat(name).is_some_and(|meta| meta.is_file()) {
        return Ok(None);
    }
    let mut perms = Perms::of(ctx, "mode")?;
    if let Some(problem) = not_absolute(name) {
        return Err(problem);
    }
    if ctx.host.stat(name).is_some_and(|meta| meta.is_dir()) {
        return Err(format!("Specified target {name} is a directory"));
    }
    let contents = match (given, ctx.value("source")) {
        (Some(data), _) => Contents::Given(encoded(ctx, data)?),
        (None, None) => Contents::None,
        (None, Some(_)) if !ctx.flag("replace", true) && ctx.host.stat(name).is_some() => {
            Contents::None
        }
        (None, Some(source)) => {
            let found = source::find(ctx, source);
            let unable = |problem: String| {
                if ctx.test { problem } else { format!("Unable to manage file: {problem}") }
            };
            let found = found.map_err(unable)?;
            if keep {
                perms.mode = found.mode(ctx);
            }
            Contents::Sourced(sourced(ctx, &found)?)
        }
    };
    Ok(Some(Step { perms, contents }))
}

/// The outer error stops even a dry run, the inner one only shows when applied.
fn sourced(ctx: &Context<'_>, found: &Source) -> Result<Result<Vec<u8>, String>, String> {
    let data =
        source::read(ctx, found).map_err(|problem| format!("Unable to manage file: {problem}"))?;
    Ok(match found {
        Source::Local(_) => source::verify(ctx, &data).map(|()| data),
        Source::Tree(_) => Ok(data),
    })
}

pub(super) fn planned(ctx: &Context<'_>, step: Step) -> Plan<Step> {
    let name = ctx.name();
    let meta = ctx.host.stat(name);
    let replacing = ctx.flag("replace", true) && !matches!(step.contents, Contents::None);
    let Some(meta) = meta else {
        return Plan::change(to_be_changed(name), change("newfile", name), step);
    };
    let mut changes = Changes::new();
    if replacing {
        let wanted = match &step.contents {
            Contents::Given(data) | Contents::Sourced(Ok(data)) => Some(data),
            Contents::None => None,
            Contents::Sourced(Err(_)) => return Plan::change(to_be_changed(name), changes, step),
        };
        let current = std::fs::read(ctx.host.followed(name)).unwrap_or_default();
        if let Some(wanted) = wanted.filter(|wanted| **wanted != current) {
            let show = ctx.flag("show_changes", true);
            changes.insert("diff".to_owned(), Value::from(diff::between(&current, wanted, show)));
        }
    }
    changes.extend(step.perms.differences(ctx.host, &meta));
    let kept = Step { contents: if replacing { step.contents } else { Contents::None }, ..step };
    match (changes.is_empty(), replacing) {
        (true, true) if ctx.test => Plan::fine(format!("The file {name} is in the correct state")),
        (true, true) => Plan::fine(format!("File {name} is in the correct state")),
        (true, false) if ctx.test => Plan::fine(format!("File {name} not updated")),
        (true, false) => {
            Plan::fine(format!("File {name} exists with proper permissions. No changes made."))
        }
        (false, true) => Plan::change(to_be_changed(name), changes, kept),
        (false, false) => Plan::change(permissions_only(ctx, &kept.perms, &meta), changes, kept),
    }
}

fn to_be_changed(name: &str) -> String {
    format!(
        "The file {name} is set to be changed\nNote: No changes made, actual changes may\nbe \
         different due to other states."
    )
}

fn permissions_only(ctx: &Context<'_>, perms: &Perms, meta: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    let (name, current) = (ctx.name(), meta.mode() & 0o7777);
    match perms.mode.filter(|mode| *mode != current) {
        Some(mode) => format!(
            "File {name} will be updated with permissions {} from its current state of {}",
            show_mode(mode),
            show_mode(current)
        ),
        None => format!("File {name} not updated"),
    }
}

/// Runs `check_cmd` on the new contents before anything is touched.
fn accepted(ctx: &Context<'_>, data: &[u8]) -> Result<(), Outcome> {
    let Some(command) = ctx.text("check_cmd") else { return Ok(()) };
    let fail =
        |error: std::io::Error| Outcome::failed(format!("Unable to check_cmd file: {error}"));
    let folder = ctx.host.path("/tmp");
    ctx.host.makes_temp_in(&folder);
    let mut temp = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder).map_err(fail)?;
    std::io::Write::write_all(&mut temp, data).map_err(fail)?;
    let line = format!("{command} {}", temp.path().display());
    let output = run(ctx.host, &Exec::shell("/bin/sh", &line), ctx.cancel)
        .map_err(|error| Outcome::failed(error.to_string()))?;
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
) -> std::io::Result<Outcome> {
    let name = ctx.name();
    let follow = ctx.flag("follow_symlinks", true);
    let place = if follow { ctx.host.followed(name) } else { ctx.host.path(name) };
    let mut changes = Changes::new();
    if let Some(data) = &data {
        let current = std::fs::read(&place)?;
        if current != *data {
            let show = ctx.flag("show_changes", true);
            let shown = diff::between(&current, data, show);
            changes.insert("diff".to_owned(), Value::from(shown));
            // Owner and mode of the old file are in place before the new one appears.
            let differences = perms.differences(ctx.host, meta);
            replace_keeping(ctx.host, &place, data, perms.access(ctx.host), Access::of(meta))?;
            changes.extend(differences);
        }
    }
    if !changes.contains_key("diff") {
        changes.extend(perms.set(ctx.host, name, follow)?);
    }
    let comment = if data.is_some() { format!("File {name} updated") } else { String::new() };
    Ok(Outcome::changed(comment, changes))
}

fn create(
    ctx: &Context<'_>,
    perms: &Perms,
    data: Option<Vec<u8>>,
    sourced: bool,
) -> std::io::Result<Outcome> {
    let name = ctx.name();
    if !ctx.host.stat(parent(name)).is_some_and(|meta| meta.is_dir()) {
        if !ctx.flag("makedirs", false) {
            return Ok(Outcome::failed("Parent directory not present"));
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
    replace(
        ctx.host,
        &place,
        data.as_deref().unwrap_or_default(),
        Access { mode: Some(mode), ..access },
    )?;
    let mut changes = match data {
        Some(_) => change("diff", "New file"),
        None => change("new", format!("file {name} created")),
    };
    changes.extend(new_file_changes(ctx, perms, mode, sourced));
    let comment =
        if data.is_some() { format!("File {name} updated") } else { "Empty file".to_owned() };
    Ok(Outcome::changed(comment, changes))
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
        changes.insert("user".to_owned(), Value::from(user.as_str()));
    }
    if let Some(group) = perms.group.as_ref().filter(|_| wanted.gid != Some(own.1)) {
        changes.insert("group".to_owned(), Value::from(group.as_str()));
    }
    if (perms.mode.is_some() || sourced) && mode != PRIVATE {
        changes.insert("mode".to_owned(), Value::from(show_mode(mode)));
    }
    changes
}
