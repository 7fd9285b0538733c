//! The kinds of requisites, their precedence, and how a state names others.

use serde_json::Value;

use crate::function;

/// Requisites between states, weakest first: the order decides whose order counts (Salt 3008).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// Runs only if one of the others failed.
    Onfail,
    /// As `Onfail`.
    OnfailAny,
    /// Runs only if all others failed.
    OnfailAll,
    /// Runs after the others, and only if they succeeded.
    Require,
    /// Runs if one of the others succeeded.
    RequireAny,
    /// Runs only if one of the others changed something.
    Onchanges,
    /// As `Onchanges`.
    OnchangesAny,
    /// As `Require`; reacts if one of the others changed something.
    Watch,
    /// As `Watch`, if one of the others succeeded.
    WatchAny,
    /// Runs before the other, and only if that one would change something.
    Prereq,
    /// Reacts at the end of the run.
    Listen,
}

impl Kind {
    /// All kinds that make edges, in the order in which Salt reads them from a state.
    pub(crate) const READ: [Kind; 10] = [
        Kind::Require,
        Kind::RequireAny,
        Kind::Watch,
        Kind::WatchAny,
        Kind::Prereq,
        Kind::Onfail,
        Kind::OnfailAny,
        Kind::OnfailAll,
        Kind::Onchanges,
        Kind::OnchangesAny,
    ];

    /// The argument that declares it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Onfail => "onfail",
            Kind::OnfailAny => "onfail_any",
            Kind::OnfailAll => "onfail_all",
            Kind::Require => "require",
            Kind::RequireAny => "require_any",
            Kind::Onchanges => "onchanges",
            Kind::OnchangesAny => "onchanges_any",
            Kind::Watch => "watch",
            Kind::WatchAny => "watch_any",
            Kind::Prereq => "prereq",
            Kind::Listen => "listen",
        }
    }
}

/// Requisites whose shape Salt verifies.
const VERIFIED: [&str; 13] = [
    "onfail",
    "onfail_any",
    "onfail_all",
    "require",
    "require_any",
    "onchanges",
    "onchanges_any",
    "watch",
    "watch_any",
    "prereq",
    "prerequired",
    "listen",
    "onfail_stop",
];

/// What turns a requisite around.
const TURNED: [&str; 7] =
    ["require_in", "watch_in", "onfail_in", "onchanges_in", "use", "use_in", "prereq_in"];

/// Whether Salt verifies the shape of this requisite, and joins it when a state is extended.
pub(crate) fn is_verified(name: &str) -> bool {
    VERIFIED.contains(&name)
}

/// Whether an argument turns a requisite around, or copies arguments.
pub(crate) fn is_turned(name: &str) -> bool {
    TURNED.contains(&name)
}

/// Whether an argument names other states.
pub(crate) fn is_keyword(name: &str) -> bool {
    is_verified(name) || is_turned(name) || name == "listen_in"
}

/// Salt's modules that react to a watched state, for those that this engine does not have.
const REACTING: [&str; 5] = ["at", "etcd", "module", "mount", "pkg"];

/// Whether a module reacts to a watched state.
pub(crate) fn watches(module: &str) -> bool {
    match function::has_module(module) {
        true => function::watches(module),
        false => REACTING.contains(&module),
    }
}

/// Arguments that the runner takes, whatever the function.
pub(crate) const RUNTIME: [&str; 30] = [
    "aggregate",
    "check_cmd",
    "cmd_opts_exclude",
    "creates",
    "failhard",
    "fire_event",
    "fun",
    "name",
    "names",
    "no_log",
    "onlyif",
    "order",
    "parallel",
    "provider",
    "reload_grains",
    "reload_modules",
    "reload_pillar",
    "retry",
    "runas",
    "runas_password",
    "saltenv",
    "state",
    "timeout",
    "umask",
    "unless",
    "use",
    "use_in",
    "shell",
    "success_retcodes",
    "env",
];

/// The states that an item of a requisite list names: module (or `id`, `sls`) and ID or name.
pub(crate) fn target(item: &Value) -> Option<(String, Option<String>)> {
    match item {
        Value::String(id) => Some(("id".to_owned(), Some(id.clone()))),
        Value::Object(map) => {
            let (key, value) = map.iter().next()?;
            let module = key.split('.').next().unwrap_or(key);
            match value {
                Value::String(name) => Some((module.to_owned(), Some(name.clone()))),
                _ => Some((module.to_owned(), None)),
            }
        }
        _ => None,
    }
}
