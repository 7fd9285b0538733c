//! A plain NATS connection of one user, and what the server refuses it.

use anyhow::{Context, Result, bail};
use async_nats::{Auth, Client, ConnectOptions, Event};
use muster_protocol::id::UnixMillis;
use muster_protocol::subject::{self, Role};
use nkeys::KeyPair;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};

const EVENTS_MAX: usize = 1024;
pub(super) const DEADLINE: Duration = Duration::from_secs(20);
/// Nobody may; the server refuses in order, so its refusal ends the wait for an earlier one.
const FORBIDDEN: &str = "forbidden.to.all";

pub(super) struct Person {
    pub(super) nats: Client,
    events: Receiver<Event>,
}

impl Person {
    pub(super) async fn connect(
        url: &str,
        ca: &Path,
        role: Role,
        name: &str,
        key: &KeyPair,
        jwt: String,
    ) -> Result<Person> {
        let (sender, events) = channel(EVENTS_MAX);
        let key = Arc::new(KeyPair::from_seed(&key.seed()?)?);
        let options = ConnectOptions::with_auth_callback(move |nonce| {
            let mut auth = Auth::new();
            auth.jwt = Some(jwt.clone());
            auth.signature = key.sign(&nonce).ok();
            async move { Ok(auth) }
        });
        let options = options
            .add_root_certificates(ca.to_owned())
            .require_tls(true)
            .connection_timeout(DEADLINE)
            .request_timeout(Some(DEADLINE))
            .custom_inbox_prefix(subject::inbox(role, name))
            .event_callback(move |event| {
                // A test that has ended no longer reads; one that reads is never 1024 behind.
                let kept = sender.try_send(event).is_ok() || sender.is_closed();
                async move { assert!(kept, "too many events") }
            });
        Ok(Person { nats: options.connect(url).await?, events })
    }

    /// Somebody who has an account's own key: no role's limits hold, in that account.
    pub(super) async fn owner(url: &str, ca: &Path, seed: &Path, name: &str) -> Result<Person> {
        let owner = KeyPair::from_seed(std::fs::read_to_string(seed)?.trim())?;
        let (key, everything) = (KeyPair::new_user(), serde_json::json!({"allow": [">"]}));
        let claims = serde_json::json!({
            "jti": name, "iat": UnixMillis::now().seconds(), "iss": owner.public_key(),
            "name": name, "sub": key.public_key(),
            "nats": {"pub": everything, "sub": everything, "subs": -1, "data": -1, "payload": -1,
                "type": "user", "version": 2}
        });
        let jwt = sign(&claims, &owner)?;
        // The role only names an inbox.
        Person::connect(url, ca, Role::Controller, name, &key, jwt).await
    }

    pub(super) async fn may_publish(&mut self, subject: &str) -> Result<bool> {
        self.nats.publish(subject.to_owned(), "".into()).await?;
        self.nats.publish(FORBIDDEN, "".into()).await?;
        self.is_allowed(&format!("Publish to \"{subject}\"")).await
    }

    pub(super) async fn may_subscribe(&mut self, subject: &str) -> Result<bool> {
        let _held = self.nats.subscribe(subject.to_owned()).await?;
        self.nats.publish(FORBIDDEN, "".into()).await?;
        self.is_allowed(&format!("Subscription to \"{subject}\"")).await
    }

    /// Waits until the server has taken all that was sent. A second subscription would not do: a
    /// call that comes twice has used up the one answer that the template allows.
    pub(super) async fn settle(&mut self) -> Result<()> {
        self.nats.publish(FORBIDDEN, "".into()).await?;
        self.is_allowed("nothing else").await.map(drop)
    }

    async fn is_allowed(&mut self, what: &str) -> Result<bool> {
        let (what, end) = (what.to_lowercase(), format!("publish to \"{FORBIDDEN}\""));
        let mut allowed = true;
        loop {
            let said = self.next_error().await?.to_lowercase();
            if said.contains(&end) {
                return Ok(allowed);
            } else if said.contains(&what) {
                allowed = false;
            } else {
                bail!("while waiting for {what}: {said}");
            }
        }
    }

    async fn next_error(&mut self) -> Result<String> {
        loop {
            let event = tokio::time::timeout(DEADLINE, self.events.recv()).await;
            match event.context("the server says nothing")?.context("the connection is gone")? {
                Event::ServerError(error) => return Ok(error.to_string()),
                Event::ClientError(error) => return Ok(error.to_string()),
                _ => {}
            }
        }
    }

    /// Waits until the server or the client says so.
    pub(super) async fn wait_for(&mut self, text: &str) -> Result<()> {
        while !self.next_error().await.with_context(|| text.to_owned())?.contains(text) {}
        Ok(())
    }
}

/// A JWT over any claims: what Muster itself never makes.
pub(super) fn sign(claims: &serde_json::Value, key: &KeyPair) -> Result<String> {
    let part = |bytes: &[u8]| data_url(bytes);
    let header = part(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let text = format!("{header}.{}", part(claims.to_string().as_bytes()));
    let signature = key.sign(text.as_bytes())?;
    Ok(format!("{text}.{}", part(&signature)))
}

/// Base64 of RFC 4648, section 5, without padding.
fn data_url(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digits = bytes.chunks(3).flat_map(|chunk| {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        (0..=chunk.len()).map(move |digit| DIGITS[(bits >> (18 - 6 * digit) & 63) as usize])
    });
    digits.map(char::from).collect()
}
