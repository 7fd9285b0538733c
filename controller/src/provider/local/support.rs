//! Tells which isolations this machine supports, by trying each.

use super::{Config, Isolation, Local, SandboxCommand, sweep};
use crate::provider::{Provider, Secret, ServerSpec, Status};
use crate::sandbox::chain;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// How long a worker that does nothing may take.
const LIMIT: Duration = Duration::from_secs(10);
/// The time between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Ubuntu's switch that keeps user namespaces from doing anything.
const RESTRICTED: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";
/// What it runs: as it would be started with, but nothing in it.
const USER_DATA: &str = "#cloud-config\nruncmd: [['true']]\n";

/// For each isolation whether this machine supports it, or why not. It makes a worker with each.
pub async fn support(sandbox: &SandboxCommand) -> Vec<(Isolation, Result<(), String>)> {
    let mut found = Vec::new();
    for isolation in Isolation::ALL {
        found.push((isolation, attempt(sandbox, isolation).await));
    }
    found
}

/// The isolation to take unless told: the strongest that is supported.
#[must_use]
pub fn default_isolation(support: &[(Isolation, Result<(), String>)]) -> Isolation {
    let supported = |isolation: &Isolation| {
        support.iter().any(|(one, result)| one == isolation && result.is_ok())
    };
    Isolation::ALL.into_iter().find(supported).unwrap_or(Isolation::None)
}

async fn attempt(sandbox: &SandboxCommand, isolation: Isolation) -> Result<(), String> {
    if isolation == Isolation::Root && !nix::unistd::geteuid().is_root() {
        return Err("it needs to be started as root".to_owned());
    }
    let folder = tempfile::Builder::new().prefix("muster-support-").tempdir();
    let folder = folder.map_err(|error| error.to_string())?;
    let servers = folder.path().join("servers");
    let result = run(sandbox, isolation, &servers).await;
    sweep(&servers).map_err(|error| chain(&error))?;
    result.map_err(|reason| match isolation {
        Isolation::User if is_restricted() => {
            format!("{reason} (sysctl kernel.apparmor_restrict_unprivileged_userns=0 allows it)")
        }
        Isolation::Root | Isolation::User | Isolation::None => reason,
    })
}

fn is_restricted() -> bool {
    std::fs::read_to_string(RESTRICTED).is_ok_and(|text| text.trim() == "1")
}

async fn run(sandbox: &SandboxCommand, isolation: Isolation, folder: &Path) -> Result<(), String> {
    let name = |text: &str| text.to_owned();
    let cluster: muster_protocol::id::ClusterName =
        "support".parse().expect("it is a cluster's name");
    let config = Config {
        folder: folder.to_owned(),
        cluster: cluster.clone(),
        isolation,
        agent_binary: None,
        hidden: Vec::new(),
        sandbox: sandbox.clone(),
    };
    let spec = ServerSpec {
        name: "support".parse().expect("it is a worker's name"),
        cluster,
        agent_id: "support-aaaaaaaaaaaa".parse().expect("it is an agent's id"),
        pool: "support".parse().expect("it is a pool's name"),
        flavor: name("any"),
        image: name("any"),
        user_data: Secret::new(USER_DATA),
    };
    let local = Local::open(config).map_err(|error| chain(&error))?;
    let made = local.create(spec).await.map_err(|error| chain(&error))?;
    let until = Instant::now() + LIMIT;
    loop {
        let seen = local.get(&made.id).await.map_err(|error| chain(&error))?;
        match seen.map(|server| server.status) {
            Some(Status::Active) => return Ok(()),
            Some(Status::Building) if Instant::now() < until => {}
            Some(Status::Error(text)) => return Err(text),
            other => return Err(format!("the worker did not come up: {other:?}")),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_strongest_that_is_supported() {
        let no = || Err("no".to_owned());
        let of = |root, user| [(Isolation::Root, root), (Isolation::User, user)];
        assert_eq!(default_isolation(&of(Ok(()), Ok(()))), Isolation::Root);
        assert_eq!(default_isolation(&of(no(), Ok(()))), Isolation::User);
        assert_eq!(default_isolation(&of(no(), no())), Isolation::None);
    }
}
