//! Where the operator's facts are kept, read over what the host is.

use serde_json::{Map, Value};

use crate::data::traverse;
use crate::function::Context;
use crate::host::files::{Access, make_folders, replace_keeping};
use crate::yaml;

/// The file that is written; the second one is left by a host's Salt, and stays its own.
const FILES: [&str; 2] = ["/etc/muster/grains", "/etc/salt/grains"];

/// The facts as they are now: the host's, with the files' over them.
#[derive(Debug)]
pub(crate) struct Store {
    all: Value,
}

impl Store {
    pub(crate) fn read(ctx: &Context<'_>) -> Store {
        let mut all = serde_json::to_value(&ctx.view().facts).unwrap_or_default();
        if let Some(all) = all.as_object_mut() {
            for path in FILES.iter().rev() {
                all.extend(file(ctx, path).unwrap_or_default());
            }
            // What was taken out in this run is not one of the facts of its beginning.
            let gone = ctx.session.grains_gone.borrow();
            all.retain(|name, _| !gone.contains(name));
        }
        Store { all }
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        traverse(&self.all, path, ":").cloned()
    }

    /// Whether there is a fact of that very name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.all.get(name).is_some()
    }
}

fn file(ctx: &Context<'_>, path: &str) -> Result<Map<String, Value>, String> {
    let Some(text) = ctx.host.read_text(path) else { return Ok(Map::new()) };
    match yaml::parse(&text).map(yaml::Node::into_json) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Ok(Map::new()),
        Err(error) => Err(format!("Unable to read existing grains file: {path}: {error}")),
    }
}

/// Writes one top-level fact, or takes it out.
pub(crate) fn write(ctx: &Context<'_>, name: &str, value: Option<&Value>) -> Result<(), String> {
    // Where it stands already, so that it does not come back from there.
    let own = |path: &&&str| file(ctx, path).is_ok_and(|map| map.contains_key(name));
    let path = FILES.iter().find(own).unwrap_or(&FILES[0]);
    let mut map = file(ctx, path)?;
    match value {
        Some(value) => {
            map.insert(name.to_owned(), value.clone());
            ctx.session.grains_gone.borrow_mut().remove(name);
        }
        None => {
            map.remove(name);
            ctx.session.grains_gone.borrow_mut().insert(name.to_owned());
        }
    }
    let text = yaml::emit::block(&crate::data::sorted(&Value::Object(map)));
    let place = ctx.host.followed(path);
    let old = std::fs::metadata(&place).map(|meta| Access::of(&meta)).unwrap_or_default();
    place
        .parent()
        .map_or(Ok(()), |folder| make_folders(folder, Access::default()))
        .and_then(|()| replace_keeping(ctx.host, &place, text.as_bytes(), Access::default(), old))
        .map_err(|error| format!("Unable to write to grains file at {path}: {error}"))?;
    show_later(ctx);
    Ok(())
}

/// Has templates and conditions of later states see the facts as they are now, as in Salt.
fn show_later(ctx: &Context<'_>) {
    let Ok(facts) = serde_json::from_value(Store::read(ctx).all) else { return };
    let view = ctx.view();
    ctx.session.views.push(view.with(&facts, view.pillar.clone()));
    // What was found ahead was found by the view before.
    ctx.host.acted();
}
