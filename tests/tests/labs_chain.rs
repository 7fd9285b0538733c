//! The whole chain on a real OpenStack: Nova's server, its fixed address and its user-data; a VM
//! with real systemd and cloud-init in the hypervisor's place; the real agent; and the way back.

#![allow(clippy::unwrap_used, reason = "what fails in a test shall end it, in its helpers too")]

#[path = "labs_openstack/admin.rs"]
#[allow(dead_code, reason = "the chain does less to the cloud than the faults")]
mod admin;
#[path = "labs_openstack/lab.rs"]
#[allow(dead_code, reason = "the chain does less to the cloud than the faults")]
mod lab;
#[path = "labs_chain/machines.rs"]
mod machines;
#[path = "labs_chain/recovery.rs"]
mod recovery;

use anyhow::{Context, Result, ensure};
use lab::{LIMIT, Lab, until};
use machines::{Adapter, Network, Vm};
use muster_controller::provider::Server;
use muster_protocol::api::{Target, WorkerTerminate, WorkerView};
use muster_protocol::bus::{Bus, Credential, Options};
use muster_protocol::subject::Role;
use muster_protocol::worker::Phase;
use muster_tests::cluster::{Cluster, Setup, next_event};
use muster_tests::host;
use nkeys::KeyPair;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// This machine's address on the lab's network: that of the subnet's gateway.
const GATEWAY: &str = "10.77.0.1";
/// An address of that network which Nova has given to nobody.
const STRANGER: &str = "10.77.3.250";
/// What the controller tells of a cloud on a busy machine; it asks again.
const SLOW: &[&str] = &[
    "the cloud did not answer within",
    "no answer within",
    "does not show the server of",
    "is not gone yet",
];

/// A cluster whose workers are the lab's servers.
fn setup(lab: &Lab, config: &str) -> Setup {
    let clouds = lab.clouds_file();
    Setup {
        name: lab.cluster.to_string(),
        provider: Some(format!(
            "{{kind: openstack, cloud: ctl, clouds_file: {clouds:?}, \
             server: {{networks: [ci-net]}}}}"
        )),
        pool: ", flavor: m1.tiny, image: tiny",
        config: format!("verify_instance: {{here: {{policy: required}}}}\n{config}"),
        ..Setup::default()
    }
}

async fn terminate(cluster: &Cluster, admin: &Bus, names: &str) -> Result<()> {
    let target = Target::Names(names.to_owned());
    cluster.ask(admin, &WorkerTerminate { target, force: false }).await?;
    Ok(())
}

fn phase_of<'a>(workers: &'a [WorkerView], name: &str) -> Option<&'a Phase> {
    workers.iter().find(|worker| worker.name.as_str() == name).map(|worker| &worker.phase)
}

#[tokio::test]
async fn servers_of_nova_become_workers_and_leave_nothing_behind() -> Result<()> {
    let lab = Lab::alone().await;
    lab::script("vm-image", &[]);
    let network = Network::open();
    let mut adapter = Adapter::of(&lab, &network);
    let dir = tempfile::tempdir()?;
    let cluster = Cluster::start(&whole_setup(&lab, &network, dir.path())).await?;
    let admin = cluster.admin().await?;
    cluster.scale(&admin, 2).await?;
    let servers = until("Nova's servers", async || {
        let servers = adapter.servers().await;
        (servers.len() == 2).then_some(servers)
    })
    .await;
    a_stranger_is_refused(&cluster, &admin, &lab, &network, &servers[0]).await?;

    adapter.follow().await;
    let ready = |workers: &[WorkerView]| {
        let ready = |worker: &WorkerView| {
            worker.phase == Phase::Ready && worker.milestones.first_sample.is_some()
        };
        workers.len() == 2 && workers.iter().all(ready)
    };
    let workers = cluster.until_within(LIMIT, &admin, "two ready with samples", ready).await;
    let workers = workers.with_context(|| adapter.journals())?;
    for server in &servers {
        is_whole(&adapter, server, &workers)?;
    }
    cluster.more_samples(2, 2).await?;
    let listed = cluster.muster(&["worker", "list", "-o", "json"]).await?.with_code(0)?.json()?;
    let phases: Vec<&Value> = listed.as_array().context("a list")?.iter().collect();
    ensure!(phases.len() == 2 && phases.iter().all(|one| one["phase"] == "ready"), "{listed:#}");
    let (hosts, first, second) = (dir.path().join("hosts"), &servers[0], &servers[1]);
    for server in &servers {
        cluster.until(&admin, "let in", |_| is_let_in(&network, &hosts, server)).await?;
    }

    ends(&cluster, &admin, &mut adapter, first).await?;
    cluster.until(&admin, "shut out", |_| is_shut_out(&network, &hosts, first)).await?;
    ensure!(is_let_in(&network, &hosts, second), "the other is shut out, too");
    let workers = cluster.workers(&admin).await?;
    ensure!(phase_of(&workers, second.name.as_str()) == Some(&Phase::Ready), "{workers:#?}");
    ends(&cluster, &admin, &mut adapter, second).await?;
    cluster.until(&admin, "shut out", |_| is_shut_out(&network, &hosts, second)).await?;
    assert_eq!(lab.servers().await, 0);
    drop(adapter);
    drop(network);
    for server in &servers {
        let traces = host::traces(&Vm::folder(server.name.as_str()));
        ensure!(traces.is_empty(), "{traces:#?}");
    }
    let link = Path::new("/sys/class/net/muster-lab");
    host::until("the lab's network gone", || Ok((!link.exists()).then_some(()))).await?;
    cluster.finish(&[&["not admitted"], SLOW].concat())
}

fn whole_setup(lab: &Lab, network: &Network, dir: &Path) -> Setup {
    let (hosts, [nsenter, net]) = (dir.join("hosts"), network.entry());
    let config = format!(
        "agent: {{interval_secs: 1}}\ntimeouts: {{reconcile_secs: 3}}\n\
         membership:\n  hosts: {{path: {hosts:?}}}\n  \
         allow: {{kind: nftables, command: [{nsenter}, '{net}', nft, -f, '-']}}\n"
    );
    Setup { listen: format!("{GATEWAY}:0"), ..setup(lab, &config) }
}

/// Another machine has read the user-data first: it may not enrol, and costs the server nothing.
async fn a_stranger_is_refused(
    cluster: &Cluster,
    admin: &Bus,
    lab: &Lab,
    network: &Network,
    server: &Server,
) -> Result<()> {
    let stranger = Vm::boot(network, "stranger", STRANGER, lab, server);
    let why = format!("it calls from {STRANGER}, which is no address of its server");
    let mut alarms = cluster.tail(admin, "muster.event.security.>").await?;
    let (subject, alarm) = next_event(&mut alarms).await.with_context(|| stranger.journal())?;
    assert_eq!(subject, format!("muster.event.security.{}.enrolment", server.agent_id));
    assert_eq!(alarm.data["who"], format!("{} from {STRANGER}", server.agent_id));
    assert_eq!(alarm.data["what"], why.as_str());
    let told = format!("the controller refuses {}: {why}", server.agent_id);
    host::until("the refusal in the stranger's log", || {
        Ok(stranger.journal().contains(&told).then_some(()))
    })
    .await?;
    ensure!(stranger.file("/var/lib/muster-agent/identity.json").is_none(), "it has enrolled");
    ensure!(stranger.file("/etc/hello").is_none(), "it has run a state");
    Ok(())
}

/// What a ready worker is, seen from its disk, from the bus and from Nova.
fn is_whole(adapter: &Adapter<'_>, server: &Server, workers: &[WorkerView]) -> Result<()> {
    let name = server.name.as_str();
    let worker = workers.iter().find(|worker| worker.name == server.name).context("no worker")?;
    assert_eq!(worker.agent_id, server.agent_id);
    assert_eq!(worker.provider_id.as_deref(), Some(server.id.as_str()));
    assert_eq!(worker.addresses, server.addresses);
    let states = worker.states.as_ref().context("no states")?;
    assert_eq!((states.total, states.changed, states.failed), (1, 1, 0));
    let vm = adapter.vm(name).context("no VM")?;
    assert_eq!(vm.file("/etc/hello"), Some(format!("hello {name}\n")));
    assert_eq!(vm.file("/etc/muster/bootstrap.yaml"), None);
    let said = vm.run("cloud-init status --wait");
    ensure!(said.contains("status: done"), "cloud-init: {said}");
    Ok(())
}

/// The addresses from which agents are connected, as the kernel tells it to nats-server.
fn connected(cluster: &Cluster) -> Result<Vec<String>> {
    let servers = cluster.servers()?;
    let port = servers[0].rsplit_once(':').context("a port")?.1;
    let filter = format!("sport = :{port}");
    let output = Command::new("ss").args(["-Htn", "state", "established", &filter]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let peer = |line: &str| Some(line.split_whitespace().last()?.rsplit_once(':')?.0.to_owned());
    Ok(text.lines().filter_map(peer).collect())
}

/// The allow list of the packet filter, and the hosts file.
fn listed(network: &Network, hosts: &Path, server: &Server) -> (bool, bool) {
    let (address, name) = (server.addresses[0], &server.name);
    let set = network.run("nft list set inet muster workers4");
    let in_set = set.split([' ', ',', '\n']).any(|word| word == address.to_string());
    let text = fs::read_to_string(hosts).unwrap_or_default();
    (in_set, text.lines().any(|line| line == format!("{address} {name}")))
}

fn is_let_in(network: &Network, hosts: &Path, server: &Server) -> bool {
    listed(network, hosts, server) == (true, true)
}

fn is_shut_out(network: &Network, hosts: &Path, server: &Server) -> bool {
    listed(network, hosts, server) == (false, false)
}

/// Terminates a worker: its connection is cut while its VM still runs, Nova has its server no more,
/// and what is on its disk opens nothing.
async fn ends(
    cluster: &Cluster,
    admin: &Bus,
    adapter: &mut Adapter<'_>,
    server: &Server,
) -> Result<()> {
    let (name, address) = (server.name.as_str(), server.addresses[0].to_string());
    ensure!(connected(cluster)?.contains(&address), "{address} is not connected");
    let vm = adapter.vm(name).context("no VM")?;
    let read = |file: &str| -> Result<Value> {
        let text = vm.file(&format!("/var/lib/muster-agent/{file}.json"));
        Ok(serde_json::from_str(&text.context("no such file")?)?)
    };
    let (identity, keys) = (read("identity")?, read("keys")?);
    connect(cluster, server, &identity, &keys).await.context("its credential is good")?;

    terminate(cluster, admin, name).await?;
    let gone = |workers: &[WorkerView]| phase_of(workers, name) == Some(&Phase::Terminated);
    cluster.until(admin, "terminated", gone).await?;
    ensure!(adapter.vm(name).is_some(), "its VM runs until Nova's server is gone");
    host::until("cut off", || Ok((!connected(cluster)?.contains(&address)).then_some(()))).await?;
    let again = connect(cluster, server, &identity, &keys).await;
    ensure!(again.is_err(), "a revoked credential let somebody in");
    until("Nova's server and the VM to go", async || {
        adapter.follow().await;
        adapter.vm(name).is_none().then_some(())
    })
    .await;
    Ok(())
}

/// Connects with what is on a worker's disk.
async fn connect(cluster: &Cluster, server: &Server, identity: &Value, keys: &Value) -> Result<()> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
    let key = KeyPair::from_seed(&text(&keys["user"])?)?;
    let bus = Bus::connect(Options {
        role: Role::Agent,
        name: server.agent_id.to_string(),
        servers: cluster.servers()?,
        ca: Some(cluster.path("config/ca.pem")),
        credential: Credential::new(Arc::new(key), text(&identity["jwt"])?),
    })
    .await?;
    bus.close().await;
    Ok(())
}
