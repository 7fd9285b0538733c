//! What agents, people, and even the owner of the NATS server cannot read.

use crate::ground::{Ground, agent_id, may_say, tried};
use crate::person::Person;
use anyhow::{Context, Result, ensure};
use async_nats::HeaderMap;
use muster_protocol::id::AgentId;
use muster_protocol::subject::{self, Account, Role};
use muster_tests::cluster::{Cluster, PATIENCE, Setup};

const SECRET: &str = "a-secret-that-is-in-pillar-alone";

/// A cluster whose only worker has got a secret from its pillar, heard from the first moment on.
async fn with_pillar() -> Result<Cluster> {
    let top = || "base:\n  '*':\n    - hello\n".to_owned();
    let hello = "/etc/hello:\n  file.managed:\n    - contents: {{ pillar['secret'] }}\n";
    let tree = vec![("top.sls", top()), ("hello.sls", hello.to_owned())];
    let cluster = Cluster::prepare(&Setup { tree, ..Setup::default() })?;
    let pillar = cluster.path("pillar");
    std::fs::create_dir(&pillar)?;
    std::fs::write(pillar.join("top.sls"), top())?;
    std::fs::write(pillar.join("hello.sls"), format!("secret: {SECRET}\n"))?;
    let config = cluster.path("config/controller.yaml");
    let text = std::fs::read_to_string(&config)?;
    let with = text.replace("{tree: ../tree}", "{tree: ../tree, pillar: ../pillar}");
    ensure!(with != text, "the pillar is not configured");
    std::fs::write(config, with)?;
    Ok(cluster)
}

/// All that is said in BUS, in AGENTS and in PEOPLE while a worker gets its pillar.
///
/// Guards: `Sealed` in `seal.rs`; that the agent's reports and the controller's events show no
/// value of a pillar.
#[tokio::test]
async fn whoever_owns_the_server_reads_no_pillar() -> Result<()> {
    let mut cluster = with_pillar().await?;
    cluster.start_controller().await?;
    let ground = Ground::of(cluster).await?;
    let mut ears = Vec::new();
    for account in [Account::Bus, Account::Agents, Account::People] {
        ears.push(ground.ears(account).await?);
    }
    ground.cluster.scale(&ground.admin, 1).await?;
    let worker = ground.ready().await?;
    let server = worker.provider_id.context("no server")?;
    let file = ground.cluster.path(&format!("data/local/here/{server}/root/etc/hello"));
    let got = std::fs::read_to_string(file)?;
    ensure!(got.contains(SECRET), "the worker has no secret: {got}");
    let mut messages = 0;
    for one in &ears {
        one.catch_up().await?;
        for heard in one.heard() {
            let read = heard.payload.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
            ensure!(!read, "the secret is on {}", heard.subject);
            messages += 1;
        }
    }
    ensure!(!ground.cluster.log().contains(SECRET), "the secret is in the log");
    tried("messages searched for a secret", messages)?;
    ground.cluster.finish(&[])
}

/// Questions that a direct get understands, besides the one that its subject asks.
const TRICKS: [&str; 8] = [
    r#"{"last_by_subj":"$KV.DESIRED.OTHER"}"#,
    r#"{"multi_last":["$KV.>"]}"#,
    r#"{"multi_last":[">"],"batch":100}"#,
    r#"{"batch":100,"next_by_subj":">"}"#,
    r#"{"next_by_subj":"$KV.DESIRED.OTHER"}"#,
    r#"{"seq":1}"#,
    r#"{"seq":1,"batch":100,"next_by_subj":"$KV.>"}"#,
    r#"{"start_time":"2020-01-01T00:00:00Z","multi_last":["$KV.>"]}"#,
];

/// On the real cluster, with real documents: an agent reads its own desired state and blobs, and
/// nothing of another's; what is no question of its own is refused, or answered as if it were.
///
/// Guards: the crossings of direct gets in `subject.rs`, whose subject the server fills in.
#[tokio::test]
async fn an_agent_reads_nothing_of_anothers_by_any_question() -> Result<()> {
    let ground = Ground::start(&Setup::default()).await?;
    ground.cluster.scale(&ground.admin, 1).await?;
    let other = ground.ready().await?.agent_id;
    let thief = agent_id();
    let mut person = ground.person(Role::Agent, thief.as_str()).await?;
    let mut tries = 0;
    for said in may_say(Role::Agent, thief.as_str()) {
        for trick in TRICKS {
            let trick = trick.replace("OTHER", other.as_str());
            leaks_nothing(&person, &said, &trick, &other).await?;
            tries += 1;
        }
    }
    let others = [
        subject::state(&other),
        subject::desired(&other),
        subject::stats(&other),
        subject::rpc(&other, "renew"),
        subject::enrol(&other),
        subject::agent_event(&other, "started"),
        subject::command(&other, "exec"),
        format!("$JS.API.DIRECT.GET.KV_DESIRED.$KV.DESIRED.{other}"),
        "$JS.API.STREAM.MSG.GET.EVENTS".to_owned(),
        "$JS.API.STREAM.INFO.EVENTS".to_owned(),
        "$JS.API.STREAM.NAMES".to_owned(),
        "$JS.API.CONSUMER.NAMES.EVENTS".to_owned(),
        "$JS.API.CONSUMER.CREATE.EVENTS".to_owned(),
        "$JS.API.CONSUMER.MSG.NEXT.EVENTS.controller".to_owned(),
        "$JS.API.STREAM.SNAPSHOT.EVENTS".to_owned(),
        "$JS.API.STREAM.PURGE.EVENTS".to_owned(),
    ];
    for subject in &others {
        ensure!(!person.may_publish(subject).await?, "it may ask {subject}");
    }
    let wide = [
        format!("muster.*.{other}"),
        format!("muster.*.{other}.*"),
        format!("_INBOX.{other}.>"),
        format!("_INBOX.boot.{other}.>"),
        "muster.event.*.*.*".to_owned(),
        "*.*.*".to_owned(),
        "muster.desired.*".to_owned(),
        "muster.stats.*".to_owned(),
    ];
    for subject in &wide {
        ensure!(!person.may_subscribe(subject).await?, "it may hear {subject}");
    }
    tried("questions about another's", tries + others.len() + wide.len())?;
    ground.cluster.finish(&["cannot be read", "dropped a frame", "not admitted"])
}

async fn leaks_nothing(person: &Person, said: &str, trick: &str, other: &AgentId) -> Result<()> {
    let asked = person.nats.request_with_headers(
        said.to_owned(),
        HeaderMap::new(),
        trick.to_owned().into(),
    );
    let answer = tokio::time::timeout(PATIENCE, asked).await.context("no answer")??;
    let stored = answer.headers.as_ref().and_then(|headers| headers.get("Nats-Subject"));
    let stored = stored.map(ToString::to_string).unwrap_or_default();
    ensure!(!stored.contains("$KV") && !stored.contains(other.as_str()), "{said}: {stored}");
    let text = String::from_utf8_lossy(&answer.payload);
    ensure!(!text.contains(other.as_str()), "{said} {trick}: {text}");
    Ok(())
}
