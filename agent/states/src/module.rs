//! Salt's execution modules: `salt['mod.fun'](..)` in templates, `fun:` conditions, `module.run`.
//!
//! Each module is a file with a table of its functions. A function tells which arguments it takes,
//! and whether it only reads or also acts on the host: one that acts runs from `module.run` alone,
//! so that rendering and checking change nothing.

mod accounts;
mod archive;
mod as_state;
mod call;
mod cmd;
mod config;
mod cp;
mod defaults;
mod environ;
mod event;
mod file;
mod git;
mod grains;
mod hashutil;
mod ini;
mod known;
mod loader;
mod machine;
mod matching;
mod merge;
pub(crate) mod network;
mod pillar;
mod pkg;
mod ps;
pub(crate) mod random;
#[cfg(test)]
mod recorded;
mod release;
mod saltutil;
mod serial;
mod service;
mod slsutil;
mod state;
mod status;
mod test;
mod tidy;
mod walk;
mod zone;

use minijinja::value::Value;
use minijinja::{Environment, Error};

use crate::function::Context;
use crate::render::Scope;
pub(crate) use call::{Call, Signature, is_invalid, is_salts, refusal};
pub(crate) use file::expanded;
pub(crate) use known::{is_module, may_be_function};
pub(crate) use loader::{salt, unsupported};
pub(crate) use tidy::words;

/// What a function does.
type Body = fn(&Call<'_>) -> Result<Value, Error>;

/// One function of a module.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Function {
    /// `module.function`.
    pub(crate) name: &'static str,
    /// Its arguments, in Salt's order: `key default= refused=! *args **kwargs`.
    pub(crate) takes: Signature,
    /// Whether it changes the host.
    pub(crate) acts: bool,
    body: Body,
}

/// A function that only reads.
const fn reads(name: &'static str, takes: &'static str, body: Body) -> Function {
    Function { name, takes: Signature(takes), acts: false, body }
}

/// A function that changes the host: it runs from `module.run` only.
const fn acts(name: &'static str, takes: &'static str, body: Body) -> Function {
    Function { name, takes: Signature(takes), acts: true, body }
}

/// All functions, by the file that has their module.
static TABLES: &[&[Function]] = &[
    pillar::ALL,
    grains::ALL,
    grains::set::ALL,
    config::ALL,
    slsutil::ALL,
    defaults::ALL,
    cp::ALL,
    file::ALL,
    file::EDITS,
    cmd::ALL,
    network::ALL,
    matching::ALL,
    hashutil::ALL,
    ini::ALL,
    random::ALL,
    accounts::ALL,
    accounts::act::ALL,
    pkg::ALL,
    pkg::act::ALL,
    git::ALL,
    git::act::ALL,
    service::ALL,
    state::ALL,
    status::ALL,
    ps::ALL,
    machine::ALL,
    machine::act::ALL,
    machine::mounts::ALL,
    archive::ALL,
    event::ALL,
    zone::ALL,
    environ::ALL,
    test::ALL,
    saltutil::ALL,
    release::ALL,
];

/// The function of this name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    TABLES.iter().copied().flatten().find(|function| function.name == name)
}

/// What a call is made with.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) env: &'a Environment<'a>,
    /// The state that calls, as `module.run` does: functions that change the host run there only.
    pub(crate) state: Option<&'a Context<'a>>,
}

impl Function {
    /// Calls it with positional and named arguments.
    pub(crate) fn call(
        &self,
        site: Site<'_>,
        args: Vec<Value>,
        kwargs: Vec<(String, Value)>,
    ) -> Result<Returned, Error> {
        let call = Call::bind(self, site, args, kwargs)?;
        if self.acts && site.state.is_none() {
            return Err(call
                .fail(format!("'{}' changes the host: use it in a module.run state", self.name)));
        }
        let value = (self.body)(&call)?;
        Ok(Returned { value, retcode: call.retcode() })
    }
}

/// What a call gave.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) value: Value,
    /// Salt's `__context__['retcode']`, if the function set it: not 0 tells of a failure beside the
    /// value.
    pub(crate) retcode: Option<i32>,
}
