//! People, end to end: the real command, controller and nats-server. Who may what, until when, and
//! how it ends.

#[path = "people/hands.rs"]
mod hands;

use anyhow::{Context, Result, ensure};
use hands::{Hands, Life, mode};
use muster_controller::people::FORMER_MAX;
use muster_protocol::api::{
    Answer, CALLS, ClusterShow, PersonRole, PoolScale, RefusalKind, UserAdd, UserList, UserRevoke,
    UserState, WorkerList,
};
use muster_protocol::bus;
use muster_protocol::id::UserName;
use muster_protocol::subject::{self, Role};
use muster_protocol::wire::Message;
use muster_tests::cluster::{Cluster, PATIENCE, Setup};
use muster_tests::host;
use nkeys::KeyPair;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const PEOPLE: [(&str, Role); 3] =
    [("vera", Role::Viewer), ("otto", Role::Operator), ("anna", Role::Admin)];
/// So long a call waits that should get no answer.
const SOON: Duration = Duration::from_secs(1);
/// What the controllers log of somebody whom no document knows.
const NOT_ADMITTED: &str = "a person is not admitted";

/// Guards: `call("pool", "scale", Role::Operator)` in the table, the mode of `Draft::begin`, what
/// `user_add` refuses, the telling of reads.
#[tokio::test]
async fn a_viewer_is_added_looks_and_cannot_act() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let hands = Hands::of(&cluster)?;
    let added = hands.admin(&["user", "add", "vera", "--role", "viewer", "-o", "json"]).await?;
    let added = added.with_code(0)?;
    let file = hands.file("vera");
    let text = std::fs::read_to_string(&file)?;
    ensure!(mode(&file)? == 0o600, "the context is open to others");
    for secret in hands.secrets("vera")? {
        ensure!(!format!("{added:?}").contains(&secret), "a secret is shown: {added:?}");
        ensure!(text.contains(&secret));
    }
    ensure!(added.json()?["role"] == "viewer", "{added:?}");

    let listed = hands.person("vera", &["worker", "list", "-o", "json"]).await?.with_code(0)?;
    ensure!(listed.json()?.as_array().is_some_and(Vec::is_empty), "{listed:?}");
    let scaled = hands.person("vera", &["pool", "scale", "test", "1"]).await?.with_code(1)?;
    let said = ["muster.api.vera.pool.scale is not permitted", "ask an admin"];
    ensure!(said.iter().all(|words| scaled.stderr.contains(words)), "{scaled:?}");
    hands.person("vera", &["user", "list"]).await?.with_code(1)?;

    // The name is taken, the file is there, and no name leads anywhere else.
    let again = hands.admin(&["user", "add", "vera", "--role", "admin"]).await?.with_code(1)?;
    ensure!(again.stderr.contains("vera.yaml is there already"), "{again:?}");
    let args = ["user", "add", "vera", "--role", "admin", "--out", "other.yaml"];
    let again = hands.admin(&args).await?.with_code(1)?;
    ensure!(again.stderr.contains("there is a user vera (viewer) already"), "{again:?}");
    ensure!(std::fs::read_to_string(&file)? == text && !hands.file("other").exists());
    for name in ["Vera", "../vera", "a.b", "*", "-x"] {
        hands.admin(&["user", "add", "--role", "viewer", "--", name]).await?.with_code(1)?;
    }

    let people = hands.admin(&["user", "list", "-o", "json"]).await?.with_code(0)?.json()?;
    let of = |name: &str| people.as_array()?.iter().find(|each| each["name"] == name).cloned();
    let (first, vera) = (of("admin").context("init's person")?, of("vera").context("vera")?);
    ensure!(first["added_by"] == "init" && first["role"] == "admin", "{first}");
    ensure!(vera["added_by"] == "admin" && vera["state"] == "active", "{vera}");
    ensure!(vera["last_call"].is_string() && vera["expires"].is_string(), "{vera}");
    cluster.finish(&[])
}

/// Guards: `Cut`'s push to the servers (without it the tail runs on), `state: Refused` with the
/// server's reason, `take_over`'s push of people's revocations.
#[tokio::test]
async fn a_revocation_cuts_a_running_tail_and_keeps_out_also_after_a_restart() -> Result<()> {
    let mut cluster = Cluster::start(&Setup::default()).await?;
    let admin = cluster.admin().await?;
    let tail = {
        let hands = Hands::of(&cluster)?;
        hands.add("vera", "viewer").await?;
        hands.add("otto", "viewer").await?;
        let mut tail = hands.tail("vera").await?;
        let mut other = hands.tail("otto").await?;
        // Both run: they tell what happens now.
        cluster.scale(&admin, 0).await?;
        tail.until("pool scale").await?;
        other.until("pool scale").await?;
        let revoked = hands.admin(&["user", "revoke", "vera", "-o", "json"]).await?;
        ensure!(revoked.clone().with_code(0)?.json()?["cut"] == true, "{revoked:?}");
        let ended = tail.ended().await?.with_code(1)?;
        let said = ["the credential of vera was revoked", "ask an admin", "muster user add"];
        ensure!(said.iter().all(|words| ended.stderr.contains(words)), "{ended:?}");
        other
    };
    for restarted in [false, true] {
        if restarted {
            cluster.stop_controller();
            std::fs::remove_dir_all(cluster.path("config/accounts"))?;
            cluster.start_controller().await?;
        }
        let hands = Hands::of(&cluster)?;
        let kept_out = hands.person("vera", &["worker", "list"]).await?.with_code(1)?;
        // After the restart it may be cut only when the list is pushed, but never by us alone.
        let said = ["does not let vera in", "the server refuses the credential of vera"];
        ensure!(said.iter().any(|words| kept_out.stderr.contains(words)), "{kept_out:?}");
        hands.person("otto", &["worker", "list"]).await?.with_code(0)?;
    }
    drop(tail);

    // The name is free again; the old credential stays worth nothing.
    let hands = Hands::of(&cluster)?;
    std::fs::rename(hands.file("vera"), hands.file("old"))?;
    hands.add("vera", "operator").await?;
    hands.person("vera", &["pool", "scale", "test", "0"]).await?.with_code(0)?;
    hands.person("old", &["worker", "list"]).await?.with_code(1)?;
    hands.admin(&["user", "revoke", "nobody"]).await?.with_code(1)?;
    cluster.finish(&["nats-server", "NATS", "lease", "away"])
}

/// Guards: the retry in `Cut::run`, and `person.revoked` in `People::admit`.
#[tokio::test]
async fn what_cannot_be_pushed_is_told_refused_by_the_controllers_and_tried_again() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let hands = Hands::of(&cluster)?;
    hands.add("vera", "viewer").await?;
    let vera = hands.bus("vera", Role::Viewer).await?;
    cluster.ask(&vera, &ClusterShow {}).await?;
    // The server can store no claims.
    let (accounts, away) = (cluster.path("config/accounts"), cluster.path("config/accounts.away"));
    std::fs::rename(&accounts, &away)?;
    std::fs::write(&accounts, "")?;
    let revoked = hands.admin(&["user", "revoke", "vera"]).await?.with_code(3)?;
    let said = ["could not be told yet", "goes on trying"];
    ensure!(said.iter().all(|words| revoked.stderr.contains(words)), "{revoked:?}");
    ensure!(hands.state("vera").await? == UserState::Revoking);
    let refused = cluster.ask(&vera, &ClusterShow {}).await.unwrap_err().to_string();
    ensure!(refused.contains("the credential of vera was revoked"), "{refused}");
    std::fs::remove_file(&accounts)?;
    std::fs::rename(&away, &accounts)?;
    let mut state = vera.state();
    let cut = state.wait_for(|state| matches!(state, bus::State::Refused(_)));
    tokio::time::timeout(PATIENCE, cut).await.context("she is not cut")??;
    while hands.state("vera").await? != UserState::Revoked {}
    cluster.finish(&["a revocation is not pushed yet"])
}

/// Guards: `check_admins`, `First::read` at a call, `Void` of a name's former lives.
#[tokio::test]
async fn the_last_admin_stays_unless_forced_and_init_makes_the_next_one() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let hands = Hands::of(&cluster)?;
    let refused = hands.admin(&["user", "revoke", "admin"]).await?.with_code(1)?;
    ensure!(refused.stderr.contains("admin is the last admin"), "{refused:?}");
    hands.add("anna", "admin").await?;
    hands.admin(&["user", "revoke", "admin"]).await?.with_code(0)?;
    let refused = hands.person("anna", &["user", "revoke", "anna"]).await?.with_code(1)?;
    ensure!(refused.stderr.contains("anna is the last admin"), "{refused:?}");
    hands.person("anna", &["user", "revoke", "anna", "--force"]).await?.with_code(0)?;
    hands.person("anna", &["user", "list"]).await?.with_code(1)?;
    hands.admin(&["user", "list"]).await?.with_code(1)?;
    // On the head node, while the controller runs.
    let servers = cluster.servers()?;
    std::fs::remove_file(cluster.path("config/admin.yaml"))?;
    hands.init().await?;
    let file = cluster.path("config/admin.yaml");
    let text =
        std::fs::read_to_string(&file)?.replace("servers: []", &format!("servers: {servers:?}"));
    std::fs::write(&file, text)?;
    let listed = hands.admin(&["user", "list", "-o", "json"]).await?.with_code(0)?.json()?;
    ensure!(listed[0]["name"] == "admin" && listed[0]["state"] == "active", "{listed}");
    cluster.finish(&[])
}

/// Guards: `is_same`, `check_room` and `FORMER_MAX` in `user_add`: an answer that was lost adds
/// nobody twice.
#[tokio::test]
async fn the_same_question_adds_a_person_once_and_a_key_is_one_persons() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let admin = cluster.admin().await?;
    let question = |name: &str, key: &KeyPair| UserAdd {
        name: name.parse().expect("a name"),
        role: PersonRole::Viewer,
        public_key: key.public_key(),
        days: 30,
        renewable: true,
    };
    let (one, two) = (KeyPair::new_user(), KeyPair::new_user());
    for _ in 0..2 {
        let added = cluster.ask(&admin, &question("vera", &one)).await?;
        ensure!(added.jwt.split('.').count() == 3 && added.ca.contains("BEGIN CERTIFICATE"));
        ensure!(added.servers == cluster.servers()?);
    }
    let refused = async |question: UserAdd, words: &str| -> Result<()> {
        let refused = cluster.ask(&admin, &question).await.unwrap_err().to_string();
        ensure!(refused.contains(words), "{refused}");
        Ok(())
    };
    refused(question("vera", &two), "there is a user vera (viewer) already").await?;
    refused(question("otto", &one), "this key is or was vera's").await?;
    refused(UserAdd { days: 0, ..question("otto", &two) }, "1 to 365 days").await?;
    refused(UserAdd { days: 366, ..question("otto", &two) }, "1 to 365 days").await?;
    let no_key = UserAdd { public_key: two.seed()?, ..question("otto", &two) };
    refused(no_key, "is not the public key of a user").await?;
    cluster.ask(&admin, &UserRevoke { name: "vera".parse()?, force: false }).await?;
    refused(question("vera", &one), "this key is or was vera's").await?;
    cluster.ask(&admin, &question("vera", &two)).await?;
    refused(question("otto", &one), "this key is or was vera's").await?;
    ensure!(cluster.ask(&admin, &UserList {}).await?.len() == 2);
    // Void keys are remembered until they end by themselves, but not without a limit.
    let worn = async || -> Result<()> {
        for _ in 0..FORMER_MAX + 2 {
            cluster.ask(&admin, &question("temp", &KeyPair::new_user())).await?;
            let revoke = UserRevoke { name: "temp".parse()?, force: false };
            ensure!(cluster.ask(&admin, &revoke).await?.cut);
        }
        Ok(())
    };
    let worn = worn().await.unwrap_err().to_string();
    ensure!(worn.contains("take another name"), "{worn}");
    cluster.finish(&[])
}

/// Guards: `People::follow`, by which the holder of the lease learns whose connections to cut. The
/// lookup in `of_key`, for a call that is faster, is guarded by a unit test of the documents.
#[tokio::test]
async fn whoever_is_added_or_revoked_at_one_controller_is_so_at_the_other() -> Result<()> {
    let mut cluster = Cluster::start(&Setup::default()).await?;
    cluster.start_stand_by()?;
    let stand_by = cluster.path("log2");
    host::until("a second controller", || {
        let log = std::fs::read_to_string(&stand_by)?;
        Ok(log.contains("the controller works").then_some(()))
    })
    .await?;
    let hands = Hands::of(&cluster)?;
    let admin = cluster.admin().await?;
    for round in 0..6 {
        let name = format!("vera-{round}");
        hands.add(&name, "viewer").await?;
        let vera = hands.bus(&name, Role::Viewer).await?;
        for _ in 0..4 {
            cluster.ask(&vera, &ClusterShow {}).await?;
        }
        let revoked =
            cluster.ask(&admin, &UserRevoke { name: name.parse()?, force: false }).await?;
        ensure!(revoked.cut, "{name} is not cut");
        let answer = cluster.ask(&vera, &ClusterShow {});
        let let_in = tokio::time::timeout(SOON, answer).await;
        ensure!(!matches!(let_in, Ok(Ok(_))), "{name} was answered");
    }
    cluster.finish(&[])
}

/// Bytes that are no question: whoever may make the call is told so by the controller.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Nonsense(u8);

impl Message for Nonsense {
    const NAME: &'static str = "nonsense";
}

/// The matrix, on the real server: what the table allows reaches the controller, and what it does
/// not the server refuses. Then the server is made wrong, and the controller refuses the same.
///
/// Guards: the roles' templates, and `api::may` in `Api::admit`; each alone makes this fail.
#[tokio::test]
async fn each_role_makes_just_the_calls_of_the_table_by_the_server_and_by_the_controller()
-> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let hands = Hands::of(&cluster)?;
    for (name, role) in PEOPLE {
        hands.add(name, role.name()).await?;
    }
    for wrong in [false, true] {
        if wrong {
            hands.widen_all().await?;
        }
        for (name, role) in PEOPLE {
            let (bus, user) = (hands.bus(name, role).await?, name.parse::<UserName>()?);
            for call in CALLS {
                let subject = subject::api(&user, call.noun, call.verb);
                let answer = bus.request(subject, &Nonsense(7), PATIENCE).await;
                let what = format!("{role:?} {} {}, server wrong: {wrong}", call.noun, call.verb);
                let (allowed, told) = (call.role <= role, format!("{what}: {answer:?}"));
                match answer {
                    Ok(Answer::<()>::Refused(refusal)) if allowed => {
                        ensure!(refusal.kind == RefusalKind::Invalid, "{told}");
                    }
                    Ok(Answer::Refused(refusal)) if wrong => {
                        ensure!(refusal.kind == RefusalKind::Forbidden, "{told}");
                    }
                    Err(bus::Error::Permission { .. }) if !wrong && !allowed => {}
                    _ => anyhow::bail!(told),
                }
            }
        }
    }
    // Nobody calls in another's name, nor what is no call.
    let vera = hands.bus("vera", Role::Viewer).await?;
    for (user, noun, verb, expected) in [
        ("anna", "worker", "list", "call in your own name"),
        ("vera", "worker", "explode", "there is no call worker explode"),
        ("vera", "x", "y", "there is no call x y"),
    ] {
        let subject = subject::api(&user.parse()?, noun, verb);
        let answer = bus_answer(&vera, subject).await?;
        ensure!(answer.contains(expected), "{user} {noun} {verb}: {answer}");
    }
    let told = hands.until_told("vera", "refused", "unknown", 2).await?;
    ensure!(told.iter().all(|called| called.user == "vera" && !called.ok), "{told:?}");
    // What was no question is told, too.
    let told = hands.until_told("otto", "refused", "run", 2).await?;
    ensure!(told.iter().all(|called| called.error.is_some()), "{told:?}");
    cluster.finish(&["nats-server", "NATS", "lease", "away", "tried again", "could not be"])
}

async fn bus_answer(bus: &bus::Bus, subject: String) -> Result<String> {
    match bus.request(subject, &Nonsense(7), PATIENCE).await? {
        Answer::<()>::Refused(refusal) => Ok(refusal.message),
        Answer::Ok(()) => anyhow::bail!("it was done"),
    }
}

/// Guards: `of_key` in `People::admit`: without it the server's word alone would do.
#[tokio::test]
async fn a_credential_made_with_a_stolen_role_key_is_refused_and_told() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let hands = Hands::of(&cluster)?;
    let admin = cluster.admin().await?;
    for name in ["eve", "admin"] {
        let eve = hands.minted(name, Role::Admin).await?;
        let refused = cluster.ask(&eve, &PoolScale { pool: "test".parse()?, size: 1 }).await;
        let refused = refused.unwrap_err().to_string();
        ensure!(refused.contains("no `muster user add` of this cluster"), "{refused}");
        let filter = format!("muster.event.security.{name}.person");
        let told = cluster.stored_events(&admin, &filter).await?;
        ensure!(told.len() == 1, "{told:?}");
    }
    ensure!(cluster.workers(&admin).await?.is_empty());
    cluster.finish(&[NOT_ADMITTED])
}

/// Guards: `renewal::in_time`, `user_renew`'s refusals, `refused` in session.rs.
#[tokio::test]
async fn a_credential_is_renewed_by_use_and_one_that_has_ended_says_how_to_go_on() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let hands = Hands::of(&cluster)?;
    hands.add("vera", "viewer").await?;
    let file = hands.file("vera");
    // In the first half of its life nothing changes.
    let young = hands.life("vera")?;
    hands.person("vera", &["worker", "list"]).await?.with_code(0)?;
    ensure!(hands.life("vera")?.0 == young.0);
    hands.age("vera", Life { past_secs: 20 * 86_400, left_secs: 10 * 86_400 })?;
    let (old, text) = (hands.life("vera")?, std::fs::read_to_string(&file)?);
    let [old_jwt, _] = hands.secrets("vera")?;
    hands.person("vera", &["worker", "list"]).await?.with_code(0)?;
    let new = hands.life("vera")?;
    ensure!(new.1 > 29 * 86_400 && old.1 <= 10 * 86_400, "{old:?} {new:?}");
    ensure!(mode(&file)? == 0o600);
    let [jwt, _] = hands.secrets("vera")?;
    let expected = text.replace(&old_jwt, &jwt);
    ensure!(expected == std::fs::read_to_string(&file)?, "more than the jwt changed");
    hands.person("vera", &["worker", "list"]).await?.with_code(0)?;

    // One that was given until its end only.
    hands.admin(&["user", "add", "temp", "--role", "viewer", "--days", "1", "--no-renew"]).await?;
    let refused = hands.person("temp", &["user", "renew"]).await?.with_code(1)?;
    ensure!(refused.stderr.contains("until its end only"), "{refused:?}");
    hands.age("temp", Life { past_secs: 80_000, left_secs: 100 })?;
    let told = hands.person("temp", &["worker", "list"]).await?.with_code(0)?;
    ensure!(told.stderr.contains("your credential ends in 1 min"), "{told:?}");

    // The end cuts a tail, and says so; so does every later command.
    hands.age("temp", Life { past_secs: 10, left_secs: 3 })?;
    let mut tail = hands.tail("temp").await?;
    let ended = tail.ended().await?.with_code(1)?;
    let said = ["the credential of temp ended on", "muster user add"];
    ensure!(said.iter().all(|words| ended.stderr.contains(words)), "{ended:?}");
    let refused = hands.person("temp", &["worker", "list"]).await?.with_code(1)?;
    ensure!(said.iter().all(|words| refused.stderr.contains(words)), "{refused:?}");
    cluster.finish(&[])
}

/// Guards: `By::told` of reads, `Told::count`: every call is in one event, and the events are few.
#[tokio::test]
async fn every_call_is_told_with_its_caller_and_result_and_polling_fills_no_stream() -> Result<()> {
    const POLLS: u64 = 200;
    let cluster = Cluster::start(&Setup::default()).await?;
    let hands = Hands::of(&cluster)?;
    hands.add("otto", "operator").await?;
    let otto = hands.bus("otto", Role::Operator).await?;
    for _ in 0..POLLS {
        cluster.ask(&otto, &WorkerList { target: None, all: false }).await?;
    }
    cluster.ask(&otto, &PoolScale { pool: "test".parse()?, size: 0 }).await?;
    let refused = cluster.ask(&otto, &PoolScale { pool: "test".parse()?, size: 9_999 }).await;
    ensure!(refused.is_err());
    let changed = hands.until_told("otto", "called", "scale", 1).await?;
    let [scale] = &changed[..] else { anyhow::bail!("{changed:?}") };
    ensure!((scale.role.as_str(), scale.ok, scale.count) == ("operator", true, 1), "{scale:?}");
    ensure!(scale.host == "127.0.0.1" && scale.about["pool"] == "test", "{scale:?}");
    ensure!(scale.about["size"] == 0, "{scale:?}");
    let refused = hands.until_told("otto", "refused", "scale", 1).await?;
    ensure!(refused[0].error.as_deref().is_some_and(|why| why.contains("not 9999")), "{refused:?}");
    ensure!(refused[0].about["size"] == 9_999, "{refused:?}");
    let read = hands.until_told("otto", "read", "list", POLLS).await?;
    let counted: u64 = read.iter().map(|called| called.count).sum();
    ensure!(counted == POLLS && read.len() <= 20, "{read:?}");
    let listed = cluster.ask(&cluster.admin().await?, &UserList {}).await?;
    ensure!(listed.iter().any(|view| view.name.as_str() == "otto" && view.last_call.is_some()));
    cluster.finish(&[])
}

/// Guards: `Places`, and the check of a context's mode.
#[tokio::test]
async fn contexts_are_chosen_by_name() -> Result<()> {
    let cluster = Cluster::start(&Setup::default()).await?;
    let hands = Hands::of(&cluster)?;
    hands.add("vera", "viewer").await?;
    hands.add("otto", "operator").await?;
    let none = hands.own(&["worker", "list"]).await?.with_code(1)?;
    ensure!(none.stderr.contains("no context file") || hands.system_context(), "{none:?}");
    hands.own(&["context", "add", "vera.yaml", "--name", "looks"]).await?.with_code(0)?;
    let added = hands.own(&["context", "add", "otto.yaml"]).await?.with_code(0)?;
    ensure!(added.stderr.contains("holds the same secret"), "{added:?}");
    hands.own(&["context", "add", "otto.yaml"]).await?.with_code(1)?;
    hands.own(&["context", "add", "otto.yaml", "--force"]).await?.with_code(0)?;
    let user = async |args: &[&str]| -> Result<String> {
        let shown = hands.own(args).await?.with_code(0)?.json()?;
        Ok(shown["user"].as_str().unwrap_or_default().to_owned())
    };
    ensure!(user(&["context", "show", "-o", "json"]).await? == "vera", "the first is the current");
    hands.own(&["context", "use", "test"]).await?.with_code(0)?;
    ensure!(user(&["context", "show", "-o", "json"]).await? == "otto");
    ensure!(user(&["--context", "looks", "context", "show", "-o", "json"]).await? == "vera");
    hands.own(&["pool", "scale", "test", "0"]).await?.with_code(0)?;
    hands.own(&["--context", "looks", "pool", "scale", "test", "0"]).await?.with_code(1)?;
    let listed = hands.own(&["context", "list", "-o", "json"]).await?.with_code(0)?;
    for secret in hands.secrets("otto")? {
        ensure!(!listed.stdout.contains(&secret));
    }
    let listed = listed.json()?;
    ensure!(listed[0]["name"] == "looks" && listed[1]["name"] == "test", "{listed}");
    ensure!(listed[0]["current"] == false && listed[1]["current"] == true, "{listed}");

    let folder = hands.home().join(".config/muster/contexts");
    ensure!(mode(&folder)? == 0o700 && mode(&folder.join("test.yaml"))? == 0o600);
    std::fs::set_permissions(folder.join("test.yaml"), hands::permissions(0o644))?;
    let open = hands.own(&["worker", "list"]).await?.with_code(1)?;
    ensure!(
        open.stderr.contains("open to others") && open.stderr.contains("chmod 600"),
        "{open:?}"
    );
    let listed = hands.own(&["context", "list"]).await?.with_code(0)?;
    ensure!(listed.stderr.contains("chmod 600"), "{listed:?}");
    hands.own(&["context", "remove", "test"]).await?.with_code(0)?;
    ensure!(!folder.join("test.yaml").exists());
    hands.own(&["context", "use", "test"]).await?.with_code(1)?;
    hands.own(&["context", "use", "looks"]).await?.with_code(0)?;
    cluster.finish(&[])
}
