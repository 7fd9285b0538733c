//! The controller's own share of a launch: from the durable intent to the `POST` at the cloud, and
//! what two hundred launches in flight cost. Keystone, Glance and Nova are a stand-in which holds
//! its answers back; the controller and nats-server are the real ones.

#[path = "launches/nova.rs"]
mod nova;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use muster_protocol::api::PoolScale;
use muster_protocol::bus::Bus;
use muster_protocol::event::PhaseChanged;
use muster_tests::cluster::{Cluster, Setup, next_event};
use muster_tests::figures::{
    Part, Spent, memory, millis, processes, say, tell, tell_tail, time_of_day, title,
};
use nova::Nova;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// Launches one after the other.
const SINGLE: u32 = 50;
/// Launches at once.
const BURST: usize = 200;
/// Clouds: a controller has at most 32 calls under way in each.
const CLOUDS: usize = 7;
/// An answer is not held back longer: a call ends before the lease does.
const HOLD_MAX: Duration = Duration::from_secs(4);
/// Reconciles that are waited for.
const RECONCILES: usize = 10;
/// The aims.
const OWN_MILLIS_MAX: f64 = 5.0;
const RSS_MIB_MAX: f64 = 50.0;

fn main() -> Result<()> {
    title("launches: from the durable intent to the POST at the cloud");
    tokio::runtime::Runtime::new()?.block_on(launches())
}

async fn launches() -> Result<()> {
    let nova = Nova::start().await?;
    let mut cluster = Cluster::prepare(&Setup::default())?;
    configure(&cluster, &nova)?;
    cluster.start_controller().await?;
    let admin = cluster.admin().await?;
    one_by_one(&cluster, &admin, &nova).await?;
    at_once(&cluster, &admin, &nova).await?;
    at_rest(&cluster, &nova).await?;
    cluster.finish(&[])
}

fn configure(cluster: &Cluster, nova: &Nova) -> Result<()> {
    let clouds = cluster.path("clouds.yaml");
    fs::write(&clouds, nova.clouds_file(CLOUDS + 1))?;
    fs::set_permissions(&clouds, Permissions::from_mode(0o600))?;
    let all = 1..=CLOUDS + 1;
    let providers = all.clone().map(|number| {
        format!("  c{number}: {{kind: openstack, cloud: c{number}, clouds_file: {clouds:?}}}\n")
    });
    let pools = all.map(|number| {
        format!(
            "  p{number}: {{provider: c{number}, max: 200, launches_max: 200, flavor: m1.tiny, \
             image: rocky-9}}\n"
        )
    });
    let text = format!(
        "cluster: test\nkeys: .\ndata: ../data\nstates: {{tree: ../tree}}\n\
         store: {{bytes_max: 900000000}}\ntimeouts: {{reconcile_secs: 1}}\n\
         providers:\n{}pools:\n{}",
        providers.collect::<String>(),
        pools.collect::<String>()
    );
    Ok(fs::write(cluster.path("config/controller.yaml"), text)?)
}

/// Each begins when the one before has its server.
async fn one_by_one(cluster: &Cluster, admin: &Bus, nova: &Nova) -> Result<()> {
    let mut feed = cluster.tail(admin, "muster.event.worker.*.booting").await?;
    let before = Spent::now(&cluster.path(""))?;
    let pool = format!("p{}", CLOUDS + 1);
    let mut begun = Vec::new();
    for size in 1..=SINGLE {
        begun.push(Instant::now());
        cluster.ask(admin, &PoolScale { pool: pool.parse()?, size }).await?;
        next_event(&mut feed).await?;
    }
    let spent = Spent::now(&cluster.path(""))?;
    say(&format!("{SINGLE} launches, one after the other:"));
    let times = own_times(cluster, nova)?;
    ensure!(times.len() == SINGLE as usize, "{} launches", times.len());
    tell_tail("from the durable intent to the POST", &times, "ms");
    let mut sorted = times.clone();
    sorted.sort_by(f64::total_cmp);
    let median = muster_tests::figures::quantile(&sorted, 0.5);
    aim("median", median, OWN_MILLIS_MAX, "ms");
    let each = |part| millis(spent.since(&before, part)) / f64::from(SINGLE);
    tell("CPU of the controller, each launch", each(Part::Controller), "ms");
    tell("CPU of nats-server, each launch", each(Part::Nats), "ms");
    Ok(())
}

/// All of them are asked for before the first is answered.
async fn at_once(cluster: &Cluster, admin: &Bus, nova: &Nova) -> Result<()> {
    let mut feed = cluster.tail(admin, "muster.event.worker.*.booting").await?;
    for _ in 0..SINGLE {
        next_event(&mut feed).await?;
    }
    let known = nova.asked();
    let controller = processes(&cluster.path(""))?[&Part::Controller][0];
    let idle = memory(controller)?;
    let before = Spent::now(&cluster.path(""))?;
    nova.hold(true);
    let begin = Instant::now();
    let scales = (0..CLOUDS).map(|number| async move {
        let share = BURST / CLOUDS + usize::from(number < BURST % CLOUDS);
        let (pool, size) = (format!("p{}", number + 1).parse()?, u32::try_from(share)?);
        cluster.ask(admin, &PoolScale { pool, size }).await
    });
    try_join_all(scales).await?;
    nova.until_open(BURST, HOLD_MAX).await.context("not all at once within the lease")?;
    let asked = begin.elapsed();
    let busy = memory(controller)?;
    nova.hold(false);
    for _ in 0..BURST {
        let (_, event) = next_event(&mut feed).await?;
        event.read::<PhaseChanged>().context("no change of phase")?;
    }
    let all = begin.elapsed();
    let after = Spent::now(&cluster.path(""))?;
    let mut times: BTreeMap<String, f64> = own_times_by_agent(cluster, nova)?;
    times.retain(|agent, _| !known.contains_key(agent));
    ensure!(times.len() == BURST, "{} launches", times.len());
    say(&format!("{BURST} launches at once, in {CLOUDS} clouds, none answered before the last:"));
    tell("from the call to the last POST", millis(asked), "ms");
    tell("from the call until all are booting", millis(all), "ms");
    let times: Vec<f64> = times.into_values().collect();
    tell_tail("from the durable intent to the POST", &times, "ms");
    let each = |part| millis(after.since(&before, part)) / BURST as f64;
    tell("CPU of the controller, each launch", each(Part::Controller), "ms");
    tell("CPU of nats-server, each launch", each(Part::Nats), "ms");
    tell("RSS of the controller before", idle.rss as f64 / 1024.0, "MiB");
    tell("of it heap and stacks", idle.anonymous as f64 / 1024.0, "MiB");
    aim("RSS with all in flight", busy.rss as f64 / 1024.0, RSS_MIB_MAX, "MiB");
    tell("of it heap and stacks", busy.anonymous as f64 / 1024.0, "MiB");
    Ok(())
}

/// Nothing changes any more, and the clouds are looked at once a second.
async fn at_rest(cluster: &Cluster, nova: &Nova) -> Result<()> {
    let listed = |count: usize| async move {
        let until = Instant::now() + muster_tests::cluster::PATIENCE;
        let target = nova.listings() + count * (CLOUDS + 1);
        while nova.listings() < target {
            ensure!(Instant::now() < until, "the clouds are not looked at");
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    listed(1).await?;
    let before = Spent::now(&cluster.path(""))?;
    listed(RECONCILES).await?;
    let spent = Spent::now(&cluster.path(""))?.since(&before, Part::Controller);
    let workers = BURST + SINGLE as usize;
    say(&format!("at rest with {workers} workers in {} clouds:", CLOUDS + 1));
    let each = millis(spent) / RECONCILES as f64;
    tell("CPU of the controller, each reconcile, over HTTP", each, "ms");
    Ok(())
}

fn aim(what: &str, value: f64, most: f64, unit: &str) {
    let verdict = if value <= most { "within" } else { "beyond" };
    tell(&format!("{what} ({verdict} the aim of {most:.0} {unit})"), value, unit);
}

/// Milliseconds from the line that tells the stored intent to the arrival of the `POST`.
fn own_times_by_agent(cluster: &Cluster, nova: &Nova) -> Result<BTreeMap<String, f64>> {
    let mut intents: BTreeMap<String, Duration> = BTreeMap::new();
    for line in cluster.log().lines().filter(|line| line.contains(" phase=pending")) {
        let agent = line.split_once(" agent_id=").and_then(|(_, rest)| rest.split(' ').next());
        let at = time_of_day(line).with_context(|| line.to_owned())?;
        intents.insert(agent.context("an agent's id")?.to_owned(), at);
    }
    let asked = nova.asked().into_iter();
    asked
        .map(|(agent, at)| {
            let intent = intents.get(&agent).with_context(|| format!("no intent of {agent}"))?;
            Ok((agent, (at.as_secs_f64() - intent.as_secs_f64()) * 1000.0))
        })
        .collect()
}

fn own_times(cluster: &Cluster, nova: &Nova) -> Result<Vec<f64>> {
    Ok(own_times_by_agent(cluster, nova)?.into_values().collect())
}
