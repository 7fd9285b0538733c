//! `git.latest` where there is no checkout yet: it is cloned.

use std::fs;

use serde_json::json;

use super::latest::{Early, Work};
use super::remote::Kind;
use super::sentences;
use crate::host::files::remove;
use crate::outcome::Outcome;

pub(super) fn run(work: &mut Work<'_>) -> Early<Outcome> {
    clear(work)?;
    let (url, target) = (work.wish.url.clone(), work.wish.target.clone());
    if work.dry() {
        work.changes.insert("new".to_owned(), json!(format!("{url} => {target}")));
        return Err(work.foresee(format!("Repository {url} would be cloned to {target}")));
    }
    clone(work)?;
    work.changes.insert("new".to_owned(), json!(format!("{url} => {target}")));
    let kind = if work.flag("mirror") {
        " as mirror"
    } else if work.wish.bare {
        " as bare repository"
    } else {
        ""
    };
    work.comments.push(format!("{url} cloned to {target}{kind}"));
    if !work.wish.bare && work.desired.rev.is_some() {
        check_out(work)?;
    }
    if work.desired.rev.is_some() {
        work.submodules()?;
    }
    if let Some(new) = work.git.parse(&target, "HEAD") {
        work.revision(None, Some(&new));
    }
    Ok(Outcome::changed(sentences(&work.comments), std::mem::take(&mut work.changes)))
}

/// Makes room: what is in the way goes with `force_clone` only.
fn clear(work: &mut Work<'_>) -> Early<()> {
    let target = work.wish.target.clone();
    let Ok(entries) = fs::read_dir(work.git.ctx.host.followed(&target)) else { return Ok(()) };
    let paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    if !work.flag("force_clone") {
        if paths.is_empty() {
            return Ok(());
        }
        return Err(work.fail(format!(
            "Target '{target}' exists, is non-empty and is not a git repository. Set the \
             'force_clone' option to True to remove this directory's contents and proceed with \
             cloning the remote repository"
        )));
    }
    work.changes.insert("forced clone".to_owned(), json!(true));
    let url = work.wish.url.clone();
    if work.dry() {
        work.changes.insert("new".to_owned(), json!(format!("{url} => {target}")));
        return Err(work.foresee(format!(
            "Target directory {target} exists. Since force_clone=True, the contents of {target} \
             would be deleted, and {url} would be cloned into this directory."
        )));
    }
    let failed: Vec<String> = paths
        .iter()
        .filter_map(|path| {
            remove(path).err().map(|error| format!("  {}\n    {error}", path.display()))
        })
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    work.changes.clear();
    Err(work.fail(format!("Unable to remove\n{}", failed.join("\n"))))
}

fn clone(work: &mut Work<'_>) -> Early<()> {
    let wish = &work.wish;
    let mut argv = vec!["clone"];
    if work.flag("mirror") {
        argv.push("--mirror");
    } else if wish.bare {
        argv.push("--bare");
    }
    if wish.remote != "origin" {
        argv.extend(["--origin", &wish.remote]);
    }
    if let Some(depth) = &wish.depth {
        argv.extend(["--depth", depth, "--branch", &wish.rev]);
    }
    argv.extend(["--", &wish.url, &wish.target]);
    match work.git.run("/tmp", &argv) {
        Ok(_) => Ok(()),
        Err(failure) => Err(work.fail(format!("Clone failed: {}", failure.stripped()))),
    }
}

/// Brings a new clone to the wanted branch and commit.
fn check_out(work: &mut Work<'_>) -> Early<()> {
    let (target, rev) = (work.wish.target.clone(), work.wish.rev.clone());
    let wanted = work.desired.rev.clone().unwrap_or_default();
    let tags = work.git.tags(&target).map_err(|failure| work.failed(&failure))?;
    if work.desired.kind == Some(Kind::Tag) && !tags.contains(&rev) {
        return Err(work.fail(format!("Revision '{rev}' does not exist in clone")));
    }
    let branches = work.git.branches(&target).map_err(|failure| work.failed(&failure))?;
    if let Some(branch) = work.wish.branch.clone().filter(|branch| !branches.contains(branch)) {
        let start = match work.desired.upstream.branch() {
            _ if rev == "HEAD" => wanted.clone(),
            Some(upstream) => upstream.to_owned(),
            None => rev.clone(),
        };
        work.git(&["checkout", "-b", &branch, &start])?;
        let place = work.desired.place.clone();
        work.comments
            .push(format!("Branch '{branch}' checked out, with {place} as a starting point"));
    }
    let (local, branch) = work.git.here(&target);
    if branch.is_none() && !work.desired.has_head {
        return Err(work.fail(
            "Remote HEAD refers to a ref that does not exist. This can happen when the default \
             branch on the remote repository is renamed or deleted. If you are unable to fix the \
             remote repository, you can work around this by setting the 'branch' argument (which \
             will ensure that the named branch is created if it does not already exist).",
        ));
    }
    if !work.desired.is(local.as_deref()) {
        work.git(&["reset", "--hard", &wanted])?;
        let place = work.desired.place.clone();
        work.comments.push(format!("Repository was reset to {place}"));
    }
    let follows = format!("{}@{{upstream}}", branch.unwrap_or_default());
    let upstream = work.git.run(&target, &["rev-parse", "--abbrev-ref", &follows]).ok();
    let branches = work.git.branches(&target).map_err(|failure| work.failed(&failure))?;
    if let Some((options, told)) = work.follow(upstream.as_deref(), &branches) {
        let argv: Vec<&str> =
            std::iter::once("branch").chain(options.iter().map(String::as_str)).collect();
        work.git(&argv)?;
        work.comments.push(told);
    }
    Ok(())
}
