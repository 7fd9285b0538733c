//! Machines that claim what is not theirs to claim, or no longer, or in another way.

use crate::ground::{Ground, agent_id, told, tried, user_data};
use crate::machine::Machine;
use anyhow::{Result, ensure};
use muster_protocol::api::{Target, WorkerTerminate, WorkerView};
use muster_protocol::bus::Bus;
use muster_protocol::enrol::{Claim, Request, Verdict};
use muster_protocol::id::{AgentId, UnixMillis};
use muster_protocol::jwt::Stamp;
use muster_protocol::subject::{self, Role};
use muster_protocol::wire;
use muster_protocol::worker::Phase;
use nkeys::{KeyPair, XKey};

const NOT_ADMITTED: [&str; 1] = ["not admitted"];

async fn machine(config: &str) -> Result<(Ground, Machine, tempfile::TempDir)> {
    let (ground, dir) = Ground::without_agents(config).await?;
    ground.cluster.scale(&ground.admin, 1).await?;
    let machine = Machine::of(&user_data(&ground, &dir).await?)?;
    Ok((ground, machine, dir))
}

fn is_admitted(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Admitted(_))
}

fn refused(verdict: Verdict) -> Result<String> {
    match verdict {
        Verdict::Refused(why) => Ok(why),
        other => anyhow::bail!("not refused: {other:?}"),
    }
}

/// Nobody hears the first answer; the same keys get the same admission, and the worker lives on.
///
/// Guards: `Enrolment::bind`, whose second claim with the bound keys is a success, and `is_of`.
#[tokio::test]
async fn a_machine_whose_answer_was_lost_asks_again_and_gets_it() -> Result<()> {
    let (ground, machine, _dir) = machine("").await?;
    let (key, xkey) = (KeyPair::new_user(), XKey::new());
    let claim = machine.claim(&key, &xkey);
    let request = wire::encode(&Request::sign(&claim, &machine.key()?, &key)?);
    let deaf = machine.plain(&ground).await?.nats;
    let (to, nowhere) = (subject::enrol(&machine.agent_id), deaf.new_inbox());
    deaf.publish_with_reply(to, nowhere, request.into()).await?;
    deaf.flush().await?;
    let bound = |workers: &[WorkerView]| workers.iter().any(|w| w.phase == Phase::Configuring);
    ground.cluster.until(&ground.admin, "bound to its keys", bound).await?;

    let boot = machine.boot(&ground).await?;
    let (first, again) =
        (machine.enrol(&boot, &key, &xkey).await?, machine.enrol(&boot, &key, &xkey).await?);
    let (Verdict::Admitted(first), Verdict::Admitted(again)) = (first, again) else {
        anyhow::bail!("not admitted again");
    };
    ensure!(
        (&first.bus_account, &first.controller_xkey)
            == (&again.bus_account, &again.controller_xkey)
    );
    let agent = ground.bus_of(Role::Agent, machine.agent_id.as_str(), key, again.jwt).await?;
    agent.probe(&subject::rpc(&machine.agent_id, "hello")).await?;
    ground.cluster.finish(&[])
}

/// One way to spoil a claim after it was signed, or to sign it with a wrong key.
struct Spoilt {
    what: &'static str,
    request: Request,
}

fn spoilt(machine: &Machine, key: &KeyPair) -> Result<Vec<Spoilt>> {
    let (bootstrap, stranger) = (machine.key()?, KeyPair::new_user());
    let claim = machine.claim(key, &XKey::new());
    let honest = Request::sign(&claim, &bootstrap, key)?;
    let mut all = Vec::new();
    let mut spoil = |what, request| all.push(Spoilt { what, request });
    let changed = |change: &dyn Fn(&mut Claim)| {
        let mut other = claim.clone();
        change(&mut other);
        Request { claim: wire::encode(&other), ..honest.clone() }
    };
    let (theirs, other) = (stranger.public_key(), agent_id());
    spoil("another agent id", changed(&|claim| claim.agent_id = other.clone()));
    spoil("another user key", changed(&|claim| claim.public_key = theirs.clone()));
    spoil("another curve key", changed(&|claim| claim.xkey = XKey::new().public_key()));
    spoil("another instance", changed(&|claim| claim.server_id = Some("other".into())));
    spoil("another nonce", changed(&|claim| claim.nonce = "other".parse().expect("a token")));
    spoil("another version", changed(&|claim| claim.version = "other".into()));
    let fact = |claim: &mut Claim| drop(claim.facts.insert("os".into(), "other".into()));
    spoil("another fact", changed(&fact));
    spoil("a stranger's bootstrap key", Request::sign(&claim, &stranger, key)?);
    spoil("a key that is not the claimed one", Request::sign(&claim, &bootstrap, &stranger)?);
    let (by_key, by_bootstrap) = (honest.by_bootstrap.clone(), honest.by_key.clone());
    spoil("the signatures exchanged", Request { by_key, by_bootstrap, ..honest.clone() });
    spoil("no signature by the key", Request { by_key: vec![], ..honest.clone() });
    spoil("no signature by the bootstrap", Request { by_bootstrap: vec![], ..honest.clone() });
    let cut = honest.claim[..honest.claim.len() - 1].to_vec();
    spoil("a claim that is cut", Request { claim: cut, ..honest.clone() });
    let for_other = Claim { agent_id: other, ..claim };
    spoil("a claim for another id", Request::sign(&for_other, &bootstrap, key)?);
    Ok(all)
}

/// Each field of a claim changed under its signatures, and the wrong keys. Then the honest claim.
///
/// Guards: `Request::verify` in `protocol/src/enrol.rs`, over all bytes of the claim by both keys,
/// and the claim's id in `enrolment::check`.
#[tokio::test]
async fn a_claim_with_a_field_that_was_not_signed_is_refused_and_told() -> Result<()> {
    let (ground, machine, _dir) = machine("").await?;
    let (boot, key) = (machine.boot(&ground).await?, KeyPair::new_user());
    let spoilt = spoilt(&machine, &key)?;
    let tries = spoilt.len();
    for Spoilt { what, request } in spoilt {
        let answer = machine.answer(&boot, subject::enrol(&machine.agent_id), &request).await?;
        ensure!(!is_admitted(&answer.verdict), "admitted with {what}");
        refused(answer.verdict)?;
    }
    for words in ["the bootstrap key is wrong", "the claimed key is wrong", "for another id"] {
        told(&ground, &machine.agent_id, words).await?;
    }
    ensure!(is_admitted(&machine.enrol(&boot, &key, &XKey::new()).await?), "the honest one is out");
    tried("claims signed otherwise", tries)?;
    ground.cluster.finish(&NOT_ADMITTED)
}

/// With a JWT that only a stolen role key can make: the server would let it in.
async fn boot_anyhow(ground: &Ground, machine: &Machine) -> Result<Bus> {
    let key = machine.key()?.public_key();
    // Newer than any revocation of this test.
    let stamp = Stamp { now: UnixMillis::now().plus(60_000), ..Stamp::fresh() };
    let expires = UnixMillis::now().plus(3_600_000);
    let jwt = ground.keys.bootstrap_jwt(&machine.agent_id, &key, expires, &stamp)?;
    machine.boot_with(ground, jwt).await
}

/// Lets somebody connect in a machine's name whose key is void.
async fn boot_with_another_key(ground: &Ground, machine: &Machine) -> Result<Bus> {
    ground.bus(Role::Bootstrap, machine.agent_id.as_str()).await
}

/// Claims new keys; whoever is not known at all is not told which question was answered.
async fn knock(machine: &Machine, boot: &Bus) -> Result<Verdict> {
    let key = KeyPair::new_user();
    let request = Request::sign(&machine.claim(&key, &XKey::new()), &machine.key()?, &key)?;
    Ok(machine.answer(boot, subject::enrol(&machine.agent_id), &request).await?.verdict)
}

/// Guards: `exp` in `Keys::bootstrap_jwt`, judged by the server; `check` in `enrolment.rs`, which
/// asks the registry's document again.
#[tokio::test]
async fn an_expired_bootstrap_is_refused_by_the_server_and_by_the_controller() -> Result<()> {
    // The reconciler looks too late to fail the worker for its time.
    let timeouts = "timeouts: {boot_secs: 3, reconcile_secs: 600}\n";
    let (ground, machine, _dir) = machine(timeouts).await?;
    let boot = machine.boot(&ground).await?;
    let mut state = boot.state();
    let ended = state.wait_for(|state| *state != muster_protocol::bus::State::Connected);
    tokio::time::timeout(muster_tests::cluster::PATIENCE, ended).await??;
    machine.until_out(&ground).await?;
    let boot = boot_anyhow(&ground, &machine).await?;
    let why = refused(knock(&machine, &boot).await?)?;
    ensure!(why.contains("expired") || why.contains("failed"), "{why}");
    tried("an expired bootstrap credential", 2)?;
    ground.cluster.finish(&NOT_ADMITTED)
}

/// Guards: `Registry::agent`, which knows live generations alone; the phases in `enrolment::check`,
/// and behind it those of `lifecycle::step`: each of both is enough.
#[tokio::test]
async fn an_id_that_is_unknown_or_over_or_of_an_older_generation_is_refused() -> Result<()> {
    let (ground, machine, dir) = machine("").await?;
    let unknown = Machine { agent_id: agent_id(), ..machine.clone() };
    let older = machine.agent_id.worker();
    let older = AgentId::new(&older, muster_protocol::id::random());
    let older = Machine { agent_id: older, ..machine.clone() };
    for stranger in [&unknown, &older] {
        let boot = boot_anyhow(&ground, stranger).await?;
        let why = refused(knock(stranger, &boot).await?)?;
        ensure!(why.contains("not, or no longer, expected"), "{why}");
    }
    let target = Target::Names("*".into());
    ground.cluster.ask(&ground.admin, &WorkerTerminate { target, force: false }).await?;
    let over = |workers: &[WorkerView]| workers.iter().all(|w| w.phase == Phase::Terminated);
    ground.cluster.until(&ground.admin, "terminated", over).await?;
    machine.until_out(&ground).await?;
    // Its key is void also for what was given later.
    ensure!(boot_anyhow(&ground, &machine).await.is_err(), "a void key was let in");
    let boot = boot_with_another_key(&ground, &machine).await?;
    let why = refused(knock(&machine, &boot).await?)?;
    ensure!(why.contains("terminated") || why.contains("not the one of this launch"), "{why}");

    // The next generation of the same worker is launched; the fenced one knocks again.
    ground.cluster.scale(&ground.admin, 1).await?;
    let next = Machine::of(&user_data(&ground, &dir).await?)?;
    ensure!(next.agent_id != machine.agent_id, "an id came twice");
    let why = refused(knock(&machine, &boot).await?)?;
    ensure!(why.contains("expected") || why.contains("terminated"), "{why}");
    tried("ids that are unknown, over or fenced", 5)?;
    ground.cluster.finish(&NOT_ADMITTED)
}
