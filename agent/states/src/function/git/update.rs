//! `git.latest` where there is a checkout: it is brought up to date.

use std::collections::BTreeSet;

use serde_json::json;

use super::latest::{Early, Reset, Work};
use super::remote::Kind;
use super::{foresee, short};
use crate::outcome::Outcome;

/// What the checkout is like.
pub(super) struct Local {
    pub(super) rev: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) branches: Vec<String>,
    pub(super) tags: BTreeSet<String>,
    /// The commit and the branch that are to be moved on.
    pub(super) base: Option<String>,
    pub(super) base_branch: Option<String>,
    pub(super) dirty: bool,
    /// The wanted commit is checked out.
    pub(super) matches: bool,
    /// The wanted commit is there.
    pub(super) has_rev: bool,
    pub(super) upstream: Option<String>,
    pub(super) fetch_url: Option<String>,
    /// Whether the wanted commit follows on the base; none if that is not known yet.
    pub(super) forward: Option<bool>,
}

pub(super) fn run(work: &mut Work<'_>) -> Early<Outcome> {
    let mut local = look(work)?;
    set_remote(work, &local)?;
    if work.desired.rev.is_some() {
        if work.dry() {
            return Err(foresee::all(work, &local));
        }
        bring(work, &mut local)?;
    } else if work.wish.bare {
        fetch_bare(work)?;
    }
    let new = work.git.parse(&work.wish.target, "HEAD");
    if !work.wish.bare && !work.desired.is(new.as_deref()) {
        return Err(work.fail("Failed to update repository"));
    }
    if local.rev == new {
        let comments = std::mem::take(&mut work.comments);
        return Err(work.current(&comments, false));
    }
    work.revision(local.rev.as_deref(), new.as_deref());
    let changes = std::mem::take(&mut work.changes);
    Ok(Outcome::changed(super::sentences(&work.comments), changes))
}

fn look(work: &mut Work<'_>) -> Early<Local> {
    let target = work.wish.target.clone();
    let branches = work.git.branches(&target).map_err(|failure| work.failed(&failure))?;
    let tags = work.git.tags(&target).map_err(|failure| work.failed(&failure))?;
    let (rev, branch) = work.git.here(&target);
    if !work.wish.bare && work.desired.rev.is_none() && rev.is_some() {
        return Err(work.fail(
            "Remote repository is empty, cannot update from a non-empty to an empty repository",
        ));
    }
    let (mut base, mut base_branch) = (rev.clone(), branch.clone());
    if let Some(wanted) =
        work.wish.branch.clone().filter(|_| work.changes_branch(branch.as_deref()))
    {
        if branches.contains(&wanted) {
            match work.git.run(&target, &["rev-parse", &format!("{wanted}^{{commit}}")]) {
                Ok(commit) => base = Some(commit),
                Err(failure) => {
                    let why = failure.stripped();
                    return Err(work.fail(format!(
                        "Unable to get position of local branch '{wanted}': {why}"
                    )));
                }
            }
            base_branch = Some(wanted);
        } else {
            base.clone_from(&work.desired.rev);
        }
    }
    let fetch_url = work.git.fetch_url(&target, &work.wish.remote);
    let fetch_url = fetch_url.map_err(|failure| work.failed(&failure))?;
    let matches = work.desired.is(rev.as_deref());
    let dirty = !work.wish.bare
        && work.git.run(&target, &["diff", "HEAD"]).is_ok_and(|diff| !diff.is_empty());
    let mut local = Local {
        tags: tags.into_iter().collect(),
        rev,
        branch,
        branches,
        base,
        base_branch,
        dirty,
        matches,
        has_rev: false,
        upstream: None,
        fetch_url,
        forward: None,
    };
    if local.dirty && local.matches {
        keep_or_drop(work)?;
    }
    local.has_rev = has_rev(work, &local)?;
    local.forward = forward(work, &local)?;
    if local.forward == Some(false) && work.wish.reset == Reset::No {
        return Err(not_forward(work, &local));
    }
    if let Some(branch) = &local.base_branch {
        let follows = format!("{branch}@{{upstream}}");
        local.upstream = work.git.run(&target, &["rev-parse", "--abbrev-ref", &follows]).ok();
    }
    Ok(local)
}

/// Uncommitted changes on the wanted commit stay, unless everything is to be reset.
fn keep_or_drop(work: &mut Work<'_>) -> Early<()> {
    if work.wish.reset != Reset::Yes {
        return Err(work.current(&[], true));
    }
    if !work.dry() {
        return Ok(());
    }
    work.changes.insert("forced update".to_owned(), json!(true));
    let target = work.wish.target.clone();
    Err(work.foresee(format!(
        "{target} is up-to-date, but with uncommitted changes. Since 'force_reset' is set to True, \
         these local changes would be reset. To only reset when there are changes in the remote \
         repository, set 'force_reset' to 'remote-changes'."
    )))
}

fn has_rev(work: &mut Work<'_>, local: &Local) -> Early<bool> {
    let target = work.wish.target.clone();
    let Some(wanted) = work.desired.rev.clone() else { return Ok(false) };
    let commit = work.desired.kind == Some(Kind::Commit);
    if commit && local.base.as_ref().is_some_and(|base| base.starts_with(&wanted)) {
        return Ok(true);
    }
    if work.git.parse(&target, &format!("{wanted}^{{commit}}")).is_none() {
        return Ok(false);
    }
    match work.desired.kind {
        Some(Kind::Branch) => {
            let copy = work.desired.upstream.branch().filter(|_| local.fetch_url.is_some());
            Ok(copy.and_then(|copy| work.git.parse(&target, copy)) == Some(wanted))
        }
        Some(Kind::Tag) => {
            let rev = work.wish.rev.clone();
            if !local.tags.contains(&rev) {
                return Ok(false);
            }
            let own = work.git.parse(&target, &format!("{rev}^{{commit}}"));
            if own.as_deref() == Some(&wanted) {
                return Ok(true);
            }
            if work.wish.reset != Reset::No {
                return Ok(false);
            }
            let own = own.as_deref().map_or("None", short).to_owned();
            Err(work.fail(format!(
                "'{rev}' is a tag, but the remote SHA1 for this tag ({}) doesn't match the local \
                 SHA1 ({own}). Set 'force_reset' to True to force this update.",
                short(&wanted)
            )))
        }
        Some(Kind::Commit) | None => Ok(true),
    }
}

fn forward(work: &mut Work<'_>, local: &Local) -> Early<Option<bool>> {
    let blocked = local.dirty && work.wish.reset != Reset::RemoteChanges;
    if !local.has_rev {
        return Ok(blocked.then_some(false));
    }
    stay_if_told(work, local)?;
    if blocked {
        return Ok(Some(false));
    }
    Ok(Some(is_ancestor(work, local)))
}

/// With `update_head: False` a checkout stays where it is.
fn stay_if_told(work: &mut Work<'_>, local: &Local) -> Early<()> {
    let same_branch = !work.changes_branch(local.branch.as_deref());
    if local.matches || work.wish.update_head || !same_branch {
        return Ok(());
    }
    let place = work.desired.place.clone();
    let place = if work.wish.rev == "HEAD" { capitalised(&place) } else { place };
    let here = short(local.rev.as_deref().unwrap_or_default());
    let comment = format!(
        "{place} is already present and local HEAD ({here}) does not match, but \
         update_head=False. HEAD has not been updated locally."
    );
    Err(Box::new(Outcome::changed(comment, std::mem::take(&mut work.changes))))
}

/// Python's `capitalize`: the first letter large, all others small.
fn capitalised(text: &str) -> String {
    let text = text.to_lowercase();
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + chars.as_str()
}

fn is_ancestor(work: &Work<'_>, local: &Local) -> bool {
    let (Some(base), Some(wanted)) = (&local.base, &work.desired.rev) else { return true };
    let argv = ["merge-base", "--is-ancestor", base, wanted];
    work.git.say(&work.wish.target, &argv).is_ok_and(|said| said.code == 0)
}

fn not_forward(work: &mut Work<'_>, local: &Local) -> Box<Outcome> {
    let (rev, branch) = (&work.wish.rev, local.branch.as_deref().unwrap_or("None"));
    let hint = match &work.desired.default_branch {
        _ if work.wish.branch.is_some() => String::new(),
        _ if rev != "HEAD" && branch != rev => format!(
            " The desired rev ({rev}) differs from the name of the local branch ({branch}), if the \
             desired rev is a branch name then a forced update could possibly be avoided by \
             setting the 'branch' argument to '{rev}' instead."
        ),
        Some(default) if rev == "HEAD" && branch != default => format!(
            " The default remote branch ({default}) differs from the local branch ({branch}). This \
             could be caused by changing the default remote branch, or if the local branch was \
             manually changed. Rather than forcing an update, it may be advisable to set the \
             'branch' argument to '{default}' instead. To ensure that this state follows the \
             '{default}' branch instead of the remote HEAD, set the 'rev' argument to '{default}'."
        ),
        _ => String::new(),
    };
    let (pre, post) = (local.base.as_deref(), work.desired.rev.as_deref().unwrap_or_default());
    let (pre, post) = (pre.map_or("None", short), short(post));
    let from = if local.dirty && pre != post {
        format!("from {pre} to {post}")
    } else {
        format!("to {post}")
    };
    let after = match &work.wish.branch {
        Some(wanted) if work.changes_branch(local.branch.as_deref()) => {
            format!(" (after checking out local branch '{wanted}')")
        }
        _ => String::new(),
    };
    let (why, or, and) = if local.dirty {
        ("there are uncommitted changes", " (or 'remote-changes')", " and discard these changes")
    } else {
        ("this is not a fast-forward merge", "", "")
    };
    let comment = format!(
        "Repository would be updated {from}{after}, but {why}. Set 'force_reset' to True{or} to \
         force this update{and}.{hint}"
    );
    work.fail(comment)
}

/// Points the remote to the wanted address.
fn set_remote(work: &mut Work<'_>, local: &Local) -> Early<()> {
    let (url, remote) = (work.wish.url.clone(), work.wish.remote.clone());
    if work.desired.rev.is_none() || local.fetch_url.as_ref() == Some(&url) {
        return Ok(());
    }
    if work.dry() {
        return Err(foresee::remote(work, local));
    }
    let target = work.wish.target.clone();
    if let Err(failure) = work.git.set_remote(&target, &remote, &url) {
        return Err(work.failed(&failure));
    }
    match &local.fetch_url {
        None => {
            work.comments.push(format!("Remote '{remote}' set to {url}"));
            work.changes.insert("new".to_owned(), json!(format!("{url} => {remote}")));
        }
        Some(old) => {
            work.comments.push(format!("Remote '{remote}' changed from {old} to {url}"));
        }
    }
    Ok(())
}

fn fetch_bare(work: &mut Work<'_>) -> Early<()> {
    let target = work.wish.target.clone();
    if work.dry() {
        // Salt joins this sentence letter by letter; here it stays whole.
        let told = vec![format!("Bare repository at {target} would be fetched")];
        return Err(work.current(&told, false));
    }
    let updated = fetch(work)?;
    let how = if updated { ", resulting in updated refs" } else { "" };
    work.comments.push(format!("Bare repository at {target} was fetched{how}"));
    Ok(())
}

fn fetch(work: &mut Work<'_>) -> Early<bool> {
    let (target, remote) = (work.wish.target.clone(), work.wish.remote.clone());
    let (force, refspecs) = (work.flag("force_fetch"), work.wish.refspecs.clone());
    work.git.fetch(&target, &remote, force, &refspecs).map_err(|failure| {
        work.fail(format!(
            "Fetch failed. Set 'force_fetch' to True to force the fetch if the failure was due to \
             not being able to fast-forward. Output of the fetch command follows:\n\n{}",
            failure.stripped()
        ))
    })
}

/// Does it: tags, fetch, branch, commit.
fn bring(work: &mut Work<'_>, local: &mut Local) -> Early<()> {
    let follow = work.follow(local.upstream.as_deref(), &local.branches);
    if follow.is_some() && local.branch.is_none() {
        return Err(work.fail(
            "Cannot set/unset upstream tracking branch, local HEAD refers to nonexistent branch. \
             This may have been caused by cloning a remote repository for which the default branch \
             was renamed or deleted. If you are unable to fix the remote repository, you can work \
             around this by setting the 'branch' argument (which will ensure that the named branch \
             is created if it does not already exist).",
        ));
    }
    tags(work, local)?;
    if !local.has_rev {
        get(work, local)?;
    }
    if work.changes_branch(local.branch.as_deref()) {
        switch(work, local)?;
    }
    let place = work.desired.place.clone();
    let wanted = work.desired.rev.clone().unwrap_or_default();
    if local.forward == Some(false) {
        work.git(&["reset", "--hard", &wanted])?;
        work.changes.insert("forced update".to_owned(), json!(true));
        if local.dirty {
            work.comments.push("Uncommitted changes were discarded".to_owned());
        }
        work.comments.push(format!("Repository was hard-reset to {place}"));
    } else if local.dirty && work.wish.reset != Reset::No {
        work.git(&["checkout", "--", "."])?;
        work.comments.push("Uncommitted changes were discarded".to_owned());
    }
    if let Some((options, told)) = follow {
        let argv: Vec<&str> =
            std::iter::once("branch").chain(options.iter().map(String::as_str)).collect();
        work.git(&argv)?;
        work.comments.push(told);
    }
    if local.forward == Some(true) && !work.desired.is(local.base.as_deref()) {
        advance(work, &wanted, &place)?;
    }
    work.submodules()
}

/// New tags of the remote are fetched; those that it has no more go, if they are to.
fn tags(work: &mut Work<'_>, local: &mut Local) -> Early<()> {
    let argv = ["ls-remote", "--tags", &work.wish.remote.clone()];
    let listed = work.git(&argv)?;
    let name = |line: &str| line.split_once("refs/tags/").map(|(_, name)| name.to_owned());
    let remote: BTreeSet<String> =
        listed.lines().filter_map(name).filter(|name| !name.ends_with("^{}")).collect();
    if remote == local.tags {
        return Ok(());
    }
    local.has_rev = false;
    let new: Vec<String> = remote.difference(&local.tags).map(|tag| format!("'{tag}'")).collect();
    if !new.is_empty() {
        // A set, as Python shows it.
        work.changes.insert("new_tags".to_owned(), json!(format!("{{{}}}", new.join(", "))));
    }
    if !work.git.ctx.flag("sync_tags", true) {
        return Ok(());
    }
    let mut deleted = Vec::new();
    for tag in local.tags.difference(&remote) {
        if work.git.run(&work.wish.target, &["tag", "-d", tag]).is_ok() {
            deleted.push(tag.clone());
        }
    }
    if !deleted.is_empty() {
        let names = deleted.join(", ");
        work.changes.insert("deleted_tags".to_owned(), json!(deleted));
        work.comments
            .push(format!("The following tags were removed from the local checkout: {names}"));
    }
    Ok(())
}

/// Fetches, and judges again what then is there.
fn get(work: &mut Work<'_>, local: &mut Local) -> Early<()> {
    if fetch(work)? {
        work.comments.push(format!("{} was fetched, resulting in updated refs", work.wish.url));
    }
    let wanted = work.desired.rev.clone().unwrap_or_default();
    let commit = format!("{wanted}^{{commit}}");
    if let Err(failure) = work.git.run(&work.wish.target, &["rev-parse", &commit]) {
        let (rev, url) = (work.wish.rev.clone(), work.wish.url.clone());
        return Err(work.fail(format!(
            "Fetch did not successfully retrieve rev '{rev}' from {url}: {failure}"
        )));
    }
    stay_if_told(work, local)?;
    let forward = is_ancestor(work, local);
    local.forward = Some(forward);
    if work.wish.reset == Reset::No && (!forward || local.dirty) {
        return Err(not_forward(work, local));
    }
    Ok(())
}

fn switch(work: &mut Work<'_>, local: &Local) -> Early<()> {
    let force = work.flag("force_checkout");
    if local.dirty && !force {
        let branch = local.branch.clone().unwrap_or_default();
        return Err(work.fail(format!(
            "Local branch '{branch}' has uncommitted changes. Set 'force_checkout' to True to \
             discard them and proceed."
        )));
    }
    let branch = work.wish.branch.clone().unwrap_or_default();
    let mut argv = vec!["checkout"];
    if force {
        argv.push("--force");
    }
    if local.branches.contains(&branch) {
        argv.push(&branch);
        work.git(&argv)?;
        work.comments.push(format!("'{branch}' was checked out"));
        return Ok(());
    }
    let start = match work.desired.upstream.branch() {
        _ if work.wish.rev == "HEAD" => work.desired.rev.clone().unwrap_or_default(),
        Some(upstream) => upstream.to_owned(),
        None => work.wish.rev.clone(),
    };
    argv.extend(["-b", &branch, &start]);
    work.git(&argv)?;
    let place = &work.desired.place;
    work.comments
        .push(format!("New branch '{branch}' was checked out, with {place} as a starting point"));
    Ok(())
}

fn advance(work: &mut Work<'_>, wanted: &str, place: &str) -> Early<()> {
    let rev = work.wish.rev.clone();
    if work.desired.upstream.branch().is_none() && rev != "HEAD" {
        work.git(&["reset", "--hard", &rev])?;
        work.comments.push(format!("Repository was reset to {rev} (fast-forward)"));
        return Ok(());
    }
    if work.git.run(&work.wish.target, &["symbolic-ref", "--quiet", "HEAD"]).is_err() {
        // Salt has no word from git here.
        return Err(work.fail("Unable to fast-forward, HEAD is detached"));
    }
    work.git(&["merge", "--ff-only", wanted])?;
    work.comments.push(format!("Repository was fast-forwarded to {place}"));
    Ok(())
}
