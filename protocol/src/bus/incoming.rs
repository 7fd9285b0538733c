//! What comes in, after the mark that only the server can write was checked.
//!
//! NATS does not check the reply subject that a caller chooses, so an answer can be steered onto
//! another's subscription. Every receiver therefore checks, here and nowhere else:
//!
//! | what comes | its mark |
//! |---|---|
//! | a command to an agent | `Nats-Request-Info` names the account BUS |
//! | a pushed desired state | `Nats-Subject` is the agent's own key |
//! | a tail on a feed | the message's own subject is an event's |
//! | a call to the controller | `Nats-Request-Info`, and a reply that the border made |
//!
//! What lacks its mark is [`Unmarked`]: dropped, and told.

use super::{Bus, Error};
use crate::event::Event;
use crate::id::{AgentId, Token, UserName};
use crate::subject;
use crate::wire::{self, Message};
use async_nats::{Client, Subscriber};
use futures_util::{FutureExt, StreamExt};
use serde::Deserialize;

const REQUEST_INFO: &str = "Nats-Request-Info";
const STORED_SUBJECT: &str = "Nats-Subject";
/// What the server puts before the reply of a call that crossed a border.
const BORDER_REPLY: &str = "_R_.";

/// Who calls, as the server says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Caller {
    /// The public key of the caller's account.
    #[serde(rename = "acc")]
    pub account: String,
    /// The public key of the caller's credential.
    #[serde(default, rename = "user")]
    pub key: String,
    /// The name in the caller's credential.
    #[serde(default, rename = "name_tag")]
    pub name: String,
    /// The address that the caller's connection comes from.
    #[serde(default)]
    pub host: String,
    /// The public key that signed the caller's credential: a role's.
    #[serde(default, rename = "issuer_key")]
    pub issuer: String,
}

/// A message without its mark: somebody steered it here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message on {subject} lacks the server's mark: {why}")]
pub struct Unmarked {
    /// Where it came.
    pub subject: String,
    /// What was wrong.
    pub why: &'static str,
}

/// What came, or what was dropped.
pub type Incoming<T> = Result<T, Unmarked>;

/// Sends the one answer to a call.
#[derive(Debug)]
pub struct Responder {
    client: Client,
    reply: async_nats::Subject,
}

impl Responder {
    /// Answers.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn send<M: Message>(self, answer: &M) -> Result<(), Error> {
        let payload = wire::encode(answer).into();
        self.client.publish(self.reply, payload).await.map_err(|_| Error::Closed)
    }
}

/// A call on a service subject.
#[derive(Debug)]
pub struct Call {
    /// The subject it was made on.
    pub subject: String,
    /// Who made it.
    pub caller: Caller,
    /// The question.
    pub payload: Vec<u8>,
    /// Where the answer goes.
    pub responder: Responder,
}

/// Calls of agents or people, with who made them.
#[derive(Debug)]
pub struct Calls(Subscriber, Client);

impl Calls {
    /// The next call; none when the connection is closed.
    pub async fn next(&mut self) -> Option<Incoming<Call>> {
        let message = self.0.next().await?;
        Some(call(message, &self.1))
    }

    /// The next call on a subject that is worth reading; what is not is dropped as fast as it
    /// comes. None when the connection is closed.
    pub async fn next_if(&mut self, is_worth: impl Fn(&str) -> bool) -> Option<Incoming<Call>> {
        loop {
            let message = self.0.next().await?;
            if is_worth(&message.subject) {
                return Some(call(message, &self.1));
            }
        }
    }
}

/// Commands to one agent.
#[derive(Debug)]
pub struct Commands {
    calls: Calls,
    bus_account: String,
}

impl Commands {
    /// The next command that came through account BUS; none when the connection is closed.
    pub async fn next(&mut self) -> Option<Incoming<Call>> {
        let incoming = self.calls.next().await?;
        Some(incoming.and_then(|call| {
            if call.caller.account == self.bus_account {
                return Ok(call);
            }
            Err(Unmarked { subject: call.subject, why: "it does not come from account BUS" })
        }))
    }
}

/// Something stored, with the subject it is stored under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The subject it is stored under, as the server says.
    pub subject: String,
    /// What is stored.
    pub payload: Vec<u8>,
}

/// Changes of one agent's desired state.
#[derive(Debug)]
pub struct Pushes {
    subscriber: Subscriber,
    key: String,
}

impl Pushes {
    /// The next change; none when the connection is closed.
    pub async fn next(&mut self) -> Option<Incoming<Vec<u8>>> {
        let message = self.subscriber.next().await?;
        let subject = message.subject.to_string();
        let stored = stored(message);
        Some(match stored.subject == self.key {
            true => Ok(stored.payload),
            false => Err(Unmarked { subject, why: "it is not this agent's stored state" }),
        })
    }
}

/// Events on a person's feed.
#[derive(Debug)]
pub struct Feed(Subscriber);

impl Feed {
    /// The next event with its subject; none when the connection is closed.
    pub async fn next(&mut self) -> Option<Incoming<(String, Result<Event, wire::Error>)>> {
        loop {
            let message = self.0.next().await?;
            // A heartbeat or flow control of the consumer: no event, and nobody's lie.
            if message.status.is_some() {
                continue;
            }
            let subject = message.subject.to_string();
            if !subject.starts_with(subject::EVENT_PREFIX) {
                return Some(Err(Unmarked { subject, why: "it is no event" }));
            }
            return Some(Ok((subject, wire::decode(&message.payload))));
        }
    }

    /// Whether nothing waits at this moment.
    pub fn next_now(&mut self) -> Option<Incoming<(String, Result<Event, wire::Error>)>> {
        self.next().now_or_never().flatten()
    }
}

impl Bus {
    /// Listens to calls, e.g. on [`subject::API_ALL`], together with all that listen in the same
    /// group: each call comes to one of them. The subscription is in place at the server once any
    /// later request was answered.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn calls(&self, pattern: &str, group: &str) -> Result<Calls, Error> {
        let subscribed = self.client.queue_subscribe(pattern.to_owned(), group.to_owned()).await;
        Ok(Calls(subscribed.map_err(|_| Error::Closed)?, self.client.clone()))
    }

    /// Listens to the commands to one agent that come through account BUS.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn commands(&self, agent: &AgentId, bus_account: &str) -> Result<Commands, Error> {
        let subscriber = self.subscribe(subject::commands(agent)).await?;
        let calls = Calls(subscriber, self.client.clone());
        Ok(Commands { calls, bus_account: bus_account.to_owned() })
    }

    /// Listens to changes of one agent's desired state.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn pushes(&self, agent: &AgentId) -> Result<Pushes, Error> {
        let subscriber = self.subscribe(subject::desired(agent)).await?;
        Ok(Pushes { subscriber, key: subject::desired_key(agent) })
    }

    /// Listens to a feed that the caller will ask the controller to open.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn feed(&self, user: &UserName, lease: &Token) -> Result<Feed, Error> {
        Ok(Feed(self.subscribe(subject::feed(user, lease)).await?))
    }

    pub(super) async fn subscribe(&self, pattern: String) -> Result<Subscriber, Error> {
        self.client.subscribe(pattern).await.map_err(|_| Error::Closed)
    }
}

fn call(message: async_nats::Message, client: &Client) -> Incoming<Call> {
    let subject = message.subject.to_string();
    let unmarked = |why| Unmarked { subject: subject.clone(), why };
    let info = header(&message, REQUEST_INFO).ok_or(unmarked("nobody says who calls"))?;
    let caller: Caller =
        serde_json::from_str(info).map_err(|_| unmarked("who calls cannot be read"))?;
    let reply = message.reply.clone().ok_or(unmarked("it wants no answer"))?;
    if !reply.starts_with(BORDER_REPLY) {
        return Err(unmarked("its answer would not go back over the border"));
    }
    let responder = Responder { client: client.clone(), reply };
    Ok(Call { subject, caller, payload: message.payload.to_vec(), responder })
}

/// A message as a stream holds it: its own subject is in a header that the server writes.
pub(super) fn stored(message: async_nats::Message) -> Delivered {
    let subject = header(&message, STORED_SUBJECT).unwrap_or_default().to_owned();
    Delivered { subject, payload: message.payload.to_vec() }
}

fn header<'a>(message: &'a async_nats::Message, name: &str) -> Option<&'a str> {
    // Two values would let a caller hide the server's behind its own.
    let mut values = message.headers.as_ref()?.get_all(name);
    let only = values.next()?;
    values.next().is_none().then(|| only.as_str())
}
