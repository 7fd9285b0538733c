//! A worker as hooks see it: one JSON object of a stable shape, without a secret.

use super::Point;
use muster_protocol::event::PhaseChanged;
use muster_protocol::id::{ClusterName, PoolName, Token, WorkerName};
use muster_protocol::worker::{Milestones, Phase, Worker};
use serde::Serialize;
use std::net::IpAddr;

/// The shape's version: it grows when a field goes or changes, not when one is added.
const VERSION: u32 = 1;

/// What a program reads on its standard input, and a webhook as its body.
#[derive(Clone, Debug, Serialize)]
pub struct View {
    /// The shape's version.
    v: u32,
    /// The cluster.
    cluster: ClusterName,
    /// When.
    pub(super) point: Point,
    /// The event that says so, the same when it comes again; null before something.
    event: Option<Token>,
    /// The worker.
    pub(super) name: WorkerName,
    /// Its pool.
    pub(super) pool: PoolName,
    /// Where it is in its life.
    phase: String,
    /// Where it was; null before something.
    from: Option<String>,
    /// Which life this is.
    pub(super) generation: u32,
    /// The agent of this generation.
    pub(super) agent_id: String,
    /// The cloud's server; null while the cloud has told none.
    provider_id: Option<String>,
    /// Where its cloud says that it is.
    addresses: Vec<IpAddr>,
    /// What its server is made from.
    image: String,
    /// Why it failed or is removed.
    reason: Option<String>,
    /// When it got where, in milliseconds since 1970.
    milestones: Milestones,
}

impl View {
    /// A worker as its document is.
    pub(super) fn of(point: Point, cluster: &ClusterName, worker: &Worker) -> View {
        // What is told of a server before it exists is the last one's.
        let has_server = !matches!(worker.phase, Phase::Pending | Phase::Launching);
        let addresses = worker.addresses.iter().filter(|_| has_server);
        View {
            v: VERSION,
            cluster: cluster.clone(),
            point,
            event: None,
            name: worker.name.clone(),
            pool: worker.pool.clone(),
            phase: worker.phase.name().to_owned(),
            from: None,
            generation: worker.generation.0,
            agent_id: worker.agent_id.to_string(),
            provider_id: worker.provider_id.clone(),
            addresses: addresses.copied().collect(),
            image: worker.image.clone(),
            reason: worker.reason.clone(),
            milestones: worker.milestones.clone(),
        }
    }

    /// A change of phase, with what the document adds if it is still of that generation. None for
    /// a change that is no point, or that names no pool.
    pub(super) fn changed(
        cluster: &ClusterName,
        event: &Token,
        name: &WorkerName,
        change: &PhaseChanged,
        worker: Option<&Worker>,
    ) -> Option<View> {
        let same = |worker: &&Worker| worker.agent_id.as_str() == change.agent_id;
        let worker = worker.filter(same);
        Some(View {
            v: VERSION,
            cluster: cluster.clone(),
            point: Point::of(change)?,
            event: Some(event.clone()),
            name: name.clone(),
            pool: change.pool.parse().ok()?,
            phase: change.to.clone(),
            from: Some(change.from.clone()),
            generation: change.generation,
            agent_id: change.agent_id.clone(),
            provider_id: worker.and_then(|worker| worker.provider_id.clone()),
            addresses: worker.map(|worker| worker.addresses.clone()).unwrap_or_default(),
            image: worker.map(|worker| worker.image.clone()).unwrap_or_default(),
            reason: change.reason.clone(),
            milestones: worker.map(|worker| worker.milestones.clone()).unwrap_or_default(),
        })
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        let json = serde_json::to_string(self);
        json.expect("names, numbers and texts are plain JSON") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::tests::pending;
    use muster_protocol::id::{Generation, UnixMillis};

    fn booting() -> Worker {
        Worker {
            phase: Phase::Booting,
            generation: Generation(3),
            agent_id: "compute-0001-abcdefghijkm".parse().unwrap(),
            provider_id: Some("5f3c".into()),
            addresses: vec!["10.0.0.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
            image: "rocky-9".into(),
            milestones: Milestones {
                launched: Some(UnixMillis(1_700_000_000_000)),
                ..Milestones::default()
            },
            ..pending()
        }
    }

    fn change(agent_id: &str, to: &str) -> PhaseChanged {
        PhaseChanged {
            agent_id: agent_id.into(),
            pool: "compute".into(),
            generation: 3,
            from: "launching".into(),
            to: to.into(),
            reason: None,
            millis: Some(800),
        }
    }

    #[test]
    fn the_shape_is_the_one_that_is_documented() {
        let (cluster, event) = ("pluto".parse().unwrap(), "e1".parse().unwrap());
        let (worker, change) = (booting(), change("compute-0001-abcdefghijkm", "booting"));
        let view = View::changed(&cluster, &event, &worker.name, &change, Some(&worker)).unwrap();
        let expected = concat!(
            r#"{"v":1,"cluster":"pluto","point":"launched","event":"e1","name":"compute-0001","#,
            r#""pool":"compute","phase":"booting","from":"launching","generation":3,"#,
            r#""agent_id":"compute-0001-abcdefghijkm","provider_id":"5f3c","#,
            r#""addresses":["10.0.0.7","2001:db8::7"],"image":"rocky-9","reason":null,"#,
            r#""milestones":{"launched":1700000000000,"enrolled":null,"configured":null,"#,
            r#""ready":null,"first_sample":null}}"#,
            "\n"
        );
        assert_eq!(view.json(), expected);
    }

    #[test]
    fn an_event_of_an_older_generation_takes_nothing_from_the_document() {
        let (cluster, event) = ("pluto".parse().unwrap(), "e1".parse().unwrap());
        let (worker, change) = (booting(), change("compute-0001-mmmmmmmmmmmm", "terminated"));
        let view = View::changed(&cluster, &event, &worker.name, &change, Some(&worker)).unwrap();
        assert_eq!((view.provider_id, view.addresses.len()), (None, 0));
        assert_eq!(view.agent_id, "compute-0001-mmmmmmmmmmmm");
    }

    #[test]
    fn a_worker_that_is_to_be_launched_has_no_address_of_its_last_life() {
        let worker = Worker { phase: Phase::Pending, ..booting() };
        let view = View::of(Point::BeforeLaunch, &"pluto".parse().unwrap(), &worker);
        assert!(view.addresses.is_empty() && view.event.is_none() && view.from.is_none());
    }
}
