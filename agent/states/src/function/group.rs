//! Salt's `group`: local groups.

use serde_json::{Value, json};

use super::args::text;
use super::{Context, Function, Lint, Plan, StateFunction};
use crate::chunk::Chunk;
use crate::host::accounts::edit::{add_group, change_group, move_primary};
use crate::host::accounts::limits::Limits;
use crate::host::accounts::{Accounts, Group, remove};
use crate::outcome::{Changes, Outcome, change};

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<Present>(), Function::of::<Absent>()];

pub(super) struct Present;

/// A group to make, or to change.
pub(super) enum Step {
    Make,
    Change { changes: Changes, comment: String },
}

impl StateFunction for Present {
    const MODULE: &'static str = "group";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] =
        &["gid", "system", "addusers", "delusers", "members", "non_unique"];
    /// All is done in the local files.
    const TOLERATES: &'static [&'static str] = &["local"];
    type Step = Step;

    fn lint(chunk: &Chunk) -> Vec<Lint> {
        let gid = chunk.args.get("gid").filter(|gid| !gid.is_null()).map(text);
        let wrong = gid.filter(|gid| !gid.is_empty() && gid.parse::<u32>().is_err());
        wrong
            .map(|gid| ("gid", format!("Invalid gid: '{gid}' is not a number")))
            .into_iter()
            .collect()
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let wanted = Wanted::of(ctx);
        if let Some(clash) = wanted.clash() {
            return Plan::Done(Outcome::foreseen(clash, Changes::new()));
        }
        let name = ctx.name();
        let Some(own) = ctx.host.accounts().group(name) else {
            return Plan::change(
                format!("Group {name} set to be added"),
                Changes::new(),
                Step::Make,
            );
        };
        let changes = wanted.changes(&own);
        if changes.is_empty() {
            return Plan::fine(format!("Group {name} is present and up to date"));
        }
        let mut comment = "The following group attributes are set to be changed:\n".to_owned();
        for (key, value) in &changes {
            // Salt has these users in a set.
            let shown = match (key.as_str(), wanted.members.as_deref()) {
                ("delusers", Some([])) => text(value).replace('[', "{").replace(']', "}"),
                _ => text(value),
            };
            comment.push_str(&format!("{key}: {shown}\n"));
        }
        Plan::change(comment.clone(), Changes::new(), Step::Change { changes, comment })
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let wanted = Wanted::of(ctx);
        match step {
            Step::Make => make(ctx, &wanted),
            Step::Change { changes, comment } => alter(ctx, &wanted, &changes, comment),
        }
    }
}

pub(super) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "group";
    const NAME: &'static str = "absent";
    const TAKES: &'static [&'static str] = &[];
    const TOLERATES: &'static [&'static str] = &["local"];
    type Step = Group;

    fn check(ctx: &Context<'_>) -> Plan<Group> {
        match ctx.host.accounts().group(ctx.name()) {
            None => Plan::fine("Group not present"),
            Some(group) => {
                let comment = format!("Group {} is set for removal", group.name);
                Plan::change(comment, Changes::new(), group)
            }
        }
    }

    fn apply(ctx: &Context<'_>, group: Group) -> Outcome {
        let (name, accounts) = (&group.name, ctx.host.accounts());
        let primary = accounts.users.iter().find(|user| user.gid == group.gid);
        let reason = match primary {
            Some(user) => Some(format!("it is the primary group of {}", user.name)),
            None => remove::group(ctx.host, name).err().map(|error| error.to_string()),
        };
        match reason {
            None => Outcome::changed(format!("Removed group {name}"), change(name, "")),
            Some(reason) => {
                // Salt's words name no reason.
                tracing::warn!(group = name, reason, "cannot remove a group");
                Outcome::failed(format!("Failed to remove group {name}"))
            }
        }
    }
}

/// What the state asks of a group.
struct Wanted {
    /// A gid of 0 is none to Salt, but where it looks whether that is taken.
    gid: Option<u32>,
    taken: Option<u32>,
    members: Option<Vec<String>>,
    /// The members as the state writes them.
    listed: Value,
    add: Option<Vec<String>>,
    del: Option<Vec<String>>,
}

impl Wanted {
    fn of(ctx: &Context<'_>) -> Wanted {
        let number = ctx.value("gid").and_then(Value::as_u64);
        Wanted {
            gid: ctx.text("gid").and_then(|gid| gid.parse().ok()).filter(|gid| *gid != 0),
            taken: number.and_then(|gid| gid.try_into().ok()),
            members: names(ctx, "members"),
            listed: ctx.value("members").cloned().unwrap_or_default(),
            add: names(ctx, "addusers"),
            del: names(ctx, "delusers"),
        }
    }

    fn clash(&self) -> Option<&'static str> {
        let (add, del) = (self.add.as_deref(), self.del.as_deref());
        if self.members.is_some() && (add.is_some() || del.is_some()) {
            return Some(
                "Error: Conflicting options \"members\" with \"addusers\" and/or \"delusers\" can \
                 not be used together. ",
            );
        }
        let both = add?.iter().any(|user| del.is_some_and(|del| del.contains(user)));
        both.then_some("Error. Same user(s) can not be added and deleted simultaneously")
    }

    /// What differs, in Salt's order and names.
    fn changes(&self, own: &Group) -> Changes {
        let mut changes = Changes::new();
        let mut told = |key: &str, value: Value| {
            changes.insert(key.to_owned(), value);
        };
        if let Some(gid) = self.gid.filter(|gid| *gid != own.gid) {
            told("gid", Value::from(gid));
        }
        if let Some(members) = &self.members {
            let same = members.iter().all(|name| own.members.contains(name))
                && own.members.iter().all(|name| members.contains(name));
            match members.is_empty() {
                _ if same => {}
                true => told("delusers", Value::from(own.members.clone())),
                false => told("members", self.listed.clone()),
            }
        }
        let is = |name: &&String| own.members.contains(name);
        let pick = |names: &Option<Vec<String>>, wanted: bool| -> Vec<String> {
            names.iter().flatten().filter(|name| is(name) == wanted).cloned().collect()
        };
        for (key, names) in
            [("addusers", pick(&self.add, false)), ("delusers", pick(&self.del, true))]
        {
            if !names.is_empty() {
                told(key, Value::from(names));
            }
        }
        changes
    }
}

/// Names of users; a text is, to Python, a list of its signs.
fn names(ctx: &Context<'_>, key: &str) -> Option<Vec<String>> {
    match ctx.value(key)? {
        Value::String(text) => Some(text.chars().map(String::from).collect()),
        _ => Some(ctx.list(key)),
    }
}

fn info(group: &Group) -> Changes {
    let info = json!({
        "name": group.name, "passwd": "x", "gid": group.gid, "members": group.members,
    });
    info.as_object().cloned().unwrap_or_default()
}

fn make(ctx: &Context<'_>, wanted: &Wanted) -> Outcome {
    let (name, accounts) = (ctx.name(), ctx.host.accounts());
    if let Some(gid) = wanted.taken
        && !ctx.flag("non_unique", false)
        && let Some(other) = accounts.groups.iter().find(|group| group.gid == gid)
    {
        let other = &other.name;
        return Outcome::failed(format!(
            "Group {name} is not present but gid {gid} is already taken by group {other}"
        ));
    }
    let free = || Limits::read(ctx.host).free_gid(&accounts, ctx.flag("system", false));
    let listed = wanted.add.clone().filter(|add| !add.is_empty());
    let listed = listed.or_else(|| wanted.members.clone()).unwrap_or_default();
    // One member that there is not, and gpasswd takes none of them.
    let members = if all_known(&accounts, &listed) { listed } else { Vec::new() };
    let gid = wanted.gid.or_else(free).filter(|_| is_name(name));
    let group = gid.map(|gid| Group { name: name.to_owned(), gid, members });
    let made = group.filter(|group| {
        let done = add_group(ctx.host, group);
        if let Err(error) = &done {
            tracing::warn!(group = name, %error, "cannot make a group");
        }
        done.is_ok()
    });
    let Some(group) = made else {
        return Outcome::failed(format!("Failed to create new group {name}"));
    };
    let left = wanted.changes(&group);
    if left.is_empty() {
        return Outcome::changed(format!("New group {name} created"), info(&group));
    }
    let comment = format!("Group {name} has been created but, some changes could not be applied");
    Outcome { result: Some(false), ..Outcome::changed(comment, change("Failed", left)) }
}

/// Whether Debian's groupadd takes it for a name.
fn is_name(name: &str) -> bool {
    let fine = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, ':' | ',');
    (1..=32).contains(&name.len()) && !name.starts_with(['-', '+', '~']) && name.chars().all(fine)
}

fn all_known(accounts: &Accounts, names: &[String]) -> bool {
    names.iter().all(|name| accounts.user(name).is_some())
}

fn alter(ctx: &Context<'_>, wanted: &Wanted, changes: &Changes, comment: String) -> Outcome {
    let accounts = ctx.host.accounts();
    let Some(mut group) = accounts.group(ctx.name()) else {
        return Outcome::failed(format!("Group {} is gone", ctx.name()));
    };
    let old = group.gid;
    let list = |key: &str| changes.get(key).map(super::args::list);
    if let Some(gid) = wanted.gid.filter(|_| changes.contains_key("gid")) {
        let taken = accounts.groups.iter().any(|other| other.gid == gid);
        if !taken || ctx.flag("non_unique", false) {
            group.gid = gid;
        }
    }
    let members = wanted.members.as_ref().filter(|_| changes.contains_key("members"));
    if let Some(members) = members.filter(|members| all_known(&accounts, members)) {
        group.members.clone_from(members);
    }
    for name in list("addusers").into_iter().flatten() {
        if accounts.user(&name).is_some() {
            group.members.push(name);
        }
    }
    let going = list("delusers").unwrap_or_default();
    group.members.retain(|name| !going.contains(name));
    let done = change_group(ctx.host, &group).and_then(|()| match changes.get("gid") {
        Some(_) if old != group.gid => move_primary(ctx.host, old, group.gid),
        Some(_) | None => Ok(()),
    });
    if let Err(error) = done {
        tracing::warn!(group = group.name, %error, "cannot change a group");
    }
    let left = ctx.host.accounts().group(ctx.name()).map(|now| wanted.changes(&now));
    match left.filter(|left| !left.is_empty()) {
        None => Outcome::changed(comment, change("Final", "All changes applied successfully")),
        Some(left) => {
            let comment = format!("{comment}Some changes could not be applied");
            Outcome { result: Some(false), ..Outcome::changed(comment, change("Failed", left)) }
        }
    }
}
