//! state: what the tree has. What starts a run is refused.

use minijinja::Error;
use minijinja::value::Value;

use super::pillar::texts;
use super::slsutil::nested;
use super::{Call, Function, reads};
use crate::high;
use crate::opts::Opts;
use crate::render::Worlds;
use crate::top::{Matches, Selected};

/// This module's functions.
pub(super) const ALL: &[Function] = &[reads(
    "state.sls_exists",
    "mods test= queue= * saltenv= pillar=! pillar_enc=! **kwargs",
    sls_exists,
)];

/// Whether SLS are there and render, with all that they include.
fn sls_exists(call: &Call<'_>) -> Result<Value, Error> {
    if call.scope.of_pillar {
        return Err(call.fail("state.sls_exists in a pillar is not supported: leave it out"));
    }
    let names = names(&call.must("mods"));
    let fault = || nested(call, &names.join(","), || is_faulty(call, &names));
    fault()?.map_or_else(|| Err(call.fail("the tree has no base")), |faulty| Ok((!faulty).into()))
}

/// The names in Salt's forms: a list, or a text with commas.
fn names(mods: &Value) -> Vec<String> {
    let parts = texts(mods);
    let all = parts.iter().flat_map(|part| part.split(','));
    all.map(|name| name.trim().to_owned()).collect()
}

fn is_faulty(call: &Call<'_>, names: &[String]) -> Option<bool> {
    let worlds = Worlds::around(call.scope)?;
    let saltenv = call.text_of("saltenv").unwrap_or_else(|| call.scope.saltenv());
    let named = names.iter().map(|name| Selected { sls: name.clone(), at: None });
    let selected = Matches::from([(saltenv, named.collect())]);
    let built = high::build(&worlds, &selected, &Opts::default());
    Some(!built.errors.is_empty() || !built.high.malformed.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_list_or_a_text_with_commas() {
        assert_eq!(names(&Value::from("a, b.c")), ["a", "b.c"]);
        assert_eq!(names(&crate::render::python::list(vec![Value::from("a")])), ["a"]);
    }
}
