//! The systemd of the host that states act on.

use crate::function::Context;
use crate::host::files::which;
use crate::host::systemd::{Systemd, Unit, Verb, salt_name};

const OFFLINE: &str = "Running in OFFLINE mode. Nothing to do";

/// What systemd is on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manager {
    Running,
    /// It is installed, but nothing runs: an image that is being built.
    Offline,
}

/// The systemd of a host, or why there is none.
///
/// Below a root prefix there is none: this machine's own services are not the host's.
pub(super) fn manager(ctx: &Context<'_>) -> Result<Manager, String> {
    if ctx.host.root().is_some() {
        return Err("services cannot be managed below a root prefix".to_owned());
    }
    if ctx.host.lstat("/run/systemd/system").is_some() {
        return Ok(Manager::Running);
    }
    match which(ctx.host, "systemctl") {
        Some(_) => Ok(Manager::Offline),
        None => Err("services cannot be managed: this machine has no systemd".to_owned()),
    }
}

/// Salt's words for a host where nothing runs.
pub(super) fn offline() -> &'static str {
    OFFLINE
}

fn systemd<'a>(ctx: &Context<'a>) -> Systemd<'a> {
    Systemd { host: ctx.host, cancel: ctx.cancel }
}

/// Asks systemd for a unit; `None` if there is no such one.
pub(super) fn look(ctx: &Context<'_>, name: &str) -> Result<Option<Unit>, String> {
    let found = systemd(ctx).look(name)?;
    let file = format!("/etc/systemd/system/{}", salt_name(name));
    if found.is_some() || ctx.test || ctx.host.read(&file).is_err() {
        return Ok(found);
    }
    // Older ones do not see a file that was just put there.
    reread(ctx)?;
    systemd(ctx).look(name)
}

/// Lets systemd read its files again.
pub(super) fn reread(ctx: &Context<'_>) -> Result<(), String> {
    systemd(ctx).reread()
}

/// Waits until a unit that was just started shows whether it runs; not if nothing is waited for.
pub(super) fn settle(ctx: &Context<'_>, name: &str) {
    if !ctx.flag("no_block", false) {
        systemd(ctx).settle(name);
    }
}

/// Does one thing to a unit; `no_block` does not wait for it.
pub(super) fn act(ctx: &Context<'_>, verb: Verb, name: &str) -> Result<(), String> {
    let waits = match verb {
        Verb::Start | Verb::Stop | Verb::Restart | Verb::Reload => true,
        // Salt does not wait for it unless told to.
        Verb::ForceReload if ctx.value("no_block").is_none() => {
            return systemd(ctx).act(verb, name, true);
        }
        Verb::ForceReload => true,
        Verb::Enable | Verb::Disable | Verb::Mask { .. } | Verb::Unmask { .. } => false,
    };
    systemd(ctx).act(verb, name, waits && ctx.flag("no_block", false))
}
