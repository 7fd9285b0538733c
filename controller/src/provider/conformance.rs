//! What every provider must do, as one suite: run it on each of them.
//!
//! It makes some servers and removes them, so it can run against a real cloud too. It tells the
//! first rule that does not hold, and then leaves what it made for a person to look at.

use super::{Error, ErrorKind, Provider, Secret, Server, ServerId, ServerSpec, Status};
use muster_protocol::id::ClusterName;
use std::time::Duration;
use tokio::time::Instant;

/// User-data that every provider can run: one file, one command, and no agent.
pub const USER_DATA: &str = "#cloud-config\n\
    write_files: [{path: /etc/muster/conformance, permissions: '0600', content: it was here}]\n\
    runcmd: [[test, -e, /etc]]\n";
/// The time between the first two looks at a server; it doubles from look to look.
const LOOK_FIRST: Duration = Duration::from_millis(5);
/// The longest time between two looks.
const LOOK_LAST: Duration = Duration::from_millis(320);
/// How far the time at which a server was made may differ between its first and later answers: a
/// cloud's may come from two of its clocks, and in seconds.
const CREATED_DRIFT_MILLIS: i64 = 60_000;
/// How many servers are made at once.
const AT_ONCE: usize = 3;
/// A text that must not be seen in an error or a `Debug`.
const SEED: &str = "conformance-secret-seed";

/// A rule that a provider breaks.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// A call failed that must succeed.
    #[error("{rule}: the call failed")]
    Failed {
        /// The rule.
        rule: &'static str,
        /// What the provider said.
        #[source]
        source: Error,
    },
    /// A call succeeded, but not as it must.
    #[error("{rule}: {found}")]
    Broken {
        /// The rule.
        rule: &'static str,
        /// What was found instead.
        found: String,
    },
}

/// The suite, on one cloud seen by two clusters.
#[derive(Debug)]
pub struct Suite<'a> {
    /// The provider to look at.
    pub provider: &'a dyn Provider,
    /// Its cluster.
    pub cluster: ClusterName,
    /// A provider of the same cloud for another cluster.
    pub foreign: &'a dyn Provider,
    /// The other cluster.
    pub foreign_cluster: ClusterName,
    /// A size that the cloud has.
    pub flavor: String,
    /// An image that the cloud has.
    pub image: String,
    /// How long a server may take until it is active, or gone.
    pub boot_deadline: Duration,
}

/// A server to ask for: `agent` is its agent id.
///
/// # Panics
/// If `agent` is no agent id.
#[must_use]
pub fn spec(cluster: &ClusterName, agent: &str, user_data: &str) -> ServerSpec {
    let agent_id: muster_protocol::id::AgentId =
        agent.parse().expect("the caller gave an agent id");
    ServerSpec {
        name: agent_id.worker(),
        cluster: cluster.clone(),
        agent_id,
        pool: "conformance".parse().expect("it is a pool's name"),
        flavor: "small".to_owned(),
        image: "any".to_owned(),
        user_data: Secret::new(user_data),
    }
}

/// User-data above every cloud's limit.
fn too_long() -> String {
    format!("#cloud-config\n# {}\n", SEED.repeat(4096))
}

impl Suite<'_> {
    /// Runs every rule; the first that does not hold ends it.
    ///
    /// # Errors
    /// Tells the rule and what was found instead.
    pub async fn run(&self) -> Result<(), Violation> {
        self.missing_servers_are_no_error().await?;
        self.a_server_is_made_found_and_removed().await?;
        self.create_is_not_idempotent().await?;
        self.servers_are_made_at_once().await?;
        self.a_server_is_rebuilt_in_place().await?;
        self.another_clusters_server_is_out_of_reach().await?;
        self.what_can_never_succeed_is_invalid().await
    }

    async fn missing_servers_are_no_error(&self) -> Result<(), Violation> {
        let rule = "a missing server is deleted already, and is not got";
        for text in
            ["", ".", "..", "../..", "/", "no\0such", "8d7f3c52-0f0e-4d0b-9d5c-0c5f5d0b2f00"]
        {
            let id = ServerId::new(text);
            called(rule, self.provider.delete(&id).await)?;
            let got = called(rule, self.provider.get(&id).await)?;
            holds(rule, got.is_none(), || format!("{got:?} for {text:?}"))?;
        }
        Ok(())
    }

    async fn a_server_is_made_found_and_removed(&self) -> Result<(), Violation> {
        let rule = "a new server bears what it was made from";
        let asked = self.spec("made-1-aaaaaaaaaaaa");
        let made = called(rule, self.provider.create(asked.clone()).await)?;
        let as_asked = |server: &Server| {
            server.name == asked.name
                && server.agent_id == asked.agent_id
                && server.cluster == asked.cluster
                && server.image == asked.image
        };
        holds(rule, as_asked(&made), || format!("{made:?}"))?;
        holds(rule, made.created_at.0 > 0, || format!("made at {:?}", made.created_at))?;
        let young = matches!(made.status, Status::Building | Status::Active);
        holds(rule, young, || format!("{:?}", made.status))?;

        let rule = "a server is listed as long as it exists";
        let listed = self.listed(rule, &made.id).await?;
        holds(rule, listed.as_ref().is_some_and(as_asked), || format!("{listed:?}"))?;

        let rule = "a server becomes active";
        let active = self.active(rule, &made.id).await?;
        holds(rule, as_asked(&active), || format!("{active:?}"))?;
        let drift = active.created_at.since(made.created_at).abs();
        holds(rule, drift < CREATED_DRIFT_MILLIS, || format!("{made:?}, then {active:?}"))?;
        holds(rule, !active.addresses.is_empty(), || "it has no address".to_owned())?;
        self.removed(&made.id).await
    }

    async fn create_is_not_idempotent(&self) -> Result<(), Violation> {
        let rule = "two creates make two servers, both found by the agent id that they share";
        let one = called(rule, self.provider.create(self.spec("twin-1-aaaaaaaaaaaa")).await)?;
        let two = called(rule, self.provider.create(self.spec("twin-1-aaaaaaaaaaaa")).await)?;
        let list = called(rule, self.provider.list().await)?;
        let found = list.iter().filter(|server| server.agent_id == one.agent_id).count();
        holds(rule, one.id != two.id && found == 2, || format!("found {found}"))?;
        self.removed(&one.id).await?;
        let left = self.listed(rule, &two.id).await?;
        holds(rule, left.is_some(), || "removing one removed the other".to_owned())?;
        self.removed(&two.id).await
    }

    async fn servers_are_made_at_once(&self) -> Result<(), Violation> {
        let rule = "servers are made and removed at once";
        let agents = (0..AT_ONCE).map(|number| format!("many-{number}-aaaaaaaaaaaa"));
        let creates = agents.map(|agent| self.provider.create(self.spec(&agent)));
        let mut ids = Vec::new();
        for made in futures_util::future::join_all(creates).await {
            ids.push(called(rule, made)?.id);
        }
        for id in &ids {
            self.active(rule, id).await?;
        }
        let deletes = ids.iter().map(|id| self.removed(id));
        futures_util::future::join_all(deletes).await.into_iter().collect()
    }

    async fn a_server_is_rebuilt_in_place(&self) -> Result<(), Violation> {
        let rule = "a rebuilt server keeps its id, and bears its new generation";
        let made = called(rule, self.provider.create(self.spec("anew-1-aaaaaaaaaaaa")).await)?;
        let active = self.active(rule, &made.id).await?;
        let asked = self.spec("anew-1-bbbbbbbbbbbb");
        called(rule, self.provider.rebuild(&made.id, asked.clone()).await)?;
        let seen = self.listed(rule, &made.id).await?;
        let anew = seen.as_ref().is_some_and(|server| server.agent_id == asked.agent_id);
        holds(rule, anew, || format!("listed {seen:?}"))?;
        let again = self.active(rule, &made.id).await?;
        let kept = again.addresses == active.addresses && again.agent_id == asked.agent_id;
        holds(rule, kept, || format!("{active:?}, then {again:?}"))?;

        let rule = "a rebuild that can never succeed changes nothing";
        let away = spec(&self.foreign_cluster, "anew-1-cccccccccccc", USER_DATA);
        self.rebuild_refused(rule, &made.id, away, ErrorKind::Invalid).await?;
        let long = spec(&self.cluster, "anew-1-cccccccccccc", &too_long());
        self.rebuild_refused(rule, &made.id, self.sized(long), ErrorKind::Invalid).await?;
        let left = self.active(rule, &made.id).await?;
        holds(rule, left.agent_id == asked.agent_id, || format!("{left:?}"))?;
        self.removed(&made.id).await?;

        let rule = "a missing server is not rebuilt";
        self.rebuild_refused(rule, &made.id, asked, ErrorKind::Gone).await
    }

    async fn rebuild_refused(
        &self,
        rule: &'static str,
        id: &ServerId,
        asked: ServerSpec,
        kind: ErrorKind,
    ) -> Result<(), Violation> {
        let done = self.provider.rebuild(id, asked).await;
        let refused = matches!(&done, Err(error) if error.kind() == kind);
        holds(rule, refused, || format!("rebuild gave {done:?}"))?;
        holds(rule, !format!("{done:?}").contains(SEED), || "the error shows it".to_owned())
    }

    async fn another_clusters_server_is_out_of_reach(&self) -> Result<(), Violation> {
        let rule = "a server of another cluster is neither seen nor deleted";
        let asked = self.sized(spec(&self.foreign_cluster, "away-1-aaaaaaaaaaaa", USER_DATA));
        let made = called(rule, self.foreign.create(asked).await)?;
        let seen = self.listed(rule, &made.id).await?;
        holds(rule, seen.is_none(), || format!("listed {seen:?}"))?;
        let seen = called(rule, self.provider.get(&made.id).await)?;
        holds(rule, seen.is_none(), || format!("got {seen:?}"))?;
        let deleted = self.provider.delete(&made.id).await;
        let refused = matches!(&deleted, Err(error) if error.kind() == ErrorKind::Conflict);
        holds(rule, refused, || format!("deleting it gave {deleted:?}"))?;
        let asked = self.spec("away-1-bbbbbbbbbbbb");
        self.rebuild_refused(rule, &made.id, asked, ErrorKind::Conflict).await?;
        let left = called(rule, self.foreign.get(&made.id).await)?;
        let same = left.as_ref().is_some_and(|server| server.agent_id == made.agent_id);
        holds(rule, same, || format!("now it is {left:?}"))?;
        called(rule, self.foreign.delete(&made.id).await)
    }

    async fn what_can_never_succeed_is_invalid(&self) -> Result<(), Violation> {
        let rule = "a spec of another cluster is invalid";
        let asked = spec(&self.foreign_cluster, "bad-1-aaaaaaaaaaaa", USER_DATA);
        self.refused(rule, asked).await?;

        let rule = "user-data that is too long is invalid, and is not shown";
        let asked = spec(&self.cluster, "bad-1-aaaaaaaaaaaa", &too_long());
        let shown = format!("{asked:?}");
        holds(rule, !shown.contains(SEED), || "Debug shows it".to_owned())?;
        self.refused(rule, asked).await
    }

    fn looks(&self) -> Looks {
        Looks { until: Instant::now() + self.boot_deadline, wait: LOOK_FIRST }
    }

    fn spec(&self, agent: &str) -> ServerSpec {
        self.sized(spec(&self.cluster, agent, USER_DATA))
    }

    /// The same, with a size and an image that the cloud has.
    fn sized(&self, spec: ServerSpec) -> ServerSpec {
        ServerSpec { flavor: self.flavor.clone(), image: self.image.clone(), ..spec }
    }

    async fn refused(&self, rule: &'static str, asked: ServerSpec) -> Result<(), Violation> {
        let agent_id = asked.agent_id.clone();
        let made = self.provider.create(asked).await;
        let invalid = matches!(&made, Err(error) if error.kind() == ErrorKind::Invalid);
        holds(rule, invalid, || format!("create gave {made:?}"))?;
        holds(rule, !format!("{made:?}").contains(SEED), || "the error shows it".to_owned())?;
        let list = called(rule, self.provider.list().await)?;
        let none = list.iter().all(|server| server.agent_id != agent_id);
        holds(rule, none, || "a server was made".to_owned())
    }

    async fn listed(&self, rule: &'static str, id: &ServerId) -> Result<Option<Server>, Violation> {
        let list = called(rule, self.provider.list().await)?;
        Ok(list.into_iter().find(|server| server.id == *id))
    }

    async fn active(&self, rule: &'static str, id: &ServerId) -> Result<Server, Violation> {
        let mut looks = self.looks();
        loop {
            let server = called(rule, self.provider.get(id).await)?;
            match server {
                Some(server) if server.status == Status::Active => return Ok(server),
                Some(ref server) if server.status == Status::Building => {}
                other => return Err(broken(rule, format!("{other:?}"))),
            }
            holds(rule, looks.next().await, || "not in time".to_owned())?;
        }
    }

    async fn removed(&self, id: &ServerId) -> Result<(), Violation> {
        let rule = "a deleted server goes, and may be deleted again";
        called(rule, self.provider.delete(id).await)?;
        called(rule, self.provider.delete(id).await)?;
        let mut looks = self.looks();
        loop {
            let seen = called(rule, self.provider.get(id).await)?;
            match seen.map(|server| server.status) {
                None => break,
                // A cloud may take its time, but not give the server back.
                Some(Status::Active | Status::Building | Status::Deleted) => {}
                Some(other) => return Err(broken(rule, format!("{other:?}"))),
            }
            holds(rule, looks.next().await, || "not in time".to_owned())?;
        }
        let listed = self.listed(rule, id).await?;
        holds(rule, listed.is_none(), || format!("listed {listed:?}"))
    }
}

/// Looks at something until a deadline, ever more slowly.
struct Looks {
    until: Instant,
    wait: Duration,
}

impl Looks {
    /// Waits; `false` if there is no time left for another look.
    async fn next(&mut self) -> bool {
        tokio::time::sleep(self.wait).await;
        self.wait = LOOK_LAST.min(self.wait * 2);
        Instant::now() < self.until
    }
}

fn called<T>(rule: &'static str, result: Result<T, Error>) -> Result<T, Violation> {
    result.map_err(|source| Violation::Failed { rule, source })
}

fn holds(rule: &'static str, held: bool, found: impl FnOnce() -> String) -> Result<(), Violation> {
    if held { Ok(()) } else { Err(broken(rule, found())) }
}

fn broken(rule: &'static str, found: String) -> Violation {
    Violation::Broken { rule, found }
}
