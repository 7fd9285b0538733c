//! What restarts cost: nothing that was acknowledged, and no worker, whoever is killed.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::WorkerView;
use muster_protocol::bus::Bus;
use muster_protocol::event::{Applied, CommandResult};
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, PATIENCE, Setup, nats_server};
use muster_tests::host::{self, until};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const INTERVAL_SECS: f64 = 2.0;
/// Frames that are sent while the controller is away, at least.
const FRAMES: usize = 4;
const WORKERS: [&str; 2] = ["test-0001", "test-0002"];

/// A cluster whose nats-server can be taken away, and with a state that waits at a gate.
fn setup(dir: &TempDir) -> Result<Setup> {
    let nats = dir.path().join("nats-server");
    symlink(fs::canonicalize(nats_server())?, &nats)?;
    for worker in WORKERS {
        let made = Command::new("mkfifo").arg(dir.path().join(worker)).status()?;
        ensure!(made.success(), "mkfifo: {made}");
    }
    // With isolation `none` a program sees this machine's folders.
    let slow = format!(
        "slow:\n  cmd.run:\n    - name: cd {} && echo >$NAME.begun && read line <$NAME\n    \
         - env:\n      - NAME: {{{{ grains['id'] }}}}\n",
        dir.path().display()
    );
    let tree = vec![
        ("top.sls", "base:\n  '*':\n    - hello\n".to_owned()),
        ("hello.sls", "/etc/hello:\n  file.managed:\n    - contents: hello\n".to_owned()),
        ("slow.sls", slow),
    ];
    let config = format!(
        "agent: {{exec: true, interval_secs: {INTERVAL_SECS}}}\n\
         timeouts: {{cloud_secs: 2, reconcile_secs: 1}}\n"
    );
    Ok(Setup { tree, config, nats: Some(nats), ..Setup::default() })
}

fn ready(count: usize) -> impl Fn(&[WorkerView]) -> bool {
    move |workers| {
        let wanted: Vec<_> = workers.iter().filter(|w| w.phase != Phase::Terminated).collect();
        wanted.len() == count && wanted.iter().all(|w| w.phase == Phase::Ready)
    }
}

fn exists(path: &Path) -> Result<Option<()>> {
    Ok(path.exists().then_some(()))
}

/// Guards: the outbox keeps what no stream has acknowledged; consumers and tails open again.
#[tokio::test]
async fn a_killed_nats_server_costs_no_event_and_no_sample() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let setup = setup(&dir)?;
    let cluster = Cluster::start(&setup).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 2).await?;
    let workers = cluster.until(&admin, "ready", ready(2)).await?;
    cluster.more_samples(2, 2).await?;
    for _ in 0..3 {
        cluster.muster(&["exec", "*", "--", "true"]).await?.with_code(0)?;
    }

    let arguments = ["apply", "*", "slow", "--timeout", "50s", "-o", "json"];
    let outage = outage(&cluster, &dir, &workers);
    let (applied, cut_off) = tokio::join!(cluster.muster(&arguments), outage);
    cut_off.with_context(|| format!("{applied:#?}\n{}", cluster.log()))?;
    let report = applied?.with_code(0)?.json()?;
    ensure!(report["summary"]["succeeded"] == 2, "{report:#}");

    for _ in 0..3 {
        cluster.muster(&["exec", "*", "--", "true"]).await?.with_code(0)?;
    }
    cluster.more_samples(2, 2).await?;
    cluster.ensure_gapless(INTERVAL_SECS)?;
    each_result_once(&cluster).await?;
    cluster.finish(&[
        "nats-server ended",
        "nats-server does not start",
        "could not be planned",
        "could not be read or written",
        "age could not be noted",
        // On a busy machine the server may be away for longer than the lease lasts.
        "the lease is lost",
    ])
}

/// Kills the server while both agents apply, lets them finish while it is away, and brings it back.
async fn outage(cluster: &Cluster, dir: &TempDir, workers: &[WorkerView]) -> Result<()> {
    for worker in WORKERS {
        let begun = dir.path().join(format!("{worker}.begun"));
        until(&format!("begun on {worker}"), || exists(&begun)).await?;
    }
    let nats = dir.path().join("nats-server");
    fs::rename(&nats, dir.path().join("away"))?;
    host::signal(cluster.nats_pid()?, "KILL")?;
    let tried = |times: usize| {
        move || {
            let log = cluster.log();
            let tried = log.matches("nats-server does not start").count();
            Ok((tried >= times).then_some(()))
        }
    };
    until("tried again", tried(1)).await?;
    for worker in workers {
        fs::write(dir.path().join(worker.name.as_str()), "go on\n")?;
        let id = worker.provider_id.as_deref().context("no server")?;
        let spool = cluster.path(&format!("data/local/here/{id}/root/var/lib/muster-agent/spool"));
        let kept = || {
            let names = fs::read_dir(&spool)?.map(|entry| Ok(entry?.file_name()));
            let names: Vec<_> = names.collect::<std::io::Result<_>>()?;
            let applied = |name: &std::ffi::OsString| name.to_string_lossy().ends_with("-applied");
            Ok(names.iter().any(applied).then_some(()))
        };
        until("a result in the spool", kept).await?;
    }
    // After 0.25, 0.5 and 1 s, and the next time 2 s later: each agent samples meanwhile.
    until("tried again and again", tried(3)).await?;
    Ok(fs::rename(dir.path().join("away"), nats)?)
}

async fn each_result_once(cluster: &Cluster) -> Result<()> {
    let admin = cluster.admin().await?;
    let events = cluster.stored_events(&admin, "muster.event.>").await?;
    let of_kind = |kind: &str| -> Vec<_> {
        events.iter().filter(|(subject, _)| subject.ends_with(kind)).collect()
    };
    assert_eq!(of_kind(".executed").len(), 12);
    let results = of_kind(".result");
    let results: Vec<CommandResult> = results.iter().filter_map(|(_, e)| e.read()).collect();
    assert_eq!(results.len(), 14);
    ensure!(results.iter().all(|result| result.ok), "{results:#?}");
    let applied = of_kind(".applied");
    let applied: Vec<Applied> = applied.iter().filter_map(|(_, e)| e.read()).collect();
    assert_eq!(applied.iter().filter(|applied| applied.highstate).count(), 2);
    assert_eq!(applied.iter().filter(|applied| applied.command.is_some()).count(), 2);
    // The reactor applies at a start, which a connection that came back is not.
    assert_eq!(applied.len(), 4);
    Ok(())
}

/// Kills the controller as soon as it has logged a text since it was started.
async fn kill_after(cluster: &mut Cluster, text: &str, logged: usize) -> Result<()> {
    let log = cluster.path("log");
    until(&format!("logged {text}"), || {
        let text_since = fs::read(&log)?.split_off(logged);
        Ok(String::from_utf8_lossy(&text_since).contains(text).then_some(()))
    })
    .await?;
    cluster.kill_controller()
}

/// Guards: intent is durable before the cloud is called, and a lost answer is looked for.
#[tokio::test]
async fn a_controller_killed_at_each_step_of_launches_forgets_and_doubles_no_worker() -> Result<()>
{
    let dir = tempfile::tempdir()?;
    let mut cluster = Cluster::start(&setup(&dir)?).await?;
    let mut wanted = 0;
    for phase in ["pending", "launching", "booting", "configuring", "ready"] {
        wanted += 2;
        let logged = cluster.log().len();
        let admin = cluster.admin().await?;
        cluster.scale(&admin, wanted).await?;
        kill_after(&mut cluster, &format!("phase={phase}"), logged).await?;
        cluster.start_controller().await?;
    }
    let admin = cluster.admin().await?;
    let wanted = usize::try_from(wanted)?;
    // What was on its way to the killed controller comes again, later: events, and claims.
    let patience = PATIENCE * 3;
    let workers = cluster.until_within(patience, &admin, "all ready", ready(wanted)).await?;
    let live = workers.iter().filter(|worker| worker.phase == Phase::Ready);
    let known: BTreeSet<String> = live.filter_map(|worker| worker.provider_id.clone()).collect();
    assert_eq!(known.len(), wanted);
    let servers = || -> Result<BTreeSet<String>> {
        let entries = fs::read_dir(cluster.path("data/local/here"))?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names: Vec<String> = names.collect::<Result<_>>()?;
        // Hidden ones are not servers yet, or no more.
        Ok(names.into_iter().filter(|name| !name.starts_with('.')).collect())
    };
    let wanted = || Ok((servers()? == known).then_some(()));
    let log = || format!("{known:#?}, not {:#?}; {workers:#?}\n{}", servers(), cluster.log());
    until("just those servers", wanted).await.with_context(log)?;
    cluster.muster(&["ping", "*"]).await?.with_code(0)?;
    cluster.finish(&["it is tried again", "not admitted"])
}

/// Bytes of all frames that NATS has stored.
fn stored(cluster: &Cluster) -> Result<u64> {
    let streams = fs::read_dir(cluster.path("config/store/jetstream"))?;
    let mut bytes = 0;
    for account in streams {
        let folder = account?.path().join("streams/STATS/msgs");
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for entry in entries {
            bytes += entry?.metadata()?.len();
        }
    }
    Ok(bytes)
}

/// `MUSTER_OUTAGE_SECS=600` keeps the controller away for so long.
#[tokio::test]
async fn agents_stream_on_while_the_controller_is_down() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut cluster = Cluster::start(&setup(&dir)?).await?;
    let admin: Bus = cluster.admin().await?;
    cluster.scale(&admin, 2).await?;
    cluster.until(&admin, "ready", ready(2)).await?;
    cluster.more_samples(2, 2).await?;
    cluster.kill_controller()?;
    let gone = Instant::now();
    let away = std::env::var("MUSTER_OUTAGE_SECS").ok().and_then(|secs| secs.parse().ok());
    let away = away.map_or(Duration::ZERO, Duration::from_secs);
    for frames in 0.. {
        if frames >= FRAMES && gone.elapsed() >= away {
            break;
        }
        let before = stored(&cluster)?;
        until("another frame", || Ok((stored(&cluster)? > before).then_some(()))).await?;
    }
    cluster.start_controller().await?;
    cluster.more_samples(2, 2).await?;
    // What the killed controller held is delivered again after a minute.
    until("complete", || Ok(cluster.is_complete(INTERVAL_SECS)?.then_some(()))).await?;
    for (agent, series) in cluster.samples()? {
        let times: BTreeSet<&String> = series.iter().map(|(time, _)| time).collect();
        assert_eq!(times.len(), series.len(), "{agent}: a sample is written twice");
    }
    cluster.finish(&[])
}
