//! Calls about the cluster as a whole: its state, its end, the clouds' side, tails, readings.

use super::{Api, Done, phases, refuse, told, unavailable};
use crate::backup;
use crate::lifecycle::Input;
use crate::registry;
use muster_protocol::api::{
    BackupPart, CloudShow, CloudView, ClusterBackup, ClusterDestroy, ClusterShow, ClusterView,
    Question, ReconcileConfirm, RefusalKind, SeriesView, StatsShow, TailOpen, TailOpened,
    TailSuspect,
};
use muster_protocol::event::Alarm;
use muster_protocol::id::{UnixMillis, UserName, WorkerName};
use muster_protocol::subject;
use muster_protocol::worker::{Phase, PoolState};

/// Tails that one person may have open: each is a consumer in NATS.
const TAILS_MAX: usize = 64;

impl Api {
    pub(super) async fn cluster_show(&self, _: &ClusterShow) -> Done<ClusterView> {
        let doubts = self.keeper.doubts().await;
        Ok(ClusterView {
            name: self.config.cluster.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            now: UnixMillis::now(),
            leader: self.leader.borrow().clone(),
            doubts: doubts.unwrap_or_default(),
            nats_version: self.bus.server_version(),
            phases: phases(self.registry.workers().iter()),
            sinks: self.stats.sinks(),
        })
    }

    /// Ends all workers, also busy and held ones: a person asked for exactly that.
    pub(super) async fn destroy(
        &self,
        user: &UserName,
        _: &ClusterDestroy,
    ) -> Done<Vec<WorkerName>> {
        let _planning = self.registry.planning.lock().await;
        for pool in self.config.pools.keys() {
            let emptied = |before: Option<PoolState>| PoolState {
                size: 0,
                draining: true,
                frozen: false,
                ..before.unwrap_or_else(|| crate::reconciler::new_pool(pool, 0))
            };
            self.registry.change_pool(pool, emptied).await.map_err(unavailable)?;
        }
        let mut ended = Vec::new();
        for worker in self.registry.workers() {
            if worker.phase == Phase::Terminated {
                continue;
            }
            let reason = format!("the cluster was destroyed by {user}");
            match self.registry.happen(&worker.name, &Input::Terminate(reason)).await {
                Ok(_) | Err(registry::Error::Refused(_)) => ended.push(worker.name),
                Err(error) => return Err(unavailable(error)),
            }
        }
        Ok(ended)
    }

    pub(super) async fn confirm(&self, _: &ReconcileConfirm) -> Done<Vec<String>> {
        let confirmed = self.keeper.confirm().await;
        let told =
            confirmed.map_err(|error| refuse(RefusalKind::Unavailable, crate::chain(&error)))?;
        self.registry.wake();
        Ok(told)
    }

    /// One part of a backup. The first of them tells in the log that somebody makes one.
    pub(super) async fn backup(&self, question: &ClusterBackup) -> Done<BackupPart> {
        let cluster = self.config.cluster.as_str();
        let part = backup::part(&self.buckets, cluster, question.after.as_deref()).await;
        let part = part.map_err(|error| refuse(RefusalKind::Unavailable, crate::chain(&error)))?;
        if question.after.is_none() {
            tracing::info!(documents = part.total, "a backup is made");
        }
        Ok(part)
    }

    pub(super) async fn cloud_show(&self, _: &CloudShow) -> Done<Vec<CloudView>> {
        Ok(self.inspector.both_sides().await)
    }

    pub(super) async fn tail(&self, user: &UserName, question: &TailOpen) -> Done<TailOpened> {
        let filter = &question.filter;
        let below = filter.starts_with(subject::EVENT_PREFIX);
        if !below || filter.contains(char::is_whitespace) {
            let text = format!("{filter:?} is no subject of events; use e.g. muster.event.>");
            return Err(refuse(RefusalKind::Invalid, text));
        }
        let prefix = format!("tail={user}=");
        let open = self
            .jetstream
            .feeds(&prefix)
            .await
            .map_err(|error| refuse(RefusalKind::Unavailable, crate::chain(&error)))?;
        if open >= TAILS_MAX {
            let text = format!(
                "{open} tails of {user} are open: end some; what was left ends by itself \
                 within a minute"
            );
            return Err(refuse(RefusalKind::Conflict, text));
        }
        let (feed, name) =
            (subject::feed(user, &question.lease), format!("{prefix}{}", question.lease));
        let opened = self.jetstream.open_feed(feed, name, filter, question.since).await;
        let pending = opened.map_err(|error| refuse(RefusalKind::Invalid, crate::chain(&error)))?;
        Ok(TailOpened { pending })
    }

    /// A person's program has dropped what was steered onto its feed; told once for a while.
    pub(super) async fn tail_suspect(&self, user: &UserName, question: &TailSuspect) -> Done<()> {
        if self.told.is_first("read", user, TailSuspect::NOUN, TailSuspect::VERB) {
            let what = told::cut(&question.what);
            tracing::warn!(%user, what, "something was steered onto a person's feed");
            self.raise(user, "feed", &Alarm { who: user.to_string(), what }).await;
        }
        Ok(())
    }

    pub(super) fn stats_show(&self, question: &StatsShow) -> Done<Vec<SeriesView>> {
        let workers = match &question.target {
            Some(target) => self.select(target)?,
            None => self.registry.workers(),
        };
        let names: Vec<WorkerName> = workers.into_iter().map(|worker| worker.name).collect();
        let shown = self.stats.show(&names, question, UnixMillis::now());
        shown.map_err(|error| refuse(RefusalKind::Invalid, error.to_string()))
    }
}
