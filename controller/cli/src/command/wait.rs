//! `--wait`: looks again and again until what was asked is done, or the time is over.

mod goal;

pub(crate) use goal::{Goal, Lives};

use super::Caller;
use crate::failure::{Exit, Result};
use crate::interrupt::Interrupt;
use crate::output::{Progress, Table, clean, duration, note, span};
use crate::session::Session;
use goal::{Open, Seen, Stand};
use muster_protocol::api::{CloudShow, PoolList, PoolView, Target, WorkerList, WorkerView};
use muster_protocol::id::{Generation, PoolName, WorkerName};
use serde::Serialize;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

/// How long is waited unless told.
pub(crate) const TIMEOUT: &str = "10m";
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the controller may take to tell of its workers, before another one is asked.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// Where no line can be drawn in place, one is written this often.
const NOTE_EVERY: Duration = Duration::from_secs(15);
/// What the progress line names.
const NAMED_MAX: usize = 3;
/// More workers than this are not asked for by name.
const NAMES_MAX: usize = 100;

/// Whether to wait, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Wait {
    /// Wait until it is done; else it is only begun
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait
    #[arg(long, value_name = "SPAN", default_value = TIMEOUT, value_parser = duration)]
    timeout: Duration,
}

/// How a wait ended, for programs.
#[derive(Serialize)]
struct Ended<'a, T> {
    asked: &'a T,
    done: bool,
    millis: u64,
    #[serde(flatten)]
    stand: &'a Stand,
}

impl Wait {
    /// Waits, as `--wait` does.
    pub(crate) fn always(timeout: Duration) -> Wait {
        Wait { wait: true, timeout }
    }

    /// The lives that the workers are in, to know later whether they have ended; asked for before
    /// the workers are changed, and only if that will be waited for.
    pub(crate) async fn lives(&self, session: &Session, target: &Target) -> Result<Lives> {
        if !self.wait {
            return Ok(Lives::new());
        }
        let list = WorkerList { target: Some(target.clone()), all: false };
        let workers = session.ask(&list).await?;
        Ok(workers.into_iter().map(|worker| (worker.name, worker.generation)).collect())
    }

    /// Shows what the controller has answered, and waits for the goal if that was asked for.
    pub(crate) async fn end<T: Serialize>(
        &self,
        session: &Session,
        caller: &Caller,
        goal: Goal,
        asked: &T,
        table: impl FnOnce() -> Table,
    ) -> Result<Exit> {
        let output = &caller.output;
        if !self.wait {
            output.show(asked, table)?;
            return Ok(Exit::Ok);
        }
        let mut interrupt = Interrupt::listen()?;
        if output.is_table() {
            output.show(asked, table)?;
        }
        let begun = Instant::now();
        let mut watch = Watch { goal, progress: Progress::new(), noted: begun };
        let looked = tokio::select! {
            looked = watch.until(session, begun + self.timeout) => Some(looked?),
            () = interrupt.came() => None,
        };
        watch.progress.clear();
        let Some(stand) = looked else {
            note("interrupted; what was asked for goes on");
            return Ok(Exit::Interrupted);
        };
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        match output.is_table() {
            true => output.text(&summary(&watch.goal, &stand, millis))?,
            false => {
                let done = stand.is_over() && stand.failed.is_empty();
                output.value(&Ended { asked, done, millis, stand: &stand })?;
            }
        }
        Ok(exit(&stand))
    }
}

/// The lives of those workers that the controller says it acts on.
pub(crate) fn of_these(mut lives: Lives, names: &[WorkerName]) -> Lives {
    // One that came in between has an unknown life, which only ends when the worker does.
    let unknown = Generation(u32::MAX);
    names.iter().map(|name| (name.clone(), lives.remove(name).unwrap_or(unknown))).collect()
}

struct Watch {
    goal: Goal,
    progress: Progress,
    noted: Instant,
}

impl Watch {
    /// Gives how far it was at the last look.
    async fn until(&mut self, session: &Session, deadline: Instant) -> Result<Stand> {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut last, mut failed) = (self.goal.unseen(), None::<String>);
        loop {
            let looked = timeout_at(deadline, async {
                look.tick().await;
                look_at(session, &self.goal).await
            });
            match looked.await {
                Err(_) => {
                    // What was seen before says more than that the last look failed.
                    self.progress.clear();
                    failed.iter().for_each(|failure| note(&clean(failure)));
                    return Ok(last);
                }
                Ok(Ok(seen)) => {
                    (last, failed) = (self.goal.judge(&seen), None);
                    if last.is_over() {
                        return Ok(last);
                    }
                    self.tell(&line(&self.goal, &last));
                }
                Ok(Err(failure)) if failure.is_passing() => {
                    self.tell(&format!("trying again: {}", failure.text()));
                    failed = Some(failure.text());
                }
                Ok(Err(failure)) => return Err(failure),
            }
        }
    }

    fn tell(&mut self, line: &str) {
        let line = clean(line).replace('\n', " ");
        if self.progress.is_seen() {
            self.progress.draw(&line);
        } else if self.noted.elapsed() >= NOTE_EVERY {
            note(&line);
            self.noted = Instant::now();
        }
    }
}

async fn look_at(session: &Session, goal: &Goal) -> Result<Seen> {
    match goal {
        Goal::Gone(lives) | Goal::Rebuilt(lives) => {
            let workers = named(session, lives).await?;
            Ok(Seen { workers, ..Seen::default() })
        }
        Goal::Launched { pool, .. } | Goal::Sized(pool) => {
            let workers = workers(session, Some(Target::Pool(pool.clone()))).await?;
            Ok(Seen { workers, pool: pool_view(session, pool).await?, cloud: None })
        }
        Goal::Empty(_) => {
            let workers = workers(session, None).await?;
            // The clouds are asked when the registry says that all are gone: a listing is dear.
            let all_over = workers.iter().all(|worker| worker.phase.is_over());
            let cloud = match all_over {
                true => Some(session.ask(&CloudShow {}).await?),
                false => None,
            };
            Ok(Seen { workers, pool: None, cloud })
        }
    }
}

async fn named(session: &Session, lives: &Lives) -> Result<Vec<WorkerView>> {
    if lives.is_empty() || lives.len() > NAMES_MAX {
        return workers(session, None).await;
    }
    let names: Vec<&str> = lives.keys().map(WorkerName::as_str).collect();
    workers(session, Some(Target::Names(names.join(",")))).await
}

async fn workers(session: &Session, target: Option<Target>) -> Result<Vec<WorkerView>> {
    session.ask_within(&WorkerList { target, all: false }, LOOK_TIMEOUT).await
}

async fn pool_view(session: &Session, name: &PoolName) -> Result<Option<PoolView>> {
    let pools = session.ask_within(&PoolList {}, LOOK_TIMEOUT).await?;
    Ok(pools.into_iter().find(|pool| pool.name == *name))
}

/// `3 of 5 gone; waiting for a (terminating), b (terminating)`.
fn line(goal: &Goal, stand: &Stand) -> String {
    let told = |open: &Open| format!("{} ({})", open.name, open.why);
    let some: Vec<String> = stand.waiting.iter().take(NAMED_MAX).map(told).collect();
    let more = if stand.waiting.len() > NAMED_MAX { ", ..." } else { "" };
    let Stand { reached, total, .. } = stand;
    format!("{reached} of {total} {}; waiting for {}{more}", goal.name(), some.join(", "))
}

/// What has come of it, with each that is not there.
fn summary(goal: &Goal, stand: &Stand, millis: u64) -> String {
    let after = span(i64::try_from(millis).unwrap_or(i64::MAX));
    let Stand { reached, total, .. } = stand;
    let name = goal.name();
    if *total == 0 && exit(stand) == Exit::Ok {
        return format!("none is left, after {after}\n");
    }
    let mut text = format!("{reached} of {total} {name} after {after}\n");
    for (what, opens) in [("failed", &stand.failed), ("not in time", &stand.waiting)] {
        for Open { name, why } in opens {
            text.push_str(&clean(&format!("{what}: {name}: {why}")).replace('\n', " "));
            text.push('\n');
        }
    }
    text
}

fn exit(stand: &Stand) -> Exit {
    match (stand.failed.is_empty(), stand.is_over()) {
        (true, true) => Exit::Ok,
        (false, _) => Exit::SomeFailed,
        (true, false) => Exit::SomeSilent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand(waiting: &[&str], failed: &[&str]) -> Stand {
        let opens = |names: &[&str]| {
            names.iter().map(|name| Open::new(name, "booting")).collect::<Vec<_>>()
        };
        Stand { total: 5, reached: 1, waiting: opens(waiting), failed: opens(failed) }
    }

    #[test]
    fn progress_names_the_first_few() {
        let goal = Goal::Empty(Vec::new());
        let text = line(&goal, &stand(&["a", "b", "c", "d"], &[]));
        let expected = "1 of 5 gone; waiting for a (booting), b (booting), c (booting), ...";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_summary_tells_each_that_is_not_there() {
        let goal = Goal::Rebuilt(Lives::new());
        let text = summary(&goal, &stand(&["a"], &["b"]), 61_000);
        let expected = "\
1 of 5 rebuilt after 1 min 1 s
failed: b: booting
not in time: a: booting
";
        assert_eq!(text, expected);
        let done = Stand { total: 2, reached: 2, ..Stand::default() };
        assert_eq!(summary(&goal, &done, 900), "2 of 2 rebuilt after 900 ms\n");
        assert_eq!(
            summary(&Goal::Empty(Vec::new()), &Stand::default(), 9),
            "none is left, after 9 ms\n"
        );
        let stand = Stand { total: 0, ..stand(&["x"], &[]) };
        let text = summary(&Goal::Empty(Vec::new()), &stand, 9);
        assert!(text.ends_with("\nnot in time: x: booting\n"), "{text}");
    }

    #[test]
    fn only_what_is_done_ends_well() {
        assert_eq!(exit(&stand(&[], &[])), Exit::Ok);
        assert_eq!(exit(&stand(&["a"], &[])), Exit::SomeSilent);
        assert_eq!(exit(&stand(&[], &["a"])), Exit::SomeFailed);
        assert_eq!(exit(&stand(&["a"], &["b"])), Exit::SomeFailed);
    }

    #[test]
    fn a_worker_of_an_unknown_life_is_waited_for() {
        let lives = Lives::from([("a".parse().unwrap(), Generation(2))]);
        let names: Vec<WorkerName> = vec!["a".parse().unwrap(), "b".parse().unwrap()];
        let lives: Vec<u32> = of_these(lives, &names).into_values().map(|life| life.0).collect();
        assert_eq!(lives, [2, u32::MAX]);
    }

    #[test]
    fn programs_read_one_object() {
        let stand = stand(&["a"], &[]);
        let ended = Ended { asked: &["a"], done: false, millis: 7, stand: &stand };
        let value = serde_json::to_value(ended).unwrap();
        assert_eq!((&value["asked"][0], &value["total"]), (&"a".into(), &5.into()));
        assert_eq!(value["waiting"][0]["why"], "booting");
    }
}
