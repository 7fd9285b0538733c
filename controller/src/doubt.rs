//! What is known here against what the clouds show, as pure functions; and what may be done about a
//! difference without a person's word.
//!
//! Nothing is destroyed on doubt: a listing that failed says nothing, an empty one is not believed,
//! a registry that is new or restored decides nothing, an agent that answers has a server, and what
//! would hit many at once is asked first.

use crate::provider::{Server, ServerId, Status};
use muster_protocol::id::{AgentId, UnixMillis, WorkerName};
use muster_protocol::worker::{Occupancy, Phase, Worker};
use std::collections::{HashMap, HashSet};

/// So many at once are never too many.
pub const AT_ONCE_MIN: usize = 3;
/// One in so many of the fleet may go at once.
pub const AT_ONCE_PART: usize = 10;

/// A server that was just made may be missing from a listing for so long.
const SETTLE_MILLIS: i64 = 30_000;

/// Both sides of one cloud.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The workers of its pools.
    pub workers: &'a [Worker],
    /// Its servers.
    pub servers: &'a [Server],
    /// The present time.
    pub now: UnixMillis,
    /// A server that nobody knows is left alone until it is so old.
    pub grace_millis: i64,
    /// A server that is still being built after so long is given up.
    pub build_millis: i64,
    /// An idle worker that is lost for so long is given up.
    pub lost_idle_millis: i64,
    /// Agents that were heard just now: whatever the cloud says, they live.
    pub answering: &'a HashSet<AgentId>,
}

/// What does not fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Workers whose server the cloud does not show.
    pub missing: Vec<WorkerName>,
    /// Workers whose server is there and down.
    pub stopped: Vec<WorkerName>,
    /// Workers whose server failed before anything ran on it, with the cloud's reason.
    pub broken: Vec<(WorkerName, String)>,
    /// Workers that could have jobs and whose server failed, with the cloud's reason.
    pub failing: Vec<(WorkerName, String)>,
    /// Workers whose server is still being built after too long.
    pub stuck: Vec<WorkerName>,
    /// Idle workers that are lost for too long, though the cloud shows nothing wrong.
    pub silent: Vec<WorkerName>,
    /// Workers whose server is down or failed by the cloud's word, and whose agents answer.
    pub contradicted: Vec<(WorkerName, Status)>,
    /// Servers beside the registered one of the same generation.
    pub doubles: Vec<ServerId>,
    /// Servers of no worker's present generation, past their grace.
    pub orphans: Vec<(ServerId, AgentId)>,
    /// Servers that nobody knows, and that are too young to judge.
    pub young: Vec<ServerId>,
}

impl Findings {
    /// The workers and servers that a person may be asked about.
    #[must_use]
    pub fn names(&self) -> HashSet<String> {
        let workers = self.missing.iter().chain(&self.stopped).chain(&self.silent);
        let failing = self.failing.iter().map(|(name, _)| name);
        let contradicted = self.contradicted.iter().map(|(name, _)| name);
        let workers = workers.chain(failing).chain(contradicted).map(ToString::to_string);
        let orphans = self.orphans.iter().map(|(id, _)| id.to_string());
        workers.chain(orphans).collect()
    }
}

/// Compares both sides.
#[must_use]
pub fn compare(sight: Sight<'_>) -> Findings {
    let mut findings = Findings::default();
    let mut by_agent: HashMap<&AgentId, Vec<&Server>> = HashMap::new();
    for server in sight.servers.iter().filter(|server| server.status != Status::Deleted) {
        by_agent.entry(&server.agent_id).or_default().push(server);
    }
    // What came after its generation was over is nobody's, though the document still bears its id.
    for worker in sight.workers.iter().filter(|worker| !worker.phase.is_over()) {
        let servers = by_agent.remove(&worker.agent_id).unwrap_or_default();
        known(worker, &servers, sight, &mut findings);
    }
    // A server under a rebuild bears the older generation until it lands, or when an older try
    // lands last: it is its worker's all the same.
    let live = sight.workers.iter().filter(|worker| !worker.phase.is_over());
    let owned: HashSet<&str> = live.filter_map(|worker| worker.provider_id.as_deref()).collect();
    let unknown = by_agent.into_values().flatten();
    let mut unknown: Vec<&Server> =
        unknown.filter(|server| !owned.contains(server.id.as_str())).collect();
    unknown.sort_by(|a, b| a.id.cmp(&b.id));
    for server in unknown {
        if sight.now.since(server.created_at) > sight.grace_millis {
            findings.orphans.push((server.id.clone(), server.agent_id.clone()));
        } else {
            findings.young.push(server.id.clone());
        }
    }
    findings
}

/// What one worker's generation has in the cloud, and what it should have.
fn known(worker: &Worker, servers: &[&Server], sight: Sight<'_>, findings: &mut Findings) {
    let registered = worker.provider_id.as_ref().map(ServerId::new);
    // While none is known to be the one, each may be: it is found, or enrols, meanwhile.
    if let Some(keep) = registered.as_ref().filter(|id| servers.iter().any(|s| s.id == **id)) {
        let ids = servers.iter().map(|server| &server.id);
        findings.doubles.extend(ids.filter(|id| *id != keep).cloned());
    }
    if !is_expected(worker) {
        return;
    }
    let (name, age) = (worker.name.clone(), sight.now.since(worker.since));
    let answers = can_have_jobs(worker) && sight.answering.contains(&worker.agent_id);
    match servers.iter().find(|server| Some(&server.id) == registered.as_ref()) {
        // Clouds show a new server late, and an agent that answers has a server.
        None if age < SETTLE_MILLIS || answers => {}
        None => findings.missing.push(name),
        Some(server) => match &server.status {
            status @ (Status::Stopped | Status::Error(_)) if answers => {
                findings.contradicted.push((name, status.clone()));
            }
            Status::Stopped => findings.stopped.push(name),
            Status::Error(why) if can_have_jobs(worker) => {
                findings.failing.push((name, why.clone()));
            }
            Status::Error(why) => findings.broken.push((name, why.clone())),
            Status::Building if worker.phase == Phase::Booting && age > sight.build_millis => {
                findings.stuck.push(name);
            }
            Status::Building | Status::Active | Status::Deleted | Status::Unknown => {
                if is_given_up(worker, age, sight.lost_idle_millis) {
                    findings.silent.push(name);
                }
            }
        },
    }
}

/// Whether nobody hears it any more and no job can be on it.
fn is_given_up(worker: &Worker, age: i64, limit: i64) -> bool {
    let spare = worker.occupancy == Occupancy::Idle && !worker.held;
    worker.phase == Phase::Lost && spare && age > limit
}

fn can_have_jobs(worker: &Worker) -> bool {
    matches!(worker.phase, Phase::Ready | Phase::Lost | Phase::Draining)
}

/// Whether a worker's server must be in the cloud now.
fn is_expected(worker: &Worker) -> bool {
    let there = matches!(
        worker.phase,
        Phase::Booting | Phase::Configuring | Phase::Ready | Phase::Lost | Phase::Draining
    );
    there && worker.provider_id.is_some()
}

/// What is known of the registry itself, and of a person's word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// Why the registry decides nothing unasked: it is new or was restored; none if it may.
    pub registry: Option<String>,
    /// Workers and servers that a person has said may go.
    pub confirmed: HashSet<String>,
}

/// What may be done, and what a person is asked about, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Findings to act on.
    pub act: Findings,
    /// What is not done until somebody confirms it.
    pub doubts: Vec<String>,
    /// The workers and servers that those doubts are about.
    pub asked: HashSet<String>,
}

/// Judges findings: what a person, a pool or the workload manager asked for is not among them.
#[must_use]
pub fn judge(findings: Findings, sight: Sight<'_>, trust: &Trust) -> Verdict {
    let mut verdict = Verdict::default();
    let expected = sight.workers.iter().filter(|worker| is_expected(worker)).count();
    let fleet = expected.max(sight.servers.len());
    let limit = (fleet / AT_ONCE_PART).max(AT_ONCE_MIN);
    if sight.servers.is_empty() && expected > 0 {
        verdict.doubts.push(format!(
            "the cloud shows none of {expected} servers; its listing is not believed"
        ));
        verdict.asked.extend(findings.missing.iter().map(ToString::to_string));
        let confirmed = |name: &&WorkerName| trust.confirmed.contains(name.as_str());
        verdict.act.missing = findings.missing.iter().filter(confirmed).cloned().collect();
        return verdict;
    }
    // Before anything ran on them, broken servers are no loss; doubles are two of what was asked
    // for once.
    verdict.act.broken = findings.broken;
    verdict.act.stuck = findings.stuck;
    verdict.act.doubles = findings.doubles;
    verdict.act.young = findings.young;
    let gone = findings.missing.len() + findings.stopped.len();
    let workers = gone + findings.failing.len() + findings.silent.len();
    let names = |names: &[WorkerName]| names.iter().map(ToString::to_string).collect();
    let lost = Bulk { what: "workers that are gone or silent", count: workers, limit };
    verdict.act.missing = lost.pass(findings.missing, names, &mut verdict, trust);
    verdict.act.stopped = lost.pass(findings.stopped, names, &mut verdict, trust);
    verdict.act.silent = lost.pass(findings.silent, names, &mut verdict, trust);
    let firsts = |all: &[(WorkerName, String)]| all.iter().map(|(n, _)| n.to_string()).collect();
    let failing = lost.pass(findings.failing, firsts, &mut verdict, trust);
    verdict.act.broken.extend(failing);
    contradict(findings.contradicted, &mut verdict, trust);
    let orphans = Bulk { what: "servers of nobody", count: findings.orphans.len(), limit };
    let ids = |all: &[(ServerId, AgentId)]| all.iter().map(|(id, _)| id.to_string()).collect();
    verdict.act.orphans = orphans.pass(findings.orphans, ids, &mut verdict, trust);
    verdict.doubts.sort();
    verdict.doubts.dedup();
    verdict
}

/// The cloud says that a server is down, its agent says otherwise: a person decides.
fn contradict(found: Vec<(WorkerName, Status)>, verdict: &mut Verdict, trust: &Trust) {
    for (name, status) in found {
        if !trust.confirmed.contains(name.as_str()) {
            let word = match &status {
                Status::Error(why) => format!("failed ({why})"),
                _ => "is stopped".to_owned(),
            };
            verdict.doubts.push(format!(
                "the cloud says that the server of {name} {word}, and its agent is not silent"
            ));
            verdict.asked.insert(name.to_string());
        } else if let Status::Error(why) = status {
            verdict.act.broken.push((name, why));
        } else {
            verdict.act.stopped.push(name);
        }
    }
}

/// Removals of one kind within one look.
#[derive(Clone, Copy)]
struct Bulk {
    what: &'static str,
    count: usize,
    limit: usize,
}

impl Bulk {
    fn pass<T: Clone>(
        self,
        found: Vec<T>,
        name: impl Fn(&[T]) -> Vec<String>,
        verdict: &mut Verdict,
        trust: &Trust,
    ) -> Vec<T> {
        let Bulk { what, count, limit } = self;
        let why = match &trust.registry {
            Some(why) => why.clone(),
            None if count > limit => format!("more than {limit} at once"),
            None => return found,
        };
        let confirmed = |one: &T| {
            name(std::slice::from_ref(one)).iter().all(|name| trust.confirmed.contains(name))
        };
        let (go, ask): (Vec<T>, Vec<T>) = found.into_iter().partition(confirmed);
        if !ask.is_empty() {
            verdict
                .doubts
                .push(format!("{count} {what}, and {why}: see `muster worker list --cloud`"));
            verdict.asked.extend(name(&ask));
        }
        go
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::tests::pending;
    use muster_protocol::id::random;

    const NOW: UnixMillis = UnixMillis(1_000_000);
    const GRACE: i64 = 60_000;
    const BUILD: i64 = 300_000;
    const LOST: i64 = 600_000;

    fn worker(number: usize, server: &str) -> Worker {
        let name: WorkerName = format!("compute-{number:04}").parse().unwrap();
        let agent_id = AgentId::new(&name, random());
        let provider_id = Some(server.to_owned());
        Worker { name, agent_id, provider_id, phase: Phase::Ready, ..pending() }
    }

    fn server(id: &str, of: &Worker, age: i64) -> Server {
        Server {
            id: ServerId::new(id),
            name: of.name.clone(),
            agent_id: of.agent_id.clone(),
            cluster: "c".parse().unwrap(),
            status: Status::Active,
            addresses: Vec::new(),
            created_at: NOW.plus(-age),
            image: String::new(),
        }
    }

    fn fleet(size: usize) -> (Vec<Worker>, Vec<Server>) {
        let workers: Vec<Worker> = (0..size).map(|n| worker(n, &format!("s{n}"))).collect();
        let servers = workers.iter().enumerate();
        let servers = servers.map(|(n, worker)| server(&format!("s{n}"), worker, 1)).collect();
        (workers, servers)
    }

    fn look(workers: &[Worker], servers: &[Server], trust: &Trust) -> Verdict {
        look_hearing(workers, servers, trust, &HashSet::new())
    }

    fn look_hearing(
        workers: &[Worker],
        servers: &[Server],
        trust: &Trust,
        answering: &HashSet<AgentId>,
    ) -> Verdict {
        let (grace_millis, build_millis, lost_idle_millis) = (GRACE, BUILD, LOST);
        let sight = Sight {
            workers,
            servers,
            now: NOW,
            grace_millis,
            build_millis,
            lost_idle_millis,
            answering,
        };
        judge(compare(sight), sight, trust)
    }

    #[test]
    fn what_fits_is_left_alone() {
        let (workers, servers) = fleet(5);
        assert_eq!(look(&workers, &servers, &Trust::default()), Verdict::default());
    }

    #[test]
    fn an_empty_list_is_not_believed() {
        let (workers, _) = fleet(2);
        let verdict = look(&workers, &[], &Trust::default());
        assert_eq!((verdict.act, verdict.doubts.len()), (Findings::default(), 1));
    }

    #[test]
    fn a_few_missing_servers_are_believed_and_many_are_asked_about() {
        let (workers, servers) = fleet(20);
        let verdict = look(&workers, &servers[..17], &Trust::default());
        assert_eq!((verdict.act.missing.len(), verdict.doubts.len()), (3, 0));
        let verdict = look(&workers, &servers[..16], &Trust::default());
        assert_eq!((verdict.act.missing.len(), verdict.asked.len()), (0, 4));
        let trust = Trust { confirmed: verdict.asked, ..Trust::default() };
        assert_eq!(look(&workers, &servers[..16], &trust).act.missing.len(), 4);
    }

    #[test]
    fn what_answers_is_not_removed_for_what_the_cloud_says() {
        let (workers, mut servers) = fleet(3);
        servers[0].status = Status::Stopped;
        servers[1].status = Status::Error("live migration failed".into());
        servers.pop();
        let answering: HashSet<AgentId> = workers.iter().map(|w| w.agent_id.clone()).collect();
        let trust = Trust::default();
        let verdict = look_hearing(&workers, &servers, &trust, &answering);
        assert_eq!((&verdict.act, verdict.doubts.len()), (&Findings::default(), 2));
        let failed = "compute-0001 failed (live migration failed), and its agent is";
        assert!(verdict.doubts.iter().any(|doubt| doubt.contains(failed)), "{verdict:?}");
        let trust = Trust { confirmed: verdict.asked, ..trust };
        let act = look_hearing(&workers, &servers, &trust, &answering).act;
        assert_eq!((act.stopped.len(), act.broken.len()), (1, 1));
        let act = look(&workers, &servers, &Trust::default()).act;
        assert_eq!((act.missing.len(), act.stopped.len(), act.broken.len()), (1, 1, 1));
    }

    #[test]
    fn many_that_fail_at_once_are_asked_about_unless_nothing_ran_on_them() {
        let (mut workers, mut servers) = fleet(4);
        servers.iter_mut().for_each(|server| server.status = Status::Error("no disk".into()));
        let verdict = look(&workers, &servers, &Trust::default());
        assert_eq!((verdict.act.broken.len(), verdict.asked.len()), (0, 4));
        workers.iter_mut().for_each(|worker| worker.phase = Phase::Booting);
        assert_eq!(look(&workers, &servers, &Trust::default()).act.broken.len(), 4);
    }

    #[test]
    fn of_the_lost_only_the_idle_are_given_up_and_late() {
        let (mut workers, servers) = fleet(4);
        for (worker, occupancy) in workers.iter_mut().zip([
            Occupancy::Idle,
            Occupancy::Idle,
            Occupancy::Busy,
            Occupancy::Unknown,
        ]) {
            worker.phase = Phase::Lost;
            worker.occupancy = occupancy;
            worker.since = NOW.plus(-LOST - 1);
        }
        workers[1].held = true;
        let act = look(&workers, &servers, &Trust::default()).act;
        assert_eq!(act.silent, [workers[0].name.clone()]);
        workers[0].since = NOW.plus(-LOST);
        assert_eq!(look(&workers, &servers, &Trust::default()), Verdict::default());
    }

    #[test]
    fn a_server_that_is_built_for_ever_is_given_up() {
        let (mut workers, mut servers) = fleet(1);
        (workers[0].phase, servers[0].status) = (Phase::Booting, Status::Building);
        workers[0].since = NOW.plus(-BUILD);
        assert_eq!(look(&workers, &servers, &Trust::default()), Verdict::default());
        workers[0].since = NOW.plus(-BUILD - 1);
        let act = look(&workers, &servers, &Trust::default()).act;
        assert_eq!(act.stuck, [workers[0].name.clone()]);
    }

    #[test]
    fn a_new_registry_removes_nothing_unasked() {
        let (workers, servers) = fleet(2);
        let old: Vec<Server> = servers
            .iter()
            .map(|s| Server { created_at: NOW.plus(-2 * GRACE), ..s.clone() })
            .collect();
        let trust = Trust { registry: Some("the registry is new".into()), ..Trust::default() };
        let verdict = look(&workers[..0], &old, &trust);
        assert_eq!((verdict.act.orphans.len(), verdict.asked.len()), (0, 2));
        assert_eq!(look(&workers[..0], &old, &Trust::default()).act.orphans.len(), 2);
    }

    #[test]
    fn a_young_server_is_no_orphan() {
        let (workers, servers) = fleet(1);
        let other = worker(9, "s9");
        let young = [servers[0].clone(), server("s9", &other, GRACE)];
        let verdict = look(&workers, &young, &Trust::default());
        assert_eq!((verdict.act.orphans.len(), verdict.act.young.len()), (0, 1));
    }

    #[test]
    fn a_server_that_comes_after_its_worker_is_over_is_an_orphan() {
        let (mut workers, servers) = fleet(2);
        workers[1].phase = Phase::Terminated;
        let late = server("s1", &workers[1], 2 * GRACE);
        let verdict = look(&workers, &[servers[0].clone(), late.clone()], &Trust::default());
        assert_eq!(verdict.act.orphans, [(late.id, late.agent_id)]);
    }

    #[test]
    fn a_workers_server_that_bears_an_older_generation_is_no_orphan() {
        let (mut workers, servers) = fleet(2);
        workers[1].agent_id = AgentId::new(&workers[1].name, random());
        workers[1].phase = Phase::Rebuilding;
        let old = Server { created_at: NOW.plus(-2 * GRACE), ..servers[1].clone() };
        let verdict = look(&workers, &[servers[0].clone(), old], &Trust::default());
        assert_eq!(verdict.act, Findings::default());
    }

    #[test]
    fn of_doubles_the_registered_one_stays_and_all_until_one_is() {
        let (workers, servers) = fleet(1);
        let older = server("s-older", &workers[0], 500);
        let verdict = look(&workers, &[servers[0].clone(), older.clone()], &Trust::default());
        assert_eq!(verdict.act.doubles, std::slice::from_ref(&older.id));
        let unknown = Worker { provider_id: None, phase: Phase::Launching, ..workers[0].clone() };
        let verdict = look(&[unknown], &[servers[0].clone(), older], &Trust::default());
        assert_eq!(verdict.act.doubles, []);
    }
}
