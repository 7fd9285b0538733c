//! A golden file for each message: what one release has written, every later one reads.
//!
//! `MUSTER_GOLDEN=write cargo test -p muster-protocol --test wire` writes files that are missing;
//! it never changes one: within a version a message only grows, and its old bytes stay readable.

#![allow(clippy::unwrap_used, reason = "these are helpers of tests")]

use muster_protocol::api::{
    Answer, BackupPart, CloudShow, ClusterBackup, ClusterDestroy, ClusterShow, CommandRun,
    CommandStarted, Compiled, ImageList, ImageSet, KeyKind, KeyState, KeyView, KeysDrop,
    KeysRotate, KeysShow, KeysView, Mark, PoolList, PoolMark, PoolMarking, PoolScale, PoolView,
    PushView, ReconcileConfirm, Refusal, RefusalKind, RevocationsView, Rotation, SeriesView, Shown,
    Stage, StatesPush, StatesReveal, StatesShow, StatsShow, TailOpen, TailSuspect, Target,
    WorkerLaunch, WorkerList, WorkerMark, WorkerRebuild, WorkerTerminate, WorkerView,
};
use muster_protocol::api::{
    PersonRole, UserAdd, UserAdded, UserList, UserRenew, UserRenewed, UserRevoke, UserRevoked,
    UserState, UserView,
};
use muster_protocol::backup::{Backup, Document};
use muster_protocol::command::{Command, Reply, Verb};
use muster_protocol::desired::{Blob, Desired, Environment, File, Manifest};
use muster_protocol::enrol::{self, Admission, Claim, Renewal, Request, SignedRenewal, Verdict};
use muster_protocol::event::{Event, Outcome};
use muster_protocol::id::{AgentId, Generation, Hash, Token, UnixMillis, WorkerName};
use muster_protocol::seal::{Certificate, Sealed, Signed, Signer};
use muster_protocol::wire::{self, Message};
use muster_protocol::worker::{
    AfterDrain, Bootstrap, FailureKind, Failures, Keys, Milestones, Occupancy, Phase, PoolState,
    Worker,
};
use nkeys::KeyPair;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::PathBuf;

const SEED: &str = "SUAIF6BE36TJHOBP74NEW5IUPKIWTGVTI7EL4Z42ZQEP6FHQMSOK3GNEMY";
const NOW: UnixMillis = UnixMillis(1_795_149_634_000);

fn worker_name() -> WorkerName {
    "compute-0007".parse().unwrap()
}

fn agent() -> AgentId {
    AgentId::new(&worker_name(), *b"0123456789ab")
}

fn token(first: u8) -> Token {
    Token::random([first; 26])
}

fn key() -> KeyPair {
    KeyPair::from_seed(SEED).unwrap()
}

fn facts() -> BTreeMap<String, serde_json::Value> {
    BTreeMap::from([("os".into(), "Debian".into()), ("num_cpus".into(), 64.into())])
}

fn certificate() -> Certificate {
    Certificate::sign(&key(), key().public_key(), NOW, NOW.plus(90 * 86_400_000)).unwrap()
}

fn signed() -> Signed {
    Signer::new(key(), certificate()).sign(agent().as_str(), &command()).unwrap()
}

fn command() -> Command {
    let verb = Verb::Apply { sls: vec!["ntp".into()], test: true, revision: 7 };
    Command { id: token(1), agent_id: agent(), issued: NOW, verb }
}

fn claim() -> Claim {
    Claim {
        agent_id: agent(),
        public_key: key().public_key(),
        xkey: "XKEY".into(),
        server_id: Some("4c4c4544".into()),
        facts: facts(),
        nonce: token(2),
        version: "0.1.0".into(),
    }
}

fn outcome() -> Outcome {
    Outcome { total: 14, changed: 12, failed: 1, duration_millis: 312, test: false }
}

fn milestones() -> Milestones {
    Milestones { launched: Some(NOW), enrolled: Some(NOW.plus(120)), ..Milestones::default() }
}

fn worker() -> Worker {
    Worker {
        name: worker_name(),
        pool: "compute".parse().unwrap(),
        phase: Phase::Configuring,
        reason: Some("1 states failed".into()),
        generation: Generation(3),
        agent_id: agent(),
        bootstrap: Bootstrap { public_key: key().public_key(), expires: NOW },
        keys: Some(Keys {
            public_key: key().public_key(),
            xkey: "XKEY".into(),
            credential_expires: NOW,
        }),
        provider_id: Some("b1946ac9".into()),
        facts: facts(),
        revision: 7,
        states: Some(outcome()),
        milestones: milestones(),
        since: NOW,
        op_id: token(3),
        history: vec![(NOW, "pending".into())],
        image: "rocky-9".into(),
        addresses: vec!["10.0.0.7".parse().unwrap()],
        occupancy: Occupancy::Busy,
        held: true,
        after_drain: Some(AfterDrain::Rebuild(None)),
        failures: Some(Failures {
            count: 2,
            at: NOW,
            kind: FailureKind::Capacity,
            reason: "no room".into(),
        }),
        last_ready: Some(NOW),
        asked: Some(NOW),
    }
}

fn desired() -> Desired {
    // A sealed box differs each time it is made; any bytes stand for one here.
    let sealed: Sealed = rmp_serde::from_slice(&[0xc4, 4, 1, 2, 3, 4]).unwrap();
    Desired {
        agent_id: agent(),
        generation: Generation(3),
        revision: 7,
        apply: true,
        manifest: Blob { hash: Hash::of(b"manifest"), size: 8 },
        pillar: sealed,
        opts: serde_json::Map::new(),
    }
}

fn view() -> WorkerView {
    WorkerView {
        name: worker_name(),
        pool: "compute".parse().unwrap(),
        phase: Phase::Ready,
        reason: None,
        generation: Generation(3),
        agent_id: agent(),
        provider_id: Some("b1946ac9".into()),
        milestones: milestones(),
        states: Some(outcome()),
        frames: 9,
        last_frame: Some(NOW),
        image: "rocky-9".into(),
        image_is_old: true,
        addresses: vec!["10.0.0.7".parse().unwrap()],
        occupancy: Occupancy::Idle,
        held: false,
        after_drain: Some(AfterDrain::Terminate),
        history: vec![(NOW, "pending".into())],
    }
}

fn pool_view() -> PoolView {
    PoolView {
        name: "compute".parse().unwrap(),
        provider: "here".into(),
        min: 0,
        max: 64,
        size: 3,
        phases: BTreeMap::from([(Phase::Ready, 3)]),
        priority: 1,
        frozen: true,
        draining: false,
        image: "rocky-9".into(),
        breaker: Some("the quota is full".into()),
    }
}

fn document() -> Document {
    Document { bucket: "POOLS".into(), key: "compute".into(), value: vec![0, 127, 255] }
}

fn backup_part(next: Option<String>) -> BackupPart {
    BackupPart { cluster: "pluto".into(), documents: vec![document()], total: 7, next }
}

#[test]
fn a_backup_is_as_it_was() {
    let (cluster, release) = ("pluto".to_owned(), "0.1.0".to_owned());
    check("backup", &Backup { cluster, made: NOW, release, documents: vec![document()] });
}

fn pool_state() -> PoolState {
    PoolState {
        name: "compute".parse().unwrap(),
        size: 3,
        op_id: token(5),
        frozen: true,
        draining: false,
        image: Some("rocky-9".into()),
    }
}

/// Writes a golden file that is missing; then the message must encode to it and decode from it.
fn check<M: Message + Debug>(name: &str, message: &M) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/wire/{name}.bin"));
    let bytes = wire::encode(message);
    if !path.exists() && std::env::var_os("MUSTER_GOLDEN").is_some_and(|text| text == "write") {
        std::fs::write(&path, &bytes).unwrap();
    }
    let golden = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let read = wire::decode::<M>(&golden).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(format!("{read:?}"), format!("{message:?}"), "{name} reads as something else");
    assert_eq!(bytes, golden, "{name} is written in another way");
}

#[test]
fn what_agents_and_controllers_say_is_as_it_was() {
    check("command", &command());
    let exec = Verb::Exec { argv: vec!["uptime".into()], timeout_secs: 30 };
    check("command.exec", &Command { verb: exec, ..command() });
    check("command.reply.pong", &Reply::Pong { version: "0.1.0".into(), up_millis: 5 });
    check("command.reply.facts", &Reply::Facts(facts()));
    check("command.reply.accepted", &Reply::Accepted);
    check("command.reply.refused", &Reply::Refused("exec is off".into()));
    check("signed", &signed());
    check("certificate", &certificate());
    check("desired", &desired());
    let opts = BTreeMap::from([("failhard", true)]);
    let opts = opts.into_iter().map(|(name, on)| (name.to_owned(), on.into())).collect();
    check("desired.opts", &Desired { opts, ..desired() });
    let blob = Blob { hash: Hash::of(b"file"), size: 4 };
    let file = File { path: "salt/top.sls".into(), mode: 0o644, blob };
    let manifest = Manifest { files: vec![file.clone()], environments: Vec::new() };
    check("manifest", &manifest);
    let dev = Environment { name: "dev".into(), files: vec![file] };
    check("manifest.environments", &Manifest { environments: vec![dev], ..manifest });
    check("event", &Event::new(token(4), NOW, &outcome()));
}

#[test]
fn enrolment_is_as_it_was() {
    check("enrol.claim", &claim());
    check("enrol.request", &Request::sign(&claim(), &key(), &key()).unwrap());
    let admission = Admission {
        jwt: "jwt".into(),
        expires: NOW,
        bus_account: "ABUS".into(),
        controller_xkey: "XKEY".into(),
        ca: Some("PEM".into()),
    };
    for (name, verdict) in [
        ("enrol.answer.admitted", Verdict::Admitted(admission)),
        ("enrol.answer.refused", Verdict::Refused("unknown".into())),
        ("enrol.answer.later", Verdict::Later("busy".into())),
    ] {
        check(name, &enrol::Answer { nonce: token(2), now: NOW, verdict });
    }
    let renewal = Renewal { agent_id: agent(), nonce: token(2) };
    check("enrol.renewal", &renewal);
    check("enrol.signed_renewal", &SignedRenewal::sign(&renewal, &key()).unwrap());
}

#[test]
fn calls_about_keys_are_as_they_were() {
    check("api.keys.show", &KeysShow {});
    check("api.keys.rotate", &KeysRotate { what: Rotation::Roles });
    check("api.keys.drop", &KeysDrop { force: true });
    let key = KeyView {
        name: "role-agent".into(),
        kind: KeyKind::Role,
        public: key().public_key(),
        state: KeyState::Replaced,
        since: Some(NOW),
        until: None,
    };
    let revocations = RevocationsView { count: 7, everybody: Some(NOW), ..Default::default() };
    let keys = vec![key];
    let (settled, not_renewed) = (true, 1);
    let view = KeysView { serial: 3, now: NOW, keys, revocations, settled, not_renewed };
    check("api.keys.answer", &Answer::Ok(view));
}

#[test]
fn documents_are_as_they_were() {
    check("worker", &worker());
    check("pool", &pool_state());
}

#[test]
fn people_are_as_they_were() {
    let (name, role) = ("vera".parse().unwrap(), PersonRole::Viewer);
    let public_key = key().public_key();
    check("api.user.add", &UserAdd { name, role, public_key, days: 30, renewable: true });
    let added = UserAdded {
        cluster: "pluto".parse().unwrap(),
        servers: vec!["tls://head:4222".into()],
        ca: "PEM".into(),
        jwt: "jwt".into(),
        expires: NOW,
    };
    check("api.user.add.answer", &Answer::Ok(added));
    check("api.user.renew", &UserRenew {});
    let renewed = UserRenewed { jwt: "jwt".into(), expires: NOW, ca: "PEM".into() };
    check("api.user.renew.answer", &Answer::Ok(renewed));
    check("api.user.list", &UserList {});
    let view = UserView {
        name: "vera".parse().unwrap(),
        role,
        state: UserState::Revoking,
        added_by: "anna".into(),
        added: NOW,
        expires: Some(NOW),
        renewable: true,
        revoked: Some((NOW, "anna".into())),
        last_call: Some(NOW),
    };
    check("api.user.list.answer", &Answer::Ok(vec![view]));
    check("api.user.revoke", &UserRevoke { name: "vera".parse().unwrap(), force: true });
    check("api.user.revoke.answer", &Answer::Ok(UserRevoked { cut: false }));
}

#[test]
fn the_api_is_as_it_was() {
    let (pool, target) = ("compute".parse().unwrap(), Target::Names("compute-*,login".into()));
    check("api.cluster.show", &ClusterShow {});
    check("api.worker.list", &WorkerList { target: Some(target.clone()), all: true });
    check("api.worker.list.answer", &Answer::Ok(vec![view()]));
    let target_pool = Target::Pool(pool);
    check("api.worker.terminate", &WorkerTerminate { target: target_pool, force: true });
    check("api.worker.launch", &WorkerLaunch { pool: "compute".parse().unwrap(), count: 2 });
    let mark = Mark::Drain;
    check("api.worker.mark", &WorkerMark { target: target.clone(), mark });
    let image = Some("rocky-10".to_owned());
    check("api.worker.rebuild", &WorkerRebuild { target: target.clone(), image: image.clone() });
    let pool = "compute".parse().unwrap();
    check("api.pool.mark", &PoolMark { pool, mark: PoolMarking::Freeze });
    check("api.image.set", &ImageSet { pool: "compute".parse().unwrap(), image });
    check("api.image.list", &ImageList {});
    check("api.states.push", &StatesPush { target: Some(target.clone()), apply: true });
    let worker = "compute-0001".parse().unwrap();
    let pushed = PushView { worker, revision: Some(7), error: None };
    check("api.states.push.answer", &Answer::Ok(vec![pushed]));
    let of = Compiled {
        worker: "compute-0001".parse().unwrap(),
        stage: Stage::Low,
        sls: vec!["web".into()],
    };
    check("api.states.show", &StatesShow { of: of.clone() });
    check("api.states.reveal", &StatesReveal { of });
    let shown = Shown { shown: serde_json::json!([{"fun": "nop"}]), faults: vec!["no".into()] };
    check("api.states.show.answer", &Answer::Ok(shown));
    check("api.cluster.destroy", &ClusterDestroy {});
    check("api.cluster.confirm", &ReconcileConfirm {});
    let after = Some("POOLS/compute".to_owned());
    check("api.cluster.backup", &ClusterBackup { after: after.clone() });
    check("api.cluster.backup.answer", &Answer::Ok(backup_part(after)));
    check("api.cloud.show", &CloudShow {});
    check("api.pool.list", &PoolList {});
    check("api.pool.scale", &PoolScale { pool: "compute".parse().unwrap(), size: 5 });
    check("api.pool.answer", &Answer::Ok(pool_view()));
    let filter = "muster.event.>".into();
    check("api.tail.suspect", &TailSuspect { what: "a message on x".into() });
    check("api.tail.open", &TailOpen { lease: token(6), filter, since: Some(NOW) });
    let metrics = vec!["cpu".into()];
    check("api.stats.show", &StatsShow { target: Some(target.clone()), metrics, range_secs: 60 });
    let series = SeriesView {
        worker: worker_name(),
        metric: "load.1m".into(),
        unit: "1".into(),
        points: vec![(NOW, 0.5)],
    };
    check("api.stats.answer", &Answer::Ok(vec![series]));
    check(
        "api.command.run",
        &CommandRun { call: token(7), target, verb: Verb::Ping, timeout_secs: 9 },
    );
    check("api.command.answer", &Answer::Ok(CommandStarted { workers: vec![worker_name()] }));
    let refusal = Refusal { kind: RefusalKind::Missing, message: "there is no pool x".into() };
    check::<Answer<Vec<WorkerView>>>("api.refused", &Answer::Refused(refusal));
}
