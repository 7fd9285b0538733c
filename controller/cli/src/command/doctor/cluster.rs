//! The cluster as this person can see it.

use super::check::Check;
use crate::command::pool::phases;
use crate::context::Context;
use crate::output::{clock, span};
use crate::session::Session;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use muster_protocol::api::{ClusterShow, ClusterView, WorkerList, WorkerView};
use muster_protocol::id::UnixMillis;
use muster_protocol::worker::Phase;
use serde::Deserialize;

/// The oldest NATS server that Muster works with.
const NATS_MIN: (u64, u64) = (2, 11);
/// A credential that ends sooner should be renewed now.
const EXPIRES_SOON_MILLIS: i64 = 7 * 86_400_000;
/// How far the two clocks may be apart.
const OFFSET_MILLIS_MAX: i64 = 2_000;
/// Names that one line tells.
const NAMES_MAX: usize = 10;
const RENEW: &str = "get a new context file: on the head node, move admin.yaml away and run \
     `muster init` again, which makes what is missing";

/// The claims of a credential that are looked at here; the server judges all of them.
#[derive(Deserialize)]
struct Claims {
    name: String,
    #[serde(default)]
    exp: i64,
}

/// Whether the credential is this person's and has not ended.
pub(super) fn credential(context: &Context) -> Check {
    judge(&context.jwt, context.user.as_str(), context.role.name(), UnixMillis::now())
}

fn judge(jwt: &str, user: &str, role: &str, now: UnixMillis) -> Check {
    let name = "credential";
    let Some(claims) = claims(jwt) else {
        return Check::fail(name, "the context's jwt cannot be read", RENEW);
    };
    if claims.name != user {
        let detail = format!("it is {:?}'s, and the context is {user}'s", claims.name);
        return Check::fail(name, detail, RENEW);
    }
    let ends = UnixMillis(claims.exp.saturating_mul(1000));
    let left = ends.since(now);
    match (claims.exp, left) {
        (0, _) => Check::ok(name, format!("{user}, {role}; it does not end")),
        (_, ..=0) => Check::fail(name, format!("{user}'s ended on {}", clock(ends)), RENEW),
        (_, ..EXPIRES_SOON_MILLIS) => {
            Check::warn(name, format!("{user}, {role}; it ends in {}", span(left)), RENEW)
        }
        (_, _) => Check::ok(name, format!("{user}, {role}; it ends in {}", span(left))),
    }
}

fn claims(jwt: &str) -> Option<Claims> {
    let payload = URL_SAFE_NO_PAD.decode(jwt.trim().split('.').nth(1)?).ok()?;
    serde_json::from_slice(&payload).ok()
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

/// The controller, its sinks, the workers and the clocks.
pub(super) async fn checks(session: &Session, checks: &mut Vec<Check>) {
    let before = UnixMillis::now();
    let view = match session.ask(&ClusterShow {}).await {
        Ok(view) => view,
        Err(failure) => return checks.push(Check::failed("controller", &failure)),
    };
    let now = UnixMillis::now();
    checks.push(controller(&view, before, now));
    checks.push(clocks(&view, now));
    checks.push(sinks(&view));
    match session.ask(&WorkerList { target: None, all: false }).await {
        Ok(list) => checks.push(workers(&view, &list)),
        Err(failure) => checks.push(Check::failed("workers", &failure)),
    }
}

fn controller(view: &ClusterView, asked: UnixMillis, now: UnixMillis) -> Check {
    let ours = env!("CARGO_PKG_VERSION");
    let up = span(now.since(view.started).max(0));
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

/// The controller says only when it started: a start in the future shows that the clocks differ.
fn clocks(view: &ClusterView, now: UnixMillis) -> Check {
    let ahead = view.started.since(now);
    if ahead <= OFFSET_MILLIS_MAX {
        return Check::ok("clocks", "the controller's is not ahead of this machine's");
    }
    let detail = format!("the controller's is at least {} ahead of this machine's", span(ahead));
    Check::warn("clocks", detail, "synchronise both: timedatectl status")
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
    use crate::command::worker::example;
    use muster_protocol::api::SinkView;
    use std::collections::BTreeMap;

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
        let sink = SinkView { name: "s".into(), written: 3, dropped: 0, error: None };
        let mut view = ClusterView {
            name: "c".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            started: UnixMillis(0),
            nats_version: "2.11.0".into(),
            phases: BTreeMap::new(),
            sinks: vec![sink],
        };
        assert_eq!(sinks(&view).status(), Status::Ok);
        view.sinks[0].dropped = 1;
        assert_eq!(sinks(&view).status(), Status::Warn);
        view.sinks[0].error = Some("connection refused".into());
        assert_eq!(sinks(&view).status(), Status::Fail);
        let now = UnixMillis(0);
        assert_eq!(clocks(&view, now).status(), Status::Ok);
        view.started = UnixMillis(5_000);
        assert_eq!(clocks(&view, now).status(), Status::Warn);
        let mut worker = example();
        assert_eq!(workers(&view, &[worker.clone()]).status(), Status::Ok);
        worker.phase = Phase::Lost;
        assert_eq!(workers(&view, &[worker.clone()]).status(), Status::Warn);
        worker.phase = Phase::Failed;
        assert_eq!(workers(&view, &[worker]).status(), Status::Fail);
    }
}
