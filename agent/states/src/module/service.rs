//! service: systemd's units.

use std::time::Duration;

use minijinja::Error;
use minijinja::value::Value;

use super::{Call, Function, acts, reads};
use crate::host::command::{Cancel, Exec, Output, run};
use crate::render::python::{dict, list};
use crate::target::glob;

/// How long systemctl may take.
const TIMEOUT: Duration = Duration::from_secs(300);

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("service.status", "name sig= **kwargs", status),
    reads("service.available", "name", |call| Ok(Value::from(available(call)?))),
    reads("service.missing", "name", |call| Ok(Value::from(!available(call)?))),
    reads("service.enabled", "name root= **kwargs", |call| enabled(call).map(Value::from)),
    reads("service.disabled", "name root=", |call| Ok(Value::from(!enabled(call)?))),
    reads("service.masked", "name runtime= root=", |call| {
        let shown = command(call, &["systemctl", "is-enabled", "--", &unit(call)])?;
        Ok(Value::from(shown.stdout.trim().starts_with("masked")))
    }),
    reads("service.get_all", "root=", |call| names(call, |_| true)),
    reads("service.get_enabled", "root=", |call| names(call, |state| state == "enabled")),
    reads("service.get_disabled", "root=", |call| names(call, |state| state == "disabled")),
    acts("service.start", ACT, |call| act(call, "start")),
    acts("service.stop", ACT, |call| act(call, "stop")),
    acts("service.restart", ACT, |call| act(call, "restart")),
    acts("service.reload", ACT, |call| act(call, "reload")),
    acts("service.force_reload", ACT, |call| act(call, "force-reload")),
    acts("service.enable", ACT, |call| act(call, "enable")),
    acts("service.disable", ACT, |call| act(call, "disable")),
    acts("service.mask", "name runtime= root=", |call| act(call, "mask")),
    acts("service.unmask", "name runtime= root=", |call| act(call, "unmask")),
    acts("service.systemctl_reload", "", |call| {
        done(call, "daemon-reload", &["systemctl", "daemon-reload"])
    }),
    acts("system.reboot", "at_time=", |call| end(call, "reboot")),
    acts("system.poweroff", "", |call| end(call, "poweroff")),
    acts("system.halt", "", |call| end(call, "halt")),
    acts("system.shutdown", "at_time=", |call| end(call, "poweroff")),
];

const ACT: &str = "name no_block= unmask= unmask_runtime= **kwargs";

/// Runs a program of the system.
pub(super) fn command(call: &Call<'_>, argv: &[&str]) -> Result<Output, Error> {
    if call.scope.host.root().is_some() {
        let words =
            format!("{}: the host is a folder, and has no services of its own", call.name());
        return Err(call.fail(words));
    }
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    let exec = Exec { argv, timeout: Some(TIMEOUT), ..Exec::default() };
    run(&call.scope.host, &exec, &Cancel::default()).map_err(|error| call.fail(error.to_string()))
}

/// A unit's whole name: `.service` where no kind is named.
fn unit(call: &Call<'_>) -> String {
    const KINDS: [&str; 12] = [
        "service",
        "socket",
        "device",
        "mount",
        "automount",
        "swap",
        "target",
        "path",
        "timer",
        "snapshot",
        "slice",
        "scope",
    ];
    let name = call.text("name");
    let named = name.rsplit_once('.').is_some_and(|(_, kind)| KINDS.contains(&kind));
    if named { name } else { format!("{name}.service") }
}

/// Whether a unit runs; for a pattern, each that it matches.
fn status(call: &Call<'_>) -> Result<Value, Error> {
    let name = call.text("name");
    if !name.contains(['*', '?', '[']) {
        let shown = command(call, &["systemctl", "is-active", "--", &unit(call)])?;
        return Ok(Value::from(shown.stdout.trim() == "active"));
    }
    let shown = command(
        call,
        &["systemctl", "list-units", "--all", "--type=service", "--plain", "--no-legend"],
    )?;
    let one = |line: &str| {
        let mut words = line.split_whitespace();
        let unit = words.next()?.trim_end_matches(".service").to_owned();
        let active = words.nth(1)? == "active";
        glob(&name, &unit).then(|| (Value::from(unit), Value::from(active)))
    };
    Ok(dict(shown.stdout.lines().filter_map(one).collect()))
}

fn available(call: &Call<'_>) -> Result<bool, Error> {
    let shown = command(call, &["systemctl", "show", "--property=LoadState", "--", &unit(call)])?;
    let state = shown.stdout.trim().strip_prefix("LoadState=").unwrap_or("not-found").to_owned();
    Ok(shown.code == 0 && state != "not-found")
}

fn enabled(call: &Call<'_>) -> Result<bool, Error> {
    let shown = command(call, &["systemctl", "is-enabled", "--", &unit(call)])?;
    Ok(shown.code == 0 && shown.stdout.trim() != "disabled")
}

/// The names of the units whose file is in a wanted state.
fn names(call: &Call<'_>, wanted: impl Fn(&str) -> bool) -> Result<Value, Error> {
    let shown =
        command(call, &["systemctl", "list-unit-files", "--full", "--no-legend", "--no-pager"])?;
    let one = |line: &str| {
        let mut words = line.split_whitespace();
        let (name, state) = (words.next()?, words.next()?);
        wanted(state).then(|| name.trim_end_matches(".service").to_owned())
    };
    let mut all: Vec<String> = shown.stdout.lines().filter_map(one).collect();
    all.sort();
    all.dedup();
    Ok(list(all.into_iter().map(Value::from).collect()))
}

fn act(call: &Call<'_>, verb: &str) -> Result<Value, Error> {
    let unit = unit(call);
    if matches!(verb, "start" | "restart" | "enable") && call.flag("unmask", false) {
        done(call, "unmask", &["systemctl", "unmask", "--", &unit])?;
    }
    if matches!(verb, "start" | "restart") && call.flag("unmask_runtime", false) {
        done(call, "unmask", &["systemctl", "unmask", "--runtime", "--", &unit])?;
    }
    let mut argv = vec!["systemctl", verb];
    if call.flag("no_block", false) {
        argv.push("--no-block");
    }
    if verb == "mask" && call.flag("runtime", false) {
        argv.push("--runtime");
    }
    argv.extend(["--", &unit]);
    done(call, verb, &argv)
}

fn done(call: &Call<'_>, verb: &str, argv: &[&str]) -> Result<Value, Error> {
    let ran = command(call, argv)?;
    if ran.code != 0 {
        return Err(call.fail(format!("systemctl {verb} failed: {}", ran.stderr.trim())));
    }
    Ok(Value::from(true))
}

/// Ends the machine's run, in a minute at the earliest, so that the report of this run is sent.
fn end(call: &Call<'_>, verb: &str) -> Result<Value, Error> {
    let flag = match verb {
        "reboot" => "-r",
        "halt" => "-H",
        _ => "-P",
    };
    let at = match call.text_of("at_time") {
        Some(at) if at.parse::<u32>().is_ok_and(|minutes| minutes > 0) => format!("+{at}"),
        Some(at) if at.contains(':') => at,
        Some(_) | None => "+1".to_owned(),
    };
    let ran = command(call, &["shutdown", flag, &at])?;
    if ran.code != 0 {
        return Err(call.fail(format!("shutdown failed: {}", ran.stderr.trim())));
    }
    Ok(Value::from(ran.stdout.trim_end()))
}
