//! High data: SLS and what they include, merged into states by ID.

mod declare;
pub(crate) mod extend;
pub(crate) mod requisite_in;

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use crate::error::{At, Error, Kind};
use crate::render::{Renderer, Vars};
use crate::sls::{self, Sls};
use crate::target::glob;

/// The order that the first state without one gets; each further one gets the next.
const ORDER_FIRST: i64 = 10_000;

/// States by ID, as written.
#[derive(Debug, Default, Clone)]
pub(crate) struct High {
    pub(crate) bodies: IndexMap<String, Body>,
    pub(crate) extends: Vec<Extend>,
    pub(crate) excludes: Vec<Exclude>,
    /// SLS that were rendered, even if they declare nothing.
    pub(crate) rendered: HashSet<String>,
}

/// What one ID declares.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Body {
    pub(crate) sls: String,
    pub(crate) at: At,
    pub(crate) included_from: Vec<String>,
    pub(crate) states: IndexMap<String, Vec<Arg>>,
}

/// One item of a state's list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Arg {
    /// The function.
    Fun(String),
    /// An argument, and its line.
    Set(String, Value, u32),
}

/// Additions to an ID of another SLS.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Extend {
    pub(crate) id: String,
    pub(crate) body: Body,
}

/// What is left out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Exclude {
    Sls(String),
    Id(String),
}

/// Renders the selected SLS with all they include, and merges them.
pub(crate) fn build(renderer: &Renderer, selected: &[String], top: bool) -> (High, Vec<Error>) {
    let known = sls::names(&renderer.scope().tree);
    let mut builder = Builder {
        renderer,
        known,
        seen: HashSet::new(),
        order: ORDER_FIRST,
        high: High::default(),
        errors: Vec::new(),
    };
    for pattern in selected {
        let found: Vec<String> =
            builder.known.iter().filter(|name| glob(pattern, name)).cloned().collect();
        if found.is_empty() {
            builder.errors.push(no_match(pattern, top));
        }
        for name in found {
            if let Some(high) = builder.sls(&name) {
                builder.merge_top(high);
            }
        }
    }
    (builder.high, builder.errors)
}

fn no_match(pattern: &str, top: bool) -> Error {
    let at = top.then(|| At::new("top.sls", 0));
    Error::new(Kind::Missing, at, format!("No matching sls found for '{pattern}' in env 'base'"))
}

struct Builder<'a> {
    renderer: &'a Renderer,
    known: Vec<String>,
    seen: HashSet<String>,
    order: i64,
    high: High,
    errors: Vec<Error>,
}

impl Builder<'_> {
    /// One SLS and its includes; `None` if it was rendered already, or does not render.
    fn sls(&mut self, name: &str) -> Option<High> {
        if !self.seen.insert(name.to_owned()) {
            return None;
        }
        let Some(file) = sls::file_of(&self.renderer.scope().tree, name) else {
            self.errors.push(sls::missing(name));
            return None;
        };
        let sls = match sls::load(self.renderer, name, &file, Vars::new()) {
            Ok(sls) => sls,
            Err(error) => {
                self.errors.push(error);
                return None;
            }
        };
        self.high.rendered.insert(name.to_owned());
        if sls.root.is_null() {
            return None;
        }
        let (mut high, includes) = declare::declare(&sls, &mut self.errors)?;
        for include in includes {
            self.include(&sls, &include, &mut high);
        }
        self.give_orders(&mut high);
        Some(high)
    }

    fn include(&mut self, sls: &Sls, include: &declare::Include, high: &mut High) {
        let Some(target) = absolute(&include.target, sls) else {
            let reason = format!(
                "Attempted relative include of '{}' within SLS 'base:{}' goes beyond top level \
                 package ",
                include.target, sls.name
            );
            self.errors.push(Error::shape(&include.at, reason));
            return;
        };
        let found: Vec<String> =
            self.known.iter().filter(|name| glob(&target, name)).cloned().collect();
        if found.is_empty() {
            let mut error = sls::missing(&target);
            error.at = Some(include.at.clone());
            self.errors.push(error);
        }
        for name in found {
            if let Some(mut inner) = self.sls(&name) {
                for body in inner.bodies.values_mut() {
                    body.included_from.push(sls.name.clone());
                }
                merge(high, inner, &mut self.errors);
            }
        }
    }

    fn merge_top(&mut self, high: High) {
        let mut all = std::mem::take(&mut self.high);
        merge(&mut all, high, &mut self.errors);
        self.high = all;
    }

    /// States without an `order` get one: their place among all.
    fn give_orders(&mut self, high: &mut High) {
        for args in high.bodies.values_mut().flat_map(|body| body.states.values_mut()) {
            let has = args.iter().any(|arg| matches!(arg, Arg::Set(key, ..) if key == "order"));
            if !has {
                args.push(Arg::Set("order".to_owned(), Value::from(self.order), 0));
                self.order += 1;
            }
        }
    }
}

/// Resolves `.x` and `..x` against the including SLS; `None` if it leads out of the tree.
fn absolute(target: &str, sls: &Sls) -> Option<String> {
    let levels = target.chars().take_while(|c| *c == '.').count();
    if levels == 0 {
        return Some(target.to_owned());
    }
    let mut parts: Vec<&str> = sls.name.split('.').collect();
    if sls.file.ends_with("/init.sls") {
        parts.push("init");
    }
    let keep = parts.len().checked_sub(levels)?;
    parts.truncate(keep);
    parts.push(&target[levels..]);
    Some(parts.join("."))
}

/// Adds `more` to `high`; an ID that is in both and not the same is a conflict.
fn merge(high: &mut High, more: High, errors: &mut Vec<Error>) {
    high.extends.extend(more.extends);
    high.excludes.extend(more.excludes);
    high.rendered.extend(more.rendered);
    for (id, body) in more.bodies {
        if let Some(own) = high.bodies.get(&id)
            && *own != body
        {
            let reason = format!(
                "Detected conflicting IDs, SLS IDs need to be globally unique.\n    The \
                 conflicting ID is '{id}' and is found in SLS 'base:{}' and SLS 'base:{}'",
                own.sls, body.sls
            );
            errors.push(Error::shape(&body.at, reason));
        }
        high.bodies.insert(id, body);
    }
}

impl High {
    /// Drops what `exclude` names.
    pub(crate) fn apply_excludes(&mut self) {
        let excludes = std::mem::take(&mut self.excludes);
        self.bodies.retain(|id, body| {
            !excludes.iter().any(|exclude| match exclude {
                Exclude::Sls(pattern) => glob(pattern, &body.sls),
                Exclude::Id(pattern) => glob(pattern, id),
            })
        });
        self.excludes = excludes;
    }

    /// The high data as JSON, as `state.show_highstate` shows them.
    pub(crate) fn to_json(&self) -> Value {
        let bodies = self.bodies.iter().map(|(id, body)| {
            let mut map: Map<String, Value> = body
                .states
                .iter()
                .map(|(state, args)| (state.clone(), args.iter().map(arg_json).collect()))
                .collect();
            map.insert("__sls__".to_owned(), Value::from(body.sls.as_str()));
            map.insert("__env__".to_owned(), Value::from("base"));
            (id.clone(), Value::Object(map))
        });
        Value::Object(bodies.collect())
    }
}

fn arg_json(arg: &Arg) -> Value {
    match arg {
        Arg::Fun(name) => Value::from(name.as_str()),
        Arg::Set(key, value, _) => Value::Object(Map::from_iter([(key.clone(), value.clone())])),
    }
}
