//! Outages longer than the window in which NATS knows a message again: what was acknowledged is
//! there, and what is stored twice is acted on once.

use anyhow::{Context, Result, ensure};
use muster_protocol::bus::{Ack, Bus, State};
use muster_protocol::event::{Event, Executed};
use muster_protocol::id::{AgentId, Token, UnixMillis, random};
use muster_protocol::{subject, wire};
use muster_tests::cluster::{Cluster, PATIENCE, Setup, nats_server, next_event};
use muster_tests::host::{self, until};
use muster_tests::machines::Yard;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::interval;

const POLL: Duration = Duration::from_millis(50);
/// NATS forgets a message's id after it; an outage of the tests is longer.
const WINDOW: Duration = Duration::from_secs(1);
const AGENTS: u32 = 4;
/// Between two events of one agent.
const PACE: Duration = Duration::from_millis(10);
/// The same while somebody is away for long.
const SLOW_PACE: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(10);
/// Kills of nats-server, and acknowledged events before each.
const KILLS: usize = 3;
const BEFORE_KILL: u64 = 200;
/// What is said of a program whose controller ended.
const INTERRUPTED: &str = "whether it has done its work is unknown";
/// One event of so many is acted on.
const ACTED_EVERY: u64 = 10;

/// A cluster whose window is short and whose reactors write down what they act on.
async fn start(yard: &Yard, nats: Option<PathBuf>, when: &str) -> Result<Cluster> {
    let config = "reactors: ../rules\n".to_owned();
    let setup = Setup { agent: yard.agent(), config, nats, ..Setup::default() };
    let mut cluster = Cluster::prepare(&setup)?;
    let path = cluster.path("config/controller.yaml");
    let text = fs::read_to_string(&path)?;
    let window = format!("store: {{duplicate_secs: {}, ", WINDOW.as_secs());
    fs::write(&path, text.replace("store: {", &window))?;
    fs::create_dir(cluster.path("rules"))?;
    let script = format!("line=$(cat); echo \"$line\" >>{:?}", cluster.path("acted"));
    let rule = serde_json::json!({
        "name": "acted", "on": "muster.event.agent.*.executed", "when": when,
        "do": [{"exec": {"argv": ["/bin/sh", "-c", script]}}],
    });
    fs::write(cluster.path("rules/acted.yaml"), rule.to_string())?;
    cluster.start_controller().await?;
    Ok(cluster)
}

/// How often each event was acted on, by its id.
fn acted(cluster: &Cluster) -> Result<BTreeMap<String, usize>> {
    let text = fs::read_to_string(cluster.path("acted")).unwrap_or_default();
    let mut acted = BTreeMap::new();
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).context(line.to_owned())?;
        let id = event["id"].as_str().context("an event has an id")?;
        *acted.entry(id.to_owned()).or_default() += 1;
    }
    Ok(acted)
}

/// Events whose action was cut short by the end of its controller, which is told and not repeated.
fn interrupted(cluster: &Cluster) -> BTreeSet<String> {
    let log = cluster.log();
    let lines = log.lines().filter(|line| line.contains(INTERRUPTED));
    lines
        .filter_map(|line| Some(line.split_once(" id=")?.1.split(' ').next()?.to_owned()))
        .collect()
}

async fn until_acted(cluster: &Cluster, event: &Event) -> Result<()> {
    let id = event.id.to_string();
    until(&format!("acted on {id}"), || Ok(acted(cluster)?.contains_key(&id).then_some(()))).await
}

fn event(number: u64) -> Event {
    let executed = Executed {
        command: Token::random(random()),
        code: Some(0),
        stdout: String::new(),
        stderr: String::new(),
        truncated: false,
        error: None,
        duration_millis: number,
    };
    Event::new(Token::random(random()), UnixMillis::now(), &executed)
}

async fn publish(bus: &Bus, agent: &AgentId, kind: &str, event: &Event) -> Result<Ack> {
    let to = subject::agent_event(agent, kind);
    Ok(bus.publish(to, event.id.as_str(), wire::encode(event)).await?)
}

/// Waits until NATS has forgotten the ids of all that was published before.
async fn window_is_over(bus: &Bus, agent: &AgentId) -> Result<()> {
    let (probe, mut ticks) = (event(1), interval(POLL));
    publish(bus, agent, "failed", &probe).await?;
    let until = Instant::now() + PATIENCE;
    while publish(bus, agent, "failed", &probe).await?.duplicate {
        ensure!(Instant::now() < until, "the window does not end");
        ticks.tick().await;
    }
    Ok(())
}

/// Guards: the ids that `reactors::engine` remembers; and behind a restart, which loses them, the
/// look at the message before in `Engine::take`.
#[tokio::test]
async fn an_event_that_is_stored_twice_is_acted_on_once_also_by_the_next_controller() -> Result<()>
{
    let yard = Yard::new()?;
    let mut cluster = start(&yard, None, "true").await?;
    let admin = cluster.admin().await?;
    let machine = yard.machines(&cluster, &admin, 1).await?.remove(0);
    let (agent, bus) = (machine.agent_id().clone(), machine.enrol(&cluster).await?);
    let (first, second, marker) = (event(1), event(2), event(3));

    let stored = publish(&bus, &agent, "executed", &first).await?;
    until_acted(&cluster, &first).await?;
    window_is_over(&bus, &agent).await?;
    let again = publish(&bus, &agent, "executed", &first).await?;
    ensure!(!again.duplicate && again.sequence > stored.sequence, "{again:?} is no double");
    publish(&bus, &agent, "executed", &second).await?;
    until_acted(&cluster, &second).await?;

    cluster.kill_controller()?;
    window_is_over(&bus, &agent).await?;
    ensure!(!publish(&bus, &agent, "executed", &second).await?.duplicate, "it is no double");
    cluster.start_controller().await?;
    publish(&bus, &agent, "executed", &marker).await?;
    until_acted(&cluster, &marker).await?;
    let acted = acted(&cluster)?;
    ensure!(acted.len() == 3 && acted.values().all(|times| *times == 1), "{acted:?}");
    cluster.finish(&[])
}

/// What the publishers have done.
#[derive(Default)]
struct Told {
    /// Times that an event was sent.
    sent: AtomicU64,
    acknowledged: AtomicU64,
    /// A long absence: events are said slowly, for NATS keeps some thousands of a kind.
    slowly: AtomicBool,
    over: AtomicBool,
}

/// Sends an event until a stream has it, as the agent's outbox does: again, with the same id,
/// whenever the connection went.
async fn say(bus: &Bus, agent: &AgentId, event: &Event, told: &Told) -> Result<()> {
    let mut state = bus.state();
    loop {
        state.wait_for(|state| *state != State::Disconnected).await?;
        told.sent.fetch_add(1, Ordering::Relaxed);
        let stored = tokio::select! {
            stored = publish(bus, agent, "executed", event) => stored,
            _ = state.wait_for(|state| *state != State::Connected) => continue,
        };
        match stored {
            Ok(_) => {
                told.acknowledged.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Err(error) => {
                let bus = error.downcast_ref::<muster_protocol::bus::Error>();
                ensure!(bus.is_some_and(|error| error.is_retryable()), "given up: {error:#}");
            }
        }
    }
}

/// Says one event after the other until it is over. Returns the ids that were acknowledged.
async fn talk(bus: Bus, agent: AgentId, told: Arc<Told>) -> Result<Vec<String>> {
    let (mut said, mut pace, mut slow) = (Vec::new(), interval(PACE), interval(SLOW_PACE));
    while !told.over.load(Ordering::Relaxed) {
        pace.tick().await;
        if told.slowly.load(Ordering::Relaxed) {
            slow.tick().await;
        }
        let event = event(said.len() as u64);
        say(&bus, &agent, &event, &told).await?;
        said.push(event.id.to_string());
    }
    Ok(said)
}

/// How long nats-server is away at least: longer than the window, or as long as somebody says.
fn outage() -> (usize, Duration) {
    let given = std::env::var("MUSTER_OUTAGE_SECS").ok().and_then(|secs| secs.parse().ok());
    given.map_or((KILLS, WINDOW * 3 / 2), |secs| (1, Duration::from_secs(secs)))
}

/// Takes nats-server away under load, for a while.
async fn kill(cluster: &Cluster, nats: &Path, told: &Told, away: Duration) -> Result<Duration> {
    let before = told.acknowledged.load(Ordering::Relaxed) + BEFORE_KILL;
    let acknowledged = || told.acknowledged.load(Ordering::Relaxed);
    until("events", || Ok((acknowledged() >= before).then_some(()))).await?;
    let hidden = nats.with_extension("away");
    fs::rename(nats, &hidden)?;
    host::signal(cluster.nats_pid()?, "KILL")?;
    let (gone, mut ticks) = (Instant::now(), interval(POLL));
    while gone.elapsed() < away {
        ticks.tick().await;
    }
    fs::rename(&hidden, nats)?;
    let (back, mark) = (Instant::now(), acknowledged());
    until("events again", || Ok((acknowledged() > mark).then_some(()))).await?;
    Ok(back.elapsed())
}

/// Stored events of the agents: how often each is there, by its id.
async fn stored(cluster: &Cluster, admin: &Bus) -> Result<BTreeMap<String, usize>> {
    let (user, lease) = (admin.name().parse()?, Token::random(random()));
    let mut feed = admin.feed(&user, &lease).await?;
    let filter = "muster.event.agent.*.executed".to_owned();
    let open = muster_protocol::api::TailOpen { lease, filter, since: Some(UnixMillis(0)) };
    let pending = cluster.ask(admin, &open).await?.pending;
    let mut stored = BTreeMap::new();
    for _ in 0..pending {
        *stored.entry(next_event(&mut feed).await?.1.id.to_string()).or_default() += 1;
    }
    Ok(stored)
}

/// Kills the controller under load, and starts it again after a while.
async fn kill_controller(cluster: &mut Cluster, told: &Told, away: Duration) -> Result<Duration> {
    let acknowledged = || told.acknowledged.load(Ordering::Relaxed);
    let before = acknowledged() + BEFORE_KILL;
    until("events", || Ok((acknowledged() >= before).then_some(()))).await?;
    cluster.kill_controller()?;
    let (gone, mark, mut ticks) = (Instant::now(), acknowledged(), interval(POLL));
    told.slowly.store(away > LONG, Ordering::Relaxed);
    while gone.elapsed() < away {
        ticks.tick().await;
    }
    told.slowly.store(false, Ordering::Relaxed);
    ensure!(acknowledged() > mark, "nothing is stored without a controller");
    let back = Instant::now();
    cluster.start_controller().await?;
    Ok(back.elapsed())
}

/// Agents that talk.
struct Talk {
    told: Arc<Told>,
    talking: JoinSet<Result<Vec<String>>>,
}

impl Talk {
    async fn start(cluster: &Cluster, admin: &Bus, yard: &Yard) -> Result<Talk> {
        let (told, mut talking) = (Arc::new(Told::default()), JoinSet::new());
        for machine in yard.machines(cluster, admin, AGENTS).await? {
            let (agent, bus) = (machine.agent_id().clone(), machine.enrol(cluster).await?);
            talking.spawn(talk(bus, agent, Arc::clone(&told)));
        }
        Ok(Talk { told, talking })
    }

    /// Ends it; all that was acknowledged must be stored, and what is due acted on once.
    async fn judge(mut self, cluster: &Cluster, admin: &Bus, what: &str) -> Result<()> {
        self.told.over.store(true, Ordering::Relaxed);
        let (mut acknowledged, mut due) = (BTreeSet::new(), BTreeSet::new());
        while let Some(said) = self.talking.join_next().await {
            let said = said??;
            due.extend(said.iter().step_by(usize::try_from(ACTED_EVERY)?).cloned());
            acknowledged.extend(said);
        }
        until("all acted on", || {
            let (acted, cut) = (acted(cluster)?, interrupted(cluster));
            let known = |id: &String| acted.contains_key(id) || cut.contains(id);
            Ok(due.iter().all(known).then_some(()))
        })
        .await?;
        let (stored, acted) = (stored(cluster, admin).await?, acted(cluster)?);
        let lost = acknowledged.iter().filter(|id| !stored.contains_key(*id)).count();
        let again: Vec<_> = acted.iter().filter(|(_, times)| **times > 1).collect();
        eprintln!(
            "{what}: {} sent, {} acknowledged, {} arrived, {lost} lost, {} stored twice; {} acted \
             on, {} of them twice; {} told as cut short",
            self.told.sent.load(Ordering::Relaxed),
            acknowledged.len(),
            stored.len(),
            stored.values().filter(|times| **times > 1).count(),
            acted.len(),
            again.len(),
            interrupted(cluster).len()
        );
        ensure!(lost == 0 && again.is_empty(), "{again:?}\n{}", cluster.log());
        Ok(())
    }
}

/// Guards: `sync_interval: always`, the ids of messages and events, the consumers that open again.
/// `MUSTER_OUTAGE_SECS=900` takes the server away once, for so long.
#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_event_is_lost_and_none_acted_on_twice_whenever_nats_is_killed()
-> Result<()> {
    let (dir, yard) = (tempfile::tempdir()?, Yard::new()?);
    let nats = dir.path().join("nats-server");
    symlink(fs::canonicalize(nats_server())?, &nats)?;
    let when = format!("data.duration_millis % {ACTED_EVERY} == 0");
    let cluster = start(&yard, Some(nats.clone()), &when).await?;
    let admin = cluster.admin().await?;
    let talk = Talk::start(&cluster, &admin, &yard).await?;
    let ((kills, away), mut recovered) = (outage(), Duration::ZERO);
    for _ in 0..kills {
        recovered = recovered.max(kill(&cluster, &nats, &talk.told, away).await?);
    }
    let what = format!(
        "{kills} kills of nats-server, {away:?} each, the first event after {recovered:?} at most"
    );
    talk.judge(&cluster, &admin, &what).await?;
    cluster.finish(&[
        "nats-server ended",
        "nats-server does not start",
        "could not be planned",
        "could not be read or written",
        "age could not be noted",
        "the lease is lost",
        "tasks did not stop in time",
        "it is tried again",
        "a call's event was not stored",
        INTERRUPTED,
    ])
}

/// Guards: the durable consumers, which keep their place, and what `actions::programs` writes down
/// before a program begins. `MUSTER_OUTAGE_SECS=600` keeps the controller away once, for so long.
#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_event_is_lost_and_none_acted_on_twice_while_the_controller_is_dead()
-> Result<()> {
    let yard = Yard::new()?;
    let when = format!("data.duration_millis % {ACTED_EVERY} == 0");
    let mut cluster = start(&yard, None, &when).await?;
    let admin = cluster.admin().await?;
    let talk = Talk::start(&cluster, &admin, &yard).await?;
    let ((kills, away), mut recovered) = (outage(), Duration::ZERO);
    for _ in 0..kills {
        recovered = recovered.max(kill_controller(&mut cluster, &talk.told, away).await?);
    }
    let what = format!("{kills} kills of the controller, {away:?} each, up in {recovered:?}");
    talk.judge(&cluster, &admin, &what).await?;
    cluster.finish(&[INTERRUPTED])
}
