//! Calls about pools and their images.

use super::{Api, Done, phases, refuse, unavailable};
use crate::config::Pool;
use crate::planner::{self, Breaker};
use crate::reconciler::new_pool;
use muster_protocol::api::{
    ImageList, ImageSet, ImageView, PoolList, PoolMark, PoolMarking, PoolScale, PoolView,
    RefusalKind, WorkerLaunch,
};
use muster_protocol::id::{PoolName, UnixMillis};
use muster_protocol::worker::{FailureKind, Phase, PoolState, Worker};
use std::collections::BTreeMap;

impl Api {
    pub(super) async fn launch(&self, question: &WorkerLaunch) -> Done<PoolView> {
        let before = self.state(&question.pool).await?.size;
        let size = before.saturating_add(question.count);
        self.scale(&PoolScale { pool: question.pool.clone(), size }).await
    }

    pub(super) async fn scale(&self, question: &PoolScale) -> Done<PoolView> {
        let Pool { min, max, .. } = *self.pool(&question.pool)?;
        let size = question.size;
        if size < min || size > max {
            let text = format!(
                "pool {} has between {min} and {max} workers, not {size}; ask for a size between, \
                 or change the pool in controller.yaml",
                question.pool
            );
            return Err(refuse(RefusalKind::Conflict, text));
        }
        self.change(&question.pool, |state| PoolState { size, draining: false, ..state }).await
    }

    pub(super) async fn mark_pool(&self, question: &PoolMark) -> Done<PoolView> {
        self.pool(&question.pool)?;
        self.change(&question.pool, |state| match question.mark {
            PoolMarking::Freeze => PoolState { frozen: true, ..state },
            PoolMarking::Thaw => PoolState { frozen: false, draining: false, ..state },
            PoolMarking::Drain => PoolState { frozen: false, draining: true, ..state },
        })
        .await
    }

    pub(super) async fn pool_list(&self, _: &PoolList) -> Done<Vec<PoolView>> {
        let mut views = Vec::new();
        for name in self.config.pools.keys() {
            views.push(self.pool_view(name).await?);
        }
        Ok(views)
    }

    pub(super) async fn image_list(&self, _: &ImageList) -> Done<Vec<ImageView>> {
        let mut views = Vec::new();
        for name in self.config.pools.keys() {
            views.extend(self.images(name).await?);
        }
        Ok(views)
    }

    pub(super) async fn image_set(&self, question: &ImageSet) -> Done<Vec<ImageView>> {
        self.pool(&question.pool)?;
        let image = question.image.clone();
        self.change(&question.pool, |state| PoolState { image: image.clone(), ..state }).await?;
        self.images(&question.pool).await
    }

    async fn images(&self, name: &PoolName) -> Done<Vec<ImageView>> {
        let current = self.image(name).await?;
        let mut running: BTreeMap<String, ImageView> = BTreeMap::new();
        let view = |image: &str| ImageView {
            pool: name.clone(),
            image: image.to_owned(),
            is_current: image == current,
            workers: Vec::new(),
        };
        running.insert(current.clone(), view(&current));
        let workers = self.registry.workers();
        for worker in workers.iter().filter(|w| w.pool == *name && w.phase != Phase::Terminated) {
            let image = running.entry(worker.image.clone()).or_insert_with(|| view(&worker.image));
            image.workers.push(worker.name.clone());
        }
        Ok(running.into_values().collect())
    }

    /// The image of a pool's new workers.
    pub(super) async fn image(&self, name: &PoolName) -> Done<String> {
        let configured = self.pool(name)?.image.clone();
        Ok(self.state(name).await?.image.unwrap_or(configured))
    }

    async fn change<F>(&self, name: &PoolName, change: F) -> Done<PoolView>
    where
        F: Fn(PoolState) -> PoolState,
    {
        let min = self.pool(name)?.min;
        let changed =
            |before: Option<PoolState>| change(before.unwrap_or_else(|| new_pool(name, min)));
        self.registry.change_pool(name, changed).await.map_err(unavailable)?;
        self.pool_view(name).await
    }

    async fn pool_view(&self, name: &PoolName) -> Done<PoolView> {
        let pool = self.pool(name)?;
        let (state, image) = (self.state(name).await?, self.image(name).await?);
        let workers = self.registry.workers();
        let of_it: Vec<&Worker> = workers.iter().filter(|worker| worker.pool == *name).collect();
        let now = UnixMillis::now();
        let breaker = planner::breaker(&of_it, now).filter(|breaker| breaker.is_open());
        Ok(PoolView {
            name: name.clone(),
            provider: pool.provider.clone(),
            min: pool.min,
            max: pool.max,
            size: state.size,
            phases: phases(of_it.into_iter()),
            priority: pool.priority,
            frozen: state.frozen,
            draining: state.draining,
            image,
            breaker: breaker.map(|breaker| in_words(&breaker, now)),
        })
    }

    pub(super) fn pool(&self, name: &PoolName) -> Done<&Pool> {
        self.config.pools.get(name).ok_or_else(|| self.no_pool(name))
    }

    pub(super) async fn state(&self, name: &PoolName) -> Done<PoolState> {
        let min = self.pool(name)?.min;
        let stored = self.registry.pool(name).await.map_err(unavailable)?;
        Ok(stored.unwrap_or_else(|| new_pool(name, min)))
    }
}

fn in_words(breaker: &Breaker, now: UnixMillis) -> String {
    let what = match breaker.kind {
        FailureKind::Capacity => "the cloud has no room",
        FailureKind::Cloud => "the cloud refuses",
        FailureKind::Boot => "new workers do not come up",
        FailureKind::Security => "a worker's identity was claimed by another",
        FailureKind::Gone => "servers vanish",
    };
    let left = breaker.until.since(now);
    let next = match left > 0 {
        true => format!("one is tried in {} s", (left + 999) / 1000),
        false => "one at a time is tried".to_owned(),
    };
    let Breaker { failures, reason, .. } = breaker;
    format!("{what} ({failures} failures in a row; {next}): {reason}")
}
