//! Owner, group and mode: what a state wants, how it differs, how it is set.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::function::Context;
use crate::function::args::show_mode;
use crate::host::Host;
use crate::host::files::{Access, set_access};
use crate::outcome::Changes;

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
        let mut problem = String::new();
        if let Some(user) = perms.user.as_ref().filter(|user| accounts.uid(user).is_none()) {
            problem.push_str(&format!("User {user} is not available "));
        }
        if let Some(group) = perms.group.as_ref().filter(|group| accounts.gid(group).is_none()) {
            problem.push_str(&format!("Group {group} is not available"));
        }
        if problem.is_empty() || ctx.test { Ok(perms) } else { Err(problem) }
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
            changes.insert("user".to_owned(), Value::from(user.as_str()));
        }
        if let Some(group) = self.group.as_ref().filter(|_| wanted.gid != Some(meta.gid())) {
            changes.insert("group".to_owned(), Value::from(group.as_str()));
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
