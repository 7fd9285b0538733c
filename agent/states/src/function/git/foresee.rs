//! What a dry run of `git.latest` tells of a checkout that is to be brought up to date.

use serde_json::json;

use super::latest::{Reset, Work};
use super::remote::Upstream;
use super::update::Local;
use super::{sentences, short};
use crate::outcome::Outcome;

pub(super) fn remote(work: &mut Work<'_>, local: &Local) -> Box<Outcome> {
    let old = local.fetch_url.as_deref().unwrap_or("None");
    let mut actions = vec![format!(
        "Remote '{}' would be changed from {old} to {}",
        work.wish.remote, work.wish.url
    )];
    if !local.has_rev {
        actions.push("Remote would be fetched".to_owned());
    }
    if !local.matches && work.wish.update_head {
        let wanted = work.desired.rev.clone().unwrap_or_default();
        work.revision(local.rev.as_deref(), Some(&wanted));
        if local.forward == Some(false) {
            work.changes.insert("forced update".to_owned(), json!(true));
        }
        actions.push(format!("Repository would be {} to {}", merging(local), short(&wanted)));
    }
    end_dry(work, local, &actions)
}

fn end_dry(work: &mut Work<'_>, local: &Local, actions: &[String]) -> Box<Outcome> {
    let told = sentences(actions);
    if !work.changes.is_empty() {
        return work.foresee(told);
    }
    if !local.matches && !work.wish.update_head && !told.is_empty() {
        return Box::new(Outcome::fine(told));
    }
    work.current(actions, false)
}

fn merging(local: &Local) -> &'static str {
    match local.forward {
        Some(false) => "hard-reset",
        Some(true) => "fast-forwarded",
        None => "updated",
    }
}

pub(super) fn all(work: &mut Work<'_>, local: &Local) -> Box<Outcome> {
    let wanted = work.desired.rev.clone().unwrap_or_default();
    let (old, new) = (local.rev.as_deref().unwrap_or("None").to_owned(), short(&wanted).to_owned());
    let place = work.desired.place.clone();
    let mut actions = Vec::new();
    if !local.has_rev {
        actions.push(format!("Remote '{}' would be fetched", work.wish.remote));
    }
    let moves = work.changes_branch(local.branch.as_deref());
    if !local.matches && (work.wish.update_head || moves) {
        work.revision(local.rev.as_deref(), Some(&wanted));
    }
    match work.wish.branch.clone().filter(|_| moves) {
        Some(branch) if !local.branches.contains(&branch) => {
            actions.push(format!(
                "New branch '{branch}' would be checked out, with {place} as a starting point"
            ));
            if let Some(upstream) = work.desired.upstream.branch() {
                actions.push(format!("Tracking branch would be set to {upstream}"));
            }
        }
        Some(branch) => actions.push(format!(
            "Branch '{branch}' would be checked out and {} to {new}",
            merging(local)
        )),
        None if local.matches => {}
        None if !work.wish.update_head => actions.push(format!(
            "Local HEAD ({}) does not match {place} but update_head=False, HEAD would not be \
             updated locally",
            short(&old)
        )),
        None => {
            let how = match local.forward {
                Some(true) => "fast-forwarded",
                _ if work.wish.reset != Reset::No && local.has_rev => "hard-reset",
                _ => "updated",
            };
            actions.push(format!("Repository would be {how} from {} to {new}", short(&old)));
        }
    }
    match (&work.desired.upstream, &local.upstream) {
        (Upstream::Branch(wanted), None) => {
            actions.push(format!("Tracking branch would be set to {wanted}"));
        }
        (Upstream::Nothing, Some(_)) => actions.push("Tracking branch would be unset".to_owned()),
        (Upstream::Branch(wanted), Some(now)) if now != wanted => {
            actions.push(format!("Tracking branch would be updated to {wanted}"));
        }
        _ => {}
    }
    end_dry(work, local, &actions)
}
