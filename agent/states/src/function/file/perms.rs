//! Owner, group and mode: what a state wants, how it differs, how it is set.

use std::borrow::Cow;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::function::Context;
use crate::function::args::show_mode;
use crate::host::Host;
use crate::host::files::{Access, set_access};
use crate::outcome::Changes;

/// The owner asked for, or this process's; the group asked for, or the owner's own. With what is
/// wrong with them.
pub(super) fn default_owner(ctx: &Context<'_>) -> (Perms, Vec<String>) {
    let accounts = ctx.host.accounts();
    let user = ctx.text("user").or_else(|| ctx.text("owner"));
    let user = user.unwrap_or_else(|| accounts.user_name(nix::unistd::geteuid().as_raw()));
    let group = ctx.text("group").unwrap_or_else(|| {
        let own = || nix::unistd::getegid().as_raw();
        accounts.group_name(accounts.user(&user).map_or_else(own, |user| user.gid))
    });
    let mut problems = Vec::new();
    if accounts.uid(&user).is_none() || quoted(ctx, "user") && accounts.user(&user).is_none() {
        problems.push(format!("User {user} does not exist"));
    }
    if accounts.gid(&group).is_none() || quoted(ctx, "group") && accounts.group(&group).is_none() {
        problems.push(format!("Group {group} does not exist"));
    }
    (Perms { user: Some(user), group: Some(group), mode: None }, problems)
}

/// A number in quotes is a name, and hardly anybody has it.
fn quoted(ctx: &Context<'_>, key: &str) -> bool {
    let name = ctx.value(key).and_then(Value::as_str);
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Owner and group as `default_owner` has them, and a mode; names must exist, except in a dry run.
pub(super) fn with_default_owner(ctx: &Context<'_>, mode_key: &str) -> Result<Perms, String> {
    let asked = Perms::of(ctx, mode_key)?;
    let (perms, _) = default_owner(ctx);
    Ok(Perms { mode: asked.mode, ..perms })
}

/// A folder's mode from a file's: who may read may also enter.
pub(super) fn searchable(mode: u32) -> u32 {
    let bits = [6, 3, 0].iter().filter(|shift| mode >> **shift & 0o7 != 0);
    bits.fold(mode & 0o777, |mode, shift| mode | 0o1 << shift)
}

/// What a state wants; `None` leaves it as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Perms {
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) mode: Option<u32>,
}

impl Perms {
    /// Reads `user` (or `owner`), `group` and the mode; names that do not exist are an error,
    /// except in a dry run, where an earlier state may be about to make them.
    pub(super) fn of(ctx: &Context<'_>, mode_key: &str) -> Result<Perms, String> {
        let perms = Perms {
            user: ctx.text("user").or_else(|| ctx.text("owner")).filter(|name| !name.is_empty()),
            group: ctx.text("group").filter(|name| !name.is_empty()),
            mode: ctx.mode(mode_key)?,
        };
        let accounts = ctx.host.accounts();
        let no_user = |user: &&String| {
            accounts.uid(user).is_none()
                || (quoted(ctx, "user") || quoted(ctx, "owner")) && accounts.user(user).is_none()
        };
        let no_group = |group: &&String| {
            accounts.gid(group).is_none() || quoted(ctx, "group") && accounts.group(group).is_none()
        };
        let mut problem = String::new();
        if let Some(user) = perms.user.as_ref().filter(no_user) {
            problem.push_str(&format!("User {user} is not available "));
        }
        if let Some(group) = perms.group.as_ref().filter(no_group) {
            problem.push_str(&format!("Group {group} is not available"));
        }
        if problem.is_empty() || ctx.test { Ok(perms) } else { Err(problem) }
    }

    /// Reads them as far as they can be had; the rest is what a state fails with once all else is
    /// done: a mode that is none, and, where nobody looked before, names that do not exist.
    pub(super) fn with_unmet(ctx: &Context<'_>, names: bool) -> Result<(Perms, Changes), String> {
        let mut chunk = Cow::Borrowed(ctx.chunk);
        let mut unmet = Changes::new();
        let accounts = ctx.host.accounts();
        let unknown = |key: &str, name: &String| match key {
            "user" => accounts.uid(name).is_none(),
            _ => accounts.gid(name).is_none(),
        };
        for key in ["user", "group"].into_iter().filter(|_| names && !ctx.test) {
            let name = ctx.text(key).filter(|name| !name.is_empty());
            if let Some(name) = name.filter(|name| unknown(key, name)) {
                chunk.to_mut().args.swap_remove(key);
                unmet.insert(key.to_owned(), Value::from(name));
            }
        }
        let mode = ctx.shown("mode").unwrap_or_default();
        if mode.is_empty() && ctx.value("mode").is_some() {
            chunk.to_mut().args.insert("mode".to_owned(), Value::from(0));
        } else if ctx.mode("mode").is_err() {
            let digits = mode.trim_start_matches(['0', 'O', 'o']);
            chunk.to_mut().args.swap_remove("mode");
            unmet.insert("mode".to_owned(), Value::from(format!("{digits:0>4}")));
        }
        Ok((Perms::of(&Context { chunk: &chunk, ..*ctx }, "mode")?, unmet))
    }

    /// A name as a report shows it: a number stays one.
    pub(super) fn shown(name: &str) -> Value {
        name.parse::<u32>().map_or_else(|_| Value::from(name), Value::from)
    }

    /// As numbers.
    pub(super) fn access(&self, host: &Host) -> Access {
        let accounts = host.accounts();
        Access {
            uid: self.user.as_ref().and_then(|user| accounts.uid(user)),
            gid: self.group.as_ref().and_then(|group| accounts.gid(group)),
            mode: self.mode,
        }
    }

    /// What differs, as Salt shows it: `user`, `group`, `mode`.
    pub(super) fn differences(&self, host: &Host, meta: &Metadata) -> Changes {
        let wanted = self.access(host);
        let mut changes = Changes::new();
        if let Some(user) = self.user.as_ref().filter(|_| wanted.uid != Some(meta.uid())) {
            changes.insert("user".to_owned(), Perms::shown(user));
        }
        if let Some(group) = self.group.as_ref().filter(|_| wanted.gid != Some(meta.gid())) {
            changes.insert("group".to_owned(), Perms::shown(group));
        }
        if let Some(mode) = self.mode.filter(|mode| *mode != meta.mode() & 0o7777)
            && !meta.is_symlink()
        {
            changes.insert("mode".to_owned(), Value::from(show_mode(mode)));
        }
        changes
    }

    /// Sets what differs; `follow` sets it on what a link leads to.
    pub(super) fn set(&self, host: &Host, path: &str, follow: bool) -> io::Result<Changes> {
        let place = if follow { host.followed(path) } else { host.path(path) };
        let meta = std::fs::symlink_metadata(&place)?;
        let changes = self.differences(host, &meta);
        if !changes.is_empty() {
            let kept = Access { uid: None, gid: None, mode: Some(meta.mode() & 0o7777) };
            let access = self.access(host);
            // A change of owner clears setuid and setgid: the mode is set again.
            set_access(&place, Access { mode: access.mode.or(kept.mode), ..access })?;
        }
        Ok(changes)
    }
}
