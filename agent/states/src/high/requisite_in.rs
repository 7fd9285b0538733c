//! `require_in` and its like, `use` and `use_in`: turned into extensions of the states they name.

use serde_json::{Value, json};

use super::extend::{find_name, sls_ids};
use super::{Arg, Body, Extend, High, Pair};
use crate::data::Ordered;
use crate::error::{At, Error};
use crate::requisite::is_turned;

/// Arguments that `use` never copies, beside the turned ones.
const NEVER_USED: [&str; 8] =
    ["require", "watch", "prereq", "onfail", "onfail_stop", "onchanges", "name", "names"];

/// The extensions that the states ask for, in Salt's order.
pub(crate) fn extensions(high: &High) -> (Vec<Extend>, Vec<Error>) {
    let mut turner = Turner { high, out: Ordered::default(), errors: Vec::new() };
    for (id, body) in &high.bodies {
        for (state, args) in &body.states {
            for pair in args.iter().filter_map(Arg::first).filter(|pair| is_turned(&pair.key)) {
                let asker = Asker { id, state, body, key: &pair.key, line: pair.line };
                turner.turn(&asker, &pair.value);
            }
        }
    }
    let extends = turner
        .out
        .into_iter()
        .map(|(id, body)| Extend { id, body, malformed: Vec::new() })
        .collect();
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
    out: Ordered<Body>,
    errors: Vec<Error>,
}

impl Turner<'_> {
    fn turn(&mut self, asker: &Asker<'_>, value: &Value) {
        match value {
            Value::Object(map) => {
                for (module, name) in map {
                    let Some(name) = name.as_str() else { continue };
                    let short = self.without_dots(asker, module, name);
                    self.require(asker, name, &short);
                }
            }
            Value::Array(items) => {
                // A target is asked again with each further one, as in Salt: it does no harm.
                let mut targets: Vec<(String, String)> = Vec::new();
                for item in items {
                    let target = match item {
                        Value::Object(map) => map.iter().next().and_then(|(module, name)| {
                            Some((module.clone(), name.as_str()?.to_owned()))
                        }),
                        Value::String(name) => self.by_id(name),
                        _ => None,
                    };
                    let Some((module, name)) = target else { continue };
                    if module == "sls" {
                        targets = sls_ids(self.high, &name);
                    } else {
                        // Of a list, the dotted name is looked for all the same, and not found.
                        self.without_dots(asker, &module, &name);
                        targets.push((name, module));
                    }
                    for (id, state) in &targets {
                        self.hinge(asker, id, state);
                    }
                }
            }
            _ => {}
        }
    }

    /// A bare ID or name: its first state.
    fn by_id(&self, name: &str) -> Option<(String, String)> {
        if let Some(body) = self.high.bodies.get(name) {
            return Some((body.states.first()?.0.clone(), name.to_owned()));
        }
        let named = |arg: &Arg| match arg {
            Arg::Set(pairs) => pairs.iter().any(|pair| pair.key == "name" && pair.value == name),
            Arg::Fun(_) | Arg::Other(_) => false,
        };
        self.high.bodies.iter().find_map(|(id, body)| {
            let (state, _) = body.states.iter().find(|(_, args)| args.iter().any(named))?;
            Some((state.clone(), id.clone()))
        })
    }

    fn without_dots(&mut self, asker: &Asker<'_>, module: &str, name: &str) -> String {
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
        short.to_owned()
    }

    fn hinge(&mut self, asker: &Asker<'_>, id: &str, module: &str) {
        let own = (asker.id, asker.state);
        let others = || find_name(self.high, id, module, true);
        match asker.key {
            "use" => {
                others().iter().for_each(|(id, state)| self.copy(asker, (id, state), own));
            }
            "use_in" => {
                others().iter().for_each(|(id, state)| self.copy(asker, own, (id, state)));
            }
            _ => self.require(asker, id, module),
        }
    }

    /// `id` gets `require: [{state: asker}]`.
    fn require(&mut self, asker: &Asker<'_>, id: &str, module: &str) {
        let key = asker.base();
        let one = json!({asker.state: asker.id});
        let (sls, saltenv) = (asker.body.sls.clone(), asker.body.saltenv.clone());
        let body = self.body_of(asker, id);
        (body.sls, body.saltenv) = (sls, saltenv);
        let args = body.states.entry(module.to_owned()).or_default();
        let like = args.iter_mut().find_map(|arg| match arg {
            Arg::Set(pairs) => pairs.first_mut().filter(|pair| pair.key == key),
            Arg::Fun(_) | Arg::Other(_) => None,
        });
        match like.map(|pair| &mut pair.value) {
            Some(Value::Array(items)) => items.push(one),
            Some(_) | None => args.push(Arg::Set(vec![Pair::new(key, vec![one], asker.line)])),
        }
    }

    /// The target gets the arguments of the source that it lacks.
    fn copy(&mut self, asker: &Asker<'_>, source: (&str, &str), target: (&str, &str)) {
        let high = self.high;
        let args = |(id, state): (&str, &str)| high.bodies.get(id)?.states.get(state);
        let (Some(source), Some(own)) = (args(source), args(target)) else { return };
        let takes = |key: &str| {
            let has = own.iter().filter_map(Arg::only).any(|pair| pair.key == key);
            !has && !NEVER_USED.contains(&key) && !is_turned(key)
        };
        let copied = source.iter().filter(|arg| arg.only().is_some_and(|pair| takes(&pair.key)));
        let copied: Vec<Arg> = copied.cloned().collect();
        let body = self.body_of(asker, target.0);
        body.states.entry(target.1.to_owned()).or_default().extend(copied);
    }

    fn body_of(&mut self, asker: &Asker<'_>, id: &str) -> &mut Body {
        self.out.entry(id.to_owned()).or_insert_with(|| Body {
            sls: asker.body.sls.clone(),
            saltenv: asker.body.saltenv.clone(),
            at: asker.at(),
            included_from: Vec::new(),
            states: Ordered::default(),
        })
    }
}
