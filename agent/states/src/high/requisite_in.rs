//! `require_in` and its like, `use` and `use_in`: turned into extensions of the states they name.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::declare::value_of;
use super::extend::{find_name, sls_ids};
use super::{Arg, Body, Extend, High};
use crate::error::{At, Error};

/// What turns a requisite around.
const TURNED: [&str; 7] =
    ["require_in", "watch_in", "onfail_in", "onchanges_in", "use", "use_in", "prereq_in"];

/// Arguments that `use` never copies, beside the turned ones.
const NEVER_USED: [&str; 8] =
    ["require", "watch", "prereq", "onfail", "onfail_stop", "onchanges", "name", "names"];

/// The extensions that the states ask for, in Salt's order.
pub(crate) fn extensions(high: &High) -> (Vec<Extend>, Vec<Error>) {
    let mut turner = Turner { high, out: IndexMap::new(), errors: Vec::new() };
    for (id, body) in &high.bodies {
        for (state, args) in &body.states {
            for arg in args {
                if let Arg::Set(key, value, line) = arg
                    && TURNED.contains(&key.as_str())
                {
                    let asker = Asker { id, state, body, key, line: *line };
                    turner.turn(&asker, value);
                }
            }
        }
    }
    let extends = turner.out.into_iter().map(|(id, body)| Extend { id, body }).collect();
    (extends, turner.errors)
}

/// The state that asks.
struct Asker<'a> {
    id: &'a str,
    state: &'a str,
    body: &'a Body,
    key: &'a str,
    line: u32,
}

impl Asker<'_> {
    /// `require` of `require_in`.
    fn base(&self) -> &str {
        self.key.split('_').next().unwrap_or(self.key)
    }

    fn at(&self) -> At {
        At { file: self.body.at.file.clone(), line: self.line }
    }
}

struct Turner<'a> {
    high: &'a High,
    out: IndexMap<String, Body>,
    errors: Vec<Error>,
}

impl Turner<'_> {
    fn turn(&mut self, asker: &Asker<'_>, value: &Value) {
        let pair =
            |(module, name): (&String, &Value)| Some((module.clone(), name.as_str()?.to_owned()));
        let targets: Vec<(String, String)> = match value {
            Value::Object(map) => map.iter().filter_map(pair).collect(),
            Value::Array(items) => items
                .iter()
                .filter_map(|item| match item {
                    Value::Object(map) => map.iter().next().and_then(pair),
                    Value::String(name) => self.by_id(name),
                    _ => None,
                })
                .collect(),
            _ => return,
        };
        for (module, name) in targets {
            self.hinge(asker, &module, &name);
        }
    }

    /// A bare ID or name: its first state.
    fn by_id(&self, name: &str) -> Option<(String, String)> {
        if let Some(body) = self.high.bodies.get(name) {
            return Some((body.states.first()?.0.clone(), name.to_owned()));
        }
        let named = |args: &Vec<Arg>| value_of(args, "name").is_some_and(|own| own == name);
        self.high.bodies.iter().find_map(|(id, body)| {
            let (state, _) = body.states.iter().find(|(_, args)| named(args))?;
            Some((state.clone(), id.clone()))
        })
    }

    fn hinge(&mut self, asker: &Asker<'_>, module: &str, name: &str) {
        let short = module.split('.').next().unwrap_or(module);
        if short != module {
            let reason = format!(
                "Invalid requisite in {}: {module} for {name}, in SLS '{}'. Requisites must not \
                 contain dots, did you mean '{short}'?",
                asker.base(),
                asker.body.sls
            );
            self.errors.push(Error::shape(&asker.at(), reason));
        }
        let hinges = match short {
            "sls" => sls_ids(self.high, name),
            _ => vec![(name.to_owned(), short.to_owned())],
        };
        for (id, module) in hinges {
            let own = (asker.id, asker.state);
            let high = self.high;
            let others = || find_name(high, &id, &module, true);
            match asker.key {
                "use" => others().iter().for_each(|(id, state)| self.copy(asker, (id, state), own)),
                "use_in" => {
                    others().iter().for_each(|(id, state)| self.copy(asker, own, (id, state)));
                }
                _ => self.require(asker, &id, &module),
            }
        }
    }

    /// `id` gets `require: [{state: asker}]`.
    fn require(&mut self, asker: &Asker<'_>, id: &str, module: &str) {
        let key = asker.base();
        let one = Map::from_iter([(asker.state.to_owned(), Value::from(asker.id))]);
        let one = Value::Object(one);
        let args = self.args_of(asker, id, module);
        let like = args.iter_mut().find_map(|arg| match arg {
            Arg::Set(own, Value::Array(items), _) if own == key => Some(items),
            Arg::Set(..) | Arg::Fun(_) => None,
        });
        match like {
            Some(items) => items.push(one),
            None => args.push(Arg::Set(key.to_owned(), Value::Array(vec![one]), asker.line)),
        }
    }

    /// The target gets the arguments of the source that it lacks.
    fn copy(&mut self, asker: &Asker<'_>, source: (&str, &str), target: (&str, &str)) {
        let high = self.high;
        let args = |(id, state): (&str, &str)| high.bodies.get(id)?.states.get(state);
        let (Some(source), Some(own)) = (args(source), args(target)) else { return };
        let takes = |key: &str| {
            value_of(own, key).is_none() && !NEVER_USED.contains(&key) && !TURNED.contains(&key)
        };
        let copied = source.iter().filter(|arg| matches!(arg, Arg::Set(key, ..) if takes(key)));
        let copied: Vec<Arg> = copied.cloned().collect();
        self.args_of(asker, target.0, target.1).extend(copied);
    }

    fn args_of(&mut self, asker: &Asker<'_>, id: &str, module: &str) -> &mut Vec<Arg> {
        let body = self.out.entry(id.to_owned()).or_insert_with(|| Body {
            sls: asker.body.sls.clone(),
            at: asker.at(),
            included_from: Vec::new(),
            states: IndexMap::new(),
        });
        body.states.entry(module.to_owned()).or_default()
    }
}
