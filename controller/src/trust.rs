//! Whether the registry may be believed: it bears an id and an epoch, and so does this machine.
//!
//! A registry that is missing, new beside servers that exist, or older than what this machine has
//! seen, decides nothing unasked until a person confirms it (`muster reconcile --confirm`). The
//! epoch grows while documents change, so a copy that is older than some seconds is known as one.

use crate::documents::Documents;
use crate::doubt::Trust;
use crate::lease::Fence;
use muster_protocol::backup::Document;
use muster_protocol::bus;
use muster_protocol::id::{Token, UnixMillis, random};
use muster_protocol::wire::{self, Message};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const KEY: &str = "identity";
const ASKED: &str = "asked";
const CONFIRMED: &str = "confirmed";
const FILE: &str = "registry.json";
/// How often a change of the identity is tried that others were faster than.
const TRIES_MAX: u32 = 10;
/// The doubt about a registry of which nobody knows anything.
const NEW: &str = "the registry is new";

/// How often the epoch grows while documents change, and others than the leader look at it.
pub const EPOCH_PAUSE: Duration = Duration::from_secs(5);

/// What the registry bears, and this machine remembers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Random, made with the registry.
    id: Token,
    /// Grows whenever somebody takes the registry over, and while documents change.
    epoch: u64,
    /// Why it is not believed yet.
    doubt: Option<String>,
}

impl Message for Identity {
    const NAME: &'static str = "identity";
}

/// Why the registry's identity could not be settled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bus.
    #[error(transparent)]
    Bus(#[from] bus::Error),
    /// The file on this machine.
    #[error("keeping the registry's identity in {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What the last looks at the clouds left to ask; by provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    doubts: BTreeMap<String, Vec<String>>,
    about: BTreeMap<String, BTreeSet<String>>,
}

impl Message for Asked {
    const NAME: &'static str = "asked";
}

/// What a person has said may go; by provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Confirmed {
    about: BTreeMap<String, BTreeSet<String>>,
}

impl Message for Confirmed {
    const NAME: &'static str = "confirmed";
}

/// Keeps what may be believed. All of it is in the bucket, so any controller can be asked.
#[derive(Debug)]
pub struct Keeper {
    bucket: Arc<dyn Documents>,
    path: PathBuf,
}

impl Keeper {
    /// Keeps what this machine remembers in its data folder.
    #[must_use]
    pub fn new(bucket: impl Documents + 'static, data: &Path) -> Keeper {
        Keeper { bucket: Arc::new(bucket), path: data.join(FILE) }
    }

    /// Compares the registry with what this machine remembers; once, when it begins to reconcile.
    ///
    /// `all_clouds_empty`: whether all clouds were asked, and none has a server of this cluster:
    /// then there is nothing that a registry which is new could get wrong. It is only asked of a
    /// new one, because a cloud may be slow to answer.
    ///
    /// # Errors
    /// When either cannot be read or written; then nothing may be reconciled.
    pub async fn settle(&self, all_clouds_empty: impl Future<Output = bool>) -> Result<(), Error> {
        let (stored, revision) = self.identity().await?;
        let mut next = settled(stored, self.remembered()?);
        // An empty listing may be a lie: against what this machine remembers it proves nothing.
        if next.doubt.as_deref() == Some(NEW) && all_clouds_empty.await {
            next.doubt = None;
        }
        if let Some(doubt) = &next.doubt {
            tracing::warn!(doubt, "nothing is removed unasked; see `muster reconcile`");
        }
        self.write(&next, revision).await?;
        self.remember(&next)
    }

    /// Until it is cancelled: lets the epoch grow while documents change and this controller holds
    /// the lease, and remembers on this machine how far it has come.
    pub async fn follow(
        &self,
        mut changes: watch::Receiver<u64>,
        fence: Fence,
        cancel: CancellationToken,
    ) {
        let mut pause = tokio::time::interval(EPOCH_PAUSE);
        while cancel.run_until_cancelled(pause.tick()).await.is_some() {
            let leads = fence.remaining().is_some();
            let grows = leads && changes.has_changed().unwrap_or(false);
            if grows {
                changes.mark_unchanged();
            }
            if let Err(error) = self.notice(grows).await {
                let error = crate::chain(&error);
                tracing::debug!(error, "the registry's epoch is looked at again");
                changes.mark_changed();
            }
        }
    }

    /// By compare-and-set: a person's word and the leader's count may come at once.
    async fn change_identity(&self, change: impl Fn(&mut Identity)) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let (Some(mut identity), revision) = self.identity().await? else { return Ok(()) };
            change(&mut identity);
            match self.write(&identity, revision).await {
                Err(Error::Bus(bus::Error::Conflict { .. })) if tries < TRIES_MAX => tries += 1,
                written => return written,
            }
        }
    }

    /// Remembers the registry's epoch, one further if it grows. One that is not the known registry,
    /// or older, is left to [`Keeper::settle`].
    async fn notice(&self, grows: bool) -> Result<(), Error> {
        let (Some(mut stored), revision) = self.identity().await? else { return Ok(()) };
        let known = self.remembered()?;
        if known.as_ref().is_some_and(|k| k.id != stored.id || k.epoch > stored.epoch) {
            return Ok(());
        }
        if grows {
            stored.epoch += 1;
            self.write(&stored, revision).await?;
        }
        match known.is_none_or(|known| known.epoch < stored.epoch) {
            true => self.remember(&stored),
            false => Ok(()),
        }
    }

    /// Why the registry as a whole is doubted; none if it is believed.
    ///
    /// # Errors
    /// When the bucket cannot be read; then it is not believed.
    pub async fn doubt(&self) -> Result<Option<String>, Error> {
        Ok(match self.read::<Identity>(KEY).await? {
            Some(identity) => identity.doubt,
            None => Some("the registry has lost its identity".to_owned()),
        })
    }

    /// What may be believed about one provider.
    ///
    /// # Errors
    /// When the bucket cannot be read; then nothing may be removed.
    pub async fn trust(&self, provider: &str) -> Result<Trust, Error> {
        let registry = self.doubt().await?;
        let mut confirmed = self.read::<Confirmed>(CONFIRMED).await?.unwrap_or_default();
        let about = confirmed.about.remove(provider).unwrap_or_default();
        Ok(Trust { registry, confirmed: about.into_iter().collect() })
    }

    /// Takes what one provider's last look left to ask, and forgets what was confirmed of things
    /// that this look has not `found`: a person's word is about what was asked, once.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn ask(
        &self,
        provider: &str,
        doubts: Vec<String>,
        about: HashSet<String>,
        found: &HashSet<String>,
    ) -> Result<(), Error> {
        self.forget_confirmed(provider, found).await?;
        let before = self.read::<Asked>(ASKED).await?.unwrap_or_default();
        let mut asked = before.clone();
        asked.doubts.insert(provider.to_owned(), doubts);
        asked.about.insert(provider.to_owned(), about.into_iter().collect());
        asked.doubts.retain(|_, doubts| !doubts.is_empty());
        asked.about.retain(|_, about| !about.is_empty());
        if asked != before {
            self.bucket.put(ASKED, wire::encode(&asked)).await?;
        }
        Ok(())
    }

    async fn forget_confirmed(&self, provider: &str, found: &HashSet<String>) -> Result<(), Error> {
        let Some(mut confirmed) = self.read::<Confirmed>(CONFIRMED).await? else { return Ok(()) };
        let before = confirmed.clone();
        if let Some(about) = confirmed.about.get_mut(provider) {
            about.retain(|one| found.contains(one));
        }
        confirmed.about.retain(|_, about| !about.is_empty());
        if confirmed != before {
            self.bucket.put(CONFIRMED, wire::encode(&confirmed)).await?;
        }
        Ok(())
    }

    /// All that waits for a person's word.
    ///
    /// # Errors
    /// When the bucket cannot be read.
    pub async fn doubts(&self) -> Result<Vec<String>, Error> {
        let of_registry = self.read::<Identity>(KEY).await?.and_then(|identity| identity.doubt);
        let asked = self.read::<Asked>(ASKED).await?.unwrap_or_default();
        let of_clouds = asked
            .doubts
            .into_iter()
            .flat_map(|(of, doubts)| doubts.into_iter().map(move |doubt| format!("{of}: {doubt}")));
        Ok(of_registry.into_iter().chain(of_clouds).collect())
    }

    /// A person's word for all of it. Returns what that was.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn confirm(&self) -> Result<Vec<String>, Error> {
        let told = self.doubts().await?;
        let asked = self.read::<Asked>(ASKED).await?.unwrap_or_default();
        let about = asked.about;
        self.bucket.put(CONFIRMED, wire::encode(&Confirmed { about })).await?;
        self.bucket.put(ASKED, wire::encode(&Asked::default())).await?;
        self.change_identity(|identity| identity.doubt = None).await?;
        Ok(told)
    }

    /// Notes that a registry is written from a backup: it is doubted from now on, whatever this
    /// machine remembers, and also on a machine that remembers nothing.
    ///
    /// # Errors
    /// When either cannot be read or written; then nothing may be restored.
    pub async fn restored(
        &self,
        identity: Option<&Document>,
        made: UnixMillis,
    ) -> Result<(), Error> {
        let copy: Option<Identity> = identity
            .map(|document| wire::decode(&document.value))
            .transpose()
            .map_err(bus::Error::from)?;
        let (stored, revision) = self.identity().await?;
        let all = [copy, stored, self.remembered()?];
        let epoch = all.iter().flatten().map(|one| one.epoch).max().unwrap_or_default() + 1;
        let id = all.into_iter().flatten().next().map(|one| one.id);
        let at = moment(made);
        let doubt = Some(format!("the registry was restored from a backup of {at}"));
        let id = id.unwrap_or_else(|| Token::random(random()));
        let identity = Identity { id, epoch, doubt };
        self.write(&identity, revision).await?;
        self.remember(&identity)
    }

    /// The registry's identity with its revision; 0 if it has none.
    async fn identity(&self) -> Result<(Option<Identity>, u64), Error> {
        let Some(entry) = self.bucket.get(KEY).await? else { return Ok((None, 0)) };
        Ok((Some(wire::decode(&entry.value).map_err(bus::Error::from)?), entry.revision))
    }

    /// Over a revision only: one that lands late must not take back a newer epoch, or a doubt.
    async fn write(&self, identity: &Identity, revision: u64) -> Result<(), Error> {
        let bytes = wire::encode(identity);
        match revision {
            0 => self.bucket.create(KEY, bytes).await?,
            _ => self.bucket.update(KEY, bytes, revision).await?,
        };
        Ok(())
    }

    async fn read<M: Message>(&self, key: &str) -> Result<Option<M>, Error> {
        let entry = self.bucket.get(key).await?;
        let read = entry.map(|entry| wire::decode(&entry.value)).transpose();
        Ok(read.map_err(bus::Error::from)?)
    }

    fn remembered(&self) -> Result<Option<Identity>, Error> {
        match std::fs::read(&self.path) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::File { path: self.path.clone(), source }),
        }
    }

    fn remember(&self, identity: &Identity) -> Result<(), Error> {
        let failed = |source| Error::File { path: self.path.clone(), source };
        let dir = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir).map_err(failed)?;
        let text = serde_json::to_vec(identity).expect("an identity is plain JSON");
        let file = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
        std::fs::write(file.path(), text).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// Whether a document is the registry's identity: it is not restored as it was.
#[must_use]
pub fn is_identity(document: &Document) -> bool {
    document.bucket == "CLUSTER" && document.key == KEY
}

fn moment(at: UnixMillis) -> String {
    let time = OffsetDateTime::from_unix_timestamp(at.0 / 1000).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| "an unknown time".to_owned())
}

/// The identity after the registry's and this machine's memory were compared.
fn settled(stored: Option<Identity>, known: Option<Identity>) -> Identity {
    match (stored, known) {
        (None, None) => {
            Identity { id: Token::random(random()), epoch: 1, doubt: Some(NEW.to_owned()) }
        }
        (None, Some(known)) => Identity {
            id: Token::random(random()),
            epoch: known.epoch + 1,
            doubt: Some("the registry that this machine knew is gone".to_owned()),
        },
        (Some(stored), Some(known)) if stored.id == known.id && stored.epoch < known.epoch => {
            let doubt = Some("the registry was restored from an older copy".to_owned());
            Identity { epoch: known.epoch + 1, doubt, ..stored }
        }
        (Some(stored), Some(known)) if stored.id != known.id => {
            let doubt = Some("the registry is another than this machine knew".to_owned());
            Identity { epoch: stored.epoch.max(known.epoch) + 1, doubt, ..stored }
        }
        (Some(stored), _) => Identity { epoch: stored.epoch + 1, ..stored },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::Memory;
    use std::future::ready;

    fn identity(id: u8, epoch: u64) -> Identity {
        Identity { id: Token::random([id; 26]), epoch, doubt: None }
    }

    async fn is_doubted(keeper: &Keeper) -> bool {
        keeper.settle(ready(true)).await.unwrap();
        keeper.trust("c").await.unwrap().registry.is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn an_older_copy_is_known_though_nobody_took_over_since_and_no_cloud_shows_anything() {
        let (dir, memory) = (tempfile::tempdir().unwrap(), Memory::default());
        let keeper = Keeper::new(memory.clone(), dir.path());
        assert!(!is_doubted(&keeper).await);
        let copy = memory.get(KEY).await.unwrap().unwrap().value;
        let (changes, cancel) = (watch::Sender::new(0_u64), CancellationToken::new());
        let following = keeper.follow(changes.subscribe(), Fence::open(), cancel.clone());
        let changing = async {
            changes.send_modify(|count| *count += 1);
            tokio::time::advance(EPOCH_PAUSE * 2).await;
            cancel.cancel();
        };
        tokio::join!(following, changing);
        memory.put(KEY, copy).await.unwrap();
        assert!(is_doubted(&keeper).await);
        keeper.confirm().await.unwrap();
        assert!(!is_doubted(&keeper).await);
    }

    #[test]
    fn a_registry_is_believed_only_when_it_is_the_one_that_was_known() {
        let doubt = |stored, known| settled(stored, known).doubt.is_some();
        assert!(doubt(None, None));
        assert!(!doubt(Some(identity(1, 5)), Some(identity(1, 5))));
        assert!(!doubt(Some(identity(1, 5)), None), "a second controller's first start");
        assert!(doubt(None, Some(identity(1, 5))));
        assert!(doubt(Some(identity(1, 4)), Some(identity(1, 5))));
        assert!(doubt(Some(identity(2, 5)), Some(identity(1, 5))));
    }

    #[tokio::test]
    async fn a_restored_registry_is_doubted_on_a_new_machine_and_on_the_old_one() {
        let (memory, old, new) = (Memory::default(), temporary(), temporary());
        let first = keeper(&memory, old.path());
        assert!(!is_doubted(&first).await);
        let value = memory.get(KEY).await.unwrap().unwrap().value;
        let copy = Document { bucket: "CLUSTER".into(), key: KEY.into(), value };
        assert!(is_identity(&copy));
        for folder in [&old, &new] {
            let store = Memory::default();
            let restoring = keeper(&store, folder.path());
            restoring.restored(Some(&copy), UnixMillis(1_700_000_000_000)).await.unwrap();
            assert!(is_doubted(&restoring).await);
            let told = restoring.trust("c").await.unwrap().registry.unwrap();
            assert!(told.ends_with("a backup of 2023-11-14T22:13:20Z"), "{told}");
            restoring.confirm().await.unwrap();
            assert!(!is_doubted(&restoring).await);
        }
    }

    fn temporary() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_doubt_stays_until_it_is_confirmed() {
        let doubtful = settled(None, Some(identity(1, 5)));
        let again = settled(Some(doubtful.clone()), Some(doubtful));
        assert!(again.doubt.is_some());
    }

    fn keeper(bucket: &Memory, folder: &Path) -> Keeper {
        Keeper::new(bucket.clone(), folder)
    }

    fn names(of: &[&str]) -> HashSet<String> {
        of.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn a_persons_word_is_about_what_was_asked_and_once() {
        let (bucket, folder) = (Memory::default(), tempfile::tempdir().unwrap());
        let leader = keeper(&bucket, folder.path());
        leader.settle(ready(true)).await.unwrap();
        for cloud in ["a", "b"] {
            let about = names(&[cloud]);
            leader.ask(cloud, vec!["?".into()], about.clone(), &about).await.unwrap();
        }
        assert_eq!(leader.confirm().await.unwrap(), ["a: ?", "b: ?"]);
        assert_eq!(leader.trust("a").await.unwrap().confirmed, names(&["a"]));
        leader.ask("a", Vec::new(), names(&[]), &names(&["x"])).await.unwrap();
        assert_eq!(leader.trust("a").await.unwrap().confirmed, names(&[]));
        assert_eq!(leader.trust("b").await.unwrap().confirmed, names(&["b"]));
    }
}
