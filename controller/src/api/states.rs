//! The calls about states: what has changed goes to the workers, and what they come to is shown.

use super::{Api, Done, refuse};
use crate::states::{Secrecy, takes_states};
use muster_protocol::api::{
    Answer, Compiled, PushView, RefusalKind, Shown, StatesPush, StatesReveal, StatesShow,
};
use muster_protocol::wire;

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

    pub(super) async fn states_show(&self, question: StatesShow) -> Done<Shown> {
        self.compiled(question.of, Secrecy::Masked).await
    }

    pub(super) async fn states_reveal(&self, question: StatesReveal) -> Done<Shown> {
        self.compiled(question.of, Secrecy::Open).await
    }

    async fn compiled(&self, of: Compiled, secrecy: Secrecy) -> Done<Shown> {
        let worker = self.registry.workers().into_iter().find(|worker| worker.name == of.worker);
        let worker = worker.ok_or_else(|| {
            let text = format!("there is no worker {}; see muster worker list", of.worker);
            refuse(RefusalKind::Missing, text)
        })?;
        let shown = self.states.show(&worker, of, secrecy).await;
        let answer =
            Answer::Ok(shown.map_err(|error| refuse(RefusalKind::Invalid, crate::chain(&error)))?);
        let bytes = wire::encode(&answer).len();
        match answer {
            Answer::Ok(shown) if bytes <= wire::MESSAGE_BYTES_MAX => Ok(shown),
            Answer::Ok(_) | Answer::Refused(_) => {
                let text = format!("that is {bytes} bytes, more than an answer has; name some SLS");
                Err(refuse(RefusalKind::Invalid, text))
            }
        }
    }
}
