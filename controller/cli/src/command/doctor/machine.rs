//! This machine: the programs that a controller needs, and how it can keep local workers apart.

use super::check::Check;
use crate::binaries::Binary;
use serde::Deserialize;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;

/// How long a program may take to tell its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);
/// How long trying each isolation may take.
const ISOLATIONS_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Isolation {
    isolation: String,
    ok: bool,
    reason: Option<String>,
}

/// Looks at the programs. On a machine that only reaches a cluster none is needed.
pub(super) async fn checks() -> Vec<Check> {
    let needed = "only the head node and `muster demo` need it: ";
    let missing = |name, failure: &crate::failure::Failure| {
        Check::warn(name, failure.text(), format!("{needed}{}", failure.next()))
    };
    let mut checks = Vec::new();
    match Binary::NatsServer.find() {
        Ok(path) => checks.push(nats_server(&path).await),
        Err(failure) => checks.push(missing("nats-server", &failure)),
    }
    match Binary::Controller.find() {
        Ok(path) => checks.push(isolations(&path).await),
        Err(failure) => checks.push(missing("isolations", &failure)),
    }
    checks
}

async fn nats_server(path: &Path) -> Check {
    let name = "nats-server";
    let next = "install nats-server 2.11 or later, or set MUSTER_NATS_SERVER to one";
    match output(Command::new(path).arg("--version"), VERSION_TIMEOUT).await {
        Ok(text) => {
            let version = text.rsplit('v').next().unwrap_or_default().trim().to_owned();
            match super::cluster::is_new_enough(&version) {
                true => Check::ok(name, format!("{version}, {}", path.display())),
                false => Check::warn(name, format!("{version}, {}", path.display()), next),
            }
        }
        Err(error) => Check::warn(name, format!("{}: {error}", path.display()), next),
    }
}

async fn isolations(controller: &Path) -> Check {
    let mut command = Command::new(controller);
    command.args(["isolations", "-o", "json"]);
    let text = match output(&mut command, ISOLATIONS_TIMEOUT).await {
        Ok(text) => text,
        Err(error) => {
            let detail = format!("{} cannot tell: {error}", controller.display());
            return Check::warn("isolations", detail, "upgrade muster-controller");
        }
    };
    judge(&text)
}

fn judge(text: &str) -> Check {
    let name = "isolations";
    let Ok(all) = serde_json::from_str::<Vec<Isolation>>(text) else {
        return Check::warn(name, "muster-controller's answer cannot be read", "upgrade it");
    };
    let told = |one: &Isolation| match (one.ok, &one.reason) {
        (true, _) => format!("{}: yes", one.isolation),
        (false, Some(reason)) => format!("{}: no ({reason})", one.isolation),
        (false, None) => format!("{}: no", one.isolation),
    };
    let detail = all.iter().map(told).collect::<Vec<_>>().join("; ");
    match all.iter().any(|one| one.ok) {
        true => Check::ok(name, detail),
        false => Check::warn(name, detail, "`muster demo` cannot launch workers on this machine"),
    }
}

async fn output(command: &mut Command, limit: Duration) -> Result<String, String> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let done = timeout(limit, command.output()).await;
    let done = done.map_err(|_| format!("no answer within {limit:?}"))?;
    let done = done.map_err(|error| error.to_string())?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn one_isolation_is_enough() {
        let root = "{\"isolation\":\"root\",\"ok\":false,\"reason\":\"it needs root\"}";
        let none = "{\"isolation\":\"none\",\"ok\":true,\"reason\":null}";
        assert_eq!(judge(&format!("[{root},{none}]")).status(), Status::Ok);
        assert_eq!(judge(&format!("[{root}]")).status(), Status::Warn);
        assert_eq!(judge("").status(), Status::Warn);
    }
}
