//! Salt's `kmod`: kernel modules, now and at the next start.

mod absent;
mod kept;
mod modules;
mod present;

use serde_json::Value;

use super::fault::Fault;
use super::{Context, Function};
use crate::outcome::{Changes, Outcome};

/// This module's functions.
pub(super) const ALL: &[Function] =
    &[Function::of::<present::Present>(), Function::of::<absent::Absent>()];

/// The modules that a state is about, each once; how many it names.
fn wanted(ctx: &Context<'_>) -> (Vec<String>, usize) {
    let all = match ctx.chunk.args.get("mods") {
        Some(Value::Array(items)) => items.iter().map(super::args::text).collect(),
        _ => vec![ctx.name().to_owned()],
    };
    let (mut out, len) = (Vec::new(), all.len());
    for name in all {
        if !out.contains(&name) {
            out.push(name);
        }
    }
    (out, len)
}

/// A sentence about one module, or about several; Salt's own are in no order.
fn sentence(names: &[String], one: [&str; 2], more: [&str; 2]) -> Option<String> {
    match names {
        [] => None,
        [name] => Some(format!("{}{name}{}", one[0], one[1])),
        names => Some(format!("{}{}{}", more[0], names.join(", "), more[1])),
    }
}

/// What came of the modules, one after the other.
#[derive(Default)]
struct Told {
    comments: Vec<String>,
    changes: Changes,
    done: Vec<String>,
    not: Vec<String>,
    failed: Vec<String>,
    is_wrong: bool,
}

impl Told {
    /// What one module came to: what was changed for it, or the words of the program.
    fn add(&mut self, verb: &str, name: &str, came: Result<Vec<String>, String>, word: &str) {
        match came {
            Ok(changed) if changed.is_empty() => {
                self.is_wrong = true;
                self.not.push(name.to_owned());
            }
            Ok(changed) => {
                self.changes.extend(changed.into_iter().map(|name| (name, Value::from(word))));
                self.done.push(name.to_owned());
            }
            Err(words) => {
                self.is_wrong = true;
                self.failed.push(format!("Failed to {verb} kernel module {name}: {words}"));
            }
        }
    }

    /// `Loaded`, `load`.
    fn outcome(mut self, done: &str, verb: &str) -> Outcome {
        let word = |plural: &str| (format!("{done} kernel module{plural} "), String::new());
        let ((one, end), (more, _)) = (word(""), word("s"));
        self.comments.extend(sentence(&self.done, [&one, &end], [&more, &end]));
        let word = |plural: &str| format!("Failed to {verb} kernel module{plural} ");
        let (one, more) = (word(""), word("s"));
        self.comments.extend(sentence(&self.not, [&one, ""], [&more, ""]));
        self.comments.append(&mut self.failed);
        let comment = self.comments.join("\n");
        Outcome { result: Some(!self.is_wrong), ..Outcome::changed(comment, self.changes) }
    }
}

/// A fault that Salt's states do not look out for.
fn raised(fault: Fault) -> Outcome {
    Outcome::raised(fault.words())
}
