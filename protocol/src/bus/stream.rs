//! Streams inside account BUS: made and migrated, read by consumers, delivered to feeds.

mod make;

pub use make::Spec;

use super::{Bus, Delivered, Error};
use crate::event::Event;
use crate::id::UnixMillis;
use crate::{subject, wire};
use async_nats::StatusCode;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull, push};
use async_nats::jetstream::message::AckKind;
use async_nats::jetstream::{self, Context};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::time::Duration;

/// The stream of events.
pub const EVENTS: &str = "EVENTS";
/// The stream of frames.
pub const STATS: &str = "STATS";
/// The stream of blobs' pieces.
pub const BLOBS: &str = "BLOBS";

/// How long a consumer may hold a message before it is delivered again: a sink may be slow.
const ACK_WAIT: Duration = Duration::from_secs(60);
/// The same for events: so long waits what was on its way to a controller that was killed.
const EVENT_ACK_WAIT: Duration = Duration::from_secs(15);
/// Bytes that a consumer asks for at once: a flood of large messages waits in the stream, and not
/// on the connection, where calls would wait behind it.
const PULL_BYTES_MAX: usize = 4 << 20;
/// Messages that a consumer may hold unacknowledged.
const ACK_PENDING_MAX: i64 = 2048;
/// A reader that nobody pulls from ends after this.
const READER_INACTIVE: Duration = Duration::from_secs(600);
/// While the server is away it is asked at least every few seconds.
const REOPEN_DOUBLINGS_MAX: usize = 5;
/// How often a feed that has nothing to say proves that it lives.
const FEED_HEARTBEAT: Duration = Duration::from_secs(10);
/// A feed that nobody hears ends after this.
const FEED_INACTIVE: Duration = Duration::from_secs(30);

pub(super) fn failed(
    what: impl Into<String>,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::JetStream { what: what.into(), source: Box::new(source) }
}

/// JetStream, for those inside account BUS.
#[derive(Clone, Debug)]
pub struct JetStream {
    pub(super) context: Context,
}

impl Bus {
    /// JetStream on this connection.
    #[must_use]
    pub fn jetstream(&self) -> JetStream {
        JetStream { context: jetstream::new(self.client.clone()) }
    }

    /// Stores an event and waits until it is durable.
    ///
    /// # Errors
    /// As [`Bus::publish`].
    pub async fn publish_event(&self, subject: String, event: &Event) -> Result<(), Error> {
        self.publish(subject, event.id.as_str(), wire::encode(event)).await?;
        Ok(())
    }

    /// Hears all claims that are pushed to the servers, its own too (only the SYS pusher may).
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn heard_claims(&self) -> Result<HeardClaims, Error> {
        Ok(HeardClaims(self.subscribe(subject::CLAIMS_UPDATE.to_owned()).await?))
    }

    /// The claims of an account that the servers have, as a JWT; none if they have none.
    ///
    /// # Errors
    /// When they do not answer (only the SYS pusher may ask).
    pub async fn claims_of(&self, account: &str) -> Result<Option<String>, Error> {
        let (subject, timeout) = (subject::claims_of(account), super::REQUEST_TIMEOUT);
        let answer = self.ask(subject, async_nats::HeaderMap::new(), Vec::new(), timeout).await?;
        let claims = String::from_utf8_lossy(&answer.payload).into_owned();
        Ok(Some(claims).filter(|claims| !claims.is_empty()))
    }

    /// Sends new claims of an account to the servers (only the SYS pusher may).
    ///
    /// # Errors
    /// When the servers refuse them or do not answer.
    pub async fn push_claims(&self, account_jwt: &str) -> Result<(), Error> {
        let subject = subject::CLAIMS_UPDATE.to_owned();
        let payload = account_jwt.as_bytes().to_vec();
        let timeout = super::REQUEST_TIMEOUT;
        let headers = async_nats::HeaderMap::new();
        let answer = self.ask(subject.clone(), headers, payload, timeout).await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
        if answer["data"]["code"] == 200 {
            return Ok(());
        }
        let code = answer["error"]["code"].as_u64().unwrap_or_default();
        Err(Error::Rejected {
            subject,
            code,
            description: answer["error"]["description"].to_string(),
        })
    }
}

/// The claims that anybody pushes.
#[derive(Debug)]
pub struct HeardClaims(async_nats::Subscriber);

impl HeardClaims {
    /// The next ones, as a JWT; none when the connection is closed.
    pub async fn next(&mut self) -> Option<String> {
        let message = self.0.next().await?;
        Some(String::from_utf8_lossy(&message.payload).into_owned())
    }
}

impl JetStream {
    /// A consumer that remembers, under its name, what it has acknowledged.
    ///
    /// # Errors
    /// When the server does not make it.
    pub async fn consumer(&self, of: &str, name: &str, filter: &str) -> Result<Consumer, Error> {
        let config = pull::Config {
            durable_name: Some(name.into()),
            deliver_policy: DeliverPolicy::All,
            ..consuming(of, filter)
        };
        Consumer::open(self.context.clone(), of.to_owned(), config).await
    }

    /// A consumer of what was stored since a time, and of what comes; it remembers nothing.
    ///
    /// # Errors
    /// When the server does not make it.
    pub async fn reader(
        &self,
        of: &str,
        filter: &str,
        since: UnixMillis,
    ) -> Result<Consumer, Error> {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartTime { start_time: start_time(since)? },
            inactive_threshold: READER_INACTIVE,
            memory_storage: true,
            num_replicas: 1,
            ..consuming(of, filter)
        };
        Consumer::open(self.context.clone(), of.to_owned(), config).await
    }

    /// Delivers events to a person's feed, for as long as the person listens. Returns how many
    /// stored ones come first.
    ///
    /// # Errors
    /// When the server does not make the consumer, e.g. for a filter that is no subject.
    pub async fn open_feed(
        &self,
        feed: String,
        name: String,
        filter: &str,
        since: Option<UnixMillis>,
    ) -> Result<u64, Error> {
        let policy = match since.map(start_time) {
            None => DeliverPolicy::New,
            Some(start_time) => DeliverPolicy::ByStartTime { start_time: start_time? },
        };
        let config = push::Config {
            name: Some(name),
            deliver_subject: feed,
            filter_subject: filter.into(),
            deliver_policy: policy,
            ack_policy: AckPolicy::None,
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: FEED_INACTIVE,
            idle_heartbeat: FEED_HEARTBEAT,
            ..push::Config::default()
        };
        let made = self.context.create_consumer_on_stream(config, EVENTS).await;
        let made = made.map_err(|error| failed(format!("opening a tail of {filter}"), error))?;
        Ok(made.cached_info().num_pending)
    }

    /// How many feeds are open whose name begins so.
    ///
    /// # Errors
    /// When the server does not say.
    pub async fn feeds(&self, prefix: &str) -> Result<usize, Error> {
        let what = "counting the tails";
        let stream = self.context.get_stream_no_info(EVENTS).await;
        let stream = stream.map_err(|error| failed(what, error))?;
        let names = stream.consumer_names().try_collect::<Vec<String>>().await;
        let names = names.map_err(|error| failed(what, error))?;
        Ok(names.iter().filter(|name| name.starts_with(prefix)).count())
    }

    /// Removes all messages of a filter but the newest `keep`. Returns how many.
    ///
    /// # Errors
    /// When the server does not.
    pub async fn cut(&self, of: &str, filter: &str, keep: u64) -> Result<u64, Error> {
        let what = || format!("cutting {filter} of stream {of}");
        let stream = self.context.get_stream_no_info(of).await;
        let stream = stream.map_err(|error| failed(what(), error))?;
        let cut = stream.purge().filter(filter).keep(keep).await;
        Ok(cut.map_err(|error| failed(what(), error))?.purged)
    }

    /// The newest message of a subject; none if there is none.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn last(&self, of: &str, subject: &str) -> Result<Option<Delivered>, Error> {
        self.direct(of, subject, None).await.map(|found| found.map(|(_, message)| message))
    }

    /// All stored messages of a subject, oldest first, at most `max`.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn all(&self, of: &str, subject: &str, max: usize) -> Result<Vec<Delivered>, Error> {
        let (mut found, mut from) = (Vec::new(), 1);
        while found.len() < max {
            let Some((sequence, message)) = self.direct(of, subject, Some(from)).await? else {
                break;
            };
            found.push(message);
            from = sequence + 1;
        }
        Ok(found)
    }

    async fn direct(
        &self,
        of: &str,
        subject: &str,
        from: Option<u64>,
    ) -> Result<Option<(u64, Delivered)>, Error> {
        use async_nats::jetstream::stream::DirectGetErrorKind::NotFound;
        let what = || format!("reading {subject} from stream {of}");
        let stream = self.context.get_stream_no_info(of).await;
        let stream = stream.map_err(|error| failed(what(), error))?;
        let found = match from {
            None => stream.direct_get_last_for_subject(subject).await,
            Some(from) => stream.direct_get_next_for_subject(subject, Some(from)).await,
        };
        match found {
            Ok(message) => {
                let (subject, payload) = (message.subject.to_string(), message.payload.to_vec());
                Ok(Some((message.sequence, Delivered { subject, payload })))
            }
            Err(error) if error.kind() == NotFound => Ok(None),
            Err(error) => Err(failed(what(), error)),
        }
    }
}

fn start_time(since: UnixMillis) -> Result<time::OffsetDateTime, Error> {
    let nanos = i128::from(since.0) * 1_000_000;
    time::OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .map_err(|error| failed("reading the start of a tail", error))
}

/// Whether a version `2.11.3` is one or later.
#[must_use]
pub fn at_least(version: &str, (major, minor): (u32, u32)) -> bool {
    let mut numbers = version.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (major, minor)
}

fn consuming(of: &str, filter: &str) -> pull::Config {
    pull::Config {
        filter_subject: filter.into(),
        ack_policy: AckPolicy::Explicit,
        ack_wait: if of == EVENTS { EVENT_ACK_WAIT } else { ACK_WAIT },
        max_ack_pending: ACK_PENDING_MAX,
        ..pull::Config::default()
    }
}

/// A consumer: what is not acknowledged comes again. It outlives the server's restarts.
pub struct Consumer {
    context: Context,
    of: String,
    config: pull::Config,
    messages: pull::Stream,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Consumer({} of {})", self.config.filter_subject, self.of)
    }
}

/// One message that a consumer was given.
#[derive(Debug)]
pub struct Delivery {
    /// Its subject.
    pub subject: String,
    /// What it says.
    pub payload: Vec<u8>,
    /// Its number in the stream.
    pub sequence: u64,
    /// How often it was delivered, from 1.
    pub attempt: u64,
    message: jetstream::Message,
}

impl Consumer {
    async fn open(context: Context, of: String, config: pull::Config) -> Result<Consumer, Error> {
        let messages = pulling(&context, &of, &config).await?;
        Ok(Consumer { context, of, config, messages })
    }

    /// Waits for a message, however long the server is away, then takes what else is there, at
    /// most `max`.
    ///
    /// # Errors
    /// When the connection is closed for good.
    pub async fn next_batch(&mut self, max: usize) -> Result<Vec<Delivery>, Error> {
        let mut batch = vec![self.first().await?];
        while batch.len() < max {
            match self.messages.next().now_or_never().flatten().map(delivery) {
                Some(Ok(next)) => batch.push(next),
                // The next call waits for the same trouble.
                Some(Err(_)) | None => break,
            }
        }
        Ok(batch)
    }

    /// Ends it here: what is given back from now on is not sent to it any more. The client ends a
    /// subscription on a task of its own, which has had its turn once the server has answered.
    pub async fn close(self) {
        let Consumer { context, messages, .. } = self;
        drop(messages);
        if let Err(error) = context.query_account().await {
            tracing::debug!(%error, "a consumer's end is not certain");
        }
    }

    async fn first(&mut self) -> Result<Delivery, Error> {
        loop {
            match self.messages.next().await.map(delivery) {
                Some(Ok(first)) => return Ok(first),
                Some(Err(error)) => tracing::debug!(consumer = ?self, %error, "pulling again"),
                None => tracing::debug!(consumer = ?self, "pulling again"),
            }
            self.reopen().await?;
        }
    }

    async fn reopen(&mut self) -> Result<(), Error> {
        let mut attempt = 0;
        loop {
            tokio::time::sleep(super::link::reconnect_delay(attempt)).await;
            attempt = (attempt + 1).min(REOPEN_DOUBLINGS_MAX);
            match pulling(&self.context, &self.of, &self.config).await {
                Ok(messages) => {
                    self.messages = messages;
                    return Ok(());
                }
                Err(error) if error.is_retryable() => {
                    tracing::debug!(consumer = ?self, %error, "the server does not answer yet");
                }
                Err(error) => return Err(error),
            }
        }
    }
}

async fn pulling(
    context: &Context,
    of: &str,
    config: &pull::Config,
) -> Result<pull::Stream, Error> {
    let what = || format!("consuming {} of stream {of}", config.filter_subject);
    let consumer = context.create_consumer_on_stream(config.clone(), of).await;
    let consumer = consumer.map_err(|error| failed(what(), error))?;
    let pulling = consumer.stream().max_bytes_per_batch(PULL_BYTES_MAX);
    pulling.messages().await.map_err(|error| failed(what(), error))
}

fn delivery<E>(message: Result<jetstream::Message, E>) -> Result<Delivery, Error>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let message = message.map_err(|error| failed("taking a message from a consumer", error))?;
    let (sequence, attempt) = message
        .info()
        .map_or((0, 1), |info| (info.stream_sequence, u64::try_from(info.delivered).unwrap_or(1)));
    let (subject, payload) = (message.subject.to_string(), message.payload.to_vec());
    Ok(Delivery { subject, payload, sequence, attempt, message })
}

/// The deliveries of a batch by their source (the subject without its last token), each source's
/// in their order: one source's events must not overtake each other, others need not wait.
#[must_use]
pub fn by_source(batch: Vec<Delivery>) -> Vec<Vec<Delivery>> {
    grouped(batch, |delivery| source(&delivery.subject).to_owned())
}

fn source(subject: &str) -> &str {
    subject.rsplit_once('.').map_or(subject, |(source, _)| source)
}

fn grouped<T>(items: Vec<T>, key: impl Fn(&T) -> String) -> Vec<Vec<T>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Vec<T>> = Vec::new();
    for item in items {
        let place = *places.entry(key(&item)).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Vec::new());
        }
        groups[place].push(item);
    }
    groups
}

impl Delivery {
    /// The message of the same subject that was stored before it; none if it is the first that is
    /// left.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn before(&self) -> Result<Option<Vec<u8>>, Error> {
        let Ok(info) = self.message.info() else { return Ok(None) };
        let what = || format!("reading what came before {} of {}", self.sequence, self.subject);
        let asked = serde_json::json!({
            "multi_last": [self.subject], "up_to_seq": self.sequence.saturating_sub(1),
        });
        if self.sequence <= 1 {
            return Ok(None);
        }
        let to = format!("$JS.API.DIRECT.GET.{}", info.stream);
        let client = self.message.context.client();
        let answer = client.request(to, asked.to_string().into()).await;
        let answer = answer.map_err(|error| failed(what(), error))?;
        match answer.status {
            None | Some(StatusCode::OK) => Ok(Some(answer.payload.to_vec())),
            Some(StatusCode::NOT_FOUND) => Ok(None),
            // The end of an empty batch.
            Some(status) if status.as_u16() == 204 => Ok(None),
            Some(status) => {
                Err(Error::JetStream { what: what(), source: status.to_string().into() })
            }
        }
    }

    /// It is done, and will not come again.
    ///
    /// # Errors
    /// When the connection is closed: then it comes again.
    pub async fn ack(&self) -> Result<(), Error> {
        self.message.ack().await.map_err(|_| Error::Closed)
    }

    /// It is not done, and shall come again after a while.
    ///
    /// # Errors
    /// When the connection is closed: then it comes again by itself.
    pub async fn retry_after(&self, delay: Duration) -> Result<(), Error> {
        self.message.ack_with(AckKind::Nak(Some(delay))).await.map_err(|_| Error::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_keeps_its_order_and_its_own_group() {
        let subjects = ["e.agent.a.started", "e.agent.b.started", "e.agent.a.applied", "x"];
        let groups = grouped(subjects.to_vec(), |subject| source(subject).to_owned());
        let [a, b, x] = ["e.agent.a.started", "e.agent.b.started", "x"];
        assert_eq!(groups, [vec![a, "e.agent.a.applied"], vec![b], vec![x]]);
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(
            at_least("2.11.0", (2, 11))
                && at_least("2.15.1", (2, 12))
                && at_least("3.0.0", (2, 12))
        );
        assert!(
            !at_least("2.9.10", (2, 11))
                && !at_least("2.10.26-beta", (2, 11))
                && !at_least("", (2, 11))
        );
    }
}
