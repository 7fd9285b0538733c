//! From the data of one SLS to its declarations, with Salt's words for what is malformed.

mod check;
pub(crate) mod repr;

use std::collections::{HashMap, HashSet};

use super::{Arg, Body, Exclude, Extend, High, OWNER, Pair};
use crate::data::{Ordered, key};
use crate::error::{At, Error};
use crate::requisite::is_keyword;
use crate::sls::Sls;
use crate::yaml::{Data, Node};

/// One item of an SLS's `include`.
pub(super) struct Include {
    pub(super) target: String,
    /// The environment that it names, if it names one.
    pub(super) saltenv: Option<String>,
    pub(super) at: At,
}

/// An SLS, read.
pub(super) struct Declared {
    pub(super) sls: Sls,
    pub(super) high: High,
    pub(super) includes: Vec<Include>,
}

/// Reads the declarations of an SLS; `None` if it is no map. What was read is no longer in it.
pub(super) fn declare(mut sls: Sls, errors: &mut Vec<Error>) -> Option<Declared> {
    let line = sls.root.line;
    let data = std::mem::replace(&mut sls.root.data, Data::Null);
    let mut reader = Reader {
        sls: &sls,
        errors,
        owner: sls.name.clone(),
        high: High::default(),
        includes: Vec::new(),
        appended: HashMap::new(),
    };
    let Data::Map(pairs) = data else {
        let contents = repr::shown(&Node { data, ..sls.root });
        reader.fault(line, format!("SLS {} does not render to a dictionary", sls.name));
        reader.fault(line, format!("Error when rendering state with contents: {contents}"));
        return None;
    };
    let special = |wanted: &str| {
        pairs.iter().find(|(key, _)| key.as_str() == Some(wanted)).map(|(_, value)| value)
    };
    let bodies: Vec<&Node> = pairs.iter().map(|(_, body)| body).collect();
    reader.appended = appended(&bodies);
    // Salt reads these first, wherever they stand.
    let includes = special("include").is_some_and(|value| reader.include(value));
    special("extend").into_iter().for_each(|value| reader.extend(value));
    special("exclude").into_iter().for_each(|value| reader.exclude(value));
    for (key, value) in pairs {
        match key.as_str() {
            Some("extend" | "exclude") => {}
            Some("include") if includes => {}
            _ => reader.id(key, value),
        }
    }
    let Reader { high, includes, .. } = reader;
    Some(Declared { high, includes, sls })
}

struct Reader<'a> {
    sls: &'a Sls,
    errors: &'a mut Vec<Error>,
    /// The SLS that Salt names of the state in hand; [`OWNER`] in an extension.
    owner: String,
    high: High,
    includes: Vec<Include>,
    appended: HashMap<Place, Vec<String>>,
}

/// Line and column of a node; an alias has those of what it stands for.
type Place = (u32, u32);

/// The functions of lists that stand in several places by aliases: Salt has one list, and appends
/// to it for each `module.function` that it stands under.
fn appended(bodies: &[&Node]) -> HashMap<Place, Vec<String>> {
    let mut out: HashMap<Place, Vec<String>> = HashMap::new();
    let mut seen = HashSet::new();
    for body in bodies.iter().filter(|body| seen.insert((body.line, body.column))) {
        for (key, value) in body.as_map().unwrap_or_default() {
            if let Some((_, fun)) =
                key.key_str().split_once('.').filter(|_| value.as_seq().is_some())
            {
                let fun = fun.split('.').next().unwrap_or_default().to_owned();
                out.entry((value.line, value.column)).or_default().push(fun);
            }
        }
    }
    out.retain(|_, funs| funs.len() > 1);
    out
}

impl Reader<'_> {
    fn at(&self, line: u32) -> At {
        At::new(self.sls.place.clone(), line)
    }

    /// A fault that keeps the SLS from being read.
    fn fault(&mut self, line: u32, reason: impl Into<String>) {
        let error = Error::shape(&self.at(line), reason);
        self.errors.push(error);
    }

    /// A fault that Salt finds when it verifies the high data.
    fn malformed(&mut self, line: u32, reason: impl Into<String>) {
        let error = Error::shape(&self.at(line), reason);
        self.high.malformed.push(error);
    }

    /// Reads the includes; whether they are a list.
    fn include(&mut self, value: &Node) -> bool {
        let Some(items) = value.as_seq() else {
            let name = &self.sls.name;
            let reason = format!("Include Declaration in SLS {name} is not formed as a list");
            self.fault(value.line, reason);
            return false;
        };
        for item in items {
            let (saltenv, target) = match item.as_map() {
                Some([.., (env, sls)]) => (Some(env.key_text()), repr::shown(sls)),
                Some([]) => continue,
                None => (None, item.key_text()),
            };
            self.includes.push(Include { target, saltenv, at: self.at(item.line) });
        }
        true
    }

    fn exclude(&mut self, value: &Node) {
        let Some(items) = value.as_seq() else {
            let name = &self.sls.name;
            let reason = format!("Exclude Declaration in SLS {name} is not formed as a list");
            return self.fault(value.line, reason);
        };
        self.high.has_exclude = true;
        for item in items {
            let exclude = match item.as_map() {
                Some([(key, id)]) if key.as_str() == Some("id") => Exclude::Id(id.key_text()),
                Some([(key, sls)]) if key.as_str() == Some("sls") => {
                    Exclude::Sls(sls.key_text(), true)
                }
                Some(_) => {
                    let reason = "an exclude with other keys than 'id' or 'sls' has no effect";
                    let warning = Error::shape(&self.at(item.line), reason);
                    self.high.warnings.push(warning);
                    continue;
                }
                None => Exclude::Sls(item.key_text(), false),
            };
            self.high.excludes.push(exclude);
        }
    }

    fn extend(&mut self, value: &Node) {
        let name = self.sls.name.clone();
        let Some(pairs) = value.as_map() else {
            let reason = format!("Extension value in SLS '{name}' is not a dictionary");
            return self.fault(value.line, reason);
        };
        self.high.has_extend = true;
        for (id, body) in pairs {
            let text = id.key_text();
            let Some(states) = body.as_map() else {
                let reason = format!("Extension name '{text}' in SLS '{name}' is not a dictionary");
                self.fault(id.line, reason);
                continue;
            };
            let own = std::mem::take(&mut self.high.malformed);
            let owner = std::mem::replace(&mut self.owner, OWNER.to_owned());
            let body = self.body(&text, id.line, states.to_vec(), true);
            self.owner = owner;
            let malformed = std::mem::replace(&mut self.high.malformed, own);
            self.high.extends.push(Extend { id: text, body, malformed });
        }
    }

    fn id(&mut self, id: Node, value: Node) {
        let text = id.key_str();
        let line = id.line;
        let body = match value.data {
            Data::Map(_) if text.starts_with("__") => return,
            Data::Map(states) => {
                self.text_id(&id);
                self.body(&text, line, states, false)
            }
            // The short form `id: module.function`; Salt takes no more than two parts of it.
            Data::Str(short) if short.contains('.') => {
                self.text_id(&id);
                let mut parts = short.split('.').map(str::to_owned);
                let (state, fun) = (parts.next(), parts.next());
                let fun = fun.unwrap_or_default();
                self.check_function(&text, line, &fun);
                let args = vec![Arg::Fun(fun)];
                self.empty_body(line, Ordered::from_iter([(state.unwrap_or_default(), args)]))
            }
            data => {
                let reason = format!("ID {text} in SLS {} is not a dictionary", self.sls.name);
                self.fault(line, reason);
                let value = repr::shown(&Node { data, ..value });
                let reason = format!("The type {text} in {value} is not formatted as a dictionary");
                return self.malformed(line, reason);
            }
        };
        self.high.bodies.insert(id.into_key_text(), body);
    }

    fn empty_body(&self, line: u32, states: Ordered<Vec<Arg>>) -> Body {
        Body {
            sls: self.sls.name.clone(),
            saltenv: self.sls.saltenv.clone(),
            at: self.at(line),
            included_from: Vec::new(),
            states,
        }
    }

    fn body(&mut self, id: &str, line: u32, pairs: Vec<(Node, Node)>, extending: bool) -> Body {
        let mut states = Ordered::default();
        // `module: [function]` comes before `module.function`, which Salt takes apart and appends.
        let mut pairs = pairs;
        pairs.sort_by_key(|(key, value)| key.key_str().contains('.') && value.as_seq().is_some());
        for (key, value) in pairs {
            let key_text = key.key_str();
            if key_text.starts_with("__") {
                continue;
            }
            let mut parts = key_text.split('.');
            let state = parts.next().unwrap_or_default();
            let fun = parts.next().map(str::to_owned);
            if states.contains_key(state) {
                let reason = format!(
                    "ID '{id}' in SLS '{}' contains multiple state declarations of the same type",
                    self.sls.name
                );
                self.fault(key.line, reason);
                continue;
            }
            let place = (value.line, value.column);
            let mut args = match self.state(id, &key, value) {
                Some(args) => args,
                // What it is no extension of is told all the same.
                None if extending => Vec::new(),
                None => continue,
            };
            match self.appended.get(&place).filter(|_| !extending) {
                Some(funs) => args.extend(funs.iter().cloned().map(Arg::Fun)),
                None => args.extend(fun.map(Arg::Fun)),
            }
            if !extending {
                self.one_function(id, key.line, &args);
            }
            states.insert(state.to_owned(), args);
        }
        self.empty_body(line, states)
    }

    /// What stands under one module of an ID.
    fn state(&mut self, id: &str, key: &Node, value: Node) -> Option<Vec<Arg>> {
        let sls = &self.owner;
        match value.data {
            Data::Seq(items) => Some(self.args(id, items)),
            Data::Null => {
                let reason = format!(
                    "ID '{id}' in SLS '{sls}' contains a short declaration ({}) with a trailing \
                     colon. When not passing any arguments to a state, the colon must be omitted.",
                    key.key_text()
                );
                self.malformed(key.line, reason);
                None
            }
            _ => {
                let reason = format!("State '{id}' in SLS '{sls}' is not formed as a list");
                self.malformed(key.line, reason);
                None
            }
        }
    }

    fn args(&mut self, id: &str, items: Vec<Node>) -> Vec<Arg> {
        items.into_iter().map(|item| self.arg(id, item)).collect()
    }

    fn arg(&mut self, id: &str, item: Node) -> Arg {
        match item.data {
            Data::Str(fun) => {
                self.check_function(id, item.line, &fun);
                Arg::Fun(fun)
            }
            Data::Map(pairs) if !pairs.is_empty() => {
                let (first, value) = &pairs[0];
                self.check_arg(id, &first.key_str(), value, pairs.len());
                Arg::Set(pairs.into_iter().map(pair).collect())
            }
            _ => {
                let reason =
                    format!("an item of state '{id}' is neither a function nor an argument");
                let warning = Error::shape(&self.at(item.line), reason);
                self.high.warnings.push(warning);
                Arg::Other(key::plain(item.into_json()))
            }
        }
    }
}

fn pair((key, value): (Node, Node)) -> Pair {
    let (line, name, value) = (key.line, key.into_key_text(), value.into_json());
    let value = if is_keyword(&name) { key::plain(value) } else { value };
    Pair::new(name, value, line)
}
