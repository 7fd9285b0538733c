//! `git.detached`: a checkout stands at a commit, on no branch.

use std::fs;

use serde_json::json;

use super::cli::Git;
use super::{is_hex, lint_paths, remote, sentences};
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::files::remove;
use crate::outcome::{Changes, Outcome};

pub(super) struct Detached;

impl StateFunction for Detached {
    const MODULE: &'static str = "git";
    const NAME: &'static str = "detached";
    const NEEDS: &'static [&'static str] = &["rev", "target"];
    const TAKES: &'static [&'static str] = &[
        "rev",
        "target",
        "remote",
        "user",
        "force_clone",
        "force_checkout",
        "fetch_remote",
        "hard_reset",
        "submodules",
        "identity",
        "https_user",
        "https_pass",
    ];
    const TOLERATES: &'static [&'static str] = &["password", "output_encoding"];
    type Step = ();

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        lint_paths(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<()> {
        if ctx.test {
            return Plan::Done(run(ctx));
        }
        Plan::change(format!("Repository {} may be updated", ctx.name()), Changes::new(), ())
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        run(ctx)
    }
}

type Early<T> = Result<T, Box<Outcome>>;

struct Work<'a> {
    git: Git<'a>,
    url: String,
    target: String,
    remote: String,
    rev: String,
    comments: Vec<String>,
    changes: Changes,
}

fn run(ctx: &Context<'_>) -> Outcome {
    let rev = ctx.text("rev").unwrap_or_default();
    let target = ctx.text("target").unwrap_or_default();
    if rev.is_empty() {
        return Outcome::failed(format!("'{rev}' is not a valid value for the 'rev' argument"));
    }
    if ctx.host.stat(&target).is_some_and(|meta| meta.is_file()) {
        let why = format!("Target '{target}' exists and is a regular file, cannot proceed");
        return Outcome::failed(why);
    }
    let git = match Git::new(ctx) {
        Ok(git) => git,
        Err(problem) => return Outcome::failed(problem),
    };
    let mut work = Work {
        git,
        url: ctx.name().to_owned(),
        target,
        remote: ctx.text("remote").unwrap_or_else(|| "origin".to_owned()),
        rev: if is_hex(&rev) { rev.to_lowercase() } else { rev },
        comments: Vec::new(),
        changes: Changes::new(),
    };
    work.all().unwrap_or_else(|early| *early)
}

impl Work<'_> {
    fn dry(&self) -> bool {
        self.git.ctx.test
    }

    fn fail(&mut self, why: String) -> Box<Outcome> {
        let mut comment = why;
        if !self.comments.is_empty() {
            comment.push_str("\n\nChanges already made: ");
            comment.push_str(&sentences(&self.comments));
        }
        let changes = std::mem::take(&mut self.changes);
        Box::new(Outcome { result: Some(false), ..Outcome::changed(comment, changes) })
    }

    fn foresee(&mut self, comment: String) -> Box<Outcome> {
        Box::new(Outcome::foreseen(comment, std::mem::take(&mut self.changes)))
    }

    fn git(&mut self, argv: &[&str]) -> Early<String> {
        let target = self.target.clone();
        self.git.run(&target, argv).map_err(|failure| self.fail(failure.to_string()))
    }

    fn all(&mut self) -> Early<Outcome> {
        let hash = is_hex(&self.rev);
        let (mut local, mut known) = (None, false);
        if self.git.is_checkout(&self.target) {
            local = self.git.parse(&self.target, "HEAD");
            if hash {
                known = self.git.run(&self.target, &["describe", "--always", &self.rev]).is_ok();
            } else {
                self.set_remote()?;
            }
        } else {
            self.clone()?;
        }
        if !known && self.git.ctx.flag("fetch_remote", true) {
            self.fetch()?;
        }
        let wanted = if hash { self.hash()? } else { self.reference()? };
        if self.git.ctx.flag("hard_reset", false) {
            if self.dry() {
                let target = self.target.clone();
                return Err(
                    self.foresee(format!("Hard reset to HEAD would be performed on {target}"))
                );
            }
            self.git(&["reset", "--hard", "HEAD"])?;
            self.comments
                .push("Repository was reset to HEAD before checking out revision".to_owned());
        }
        let new = self.check_out(local.as_deref(), &wanted)?;
        if self.git.ctx.flag("submodules", false) && !self.dry() {
            self.git(&["submodule", "update", "--init", "--recursive"])?;
            self.comments.push("Submodules were updated".to_owned());
        }
        match new {
            Some(new) => {
                self.changes.insert("HEAD".to_owned(), json!({"old": local, "new": new}));
            }
            None => self.comments.push("Already checked out at correct revision".to_owned()),
        }
        let changes = std::mem::take(&mut self.changes);
        Ok(Outcome::changed(sentences(&self.comments), changes))
    }

    fn set_remote(&mut self) -> Early<()> {
        let now = self.git.fetch_url(&self.target, &self.remote);
        let now = now.map_err(|failure| self.fail(failure.to_string()))?;
        if now.as_ref().is_some_and(|now| now.contains(&self.url)) {
            return Ok(());
        }
        let (remote, url, target) = (self.remote.clone(), self.url.clone(), self.target.clone());
        if self.dry() {
            return Err(self.foresee(format!("Remote {remote} would be set to {url}")));
        }
        if let Err(failure) = self.git.set_remote(&target, &remote, &url) {
            return Err(self.fail(failure.to_string()));
        }
        let now = now.as_deref().unwrap_or("None");
        self.comments.push(format!("Remote {remote} updated from '{now}' to '{url}'"));
        Ok(())
    }

    fn clone(&mut self) -> Early<()> {
        let (url, target) = (self.url.clone(), self.target.clone());
        let entries = fs::read_dir(self.git.ctx.host.followed(&target));
        let inside: Vec<_> =
            entries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        let there = self.git.ctx.host.stat(&target).is_some();
        if there && self.git.ctx.flag("force_clone", false) {
            if self.dry() {
                return Err(self.foresee(format!(
                    "Target directory {target} exists. Since force_clone=True, the contents of \
                     {target} would be deleted, and {url} would be cloned into this directory."
                )));
            }
            for path in inside {
                if let Err(error) = remove(&path) {
                    let why = format!("Unable to remove\n  {}\n    {error}", path.display());
                    return Err(self.fail(why));
                }
            }
            self.changes.insert("forced clone".to_owned(), json!(true));
        } else if !inside.is_empty() {
            return Err(self.fail(format!(
                "Target '{target}' exists, is non-empty and is not a git repository. Set the \
                 'force_clone' option to True to remove this directory's contents and proceed with \
                 cloning the remote repository"
            )));
        }
        if self.dry() {
            return Err(self.foresee(format!("Repository {url} would be cloned to {target}")));
        }
        let remote = self.remote.clone();
        let mut argv = vec!["clone", "--no-checkout"];
        if remote != "origin" {
            argv.extend(["--origin", &remote]);
        }
        argv.extend(["--", &url, &target]);
        if let Err(failure) = self.git.run("/tmp", &argv) {
            return Err(self.fail(failure.stripped()));
        }
        self.comments.push(format!("{url} cloned to {target}"));
        Ok(())
    }

    fn fetch(&mut self) -> Early<()> {
        let (remote, target) = (self.remote.clone(), self.target.clone());
        if self.dry() {
            return Err(self.foresee(format!("Repository remote {remote} would be fetched")));
        }
        let refspecs = [
            format!("refs/heads/*:refs/remotes/{remote}/*"),
            "+refs/tags/*:refs/tags/*".to_owned(),
        ];
        match self.git.fetch(&target, &remote, true, &refspecs) {
            Err(failure) => Err(self.fail(format!("Fetch failed:\n\n{failure}"))),
            Ok(updated) => {
                if updated {
                    self.comments
                        .push(format!("Remote {remote} was fetched, resulting in updated refs"));
                }
                Ok(())
            }
        }
    }

    fn hash(&mut self) -> Early<String> {
        let rev = self.rev.clone();
        self.git(&["describe", "--always", &rev])?;
        Ok(rev)
    }

    /// A branch of the remote or a tag, as they were fetched.
    fn reference(&mut self) -> Early<String> {
        let (rev, remote) = (self.rev.clone(), self.remote.clone());
        let refs = match remote::refs(&self.git, &self.target) {
            Ok(refs) => refs,
            Err(failure) => {
                let why = failure.stripped();
                return Err(self.fail(format!("Failed to list refs for {remote}: {why}")));
            }
        };
        let branch = refs.get(&format!("refs/remotes/{remote}/{rev}"));
        match branch.or(refs.get(&format!("refs/tags/{rev}"))) {
            Some(commit) => Ok(commit.clone()),
            None => Err(self.fail(format!("Revision '{rev}' does not exist"))),
        }
    }

    fn check_out(&mut self, local: Option<&str>, wanted: &str) -> Early<Option<String>> {
        if local == Some(wanted) {
            return Ok(None);
        }
        let target = self.target.clone();
        if self.dry() {
            self.changes.insert("HEAD".to_owned(), json!({"old": local, "new": wanted}));
            return Err(
                self.foresee(format!("Commit ID {wanted} would be checked out at {target}"))
            );
        }
        let mut argv = vec!["checkout"];
        if self.git.ctx.flag("force_checkout", false) {
            argv.push("--force");
        }
        argv.push(wanted);
        self.git(&argv)?;
        self.comments.push(format!("Commit ID {wanted} was checked out at {target}"));
        Ok(self.git.parse(&target, "HEAD"))
    }
}
