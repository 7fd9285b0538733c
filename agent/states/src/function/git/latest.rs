//! `git.latest`: a checkout stands at the newest commit of a revision.

use serde_json::{Value, json};

use super::cli::{Failure, Git};
use super::remote::{self, Desired};
use super::{fresh, lint_paths, sentences, update};
use crate::chunk::Chunk;
use crate::function::args::truth;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};

pub(super) struct Latest;

impl StateFunction for Latest {
    const MODULE: &'static str = "git";
    const NAME: &'static str = "latest";
    const NEEDS: &'static [&'static str] = &["target"];
    const TAKES: &'static [&'static str] = &[
        "target",
        "rev",
        "branch",
        "user",
        "update_head",
        "force_checkout",
        "force_clone",
        "force_fetch",
        "force_reset",
        "submodules",
        "bare",
        "mirror",
        "remote",
        "fetch_tags",
        "sync_tags",
        "depth",
        "identity",
        "https_user",
        "https_pass",
        "refspec_branch",
        "refspec_tag",
    ];
    const TOLERATES: &'static [&'static str] = &["password", "output_encoding"];
    const WATCHES: bool = true;
    type Step = ();

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint_paths(chunk)
    }

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        let given = chunk.args.get("force_reset");
        if given.is_some_and(|value| Reset::of(Some(value)).is_none()) {
            let why = "'force_reset' must be one of True, False, or 'remote-changes'".to_owned();
            return vec![("force_reset", why)];
        }
        Vec::new()
    }

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if let Some((_, problem)) = Latest::doubt(ctx.chunk).pop() {
            return Plan::failed(problem);
        }
        if ctx.test {
            return Plan::Done(run(ctx));
        }
        Plan::change(format!("Repository {} may be updated", ctx.name()), Changes::new(), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        run(ctx)
    }

    fn watch(ctx: &Context<'_>) -> Outcome {
        run(ctx)
    }
}

/// What may be lost when a checkout is brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reset {
    No,
    Yes,
    /// Local changes, if the remote has something new.
    RemoteChanges,
}

impl Reset {
    fn of(value: Option<&Value>) -> Option<Reset> {
        match value {
            None | Some(Value::Null | Value::Bool(false)) => Some(Reset::No),
            Some(Value::Bool(true)) => Some(Reset::Yes),
            Some(Value::String(word)) if word == "remote-changes" => Some(Reset::RemoteChanges),
            Some(_) => None,
        }
    }
}

/// The state's arguments.
pub(super) struct Wish {
    pub(super) url: String,
    pub(super) target: String,
    pub(super) rev: String,
    pub(super) branch: Option<String>,
    pub(super) remote: String,
    pub(super) bare: bool,
    pub(super) reset: Reset,
    pub(super) update_head: bool,
    pub(super) refspecs: Vec<String>,
    pub(super) depth: Option<String>,
}

fn wish(ctx: &Context<'_>) -> Result<Wish, String> {
    let rev = ctx.text("rev").unwrap_or_else(|| "HEAD".to_owned());
    if rev.is_empty() {
        return Err(format!("'{rev}' is not a valid value for the 'rev' argument"));
    }
    let remote = ctx.text("remote").unwrap_or_else(|| "origin".to_owned());
    if remote.is_empty() {
        return Err("'remote' argument is required".to_owned());
    }
    let target = ctx.text("target").filter(|target| !target.is_empty());
    let target = target.ok_or("'target' argument is required")?;
    let spec = |key: &str| ctx.text(key).unwrap_or_else(|| "*".to_owned());
    let (branches, tags) = (spec("refspec_branch"), spec("refspec_tag"));
    let refspecs = if ctx.flag("fetch_tags", true) {
        vec![
            format!("refs/heads/{branches}:refs/remotes/{remote}/{branches}"),
            format!("+refs/tags/{tags}:refs/tags/{tags}"),
        ]
    } else {
        Vec::new()
    };
    let bare = ctx.flag("bare", false) || ctx.flag("mirror", false);
    if rev != "HEAD" && bare {
        return Err("'rev' is not compatible with the 'mirror' and 'bare' arguments".to_owned());
    }
    if ctx.host.stat(&target).is_some_and(|meta| meta.is_file()) {
        return Err(format!("Target '{target}' exists and is a regular file, cannot proceed"));
    }
    Ok(Wish {
        url: ctx.name().to_owned(),
        branch: ctx.text("branch"),
        reset: Reset::of(ctx.value("force_reset")).unwrap_or(Reset::No),
        update_head: ctx.flag("update_head", true),
        depth: ctx.text("depth"),
        target,
        rev,
        remote,
        bare,
        refspecs,
    })
}

/// Why a state ends before its end: it failed, or this is a dry run, or there is no more to do.
pub(super) type Early<T> = Result<T, Box<Outcome>>;

/// A state at work.
pub(super) struct Work<'a> {
    pub(super) git: Git<'a>,
    pub(super) wish: Wish,
    pub(super) desired: Desired,
    pub(super) comments: Vec<String>,
    pub(super) changes: Changes,
}

fn run(ctx: &Context<'_>) -> Outcome {
    match begin(ctx) {
        Ok(mut work) => {
            let done = if is_there(&work) { update::run(&mut work) } else { fresh::run(&mut work) };
            done.unwrap_or_else(|early| *early)
        }
        Err(problem) => Outcome::failed(problem),
    }
}

fn begin<'a>(ctx: &Context<'a>) -> Result<Work<'a>, String> {
    let wish = wish(ctx)?;
    let git = Git::new(ctx)?;
    let refs = remote::refs(&git, &wish.url)
        .map_err(|failure| format!("Failed to check remote refs: {}", failure.stripped()))?;
    let desired = remote::desired(&refs, &wish.rev, &wish.remote, wish.bare);
    if wish.depth.is_some()
        && !matches!(desired.kind, Some(remote::Kind::Branch | remote::Kind::Tag))
    {
        return Err("When 'depth' is used, 'rev' must be set to the name of a branch or tag on \
                    the remote repository"
            .to_owned());
    }
    if desired.rev.is_none() && !wish.bare && wish.rev != "HEAD" {
        let rev = &wish.rev;
        return Err(format!("No revision matching '{rev}' exists in the remote repository"));
    }
    Ok(Work { git, wish, desired, comments: Vec::new(), changes: Changes::new() })
}

fn is_there(work: &Work<'_>) -> bool {
    if !work.wish.bare {
        return work.git.is_checkout(&work.wish.target);
    }
    let refs = format!("{}/refs", work.wish.target.trim_end_matches('/'));
    let there = work.git.ctx.host.stat(&refs).is_some_and(|meta| meta.is_dir());
    there || work.git.is_checkout(&work.wish.target)
}

impl Work<'_> {
    pub(super) fn dry(&self) -> bool {
        self.git.ctx.test
    }

    pub(super) fn flag(&self, key: &str) -> bool {
        self.git.ctx.value(key).is_some_and(truth)
    }

    /// The end of a state that failed.
    pub(super) fn fail(&mut self, why: impl Into<String>) -> Box<Outcome> {
        let mut comment = why.into();
        if !self.comments.is_empty() {
            comment.push_str("\n\nChanges already made: ");
            comment.push_str(&sentences(&self.comments));
        }
        let changes = std::mem::take(&mut self.changes);
        Box::new(Outcome { result: Some(false), ..Outcome::changed(comment, changes) })
    }

    /// The end of a state whose git command failed.
    pub(super) fn failed(&mut self, failure: &Failure) -> Box<Outcome> {
        self.fail(failure.stripped())
    }

    /// The end of a dry run.
    pub(super) fn foresee(&mut self, comment: impl Into<String>) -> Box<Outcome> {
        Box::new(Outcome::foreseen(comment, std::mem::take(&mut self.changes)))
    }

    /// The end of a state that found all as wanted, but for what `comments` tell.
    pub(super) fn current(&mut self, comments: &[String], local_changes: bool) -> Box<Outcome> {
        let mut comment = format!("Repository {} is up-to-date", self.wish.target);
        if local_changes {
            comment.push_str(
                ", but with uncommitted changes. Set 'force_reset' to True to purge uncommitted \
                 changes.",
            );
        }
        if !comments.is_empty() {
            let would = if self.dry() { "that would be " } else { "" };
            comment.push_str(&format!("\n\nChanges {would}made: {}", sentences(comments)));
        }
        Box::new(Outcome::changed(comment, std::mem::take(&mut self.changes)))
    }

    pub(super) fn git(&mut self, argv: &[&str]) -> Early<String> {
        let target = self.wish.target.clone();
        match self.git.run(&target, argv) {
            Ok(said) => Ok(said),
            Err(failure) => Err(self.failed(&failure)),
        }
    }

    /// Whether another branch than the one that is checked out is wanted.
    pub(super) fn changes_branch(&self, local: Option<&str>) -> bool {
        self.wish.branch.is_some() && self.wish.branch.as_deref() != local
    }

    pub(super) fn revision(&mut self, old: Option<&str>, new: Option<&str>) {
        self.changes.insert("revision".to_owned(), json!({"old": old, "new": new}));
    }

    /// Sets or unsets what the local branch follows; `upstream` is what it follows now.
    pub(super) fn follow(
        &self,
        upstream: Option<&str>,
        branches: &[String],
    ) -> Option<(Vec<String>, String)> {
        let known = self.wish.branch.as_ref().is_none_or(|branch| branches.contains(branch));
        match (&self.desired.upstream, upstream) {
            (remote::Upstream::Branch(wanted), now) if now != Some(wanted) && known => {
                let how = if now.is_none() { "set" } else { "updated" };
                let argv = vec!["--set-upstream-to".to_owned(), wanted.clone()];
                Some((argv, format!("Tracking branch was {how} to {wanted}")))
            }
            (remote::Upstream::Nothing, Some(_)) => {
                Some((vec!["--unset-upstream".to_owned()], "Tracking branch was unset".to_owned()))
            }
            _ => None,
        }
    }

    pub(super) fn submodules(&mut self) -> Early<()> {
        if !self.flag("submodules") {
            return Ok(());
        }
        let argv = ["submodule", "update", "--init", "--recursive"];
        match self.git.run(&self.wish.target, &argv) {
            Ok(_) => Ok(()),
            Err(failure) => {
                Err(self.fail(format!("Failed to update submodules: {}", failure.stripped())))
            }
        }
    }
}
