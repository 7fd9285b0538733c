//! The tags that Nova's lists can be narrowed down by: one of the cluster, one of the generation.
//!
//! Tags are a help; whose a server is its metadata says, which has room for whole names.

use muster_protocol::id::{AgentId, ClusterName, Hash};

/// The longest tag that Nova takes, in characters.
const TAG_CHARS_MAX: usize = 60;
/// How much of a hash stands for what a long name ends with.
const HASH_CHARS: usize = 12;

/// The tag of all servers of a cluster.
pub(super) fn of_cluster(cluster: &ClusterName) -> String {
    fit(&format!("muster-cluster={cluster}"))
}

/// The tag of one generation.
pub(super) fn of_agent(agent: &AgentId) -> String {
    fit(&format!("muster-agent={agent}"))
}

/// Whether Nova takes it.
pub(super) fn is_valid(tag: &str) -> bool {
    let chars = tag.chars().count();
    (1..=TAG_CHARS_MAX).contains(&chars) && !tag.contains([',', '/'])
}

/// Names are ASCII without ',' and '/': only their length may be too much.
fn fit(tag: &str) -> String {
    if tag.len() <= TAG_CHARS_MAX {
        return tag.to_owned();
    }
    let hash = Hash::of(tag.as_bytes());
    format!("{}~{}", &tag[..TAG_CHARS_MAX - HASH_CHARS - 1], &hash.as_str()[..HASH_CHARS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_still_makes_a_tag_of_its_own() {
        let long = |end: char| format!("{}{end}", "w".repeat(62)).parse::<ClusterName>().unwrap();
        let (one, other) = (of_cluster(&long('a')), of_cluster(&long('b')));
        assert!(is_valid(&one) && is_valid(&other) && one != other, "{one} {other}");
        assert_eq!(of_cluster(&"home".parse().unwrap()), "muster-cluster=home");
    }
}
