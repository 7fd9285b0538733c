//! The cluster as this person can see it.

use super::check::Check;
use crate::command::pool::phases;
use crate::context::{Claims, Context};
use crate::output::{clock, span};
use crate::session::{NEXT_CREDENTIAL, Session};
use muster_protocol::api::{ClusterShow, ClusterView, PoolList, PoolView, WorkerList, WorkerView};
use muster_protocol::id::UnixMillis;
use muster_protocol::worker::Phase;

/// The oldest NATS server that Muster works with.
const NATS_MIN: (u64, u64) = (2, 11);
/// A credential that ends sooner should be renewed now.
const EXPIRES_SOON_MILLIS: i64 = 7 * 86_400_000;
/// How far the two clocks may be apart.
const OFFSET_MILLIS_MAX: i64 = 2_000;
/// Names that one line tells.
const NAMES_MAX: usize = 10;
const RENEW: &str = "muster user renew; if that is refused: ask an admin to add you again";

/// Whether the credential is this person's and has not ended.
pub(super) fn credential(context: &Context) -> Check {
    judge(&context.jwt, context.user.as_str(), context.role.role().name(), UnixMillis::now())
}

fn judge(jwt: &str, user: &str, role: &str, now: UnixMillis) -> Check {
    let name = "credential";
    let Some(claims) = Claims::of(jwt) else {
        return Check::fail(name, "the context's jwt cannot be read", NEXT_CREDENTIAL);
    };
    if claims.name != user {
        let detail = format!("it is {:?}'s, and the context is {user}'s", claims.name);
        return Check::fail(name, detail, NEXT_CREDENTIAL);
    }
    let Some(ends) = claims.end() else {
        return Check::ok(name, format!("{user}, {role}; it does not end"));
    };
    let left = ends.since(now);
    let detail = format!("{user}, {role}; it ends in {}", span(left));
    if left <= 0 {
        let detail = format!("{user}'s ended on {}", clock(ends));
        return Check::fail(name, detail, NEXT_CREDENTIAL);
    }
    match left < EXPIRES_SOON_MILLIS {
        true => Check::warn(name, detail, RENEW),
        false => Check::ok(name, detail),
    }
}

/// Whether the server is new enough.
pub(super) fn nats(version: &str, servers: &[String]) -> Check {
    let detail = format!("{version} at {}", servers.join(", "));
    match is_new_enough(version) {
        true => Check::ok("nats", detail),
        false => Check::fail("nats", detail, "install nats-server 2.11 or later"),
    }
}

/// Whether Muster works with this NATS server.
pub(super) fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= NATS_MIN
}

/// The controller, the clocks, the sinks, the pools, the workers, and what waits for a person.
pub(super) async fn checks(session: &Session, checks: &mut Vec<Check>) {
    let before = UnixMillis::now();
    let view = match session.ask(&ClusterShow {}).await {
        Ok(view) => view,
        Err(failure) => return checks.push(Check::failed("controller", &failure)),
    };
    let now = UnixMillis::now();
    checks.push(controller(&view, before, now));
    checks.push(clocks(&view, before, now));
    checks.push(leader(&view));
    checks.push(doubts(&view));
    checks.push(sinks(&view));
    match session.ask(&PoolList {}).await {
        Ok(list) => checks.push(pools(&list)),
        Err(failure) => checks.push(Check::failed("pools", &failure)),
    }
    match session.ask(&WorkerList { target: None, all: false }).await {
        Ok(list) => checks.push(workers(&view, &list)),
        Err(failure) => checks.push(Check::failed("workers", &failure)),
    }
}

fn controller(view: &ClusterView, asked: UnixMillis, now: UnixMillis) -> Check {
    let ours = env!("CARGO_PKG_VERSION");
    // Both times are its own, if it tells its present one.
    let there = if view.now == UnixMillis::default() { now } else { view.now };
    let up = span(there.since(view.started).max(0));
    let took = span(now.since(asked));
    let detail = format!("{} of {}, up {up}, answers in {took}", view.version, view.name);
    match view.version == ours {
        true => Check::ok("controller", detail),
        false => {
            let next = format!("this muster is {ours}: upgrade the older one");
            Check::warn("controller", detail, next)
        }
    }
}

/// The controller told its time at some moment between the question and the answer: only what lies
/// outside shows that the clocks differ.
fn clocks(view: &ClusterView, asked: UnixMillis, answered: UnixMillis) -> Check {
    let name = "clocks";
    if view.now == UnixMillis::default() {
        return Check::ok(name, "the controller does not tell its time: upgrade it to compare");
    }
    let ahead = view.now.since(answered).max(0);
    let behind = asked.since(view.now).max(0);
    let (apart, way) = if ahead > 0 { (ahead, "ahead of") } else { (behind, "behind") };
    match apart {
        0 => Check::ok(name, "the controller's and this machine's agree"),
        ..=OFFSET_MILLIS_MAX => {
            let detail = format!("the controller's is {} {way} this machine's", span(apart));
            Check::ok(name, detail)
        }
        _ => {
            let detail = format!("the controller's is {} {way} this machine's", span(apart));
            Check::warn(name, detail, "synchronise both: timedatectl status")
        }
    }
}

fn leader(view: &ClusterView) -> Check {
    match view.leader.as_str() {
        "" => Check::warn(
            "leader",
            "no controller reconciles at the moment",
            "one takes over within seconds; if none does: journalctl -u muster-controller",
        ),
        leader => Check::ok("leader", leader),
    }
}

/// What the controller does not do without a person's word.
fn doubts(view: &ClusterView) -> Check {
    match view.doubts.as_slice() {
        [] => Check::ok("doubts", "none"),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { "" } else { "; ..." };
            let next = "muster reconcile, then muster reconcile --confirm";
            Check::warn("doubts", format!("{}: {first}{more}", view.doubts.len()), next)
        }
    }
}

/// A pool that launches nothing, or is meant to stand still.
fn pools(list: &[PoolView]) -> Check {
    let name = "pools";
    if let Some(pool) = list.iter().find(|pool| pool.breaker.is_some()) {
        let breaker = pool.breaker.as_deref().unwrap_or_default();
        return Check::warn(name, format!("{}: {breaker}", pool.name), "muster pool list");
    }
    let still = list.iter().filter(|pool| pool.frozen || pool.draining);
    let still: Vec<&str> = still.map(|pool| pool.name.as_str()).collect();
    match still.first() {
        Some(first) => {
            let detail = some_of("frozen or draining", &still);
            Check::warn(name, detail, format!("if that is over: muster pool thaw {first}"))
        }
        None => Check::ok(name, format!("{}", list.len())),
    }
}

fn sinks(view: &ClusterView) -> Check {
    let name = "sinks";
    if let Some(sink) = view.sinks.iter().find(|sink| sink.error.is_some()) {
        let error = sink.error.as_deref().unwrap_or_default();
        let next = "what it misses is kept and sent later; see that it runs again";
        return Check::fail(name, format!("{}: {error}", sink.name), next);
    }
    let dropped: u64 = view.sinks.iter().map(|sink| sink.dropped).sum();
    let told =
        |sink: &muster_protocol::api::SinkView| format!("{} {} frames", sink.name, sink.written);
    let detail: Vec<String> = view.sinks.iter().map(told).collect();
    match (view.sinks.is_empty(), dropped) {
        (true, _) => Check::ok(name, "none is configured; the built-in history has the stats"),
        (false, 0) => Check::ok(name, detail.join(", ")),
        (false, dropped) => {
            let next = "see the controller's log for why: journalctl -u muster-controller";
            Check::warn(name, format!("{dropped} frames were dropped"), next)
        }
    }
}

fn workers(view: &ClusterView, list: &[WorkerView]) -> Check {
    let name = "workers";
    let of = |phase: Phase| -> Vec<&str> {
        let some = list.iter().filter(|worker| worker.phase == phase);
        some.map(|worker| worker.name.as_str()).collect()
    };
    let (lost, failed) = (of(Phase::Lost), of(Phase::Failed));
    let Some(first) = failed.first().or(lost.first()) else {
        return Check::ok(name, phases(&view.phases));
    };
    let parts = [("failed", &failed), ("lost", &lost)];
    let some = parts.iter().filter(|(_, names)| !names.is_empty());
    let told: Vec<String> = some.map(|(what, names)| some_of(what, names)).collect();
    let next = format!("muster worker show {first}");
    match failed.is_empty() {
        true => Check::warn(name, told.join("; "), next),
        false => Check::fail(name, told.join("; "), next),
    }
}

fn some_of(what: &str, names: &[&str]) -> String {
    let shown = names.iter().take(NAMES_MAX).copied().collect::<Vec<_>>().join(", ");
    let more = if names.len() > NAMES_MAX { ", ..." } else { "" };
    format!("{} {what}: {shown}{more}", names.len())
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;
    use crate::command::cluster::example as cluster;
    use crate::command::worker::example;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn jwt(claims: &str) -> String {
        format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_credential_is_judged_by_name_and_end() {
        let now = UnixMillis(1_000_000_000);
        for (claims, expected) in [
            ("{\"name\":\"a\"}", Status::Ok),
            ("{\"name\":\"a\",\"exp\":900000}", Status::Fail),
            ("{\"name\":\"a\",\"exp\":1100000}", Status::Warn),
            ("{\"name\":\"a\",\"exp\":9000000}", Status::Ok),
            ("{\"name\":\"b\"}", Status::Fail),
            ("{}", Status::Fail),
        ] {
            assert_eq!(judge(&jwt(claims), "a", "admin", now).status(), expected, "{claims}");
        }
        assert_eq!(judge("nonsense", "a", "admin", now).status(), Status::Fail);
    }

    #[test]
    fn an_old_server_is_refused() {
        for (version, expected) in [
            ("2.11.0", Status::Ok),
            ("2.15.1", Status::Ok),
            ("3.0.0-beta", Status::Ok),
            ("2.10.27", Status::Fail),
            ("", Status::Fail),
        ] {
            assert_eq!(nats(version, &[]).status(), expected, "{version}");
        }
    }

    #[test]
    fn what_is_wrong_in_the_cluster_is_told() {
        let mut view = cluster();
        assert_eq!(sinks(&view).status(), Status::Ok);
        view.sinks[0].dropped = 1;
        assert_eq!(sinks(&view).status(), Status::Warn);
        view.sinks[0].error = Some("connection refused".into());
        assert_eq!(sinks(&view).status(), Status::Fail);
        let mut worker = example();
        assert_eq!(workers(&view, &[worker.clone()]).status(), Status::Ok);
        worker.phase = Phase::Lost;
        assert_eq!(workers(&view, &[worker.clone()]).status(), Status::Warn);
        worker.phase = Phase::Failed;
        assert_eq!(workers(&view, &[worker]).status(), Status::Fail);
    }

    #[test]
    fn the_clocks_are_compared_by_the_controllers_own_time() {
        let view = cluster();
        let check = |asked, answered, expected| {
            let check = clocks(&view, UnixMillis(asked), UnixMillis(answered));
            assert_eq!(check.status(), expected, "{asked} {answered}");
        };
        check(159_990, 160_010, Status::Ok);
        check(150_000, 170_000, Status::Ok);
        check(158_000, 158_500, Status::Ok);
        check(157_000, 157_500, Status::Warn);
        check(163_000, 163_500, Status::Warn);
        let silent = ClusterView { now: UnixMillis(0), ..cluster() };
        assert_eq!(clocks(&silent, UnixMillis(1), UnixMillis(1)).status(), Status::Ok);
    }

    #[test]
    fn what_waits_for_a_person_is_told() {
        let mut view = cluster();
        assert_eq!((leader(&view).status(), doubts(&view).status()), (Status::Ok, Status::Ok));
        view.leader.clear();
        view.doubts = vec!["40 of 50 are gone".into()];
        assert_eq!((leader(&view).status(), doubts(&view).status()), (Status::Warn, Status::Warn));
        let mut pool = crate::command::pool::example();
        assert_eq!(pools(&[pool.clone()]).status(), Status::Ok);
        pool.frozen = true;
        assert_eq!(pools(&[pool.clone()]).status(), Status::Warn);
        pool.breaker = Some("the quota is full".into());
        assert_eq!(pools(&[pool]).status(), Status::Warn);
    }
}
