//! `git.present`: a repository exists, bare or with a working tree, whatever it holds.

use std::fs;

use serde_json::json;

use super::cli::Git;
use crate::chunk::Chunk;
use crate::function::args::text;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::files::remove;
use crate::outcome::{Outcome, change};

pub(super) struct Present;

impl StateFunction for Present {
    const MODULE: &'static str = "git";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] =
        &["force", "bare", "template", "separate_git_dir", "shared", "user"];
    const TOLERATES: &'static [&'static str] = &["password", "output_encoding"];
    type Step = bool;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        if chunk.name.starts_with('/') {
            return Vec::new();
        }
        vec![("name", format!("'{}' is not an absolute path", chunk.name))]
    }

    fn check(ctx: &Context<'_>) -> Plan<bool> {
        check(ctx).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, forced: bool) -> Outcome {
        apply(ctx, forced).unwrap_or_else(Outcome::failed)
    }
}

fn kind(ctx: &Context<'_>) -> &'static str {
    if ctx.flag("bare", true) { "bare " } else { "" }
}

fn check(ctx: &Context<'_>) -> Result<Plan<bool>, String> {
    let (name, kind) = (ctx.name(), kind(ctx));
    let created = format!("New {kind}repository would be created");
    let Ok(entries) = fs::read_dir(ctx.host.followed(name)) else {
        return Ok(Plan::change(created, change("new", name), false));
    };
    let git = Git::new(ctx)?;
    let bare = ctx.flag("bare", true);
    let head = ctx.host.stat(&format!("{name}/HEAD")).is_some_and(|meta| meta.is_file());
    if (bare && head) || (!bare && git.is_checkout(name)) {
        return Ok(Plan::fine(""));
    }
    if ctx.flag("force", false) {
        let mut changes = change("new", name);
        changes.insert("forced init".to_owned(), json!(true));
        let comment = format!(
            "Target directory {name} exists. Since force=True, the contents of {name} would be \
             deleted, and a {kind}repository would be initialized in its place."
        );
        return Ok(Plan::change(comment, changes, true));
    }
    if entries.count() > 0 {
        return Err(format!(
            "Target '{name}' exists, is non-empty, and is not a git repository. Set the 'force' \
             option to True to remove this directory's contents and proceed with initializing a \
             repository"
        ));
    }
    Ok(Plan::change(created, change("new", name), false))
}

fn apply(ctx: &Context<'_>, forced: bool) -> Result<Outcome, String> {
    let name = ctx.name();
    let mut changes = change("new", name);
    if forced {
        remove(&ctx.host.path(name))
            .map_err(|error| format!("Unable to remove {name}: {error}"))?;
        changes.insert("forced init".to_owned(), json!(true));
    }
    let mut argv = vec!["init".to_owned()];
    if ctx.flag("bare", true) {
        argv.push("--bare".to_owned());
    }
    let mut actions = vec![format!("Initialized {}repository in {name}", kind(ctx))];
    if let Some(template) = ctx.text("template") {
        argv.push(format!("--template={template}"));
        actions.push(format!("Template directory set to {template}"));
    }
    if let Some(folder) = ctx.text("separate_git_dir") {
        argv.push(format!("--separate-git-dir={folder}"));
        actions.push(format!("Gitdir set to {folder}"));
    }
    if let Some(shared) = ctx.value("shared") {
        let how = if shared == true { "group".to_owned() } else { text(shared).to_lowercase() };
        argv.push(format!("--shared={how}"));
    }
    argv.extend(["--".to_owned(), name.to_owned()]);
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    Git::new(ctx)?.run("/tmp", &argv).map_err(|failure| failure.to_string())?;
    Ok(Outcome::changed(super::sentences(&actions), changes))
}
