//! The daemon's tasks: named, watched, stopped together.

use std::future::Future;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long tasks have to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// A running set of tasks; the end of one ends all.
pub(crate) struct Tasks {
    running: JoinSet<(&'static str, anyhow::Result<()>)>,
    stop: CancellationToken,
}

impl Tasks {
    /// None yet; all of them look at `stop`.
    pub(crate) fn new(stop: CancellationToken) -> Tasks {
        Tasks { running: JoinSet::new(), stop }
    }

    /// Starts one.
    pub(crate) fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.running.spawn(async move { (name, task.await) });
    }

    /// Starts one that cannot fail, only end.
    pub(crate) fn spawn_endless(
        &mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.spawn(name, async move {
            task.await;
            Ok(())
        });
    }

    /// Waits until they are stopped, or one ends by itself, which stops the others.
    pub(crate) async fn watch(mut self) -> anyhow::Result<()> {
        let ended = tokio::select! {
            ended = self.running.join_next() => ended,
            () = self.stop.cancelled() => None,
        };
        let asked = self.stop.is_cancelled();
        self.stop.cancel();
        let rest = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIMEOUT, rest).await.is_err() {
            tracing::warn!("not all tasks stopped in time; they are dropped");
        }
        match ended {
            Some(Ok((name, Err(error)))) => {
                tracing::error!(task = name, "a task failed");
                Err(error)
            }
            Some(Ok((name, Ok(())))) if !asked => {
                anyhow::bail!("the task {name} ended by itself: its log says why")
            }
            Some(Err(error)) if error.is_panic() => {
                anyhow::bail!("a task broke off: its log says why")
            }
            Some(Ok((_, Ok(()))) | Err(_)) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_ends_by_itself_stops_the_others_and_is_named() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(stop.clone());
        tasks.spawn_endless("short", async {});
        let token = stop.clone();
        tasks.spawn_endless("long", async move { token.cancelled().await });
        tasks.spawn_endless("stubborn", std::future::pending());
        let error = tasks.watch().await.unwrap_err();
        assert!(error.to_string().contains("short"), "{error}");
        assert!(stop.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_asked_to_stop_has_not_failed() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(stop.clone());
        let token = stop.clone();
        tasks.spawn_endless("long", async move { token.cancelled().await });
        stop.cancel();
        tasks.watch().await.unwrap();
    }
}
