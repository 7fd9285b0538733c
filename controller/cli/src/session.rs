//! One person's connection: calls with their answers, and tails. Each error says what to do next.

use crate::context::{Ca, Context};
use crate::failure::{Failure, OrNext, Result};
use crate::output::clock;
use anyhow::{Context as _, anyhow};
use muster_protocol::api::{Answer, Question, TailOpen, TailSuspect};
use muster_protocol::bus::{self, Bus, Credential, Feed, State};
use muster_protocol::id::{Token, UnixMillis, UserName, random};
use muster_protocol::subject;
use nkeys::KeyPair;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tempfile::NamedTempFile;
use tokio::sync::watch;

/// How long the server may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the controller may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

const NEXT_RUNNING: &str =
    "see whether the controller runs: systemctl status muster-controller (then `muster doctor`)";
/// How whoever is not let in comes in again.
pub(crate) const NEXT_CREDENTIAL: &str = "ask an admin to add you again (muster user add), then: \
     muster context add FILE --force; the first person: on the head node, move admin.yaml away and \
     run `muster init` again";
const NEXT_CA: &str = "this server's certificate is not of the context's CA: take ca and servers \
     of the same cluster";

/// A connection.
#[derive(Debug)]
pub(crate) struct Session {
    bus: Bus,
    user: UserName,
    servers: String,
    /// When the credential ends, as far as it is known.
    ends: Option<UnixMillis>,
    /// The bus reads the CA from a file, again at each reconnect.
    _ca: Option<NamedTempFile>,
}

/// A tail that was opened.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Where its events come.
    pub(crate) feed: Feed,
    /// How many stored events come first.
    pub(crate) pending: u64,
}

impl Session {
    /// Connects as the context's user.
    pub(crate) async fn open(context: &Context) -> Result<Session> {
        let damaged = format!("correct {}, or make it anew", context.path.display());
        let key = KeyPair::from_seed(&context.seed)
            .map_err(|error| anyhow!("the context's seed is no key: {error}"))
            .or_next(&damaged)?;
        let (file, ca) = match &context.ca {
            Ca::File(path) => (None, path.clone()),
            Ca::Text(text) => {
                let file = temporary(text).context("writing the CA to a temporary file");
                let file = file.or_next("make room in the temporary folder, or set TMPDIR")?;
                let path = file.path().to_owned();
                (Some(file), path)
            }
        };
        let options = bus::Options {
            role: context.role.role(),
            name: context.user.to_string(),
            servers: context.servers.clone(),
            ca: Some(ca),
            credential: Credential::new(Arc::new(key), context.jwt.clone()),
        };
        let servers = context.servers.join(", ");
        let ends = context.claims().and_then(|claims| claims.end());
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, Bus::connect(options)).await;
        let bus = connected
            .map_err(|_| anyhow!("{servers} did not let us in within {CONNECT_TIMEOUT:?}"))
            .or_next(NEXT_RUNNING)?
            .map_err(|error| explain(error, &servers, ends))?;
        Ok(Session { bus, user: context.user.clone(), servers, ends, _ca: file })
    }

    /// Asks the controller, and gives its answer or why not.
    pub(crate) async fn ask<Q: Question>(&self, question: &Q) -> Result<Q::Answer> {
        self.ask_within(question, CALL_TIMEOUT).await
    }

    /// The same for whoever asks again soon.
    pub(crate) async fn ask_within<Q: Question>(
        &self,
        question: &Q,
        limit: Duration,
    ) -> Result<Q::Answer> {
        let subject = subject::api(&self.user, Q::NOUN, Q::VERB);
        let mut state = self.bus.state();
        let answer = tokio::select! {
            answer = self.bus.request(subject, question, limit) => answer,
            error = refusal(&mut state) => Err(bus::Error::Refused {
                name: self.user.to_string(),
                reason: error,
            }),
        };
        match answer.map_err(|error| self.explain(error))? {
            Answer::Ok(answer) => Ok(answer),
            // Its message ends with what to do next.
            Answer::Refused(refusal) => Err(Failure::new(refusal, "")),
        }
    }

    /// Opens a tail: the feed is listened to before the controller is asked to fill it.
    pub(crate) async fn tail(&self, filter: &str, since: Option<UnixMillis>) -> Result<Tail> {
        let lease = Token::random(random());
        let feed = self.bus.feed(&self.user, &lease).await;
        let feed = feed.map_err(|error| self.explain(error))?;
        let open = TailOpen { lease, filter: filter.to_owned(), since };
        let pending = self.ask(&open).await?.pending;
        Ok(Tail { feed, pending })
    }

    /// Tells the controller what was dropped of a feed; it is no matter whether that succeeds.
    pub(crate) async fn suspect(&self, what: String) {
        drop(self.ask(&TailSuspect { what }).await);
    }

    /// Who calls.
    pub(crate) fn user(&self) -> &UserName {
        &self.user
    }

    /// What the connection is, and each change of it.
    pub(crate) fn state(&self) -> watch::Receiver<State> {
        self.bus.state()
    }

    /// The NATS server's version.
    pub(crate) fn server_version(&self) -> String {
        self.bus.server_version()
    }

    /// The connection is gone for good: why, as far as it is known.
    pub(crate) fn lost(&self) -> Failure {
        let state = self.bus.state().borrow().clone();
        let error = match state {
            State::Refused(reason) => bus::Error::Refused { name: self.user.to_string(), reason },
            State::Connected | State::Disconnected => bus::Error::Closed,
        };
        self.explain(error)
    }

    fn explain(&self, error: bus::Error) -> Failure {
        explain(error, &self.servers, self.ends)
    }

    /// Closes the connection.
    pub(crate) async fn close(&self) {
        self.bus.close().await;
    }
}

/// Waits until the server has refused the credential for good.
async fn refusal(state: &mut watch::Receiver<State>) -> String {
    loop {
        if let State::Refused(reason) = &*state.borrow_and_update() {
            return reason.clone();
        }
        if state.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

fn temporary(text: &str) -> std::io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("muster-ca-").suffix(".pem").tempfile()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    Ok(file)
}

/// Why the server lets a person in no more. It says so when it cuts a connection; to whoever comes
/// new it says only that it does not.
fn refused(name: &str, reason: &str, ends: Option<UnixMillis>, now: UnixMillis) -> String {
    let reason = reason.to_lowercase();
    match ends.filter(|end| *end <= now) {
        _ if reason.contains("revoked") => format!("the credential of {name} was revoked"),
        Some(end) => format!("the credential of {name} ended on {}", clock(end)),
        None if reason.contains("expired") => format!("the credential of {name} has ended"),
        None => format!(
            "the server does not let {name} in: the credential was revoked, or is of other keys"
        ),
    }
}

/// What to do about an error of the bus.
fn explain(error: bus::Error, servers: &str, ends: Option<UnixMillis>) -> Failure {
    use bus::Error;
    if let Error::Refused { name, reason } = &error {
        let what = refused(name, reason, ends, UnixMillis::now());
        return Failure::new(anyhow::Error::new(error).context(what), NEXT_CREDENTIAL);
    }
    let next = match &error {
        Error::Connect { source, .. } if source.to_string().contains("certificate") => {
            NEXT_CA.to_owned()
        }
        Error::Connect { .. } | Error::Closed => NEXT_RUNNING.to_owned(),
        Error::Refused { .. } => NEXT_CREDENTIAL.to_owned(),
        Error::Permission { .. } => {
            "your role does not allow this: ask an admin of the cluster for a higher one".to_owned()
        }
        Error::NoResponders { .. } => {
            "the controller is not running: systemctl status muster-controller".to_owned()
        }
        Error::Timeout { .. } => "the controller is busy or just starting: try again; if it \
             lasts: journalctl -u muster-controller"
            .to_owned(),
        Error::Wire(_) => "muster and the controller are of different releases: upgrade the \
             older one"
            .to_owned(),
        Error::Rejected { .. }
        | Error::Conflict { .. }
        | Error::NotReady { .. }
        | Error::JetStream { .. } => {
            "look at the controller's log: journalctl -u muster-controller".to_owned()
        }
    };
    let closed = matches!(error, Error::Closed);
    let error = anyhow::Error::new(error);
    let error = if closed { error.context(format!("talking to {servers}")) } else { error };
    Failure::new(error, next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::api::PersonRole;

    #[test]
    fn each_error_of_the_bus_says_what_to_do() {
        let subject = || "muster.api.a.worker.list".to_owned();
        for (error, next) in [
            (bus::Error::NoResponders { subject: subject() }, "systemctl status"),
            (bus::Error::Permission { subject: subject() }, "ask an admin"),
            (bus::Error::Timeout { subject: subject(), millis: 1 }, "journalctl"),
            (bus::Error::Closed, "systemctl status"),
            (bus::Error::Refused { name: "a".into(), reason: "b".into() }, "muster init"),
        ] {
            let failure = explain(error, "tls://h:1", None);
            assert!(failure.next().contains(next), "{}: {}", failure.text(), failure.next());
        }
    }

    #[test]
    fn who_is_let_in_no_more_is_told_why() {
        let (past, later) = (Some(UnixMillis(1_000)), Some(UnixMillis(9_000)));
        for (reason, ends, expected) in [
            ("User Authentication Revoked", later, "of vera was revoked"),
            ("User Authentication Revoked", past, "of vera was revoked"),
            ("authorization violation", past, "ended on 1970-01-01 00:00:01"),
            ("User Authentication Expired", later, "of vera has ended"),
            ("authorization violation", later, "was revoked, or is of other keys"),
            ("authorization violation", None, "was revoked, or is of other keys"),
        ] {
            let text = refused("vera", reason, ends, UnixMillis(5_000));
            assert!(text.contains(expected), "{reason}: {text}");
        }
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_named() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("tls://{}", listener.local_addr().unwrap());
        drop(listener);
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, "").unwrap();
        let context = Context {
            cluster: "c".parse().unwrap(),
            servers: vec![server.clone()],
            ca: Ca::File(ca),
            user: "admin".parse().unwrap(),
            role: PersonRole::Admin,
            renewable: true,
            jwt: "j".into(),
            seed: KeyPair::new_user().seed().unwrap(),
            path: "c.yaml".into(),
        };
        let failure = Session::open(&context).await.unwrap_err();
        assert!(failure.text().contains(&server), "{}", failure.text());
        assert!(failure.next().contains("systemctl status muster-controller"));
    }
}
