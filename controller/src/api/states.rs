//! The call about states: what has changed goes to the workers.

use super::{Api, Done, refuse};
use crate::states::takes_states;
use muster_protocol::api::{PushView, RefusalKind, StatesPush};

impl Api {
    pub(super) async fn states_push(&self, question: &StatesPush) -> Done<Vec<PushView>> {
        let mut workers = match &question.target {
            Some(target) => self.select(target)?,
            None => self.registry.workers(),
        };
        workers.retain(takes_states);
        let pushed = self.states.push(&workers, question.apply).await;
        pushed.map_err(|error| refuse(RefusalKind::Invalid, crate::chain(&error)))
    }
}
