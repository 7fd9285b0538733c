//! systemctl, where systemd cannot be talked to, and for what only it knows how to do.

use std::time::Duration;

use super::settle::Main;
use super::{Shown, Systemd, Verb};
use crate::host::command::{Exec, Output, run};

/// How long a question may take; what is to be done may take as long as it needs.
const TIMEOUT: Duration = Duration::from_secs(300);

/// What a unit is like.
pub(super) fn show(systemd: &Systemd<'_>, unit: &str) -> Result<Shown, String> {
    let show = "--property=LoadState,ActiveState,NeedDaemonReload,Id";
    let output = ask(systemd, &["show", show, "--", unit])?;
    if output.code != 0 {
        return Err(output.stderr.trim().to_owned());
    }
    Ok(parse(&output.stdout))
}

/// The main process of a service.
pub(super) fn main(systemd: &Systemd<'_>, unit: &str) -> Result<Main, String> {
    let output = ask(systemd, &["show", "--property=Type,MainPID", "--", unit])?;
    if output.code != 0 {
        return Err(output.stderr.trim().to_owned());
    }
    let value = |key| value(&output.stdout, key);
    Ok(Main { kind: value("Type"), pid: value("MainPID").parse().unwrap_or(0) })
}

/// A property that was shown.
fn value(shown: &str, key: &str) -> String {
    let found = shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    found.unwrap_or_default().to_owned()
}

fn parse(shown: &str) -> Shown {
    let value = |key| value(shown, key);
    Shown {
        load: value("LoadState"),
        active: value("ActiveState"),
        stale: value("NeedDaemonReload") == "yes",
        id: value("Id"),
    }
}

/// What `is-enabled` says, and whether that counts as enabled.
pub(super) fn is_enabled(systemd: &Systemd<'_>, unit: &str) -> Result<(String, bool), String> {
    let output = ask(systemd, &["is-enabled", "--", unit])?;
    Ok((output.stdout.trim().to_owned(), output.code == 0))
}

/// Lets systemd read its files again.
pub(super) fn reread(systemd: &Systemd<'_>) -> Result<(), String> {
    done(&exec(systemd, &["--system", "daemon-reload"], None)?)
}

/// Does one thing to a unit.
pub(super) fn act(
    systemd: &Systemd<'_>,
    verb: Verb,
    unit: &str,
    no_block: bool,
) -> Result<(), String> {
    let mut argv = Vec::new();
    if no_block {
        argv.push("--no-block");
    }
    argv.push(verb.word());
    if verb.is_of_this_boot() {
        argv.push("--runtime");
    }
    argv.extend(["--", unit]);
    done(&exec(systemd, &argv, None)?)
}

fn done(output: &Output) -> Result<(), String> {
    if output.code == 0 { Ok(()) } else { Err(output.stderr.trim().to_owned()) }
}

fn ask(systemd: &Systemd<'_>, argv: &[&str]) -> Result<Output, String> {
    exec(systemd, argv, Some(TIMEOUT))
}

fn exec(systemd: &Systemd<'_>, argv: &[&str], timeout: Option<Duration>) -> Result<Output, String> {
    // What is asked has a limit; what is done has none.
    let reads = timeout.is_some();
    let argv = std::iter::once(&"systemctl").chain(argv);
    let argv = argv.map(|word| (*word).to_owned()).collect();
    let exec = Exec { argv, timeout, reads, ..Exec::default() };
    run(systemd.host, &exec, systemd.cancel).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_shows_is_understood() {
        let shown = "LoadState=loaded\nActiveState=active\nNeedDaemonReload=yes\nId=a.service\n";
        let shown = parse(shown);
        assert!(shown.is_active() && shown.is_there() && shown.stale);
        assert_eq!(shown.id, "a.service");
        let gone = parse("LoadState=not-found\nActiveState=inactive\n");
        assert!(!gone.is_there() && !gone.is_active());
        assert!(parse("LoadState=not-found\nActiveState=active\n").is_there());
        assert!(!parse("LoadState=loaded\nActiveState=activating\n").is_active());
    }
}
