//! Watches the folders of states and pillar: what changed, and then stayed the same for a moment,
//! goes to the workers. A tree that does not parse goes to nobody, and an event tells why.
//!
//! The folders are looked at (names, sizes, times; no contents) when the kernel tells of a change,
//! and every few seconds where it would not tell of all, as on a network filesystem.

mod ears;

use super::States;
use super::push::takes_states;
use crate::config::Roots;
use ears::Ears;
use muster_protocol::event::Event;
use muster_protocol::id::{Hash, Token, UnixMillis, random};
use muster_protocol::subject::{self, Source};
use serde::Serialize;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often folders are looked at of whose changes the kernel tells: it may have told too many.
const QUIET: Duration = Duration::from_secs(300);
/// What is told comes in crowds.
const HEARD_PAUSE: Duration = Duration::from_millis(200);
/// How deep folders are looked at; deeper ones are refused when they are published.
const DEPTH_MAX: usize = 64;

/// What an event of the tree tells.
#[derive(Debug, Serialize)]
struct Told {
    /// Workers that got a new revision.
    workers: usize,
    /// Why it went to nobody, or not to all.
    error: Option<String>,
}

impl States {
    /// Watches until it is cancelled; does nothing unless the configuration asks for it.
    pub async fn watch(self: Arc<States>, cancel: CancellationToken) {
        let Some(every) = self.config.watch_secs.filter(|secs| *secs > 0) else {
            return cancel.cancelled().await;
        };
        let every = Duration::from_secs(every.into());
        let mut settling = Settling::default();
        let mut ears: Option<Ears> = None;
        let mut pause = Duration::ZERO;
        while cancel.run_until_cancelled(wait(ears.take(), pause)).await.is_some() {
            pause = every;
            let roots = self.folders();
            // Watches first: what changes meanwhile is told.
            let looked = move || (ears::watches(&roots), look(&roots));
            let Ok((watches, seen)) = tokio::task::spawn_blocking(looked).await else {
                continue;
            };
            let settled = settling.has_settled(seen);
            if !settling.moved {
                ears = watches.and_then(Ears::new);
                pause = if ears.is_some() { every.max(QUIET) } else { every };
            }
            if settled {
                self.push_all().await;
            }
        }
    }

    fn folders(&self) -> Vec<PathBuf> {
        let roots = std::iter::once(&self.config.tree).chain(&self.config.pillar);
        roots.flat_map(Roots::folders).cloned().collect()
    }

    async fn push_all(&self) {
        let mut workers = self.registry.workers();
        workers.retain(takes_states);
        let told = match self.push(&workers, false).await {
            Ok(pushed) => Told {
                workers: pushed.iter().filter(|one| one.revision.is_some()).count(),
                error: pushed.into_iter().find_map(|one| one.error),
            },
            Err(error) => Told { workers: 0, error: Some(crate::chain(&error)) },
        };
        let kind = if told.error.is_some() { "broken" } else { "pushed" };
        match &told.error {
            Some(error) => tracing::warn!(error, "the state tree has changed and is broken"),
            None => tracing::info!(workers = told.workers, "the state tree has changed"),
        }
        let token = |text: &str| -> Token { text.parse().expect("constants are tokens") };
        let subject = subject::event(Source::States, &token("tree"), &token(kind));
        let event = Event::new(Token::random(random()), UnixMillis::now(), &told);
        if let Err(error) = self.bus.publish_event(subject, &event).await {
            tracing::warn!(
                error = crate::chain(&error),
                "an event of the state tree was not stored"
            );
        }
    }
}

/// Waits for so long, or until a change is heard of.
async fn wait(ears: Option<Ears>, pause: Duration) {
    let Some(ears) = ears else { return tokio::time::sleep(pause).await };
    // Ears that fail are made anew after the pause.
    let heard = async {
        if ears.heard().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    if tokio::time::timeout(pause, heard).await.is_ok() {
        tokio::time::sleep(HEARD_PAUSE).await;
    }
}

/// Knows when something that changed has come to rest.
#[derive(Debug, Default)]
struct Settling {
    last: Option<Hash>,
    /// It changed, and has not been seen at rest since.
    moved: bool,
}

impl Settling {
    /// Whether what is seen has changed and is now as it was a moment ago.
    fn has_settled(&mut self, seen: Hash) -> bool {
        let same = self.last.as_ref() == Some(&seen);
        let settled = same && self.moved;
        self.moved = !same && self.last.is_some();
        self.last = Some(seen);
        settled
    }
}

/// The names, sizes and times of all files, as one hash.
fn look(roots: &[PathBuf]) -> Hash {
    let mut seen = Vec::new();
    for root in roots {
        walk(root, 0, &mut seen);
    }
    Hash::of(&seen)
}

fn walk(folder: &Path, depth: usize, seen: &mut Vec<u8>) {
    let list = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = list.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.into_iter().filter(|path| path.file_name().is_some_and(|n| n != ".git")) {
        let Ok(meta) = std::fs::metadata(&path) else { continue };
        seen.extend_from_slice(path.as_os_str().as_encoded_bytes());
        seen.extend_from_slice(&facts(&meta));
        if meta.is_dir() && depth < DEPTH_MAX {
            walk(&path, depth + 1, seen);
        }
    }
}

/// A folder's own time changes with editors' temporary files: only what is in it counts.
fn facts(meta: &Metadata) -> Vec<u8> {
    if meta.is_dir() {
        return vec![0];
    }
    let numbers = [
        meta.len(),
        meta.mode().into(),
        meta.ino(),
        meta.mtime().unsigned_abs(),
        meta.mtime_nsec().unsigned_abs(),
    ];
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_goes_out_once_and_only_when_it_has_come_to_rest() {
        let mut settling = Settling::default();
        let mut see = |text: &str| settling.has_settled(Hash::of(text.as_bytes()));
        let seen = ["a", "a", "b", "c", "c", "c", "a", "a", "a"].map(&mut see);
        let wanted = [false, false, false, false, true, false, false, true, false];
        assert_eq!(seen, wanted);
    }

    #[test]
    fn what_is_seen_changes_with_names_contents_and_bits() {
        let dir = tempfile::tempdir().unwrap();
        let roots = [dir.path().to_owned()];
        let mut all = vec![look(&roots)];
        let file = dir.path().join("a/b.sls");
        std::fs::create_dir(dir.path().join("a")).unwrap();
        for text in ["x", "longer"] {
            std::fs::write(&file, text).unwrap();
            all.push(look(&roots));
        }
        assert_eq!(look(&roots), all[2]);
        std::fs::rename(&file, dir.path().join("a/c.sls")).unwrap();
        all.push(look(&roots));
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        std::fs::write(dir.path().join(".git/x"), "x").unwrap();
        assert_eq!(&look(&roots), all.last().unwrap());
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
