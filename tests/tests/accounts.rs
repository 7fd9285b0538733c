//! The accounts on real nats-servers, the oldest that is accepted and the newest: each role may do
//! just what the table in protocol's subject.rs says, and what crosses borders does.

#[allow(dead_code, reason = "other tests use more of it")]
#[path = "accounts/person.rs"]
mod person;
#[path = "accounts/site.rs"]
mod site;

use anyhow::{Context, Error, Result, ensure};
use async_nats::{HeaderMap, jetstream};
use futures_util::StreamExt;
use muster_protocol::id::UnixMillis;
use muster_protocol::jwt::{self, Revocations, Stamp};
use muster_protocol::subject::{self, Account, CROSSINGS, Crossing, Kind, Role};
use nkeys::KeyPair;
use person::{DEADLINE, Person};
use site::{A, B, Site, name_of};
use std::collections::BTreeSet;

const REQUEST_INFO: &str = "Nats-Request-Info";
const HOSTILE: [&str; 19] = [
    ">",
    "*",
    "*.>",
    "muster.>",
    "muster.*.*",
    "muster.cmd.>",
    "muster.cmd.*.*",
    "muster.desired.>",
    "muster.feed.*.*",
    "muster.enrol.*",
    "_INBOX.>",
    "_INBOX.controller.>",
    "_R_.>",
    "$SYS.>",
    "$SYS.REQ.CLAIMS.UPDATE",
    "$SYS.REQ.USER.INFO",
    "$JS.API.STREAM.LIST",
    "$JS.API.CONSUMER.CREATE.EVENTS",
    "$KV.DESIRED.>",
];

#[tokio::test]
async fn each_role_may_do_just_what_the_table_says() -> Result<()> {
    let everything = everything();
    for site in Site::all().await? {
        for role in Role::ALL {
            let mut person = site.person(role, name_of(role)).await?;
            let template = subject::template(role);
            let own = |patterns: &[String]| named(patterns, name_of(role));
            let (publish, subscribe) = (own(&template.publish), own(&template.subscribe));
            for subject in &everything {
                let may = publish.iter().any(|pattern| covers(pattern, subject));
                // What holds a wildcard cannot be published at all.
                if !subject.contains(['*', '>']) {
                    let did = person.may_publish(subject).await?;
                    ensure!(did == may, "{role:?} publishes {subject}: {did}, not {may}");
                }
                let may = subscribe.iter().any(|pattern| covers(pattern, subject));
                let did = person.may_subscribe(subject).await?;
                ensure!(did == may, "{role:?} subscribes to {subject}: {did}, not {may}");
            }
        }
        site.close().await?;
    }
    Ok(())
}

/// Each subject of each template, in the name of each of two, and what nobody but a controller may.
fn everything() -> BTreeSet<String> {
    let mut all: BTreeSet<String> = HOSTILE.map(String::from).into();
    for role in Role::ALL {
        let template = subject::template(role);
        for name in [name_of(role), B, "somebody"] {
            for pattern in
                named(&template.publish, name).iter().chain(&named(&template.subscribe, name))
            {
                all.insert(pattern.replace('*', "x").replace('>', "x.y"));
                all.insert(pattern.clone());
            }
        }
    }
    for crossing in CROSSINGS {
        all.insert(crossing.subject.replace('*', "x"));
        all.insert(crossing.subject.into());
        all.insert(crossing.subject.replacen('*', A, 1).replace('*', "x"));
    }
    all
}

fn named(patterns: &[String], name: &str) -> Vec<String> {
    patterns.iter().map(|pattern| pattern.replace("{{name()}}", name)).collect()
}

/// Whether all that a subject with wildcards names is within a pattern.
fn covers(pattern: &str, subject: &str) -> bool {
    let mut tokens = subject.split('.');
    for part in pattern.split('.') {
        match (part, tokens.next()) {
            (">", Some(_)) => return true,
            ("*", Some(token)) if token != ">" => {}
            (part, Some(token)) if part == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

#[tokio::test]
async fn every_crossing_carries_what_its_row_says() -> Result<()> {
    for site in Site::all().await? {
        for crossing in CROSSINGS {
            // Answered by streams, which another test makes.
            if !crossing.subject.starts_with('$') {
                let carried = tokio::time::timeout(DEADLINE, carries(&site, crossing)).await;
                carried.map_err(Error::from).flatten().with_context(|| format!("{crossing:?}"))?;
            }
        }
        site.close().await?;
    }
    Ok(())
}

/// One message through a crossing, between a user on each side who may say and hear it.
async fn carries(site: &Site, crossing: &Crossing) -> Result<()> {
    let (subject, from, to) = sides(crossing);
    let asker = site.person(from, name_of(from)).await?;
    let mut answerer = site.person(to, name_of(to)).await?;
    let mut heard = answerer.nats.subscribe(subject.clone()).await?;
    answerer.settle().await?;
    match crossing.kind {
        Kind::Stream => {
            asker.nats.publish(subject, "pushed".into()).await?;
            let pushed = heard.next().await.context("no push")?;
            ensure!(pushed.payload == "pushed");
        }
        Kind::Service { share } => {
            let answer = async {
                let call = heard.next().await.context("no call")?;
                let reply = call.reply.context("no reply subject")?;
                ensure!(crossing.exporter == Account::Agents || reply.starts_with("_R_."));
                answerer.nats.publish(reply, "answer".into()).await?;
                caller(call.headers)
            };
            let mut forged = HeaderMap::new();
            forged.insert(REQUEST_INFO, r#"{"acc":"FORGED","user":"FORGED"}"#);
            let ask = asker.nats.request_with_headers(subject, forged, "call".into());
            let (answered, caller) = tokio::join!(ask, answer);
            ensure!(answered?.payload == "answer");
            let caller = caller?;
            // Without sharing the server tells the account and nothing of the user.
            ensure!(caller["acc"] == site.keys.public_key(crossing.importer), "{caller}");
            ensure!(caller["user"].is_string() == share, "{caller}");
            ensure!(caller["user"] != "FORGED" && (!share || caller["name_tag"] == name_of(from)));
        }
    }
    Ok(())
}

/// Who calls, as the server says.
fn caller(headers: Option<HeaderMap>) -> Result<serde_json::Value> {
    let headers = headers.context("no headers")?;
    let info = headers.get(REQUEST_INFO).context("no mark")?;
    Ok(serde_json::from_str(info.as_str())?)
}

/// A subject of the crossing that both sides' users may use, who says it, and who hears it.
fn sides(crossing: &Crossing) -> (String, Role, Role) {
    let role = |account| match account {
        Account::Bus | Account::Sys => Role::Controller,
        Account::People => Role::Admin,
        Account::Agents if crossing.subject.contains("enrol") => Role::Bootstrap,
        Account::Agents => Role::Agent,
    };
    let (say, hear) = match crossing.kind {
        Kind::Stream => (role(crossing.exporter), role(crossing.importer)),
        Kind::Service { .. } => (role(crossing.importer), role(crossing.exporter)),
    };
    let outside = if say == Role::Controller { hear } else { say };
    let mut subject = crossing.subject.replacen('*', name_of(outside), 1);
    let last = if subject.contains(".event.") { subject::AGENT_EVENT_KINDS[0] } else { "list" };
    if crossing.subject.contains(".api.") {
        subject = subject.replacen('*', "worker", 1);
    }
    subject = subject.replacen('*', last, 1);
    (subject, say, hear)
}

#[tokio::test]
async fn an_agent_reads_its_own_state_and_blobs_without_the_name_of_a_stream() -> Result<()> {
    for site in Site::all().await? {
        let controller = site.person(Role::Controller, "controller").await?;
        let mut agent = site.person(Role::Agent, A).await?;
        let js = jetstream::new(controller.nats.clone());
        let republish = jetstream::stream::Republish {
            source: "$KV.DESIRED.>".into(),
            destination: "muster.desired.>".into(),
            headers_only: false,
        };
        let desired = jetstream::kv::Config {
            bucket: "DESIRED".into(),
            history: 1,
            republish: Some(republish),
            ..Default::default()
        };
        let desired = js.create_key_value(desired).await?;
        let blobs = jetstream::stream::Config {
            name: "BLOBS".into(),
            subjects: vec!["muster.blob.*.*".into()],
            allow_direct: true,
            ..Default::default()
        };
        js.create_stream(blobs).await?;
        js.publish("muster.blob.abc.0", "piece".into()).await?.await?;

        let state = format!("muster.state.{A}");
        let none = agent.nats.request(state.clone(), "".into()).await?;
        ensure!(none.status.is_some_and(|status| status.as_u16() == 404), "{none:?}");
        let mut pushes = agent.nats.subscribe(format!("muster.desired.{A}")).await?;
        ensure!(!agent.may_subscribe(&format!("muster.desired.{B}")).await?);
        desired.put(A, "for A".into()).await?;
        desired.put(B, "for B".into()).await?;
        let key = format!("$KV.DESIRED.{A}");
        let got = agent.nats.request(state, "".into()).await?;
        let pushed = pushes.next().await.context("no push")?;
        for message in [&got, &pushed] {
            ensure!(message.payload == "for A", "{message:?}");
            let mark = message.headers.as_ref().and_then(|headers| headers.get("Nats-Subject"));
            ensure!(mark.is_some_and(|mark| mark.as_str() == key), "{message:?}");
        }
        ensure!(agent.nats.request("muster.blob.abc.0", "".into()).await?.payload == "piece");
        ensure!(!agent.may_publish(&format!("muster.state.{B}")).await?);
        // What a direct get can be asked for otherwise must not open other keys.
        let asks =
            ["{\"last_by_subj\":\"$KV.DESIRED.B\"}", "{\"seq\":2}", "{\"multi_last\":[\"$KV.>\"]}"];
        for ask in asks {
            let ask = ask.replace("DESIRED.B", &format!("DESIRED.{B}"));
            let answer =
                agent.nats.request(format!("muster.state.{A}"), ask.clone().into()).await?;
            ensure!(answer.payload.is_empty() || answer.payload == "for A", "{ask}: {answer:?}");
        }
        site.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_credential_without_its_seed_or_with_permissions_of_its_own_is_refused() -> Result<()> {
    for site in Site::all().await? {
        let (key, thief) = (KeyPair::new_user(), KeyPair::new_user());
        for role in Role::ALL {
            let jwt = site.jwt(role, name_of(role), &key.public_key())?;
            ensure!(
                site.connect(role, name_of(role), &thief, jwt).await.is_err(),
                "{role:?} stolen"
            );
            let wider = site.widened(role, name_of(role), &key.public_key())?;
            ensure!(
                site.connect(role, name_of(role), &key, wider).await.is_err(),
                "{role:?} wider"
            );
        }
        // Of another operator.
        let strange = KeyPair::new_account();
        let issuer = strange.public_key();
        let stamp = Stamp::fresh();
        let jwt = jwt::user(Role::Agent, A, &key.public_key(), &strange, &issuer, None, &stamp)?;
        ensure!(site.connect(Role::Agent, A, &key, jwt).await.is_err(), "strange");
        // And the honest one gets in.
        let jwt = site.jwt(Role::Agent, A, &key.public_key())?;
        ensure!(site.connect(Role::Agent, A, &key, jwt).await.is_ok(), "its own");
        site.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_revocation_cuts_the_connection_and_keeps_out_until_a_newer_credential() -> Result<()> {
    for site in Site::all().await? {
        let key = KeyPair::new_user();
        let old = Stamp { now: UnixMillis::now().plus(-10_000), ..Stamp::fresh() };
        let id = A.parse()?;
        let far = UnixMillis::now().plus(3_600_000);
        let jwt = site.keys.agent_jwt(&id, &key.public_key(), far, &old)?;
        let mut agent = site.connect(Role::Agent, A, &key, jwt.clone()).await?;
        let mut other = site.person(Role::Agent, B).await?;
        let until = UnixMillis::now().plus(-5_000);

        site.push(&Revocations::from([(key.public_key(), until)])).await?;
        agent.wait_for("User Authentication Revoked").await?;
        ensure!(site.connect(Role::Agent, A, &key, jwt.clone()).await.is_err(), "kept out");
        ensure!(!other.may_publish("muster.stats.x").await?, "the other one is untouched");
        let newer = site.jwt(Role::Agent, A, &key.public_key())?;
        ensure!(site.connect(Role::Agent, A, &key, newer).await.is_ok(), "a newer credential");

        site.push(&Revocations::from([(jwt::EVERYBODY.into(), until)])).await?;
        ensure!(site.connect(Role::Agent, A, &key, jwt).await.is_err(), "everybody is out");
        ensure!(site.person(Role::Agent, A).await.is_ok(), "and back with newer ones");
        site.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_revocation_survives_a_restart_and_a_configuration_made_anew() -> Result<()> {
    for mut site in Site::all().await? {
        let key = KeyPair::new_user();
        let jwt = site.jwt(Role::Agent, A, &key.public_key())?;
        ensure!(site.connect(Role::Agent, A, &key, jwt.clone()).await.is_ok());
        let until = UnixMillis::now().plus(60_000);
        site.push(&Revocations::from([(key.public_key(), until)])).await?;
        for config_is_lost in [false, true] {
            site.restart(config_is_lost).await?;
            ensure!(site.connect(Role::Agent, A, &key, jwt.clone()).await.is_err(), "un-revoked");
            ensure!(site.person(Role::Agent, B).await.is_ok());
        }
        site.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_the_ca_has_not_signed_is_no_server() -> Result<()> {
    let (one, other) = (Site::newest().await?, Site::newest().await?);
    let key = KeyPair::new_user();
    let jwt = one.jwt(Role::Agent, A, &key.public_key())?;
    let ca = other.keys.tls_files().ca;
    let url = one.url();
    let attempt = Person::connect(&url, &ca, Role::Agent, A, &key, jwt);
    ensure!(tokio::time::timeout(DEADLINE, attempt).await?.is_err());
    one.close().await?;
    other.close().await
}
