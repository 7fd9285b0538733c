//! Hooks that come after something, from the stream of events.

use crate::site::{LIMIT, Site, until};
use muster_controller::hooks::{Config, Hooks, follow};
use muster_protocol::bus;
use muster_protocol::event::{Event, PhaseChanged};
use muster_protocol::id::{Token, UnixMillis, random};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A controller's hooks, until they are stopped.
struct Following {
    stop: CancellationToken,
    task: JoinHandle<Result<(), bus::Error>>,
}

impl Following {
    async fn of(site: &Site, text: &str) -> Following {
        let configs: Vec<Config> = serde_saphyr::from_str(text).unwrap();
        let teller = Arc::new(site.bus.clone());
        let hooks = Arc::new(Hooks::new(configs, "pluto".parse().unwrap(), teller).unwrap());
        let events = site.jetstream.consumer("EVENTS", follow::CONSUMER, follow::FILTER).await;
        let (registry, stop) = (Arc::clone(&site.registry), CancellationToken::new());
        let run = follow::follow(hooks, registry, events.unwrap(), stop.clone());
        Following { task: tokio::spawn(run), stop }
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(LIMIT, self.task).await.unwrap().unwrap().unwrap();
    }
}

/// What hooks have appended to a file, a worker each; the last may be half written yet.
fn runs(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn points(path: &Path, name: &str) -> Vec<String> {
    let runs = runs(path).into_iter().filter(|run| run["name"] == name);
    runs.map(|run| run["point"].as_str().unwrap().to_owned()).collect()
}

fn appends(on: &str, path: &Path) -> String {
    format!("- {{on: {on}, run: [/bin/sh, -c, 'cat >>{}']}}\n", path.display())
}

#[tokio::test]
async fn a_workers_points_are_run_in_order_and_with_what_is_known_of_it() {
    let site = Site::open().await;
    let log = site.path("log");
    let following =
        Following::of(&site, &appends("[launched, draining, failed, terminated]", &log)).await;
    let agent = site.boot("compute-0001", "10.0.0.7").await;
    site.end(&agent).await;
    until("two runs", || runs(&log).len() == 2).await;
    assert_eq!(points(&log, "compute-0001"), ["launched", "terminated"]);
    let runs = runs(&log);
    for run in &runs {
        assert_eq!(run["agent_id"], agent.as_str());
        assert_eq!(run["addresses"], serde_json::json!(["10.0.0.7"]));
        assert_eq!(
            (&run["provider_id"], &run["image"]),
            (&"server-compute-0001".into(), &"rocky-9".into())
        );
    }
    assert_eq!(
        (&runs[1]["from"], &runs[1]["reason"]),
        (&"terminating".into(), &"not wanted".into())
    );
    following.end().await;
    site.close().await;
}

#[tokio::test]
async fn what_happens_while_no_controller_runs_is_run_by_the_next_one() {
    let site = Site::open().await;
    let log = site.path("log");
    let hooks = appends("[launched, terminated]", &log);
    Following::of(&site, &hooks).await.end().await;
    let agent = site.boot("compute-0001", "10.0.0.7").await;
    let following = Following::of(&site, &hooks).await;
    until("the first run", || runs(&log).len() == 1).await;
    following.end().await;
    site.end(&agent).await;
    let following = Following::of(&site, &hooks).await;
    until("the second run", || runs(&log).len() == 2).await;
    assert_eq!(points(&log, "compute-0001"), ["launched", "terminated"]);
    following.end().await;
    site.close().await;
}

#[tokio::test]
async fn a_hook_that_a_stop_has_killed_and_those_behind_it_are_run_by_the_next_controller() {
    let site = Site::open().await;
    let (pid, log) = (site.path("pid"), site.path("log"));
    let hangs = format!(
        "- {{on: [launched, terminated], timeout_secs: 1000, \
         run: [/bin/sh, -c, 'echo $$ >{0}.new; mv {0}.new {0}; exec sleep 1000']}}\n",
        pid.display()
    );
    let following = Following::of(&site, &hangs).await;
    let agent = site.boot("compute-0001", "10.0.0.7").await;
    site.end(&agent).await;
    until("the hook", || pid.exists()).await;
    following.end().await;
    let pid = fs::read_to_string(&pid).unwrap();
    let process = format!("/proc/{}/stat", pid.trim());
    until("its end", || fs::read_to_string(&process).map_or(true, |s| s.contains(" Z "))).await;
    let following = Following::of(&site, &appends("[launched, terminated]", &log)).await;
    until("both runs", || runs(&log).len() == 2).await;
    assert_eq!(points(&log, "compute-0001"), ["launched", "terminated"]);
    following.end().await;
    site.close().await;
}

#[tokio::test]
async fn an_event_that_is_stored_twice_runs_once_and_one_that_is_none_nothing() {
    let site = Site::open().await;
    let log = site.path("log");
    let following = Following::of(&site, &appends("[ready, failed]", &log)).await;
    let change = |to: &str| PhaseChanged {
        agent_id: "compute-0001-abcdefghijkm".into(),
        pool: "compute".into(),
        generation: 1,
        from: "configuring".into(),
        to: to.into(),
        reason: None,
        millis: None,
    };
    let event = |to| Event::new(Token::random(random()), UnixMillis::now(), &change(to));
    let ready = event("ready");
    let wire = |event: &Event| muster_protocol::wire::encode(event);
    let publish = async |kind: &str, message_id: &str, payload: Vec<u8>| {
        let subject = format!("muster.event.worker.compute-0001.{kind}");
        site.bus.publish(subject, message_id, payload).await.unwrap();
    };
    publish("ready", "one", wire(&ready)).await;
    publish("ready", "two", wire(&ready)).await;
    publish("first_sample", "zero", wire(&event("ready"))).await;
    publish("ready", "three", b"no event".to_vec()).await;
    publish("hook_failed", "four", wire(&Event { data: Value::Null, ..event("x") })).await;
    publish("failed", "five", wire(&event("failed"))).await;
    until("the last event", || points(&log, "compute-0001").last().is_some_and(|p| p == "failed"))
        .await;
    assert_eq!(points(&log, "compute-0001"), ["ready", "failed"]);
    assert_eq!(runs(&log)[0]["event"], ready.id.as_str());
    following.end().await;
    site.close().await;
}

#[tokio::test]
async fn a_failure_is_an_event_and_a_hook_that_hangs_holds_back_no_other_worker() {
    let site = Site::open().await;
    let (log, hang) = (site.path("log"), site.path("hang"));
    fs::write(&hang, "").unwrap();
    let script = format!(
        "read line; case $line in *compute-0001*) while [ -e {} ]; do read -t 1 x </dev/null; \
         done;; *compute-0002*) echo sorry; exit 4;; esac; echo \"$line\" >>{}",
        hang.display(),
        log.display()
    );
    let following = Following::of(
        &site,
        &format!("- {{on: [launched, terminated], run: [/bin/sh, -c, '{script}']}}\n"),
    )
    .await;
    let first = site.boot("compute-0001", "10.0.0.7").await;
    site.end(&first).await;
    site.boot("compute-0002", "10.0.0.8").await;
    site.boot("compute-0003", "10.0.0.9").await;
    until("the third worker's", || points(&log, "compute-0003").len() == 1).await;
    assert!(points(&log, "compute-0001").is_empty());
    let failed = site.events("muster.event.worker.compute-0002.hook_failed", 1).await;
    let data = &failed[0].data;
    assert_eq!((&data["point"], &data["output"]), (&"launched".into(), &"sorry".into()));
    assert!(data["error"].as_str().unwrap().contains("exit status: 4"), "{data}");
    fs::remove_file(&hang).unwrap();
    until("the first worker's", || points(&log, "compute-0001").len() == 2).await;
    assert_eq!(points(&log, "compute-0001"), ["launched", "terminated"]);
    following.end().await;
    site.close().await;
}

#[tokio::test]
async fn a_hundred_workers_at_once_run_a_hundred_hooks() {
    let site = Site::open().await;
    let log = site.path("log");
    let following = Following::of(&site, &appends("launched", &log)).await;
    let boots = (0..100).map(|number| {
        let (site, name) = (&site, format!("compute-{number:04}"));
        async move { site.boot(&name, "10.0.0.7").await }
    });
    futures_util::future::join_all(boots).await;
    until("all runs", || runs(&log).len() >= 100).await;
    let mut names: Vec<String> = runs(&log).iter().map(|run| run["name"].to_string()).collect();
    names.sort();
    names.dedup();
    assert_eq!((runs(&log).len(), names.len()), (100, 100));
    following.end().await;
    site.close().await;
}
