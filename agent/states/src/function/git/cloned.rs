//! `git.cloned`: a checkout exists; what it holds is left alone, but for the branch.

use serde_json::json;

use super::cli::Git;
use super::lint_paths;
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome, change};

pub(super) struct Cloned;

/// What is to be done.
pub(super) enum Step {
    Clone,
    /// Check out the wanted branch instead of this one.
    Switch {
        from: String,
    },
}

impl StateFunction for Cloned {
    const MODULE: &'static str = "git";
    const NAME: &'static str = "cloned";
    const NEEDS: &'static [&'static str] = &["target"];
    const TAKES: &'static [&'static str] =
        &["target", "branch", "user", "identity", "https_user", "https_pass"];
    const TOLERATES: &'static [&'static str] = &["password", "output_encoding"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint_paths(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        check(ctx).unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        apply(ctx, &step).unwrap_or_else(Outcome::failed)
    }
}

fn target(ctx: &Context<'_>) -> String {
    ctx.text("target").unwrap_or_default()
}

fn with(branch: Option<&String>) -> String {
    branch.map(|branch| format!(" with branch '{branch}'")).unwrap_or_default()
}

fn new(ctx: &Context<'_>) -> Changes {
    change("new", format!("{} => {}", ctx.name(), target(ctx)))
}

fn check(ctx: &Context<'_>) -> Result<Plan<Step>, String> {
    let (url, target, branch) = (ctx.name(), target(ctx), ctx.text("branch"));
    if branch.as_deref() == Some("") {
        return Err("Invalid 'branch' argument".to_owned());
    }
    let git = Git::new(ctx)?;
    if ctx.host.stat(&target).is_none() {
        let comment = format!("{url} would be cloned to {target}{}", with(branch.as_ref()));
        return Ok(Plan::change(comment, new(ctx), Step::Clone));
    }
    git.run(&target, &["status", "-z", "--porcelain"]).map_err(|failure| failure.to_string())?;
    let Some(branch) = branch else {
        return Ok(Plan::fine(format!("Repository already exists at {target}")));
    };
    let from = git.run(&target, &["rev-parse", "--abbrev-ref", "HEAD"]);
    let from = from.map_err(|failure| failure.to_string())?;
    if from == branch {
        return Ok(Plan::fine(format!(
            "Repository already exists at {target} and is checked out to branch '{branch}'"
        )));
    }
    let changes = change("branch", json!({"old": from, "new": branch}));
    let comment = format!("Branch would be changed to '{branch}'");
    Ok(Plan::change(comment, changes, Step::Switch { from }))
}

fn apply(ctx: &Context<'_>, step: &Step) -> Result<Outcome, String> {
    let git = Git::new(ctx)?;
    let (url, target, branch) = (ctx.name(), target(ctx), ctx.text("branch"));
    match step {
        Step::Clone => {
            let mut argv = vec!["clone"];
            if let Some(branch) = &branch {
                argv.extend(["--branch", branch]);
            }
            argv.extend(["--", url, &target]);
            git.run("/tmp", &argv)
                .map_err(|failure| format!("Clone failed: {}", failure.stripped()))?;
            let comment = format!("{url} cloned to {target}{}", with(branch.as_ref()));
            Ok(Outcome::changed(comment, new(ctx)))
        }
        Step::Switch { from } => {
            let branch = branch.unwrap_or_default();
            let remote = format!("origin/{branch}");
            let argv = match git.parse(&target, &branch) {
                Some(_) => vec!["checkout", branch.as_str()],
                None => vec!["checkout", "-b", &branch, &remote],
            };
            git.run(&target, &argv)
                .map_err(|failure| format!("Failed to change branch to '{branch}': {failure}"))?;
            let changes = change("branch", json!({"old": from, "new": branch}));
            Ok(Outcome::changed(format!("Branch changed to '{branch}'"), changes))
        }
    }
}
