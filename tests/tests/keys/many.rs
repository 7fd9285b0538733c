//! More revocations than one message of claims can hold, on the real server.

use crate::stolen::{Stolen, pusher};
use anyhow::{Result, ensure};
use muster_controller::documents::{Clock, Memory};
use muster_controller::keys::Keys;
use muster_controller::lease::Fence;
use muster_controller::registry::{On, Registry};
use muster_controller::renewals::Renewals;
use muster_controller::revocations::{ENTRIES_MAX, Parts, Revocations};
use muster_protocol::api::{KeysShow, WorkerView};
use muster_protocol::bus::bucket::{self, Bucket};
use muster_protocol::bus::{Bus, Options};
use muster_protocol::id::UnixMillis;
use muster_protocol::jwt::Stamp;
use muster_protocol::subject::Role;
use muster_protocol::wire::{self, Message};
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup};
use nkeys::KeyPair;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

const REVOKED: usize = 20_000;
const HOUR_MILLIS: i64 = 3_600_000;

/// The list as it is stored.
#[derive(Serialize, Deserialize)]
struct List {
    entries: BTreeMap<String, (UnixMillis, UnixMillis)>,
}

impl Message for List {
    const NAME: &'static str = "revocations";
}

pub(crate) fn ready(count: usize) -> impl Fn(&[WorkerView]) -> bool {
    move |workers| workers.iter().filter(|w| w.phase == Phase::Ready).count() == count
}

/// What a controller has of the bus, in this process.
pub(crate) struct Seat {
    pub(crate) keys: Arc<Keys>,
    pub(crate) bucket: Bucket,
    bus: Bus,
}

impl Seat {
    pub(crate) async fn on(cluster: &Cluster) -> Result<Seat> {
        let keys = Arc::new(Keys::load(&cluster.path("config"))?);
        let name = "controller".parse()?;
        let bus = Bus::connect(Options {
            role: Role::Controller,
            name: "controller".into(),
            servers: cluster.servers()?,
            ca: Some(cluster.path("config/ca.pem")),
            credential: keys.controller(&name, &Stamp::fresh())?,
        })
        .await?;
        let spec =
            bucket::Spec { name: "CLUSTER", bytes_max: 27_000_000, replicas: 1, republish: None };
        let bucket = bus.jetstream().ensure_bucket(&spec).await?;
        Ok(Seat { keys, bucket, bus })
    }

    /// One that believes it leads.
    pub(crate) async fn revocations(&self, cluster: &Cluster) -> Result<Revocations> {
        let on = On {
            workers: Arc::new(Memory::default()),
            pools: Arc::new(Memory::default()),
            teller: Arc::new(self.bus.clone()),
            clock: Clock::system(),
        };
        let registry = Arc::new(Registry::open(on, Arc::clone(&self.keys)).await?);
        let (keys, bus) = (Arc::clone(&self.keys), self.bus.clone());
        let renewals = Renewals { bus, keys, registry, credential_millis: 24 * HOUR_MILLIS };
        Ok(Revocations::new(Parts {
            bucket: self.bucket.clone(),
            keys: Arc::clone(&self.keys),
            pusher: pusher(cluster, &self.keys).await?,
            fence: Fence::open(),
            renewals: Arc::new(renewals),
        }))
    }
}

fn keys(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|_| KeyPair::new_user().public_key())
}

/// Guards: `List::cut` and `List::cover`; without them the push exceeds the server's limit, and
/// nobody is revoked.
#[tokio::test]
async fn twenty_thousand_revocations_are_in_force_and_newer_credentials_are_good() -> Result<()> {
    let mut cluster = Cluster::start(&Setup::default()).await?;
    cluster.kill_controller()?;
    let (revoked, other) = (Stolen::made(&cluster)?, Stolen::made(&cluster)?);
    ensure!(revoked.is_let_in().await? && other.is_let_in().await?);
    let seat = Seat::on(&cluster).await?;
    let revocations = seat.revocations(&cluster).await?;
    revocations.take_over().await?;
    let (now, until) = (UnixMillis::now(), UnixMillis::now().plus(24 * HOUR_MILLIS));
    let mut all: Vec<(String, UnixMillis)> = keys(REVOKED - 1).map(|key| (key, until)).collect();
    all.push((revoked.public_key(), until));
    revocations.revoke(&all, now).await?;
    ensure!(!revoked.is_let_in().await?, "a revoked credential");
    ensure!(!other.is_let_in().await?, "an old one, of an agent that did not renew");
    ensure!(Stolen::made(&cluster)?.is_let_in().await?, "a newer one");
    let view = revocations.view().await;
    ensure!(view.everybody >= Some(now) && view.count == 0, "{view:?}");
    // One more is an entry again, and what was revoked stays so for whoever leads next.
    let next = Stolen::made(&cluster)?;
    revocations.revoke(&[(next.public_key(), until)], UnixMillis::now()).await?;
    let later = seat.revocations(&cluster).await?;
    later.take_over().await?;
    assert_eq!(later.view().await.count, 1);
    for out in [&revoked, &other, &next] {
        ensure!(!out.is_let_in().await?, "after a take-over");
    }
    cluster.start_controller().await?;
    cluster.finish(&[])
}

/// Guards: live agents are told to renew before all older credentials become void
/// (`Revocations::shorten`); they come back with what they got.
#[tokio::test]
async fn live_agents_outlast_a_list_that_is_too_long() -> Result<()> {
    let mut cluster = Cluster::start(&Setup::default()).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 3).await?;
    let workers = cluster.until(&admin, "ready", ready(3)).await?;
    cluster.kill_controller()?;
    let seat = Seat::on(&cluster).await?;
    let (now, until) = (UnixMillis::now(), UnixMillis::now().plus(24 * HOUR_MILLIS));
    let list = List { entries: keys(ENTRIES_MAX).map(|key| (key, (now, until))).collect() };
    let signed = seat.keys.signer().sign("registry/revocations", &list)?;
    seat.bucket.put("revocations", wire::encode(&signed)).await?;
    cluster.start_controller().await?;

    let stolen = Stolen::from(&cluster, &workers[0])?;
    ensure!(stolen.is_let_in().await?, "not revoked yet");
    let gone = workers[0].name.as_str();
    cluster.muster(&["worker", "terminate", gone, "--force"]).await?.with_code(0)?;
    stolen.until_refused().await?;
    let view = cluster.ask(&cluster.admin().await?, &KeysShow {}).await?.revocations;
    ensure!(view.everybody >= Some(now) && view.count < 10, "{view:?}");
    let admin = cluster.admin().await?;
    let left = |all: &[WorkerView]| {
        all.iter().filter(|worker| worker.phase != Phase::Terminated).count() == 2
    };
    cluster.until(&admin, "terminated", left).await?;
    crate::stolen::within_patience("answered", async || {
        Ok(cluster.muster(&["ping", "*"]).await?.code == Some(0))
    })
    .await?;
    let after = cluster.until(&admin, "ready", ready(2)).await?;
    let same = |worker: &WorkerView| workers.iter().any(|w| w.agent_id == worker.agent_id);
    ensure!(after.iter().all(same), "{after:#?}");
    cluster.finish(&["too many credentials are revoked"])
}
