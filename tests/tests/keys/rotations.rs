//! Each rotation, with agents connected: none is lost, none is started again.

use crate::stolen::{Stolen, folder, logs, within_patience};
use anyhow::{Context, Result, ensure};
use muster_protocol::api::{KeysDrop, WorkerView};
use muster_protocol::event::Started;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup, program};
use muster_tests::host::{self, until};
use serde_json::Value;
use std::fs;
use std::path::Path;

const WORKERS: usize = 3;
/// What a nats-server that is killed makes the controller say.
const NATS_KILLED: [&str; 7] = [
    "expected INFO, got nothing",
    "nats-server ended",
    "could not be planned",
    "could not be read or written",
    "age could not be noted",
    "the lease is lost",
    "claims are not kept",
];

fn ready(count: usize) -> impl Fn(&[WorkerView]) -> bool {
    move |workers| workers.len() == count && workers.iter().all(|w| w.phase == Phase::Ready)
}

/// A cluster with its workers, and their processes.
struct Running {
    cluster: Cluster,
    workers: Vec<WorkerView>,
    pids: Vec<u32>,
}

impl Running {
    async fn start() -> Result<Running> {
        let cluster = Cluster::start(&Setup::default()).await?;
        let admin = cluster.admin().await?;
        cluster.scale(&admin, u32::try_from(WORKERS)?).await?;
        let workers = cluster.until(&admin, "ready", ready(WORKERS)).await?;
        let pids = pids(&cluster, &workers)?;
        Ok(Running { cluster, workers, pids })
    }

    async fn keys(&self) -> Result<Value> {
        let mut shown = Value::Null;
        within_patience("shown", async || {
            let ran = self.cluster.muster(&["keys", "show", "-o", "json"]).await?;
            let is_shown = ran.code == Some(0);
            if is_shown {
                shown = ran.json()?;
            }
            Ok(is_shown)
        })
        .await?;
        Ok(shown)
    }

    /// All agents answer, and are the same processes.
    async fn all_answer(&self, when: &str) -> Result<()> {
        let cluster = &self.cluster;
        within_patience(&format!("answered after {when}"), async || {
            Ok(cluster.muster(&["ping", "*"]).await?.code == Some(0))
        })
        .await
        .with_context(|| logs(cluster))?;
        let after = pids(cluster, &self.workers)?;
        ensure!(after == self.pids, "{when}: started again: {:?}, not {after:?}", self.pids);
        Ok(())
    }

    async fn all_have_renewed(&self) -> Result<()> {
        within_patience("renewed", async || Ok(self.keys().await?["not_renewed"] == 0)).await
    }

    /// Whoever comes back needs all that a rotation has changed.
    async fn restart_nats(&self) -> Result<()> {
        let before = self.cluster.nats_pid()?;
        host::signal(before, "KILL")?;
        let other = || Ok(self.cluster.nats_pid().ok().filter(|pid| *pid != before));
        until("started again", other).await?;
        Ok(())
    }
}

fn pids(cluster: &Cluster, workers: &[WorkerView]) -> Result<Vec<u32>> {
    let id = |worker: &WorkerView| worker.provider_id.clone().context("no server");
    workers.iter().map(|worker| cluster.agent_pid(&id(worker)?)).collect()
}

/// How many keys of a name are in a state.
fn count(keys: &Value, name: &str, state: &str) -> usize {
    let all = keys["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter(|key| key["name"] == name && key["state"] == state).count()
}

fn certificates(path: &Path) -> Result<usize> {
    Ok(fs::read_to_string(path)?.matches("BEGIN CERTIFICATE").count())
}

/// Guards: agents trust each command key that the root key has signed; the controller signs with
/// the new one at once (`Keys::reload`).
#[tokio::test]
async fn a_new_command_key_signs_at_once_and_no_agent_is_lost() -> Result<()> {
    let running = Running::start().await?;
    let before = running.keys().await?;
    let shown = running.cluster.muster(&["keys", "rotate", "command"]).await?.with_code(0)?;
    ensure!(shown.stdout.contains("command") && shown.stderr.contains("root.nk"), "{shown:#?}");
    let after = running.keys().await?;
    let public = |keys: &Value| -> Vec<Value> {
        let all = keys["keys"].as_array().cloned().unwrap_or_default();
        let present = |key: &&Value| key["name"] == "command" && key["state"] == "present";
        all.iter().filter(present).map(|key| key["public"].clone()).collect()
    };
    ensure!(public(&before) != public(&after) && public(&after).len() == 1, "{after:#}");
    assert_eq!(count(&after, "command", "replaced"), 1);
    running.all_answer("a new command key").await?;
    // One made while the root key was put back elsewhere is read without a restart, too.
    let dir = running.cluster.path("config");
    muster_controller::keys::Keys::rotate_command_key(
        &dir,
        muster_protocol::id::UnixMillis::now(),
    )?;
    within_patience("read again", async || {
        Ok(count(&running.keys().await?, "command", "replaced") == 2)
    })
    .await?;
    running.all_answer("a command key from outside").await?;
    fs::remove_file(dir.join("root.nk"))?;
    let refused = running.cluster.muster(&["keys", "rotate", "all"]).await?.with_code(1)?;
    ensure!(refused.stderr.contains("put the root key back"), "{refused:#?}");
    running.cluster.finish(&[])
}

/// Guards: the claims name old and new keys until the old ones are dropped; agents renew when they
/// are told; what a dropped key has signed is worth nothing.
#[tokio::test]
async fn new_role_keys_lose_no_agent_and_end_what_the_old_ones_signed_when_dropped() -> Result<()> {
    let running = Running::start().await?;
    let cluster = &running.cluster;
    let thief = Stolen::made(cluster)?;
    ensure!(thief.is_let_in().await?, "the key that was stolen signs");
    cluster.muster(&["keys", "rotate", "roles"]).await?.with_code(0)?;
    let keys = running.keys().await?;
    for role in ["bootstrap", "agent", "viewer", "operator", "admin", "controller"] {
        let name = format!("role-{role}");
        let counts = ["present", "coming", "replaced"].map(|state| count(&keys, &name, state));
        assert_eq!(counts, [1, 0, 1], "{name}");
    }
    ensure!(thief.is_let_in().await?, "what the old key signed counts for now");
    running.all_answer("new role keys").await?;
    running.all_have_renewed().await?;
    running.restart_nats().await?;
    running.all_answer("a restart with new role keys").await?;

    // Whoever does not answer is named, and nothing is dropped.
    let silent = running.pids[0];
    host::signal(silent, "STOP")?;
    let rotated = cluster.muster(&["keys", "rotate", "roles"]).await?.with_code(0);
    rotated.with_context(|| logs(cluster))?;
    let refused = refusal_to_drop(cluster).await;
    host::signal(silent, "CONT")?;
    let (refused, agent) = (refused?, running.workers[0].agent_id.as_str());
    ensure!(refused.contains(agent) && refused.contains("--force"), "{refused}");
    ensure!(thief.is_let_in().await?, "nothing was dropped");
    let dropped =
        cluster.muster(&["keys", "drop-old", "--yes", "-o", "json"]).await?.with_code(0)?;
    assert_eq!(count(&dropped.json()?, "role-agent", "replaced"), 0);
    thief.until_refused().await?;
    running.all_answer("the old role keys were dropped").await?;
    running.restart_nats().await?;
    running.all_answer("a restart without the old role keys").await?;
    running.cluster.finish(&[&NATS_KILLED[..], &["a call's event was not stored"]].concat())
}

/// What the controller says once the other controllers must have read the new keys.
async fn refusal_to_drop(cluster: &Cluster) -> Result<String> {
    let admin = cluster.admin().await?;
    let mut said = String::new();
    within_patience("refused", async || {
        let dropped = cluster.ask(&admin, &KeysDrop { force: false }).await;
        said = dropped.err().context("it was dropped")?.to_string();
        Ok(!said.contains("a moment ago"))
    })
    .await?;
    Ok(said)
}

/// Guards: the server shows a chain for those that trust the old CA; renewals carry the new one.
#[tokio::test]
async fn a_new_ca_loses_no_agent_and_is_all_that_they_trust_in_the_end() -> Result<()> {
    let running = Running::start().await?;
    let cluster = &running.cluster;
    let old_ca = cluster.path("old-ca.pem");
    fs::copy(cluster.path("config/ca.pem"), &old_ca)?;
    cluster.muster(&["keys", "rotate", "ca"]).await?.with_code(0)?;
    running.all_answer("a new CA").await?;
    assert_eq!(certificates(&cluster.path("config/ca.pem"))?, 2);
    // A person that knows the old CA alone goes on.
    let text = fs::read_to_string(cluster.path("config/admin.yaml"))?;
    fs::write(
        cluster.path("config/late.yaml"),
        text.replace("ca: ca.pem", &format!("ca: {old_ca:?}")),
    )?;
    fs::set_permissions(
        cluster.path("config/late.yaml"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )?;
    let late = cluster.path("config/late.yaml").display().to_string();
    let as_late = async || {
        let mut command = std::process::Command::new(program("muster"));
        command.args(["--context", late.as_str(), "pool", "list"]);
        host::run(command).await
    };
    within_patience("shown by the server", async || Ok(as_late().await?.code == Some(0)))
        .await
        .with_context(|| logs(cluster))?;
    running.all_have_renewed().await?;
    let pinned = || {
        let count = |worker| certificates(&folder(cluster, worker)?.join("ca.pem"));
        running.workers.iter().map(count).collect::<Result<Vec<usize>>>()
    };
    within_patience("trusting both CAs", async || Ok(pinned()?.iter().all(|count| *count == 2)))
        .await?;
    running.restart_nats().await?;
    running.all_answer("a restart with a new CA").await?;

    cluster.muster(&["keys", "drop-old", "--yes"]).await?.with_code(0)?;
    assert_eq!(certificates(&cluster.path("config/ca.pem"))?, 1);
    within_patience("trusting the new CA alone", async || {
        Ok(pinned()?.iter().all(|count| *count == 1))
    })
    .await?;
    running.restart_nats().await?;
    running.all_answer("a restart without the old CA").await?;
    let refused = as_late().await?.with_code(1)?;
    ensure!(refused.stderr.contains("certificate"), "{refused:#?}");
    let admin = cluster.admin().await?;
    let events = cluster.stored_events(&admin, "muster.event.agent.*.started").await?;
    let fresh = events.iter().filter_map(|(_, event)| event.read::<Started>());
    assert_eq!(fresh.filter(|started| started.fresh).count(), WORKERS);
    running.cluster.finish(&[&NATS_KILLED[..], &["a call's event was not stored"]].concat())
}

/// Guards: coming keys are taken up again; a change of the directory happens whole.
#[tokio::test]
async fn a_controller_that_is_killed_while_it_makes_keys_ends_that_when_it_is_back() -> Result<()> {
    let mut running = Running::start().await?;
    for (what, sign) in
        [("roles", "next-role-agent.nk"), ("ca", "change.json"), ("command", "change.json")]
    {
        let dir = running.cluster.path("config");
        let serial = running.keys().await?["serial"].as_u64().context("no serial")?;
        let arguments = ["keys", "rotate", what];
        let asked = running.cluster.muster(&arguments);
        let seen = async {
            let begun = || {
                let text = fs::read_to_string(dir.join("rotations.yaml")).unwrap_or_default();
                let later =
                    text.lines().next().is_some_and(|line| line != format!("serial: {serial}"));
                Ok((dir.join(sign).exists() || (later && !text.is_empty())).then_some(()))
            };
            until("begun", begun).await?;
            let pids = host::processes(&format!("{}/controller.yaml", dir.display()));
            pids.iter().try_for_each(|pid| host::signal(*pid, "KILL"))
        };
        tokio::pin!(seen);
        // The command itself would wait for an answer that does not come.
        tokio::select! {
            killed = &mut seen => killed?,
            _ = asked => seen.await?,
        }
        running.cluster.kill_controller()?;
        // What it pushes as it takes over may cost an answer: the command asks again.
        running.cluster.spawn_controller()?;
        within_patience("ended", async || {
            let keys = running.keys().await?;
            Ok(count(&keys, "role-agent", "coming") == 0 && keys["serial"].as_u64() > Some(serial))
        })
        .await?;
        running.all_answer(&format!("a kill while {what} were made")).await?;
    }
    running.cluster.finish(&["NATS is not reached yet", "the keys are not read again yet"])
}
