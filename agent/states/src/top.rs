//! `top.sls`: which SLS a worker gets, for states and for pillar.

use serde_json::Value;

use crate::error::{At, Error, Kind};
use crate::facts::Facts;
use crate::render::{Renderer, Vars};
use crate::sls;
use crate::target;
use crate::yaml::Node;

const TOP: &str = "top.sls";

/// The SLS names that the top file gives to this worker, in its order.
///
/// `None` if there is no top file.
pub(crate) fn selected(
    renderer: &Renderer,
    facts: &Facts,
    pillar: &Value,
) -> Result<Option<Vec<String>>, Vec<Error>> {
    if !renderer.scope().tree.has(TOP) {
        return Ok(None);
    }
    let top = sls::load(renderer, "top", TOP, Vars::new()).map_err(|error| vec![error])?;
    let mut names = Vec::new();
    let mut errors = Vec::new();
    let Some(envs) = top.root.as_map() else {
        return if top.root.is_null() { Ok(Some(names)) } else { Err(vec![shape(&top.root)]) };
    };
    for (env, targets) in envs {
        let env = env.key_text();
        for (target, body) in targets.as_map().unwrap_or_default() {
            match one_target(&target.key_text(), body, facts, pillar) {
                Ok(None) => {}
                Ok(Some(more)) if env == "base" => names.extend(more),
                Ok(Some(_)) => errors.push(Error::new(
                    Kind::Unsupported,
                    Some(At::new(TOP, target.line)),
                    format!("the environment '{env}' is not supported: only 'base' is"),
                )),
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() { Ok(Some(names)) } else { Err(errors) }
}

fn shape(node: &Node) -> Error {
    Error::shape(&At::new(TOP, node.line), "the top file is not a map of environments")
}

/// The SLS of one target, if it means this worker.
fn one_target(
    target: &str,
    body: &Node,
    facts: &Facts,
    pillar: &Value,
) -> Result<Option<Vec<String>>, Error> {
    let at = At::new(TOP, body.line);
    let Some(items) = body.as_seq() else {
        return Err(Error::shape(&at, format!("the target '{target}' has no list of SLS")));
    };
    let mut kind = "compound".to_owned();
    let mut names = Vec::new();
    for item in items {
        match (item.as_str(), item.as_map()) {
            (Some(name), _) => names.push(name.to_owned()),
            (None, Some(pairs)) => {
                for (key, value) in pairs {
                    match key.key_text().as_str() {
                        "match" => kind = value.key_text(),
                        // Salt reads `order` and sorts by it, but its result does not change.
                        "order" => {}
                        other => {
                            let reason = format!("the top file option '{other}' is not supported");
                            return Err(Error::new(Kind::Unsupported, Some(at), reason));
                        }
                    }
                }
            }
            (None, None) => names.push(item.key_text()),
        }
    }
    let hit = target::matches(&kind, target, facts.id(), facts, pillar)
        .map_err(|error| Error::new(Kind::Unsupported, Some(at), error.to_string()))?;
    Ok(hit.then_some(names))
}
