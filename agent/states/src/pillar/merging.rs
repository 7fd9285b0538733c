//! Salt's strategies of merging pillar data.

use serde_json::{Map, Value};

use crate::data::merge;
use crate::opts::Opts;

/// How later data go over earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merging {
    /// Maps into maps; lists are replaced, or joined.
    Recurse {
        /// Whether lists are joined.
        lists: bool,
    },
    /// Whole values by their key.
    Overwrite,
    /// Both values of a key as a list; keys that only the later data have are lost.
    List,
}

impl Merging {
    pub(super) fn of(opts: &Opts) -> Merging {
        let lists = opts.flag("pillar_merge_lists");
        match opts.text("pillar_source_merging_strategy") {
            Some("list") => Merging::List,
            // Aggregated data are merged at their keys only, unless a renderer marks more of them.
            Some("overwrite" | "aggregate") => Merging::Overwrite,
            Some("recurse" | "smart") | None => Merging::Recurse { lists },
            // Salt takes a strategy that it does not know for this one.
            Some(_) => Merging::Recurse { lists: false },
        }
    }

    pub(super) fn merge(
        self,
        base: Map<String, Value>,
        over: Map<String, Value>,
    ) -> Map<String, Value> {
        match self {
            Merging::Recurse { lists } => {
                let mut all = Value::Object(base);
                merge(&mut all, &Value::Object(over), lists);
                match all {
                    Value::Object(all) => all,
                    _ => Map::new(),
                }
            }
            Merging::Overwrite => {
                let mut all = base;
                all.extend(over);
                all
            }
            Merging::List => {
                let both = |(key, value): (String, Value)| match over.get(&key) {
                    Some(other) => (key, Value::Array(vec![value, other.clone()])),
                    None => (key, value),
                };
                base.into_iter().map(both).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_strategy_merges_as_in_salt() {
        let base = json!({"a": {"x": 1, "l": [1]}, "b": 1});
        let over = json!({"a": {"y": 2, "l": [1, 2]}, "c": 3});
        let check = |strategy: &str, lists: bool, expected: Value| {
            let mut opts = Opts::default();
            opts.set("pillar_source_merging_strategy", strategy);
            opts.set("pillar_merge_lists", lists);
            let map = |value: &Value| value.as_object().cloned().unwrap();
            let found = Merging::of(&opts).merge(map(&base), map(&over));
            assert_eq!(Value::Object(found), expected, "{strategy}");
        };
        let merged = json!({"a": {"x": 1, "y": 2, "l": [1, 2]}, "b": 1, "c": 3});
        let whole = json!({"a": {"y": 2, "l": [1, 2]}, "b": 1, "c": 3});
        check("smart", false, merged.clone());
        check("recurse", true, merged.clone());
        check("none", false, merged);
        check("overwrite", false, whole.clone());
        check("aggregate", false, whole);
        let both = json!({"a": [{"x": 1, "l": [1]}, {"y": 2, "l": [1, 2]}], "b": 1});
        check("list", false, both);
    }
}
