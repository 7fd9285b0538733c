//! What each fuzz target does with its bytes; a test replays the corpus through the same bodies.
//!
//! A body panics on a finding: a decoder that panics, an error that shows a secret or is no single
//! sentence, a value that is not the same once it was written and read again.

use muster_protocol::api::{
    Answer, CloudShow, ClusterDestroy, ClusterShow, CommandRun, ImageList, ImageSet, PoolList,
    PoolMark, PoolScale, ReconcileConfirm, StatesPush, StatesReveal, StatesShow, StatsShow,
    TailOpen, TailSuspect, WorkerLaunch, WorkerList, WorkerMark, WorkerRebuild, WorkerTerminate,
    WorkerView,
};
use muster_protocol::bus::Caller;
use muster_protocol::command::{Command, Reply, Seen};
use muster_protocol::desired::{Desired, Manifest, is_tree_path};
use muster_protocol::enrol::{self, Claim, Renewal, Request, SignedRenewal};
use muster_protocol::event::Event;
use muster_protocol::id::{
    AgentId, ClusterName, Hash, PoolName, Token, UnixMillis, UserName, WorkerName,
};
use muster_protocol::seal::{Certificate, Signed};
use muster_protocol::stats::{Batch, Frame, Metric, Row, Schema, SchemaId};
use muster_protocol::subject;
use muster_protocol::wire::{self, Message};
use muster_protocol::worker::{PoolState, Worker};
use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// A target: what it is called, and its body.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: &[Target] = &[
    ("agent_files", agent_files),
    ("config", config),
    ("documents", documents),
    ("envelopes", envelopes),
    ("ids", ids),
    ("jwt", jwt),
    ("messages", messages),
    ("rules", rules),
    ("state_yaml", state_yaml),
    ("states", states),
    ("stats", stats),
    ("templates", templates),
    ("user_data", user_data),
];

/// A seed that an input may hold; no error may show it.
const SEED: &str = "SUAIF6BE36TJHOBP74NEW5IUPKIWTGVTI7EL4Z42ZQEP6FHQMSOK3GNEMY";
/// The longest error, in bytes: the names of all fields, and then some.
const SENTENCE_BYTES_MAX: usize = 2000;

/// An error that people read is one sentence of bounded length.
fn told(result: Result<(), String>) {
    let Err(text) = result else { return };
    assert!(text.len() <= SENTENCE_BYTES_MAX, "{} bytes of error", text.len());
    assert!(!text.contains('\n'), "more than one line: {text:?}");
}

/// So is that of a file with secrets, which it does not show.
fn told_secretly(result: Result<(), String>) {
    if let Err(text) = &result {
        assert!(!text.contains(SEED), "a secret is shown: {text:?}");
    }
    told(result);
}

/// Every message: what can be read is the same when it was written and read again.
pub fn messages(bytes: &[u8]) {
    macro_rules! each {
        ($($message:ty),* $(,)?) => { $(round::<$message>(bytes);)* };
    }
    each![
        Certificate,
        Claim,
        CloudShow,
        ClusterDestroy,
        ClusterShow,
        Command,
        CommandRun,
        Desired,
        enrol::Answer,
        Event,
        Frame,
        ImageList,
        ImageSet,
        StatesPush,
        StatesReveal,
        StatesShow,
        Manifest,
        PoolList,
        PoolMark,
        PoolScale,
        PoolState,
        ReconcileConfirm,
        Renewal,
        Reply,
        Request,
        Signed,
        SignedRenewal,
        StatsShow,
        TailOpen,
        TailSuspect,
        Worker,
        WorkerLaunch,
        WorkerList,
        WorkerMark,
        WorkerRebuild,
        WorkerTerminate,
        Answer<Vec<WorkerView>>,
    ];
    if let Ok(manifest) = wire::decode::<Manifest>(bytes) {
        // Whoever writes a tree trusts these two alone.
        let _paths = manifest.all().filter(|file| is_tree_path(&file.path)).count();
        let _chunks = manifest.all().map(|file| file.blob.chunks()).max();
    }
}

fn round<M: Message>(bytes: &[u8]) {
    let Ok(message) = wire::decode::<M>(bytes) else { return };
    let first = wire::encode(&message);
    let again = wire::decode::<M>(&first).expect("what was written can be read");
    assert!(first == wire::encode(&again), "{} changes when it is written", M::NAME);
}

/// What is signed: no bytes open, whatever the time, since nobody here has the root's key.
pub fn envelopes(bytes: &[u8]) {
    const ROOT: &str = "OCAT33MTVU2VUOIMGNGUNXJ66AH2RLSDAF3MUBCYAY5QMIL65NQM6XQG";
    let agent = "compute-0007-abcdefghijkm";
    let now = UnixMillis(1_795_149_634_000);
    if let Ok(signed) = wire::decode::<Signed>(bytes) {
        drop(signed.certificate.check_time(now));
        for now in [None, Some(now), Some(UnixMillis(i64::MIN)), Some(UnixMillis(i64::MAX))] {
            assert!(signed.open::<Command>(ROOT, agent, now).is_err(), "a forgery opens");
            assert!(signed.open::<Desired>(ROOT, agent, now).is_err(), "a forgery opens");
            assert!(signed.open::<enrol::Answer>(ROOT, agent, now).is_err(), "a forgery opens");
            // The body's own decoder, too.
            drop(signed.open::<Command>(&signed.certificate.public_key, agent, now));
        }
        messages(&signed.body);
    }
    if let Ok(request) = wire::decode::<Request>(bytes) {
        drop(request.verify(ROOT));
        messages(&request.claim);
    }
    if let Ok(renewal) = wire::decode::<SignedRenewal>(bytes) {
        drop(renewal.verify(ROOT));
    }
    if let Ok(command) = wire::decode::<Command>(bytes) {
        let (mut seen, me) = (Seen::default(), command.agent_id.clone());
        let admitted = seen.admit(&me, &command, now).is_ok();
        assert!(!admitted || seen.admit(&me, &command, now).is_err(), "a command comes twice");
    }
}

/// Names and subjects: what can be read is written as it was.
pub fn ids(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    same::<AgentId>(text);
    same::<ClusterName>(text);
    same::<Hash>(text);
    same::<PoolName>(text);
    same::<SchemaId>(text);
    same::<Token>(text);
    same::<UserName>(text);
    same::<WorkerName>(text);
    if let Ok(agent) = text.parse::<AgentId>() {
        let subject = subject::stats(&agent);
        let found = subject::tokens::<1>(&subject, "muster.stats.");
        assert_eq!(found, Some([text]), "a name breaks out of its subject");
        assert!(agent.worker().to_string().parse::<WorkerName>().is_ok());
    }
    let _tokens = subject::tokens::<3>(text, subject::EVENT_PREFIX);
    let (pattern, subject) = text.split_once('\n').unwrap_or((text, text));
    let _matches = subject::matches(pattern, subject);
    assert!(!is_tree_path(text) || !text.split('/').any(|part| part == ".." || part.is_empty()));
    let _seen = muster_agent::fuzzing::seen(text);
    // The server's mark of who calls.
    drop(serde_json::from_slice::<Caller>(bytes));
}

fn same<T: FromStr<Err: Display> + Display>(text: &str) {
    match text.parse::<T>() {
        Ok(id) => assert_eq!(id.to_string(), text),
        Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
    }
}

/// JWTs: nobody's is believed.
pub fn jwt(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    told_secretly(muster_protocol::jwt::decode(text).map(drop).map_err(|e| e.to_string()));
}

/// Frames and schemas: what unpacks has the size that it says, and packs to the same values.
pub fn stats(bytes: &[u8]) {
    let [count, columns @ ..] = bytes else { return };
    let metrics = usize::from(*count % 8) + 1;
    let metric = |n| Metric::new(format!("m.{n}"), "bytes", muster_protocol::stats::Kind::Gauge);
    let schema = Schema::new((0..metrics).map(metric).collect()).expect("a small schema");
    let agent: AgentId = "compute-0007-abcdefghijkm".parse().expect("an id");
    let schema = Arc::new(schema);
    if let Ok(frame) = wire::decode::<Frame>(columns) {
        drop(Batch::new(&agent, Arc::clone(&schema), &frame));
    }
    if let Ok(schema) = serde_json::from_slice::<Schema>(columns) {
        let text = serde_json::to_vec(&schema).expect("a schema is JSON");
        let again: Schema = serde_json::from_slice(&text).expect("it can be read");
        assert_eq!(again.id(), schema.id());
    }
    let boot: Token = "a".repeat(26).parse().expect("a token");
    for samples in [1, u32::from(*count / 8) + 1] {
        let (schema_id, columns) = (schema.id().clone(), columns.to_vec());
        let frame = Frame { schema: schema_id, boot: boot.clone(), seq: 7, samples, columns };
        let Ok(batch) = Batch::new(&agent, Arc::clone(&schema), &frame) else { continue };
        assert_eq!(batch.samples(), samples as usize);
        let value = |metric: usize, sample: usize| batch.column(metric)[sample];
        let row = |sample: usize| Row {
            time: batch.times[sample],
            values: (0..metrics).map(|metric| value(metric, sample)).collect(),
        };
        let rows: Vec<Row> = (0..batch.samples()).map(row).collect();
        let packed = Frame::pack(&schema, &boot, 7, &rows).expect("what was unpacked");
        let again = Batch::new(&agent, Arc::clone(&schema), &packed).expect("what was packed");
        assert_eq!(again.times, batch.times);
        let bits = |batch: &Batch, metric| -> Vec<u64> {
            batch.column(metric).iter().map(|value| value.to_bits()).collect()
        };
        for metric in 0..metrics {
            assert_eq!(bits(&again, metric), bits(&batch, metric));
        }
    }
}

/// `controller.yaml`, contexts, and the other files of `init`.
pub fn config(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let config = muster_controller::config::Config::parse(text, Path::new("f"));
    told(config.map(drop).map_err(|error| muster_controller::chain(&error)));
    told_secretly(muster_controller::fuzzing::written(text));
}

/// Documents in the bus that are the controllers' alone.
pub fn documents(bytes: &[u8]) {
    muster_controller::fuzzing::documents(bytes);
}

/// Rules, and what they make of an event.
pub fn rules(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let rule = muster_reactors::rule::parse(text, Path::new("f"));
    if let Ok(rule) = &rule {
        let token: Token = "a".repeat(26).parse().expect("a token");
        let event = Event::new(token, UnixMillis(1), &serde_json::json!({"failed": 3}));
        drop(rule.matches("muster.event.agent.w-abcdefghijkm.failed", &event));
    }
    told(rule.map(drop).map_err(|error| error.to_string()));
}

/// User-data: what cloud-init would do, and the file that it leaves for the agent.
pub fn user_data(bytes: &[u8]) {
    told_secretly(muster_agent::fuzzing::bootstrap(bytes));
    let Ok(text) = str::from_utf8(bytes) else { return };
    told_secretly(muster_controller::fuzzing::cloud_config(text));
}

/// What the agent keeps on disk, and what a person sets there.
pub fn agent_files(bytes: &[u8]) {
    told_secretly(muster_agent::fuzzing::settings(bytes));
    told_secretly(muster_agent::fuzzing::kept(bytes));
    let _whole = muster_agent::fuzzing::spooled(bytes);
}

/// Templates: any text renders or is refused, within its limits. No function of `salt` runs.
pub fn templates(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    muster_states::fuzzing::template(text);
}

/// YAML of trees: what was read comes back when it is written.
pub fn state_yaml(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    muster_states::fuzzing::yaml_round(text);
}

/// The compiler: any data are states, or are refused.
pub fn states(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    muster_states::fuzzing::compiled(text);
}
