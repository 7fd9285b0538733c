//! `listen`: reactions after all states have run, each state once.

use indexmap::{IndexMap, IndexSet};
use serde_json::Value;

use super::Runner;
use super::call::truth_of;
use crate::chunk::Chunk;
use crate::report::StateReturn;
use crate::requisite;

/// A state that listens, by module and ID, and to whom.
struct Listener<'a> {
    module: &'a str,
    id: &'a str,
    to: Vec<&'a Value>,
    of: Value,
}

/// What is to react, and what was named and is not there, as module and name.
#[derive(Default)]
struct Heard {
    chunks: Vec<usize>,
    missing: IndexMap<(String, String), ()>,
}

impl Runner<'_, '_> {
    /// Runs the reactions of all listeners whose states changed something.
    pub(super) fn listeners(&mut self) {
        let Heard { chunks, missing } = self.heard();
        for listener in chunks {
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
            let state = if requisite::watches(&low.state) {
                let state = self.call_low(&low, false, true);
                // Salt starts a process for it; here it is the only one that runs.
                let parallel = truth_of(&low, "parallel") && !state.skip_watch;
                StateReturn { parallel, ..state }
            } else {
                self.unable(&low)
            };
            self.finish(&tag, state);
            if self.fails_hard(&low, &tag) {
                break;
            }
        }
        for (module, name) in missing.into_keys() {
            let state = self.unknown(&module, &name);
            let tag = format!("Listen_Error_|-listen_{name}_|-listen_{module}_|-Listen_Error");
            self.finish(&tag, state);
        }
    }

    /// What stands for a state that somebody listens to and that is not there.
    fn unknown(&mut self, module: &str, name: &str) -> StateReturn {
        let comment = format!("Referenced state {module}: {name} does not exist");
        self.refused(format!("listen_{module}:{name}"), comment)
    }

    /// The reaction of a module that has none.
    fn unable(&mut self, low: &Chunk) -> StateReturn {
        let (module, sls) = (&low.state, &low.sls);
        let comment = format!(
            "State '{module}.mod_watch' was not found in SLS '{sls}'\nReason: '{module}.mod_watch' \
             is not available.\n"
        );
        self.refused(low.name.clone(), comment)
    }

    /// A failure of no state: it has neither ID nor SLS.
    fn refused(&mut self, name: String, comment: String) -> StateReturn {
        StateReturn { run_num: self.next_num(), ..StateReturn::bare(name, comment) }
    }

    /// All states in run order. What is run dry for a `prereq` has its place there, as in Salt.
    fn in_order(&self) -> impl Iterator<Item = &Chunk> {
        let chunks = self.compiled().chunks();
        self.compiled().steps.iter().map(|step| &chunks[step.chunk])
    }

    /// The chunks that are to react, in Salt's order.
    fn heard(&self) -> Heard {
        let mut heard = Heard::default();
        for chunk in self.in_order() {
            let own = Listener {
                module: &chunk.state,
                id: &chunk.id,
                to: items(chunk, "listen").collect(),
                of: Value::Null,
            };
            self.hear(&own, &mut heard);
            for item in items(chunk, "listen_in").filter_map(Value::as_object) {
                for (module, id) in item.iter().filter_map(|(m, id)| Some((m, id.as_str()?))) {
                    let of = serde_json::json!({chunk.state.as_str(): chunk.id});
                    self.hear(&Listener { module, id, to: Vec::new(), of }, &mut heard);
                }
            }
        }
        heard
    }

    fn hear(&self, listener: &Listener<'_>, heard: &mut Heard) {
        let Listener { module, id, to, of } = listener;
        let to = to.iter().copied().chain(Some(of).filter(|of| !of.is_null()));
        for (kind, name) in to.flat_map(|item| self.meant(item)) {
            let targets = self.named(&kind, &name);
            if targets.is_empty() {
                heard.missing.insert((kind, name), ());
                continue;
            }
            for _ in targets.into_iter().filter(|target| self.changed(*target)) {
                let reacting = self.named(module, id);
                if reacting.is_empty() {
                    heard.missing.insert(((*module).to_owned(), (*id).to_owned()), ());
                }
                heard.chunks.extend(reacting);
            }
        }
    }

    /// Module and name of what an item means; a bare name means the first state that has it.
    fn meant(&self, item: &Value) -> Vec<(String, String)> {
        match item {
            Value::String(name) => {
                let first = self.in_order().find(|chunk| chunk.id == *name || chunk.name == *name);
                first.map(|chunk| (chunk.state.clone(), chunk.id.clone())).into_iter().collect()
            }
            Value::Object(map) => {
                let texts = map
                    .iter()
                    .filter_map(|(module, name)| Some((module.clone(), name.as_str()?.to_owned())));
                texts.collect()
            }
            _ => Vec::new(),
        }
    }

    /// The chunks of a module with an ID or name, in run order.
    fn named(&self, module: &str, name: &str) -> Vec<usize> {
        let chunks = self.compiled().chunks();
        let same = |chunk: &Chunk| {
            chunk.state == module
                && [&chunk.state, &chunk.id, &chunk.name].iter().any(|own| *own == name)
        };
        let steps = self.compiled().steps.iter().map(|step| step.chunk);
        let found: IndexSet<usize> = steps.filter(|at| same(&chunks[*at])).collect();
        found.into_iter().collect()
    }

    fn changed(&self, chunk: usize) -> bool {
        self.report.get(self.tag(chunk)).is_some_and(|state| !state.changes.is_empty())
    }
}

fn items<'a>(chunk: &'a Chunk, key: &str) -> impl Iterator<Item = &'a Value> {
    chunk.args.get(key).and_then(Value::as_array).into_iter().flatten()
}
