//! Taking accounts away: what userdel and groupdel do to the account files.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use super::edit::{GSHADOW, Lock, key, rewrite};
use super::limits::Limits;
use super::{GROUP, PASSWD, SHADOW, User};
use crate::host::Host;
use crate::host::files::remove;

const SUBORDINATE: [&str; 2] = ["/etc/subuid", "/etc/subgid"];

/// Removes a group's lines; whose primary group it is must be looked at before.
pub(crate) fn group(host: &Host, name: &str) -> io::Result<()> {
    let _lock = Lock::take(host)?;
    for path in [GROUP, GSHADOW] {
        rewrite(host, path, |lines| lines.retain(|line| key(line) != name))?;
    }
    Ok(())
}

/// Removes a user, its memberships, and the group that is its own.
pub(crate) fn user(host: &Host, user: &User, force: bool) -> io::Result<()> {
    let accounts = host.accounts();
    let name = user.name.as_str();
    let own = accounts.groups.iter().find(|group| group.name == name).filter(|group| {
        let others = |member: &String| member == name;
        let primary =
            accounts.users.iter().any(|other| other.gid == group.gid && other.name != name);
        group.gid == user.gid && group.members.iter().all(others) && (force || !primary)
    });
    let own = own.filter(|_| Limits::read(host).own_group).map(|group| group.name.clone());
    let lock = Lock::take(host)?;
    for path in [PASSWD, SHADOW].into_iter().chain(SUBORDINATE) {
        if path == PASSWD || host.stat(path).is_some() {
            rewrite(host, path, |lines| lines.retain(|line| key(line) != name))?;
        }
    }
    for path in [GROUP, GSHADOW] {
        rewrite(host, path, |lines| {
            for line in lines {
                leave(line, name);
            }
        })?;
    }
    drop(lock);
    match own {
        Some(own) => group(host, &own),
        None => Ok(()),
    }
}

/// Takes a name off the members at a line's end (and off the administrators before them).
fn leave(line: &mut String, name: &str) {
    let parts: Vec<String> = line
        .split(':')
        .enumerate()
        .map(|(at, part)| {
            if at < 2 {
                return part.to_owned();
            }
            let kept: Vec<&str> = part.split(',').filter(|member| *member != name).collect();
            kept.join(",")
        })
        .collect();
    *line = parts.join(":");
}

/// Removes a user's home and mail; a home that belongs to somebody else stays, unless forced.
pub(crate) fn home(host: &Host, user: &User, force: bool) -> io::Result<()> {
    let home = host.path(&user.home);
    let shared = host.accounts().users.iter().any(|other| {
        other.name != user.name && (other.home == user.home || below(&other.home, &user.home))
    });
    match fs::symlink_metadata(&home) {
        Ok(meta) if (meta.uid() == user.uid && !shared) || force => remove(&home)?,
        Ok(_) => tracing::warn!(home = %user.home, user = %user.name, "the home is not the user's"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mail = host.path(&format!("/var/mail/{}", user.name));
    match fs::symlink_metadata(&mail) {
        Ok(meta) if meta.uid() == user.uid || force => remove(&mail),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
