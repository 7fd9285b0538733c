//! Whether a machine that wants to enrol is the server that was launched: the cloud is asked, and
//! the address is the one that the NATS server reports, never the machine's word.

use crate::config::{Config, Policy};
use crate::launcher::{Cloud, Launcher};
use crate::provider::{Server, ServerId, Status};
use muster_protocol::bus::Caller;
use muster_protocol::worker::Worker;
use std::net::IpAddr;
use std::sync::Arc;

/// What the cloud makes of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the server, or nobody asks.
    Good,
    /// It is not.
    Bad(String),
    /// The cloud cannot tell now, and the policy wants it told.
    Later(String),
}

/// Asks the clouds about machines.
#[derive(Debug)]
pub struct Instances {
    /// The policies.
    pub config: Arc<Config>,
    /// Who calls the clouds.
    pub launcher: Arc<Launcher>,
}

impl Instances {
    /// Whether a machine may enrol as a worker's agent, as far as its cloud can tell.
    pub async fn verify(&self, worker: &Worker, caller: &Caller) -> Verdict {
        let Some(pool) = self.config.pools.get(&worker.pool) else {
            return Verdict::Bad(format!("there is no pool {}", worker.pool));
        };
        let policy = self.config.verify_of(&pool.provider);
        if policy.policy == Policy::Off {
            return Verdict::Good;
        }
        let Some(cloud) = self.launcher.clouds.get(&pool.provider) else {
            return Verdict::Bad(format!("there is no provider {}", pool.provider));
        };
        let verdict = match self.server_of(worker, cloud).await {
            Ok(server) => judge(worker, server.as_ref(), &caller.host, policy.nat),
            Err(why) => Verdict::Later(format!("its cloud does not answer: {why}")),
        };
        match (verdict, policy.policy) {
            (Verdict::Bad(why) | Verdict::Later(why), Policy::Warn) => {
                tracing::warn!(agent_id = %worker.agent_id, why, "an unverified machine enrols");
                Verdict::Good
            }
            (verdict, _) => verdict,
        }
    }

    /// The server by its id; by its agent id while the answer to its creation is on its way.
    async fn server_of(&self, worker: &Worker, cloud: &Cloud) -> Result<Option<Server>, String> {
        let chain = |error: crate::launcher::Error| crate::chain(&error);
        if let Some(id) = &worker.provider_id {
            return self.launcher.server(cloud, &ServerId::new(id.clone())).await.map_err(chain);
        }
        let servers = self.launcher.list(cloud).await.map_err(chain)?;
        let of_it = servers.into_iter().filter(|server| server.agent_id == worker.agent_id);
        // Of doubles the oldest stays, and the others must not be admitted before they go.
        Ok(of_it.min_by_key(|server| (server.created_at, server.id.clone())))
    }
}

fn judge(worker: &Worker, server: Option<&Server>, host: &str, nat: bool) -> Verdict {
    let Some(server) = server.filter(|server| server.status != Status::Deleted) else {
        // Clouds show a new server late: the machine asks again.
        return Verdict::Later("its cloud does not show its server".to_owned());
    };
    if server.agent_id != worker.agent_id {
        return Verdict::Bad(format!("its server bears {}", server.agent_id));
    }
    if nat {
        return Verdict::Good;
    }
    match host.parse::<IpAddr>() {
        Ok(address) if server.addresses.contains(&address.to_canonical()) => Verdict::Good,
        // A server gets its addresses while it is built.
        _ if server.addresses.is_empty() => {
            Verdict::Later("its cloud does not tell its address yet".to_owned())
        }
        _ => Verdict::Bad(format!("it calls from {host}, which is no address of its server")),
    }
}

impl Config {
    /// What is asked of a provider: required for a real cloud, nothing of this machine's own.
    fn verify_of(&self, provider: &str) -> crate::config::Verify {
        if let Some(verify) = self.verify_instance.get(provider) {
            return *verify;
        }
        let local = self.providers.get(provider).is_some_and(|one| one.is_this_machine());
        match local {
            true => crate::config::Verify { policy: Policy::Off, nat: false },
            false => crate::config::Verify::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::tests::pending;
    use muster_protocol::id::UnixMillis;

    fn server(worker: &Worker, addresses: &[&str]) -> Server {
        Server {
            id: ServerId::new("s1"),
            name: worker.name.clone(),
            agent_id: worker.agent_id.clone(),
            cluster: "c".parse().unwrap(),
            status: Status::Active,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            created_at: UnixMillis(0),
            image: String::new(),
        }
    }

    #[test]
    fn a_machine_must_bear_the_id_and_call_from_its_servers_address() {
        let (worker, other) = (pending(), pending());
        let own = server(&worker, &["10.0.0.7", "fd00::7"]);
        for host in ["10.0.0.7", "fd00::7", "::ffff:10.0.0.7"] {
            assert_eq!(judge(&worker, Some(&own), host, false), Verdict::Good, "{host}");
        }
        for host in ["10.0.0.8", "", "compute-0001"] {
            let verdict = judge(&worker, Some(&own), host, false);
            assert!(matches!(verdict, Verdict::Bad(_)), "{host}");
        }
        assert_eq!(judge(&worker, Some(&own), "192.0.2.1", true), Verdict::Good);
        let foreign = server(&other, &["10.0.0.7"]);
        assert!(matches!(judge(&worker, Some(&foreign), "10.0.0.7", true), Verdict::Bad(_)));
    }

    #[test]
    fn what_the_cloud_cannot_tell_yet_is_put_off() {
        let worker = pending();
        assert!(matches!(judge(&worker, None, "10.0.0.7", false), Verdict::Later(_)));
        let new = server(&worker, &[]);
        assert!(matches!(judge(&worker, Some(&new), "10.0.0.7", false), Verdict::Later(_)));
    }
}
