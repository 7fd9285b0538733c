//! What a user should be like, compared with what it is.

use serde_json::Value;

use super::gecos;
use crate::function::Context;
use crate::function::args::{text, truth};
use crate::host::accounts::shadow::{self, Age, Shadow};
use crate::host::accounts::{Accounts, User};
use crate::outcome::Changes;

/// Arguments that set an age of the password.
pub(super) const AGES: [(&str, Age); 6] = [
    ("date", Age::Changed),
    ("mindays", Age::Min),
    ("maxdays", Age::Max),
    ("inactdays", Age::Inactive),
    ("warndays", Age::Warn),
    ("expire", Age::Expire),
];

/// The groups that are asked for, and those of them that there are.
pub(in crate::function) struct Wanted {
    pub(super) groups: Option<Vec<String>>,
    pub(super) optional_groups: Vec<String>,
    /// In a dry run: an earlier state may be about to make them.
    pub(super) missing_groups: Vec<String>,
    /// As it shall stand in the shadow file.
    pub(super) password: Option<String>,
}

impl Wanted {
    pub(super) fn of(ctx: &Context<'_>) -> Result<Wanted, String> {
        for field in ["fullname", "roomnumber", "workphone"] {
            if let Some(value) = ctx.text(field).filter(|value| value.contains(',')) {
                return Err(format!("Unsupported char ',' in {value}"));
            }
        }
        let accounts = ctx.host.accounts();
        let known = |name: &String| accounts.group(name).is_some();
        // A text is, to Python, a list of its signs.
        let asked = ctx.value("groups").map(|groups| match groups {
            Value::String(text) => text.chars().map(String::from).collect(),
            _ => ctx.list("groups"),
        });
        let listed = asked.clone().unwrap_or_default();
        let (there, missing): (Vec<_>, Vec<_>) = listed.into_iter().partition(known);
        if !missing.is_empty() && !ctx.test {
            let missing = missing.join(",");
            return Err(format!("The following group(s) are not present: {missing}"));
        }
        let mut optional_groups = ctx.list("optional_groups");
        optional_groups.retain(known);
        let groups = asked.map(|_| there);
        let password = super::hashed::password(ctx)?;
        Ok(Wanted { groups, optional_groups, missing_groups: missing, password })
    }

    /// What differs, in Salt's order and names; `None` if there is no such user.
    pub(super) fn changes(
        &self,
        ctx: &Context<'_>,
        allowed: bool,
    ) -> Result<Option<Changes>, String> {
        let accounts = ctx.host.accounts();
        let Some(user) = accounts.user(ctx.name()) else { return Ok(None) };
        let mut changes = Changes::new();
        let mut told = |key: &str, value: Value| {
            changes.insert(key.to_owned(), value);
        };
        let mut refused = Vec::new();
        // A text is no number: it is never the user's.
        let text_uid = ctx.value("uid").is_some_and(Value::is_string);
        let own = |uid: &i64| *uid == i64::from(user.uid) && !text_uid;
        if let Some(uid) = number(ctx, "uid").filter(|uid| *uid != 0 && !own(uid)) {
            told("uid", Value::from(uid));
            if !allowed && !ctx.flag("allow_uid_change", false) {
                refused.push(not_permitted("uid", user.uid, &uid.to_string()));
            }
        }
        let gid = gid(ctx, &accounts);
        // A text is a group's name, also if it is a number.
        let number = |gid: &Value| match gid {
            Value::String(name) => accounts.group(name).map(|group| group.gid),
            other => accounts.gid(&text(other)),
        };
        if let Some(gid) = &gid
            && number(gid) != Some(user.gid)
        {
            told("gid", gid.clone());
            if !allowed && !ctx.flag("allow_gid_change", false) {
                refused.push(not_permitted("gid", user.gid, &text(gid)));
            }
        }
        if !refused.is_empty() {
            let refused = refused.join("\n- ");
            let comment = "Encountered error checking for needed changes.";
            return Err(format!("{comment} Additional info follows:\n\n- {refused}"));
        }
        if let Some(groups) = self.membership(ctx, &accounts, &user, gid.as_ref()) {
            told("groups", Value::from(groups));
        }
        changes.extend(home_and_shell(ctx, &user));
        changes.extend(self.secrets(ctx, shadow::of(ctx.host, &user.name).as_ref()));
        let fields = gecos::split(&user.gecos);
        for (field, value) in gecos::FIELDS.iter().zip(fields) {
            if let Some(wanted) = ctx.text(field).filter(|wanted| *wanted != value) {
                changes.insert((*field).to_owned(), Value::from(wanted));
            }
        }
        Ok(Some(changes))
    }

    /// What differs in the shadow file.
    fn secrets(&self, ctx: &Context<'_>, own: Option<&Shadow>) -> Changes {
        let mut changes = Changes::new();
        let current = own.map(|own| own.passwd.as_str()).unwrap_or_default();
        let empty = ctx.flag("empty_password", false);
        if let Some(wanted) = self.password.as_ref().filter(|_| !empty)
            && (current == "!" || ctx.flag("enforce_password", true))
            && *wanted != current
        {
            changes.insert("passwd".to_owned(), Value::from(wanted.as_str()));
        }
        if empty && !current.is_empty() {
            changes.insert("empty_password".to_owned(), Value::from(true));
        }
        for (key, age) in AGES {
            let days = number(ctx, key).filter(|days| key != "expire" || *days != 0);
            if let Some(days) =
                days.filter(|days| own.map(|own| own.days[age as usize]) != Some(*days))
            {
                changes.insert(key.to_owned(), Value::from(days));
            }
        }
        let locked = current.starts_with('!');
        match ctx.value("password_lock") {
            Some(lock) if truth(lock) && !locked => {
                changes.insert("password_lock".to_owned(), lock.clone());
            }
            Some(Value::Bool(false)) if locked => {
                changes.insert("password_lock".to_owned(), Value::from(false));
            }
            Some(_) | None => {}
        }
        changes
    }

    /// The groups to be in, if they differ from those that the user is in; the primary group, and
    /// the one that bears the user's name, do not count.
    fn membership(
        &self,
        ctx: &Context<'_>,
        accounts: &Accounts,
        user: &User,
        gid: Option<&Value>,
    ) -> Option<Vec<String>> {
        let exact = ctx.flag("remove_groups", true);
        let mut has = accounts.all_groups_of(user);
        let mut wanted = self.groups.clone().unwrap_or_default();
        wanted.extend(self.optional_groups.iter().cloned());
        if !exact || (self.groups.is_none() && self.optional_groups.is_empty()) {
            wanted.extend(has.iter().cloned());
        }
        wanted.sort();
        wanted.dedup();
        let old = accounts.group_name(user.gid);
        let primary = match gid {
            Some(gid) => {
                accounts.gid(&text(gid)).map_or_else(|| text(gid), |gid| accounts.group_name(gid))
            }
            None => old.clone(),
        };
        wanted.retain(|name| *name != primary);
        has.retain(|name| *name != primary && *name != old);
        has.retain(|name| *name != user.name || wanted.contains(name));
        let missing = wanted.iter().filter(|name| !has.contains(name));
        let surplus = has.iter().filter(|name| exact && !wanted.contains(name));
        // Two names of one number are one group.
        let number = |name: &String| accounts.group(name).map(|group| group.gid);
        let all: Vec<&String> = has.iter().chain(&wanted).collect();
        let alone = |name: &&String| {
            !all.iter().any(|other| *other != *name && number(other) == number(name))
        };
        let differs = missing.chain(surplus).any(|name| alone(&name));
        (differs && (!wanted.is_empty() || exact)).then_some(wanted)
    }
}

/// A number; the lint has seen that it is one.
pub(super) fn number(ctx: &Context<'_>, key: &str) -> Option<i64> {
    ctx.value(key).and_then(|value| text(value).parse().ok())
}

/// The primary group asked for, as a state writes it.
pub(super) fn gid(ctx: &Context<'_>, accounts: &Accounts) -> Option<Value> {
    if ctx.flag("usergroup", false) && accounts.group(ctx.name()).is_some() {
        return Some(Value::from(ctx.name()));
    }
    ctx.value("gid").cloned()
}

fn home_and_shell(ctx: &Context<'_>, user: &User) -> Changes {
    let mut changes = Changes::new();
    let set = |key: &str| ctx.text(key).filter(|value| !value.is_empty());
    let home = set("home");
    if let Some(home) = home.clone().filter(|home| *home != user.home) {
        changes.insert("home".to_owned(), Value::from(home));
    }
    if ctx.flag("createhome", true) {
        let home = home.unwrap_or_else(|| user.home.clone());
        if !ctx.host.stat(&home).is_some_and(|meta| meta.is_dir()) {
            changes.insert("homeDoesNotExist".to_owned(), Value::from(home));
        }
    }
    if let Some(shell) = set("shell").filter(|shell| *shell != user.shell) {
        changes.insert("shell".to_owned(), Value::from(shell));
    }
    changes
}

fn not_permitted(key: &str, old: u32, new: &str) -> String {
    format!(
        "Changing {key} ({old} -> {new}) not permitted, set allow_{key}_change to True to force \
         this change. Note that this will not change file ownership."
    )
}
