//! `listen`: reactions after all states have run, each state once.

use serde_json::Value;

use super::Runner;
use crate::chunk::Chunk;
use crate::requisite;

impl Runner<'_, '_> {
    /// Runs the reactions of all listeners whose states changed something.
    pub(super) fn listeners(&mut self) {
        for listener in self.pairs() {
            let mut low: Chunk = self.chunk_at(listener).clone();
            low.id = format!("listener_{}", low.id);
            low.args.retain(|key, _| !requisite::is_keyword(key));
            let tag = format!("{}_|-{}_|-{}_|-mod_watch", low.state, low.id, low.name);
            if self.report.get(&tag).is_some() {
                continue;
            }
            if self.caller.options.cancel.is_cancelled() {
                return;
            }
            let state = self.call_low(&low, false, true);
            self.finish(tag.clone(), state);
            if self.fails_hard(&low, &tag) {
                return;
            }
        }
    }

    /// The chunks that are to react, in Salt's order.
    fn pairs(&self) -> Vec<usize> {
        let mut out = Vec::new();
        let compiled = self.compiled();
        let chunks = compiled.chunks();
        for step in compiled.steps.iter().filter(|step| !step.prereq_test) {
            let chunk = &chunks[step.chunk];
            for item in items(chunk, "listen") {
                if named(chunks, item).into_iter().any(|target| self.changed(target)) {
                    out.push(step.chunk);
                }
            }
            if self.changed(step.chunk) {
                items(chunk, "listen_in").for_each(|item| out.extend(named(chunks, item)));
            }
        }
        out.dedup();
        out
    }

    fn changed(&self, chunk: usize) -> bool {
        self.report.get(&self.tag(chunk)).is_some_and(|state| !state.changes.is_empty())
    }
}

fn items<'a>(chunk: &'a Chunk, key: &str) -> impl Iterator<Item = &'a Value> {
    chunk.args.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// The chunks that an item names.
fn named(chunks: &[Chunk], item: &Value) -> Vec<usize> {
    let Some((module, Some(name))) = requisite::target(item) else { return Vec::new() };
    let same = |chunk: &Chunk| {
        (module == "id" || chunk.state == module) && (chunk.id == name || chunk.name == name)
    };
    (0..chunks.len()).filter(|at| same(&chunks[*at])).collect()
}
