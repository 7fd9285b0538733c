//! The hardware clock: UTC, or the time of the zone.

use super::{is_family, put_line, status, timedatectl, unreadable, zone};
use crate::function::Context;
use crate::function::fault::{Fault, act};

const ADJTIME: &str = "/etc/adjtime";
const DEFAULTS: &str = "/etc/default/rcS";

/// Whether the clock keeps the time of the zone. Salt reads `LOCAL` in `/etc/adjtime` as UTC.
pub(super) fn is_local(ctx: &Context<'_>) -> Result<bool, Fault> {
    if let Some(program) = timedatectl(ctx) {
        let told = status(ctx, &program)?;
        let lower = told.to_lowercase();
        let line = lower.lines().find(|line| line.contains("rtc in local tz"));
        let line = line.ok_or_else(|| unreadable(&told))?;
        return Ok(line.rsplit(':').next().is_some_and(|word| word.trim() == "yes"));
    }
    if is_family(ctx, &["RedHat", "Suse"]) {
        return adjusted(ctx);
    }
    if !is_family(ctx, &["Debian"]) {
        return Ok(false);
    }
    let text = ctx.host.read_text(DEFAULTS).unwrap_or_default();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    match lines.find(|line| line.contains("UTC=")) {
        Some(line) => Ok(!line.to_lowercase().ends_with("=yes")),
        None => adjusted(ctx),
    }
}

fn adjusted(ctx: &Context<'_>) -> Result<bool, Fault> {
    match ctx.host.read_text(ADJTIME) {
        Some(text) => Ok(text.lines().last() == Some("localtime")),
        None if ctx.host.stat("/dev/rtc").is_some() => {
            Err(Fault::Told(format!("Unable to get hwclock timezone from {ADJTIME}")))
        }
        None => Ok(false),
    }
}

/// Lets the clock keep UTC; whether that came about.
pub(super) fn set_utc(ctx: &Context<'_>) -> Result<bool, Fault> {
    if let Some(program) = timedatectl(ctx) {
        return Ok(act(ctx, &[&program, "set-local-rtc", "false"])?.code == 0);
    }
    let name = zone::current(ctx)?;
    let path = format!("/usr/share/zoneinfo/{name}");
    if ctx.host.stat(&path).is_none() {
        return Err(Fault::Told(format!("Zone '{path}' does not exist")));
    }
    zone::link(ctx, &path)?;
    zone::keep_name(ctx, &name)?;
    if is_family(ctx, &["Debian"]) {
        put_line(ctx, DEFAULTS, "UTC=", "UTC=yes")?;
    }
    Ok(true)
}
