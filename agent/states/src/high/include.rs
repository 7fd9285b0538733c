//! `include`: names, patterns, relative names, and SLS of other environments.

use super::High;
use super::build::{Builder, merge};
use super::declare::Include;
use crate::error::{Error, Kind};
use crate::sls::Sls;

impl Builder<'_> {
    /// Renders what an SLS includes, and merges it into that SLS.
    pub(super) fn include(&mut self, sls: &Sls, include: &Include, high: &mut High) {
        let fault = |kind, reason: String| Error::new(kind, Some(include.at.clone()), reason);
        let env = include.saltenv.as_deref().unwrap_or(&sls.saltenv);
        if self.worlds.get(env).is_none() {
            let reason = format!(
                "Nonexistent saltenv '{env}' found in include of '{}' within SLS '{}:{}'",
                include.target, sls.saltenv, sls.name
            );
            return self.errors.push(fault(Kind::Missing, reason));
        }
        let Some(target) = absolute(&include.target, sls) else {
            let reason = format!(
                "Attempted relative include of '{}' within SLS '{}:{}' goes beyond top level \
                 package ",
                include.target, sls.saltenv, sls.name
            );
            return self.errors.push(fault(Kind::Shape, reason));
        };
        let from = env.to_owned();
        if !self.selected.contains_key(env) && self.known(env, &target).is_empty() {
            let reason = format!(
                "Unknown include: Specified SLS {env}: {target} is not available on the salt \
                 master in saltenv(s): {env} "
            );
            return self.errors.push(fault(Kind::Missing, reason));
        }
        // Patterns are matched against what the including SLS has beside it, as Salt does.
        let names = self.known(&sls.saltenv, &target);
        let names = if names.is_empty() { vec![target] } else { names };
        for name in names {
            let before = self.errors.len();
            if let Some(mut inner) = self.sls(&name, &from) {
                for body in inner.bodies.values_mut() {
                    body.included_from.push(sls.name.clone());
                }
                // What is at fault further in is told afterwards.
                let inside = self.errors.split_off(before);
                merge(high, inner, &mut self.errors);
                self.errors.extend(inside);
            }
            // What is not there is told where it was asked for.
            for error in &mut self.errors[before..] {
                if error.at.is_none() {
                    error.at = Some(include.at.clone());
                }
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
