//! Whether a machine that wants to enrol is the server that was launched: the cloud is asked, and
//! the address is the one that the NATS server reports, never the machine's word.

use crate::config::{Config, Policy};
use crate::launcher::{Cloud, Launcher};
use crate::lifecycle::Place;
use crate::provider::{Server, ServerId, Status};
use muster_protocol::bus::Caller;
use muster_protocol::worker::Worker;
use std::net::IpAddr;
use std::sync::Arc;

/// What the cloud makes of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this server, or nobody asks.
    Good(Option<Place>),
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
            return Verdict::Good(None);
        }
        let Some(cloud) = self.launcher.clouds.get(&pool.provider) else {
            return Verdict::Bad(format!("there is no provider {}", pool.provider));
        };
        let verdict = match self.servers_of(worker, cloud).await {
            Ok(servers) => judge(worker, &servers, &caller.host, policy.nat),
            Err(why) => Verdict::Later(format!("its cloud does not answer: {why}")),
        };
        match (verdict, policy.policy) {
            (Verdict::Bad(why) | Verdict::Later(why), Policy::Warn) => {
                tracing::warn!(agent_id = %worker.agent_id, why, "an unverified machine enrols");
                Verdict::Good(None)
            }
            (verdict, _) => verdict,
        }
    }

    /// The server by its id; those of its agent id while none is known to be the one.
    async fn servers_of(&self, worker: &Worker, cloud: &Cloud) -> Result<Vec<Server>, String> {
        let chain = |error: crate::launcher::Error| crate::chain(&error);
        if let Some(id) = &worker.provider_id {
            let server = self.launcher.server(cloud, &ServerId::new(id.clone())).await;
            return Ok(server.map_err(chain)?.into_iter().collect());
        }
        let mut servers = self.launcher.list(cloud).await.map_err(chain)?;
        servers.retain(|server| server.agent_id == worker.agent_id);
        Ok(servers)
    }
}

fn judge(worker: &Worker, servers: &[Server], host: &str, nat: bool) -> Verdict {
    let servers: Vec<&Server> =
        servers.iter().filter(|server| server.status != Status::Deleted).collect();
    if let Some(other) = servers.iter().find(|server| server.agent_id != worker.agent_id) {
        return Verdict::Bad(format!("its server bears {}", other.agent_id));
    }
    let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
    let calls = |server: &&&Server| address.is_some_and(|from| server.addresses.contains(&from));
    match (servers.as_slice(), servers.iter().find(calls)) {
        // Clouds show a new server late: the machine asks again.
        ([], _) => Verdict::Later("its cloud does not show its server".to_owned()),
        ([one], _) if nat => good(one),
        (_, Some(one)) => good(one),
        // One of them will be known to be the worker's; the others are removed.
        (_, None) if nat => Verdict::Later("its cloud shows several servers of it".to_owned()),
        // A server gets its addresses while it is built.
        (several, None) if several.iter().any(|server| server.addresses.is_empty()) => {
            Verdict::Later("its cloud does not tell its address yet".to_owned())
        }
        _ => Verdict::Bad(format!("it calls from {host}, which is no address of its server")),
    }
}

fn good(server: &Server) -> Verdict {
    let (id, addresses) = (server.id.to_string(), server.addresses.clone());
    Verdict::Good(Some(Place { id, addresses }))
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

    fn server(id: &str, worker: &Worker, addresses: &[&str]) -> Server {
        Server {
            id: ServerId::new(id),
            name: worker.name.clone(),
            agent_id: worker.agent_id.clone(),
            cluster: "c".parse().unwrap(),
            status: Status::Active,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            created_at: UnixMillis(0),
            image: String::new(),
        }
    }

    fn is_good(verdict: Verdict) -> Option<String> {
        match verdict {
            Verdict::Good(place) => place.map(|place| place.id),
            Verdict::Bad(_) | Verdict::Later(_) => None,
        }
    }

    #[test]
    fn a_machine_must_bear_the_id_and_call_from_its_servers_address() {
        let (worker, other) = (pending(), pending());
        let own = [server("s1", &worker, &["10.0.0.7", "fd00::7"])];
        for host in ["10.0.0.7", "fd00::7", "::ffff:10.0.0.7"] {
            let verdict = judge(&worker, &own, host, false);
            assert_eq!(is_good(verdict).as_deref(), Some("s1"), "{host}");
        }
        for host in ["10.0.0.8", "", "compute-0001"] {
            let verdict = judge(&worker, &own, host, false);
            assert!(matches!(verdict, Verdict::Bad(_)), "{host}");
        }
        assert!(is_good(judge(&worker, &own, "192.0.2.1", true)).is_some());
        let foreign = [server("s1", &other, &["10.0.0.7"])];
        assert!(matches!(judge(&worker, &foreign, "10.0.0.7", true), Verdict::Bad(_)));
    }

    #[test]
    fn of_two_servers_of_a_worker_it_is_the_one_that_calls() {
        let worker = pending();
        let both = [server("s2", &worker, &["10.0.0.8"]), server("s1", &worker, &["10.0.0.7"])];
        for (host, id) in [("10.0.0.7", "s1"), ("10.0.0.8", "s2")] {
            assert_eq!(is_good(judge(&worker, &both, host, false)).as_deref(), Some(id));
        }
        assert!(matches!(judge(&worker, &both, "10.0.0.9", false), Verdict::Bad(_)));
        assert!(matches!(judge(&worker, &both, "192.0.2.1", true), Verdict::Later(_)));
    }

    #[test]
    fn what_the_cloud_cannot_tell_yet_is_put_off() {
        let worker = pending();
        assert!(matches!(judge(&worker, &[], "10.0.0.7", false), Verdict::Later(_)));
        let new = [server("s1", &worker, &[])];
        assert!(matches!(judge(&worker, &new, "10.0.0.7", false), Verdict::Later(_)));
    }
}
