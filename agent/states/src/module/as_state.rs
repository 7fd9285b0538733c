//! Functions that do what a state does: the state function runs in the calling state's place, and
//! its outcome becomes what Salt's execution function returns.

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Map, Value as Json};

use super::Call;
use crate::data::key;
use crate::function::{self, Context};
use crate::host::command::Cancel;
use crate::outcome::Outcome;
use crate::render::python::{from_json, to_json};

impl Call<'_> {
    /// The calling state, as functions that act have one.
    pub(super) fn context(&self) -> Result<&Context<'_>, Error> {
        self.site.state.ok_or_else(|| self.fail(format!("{} needs a state", self.name())))
    }

    /// Those of the named arguments that were given.
    pub(super) fn given(&self, names: &[&str]) -> Map<String, Json> {
        let one = |name: &&str| Some(((*name).to_owned(), to_json(&self.value(name)?)));
        names.iter().filter_map(one).collect()
    }

    /// All that `**kwargs` took.
    pub(super) fn more(&self) -> Map<String, Json> {
        let more = self.others().filter(|(name, _)| *name != "test");
        more.map(|(name, value)| (name.to_owned(), to_json(value))).collect()
    }

    /// Runs a state function; in a dry run nothing is changed.
    pub(super) fn outcome(
        &self,
        full: &str,
        name: &str,
        mut args: Map<String, Json>,
        test: bool,
    ) -> Result<Outcome, Error> {
        let ctx = self.context()?;
        args.iter_mut().for_each(|(name, value)| key::of_argument(name, value));
        let (state, fun) = full.split_once('.').unwrap_or((full, ""));
        let chunk = ctx.chunk.part((state, fun), name, args.into_iter().collect());
        // A transaction of packages is never cut short, whoever asks for it.
        let never = Cancel::default();
        let cancel = if state == "pkg" { &never } else { ctx.cancel };
        let asked = Context { chunk: &chunk, cancel, test, ..*ctx };
        if let Some(words) = function::not_loaded(ctx.host, &chunk) {
            return Err(self.fail(words));
        }
        let found = function::find(state, fun).ok_or_else(|| self.fail(format!("no {full}")))?;
        Ok(found.run(&asked))
    }

    /// Runs a state function: what it changed. If it fails, so does the call.
    pub(super) fn state(
        &self,
        full: &str,
        name: &str,
        args: Map<String, Json>,
    ) -> Result<Outcome, Error> {
        let outcome = self.outcome(full, name, args, false)?;
        if outcome.result == Some(false) { Err(self.fail(outcome.comment)) } else { Ok(outcome) }
    }

    /// Runs a state function: what it changed, as a map.
    pub(super) fn changes(
        &self,
        full: &str,
        name: &str,
        args: Map<String, Json>,
    ) -> Result<Value, Error> {
        self.state(full, name, args).map(|outcome| from_json(&Json::Object(outcome.changes)))
    }

    /// Runs a state function: whether it went well.
    pub(super) fn went_well(
        &self,
        full: &str,
        name: &str,
        args: Map<String, Json>,
    ) -> Result<Value, Error> {
        let outcome = self.outcome(full, name, args, false)?;
        if outcome.result == Some(false) {
            tracing::warn!(function = self.name(), reason = outcome.comment, "a call has failed");
        }
        Ok(Value::from(outcome.result != Some(false)))
    }
}
