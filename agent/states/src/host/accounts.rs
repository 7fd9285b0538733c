//! Users and groups of a host: `/etc/passwd`, `/etc/group` and `/etc/shadow`, read and written.
//!
//! Names that these files do not know are asked of the system's directory (NSS), unless the host
//! stands under a root prefix.

pub(crate) mod edit;
pub(crate) mod limits;

use std::os::unix::fs::MetadataExt;

use super::Host;

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
    local: bool,
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
            local: host.root().is_some(),
        }
    }

    pub(crate) fn user(&self, name: &str) -> Option<User> {
        let local = self.users.iter().find(|user| user.name == name).cloned();
        if local.is_some() || self.local {
            return local;
        }
        nix::unistd::User::from_name(name).ok().flatten().map(|user| User {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            gecos: user.gecos.to_string_lossy().into_owned(),
            home: user.dir.to_string_lossy().into_owned(),
            shell: user.shell.to_string_lossy().into_owned(),
        })
    }

    pub(crate) fn group(&self, name: &str) -> Option<Group> {
        let local = self.groups.iter().find(|group| group.name == name).cloned();
        if local.is_some() || self.local {
            return local;
        }
        nix::unistd::Group::from_name(name).ok().flatten().map(|group| Group {
            name: group.name,
            gid: group.gid.as_raw(),
            members: group.mem,
        })
    }

    /// The uid of a user given by name or number.
    pub(crate) fn uid(&self, user: &str) -> Option<u32> {
        user.parse().ok().or_else(|| self.user(user).map(|user| user.uid))
    }

    /// The gid of a group given by name or number.
    pub(crate) fn gid(&self, group: &str) -> Option<u32> {
        group.parse().ok().or_else(|| self.group(group).map(|group| group.gid))
    }

    /// The name of a uid, or its digits.
    pub(crate) fn user_name(&self, uid: u32) -> String {
        let found = self.users.iter().find(|user| user.uid == uid);
        found.map_or_else(|| uid.to_string(), |user| user.name.clone())
    }

    /// The name of a gid, or its digits.
    pub(crate) fn group_name(&self, gid: u32) -> String {
        let found = self.groups.iter().find(|group| group.gid == gid);
        found.map_or_else(|| gid.to_string(), |group| group.name.clone())
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
        assert_eq!(host.accounts().gid("new"), Some(11));
    }
}
