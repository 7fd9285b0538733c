//! Two controllers, one of which is paused or late: nobody who was revoked comes back.

use crate::many::{Seat, ready};
use crate::stolen::{Stolen, pusher, within_patience};
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use muster_controller::keys::Keys;
use muster_protocol::api::ClusterShow;
use muster_protocol::id::UnixMillis;
use muster_protocol::jwt::{self, Revocations, Stamp};
use muster_protocol::subject::Account;
use muster_tests::cluster::{Cluster, Setup};
use muster_tests::host::{self, until};
use serde_json::Value;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

const DAY_MILLIS: i64 = 86_400_000;

fn process(cluster: &Cluster, config: &str) -> Result<u32> {
    let path = cluster.path("config").join(config).display().to_string();
    host::processes(&path).first().copied().with_context(|| format!("no process runs {path}"))
}

/// The claims of AGENTS that anybody pushes, in their order.
async fn heard(cluster: &Cluster) -> Result<Arc<Mutex<Vec<Value>>>> {
    let keys = Keys::load(&cluster.path("config"))?;
    let bus = pusher(cluster, &keys).await?;
    let mut heard = bus.heard_claims().await?;
    // An answer proves that the subscription is there.
    bus.claims_of(keys.public_key(Account::Agents)).await?;
    let (all, account) = (Arc::new(Mutex::default()), keys.public_key(Account::Agents).to_owned());
    let kept: Arc<Mutex<Vec<Value>>> = Arc::clone(&all);
    tokio::spawn(async move {
        while let Some(claims) = heard.next().await {
            let body = claims.split('.').nth(1).unwrap_or_default().to_owned();
            let bytes = URL_SAFE_NO_PAD.decode(body).unwrap_or_default();
            let claims: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if claims["sub"] == account.as_str() {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(claims);
            }
        }
        drop(bus);
    });
    Ok(all)
}

/// No push is older than one before it, or forgets whom one before it revoked.
fn ensure_forward(pushes: &[Value]) -> Result<()> {
    for pair in pushes.windows(2) {
        let [before, after] = pair else { continue };
        ensure!(before["iat"].as_i64() <= after["iat"].as_i64(), "{before:#} then {after:#}");
        let keys = |claims: &Value| -> Vec<String> {
            let revoked = claims["nats"]["revocations"].as_object();
            revoked.map(|all| all.keys().cloned().collect()).unwrap_or_default()
        };
        let after = keys(after);
        ensure!(keys(before).iter().all(|key| after.contains(key)), "forgotten: {before:#}");
    }
    Ok(())
}

/// Guards: only the holder of the lease pushes; a controller that was paused learns that it is not
/// before it says anything.
#[tokio::test]
async fn a_controller_that_was_paused_brings_nobody_back() -> Result<()> {
    let mut cluster = Cluster::start(&Setup::default()).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 3).await?;
    let workers = cluster.until(&admin, "ready", ready(3)).await?;
    let stolen: Vec<Stolen> =
        workers.iter().map(|worker| Stolen::from(&cluster, worker)).collect::<Result<_>>()?;
    cluster.start_stand_by()?;
    let log = cluster.path("log2");
    let logged = |text: &'static str| {
        let log = log.clone();
        move || Ok(fs::read_to_string(&log).unwrap_or_default().contains(text).then_some(()))
    };
    until("standing by", logged("the controller works")).await?;
    let pushes = heard(&cluster).await?;

    let leader = process(&cluster, "controller.yaml")?;
    host::signal(leader, "STOP")?;
    until("taken over", logged("this controller reconciles")).await?;
    // Calls come to the paused one, too, which does not answer.
    terminate(&cluster, workers[0].name.as_str()).await?;
    stolen[0].until_refused().await?;
    host::signal(leader, "CONT")?;
    until("noticed", || Ok(cluster.log().contains("the lease is lost").then_some(()))).await?;
    terminate(&cluster, workers[1].name.as_str()).await?;
    stolen[1].until_refused().await?;

    // The paused one leads again, with all that the other one has done.
    host::signal(process(&cluster, "stand-by.yaml")?, "KILL")?;
    within_patience("leading again", async || {
        Ok(cluster.log().matches("this controller reconciles").count() == 2)
    })
    .await?;
    terminate(&cluster, workers[2].name.as_str()).await?;
    stolen[2].until_refused().await?;
    for stolen in &stolen {
        ensure!(!stolen.is_let_in().await?, "{stolen:?} is back");
    }
    let pushes = pushes.lock().unwrap().clone();
    ensure!(pushes.len() >= 3, "{pushes:#?}");
    ensure_forward(&pushes)?;
    cluster.finish(&["the lease is lost", "could not be read or written", "it is tried again"])
}

/// Half of the calls come to the paused one and take ten seconds to fail: several are made at once,
/// or one run in sixty-four would ask nobody else in its time.
async fn terminate(cluster: &Cluster, worker: &str) -> Result<()> {
    let args = ["worker", "terminate", worker, "--force"];
    let ask = || cluster.muster(&args);
    within_patience("asked", async || {
        let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
        Ok([a?, b?, c?, d?].iter().any(|ran| ran.code == Some(0)))
    })
    .await
}

/// As if it had been paused between two lines: it still believes that it leads. Guards: the list is
/// written by compare-and-set, and read again when another has written it.
#[tokio::test]
async fn a_controller_that_wrongly_believes_to_lead_unrevokes_nobody() -> Result<()> {
    let mut cluster = Cluster::start(&Setup::default()).await?;
    cluster.kill_controller()?;
    let (before, first, second) =
        (Stolen::made(&cluster)?, Stolen::made(&cluster)?, Stolen::made(&cluster)?);
    let seat = Seat::on(&cluster).await?;
    let (old, new) = (seat.revocations(&cluster).await?, seat.revocations(&cluster).await?);
    let until = UnixMillis::now().plus(DAY_MILLIS);
    old.take_over().await?;
    old.revoke(&[(before.public_key(), until)], UnixMillis::now()).await?;
    new.take_over().await?;
    new.revoke(&[(first.public_key(), until)], UnixMillis::now()).await?;
    ensure!(!first.is_let_in().await?);
    old.revoke(&[(second.public_key(), until)], UnixMillis::now()).await?;
    for stolen in [&before, &first, &second] {
        ensure!(!stolen.is_let_in().await?, "{stolen:?} is back");
    }
    assert_eq!(old.view().await.count, 3);
    cluster.start_controller().await?;
    cluster.finish(&[])
}

/// Guards: the holder of the lease hears what others push (`Revocations::keep`).
#[tokio::test]
async fn an_older_push_by_others_is_followed_by_the_list_at_once() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    let workers = cluster.until(&admin, "ready", ready(1)).await?;
    let stolen = Stolen::from(&cluster, &workers[0])?;
    terminate(&cluster, workers[0].name.as_str()).await?;
    stolen.until_refused().await?;

    let keys = Keys::load(&cluster.path("config"))?;
    let bus = pusher(&cluster, &keys).await?;
    let old = Stamp { now: UnixMillis::now().plus(-DAY_MILLIS), ..Stamp::fresh() };
    let claims = keys.account_jwt(Account::Agents, &Revocations::new(), &old)?;
    bus.push_claims(&claims).await?;
    let told = || Ok(cluster.log().contains("pushing this controller's list again").then_some(()));
    until("heard", told).await?;
    let account = keys.public_key(Account::Agents);
    within_patience("followed", async || {
        let found = bus.claims_of(account).await?.context("no claims")?;
        Ok(jwt::decode(&found)?.iat > old.now.seconds())
    })
    .await?;
    ensure!(!stolen.is_let_in().await?, "the thief is back");
    let view = cluster.ask(&admin, &ClusterShow {}).await?;
    ensure!(!view.leader.is_empty());
    // On a busy machine the lease may end meanwhile.
    cluster.finish(&[
        "pushing this controller's list again",
        "it is tried again",
        "the lease is lost",
        "could not be read or written",
    ])
}
