//! `file.managed`: a file's contents, owner and mode.

mod contents;
mod encoding;
mod ignored;
mod marks;
mod plan;
mod write;

use std::fs::Metadata;

use serde_json::Value;

use super::perms::Perms;
use super::source::{self, Sees, Source};
use super::{WINDOWS, not_absolute};
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

pub(super) use encoding::{encoded, lint as lint_encoding};
pub(super) use plan::planned;
pub(super) use write::{REFUSED, doubt_backup};

pub(in crate::function) struct Managed;

/// What is to be written.
pub(in crate::function) struct Step {
    perms: Perms,
    /// What is asked of owner and mode that cannot be had.
    unmet: Changes,
    contents: Contents,
}

impl Step {
    /// These contents, whatever the state says of them.
    pub(super) fn of((perms, unmet): (Perms, Changes), contents: Vec<u8>) -> Step {
        Step { perms, unmet, contents: Contents::Given(contents) }
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
        "source_hash_name",
        "skip_verify",
        "use_etag",
        "verify_ssl",
        "user",
        "owner",
        "group",
        "mode",
        "attrs",
        "selinux",
        "template",
        "makedirs",
        "dir_mode",
        "context",
        "replace",
        "defaults",
        "backup",
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
        "tmp_dir",
        "tmp_ext",
        "encoding",
        "encoding_errors",
        "ignore_ordering",
        "ignore_whitespace",
        "ignore_comment_characters",
        "new_file_diff",
    ];
    // What is fetched is not kept after the run, whatever `keep_source` says.
    const TOLERATES: &'static [&'static str] =
        &["keep_source", "sig_backend", WINDOWS[0], WINDOWS[1], WINDOWS[2], WINDOWS[3], WINDOWS[4]];
    const REFUSES: &'static [&'static str] =
        &["signature", "source_hash_sig", "signed_by_any", "signed_by_all", "keyring", "gnupghome"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        let mut out = source::lint(chunk);
        out.extend(lint_encoding(chunk));
        out
    }

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        let mut out = source::doubt(chunk);
        out.extend(doubt_backup(chunk));
        out
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let meta = ctx.host.stat(ctx.name());
        match prepared(ctx, meta.as_ref()) {
            Ok(Some(step)) => planned(ctx, step, meta.as_ref()),
            Ok(None) => {
                let name = ctx.name();
                Plan::fine(format!("File {name} is not present and is not set for creation"))
            }
            Err(problem) => Plan::failed(problem),
        }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        write::written(ctx, step)
    }
}

/// Checks the arguments and gathers the contents; `None` if there is nothing to make.
fn prepared(ctx: &Context<'_>, meta: Option<&Metadata>) -> Result<Option<Step>, String> {
    let name = ctx.name();
    let keep = ctx.shown("mode").is_some_and(|mode| mode.eq_ignore_ascii_case("keep"));
    let given = contents::given(ctx, keep)?;
    if !ctx.flag("create", true) && !meta.is_some_and(Metadata::is_file) {
        return Ok(None);
    }
    let (mut perms, unmet) = Perms::with_unmet(ctx, false)?;
    if name.is_empty() {
        return Err("Destination file name is required".to_owned());
    }
    if let Some(problem) = not_absolute(name) {
        return Err(problem);
    }
    if meta.is_some_and(Metadata::is_dir) {
        return Err(format!("Specified target {name} is a directory"));
    }
    for (key, title) in [("context", "Context"), ("defaults", "Defaults")] {
        let set = ctx.value(key).filter(|value| crate::function::args::truth(value));
        if set.is_some_and(|value| !value.is_object()) {
            return Err(format!("{title} must be formed as a dict"));
        }
    }
    let source = ctx.value("source").filter(|source| crate::function::args::truth(source));
    let empty_list = ctx.value("source").and_then(Value::as_array).is_some_and(Vec::is_empty);
    let contents = match (given, source) {
        // As in Salt, a dry run compares the text.
        (Some(data), _) if ctx.test => Contents::Given(data),
        (Some(data), _) => Contents::Given(
            encoded(ctx, data).map_err(|problem| format!("Unable to manage file: {problem}"))?,
        ),
        (None, None) if empty_list && meta.is_none() => {
            return Err("Unable to manage file: none of the specified sources were found".into());
        }
        (None, None) => Contents::None,
        (None, Some(_)) if !ctx.flag("replace", true) && meta.is_some() => Contents::None,
        (None, Some(value)) => {
            let (found, hash) = source::find_with_hash(ctx, value).map_err(|problem| {
                // A list of which nothing is there stops a dry run in the same words.
                let listed = value.is_array() && ctx.test;
                let problem = unable(ctx, problem);
                if listed { format!("Unable to manage file: {problem}") } else { problem }
            })?;
            if keep {
                perms.mode = found.mode(ctx);
            }
            sourced(ctx, &found, hash.filter(|hash| !hash.is_empty()).as_deref())?
        }
    };
    Ok(Some(Step { perms, unmet, contents }))
}

/// Salt's prefix of what went wrong with a source; a dry run has none.
fn unable(ctx: &Context<'_>, problem: String) -> String {
    if ctx.test { problem } else { format!("Unable to manage file: {problem}") }
}

/// The outer error stops even a dry run, the inner one only shows when applied.
fn sourced(ctx: &Context<'_>, found: &Source, hash: Option<&str>) -> Result<Contents, String> {
    let shown = match found {
        Source::Tree { path, .. } => format!("salt://{path}"),
        Source::Local(path) => path.clone(),
        Source::Remote(url) => source::redacted(url),
    };
    // The tree's own files are as they are: Salt does not look at a hash of theirs.
    let checked = !matches!(found, Source::Tree { .. }) && !ctx.flag("skip_verify", false);
    let sum = match hash.filter(|_| checked) {
        Some(hash) => Some(
            source::sum(ctx, &shown, hash)
                .map_err(|problem| unable(ctx, format!("Unable to manage file: {problem}")))?,
        ),
        None => None,
    };
    if matches!(found, Source::Remote(_)) {
        if checked && sum.is_none() && !ctx.flag("use_etag", false) {
            let told = format!(
                "Unable to verify upstream hash of source file {shown}, please set source_hash or \
                 set skip_verify to True"
            );
            return Err(unable(ctx, told));
        }
        // What is there already as it should be is not fetched again.
        let there = sum.as_ref().is_some_and(|sum| sum.matches(&ctx.host.followed(ctx.name())));
        if there && ctx.value("template").is_none() {
            return Ok(Contents::None);
        }
    }
    let data = source::plain(ctx, found).map_err(|problem| unable(ctx, problem))?;
    if let Some(sum) = &sum {
        let actual = sum.of(&data);
        if actual != sum.digest {
            return Ok(Contents::Sourced(Err(mismatch(ctx, &shown, sum, &actual))));
        }
    }
    let engine = ctx.value("template").and_then(Value::as_str);
    let unknown = engine.map(source::no_engine);
    let data = source::rendered(ctx, found, data, engine, Sees::File).map_err(|problem| {
        match unknown.as_ref() == Some(&problem) {
            true => unable(ctx, problem),
            false => format!("Unable to manage file: {problem}"),
        }
    })?;
    Ok(Contents::Sourced(Ok(data)))
}

/// Salt names the source of a file that is there, and the file that is not.
fn mismatch(ctx: &Context<'_>, source: &str, sum: &source::Sum, actual: &str) -> String {
    let there = ctx.host.stat(ctx.name()).is_some();
    let what = if there { source } else { ctx.name() };
    let hint = if there {
        ". If the 'source_hash' value refers to a remote file with multiple possible matches, then \
         it may be necessary to set 'source_hash_name'."
    } else {
        ""
    };
    format!(
        "Specified {} checksum for {what} ({}) does not match actual checksum ({actual}){hint}",
        sum.algorithm, sum.digest
    )
}
