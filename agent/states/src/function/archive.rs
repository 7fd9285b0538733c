//! Salt's `archive`: archives unpacked.

mod check;
mod contents;
mod extract;
mod stamp;
mod tar;
mod work;
mod zip;

use serde_json::Value;

use super::args::{text, truth};
use super::file::source;
use super::{Context, Function, Lint, Plan, StateFunction};
use crate::chunk::Chunk;
use crate::outcome::Outcome;
use work::Work;

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<Extracted>()];

pub(super) struct Extracted;

/// What can be unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Tar,
    Zip,
}

impl StateFunction for Extracted {
    const MODULE: &'static str = "archive";
    const NAME: &'static str = "extracted";
    const TAKES: &'static [&'static str] = &[
        "source",
        "source_hash",
        "source_hash_name",
        "source_hash_update",
        "skip_files_list_verify",
        "skip_verify",
        "password",
        "options",
        "list_options",
        "force",
        "overwrite",
        "clean",
        "clean_parent",
        "user",
        "group",
        "if_missing",
        "trim_output",
        "use_cmd_unzip",
        "extract_perms",
        "enforce_toplevel",
        "enforce_ownership_on",
        "archive_format",
    ];
    const NEEDS: &'static [&'static str] = &["source"];
    // What was fetched is not kept after the run; an unchanged source is not fetched by its tag.
    const TOLERATES: &'static [&'static str] = &["keep_source", "keep", "use_etag", "sig_backend"];
    const REFUSES: &'static [&'static str] =
        &["signature", "source_hash_sig", "signed_by_any", "signed_by_all", "keyring", "gnupghome"];
    type Step = Work;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        let mut out = source::lint(chunk);
        let format = chunk.args.get("archive_format").filter(|value| truth(value)).map(text);
        let rar = |name: &str| name.to_lowercase().ends_with(".rar");
        let named = chunk.args.get("source").and_then(Value::as_str).is_some_and(rar);
        if format.as_deref().is_some_and(|format| format.eq_ignore_ascii_case("rar"))
            || format.is_none() && named
        {
            let told = "rar archives are not supported: pack it as tar or zip".to_owned();
            out.push(("source", told));
        }
        out
    }

    fn check(ctx: &Context<'_>) -> Plan<Work> {
        check::planned(ctx).unwrap_or_else(Plan::Done)
    }

    fn apply(ctx: &Context<'_>, work: Work) -> Outcome {
        work.done(ctx)
    }
}

/// The folder to unpack to, with a slash at its end.
fn folder(ctx: &Context<'_>) -> String {
    format!("{}/", ctx.name().trim_end_matches('/'))
}

/// Salt's explanation of why an archive is unpacked.
fn explanation(by_hash: bool, missing: bool) -> &'static str {
    if by_hash {
        ", due to source_hash update"
    } else if missing {
        ", due to absence of one or more files/dirs"
    } else {
        ""
    }
}
