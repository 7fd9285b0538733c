//! What the agent knows of its host, as it tells the controller.

use crate::paths::Root;
use muster_protocol::enrol::FACTS_MAX;
use muster_protocol::id::AgentId;
use serde_json::Value;
use std::collections::BTreeMap;

/// Names and values.
pub(crate) type Facts = BTreeMap<String, Value>;

/// The bytes of all facts of a claim: the bootstrap credential may send 64 KiB.
const CLAIM_BYTES_MAX: usize = 40 << 10;
/// The bytes of one fact of a claim.
const FACT_BYTES_MAX: usize = 4 << 10;

/// The host's facts for a message; `id` is the worker's name.
pub(crate) fn collect(root: &Root, agent_id: Option<&AgentId>) -> Facts {
    crate::engine::facts(root, agent_id).into_iter().collect()
}

/// Those that fit into a claim: the large ones are left out, and can be asked for later.
pub(crate) fn for_claim(facts: Facts) -> Facts {
    let mut left = CLAIM_BYTES_MAX;
    let mut fits = |(name, value): &(String, Value)| {
        let bytes = name.len() + value.to_string().len();
        let fits = bytes <= FACT_BYTES_MAX.min(left);
        left -= if fits { bytes } else { 0 };
        fits
    };
    facts.into_iter().filter(|fact| fits(fact)).take(FACTS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_leaves_out_what_is_too_large() {
        let mut facts: Facts = (0..1000).map(|n| (format!("f{n:04}"), Value::from(n))).collect();
        facts.insert("a".into(), Value::from("x".repeat(FACT_BYTES_MAX)));
        facts.insert("b".into(), Value::from("x".repeat(1000)));
        let claimed = for_claim(facts);
        assert_eq!(claimed.len(), FACTS_MAX);
        assert!(!claimed.contains_key("a") && claimed.contains_key("b"));
        let large: Facts =
            (0..200).map(|n| (format!("{n}"), Value::from("x".repeat(1000)))).collect();
        assert!(for_claim(large).len() < 41);
    }
}
