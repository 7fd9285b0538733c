//! systemd's units: what they are like, and what is done to them.
//!
//! systemd is talked to over D-Bus; where that cannot be done, systemctl is run instead, which
//! is told once. Faults have systemctl's words either way, since Salt shows those.

mod connection;
mod manager;
mod settle;
mod systemctl;
mod wire;
mod words;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::command::Cancel;
use super::{Host, looking};
use connection::{BusError, Connection};

/// How deep links of templates are looked for below systemd's own folder.
const LINKS_DEEP_MAX: usize = 4;
/// What Salt takes for a unit's kind, with or without a point before it.
const KINDS: [&str; 9] =
    ["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer"];

/// What is done to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Start,
    Stop,
    Restart,
    Reload,
    ForceReload,
    Enable,
    Disable,
    Mask { runtime: bool },
    Unmask { runtime: bool },
}

impl Verb {
    /// As systemctl has it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verb::Start => "start",
            Verb::Stop => "stop",
            Verb::Restart => "restart",
            Verb::Reload => "reload",
            Verb::ForceReload => "force-reload",
            Verb::Enable => "enable",
            Verb::Disable => "disable",
            Verb::Mask { .. } => "mask",
            Verb::Unmask { .. } => "unmask",
        }
    }

    /// Whether it lasts until the next boot only.
    fn is_of_this_boot(self) -> bool {
        matches!(self, Verb::Mask { runtime: true } | Verb::Unmask { runtime: true })
    }
}

/// What a unit is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Unit {
    pub(crate) active: bool,
    pub(crate) enabled: bool,
    /// Its file changed since systemd read it.
    pub(crate) stale: bool,
}

/// A unit in systemd's words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Shown {
    load: String,
    active: String,
    stale: bool,
    /// Its own name, if it was asked for by another.
    id: String,
}

impl Shown {
    /// Whether there is such a unit: one that still runs is there, though its file is gone.
    fn is_there(&self) -> bool {
        !(matches!(self.load.as_str(), "not-found" | "")
            && matches!(self.active.as_str(), "inactive" | ""))
    }

    fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }
}

/// Whether a host's systemd is talked to: not once that has failed.
#[derive(Debug, Default)]
pub(super) struct Talks {
    given_up: AtomicBool,
}

impl Talks {
    pub(super) fn give_up(&self) -> bool {
        self.given_up.swap(true, Ordering::Relaxed)
    }
}

/// The systemd of a host.
#[derive(Clone, Copy)]
pub(crate) struct Systemd<'a> {
    pub(crate) host: &'a Host,
    pub(crate) cancel: &'a Cancel,
}

impl Systemd<'_> {
    /// Looks at a unit; `None` if there is no such one.
    pub(crate) fn look(&self, name: &str) -> Result<Option<Unit>, String> {
        let shown = self.show(name)?;
        if !shown.is_there() {
            return Ok(None);
        }
        let enabled = self.is_enabled(name)?;
        Ok(Some(Unit { active: shown.is_active(), enabled, stale: shown.stale }))
    }

    /// Whether there is such a unit.
    pub(crate) fn is_there(&self, name: &str) -> Result<bool, String> {
        Ok(self.show(name)?.is_there())
    }

    /// Whether a unit runs.
    pub(crate) fn is_active(&self, name: &str) -> Result<bool, String> {
        Ok(self.show(name)?.is_active())
    }

    /// Whether a unit starts at boot, or need not be told to.
    pub(crate) fn is_enabled(&self, name: &str) -> Result<bool, String> {
        let (state, counts) = self.file_state(&unit_name(name), self.has_script(name))?;
        if state == "alias" {
            let id = self.show(name)?.id;
            return Ok(self.file_state(&id, false)?.1);
        }
        Ok(counts || (name.contains('@') && self.is_linked(name)))
    }

    /// Lets systemd read its files again.
    pub(crate) fn reread(&self) -> Result<(), String> {
        self.may_act()?;
        let done = match self.by_bus(manager::reread) {
            Some(done) => done.map_err(|error| error.to_string()),
            None => systemctl::reread(self),
        };
        self.host.may_have_changed();
        done.map_err(|problem| format!("Problem performing systemctl daemon-reload: {problem}"))
    }

    /// Does one thing to a unit, and waits for it unless `no_block` says not to.
    pub(crate) fn act(&self, verb: Verb, name: &str, no_block: bool) -> Result<(), String> {
        self.may_act()?;
        let unit = unit_name(name);
        // Scripts in /etc/init.d are linked by programs of the distribution.
        let apart = matches!(verb, Verb::Enable | Verb::Disable) && self.has_script(name);
        let by_bus = (!apart && is_plain(&unit))
            .then(|| self.by_bus(|bus| manager::act(bus, verb, &unit, no_block)))
            .flatten();
        let done = match by_bus {
            Some(done) => done.map_err(|error| error.to_string()).flatten(),
            None => systemctl::act(self, verb, &unit, no_block),
        };
        self.host.may_have_changed();
        done
    }

    /// Whether something may be done: not by a check ahead of its turn.
    fn may_act(&self) -> Result<(), String> {
        if looking::refuses() {
            return Err("it is not the turn of this state".to_owned());
        }
        self.host.acted();
        Ok(())
    }

    fn show(&self, name: &str) -> Result<Shown, String> {
        let unit = unit_name(name);
        if unit.contains("@.") {
            // A template has a file and never runs; systemd shows none. Salt takes any for there.
            return Ok(Shown { load: "template".to_owned(), id: unit, ..Shown::default() });
        }
        let by_bus = is_plain(&unit).then(|| self.by_bus(|bus| manager::show(bus, &unit)));
        match by_bus.flatten() {
            Some(shown) => shown.map_err(|error| error.to_string()),
            None => systemctl::show(self, &unit),
        }
    }

    /// What systemd says of a unit's file, and whether that counts as enabled.
    fn file_state(&self, unit: &str, script: bool) -> Result<(String, bool), String> {
        let by_bus = self.by_bus(|bus| manager::file_state(bus, unit));
        let state = match by_bus {
            Some(state) => state.map_err(|error| error.to_string())?.unwrap_or_default(),
            None => return systemctl::is_enabled(self, unit),
        };
        if script && matches!(state.as_str(), "generated" | "") {
            return systemctl::is_enabled(self, unit);
        }
        let counts = matches!(
            state.as_str(),
            "enabled" | "enabled-runtime" | "static" | "alias" | "indirect" | "generated"
        );
        Ok((state, counts))
    }

    /// Whether a script of before systemd goes by a unit's name.
    fn has_script(&self, name: &str) -> bool {
        let stem = name.strip_suffix(".service").unwrap_or(name);
        !stem.contains('/') && self.host.stat(&format!("/etc/init.d/{stem}")).is_some()
    }

    /// Whether a link below systemd's own folder goes by this very name.
    fn is_linked(&self, name: &str) -> bool {
        linked(&self.host.path("/etc/systemd/system"), name, LINKS_DEEP_MAX)
    }

    /// Does something over D-Bus; `None` if that cannot be done here.
    ///
    /// Nothing has been done then: whoever asks for a job handles what comes after it himself.
    fn by_bus<T>(
        &self,
        work: impl FnOnce(&mut Connection<'_>) -> Result<T, BusError>,
    ) -> Option<Result<T, BusError>> {
        let runs = || self.host.lstat("/run/systemd/system").is_some();
        if self.host.talks.given_up.load(Ordering::Relaxed) || !runs() {
            return None;
        }
        let done = Connection::open(self.cancel).and_then(|mut bus| work(&mut bus));
        match done {
            Err(error @ (BusError::Lost(_) | BusError::Broken(_))) => {
                if !self.host.talks.give_up() {
                    tracing::warn!(error = %error, "systemd is reached by systemctl only");
                }
                None
            }
            done => Some(done),
        }
    }
}

fn linked(folder: &Path, name: &str, deep: usize) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.file_name() == name,
        Ok(kind) if kind.is_dir() && deep > 0 => linked(&entry.path(), name, deep - 1),
        _ => false,
    })
}

/// A unit's name as Salt completes it: what ends like a kind of unit is taken as it is.
pub(crate) fn salt_name(name: &str) -> String {
    if KINDS.iter().any(|kind| name.ends_with(kind)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

/// Whether Salt knows of units of this kind.
pub(crate) fn is_kind(kind: &str) -> bool {
    KINDS.contains(&kind)
}

/// The same as systemctl completes that again.
fn unit_name(name: &str) -> String {
    let name = salt_name(name);
    let known = |kind: &str| is_kind(kind) || matches!(kind, "slice" | "scope");
    if name.contains('/') || name.rsplit_once('.').is_some_and(|(_, kind)| known(kind)) {
        name
    } else {
        format!("{name}.service")
    }
}

/// Whether a name is that of one unit, as systemd takes it; systemctl makes more of others.
fn is_plain(unit: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    unit.bytes().all(known) && !unit.contains("@.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_without_a_kind_is_a_service() {
        assert_eq!(unit_name("sshd"), "sshd.service");
        assert_eq!(unit_name("a@b"), "a@b.service");
        assert_eq!(unit_name("apt-daily.timer"), "apt-daily.timer");
        // Salt takes it for a target, and systemctl for a service all the same.
        assert_eq!(salt_name("on-target"), "on-target");
        assert_eq!(unit_name("on-target"), "on-target.service");
        assert_eq!(unit_name("user.slice"), "user.slice.service");
    }

    #[test]
    fn only_the_name_of_one_unit_is_plain() {
        assert!(is_plain("dbus-org.a_b@c.service") && is_plain("dev-a\\x2db.mount"));
        assert!(!is_plain("a@.service") && !is_plain("a*.service") && !is_plain("/a/b.service"));
    }
}
