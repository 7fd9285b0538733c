//! Salt's state trees in Rust: SLS in, outcomes out.
//!
//! The stages are pure and each can be looked at: a [`Tree`] of files is compiled for one worker
//! ([`compile`]: top file, includes, Jinja, YAML with lines, high data, requisites, low chunks,
//! static check, order) into [`Compiled`], which [`run`] checks and applies on a [`Host`], state by
//! state, into a [`Report`] of Salt's shape. [`pillar`] renders the per-worker data beforehand, on
//! the controller; [`facts`] are Salt's grains. The crate knows no bus and starts no thread that
//! outlives a call.

pub mod backup;
mod chunk;
mod compile;
mod data;
mod error;
pub mod facts;
mod function;
#[doc(hidden)]
pub mod fuzzing;
mod hash;
mod high;
mod host;
mod http;
mod journal;
mod lint;
mod low;
mod module;
mod opts;
mod order;
mod outcome;
pub mod pillar;
mod regex;
mod render;
mod report;
mod requisite;
mod run;
mod secret;
mod session;
mod sls;
pub mod target;
mod top;
mod tree;
mod version;
mod view;
mod yaml;

pub use chunk::Chunk;
pub use compile::{
    Compiled, Request, Selection, compile, compile_request, masked, rendered, show_high, show_low,
    show_top, single, syntax,
};
pub use data::key::shown;
pub use error::{At, Error, Kind};
pub use facts::Facts;
pub use function::names as function_names;
pub use host::Host;
pub use host::command::Cancel;
pub use journal::{Interrupted, JournalError, interrupted};
pub use lint::{Lint, lint};
pub use opts::Opts;
pub use report::{Fired, Name, Report, StateReturn, Summary, Told};
pub use run::{Options, run};
pub use secret::hidden;
pub use tree::{BASE, LazyTree, Tree, TreeError};
pub use view::Reload;
pub use yaml::emit::write_yaml;
pub use yaml::typed::{read_yaml_as, read_yaml_or_default};
pub use yaml::{YamlError, read_pillar, read_yaml};
