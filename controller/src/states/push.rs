//! What has changed goes to the workers: the tree and the pillars are read anew, and whoever is
//! concerned gets a new revision.

use super::{Error, States};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use muster_protocol::api::PushView;
use muster_protocol::desired::Blob;
use muster_protocol::id::Hash;
use muster_protocol::worker::{Phase, Worker};

/// Workers that are given their states at once.
const CONCURRENT_MAX: usize = 16;
/// Faults of a tree that one error tells.
const TOLD_MAX: usize = 5;

/// Whether a worker can be given states: one that has not enrolled gets them when it has.
pub(crate) fn takes_states(worker: &Worker) -> bool {
    let over = matches!(worker.phase, Phase::Terminating | Phase::Terminated | Phase::Failed);
    worker.keys.is_some() && !over
}

impl States {
    /// Gives workers what has changed for them; a tree whose files do not parse goes to nobody.
    ///
    /// What an earlier process of the controller gave is not known: it counts as changed.
    ///
    /// # Errors
    /// When the tree cannot be read, does not parse, or cannot be stored.
    pub async fn push(&self, workers: &[Worker], apply: bool) -> Result<Vec<PushView>, Error> {
        self.check().await?;
        let manifest = self.publish_tree().await?;
        // Boxed, or the compiler does not see that they may go to another thread.
        let pushes: Vec<BoxFuture<'_, PushView>> = workers
            .iter()
            .map(|worker| self.push_one(worker, manifest.clone(), apply).boxed())
            .collect();
        let mut pushed: Vec<PushView> =
            stream::iter(pushes).buffer_unordered(CONCURRENT_MAX).collect().await;
        pushed.sort_by(|a, b| a.worker.cmp(&b.worker));
        Ok(pushed)
    }

    async fn push_one(&self, worker: &Worker, manifest: Blob, apply: bool) -> PushView {
        let (revision, error) = match self.give_if_new(worker, manifest, apply).await {
            Ok(revision) => (revision, None),
            Err(error) => (None, Some(crate::chain(&error))),
        };
        PushView { worker: worker.name.clone(), revision, error }
    }

    async fn give_if_new(
        &self,
        worker: &Worker,
        manifest: Blob,
        apply: bool,
    ) -> Result<Option<u64>, Error> {
        let pillar = self.pillar(worker).await?;
        let now = (manifest.hash.clone(), Hash::of(pillar.as_bytes()));
        let known = self.given().get(&worker.agent_id) == Some(&now);
        if known {
            return Ok(None);
        }
        self.give(worker, manifest, &pillar, apply).await.map(Some)
    }

    /// Whether all SLS of the tree parse.
    ///
    /// # Errors
    /// When one does not, with file, line and reason.
    pub async fn check(&self) -> Result<(), Error> {
        let roots = self.config.tree.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let tree = roots.read().map_err(|error| crate::chain(&error))?;
            let faults = muster_states::syntax(&tree);
            if faults.is_empty() {
                return Ok(());
            }
            let mut told: Vec<String> =
                faults.iter().take(TOLD_MAX).map(ToString::to_string).collect();
            if faults.len() > TOLD_MAX {
                told.push(format!("and {} more", faults.len() - TOLD_MAX));
            }
            Err(told.join("; "))
        });
        let wrong = |what| Error::Tree { path: self.tree(), what };
        let checked = checked.await.map_err(|_| wrong("checking it was interrupted".to_owned()))?;
        checked.map_err(wrong)
    }
}
