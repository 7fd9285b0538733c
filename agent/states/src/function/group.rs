//! Salt's `group`: local groups.

use serde_json::{Value, json};

use super::args::text;
use super::{Context, Function, Plan, StateFunction};
use crate::host::accounts::Group;
use crate::host::accounts::edit::{add_group, change_group};
use crate::host::accounts::limits::Limits;
use crate::outcome::{Changes, Outcome, change};

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<Present>()];

pub(super) struct Present;

/// A group to make, or to change.
pub(super) enum Step {
    Make(Group),
    Change { group: Group, comment: String },
}

impl StateFunction for Present {
    const MODULE: &'static str = "group";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] =
        &["gid", "system", "addusers", "delusers", "members", "non_unique"];
    const TOLERATES: &'static [&'static str] = &["local"];
    type Step = Step;

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        match wanted(ctx) {
            Err(problem) => Plan::failed(problem),
            Ok(None) => Plan::fine(format!("Group {} is present and up to date", ctx.name())),
            Ok(Some(step)) => {
                let comment = match &step {
                    Step::Make(group) => format!("Group {} set to be added", group.name),
                    Step::Change { comment, .. } => comment.clone(),
                };
                Plan::change(comment, Changes::new(), step)
            }
        }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let name = ctx.name();
        match step {
            Step::Make(group) => match add_group(ctx.host, &group) {
                Ok(()) => Outcome::changed(format!("New group {name} created"), info(&group)),
                Err(error) => {
                    Outcome::failed(format!("Failed to create new group {name}: {error}"))
                }
            },
            Step::Change { group, comment } => match change_group(ctx.host, &group) {
                Ok(()) => {
                    Outcome::changed(comment, change("Final", "All changes applied successfully"))
                }
                Err(error) => {
                    Outcome::failed(format!("{comment}Some changes could not be applied: {error}"))
                }
            },
        }
    }
}

fn info(group: &Group) -> Changes {
    let info = json!({
        "name": group.name, "passwd": "x", "gid": group.gid, "members": group.members,
    });
    info.as_object().cloned().unwrap_or_default()
}

fn names(ctx: &Context<'_>, key: &str) -> Option<Vec<String>> {
    match ctx.value(key)? {
        Value::String(list) => Some(list.split(',').map(|name| name.trim().to_owned()).collect()),
        _ => Some(ctx.list(key)),
    }
}

fn wanted(ctx: &Context<'_>) -> Result<Option<Step>, String> {
    let (members, add, del) =
        (names(ctx, "members"), names(ctx, "addusers"), names(ctx, "delusers"));
    if members.is_some() && (add.is_some() || del.is_some()) {
        return Err(
            "Error: Conflicting options \"members\" with \"addusers\" and/or \"delusers\" can \
                    not be used together. "
                .to_owned(),
        );
    }
    let (add, del) = (add.unwrap_or_default(), del.unwrap_or_default());
    if add.iter().any(|user| del.contains(user)) {
        return Err("Error. Same user(s) can not be added and deleted simultaneously".to_owned());
    }
    let gid = ctx.value("gid").map(|gid| text(gid).parse::<u32>().map_err(|_| "Invalid gid"));
    let gid = gid.transpose()?;
    let accounts = ctx.host.accounts();
    let Some(own) = accounts.group(ctx.name()) else {
        return new(ctx, gid, members.unwrap_or(add)).map(|group| Some(Step::Make(group)));
    };
    Ok(differing(&own, gid, members, &add, &del))
}

fn new(ctx: &Context<'_>, gid: Option<u32>, members: Vec<String>) -> Result<Group, String> {
    let (name, accounts) = (ctx.name(), ctx.host.accounts());
    if let Some(gid) = gid
        && !ctx.flag("non_unique", false)
        && let Some(other) = accounts.groups.iter().find(|group| group.gid == gid)
    {
        return Err(format!(
            "Group {name} is not present but gid {gid} is already taken by group {}",
            other.name
        ));
    }
    let free = || Limits::read(ctx.host).free_gid(&accounts, ctx.flag("system", false));
    let gid = gid.or_else(free).ok_or("no gid is free: give the group a gid of its own")?;
    Ok(Group { name: name.to_owned(), gid, members })
}

fn differing(
    own: &Group,
    gid: Option<u32>,
    members: Option<Vec<String>>,
    add: &[String],
    del: &[String],
) -> Option<Step> {
    let mut group = own.clone();
    let mut told = Vec::new();
    if let Some(gid) = gid.filter(|gid| *gid != own.gid) {
        group.gid = gid;
        told.push(format!("gid: {gid}"));
    }
    let shown = |names: &[String]| {
        let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        format!("[{}]", quoted.join(", "))
    };
    if let Some(members) = members {
        let same = members.len() == own.members.len()
            && members.iter().all(|name| own.members.contains(name));
        if !same {
            told.push(format!("members: {}", shown(&members)));
            group.members = members;
        }
    }
    let adding: Vec<String> =
        add.iter().filter(|name| !own.members.contains(name)).cloned().collect();
    if !adding.is_empty() {
        told.push(format!("addusers: {}", shown(&adding)));
        group.members.extend(adding);
    }
    let going: Vec<String> =
        del.iter().filter(|name| own.members.contains(name)).cloned().collect();
    if !going.is_empty() {
        told.push(format!("delusers: {}", shown(&going)));
        group.members.retain(|name| !going.contains(name));
    }
    if told.is_empty() {
        return None;
    }
    let comment =
        format!("The following group attributes are set to be changed:\n{}\n", told.join("\n"));
    Some(Step::Change { group, comment })
}
