//! Only the states of one ID, and for each what it requires: Salt's `state.sls_id`.

use super::Runner;
use crate::order::Step;

impl Runner<'_, '_> {
    /// Runs a step of the ID that was asked for, passes over any other; tells whether one was.
    ///
    /// What the state requires runs again for each state of the ID, as in Salt; nobody listens.
    pub(super) fn only(&mut self, step: &Step) -> bool {
        let options = self.caller.options;
        let Some(id) = options.only.as_deref() else { return false };
        if step.prereq_test || self.chunk_at(step.chunk).id != id {
            return true;
        }
        let before = std::mem::take(&mut self.report);
        if options.cancel.is_cancelled() {
            self.cancelled(step.chunk);
        } else {
            self.chunk(step.chunk, 0);
            while !self.stopped && !self.pending.is_empty() {
                self.next_ended();
                self.again();
            }
            self.all_ended();
            self.check_failhard(step.chunk);
        }
        let now = std::mem::replace(&mut self.report, before);
        for (tag, state) in now.states() {
            self.report.insert(tag.clone(), state.clone());
        }
        true
    }
}
