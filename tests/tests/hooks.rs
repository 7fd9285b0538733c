//! Hooks and membership in a whole cluster: a worker's way, as the head node sees it.

use anyhow::Result;
use muster_protocol::api::{Target, WorkerTerminate, WorkerView};
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup, next_event};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn all(phase: Phase, count: usize) -> impl Fn(&[WorkerView]) -> bool {
    move |workers| workers.len() == count && workers.iter().all(|worker| worker.phase == phase)
}

/// A line of JSON for each run.
fn runs(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[tokio::test]
async fn a_workers_way_is_told_to_hooks_and_kept_in_the_hosts_file() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (log, hosts) = (dir.path().join("log"), dir.path().join("hosts"));
    fs::write(&hosts, "127.0.0.1 localhost\n")?;
    let config = format!(
        "hooks:\n  - on: [before_launch, launched, ready, before_terminate, terminated]\n    \
         run: [/bin/sh, -c, 'cat >>{}']\n  \
         - {{on: ready, run: [/bin/sh, -c, 'echo no ticket; exit 3'], pools: [test]}}\n\
         membership:\n  hosts: {{path: '{}'}}\n",
        log.display(),
        hosts.display()
    );
    let cluster = Cluster::start(&Setup { config, ..Setup::default() }).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 1).await?;
    let workers = cluster.until(&admin, "ready", all(Phase::Ready, 1)).await?;
    let block = |lines: &str| {
        format!("127.0.0.1 localhost\n# BEGIN muster test\n{lines}# END muster test\n")
    };
    let lines = "127.0.0.1 test-0001\n::1 test-0001\n";
    let is = |lines: &str| fs::read_to_string(&hosts).is_ok_and(|text| text == block(lines));
    cluster.until(&admin, "in the hosts file", |_| is(lines)).await?;
    let mut failures = cluster.tail(&admin, "muster.event.worker.*.hook_failed").await?;
    let (subject, failed) = next_event(&mut failures).await?;
    assert_eq!(subject, "muster.event.worker.test-0001.hook_failed");
    assert_eq!(
        (&failed.data["point"], &failed.data["output"]),
        (&"ready".into(), &"no ticket".into())
    );

    let target = Target::Names("*".into());
    cluster.ask(&admin, &WorkerTerminate { target, force: false }).await?;
    cluster.until(&admin, "terminated", all(Phase::Terminated, 1)).await?;
    cluster.until(&admin, "out of the hosts file", |_| is("")).await?;
    cluster.until(&admin, "told to all hooks", |_| runs(&log).len() == 5).await?;
    let mut points: Vec<String> =
        runs(&log).iter().filter_map(|run| Some(run["point"].as_str()?.to_owned())).collect();
    // What is waited for and what is told afterwards are not in one order.
    points.sort();
    let expected = ["before_launch", "before_terminate", "launched", "ready", "terminated"];
    assert_eq!(points, expected);
    for run in runs(&log) {
        assert_eq!((&run["name"], &run["cluster"]), (&"test-0001".into(), &"test".into()));
        assert_eq!(run["agent_id"], workers[0].agent_id.as_str());
    }
    cluster.finish(&["hook failed"])
}
