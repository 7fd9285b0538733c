//! Users and groups of a host: `/etc/passwd`, `/etc/group` and `/etc/shadow`, read and written.
//!
//! Names that these files do not know are asked of the system's directory (NSS), unless the host
//! stands under a root prefix.

mod directory;
pub(crate) mod edit;
pub(crate) mod limits;
pub(crate) mod remove;
pub(crate) mod shadow;
pub(crate) mod subordinate;

use std::os::unix::fs::MetadataExt;

use super::Host;
use directory::Directory;

pub(crate) const PASSWD: &str = "/etc/passwd";
pub(crate) const GROUP: &str = "/etc/group";
pub(crate) const SHADOW: &str = "/etc/shadow";

/// Tells whether the account files changed: their inode, size and time.
pub(crate) type Stamp = Vec<Option<(u64, u64, i64, i64)>>;

/// One line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) gecos: String,
    pub(crate) home: String,
    pub(crate) shell: String,
}

/// One line of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) gid: u32,
    pub(crate) members: Vec<String>,
}

/// Users and groups at one moment.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    pub(crate) users: Vec<User>,
    pub(crate) groups: Vec<Group>,
    pub(super) stamp: Stamp,
    directory: Option<Directory>,
}

pub(super) fn stamp(host: &Host) -> Stamp {
    let one = |path| {
        let meta = host.stat(path)?;
        Some((meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
    };
    [PASSWD, GROUP].into_iter().map(one).collect()
}

impl Accounts {
    pub(super) fn load(host: &Host, stamp: Stamp) -> Accounts {
        let passwd = host.read_text(PASSWD).unwrap_or_default();
        let group = host.read_text(GROUP).unwrap_or_default();
        Accounts {
            users: passwd.lines().filter_map(user).collect(),
            groups: group.lines().filter_map(self::group).collect(),
            stamp,
            directory: Directory::of(host),
        }
    }

    pub(crate) fn user(&self, name: &str) -> Option<User> {
        let local = self.users.iter().find(|user| user.name == name).cloned();
        local.or_else(|| self.asked("passwd", name).as_deref().and_then(user))
    }

    pub(crate) fn group(&self, name: &str) -> Option<Group> {
        let local = self.groups.iter().find(|group| group.name == name).cloned();
        local.or_else(|| self.asked("group", name).as_deref().and_then(group))
    }

    /// A line of the directory, of an entry with this name or number.
    fn asked(&self, database: &'static str, key: &str) -> Option<String> {
        self.directory.as_ref()?.line(database, key)
    }

    /// The uid of a user given by name or number.
    pub(crate) fn uid(&self, user: &str) -> Option<u32> {
        let local = || self.users.iter().find(|own| own.name == user).map(|own| own.uid);
        user.parse().ok().or_else(local).or_else(|| self.user(user).map(|user| user.uid))
    }

    /// The gid of a group given by name or number.
    pub(crate) fn gid(&self, group: &str) -> Option<u32> {
        let local = || self.groups.iter().find(|own| own.name == group).map(|own| own.gid);
        group.parse().ok().or_else(local).or_else(|| self.group(group).map(|group| group.gid))
    }

    /// The name of a uid, or its digits.
    pub(crate) fn user_name(&self, uid: u32) -> String {
        let found = self.users.iter().find(|user| user.uid == uid);
        found.map_or_else(|| self.named("passwd", uid), |user| user.name.clone())
    }

    /// The name of a gid, or its digits.
    pub(crate) fn group_name(&self, gid: u32) -> String {
        let found = self.groups.iter().find(|group| group.gid == gid);
        found.map_or_else(|| self.named("group", gid), |group| group.name.clone())
    }

    fn named(&self, database: &'static str, id: u32) -> String {
        let line = self.asked(database, &id.to_string());
        line.and_then(|line| Some(line.split_once(':')?.0.to_owned())).unwrap_or(id.to_string())
    }

    /// The names of all groups that a user is in, the primary one too, sorted.
    pub(crate) fn all_groups_of(&self, user: &User) -> Vec<String> {
        let mut names: Vec<String> = self
            .groups
            .iter()
            .filter(|group| group.gid == user.gid || group.members.contains(&user.name))
            .map(|group| group.name.clone())
            .collect();
        let remote = self.initgroups(&user.name).into_iter().chain([user.gid]);
        let remote = remote.filter(|gid| !self.groups.iter().any(|group| group.gid == *gid));
        names.extend(remote.map(|gid| self.group_name(gid)));
        names.sort();
        names.dedup();
        names
    }

    /// The gids of a user's groups, as the directory and the files together know them.
    pub(crate) fn supplementary(&self, user: &User) -> Vec<u32> {
        let mut gids: Vec<u32> = self.groups_of(&user.name).iter().map(|group| group.gid).collect();
        gids.push(user.gid);
        gids.extend(self.initgroups(&user.name));
        gids.sort_unstable();
        gids.dedup();
        gids
    }

    fn initgroups(&self, name: &str) -> Vec<u32> {
        let line = self.asked("initgroups", name).unwrap_or_default();
        line.split_whitespace().skip(1).filter_map(|gid| gid.parse().ok()).collect()
    }

    /// The groups that list a user as a member, by name.
    pub(crate) fn groups_of(&self, user: &str) -> Vec<&Group> {
        let member = |group: &&Group| group.members.iter().any(|name| name == user);
        self.groups.iter().filter(member).collect()
    }
}

fn user(line: &str) -> Option<User> {
    let mut parts = line.split(':');
    let name = parts.next()?.to_owned();
    let (_, uid, gid) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(User {
        name,
        uid,
        gid,
        gecos: parts.next()?.to_owned(),
        home: parts.next()?.to_owned(),
        shell: parts.next().unwrap_or_default().to_owned(),
    })
}

fn group(line: &str) -> Option<Group> {
    let mut parts = line.split(':');
    let name = parts.next()?.to_owned();
    let gid = parts.nth(1)?.parse().ok()?;
    let members = parts.next().unwrap_or_default();
    let members = members.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    Some(Group { name, gid, members })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_files_are_read_and_reread_when_they_change() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/passwd"), "root:x:0:0:r:/root:/bin/sh\nbad\n").unwrap();
        std::fs::write(dir.path().join("etc/group"), "root:x:0:\nwheel:x:10:ann,bob\n").unwrap();
        let host = Host::under(dir.path());
        let accounts = host.accounts();
        assert_eq!(accounts.uid("root"), Some(0));
        assert_eq!(accounts.uid("7"), Some(7));
        assert_eq!(accounts.groups_of("bob")[0].name, "wheel");
        assert_eq!(accounts.user("nobody-here"), None);
        std::fs::write(dir.path().join("etc/group"), "root:x:0:\nnew:x:11:\n").unwrap();
        host.may_have_changed();
        assert_eq!(host.accounts().gid("new"), Some(11));
    }
}
