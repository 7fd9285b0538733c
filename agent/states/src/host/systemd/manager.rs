//! What systemd's manager is asked over D-Bus.

use super::connection::{BusError, Connection};
use super::settle::Main;
use super::wire::{Arg, Value};
use super::{Shown, Verb, words};

const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";

/// What a unit is like; one that is not loaded is looked for.
pub(super) fn show(bus: &mut Connection<'_>, unit: &str) -> Result<Shown, BusError> {
    let names = ["LoadState", "ActiveState", "NeedDaemonReload", "Id"];
    let mut values = bus.properties(&path(unit), UNIT, &names)?.into_iter();
    let mut text = || values.next().and_then(|value| value.text().map(str::to_owned));
    let (load, active) = (text().unwrap_or_default(), text().unwrap_or_default());
    let stale = values.next() == Some(Value::Flag(true));
    let id = values.next().and_then(|value| value.text().map(str::to_owned)).unwrap_or_default();
    Ok(Shown { load, active, stale, id })
}

/// The main process of a service.
pub(super) fn main(bus: &mut Connection<'_>, unit: &str) -> Result<Main, BusError> {
    let mut values = bus.properties(&path(unit), SERVICE, &["Type", "MainPID"])?.into_iter();
    let kind = values.next().and_then(|value| value.text().map(str::to_owned)).unwrap_or_default();
    let pid = match values.next() {
        Some(Value::Number(pid)) => pid,
        _ => 0,
    };
    Ok(Main { kind, pid })
}

/// Whether a unit starts at boot, in systemd's words; `None` for one that has no file.
pub(super) fn file_state(bus: &mut Connection<'_>, unit: &str) -> Result<Option<String>, BusError> {
    match bus.manager("GetUnitFileState", &[Arg::Text(unit)]) {
        Ok(values) => Ok(values.first().and_then(Value::text).map(str::to_owned)),
        Err(BusError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lets systemd read its files again.
pub(super) fn reread(bus: &mut Connection<'_>) -> Result<(), BusError> {
    bus.manager("Reload", &[]).map(drop)
}

/// Does one thing to a unit; the outer fault is the bus's, the inner one what systemctl would say.
pub(super) fn act(
    bus: &mut Connection<'_>,
    verb: Verb,
    unit: &str,
    no_block: bool,
) -> Result<Result<(), String>, BusError> {
    let (units, now) = (Arg::Texts(&[unit]), Arg::Flag(verb.is_of_this_boot()));
    let (member, args): (&str, &[Arg<'_>]) = match verb {
        Verb::Start => return job(bus, verb, "StartUnit", unit, no_block),
        Verb::Stop => return job(bus, verb, "StopUnit", unit, no_block),
        Verb::Restart => return job(bus, verb, "RestartUnit", unit, no_block),
        Verb::Reload => return job(bus, verb, "ReloadUnit", unit, no_block),
        Verb::ForceReload => return job(bus, verb, "ReloadOrTryRestartUnit", unit, no_block),
        Verb::Enable => ("EnableUnitFiles", &[units, now, Arg::Flag(false)]),
        Verb::Disable => ("DisableUnitFiles", &[units, now]),
        Verb::Mask { .. } => ("MaskUnitFiles", &[units, now, Arg::Flag(false)]),
        Verb::Unmask { .. } => ("UnmaskUnitFiles", &[units, now]),
    };
    match bus.manager(member, args) {
        Ok(_) => {}
        Err(BusError::Refused { name, words }) => {
            return Ok(Err(words::not_changed(verb.word(), &name, &words)));
        }
        Err(error) => return Err(error),
    }
    // As systemctl does: what was linked counts from now on.
    match reread(bus) {
        Err(BusError::Refused { words, .. }) => {
            Ok(Err(format!("Failed to reload daemon: {words}")))
        }
        other => other.map(Ok),
    }
}

fn job(
    bus: &mut Connection<'_>,
    verb: Verb,
    member: &str,
    unit: &str,
    no_block: bool,
) -> Result<Result<(), String>, BusError> {
    let asked = bus.manager(member, &[Arg::Text(unit), Arg::Text("replace")]);
    let job = match asked {
        Ok(values) => values.first().and_then(Value::text).unwrap_or_default().to_owned(),
        Err(BusError::Refused { name, words }) => {
            let word = match verb {
                Verb::ForceReload => "reload-or-try-restart",
                other => other.word(),
            };
            return Ok(Err(words::not_taken(word, unit, &name, &words)));
        }
        Err(error) => return Err(error),
    };
    if no_block {
        return Ok(Ok(()));
    }
    // From here on the job runs, whatever becomes of the connection.
    let ended = match bus.end_of(&job) {
        Ok(ended) => ended,
        Err(error @ BusError::Stopped(_)) => return Err(error),
        Err(error) => return Ok(Err(format!("Failed to wait for response: {error}"))),
    };
    if ended.result == "done" || ended.result == "skipped" {
        return Ok(Ok(()));
    }
    let service = (ended.unit.ends_with(".service") && ended.result == "failed")
        .then(|| bus.properties(&path(&ended.unit), SERVICE, &["Result"]))
        .and_then(Result::ok)
        .and_then(|values| values.first().and_then(Value::text).map(str::to_owned));
    Ok(Err(words::not_done(&ended.unit, &ended.result, service.as_deref())))
}

/// Where a unit lies on the bus.
fn path(unit: &str) -> String {
    let escaped = unit.bytes().enumerate().map(|(at, byte)| match byte {
        b'0'..=b'9' if at > 0 => char::from(byte).to_string(),
        b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        _ => format!("_{byte:02x}"),
    });
    format!("/org/freedesktop/systemd1/unit/{}", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_lies_where_systemd_puts_it() {
        let at = |unit| path(unit).rsplit('/').next().map(str::to_owned).unwrap();
        assert_eq!(at("ssh.service"), "ssh_2eservice");
        assert_eq!(at("1a-b@c.timer"), "_31a_2db_40c_2etimer");
    }
}
