//! Programs that rules run on the head node: each begins once for an event, whoever is killed.
//!
//! Whether a program has done its work cannot be known when its controller ends in the middle. So
//! its beginning is written down before, where the next controller finds it; that one tells a
//! person and does not run it again.

use crate::documents::{Documents, Teller};
use muster_protocol::bus;
use muster_protocol::event::{Alarm, Event};
use muster_protocol::id::{Hash, Token, UnixMillis, random};
use muster_protocol::subject::{self, Source};
use muster_protocol::wire::{self, Message};
use muster_reactors::engine::ActionError;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{Seek, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::Mutex;

/// Where the document is, in the cluster's bucket.
const KEY: &str = "programs";
/// Programs whose beginning is kept: many times those that run at once.
const KEPT_MAX: usize = 256;
/// How often a write that met another is tried.
const TRIES_MAX: usize = 4;

/// Programs that began, the newest last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// Who leads: nobody else writes.
    writer: Token,
    /// An event's id and a hash of the program with its arguments.
    programs: VecDeque<Once>,
}

impl Message for Begun {
    const NAME: &'static str = "programs";
}

/// What is to be run.
#[derive(Debug)]
pub(super) struct Program<'a> {
    /// The program and its arguments.
    pub(super) argv: &'a [String],
    /// It is killed after that.
    pub(super) timeout: Duration,
    /// Of the event.
    pub(super) subject: &'a str,
    /// What it is run for.
    pub(super) event: &'a Event,
}

/// A program, for an event.
type Once = (Token, Hash);

/// Runs programs for events.
#[derive(Debug)]
pub struct Programs {
    documents: Arc<dyn Documents>,
    teller: Arc<dyn Teller>,
    /// Of controllers before, or of this one when it led before.
    earlier: Vec<Once>,
    begun: Mutex<Held>,
}

/// The document as it is known here.
#[derive(Debug)]
struct Held {
    begun: Begun,
    revision: u64,
    /// Programs that ended while this controller led.
    ended: VecDeque<Once>,
}

impl Programs {
    /// Reads what began before, and takes the document over: whoever begins to lead.
    ///
    /// # Errors
    /// When the bus fails or the document is foreign.
    pub async fn open(
        documents: Arc<dyn Documents>,
        teller: Arc<dyn Teller>,
    ) -> anyhow::Result<Programs> {
        let entry = documents.get(KEY).await?;
        let before: Option<Begun> = entry.map(|entry| wire::decode(&entry.value)).transpose()?;
        let programs = before.map_or_else(VecDeque::new, |before| before.programs);
        let earlier = programs.iter().cloned().collect();
        let begun = Begun { writer: Token::random(random()), programs };
        let revision = documents.put(KEY, wire::encode(&begun)).await?;
        let begun = Mutex::new(Held { begun, revision, ended: VecDeque::new() });
        Ok(Programs { documents, teller, earlier, begun })
    }

    /// Runs a program here: no shell, the event as JSON on its input, killed after its time.
    pub(super) async fn run(&self, program: &Program<'_>) -> Result<(), ActionError> {
        let hash = Hash::of(program.argv.join("\0").as_bytes());
        let this = (program.event.id.clone(), hash);
        if self.earlier.contains(&this) {
            self.tell(program).await;
            return Ok(());
        }
        if !self.begin(&this).await? {
            return Ok(());
        }
        let ended = run(program).await;
        let mut held = self.begun.lock().await;
        keep(&mut held.ended, this);
        ended
    }

    /// Writes down that a program begins; false if it has ended before, for the same event.
    async fn begin(&self, this: &Once) -> Result<bool, ActionError> {
        let failed = |error: &dyn std::error::Error| ActionError {
            what: format!("writing down that a program begins: {}", crate::chain(error)),
            is_retryable: true,
        };
        let mut held = self.begun.lock().await;
        if held.ended.contains(this) {
            return Ok(false);
        }
        for _ in 0..TRIES_MAX {
            if held.begun.programs.contains(this) {
                return Ok(true);
            }
            let mut next = held.begun.clone();
            keep(&mut next.programs, this.clone());
            let bytes = wire::encode(&next);
            match self.documents.update(KEY, bytes, held.revision).await {
                Ok(revision) => (held.begun, held.revision) = (next, revision),
                Err(bus::Error::Conflict { .. }) => {
                    // An earlier write of ours has landed, or another controller leads.
                    let entry = self.documents.get(KEY).await.map_err(|error| failed(&error))?;
                    let Some(entry) = entry else { continue };
                    let stored: Begun =
                        wire::decode(&entry.value).map_err(|error| failed(&error))?;
                    if stored.writer != held.begun.writer {
                        let what = "another controller leads".to_owned();
                        return Err(ActionError { what, is_retryable: true });
                    }
                    (held.begun, held.revision) = (stored, entry.revision);
                }
                Err(error) => return Err(failed(&error)),
            }
        }
        let what = "the document of programs changes each time".to_owned();
        Err(ActionError { what, is_retryable: true })
    }

    /// An interrupted program is told to a person, who can see what it has done.
    async fn tell(&self, program: &Program<'_>) {
        let name = program.argv.first().map_or("", String::as_str);
        let (subject, id) = (program.subject, &program.event.id);
        tracing::warn!(
            program = name,
            subject,
            %id,
            "a program was interrupted with its controller: whether it has done its work is unknown"
        );
        let what = format!(
            "{name} was running for {subject} (event {id}) when its controller ended; whether it \
             has done its work is unknown: see, and run it by hand if it has not"
        );
        let event = Event::new(
            Token::random(random()),
            UnixMillis::now(),
            &Alarm { who: name.into(), what },
        );
        let token = |text: &str| text.parse::<Token>().expect("a literal is a token");
        let to = subject::event(Source::Security, &token("controller"), &token("interrupted"));
        if let Err(error) = self.teller.tell(to, event).await {
            tracing::warn!(error = crate::chain(&error), "it is not told as an event");
        }
    }
}

/// Adds to the newest.
fn keep(programs: &mut VecDeque<Once>, this: Once) {
    if programs.len() >= KEPT_MAX {
        programs.pop_front();
    }
    programs.push_back(this);
}

async fn run(program: &Program<'_>) -> Result<(), ActionError> {
    let Some((name, arguments)) = program.argv.split_first() else { return Ok(()) };
    let broken = |error: std::io::Error| ActionError {
        what: format!("running {name}: {error}"),
        is_retryable: false,
    };
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(input(program).map_err(broken)?)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(broken)?;
    let failed = |what| ActionError { what, is_retryable: false };
    match tokio::time::timeout(program.timeout, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(failed(format!("{name} ended with {status}"))),
        Ok(Err(error)) => Err(broken(error)),
        Err(_) => Err(failed(format!("{name} was killed after {} s", program.timeout.as_secs()))),
    }
}

/// The event as a file without a name: whole before the program begins, whatever befalls us then.
fn input(program: &Program<'_>) -> std::io::Result<Stdio> {
    let event = program.event;
    let text = serde_json::json!({
        "subject": program.subject, "id": event.id, "at": event.at, "data": event.data,
    });
    let mut file = tempfile::tempfile()?;
    file.write_all(text.to_string().as_bytes())?;
    file.rewind()?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Memory;
    use muster_protocol::event::Alarm;
    use std::sync::Mutex as Lock;

    #[derive(Debug, Default)]
    struct Told(Lock<Vec<String>>);

    impl Teller for Told {
        fn tell(
            &self,
            subject: String,
            _: Event,
        ) -> futures_util::future::BoxFuture<'_, Result<(), bus::Error>> {
            self.0.lock().unwrap().push(subject);
            Box::pin(async { Ok(()) })
        }
    }

    fn event() -> Event {
        let alarm = Alarm { who: "w".into(), what: "x".into() };
        Event::new(Token::random(random()), UnixMillis(1), &alarm)
    }

    /// Guards: the document that is written before a program begins.
    #[tokio::test]
    async fn a_program_begins_once_for_an_event_whoever_leads() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let script = format!("cat >>{}", out.display());
        let argv = ["/bin/sh".to_owned(), "-c".to_owned(), script];
        let documents: Arc<dyn Documents> = Arc::new(Memory::default());
        let told = Arc::new(Told::default());
        let event = event();
        let program = Program {
            argv: &argv,
            timeout: Duration::from_secs(60),
            subject: "muster.event.security.w.x",
            event: &event,
        };
        let first = Programs::open(Arc::clone(&documents), Arc::clone(&told) as _).await.unwrap();
        first.run(&program).await.unwrap();
        let text = std::fs::read_to_string(&out).unwrap();
        let input: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(input["data"]["what"], "x");

        // Its end was not acknowledged: the next leader is given the event again.
        let next = Programs::open(documents, Arc::clone(&told) as _).await.unwrap();
        next.run(&program).await.unwrap();
        assert_eq!(std::fs::read_to_string(&out).unwrap(), text);
        assert_eq!(*told.0.lock().unwrap(), ["muster.event.security.controller.interrupted"]);
        // A new event runs it, once: another action of its rule may have failed.
        let event = self::event();
        let other = Program { argv: &argv, event: &event, ..program };
        for _ in 0..2 {
            next.run(&other).await.unwrap();
            assert_eq!(std::fs::read_to_string(&out).unwrap().len(), 2 * text.len());
        }
        // Who led before begins nothing any more.
        let late = self::event();
        assert!(first.run(&Program { event: &late, ..program }).await.unwrap_err().is_retryable);
    }

    #[tokio::test]
    async fn the_document_keeps_the_newest() {
        let documents: Arc<dyn Documents> = Arc::new(Memory::default());
        let programs =
            Programs::open(Arc::clone(&documents), Arc::new(Told::default())).await.unwrap();
        for _ in 0..=KEPT_MAX {
            let this = (Token::random(random()), Hash::of(b"x"));
            assert!(programs.begin(&this).await.unwrap());
        }
        let entry = documents.get(KEY).await.unwrap().unwrap();
        assert_eq!(wire::decode::<Begun>(&entry.value).unwrap().programs.len(), KEPT_MAX);
    }
}
