//! service: systemd's units.

use std::collections::BTreeSet;
use std::time::Duration;

use minijinja::Error;
use minijinja::value::Value;

use super::{Call, Function, acts, reads};
use crate::host::command::{Cancel, Exec, Output, run};
use crate::host::systemd::{Systemd, Verb, is_kind, salt_name};
use crate::render::python::{dict, list};
use crate::target::glob;

/// How long a program may take.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Where units and scripts lie.
const UNITS: [&str; 3] = ["/lib/systemd/system", "/usr/lib/systemd/system", "/etc/systemd/system"];
const SCRIPTS: &str = "/etc/init.d";
/// What stands for Salt's own service: who stops it does not wait for it.
const MINION: &str = "salt-minion.service";

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("service.status", "name sig= **kwargs", status),
    reads("service.available", "name", |call| Ok(Value::from(available(call)?))),
    reads("service.missing", "name", |call| Ok(Value::from(!available(call)?))),
    reads("service.enabled", "name root=! **kwargs", |call| enabled(call).map(Value::from)),
    reads("service.disabled", "name root=!", |call| Ok(Value::from(!enabled(call)?))),
    reads("service.masked", "name runtime= root=!", |call| {
        Ok(Value::from(masked(call, &call.text("name"), call.flag("runtime", false))))
    }),
    reads("service.get_all", "root=!", |call| Ok(names(all(call)))),
    reads("service.get_enabled", "root=!", |call| listed(call, "enabled")),
    reads("service.get_disabled", "root=!", |call| listed(call, "disabled")),
    reads("service.get_static", "root=!", |call| listed(call, "static")),
    acts("service.start", ACT, |call| act(call, Verb::Start)),
    acts("service.stop", "name no_block=", |call| Ok(Value::from(act(call, Verb::Stop).is_ok()))),
    acts("service.restart", ACT, |call| act(call, Verb::Restart)),
    acts("service.reload", ACT, |call| act(call, Verb::Reload)),
    acts("service.force_reload", ACT, |call| act(call, Verb::ForceReload)),
    acts("service.enable", SWITCH, |call| act(call, Verb::Enable)),
    acts("service.disable", "name no_block= root=! **kwargs", |call| {
        Ok(Value::from(act(call, Verb::Disable).is_ok()))
    }),
    acts("service.mask", "name runtime= root=!", mask),
    acts("service.unmask", "name runtime= root=!", |call| {
        unmask(call, call.flag("runtime", false)).map(|()| Value::from(true))
    }),
    acts("service.systemctl_reload", "", |call| {
        systemd(call, |systemd| systemd.reread())?;
        Ok(Value::from(true))
    }),
    acts("system.reboot", "at_time=", |call| end(call, "reboot")),
    acts("system.poweroff", "", |call| end(call, "poweroff")),
    acts("system.halt", "", |call| end(call, "halt")),
    acts("system.shutdown", "at_time=", |call| end(call, "poweroff")),
];

const ACT: &str = "name no_block= unmask= unmask_runtime=";
const SWITCH: &str = "name no_block= unmask= unmask_runtime= root=! **kwargs";

/// Runs a program of the system.
pub(super) fn command(call: &Call<'_>, argv: &[&str]) -> Result<Output, Error> {
    is_machine(call)?;
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    let exec = Exec { argv, timeout: Some(TIMEOUT), ..Exec::default() };
    run(&call.scope.host, &exec, &Cancel::in_force()).map_err(|error| call.fail(error.to_string()))
}

/// Refuses a host that is a folder: it has no programs of its own.
pub(super) fn is_machine(call: &Call<'_>) -> Result<(), Error> {
    match call.scope.host.root() {
        None => Ok(()),
        Some(_) => Err(call.fail(format!(
            "{}: the host is a folder, and has no services of its own",
            call.name()
        ))),
    }
}

/// What a program prints; nothing where the host is a folder: nothing is installed there, and
/// nothing runs, as far as templates look.
pub(super) fn printed(call: &Call<'_>, argv: &[&str]) -> Result<String, Error> {
    match call.scope.host.root() {
        None => command(call, argv).map(|ran| ran.stdout),
        Some(_) => Ok(String::new()),
    }
}

/// Asks systemd whether something is so of a unit; a folder has no units.
fn asked(
    call: &Call<'_>,
    work: impl FnOnce(&Systemd<'_>) -> Result<bool, String>,
) -> Result<bool, Error> {
    match call.scope.host.root() {
        None => systemd(call, work),
        Some(_) => Ok(false),
    }
}

/// Asks or tells the machine's systemd something.
fn systemd<T>(
    call: &Call<'_>,
    work: impl FnOnce(&Systemd<'_>) -> Result<T, String>,
) -> Result<T, Error> {
    is_machine(call)?;
    let cancel = Cancel::in_force();
    work(&Systemd { host: &call.scope.host, cancel: &cancel }).map_err(|words| call.fail(words))
}

/// Whether a unit runs; for a pattern, each that it matches.
fn status(call: &Call<'_>) -> Result<Value, Error> {
    let name = call.text("name");
    let active = |name: &str| asked(call, |systemd| systemd.is_active(name)).map(Value::from);
    if !name.contains(['*', '?', '[']) {
        return active(&name);
    }
    let found = all(call).into_iter().filter(|unit| glob(&name, unit));
    let pairs = found.map(|unit| Ok((Value::from(unit.as_str()), active(&unit)?)));
    Ok(dict(pairs.collect::<Result<_, Error>>()?))
}

fn available(call: &Call<'_>) -> Result<bool, Error> {
    let name = call.text("name");
    asked(call, |systemd| systemd.is_there(&name))
}

fn enabled(call: &Call<'_>) -> Result<bool, Error> {
    let name = call.text("name");
    asked(call, |systemd| systemd.is_enabled(&name))
}

fn masked(call: &Call<'_>, name: &str, runtime: bool) -> bool {
    let root = if runtime { "/run" } else { "/etc" };
    let path = call.scope.host.path(&format!("{root}/systemd/system/{}", salt_name(name)));
    std::fs::read_link(path).is_ok_and(|target| target.as_os_str() == "/dev/null")
}

/// The names of all units that have a file, and of the scripts that no unit stands for.
fn all(call: &Call<'_>) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for folder in UNITS {
        let path = call.scope.host.path(folder);
        if path.is_symlink() {
            continue;
        }
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            match file.rsplit_once('.') {
                Some((name, "service")) => out.insert(name.to_owned()),
                Some((_, kind)) if is_kind(kind) => out.insert(file),
                _ => false,
            };
        }
    }
    for entry in std::fs::read_dir(call.scope.host.path(SCRIPTS)).into_iter().flatten().flatten() {
        use std::os::unix::fs::PermissionsExt;
        if entry.path().metadata().is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0) {
            out.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    out
}

fn names(all: impl IntoIterator<Item = String>) -> Value {
    list(all.into_iter().map(Value::from).collect())
}

/// The names of the units whose file is in a wanted state.
fn listed(call: &Call<'_>, wanted: &str) -> Result<Value, Error> {
    let shown =
        printed(call, &["systemctl", "--full", "--no-legend", "--no-pager", "list-unit-files"])?;
    let one = |line: &str| {
        let mut words = line.split_whitespace();
        let (file, state) = (words.next()?, words.next()?);
        let (name, kind) = file.rsplit_once('.')?;
        let name = if kind == "service" { name } else { file };
        (state == wanted && is_kind(kind)).then(|| name.to_owned())
    };
    let found: BTreeSet<String> = shown.lines().filter_map(one).collect();
    Ok(names(found))
}

fn act(call: &Call<'_>, verb: Verb) -> Result<Value, Error> {
    for (flag, runtime) in [("unmask", false), ("unmask_runtime", true)] {
        if call.flag(flag, false) {
            unmask(call, runtime)?;
        }
    }
    let name = call.text("name");
    let alone = match verb {
        Verb::ForceReload => true,
        Verb::Stop | Verb::Restart => salt_name(&name) == MINION,
        _ => false,
    };
    let no_block = call.flag("no_block", alone);
    systemd(call, |systemd| {
        let unit = systemd.look(&name)?;
        if unit.is_some_and(|unit| unit.stale) {
            systemd.reread()?;
        }
        systemd.act(verb, &name, no_block)
    })?;
    Ok(Value::from(true))
}

fn mask(call: &Call<'_>) -> Result<Value, Error> {
    let (name, runtime) = (call.text("name"), call.flag("runtime", false));
    is_machine(call)?;
    let cancel = Cancel::in_force();
    let systemd = Systemd { host: &call.scope.host, cancel: &cancel };
    match systemd.act(Verb::Mask { runtime }, &name, false) {
        Ok(()) => Ok(Value::from(true)),
        Err(words) => {
            let told = format!("Failed to mask service '{name}'");
            Err(call.fail(format!("{told}. Additional info follows:\n\n{words}")))
        }
    }
}

fn unmask(call: &Call<'_>, runtime: bool) -> Result<(), Error> {
    let name = call.text("name");
    if !masked(call, &name, runtime) {
        return Ok(());
    }
    systemd(call, |systemd| {
        let done = systemd.act(Verb::Unmask { runtime }, &name, false);
        done.map_err(|_| format!("Failed to unmask service '{name}'"))
    })
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
