//! The host's own rules for new accounts: `/etc/login.defs` and `/etc/default/useradd`.

use std::ops::RangeInclusive;

use super::Accounts;
use crate::host::Host;

/// Rules for new accounts.
#[derive(Debug)]
pub(crate) struct Limits {
    normal: RangeInclusive<u32>,
    system: RangeInclusive<u32>,
    /// A user gets a group of its own.
    pub(crate) own_group: bool,
    /// Mode of a new home.
    pub(crate) home_mode: u32,
    pub(crate) home_base: String,
    pub(crate) shell: String,
    /// The group of users without one of their own.
    pub(crate) group: u32,
    /// `min:max:warn` of a new password.
    pub(crate) ages: String,
}

impl Limits {
    pub(crate) fn read(host: &Host) -> Limits {
        let defs = host.read_text("/etc/login.defs").unwrap_or_default();
        let useradd = host.read_text("/etc/default/useradd").unwrap_or_default();
        let def = |key: &str| {
            let mut words = defs.lines().map(str::split_whitespace);
            words.find_map(|mut line| (line.next() == Some(key)).then(|| line.next()).flatten())
        };
        let number = |key: &str, other: u32| def(key).and_then(|n| n.parse().ok()).unwrap_or(other);
        let octal = |key: &str| def(key).and_then(|digits| u32::from_str_radix(digits, 8).ok());
        let set = |key: &str, other: &str| {
            let mut lines = useradd.lines().filter_map(|line| line.split_once('='));
            let found = lines.find(|(name, _)| name.trim() == key);
            found.map_or_else(|| other.to_owned(), |(_, value)| value.trim().to_owned())
        };
        let normal_min = number("UID_MIN", 1000);
        let umask = octal("UMASK").unwrap_or(0o022);
        Limits {
            normal: normal_min..=number("UID_MAX", 60_000),
            system: number("SYS_UID_MIN", 101)..=number("SYS_UID_MAX", normal_min - 1),
            own_group: def("USERGROUPS_ENAB").is_none_or(|word| word == "yes"),
            home_mode: octal("HOME_MODE").unwrap_or(0o777 & !umask),
            home_base: set("HOME", "/home"),
            shell: set("SHELL", "/bin/sh"),
            group: set("GROUP", "100").parse().unwrap_or(100),
            ages: format!(
                "{}:{}:{}",
                def("PASS_MIN_DAYS").unwrap_or("0"),
                def("PASS_MAX_DAYS").unwrap_or("99999"),
                def("PASS_WARN_AGE").unwrap_or("7"),
            ),
        }
    }

    /// First and last subordinate id, and how many a user gets: `what` is `SUB_UID` or `SUB_GID`.
    pub(super) fn subordinate(host: &Host, what: &str) -> (u64, u64, u64) {
        let defs = host.read_text("/etc/login.defs").unwrap_or_default();
        let number = |end: &str, other: u64| {
            let key = format!("{what}_{end}");
            let mut lines = defs.lines().map(str::split_whitespace);
            let found = lines.find_map(|mut line| (line.next() == Some(&key)).then(|| line.next()));
            found.flatten().and_then(|digits| digits.parse().ok()).unwrap_or(other)
        };
        (number("MIN", 100_000), number("MAX", 600_100_000), number("COUNT", 65_536))
    }

    /// Whether a uid is one of a person, not of the system.
    pub(super) fn is_person(&self, uid: u32) -> bool {
        self.normal.contains(&uid)
    }

    /// Whether useradd gives a group the number of its user: not if it lies outside the groups'
    /// numbers, which those of users of a directory do, and a system's user with a person's number.
    pub(crate) fn suits_group(&self, id: u32, system: bool) -> bool {
        if system { self.system.contains(&id) } else { self.normal.contains(&id) }
    }

    /// A free uid: counted up for people, down for the system, as useradd does.
    pub(crate) fn free_uid(&self, accounts: &Accounts, system: bool) -> Option<u32> {
        let taken = |id: &u32| accounts.users.iter().any(|user| user.uid == *id);
        self.free(system, accounts.users.iter().map(|user| user.uid), taken)
    }

    /// A free gid.
    pub(crate) fn free_gid(&self, accounts: &Accounts, system: bool) -> Option<u32> {
        let taken = |id: &u32| accounts.groups.iter().any(|group| group.gid == *id);
        self.free(system, accounts.groups.iter().map(|group| group.gid), taken)
    }

    fn free(
        &self,
        system: bool,
        used: impl Iterator<Item = u32>,
        taken: impl Fn(&u32) -> bool,
    ) -> Option<u32> {
        if system {
            return self.system.clone().rev().find(|id| !taken(id));
        }
        let highest = used.filter(|id| self.normal.contains(id)).max();
        let next = highest.map_or(*self.normal.start(), |id| id + 1);
        (next..=*self.normal.end()).chain(self.normal.clone()).find(|id| !taken(id))
    }
}
