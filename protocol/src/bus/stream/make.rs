//! Makes and migrates streams.

use super::{JetStream, at_least, failed};
use crate::bus::Error;
use async_nats::jetstream::consumer::Info as ConsumerInfo;
use async_nats::jetstream::context::{
    CreateStreamError, CreateStreamErrorKind, GetStreamErrorKind,
};
use async_nats::jetstream::stream::{Compression, Config, DiscardPolicy, PersistenceMode, Stream};
use futures_util::TryStreamExt;
use std::time::Duration;

/// NATS' codes of what passes: no suitable peers, temporarily unavailable, no leader yet.
const NOT_READY: [u64; 3] = [10005, 10008, 10009];
/// NATS' code for a stream that is not there.
const NO_STREAM: u64 = 10059;

/// A stream as Muster wants it.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// What it stores.
    pub subject: &'static str,
    /// The most bytes; the oldest messages go first.
    pub bytes_max: u64,
    /// The most messages of one subject: nobody flushes another's.
    pub per_subject_max: i64,
    /// The greatest age; none for ever.
    pub age_max: Option<Duration>,
    /// The window in which a message's id is stored once.
    pub duplicate_window: Duration,
    /// Servers that hold it.
    pub replicas: usize,
    /// May lose the last seconds at a power cut, and is faster by ten for it.
    pub asynchronous: bool,
}

impl JetStream {
    /// Makes a stream, or gives it the limits that it should have.
    ///
    /// How a stream is written, and so whether it can be on several servers, is settled when it is
    /// made. One that is written asynchronously and shall have replicas is made anew as soon as
    /// nobody waits for anything in it; until then it stays as it is, and that is told.
    ///
    /// # Errors
    /// When the server does not; [`Error::NotReady`] while its cluster is not whole.
    pub async fn ensure_stream(&self, spec: &Spec, server_version: &str) -> Result<(), Error> {
        let mut config = config(spec, server_version);
        if let Some(stream) = self.existing(spec).await? {
            let made = &stream.cached_info().config;
            let asynchronous = made.persist_mode == Some(PersistenceMode::Async);
            if !asynchronous || spec.replicas == 1 {
                config.persist_mode.clone_from(&made.persist_mode);
            } else if is_drained(&stream).await? {
                let deleted = self.context.delete_stream(spec.name).await;
                deleted.map_err(|error| failed(format!("deleting stream {}", spec.name), error))?;
                tracing::info!(stream = spec.name, "the stream is made anew, with replicas");
            } else {
                config.persist_mode.clone_from(&made.persist_mode);
                config.num_replicas = made.num_replicas;
                tracing::warn!(
                    stream = spec.name,
                    "it gets no replicas while a consumer has not read all of it; start the \
                     controller again when the sinks have caught up"
                );
            }
        }
        let made = self.context.create_or_update_stream(config).await;
        made.map_err(|error| not_made(format!("making stream {}", spec.name), error))?;
        Ok(())
    }

    async fn existing(&self, spec: &Spec) -> Result<Option<Stream>, Error> {
        let what = || format!("looking at stream {}", spec.name);
        match self.context.get_stream(spec.name).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(told) if told.error_code().0 == NO_STREAM => Ok(None),
                GetStreamErrorKind::JetStream(told) if is_passing(&told) => {
                    Err(Error::NotReady { what: what(), description: told.to_string() })
                }
                _ => Err(failed(what(), error)),
            },
        }
    }
}

fn config(spec: &Spec, server_version: &str) -> Config {
    // Older servers refuse a field that they do not know, and all of them to have this mode for
    // streams with replicas.
    let may_be_asynchronous = at_least(server_version, (2, 12)) && spec.replicas == 1;
    Config {
        name: spec.name.into(),
        subjects: vec![spec.subject.into()],
        max_bytes: i64::try_from(spec.bytes_max).unwrap_or(i64::MAX),
        max_messages_per_subject: spec.per_subject_max,
        max_age: spec.age_max.unwrap_or_default(),
        discard: DiscardPolicy::Old,
        num_replicas: spec.replicas,
        allow_direct: true,
        duplicate_window: spec.duplicate_window,
        compression: Some(Compression::S2),
        persist_mode: (spec.asynchronous && may_be_asynchronous).then_some(PersistenceMode::Async),
        ..Config::default()
    }
}

/// Whether every consumer has acknowledged all that is stored.
async fn is_drained(stream: &Stream) -> Result<bool, Error> {
    let consumers: Vec<ConsumerInfo> = stream
        .consumers()
        .try_collect()
        .await
        .map_err(|error| failed("listing consumers", error))?;
    let waits = |of: &ConsumerInfo| of.num_pending > 0 || of.num_ack_pending > 0;
    Ok(!consumers.iter().any(waits))
}

fn is_passing(told: &async_nats::jetstream::Error) -> bool {
    NOT_READY.contains(&told.error_code().0)
}

fn not_made(what: String, error: CreateStreamError) -> Error {
    match error.kind() {
        CreateStreamErrorKind::JetStream(told) if is_passing(&told) => {
            Error::NotReady { what, description: told.to_string() }
        }
        CreateStreamErrorKind::TimedOut | CreateStreamErrorKind::JetStreamUnavailable => {
            Error::NotReady { what, description: error.to_string() }
        }
        _ => failed(what, error),
    }
}
