//! Which workers: a glob, a list, or a pool, as typed.

use crate::failure::{Failure, Result};
use muster_protocol::api::Target;
use muster_protocol::id::PoolName;

/// Which workers, where some must be named.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Which ones: 'compute-*', a,b
    #[arg(required_unless_present = "pool")]
    target: Option<String>,
    /// All of this pool, instead of TARGET
    #[arg(long, value_name = "NAME")]
    pool: Option<PoolName>,
}

impl Which {
    /// The target that was typed.
    pub(crate) fn target(&self) -> Result<Target> {
        let given = target(self.target.as_deref(), self.pool.as_ref())?;
        given.ok_or_else(|| Failure::say("no target is given", NEXT))
    }
}

/// Reads a target from what was typed; none if nothing was.
pub(crate) fn target(names: Option<&str>, pool: Option<&PoolName>) -> Result<Option<Target>> {
    match (names, pool) {
        (Some(_), Some(_)) => Err(Failure::say(
            "both a target and --pool are given",
            "give one of them; to act on some workers of a pool, name those workers",
        )),
        (None, Some(pool)) => Ok(Some(Target::Pool(pool.clone()))),
        (Some(names), None) => checked(names).map(Some),
        (None, None) => Ok(None),
    }
}

/// Takes the target off the words behind a command: the first one, unless `--pool` is given.
pub(crate) fn first(words: &[String], pool: Option<&PoolName>) -> Result<(Target, Vec<String>)> {
    match (pool, words) {
        (Some(pool), rest) => Ok((Target::Pool(pool.clone()), rest.to_vec())),
        (None, [names, rest @ ..]) => Ok((checked(names)?, rest.to_vec())),
        (None, []) => Err(Failure::say("no target is given", NEXT)),
    }
}

const NEXT: &str = "name workers ('*', 'compute-*', a,b) or give --pool NAME";

/// The controller judges the pattern; here only what the shell did to it is caught.
fn checked(names: &str) -> Result<Target> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-*?[]!,".contains(c);
    if names.is_empty() || !names.chars().all(allowed) || names.split(',').any(str::is_empty) {
        return Err(Failure::say(format!("{names:?} names no workers"), NEXT));
    }
    Ok(Target::Names(names.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn the_first_word_is_the_target_unless_a_pool_is_given() {
        let (target, rest) = first(&words(&["compute-*,head", "web"]), None).unwrap();
        assert_eq!(target, Target::Names("compute-*,head".into()));
        assert_eq!(rest, ["web"]);
        let pool = "compute".parse().unwrap();
        let (target, rest) = first(&words(&["web", "db"]), Some(&pool)).unwrap();
        assert_eq!(target, Target::Pool(pool));
        assert_eq!(rest, ["web", "db"]);
        assert!(first(&[], None).is_err());
    }

    #[test]
    fn what_names_no_worker_is_refused() {
        for names in ["", ",", "a,", "a b", "a;b", "muster.>", "$x", "a,,b"] {
            assert!(target(Some(names), None).is_err(), "{names:?}");
        }
        assert!(target(Some("a"), Some(&"b".parse().unwrap())).is_err());
        assert_eq!(target(None, None).unwrap(), None);
    }
}
