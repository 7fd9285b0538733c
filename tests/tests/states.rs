//! What changes in the controller's state tree, and who gets it: asked for, and by itself.

use anyhow::{Context, Result, ensure};
use muster_protocol::api::{PushView, StatesPush, Target, WorkerView};
use muster_protocol::event::Fired;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup, next_event};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

const CHANGED: &str = "/etc/hello:\n  file.managed:\n    - contents: changed\n";
const FIRES: &str = "my/tag:\n  event.send:\n    - data: {size: 3, key: {{ pillar.api_key }}}\n\
                     told:\n  test.succeed_with_changes:\n    - fire_event: true\n";
const BROKEN: &str = "/etc/hello:\n{% if %}\n";

fn ready(workers: &[WorkerView]) -> bool {
    workers.len() == 1 && workers.iter().all(|worker| worker.phase == Phase::Ready)
}

fn revisions(pushed: &[PushView]) -> Vec<Option<u64>> {
    pushed.iter().map(|one| one.revision).collect()
}

fn set_states(cluster: &Cluster, states: &str) -> Result<()> {
    let config = cluster.path("config/controller.yaml");
    let text = fs::read_to_string(&config)?;
    let changed = text.replace("{tree: ../tree}", states);
    ensure!(changed != text, "no states in {text}");
    Ok(fs::write(&config, changed)?)
}

/// The root of the only worker's machine.
fn root(cluster: &Cluster) -> Result<PathBuf> {
    let mut servers = fs::read_dir(cluster.path("data/local/here"))?.filter_map(Result::ok);
    let root = servers.find_map(|entry| Some(entry.path().join("root")).filter(|at| at.is_dir()));
    root.context("there is no worker")
}

/// The blobs on the worker, and which files they are.
fn blobs(cluster: &Cluster) -> Result<BTreeMap<String, u64>> {
    let folder = root(cluster)?.join("var/lib/muster-agent/blobs");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    entries
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name().to_string_lossy().into_owned(), entry.metadata()?.ino()))
        })
        .collect()
}

/// Guards: `Blobs::fetch`: what an agent has is not fetched again.
#[tokio::test]
async fn a_push_of_one_changed_file_brings_one_blob_and_the_manifest() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let bus = cluster.admin().await?;
    cluster.scale(&bus, 1).await?;
    cluster.until(&bus, "ready", ready).await?;
    let before = blobs(&cluster)?;
    fs::write(cluster.path("tree/hello.sls"), CHANGED)?;
    let applied = cluster.muster(&["apply", "*", "-o", "json"]).await?;
    applied.with_code(0)?;
    let after = blobs(&cluster)?;
    let new = after.keys().filter(|blob| !before.contains_key(*blob)).count();
    ensure!(new == 2, "{before:?} {after:?}");
    ensure!(
        before.iter().all(|(blob, file)| after.get(blob) == Some(file)),
        "{before:?} {after:?}"
    );
    cluster.finish(&[])
}

/// Guards: `Roots`, `scan`, `Trees::make` and `Desired::opts`: environments and options travel.
#[tokio::test]
async fn a_worker_gets_all_environments_and_the_options_of_the_operator() -> Result<()> {
    let top = "base:\n  '*': [hello]\ndev:\n  '*': [other]\n";
    let hello = "/etc/hello:\n  file.managed:\n    - contents: {{ pillar.note }}\n\
                 /etc/opts:\n  file.managed:\n    - contents: {{ opts.color }}\n\
                 say:\n  cmd.run:\n    - name: echo \"{{ pillar.note }}\"\n";
    let tree = vec![("top.sls", top.to_owned()), ("hello.sls", hello.to_owned())];
    let mut cluster = Cluster::prepare(&Setup { tree, ..Setup::default() })?;
    let note = "the old horse eats at noon";
    for (path, text) in [
        (
            "dev/other.sls",
            "/etc/other:\n  file.managed:\n    - source: salt://x.conf?saltenv=dev\n",
        ),
        ("dev/x.conf", "of dev\n"),
        ("pillar/top.sls", "base:\n  '*': [note]\ndev:\n  '*': [more]\n"),
        ("pillar/note.sls", &format!("note: {note}\n")),
        ("pillar-dev/more.sls", "more: of dev\n"),
    ] {
        let path = cluster.path(path);
        fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
        fs::write(path, text)?;
    }
    let states = "{tree: {base: [../tree], dev: ../dev}, secrets: all, opts: {color: blue}, \
                  pillar: {base: ../pillar, dev: ../pillar-dev}}";
    set_states(&cluster, states)?;
    cluster.start_controller().await?;
    let bus = cluster.admin().await?;
    cluster.scale(&bus, 1).await?;
    cluster.until(&bus, "ready", ready).await?;
    let etc = root(&cluster)?.join("etc");
    let read = |name: &str| fs::read_to_string(etc.join(name)).context("reading what was applied");
    let found = [read("hello")?, read("other")?, read("opts")?];
    ensure!(found == [&format!("{note}\n"), "of dev\n", "blue\n"], "{found:?}");
    let events = cluster.stored_events(&bus, "muster.event.agent.*.applied").await?;
    let told: String = events.iter().map(|(_, event)| event.data.to_string()).collect();
    ensure!(told.contains("/etc/other") && told.contains("**********"), "{told}");
    ensure!(!told.contains("horse"), "{told}");
    cluster.finish(&[])
}

/// Guards: `States::show` and the roles of its two calls: what is secret is shown to admins alone.
#[tokio::test]
async fn what_a_worker_gets_is_shown_by_the_controller() -> Result<()> {
    let hello = "say:\n  cmd.run:\n    - name: login {{ pillar.password }} {{ grains.id }}\n";
    let top = "base:\n  '*': [hello]\n".to_owned();
    let tree = vec![("top.sls", top), ("hello.sls", hello.to_owned())];
    let mut cluster = Cluster::prepare(&Setup { tree, ..Setup::default() })?;
    fs::create_dir(cluster.path("pillar"))?;
    fs::write(cluster.path("pillar/top.sls"), "base:\n  '*': [all]\n")?;
    fs::write(cluster.path("pillar/all.sls"), "password: Tr0ub4dor\n")?;
    set_states(&cluster, "{tree: ../tree, pillar: ../pillar}")?;
    cluster.start_controller().await?;
    let bus = cluster.admin().await?;
    cluster.scale(&bus, 1).await?;
    let workers = cluster.until(&bus, "enrolled", |all| {
        all.first().is_some_and(|worker| worker.milestones.enrolled.is_some())
    });
    let name = workers.await?[0].name.to_string();
    let show = ["states", "show", "lowstate", "--worker", &name, "-o", "json"];
    let masked = cluster.muster(&show).await?.with_code(0)?.json()?;
    ensure!(masked[0]["name"] == format!("login ********** {name}"), "{masked}");
    let open = cluster.muster(&[&show[..], &["--unmask"]].concat()).await?.with_code(0)?.json()?;
    ensure!(open[0]["name"] == format!("login Tr0ub4dor {name}"), "{open}");
    cluster.finish(&[])
}

/// Guards: `States::push` and `States::check`: only what is new goes out, and never what is broken.
#[tokio::test]
async fn a_push_gives_workers_what_has_changed_and_nobody_what_is_broken() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let bus = cluster.admin().await?;
    cluster.scale(&bus, 1).await?;
    cluster.until(&bus, "ready", ready).await?;
    let all = StatesPush { target: None, apply: false };
    let first = cluster.ask(&bus, &all).await?;
    ensure!(revisions(&first) == [None], "nothing has changed: {first:?}");
    fs::write(cluster.path("tree/hello.sls"), CHANGED)?;
    let target = Some(Target::Names("test-*".to_owned()));
    let second = cluster.ask(&bus, &StatesPush { target, apply: false }).await?;
    ensure!(second.len() == 1 && second[0].revision.is_some(), "{second:?}");
    ensure!(revisions(&cluster.ask(&bus, &all).await?) == [None], "it goes out once");
    fs::write(cluster.path("tree/hello.sls"), BROKEN)?;
    let refused = cluster.ask(&bus, &all).await.map(|_| ()).unwrap_err().to_string();
    ensure!(refused.contains("hello.sls:2: "), "{refused}");
    cluster.finish(&[])
}

/// Guards: `States::watch`: a change that has come to rest goes out, a broken one is told.
#[tokio::test]
async fn a_tree_that_is_watched_goes_out_by_itself() -> Result<()> {
    let mut cluster = Cluster::prepare(&Setup::default())?;
    set_states(&cluster, "{tree: ../tree, watch_secs: 1}")?;
    cluster.start_controller().await?;
    let bus = cluster.admin().await?;
    cluster.scale(&bus, 1).await?;
    cluster.until(&bus, "ready", ready).await?;
    let mut feed = cluster.tail(&bus, "muster.event.states.tree.*").await?;
    fs::write(cluster.path("tree/hello.sls"), CHANGED)?;
    let (subject, event) = next_event(&mut feed).await?;
    ensure!(subject == "muster.event.states.tree.pushed", "{subject}: {event:?}");
    ensure!(event.data["workers"] == 1, "{event:?}");
    fs::write(cluster.path("tree/hello.sls"), BROKEN)?;
    let (subject, event) = next_event(&mut feed).await?;
    ensure!(subject == "muster.event.states.tree.broken", "{subject}: {event:?}");
    ensure!(event.data.to_string().contains("hello.sls:2: "), "{event:?}");
    cluster.finish(&["the state tree has changed and is broken"])
}

/// Guards: `Engine::run` and `Lane::Fired`: what a state tells of is stored, and rules act on it.
#[tokio::test]
async fn an_event_of_a_state_is_tailed_and_sets_off_a_rule() -> Result<()> {
    let top = "base:\n  '*':\n    - fires\n".to_owned();
    let tree = vec![("top.sls", top), ("fires.sls", FIRES.to_owned())];
    let config = "reactors: ../rules\n".to_owned();
    let mut cluster = Cluster::prepare(&Setup { tree, config, ..Setup::default() })?;
    let text = fs::read_to_string(cluster.path("config/controller.yaml"))?;
    let with_pillar = text.replace("{tree: ../tree}", "{tree: ../tree, pillar: ../pillar}");
    ensure!(with_pillar != text, "no states in {text}");
    fs::write(cluster.path("config/controller.yaml"), with_pillar)?;
    fs::create_dir(cluster.path("pillar"))?;
    fs::write(cluster.path("pillar/top.sls"), "base: {'*': [keys]}\n")?;
    fs::write(cluster.path("pillar/keys.sls"), "api_key: Tr0ub4dor-and-3\n")?;
    let mark = cluster.path("mark");
    fs::create_dir(cluster.path("rules"))?;
    let rule = serde_json::json!({
        "name": "mark", "on": "muster.event.agent.*.fired",
        "when": "data.tag == 'my/tag' and data.data.size == 3 and not data.test",
        "do": [{"exec": {"argv": ["touch", mark]}}],
    });
    fs::write(cluster.path("rules/mark.yaml"), rule.to_string())?;
    cluster.start_controller().await?;
    let bus = cluster.admin().await?;
    let mut feed = cluster.tail(&bus, "muster.event.agent.*.fired").await?;
    cluster.scale(&bus, 1).await?;
    let (_, sent) = next_event(&mut feed).await?;
    let fired: Fired = sent.read().context("an event of a state")?;
    let data = serde_json::json!({"size": 3, "key": "**********"});
    ensure!(fired.tag == "my/tag" && fired.data == data && !fired.cut, "{fired:?}");
    ensure!(fired.key == "event_|-my/tag_|-my/tag_|-send" && fired.revision > 0, "{fired:?}");
    let (subject, told) = next_event(&mut feed).await?;
    let fired: Fired = told.read().context("an event of a state")?;
    ensure!(fired.tag == "told" && fired.data["comment"] == "Success!", "{fired:?}");
    ensure!(subject.starts_with("muster.event.agent.test-0001-"), "{subject}");
    cluster.until(&bus, "ready", ready).await?;
    cluster.until(&bus, "told to the rule", |_| mark.exists()).await?;
    cluster.finish(&[])
}
