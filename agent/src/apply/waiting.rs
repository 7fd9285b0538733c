//! What is to be applied next. Pure: highstates that wait merge, everything is bounded.

use muster_protocol::id::Token;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Runs that wait, beside the one highstate.
const JOBS_MAX: usize = 16;
/// Commands that wait for the same highstate.
const COMMANDS_MAX: usize = 256;

/// A run of states that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    /// The commands that asked; none for a desired state that is applied at once.
    pub(crate) commands: Vec<Token>,
    /// These files; the highstate if empty.
    pub(crate) sls: Vec<String>,
    /// A dry run.
    pub(crate) test: bool,
    /// Not with an older desired state than this revision.
    pub(crate) revision: u64,
}

impl Job {
    /// The highstate, because the desired state says so.
    pub(crate) fn highstate() -> Job {
        Job::default()
    }

    /// Whether it applies all states for real.
    pub(crate) fn is_highstate(&self) -> bool {
        self.sls.is_empty() && !self.test
    }
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// A desired state that was pushed; the newest of several.
    pub(super) pushed: Option<Vec<u8>>,
    /// A push may have been missed.
    pub(super) refresh: bool,
    jobs: VecDeque<Job>,
}

impl Waiting {
    /// Adds a run, or its command to one that waits and does the same.
    pub(super) fn add(&mut self, job: Job) -> Result<(), &'static str> {
        let same = |waiting: &&mut Job| waiting.sls == job.sls && waiting.test == job.test;
        if let Some(waiting) = self.jobs.iter_mut().find(same) {
            if waiting.commands.len() + job.commands.len() > COMMANDS_MAX {
                return Err("too many commands wait for this run of states");
            }
            waiting.commands.extend(job.commands);
            waiting.revision = waiting.revision.max(job.revision);
            return Ok(());
        }
        if self.jobs.len() >= JOBS_MAX {
            return Err("too many runs of states wait; ask again later");
        }
        self.jobs.push_back(job);
        Ok(())
    }

    /// Puts a run back that could not begin: before all others.
    pub(super) fn put_back(&mut self, job: Job) {
        self.jobs.push_front(job);
    }

    /// The next run.
    pub(super) fn next(&mut self) -> Option<Job> {
        self.jobs.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::random;

    fn job(sls: &[&str], test: bool) -> Job {
        let sls = sls.iter().map(|&sls| sls.to_owned()).collect();
        Job { commands: vec![Token::random(random())], sls, test, revision: 0 }
    }

    #[test]
    fn runs_that_do_the_same_are_one_run_for_all_who_asked() {
        let mut waiting = Waiting::default();
        for job in [job(&[], false), job(&["a"], false), job(&[], true), job(&[], false)] {
            waiting.add(job).unwrap();
        }
        waiting.add(Job::highstate()).unwrap();
        let all: Vec<Job> = std::iter::from_fn(|| waiting.next()).collect();
        assert_eq!(all.iter().map(|job| job.commands.len()).collect::<Vec<_>>(), [2, 1, 1]);
        assert!(all[0].is_highstate() && !all[1].is_highstate() && !all[2].is_highstate());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut waiting = Waiting::default();
        for n in 0..JOBS_MAX {
            waiting.add(job(&[&n.to_string()], false)).unwrap();
        }
        assert!(waiting.add(job(&["more"], false)).is_err());
        for _ in 1..COMMANDS_MAX {
            waiting.add(job(&["0"], false)).unwrap();
        }
        assert!(waiting.add(job(&["0"], false)).is_err());
    }
}
