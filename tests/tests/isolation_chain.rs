//! The whole chain in each isolation of the local provider: what a worker's states change is seen
//! by the worker, not by this machine, and goes with it.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::{Target, WorkerTerminate, WorkerView};
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup};
use muster_tests::host;
use std::path::Path;

const TREE: &str = "
/etc/muster-hello:
  file.managed:
    - contents: hello {{ grains['id'] }}
    - mode: '0640'
copied:
  cmd.run:
    - name: cp muster-hello muster-copied
    - cwd: /etc
    - creates: /etc/muster-copied
    - require:
      - file: /etc/muster-hello
";

fn setup(isolation: &'static str) -> Setup {
    let top = "base:\n  '*':\n    - hello\n".to_owned();
    let tree = vec![("top.sls", top), ("hello.sls", TREE.to_owned())];
    let config = "agent: {exec: true, interval_secs: 1}\n".to_owned();
    Setup { isolation, tree, config, ..Setup::default() }
}

async fn chain(isolation: &'static str) -> Result<()> {
    if !host::supports(isolation).await? {
        return Ok(());
    }
    let cluster = Cluster::start(&setup(isolation)).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 2).await?;
    let sampled = |workers: &[WorkerView]| {
        let sampled = |worker: &WorkerView| worker.milestones.first_sample.is_some();
        workers.len() == 2 && workers.iter().all(|w| w.phase == Phase::Ready && sampled(w))
    };
    let workers = cluster.until(&admin, "two ready with samples", sampled).await?;
    for worker in &workers {
        let states = worker.states.clone().context("no states")?;
        assert_eq!((states.total, states.changed, states.failed), (2, 2, 0));
    }
    seen_by_the_worker_alone(&cluster, isolation).await?;
    let applied = cluster.muster(&["apply", "*", "-o", "json"]).await?.with_code(0)?.json()?;
    ensure!(applied["summary"]["changed"] == 0, "{applied:#}");
    cluster.more_samples(2, 2).await?;

    let target = Target::Names("*".into());
    cluster.ask(&admin, &WorkerTerminate { target, force: false }).await?;
    let gone = |workers: &[WorkerView]| workers.iter().all(|w| w.phase == Phase::Terminated);
    cluster.until(&admin, "terminated", gone).await?;
    for worker in &workers {
        let id = worker.provider_id.clone().context("no server")?;
        let traces = host::traces(&cluster.path(&format!("data/local/here/{id}")));
        ensure!(traces.is_empty(), "{traces:#?}");
    }
    cluster.finish(&[])
}

async fn seen_by_the_worker_alone(cluster: &Cluster, isolation: &str) -> Result<()> {
    // Programs run at the worker's `/`, which is a folder with isolation `none`.
    let line = "cat etc/muster-copied; stat -c %a etc/muster-hello; cat etc/hostname; \
                readlink /proc/self/ns/pid";
    let ran = cluster.muster(&["exec", "*", "-o", "json", "--", "sh", "-c", line]).await?;
    let ran = ran.with_code(0)?.json()?;
    let own_pids = std::fs::read_link("/proc/self/ns/pid")?.display().to_string();
    let results = ran["results"].as_array().context("results are a list")?;
    assert_eq!(results.len(), 2);
    for result in results {
        let name = result["worker"].as_str().context("no worker")?;
        let text = result["data"]["stdout"].as_str().context("no output")?;
        let lines: Vec<&str> = text.lines().collect();
        match (isolation, &lines[..]) {
            ("none", [hello, mode, pids]) => {
                assert_eq!((*hello, *mode, *pids), (&*format!("hello {name}"), "640", &*own_pids));
            }
            (_, [hello, mode, host, pids]) => {
                assert_eq!((*hello, *mode, *host), (&*format!("hello {name}"), "640", name));
                ensure!(*pids != own_pids, "its processes are this machine's");
            }
            other => anyhow::bail!("{other:?}: {result:#}"),
        }
    }
    let leaked = ["/etc/muster-hello", "/etc/muster-copied"].map(Path::new).map(Path::exists);
    ensure!(leaked == [false, false], "the worker's states have changed this machine");
    Ok(())
}

#[tokio::test]
async fn the_chain_in_a_folder() -> Result<()> {
    chain("none").await
}

#[tokio::test]
async fn the_chain_in_a_user_namespace() -> Result<()> {
    chain("user").await
}

#[tokio::test]
async fn the_chain_as_root() -> Result<()> {
    chain("root").await
}
