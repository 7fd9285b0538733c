//! How one sink does, for people.

use muster_protocol::api::SinkView;
use std::collections::HashSet;
use std::error::Error;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tracing::{info, warn};

/// Subjects whose dropped frames were told in the log; then all are forgotten and told again.
const TOLD_MAX: usize = 10_000;

/// What a sink has done since the controller's start.
pub struct Status {
    name: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    written: u64,
    dropped: u64,
    error: Option<String>,
    told: HashSet<String>,
}

impl Status {
    /// Nothing yet.
    #[must_use]
    pub fn new(name: &str) -> Status {
        Status { name: name.to_owned(), state: Mutex::default() }
    }

    /// The sink's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The present state.
    #[must_use]
    pub fn view(&self) -> SinkView {
        let state = self.state();
        SinkView {
            name: self.name.clone(),
            written: state.written,
            dropped: state.dropped,
            error: state.error.clone(),
        }
    }

    pub(super) fn wrote(&self, frames: u64) {
        let mut state = self.state();
        state.written += frames;
        if state.error.take().is_some() {
            info!(sink = self.name, "the sink writes again");
        }
    }

    /// Notes a failure that will be tried again; whether it is the first of a row.
    pub(super) fn failing(&self, error: String) -> bool {
        self.state().error.replace(error).is_none()
    }

    /// Counts frames that are given up; tells the first of each subject.
    pub(super) fn dropped(&self, subject: &str, error: &dyn Error, frames: u64) {
        let mut state = self.state();
        state.dropped += frames;
        if state.told.len() >= TOLD_MAX {
            state.told.clear();
        }
        if state.told.insert(subject.to_owned()) {
            let sink = self.name.as_str();
            warn!(sink, subject, %error, "dropped a frame; later ones are only counted");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
