//! Low data: one state to run, fully spelled out.

use serde::Serialize;
use serde_json::Value;

use crate::data::Ordered;
use crate::error::At;

/// Arguments of a state by their names.
pub(crate) type Args = Ordered<Value>;

/// One state to run: Salt's low chunk.
#[derive(Debug, Clone, Serialize)]
pub struct Chunk {
    /// The state module, e.g. `file`.
    pub state: String,
    /// The function, e.g. `managed`.
    pub fun: String,
    /// The ID that declares it.
    pub id: String,
    /// Its name: the `name` argument, or the ID.
    pub name: String,
    /// The SLS that declares it.
    pub sls: String,
    /// The environment of that SLS.
    pub saltenv: String,
    /// Where that is.
    pub at: At,
    /// Every argument but `name`, with requisites and runtime options.
    pub args: Args,
    /// SLS that include the one above, for `require: - sls: x`.
    pub included_from: Vec<String>,
    /// The place among `names`, from 1; 0 for none.
    pub name_order: u32,
    /// Lines of the arguments; of two of a name, the later one counts.
    #[serde(skip)]
    pub(crate) lines: Vec<(String, u32)>,
}

impl Chunk {
    /// The key of this state in a report: `file_|-id_|-name_|-managed`.
    pub fn tag(&self) -> String {
        // Asked for at each step: joined in one piece.
        [&*self.state, "_|-", &self.id, "_|-", &self.name, "_|-", &self.fun].concat()
    }

    /// Another function's work, done as a part of this state's.
    pub(crate) fn part(&self, (state, fun): (&str, &str), name: &str, args: Args) -> Chunk {
        Chunk {
            state: state.to_owned(),
            fun: fun.to_owned(),
            name: name.to_owned(),
            args,
            ..self.clone()
        }
    }

    /// `module.function`.
    pub fn function(&self) -> String {
        format!("{}.{}", self.state, self.fun)
    }

    /// The environment that `salt://` means in this state.
    pub(crate) fn saltenv(&self) -> &str {
        let own = self.args.get("saltenv").and_then(Value::as_str);
        own.unwrap_or(&self.saltenv)
    }

    /// Where an argument stands.
    pub(crate) fn at_arg(&self, name: &str) -> At {
        match self.lines.iter().rfind(|(key, _)| key == name) {
            Some((_, line)) => At { file: self.at.file.clone(), line: *line },
            None => self.at.clone(),
        }
    }
}
