//! Salt's minion options: what templates read as `opts`, and what the compiler minds.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Kind};

/// Options of this engine's caller, by Salt's names; what is not set has Salt's default.
///
/// The compiler minds `saltenv`, `pillarenv`, `nodegroups`, `state_auto_order`, and what selects
/// and merges top files and pillar (`top_file_merging_strategy`, `default_top`, `env_order`,
/// `state_top`, `state_top_saltenv`, `pillar_source_merging_strategy`, `pillar_merge_lists`,
/// `pillar_includes_override_sls`, `pillar_opts`, ...). Options of its own begin with `muster_`:
/// which values of the pillar no report shows (`muster_secrets`, `muster_secret_paths`,
/// `muster_public_paths`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Opts(Map<String, Value>);

/// Sources of data that only Salt's own plugins can ask.
const REFUSED: [(&str, &str); 3] = [
    ("ext_pillar", "put its data into the pillar tree"),
    ("decrypt_pillar", "decrypt the values before they enter the pillar tree"),
    ("master_tops", "name the SLS in the top file"),
];

impl Opts {
    /// Options from a map of names and values.
    pub fn from_map(map: Map<String, Value>) -> Opts {
        Opts(map)
    }

    /// All that is set.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// Sets one option.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// One option, if it is set and not null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// An option that is a text, if it is set and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Whether an option is set to something true.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A list of texts; empty if it is not set.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let items = self.get(name).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).collect()
    }

    /// The one environment that the caller asks for; none means all of them.
    pub fn saltenv(&self) -> Option<&str> {
        self.text("saltenv")
    }

    /// The one pillar environment that the caller asks for; none means all of them.
    pub fn pillarenv(&self) -> Option<&str> {
        let same = self.flag("pillarenv_from_saltenv").then(|| self.saltenv()).flatten();
        self.text("pillarenv").or(same)
    }

    /// The path of the top file below its environment's roots.
    pub fn top_file(&self) -> &str {
        let path = self.text("state_top").unwrap_or("top.sls");
        path.strip_prefix("salt://").unwrap_or(path).trim_start_matches('/')
    }

    /// Options that this engine cannot follow are refused by name, never passed over.
    pub fn check(&self) -> Vec<Error> {
        let is_set = |name: &str| match self.get(name) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(map)) => !map.is_empty(),
            Some(Value::Bool(true) | Value::Number(_) | Value::String(_)) => true,
        };
        let refused = REFUSED.iter().filter(|(name, _)| is_set(name));
        let told = refused.map(|(name, instead)| {
            let reason = format!("the option '{name}' is not supported: {instead}");
            Error::new(Kind::Unsupported, None, reason)
        });
        told.chain(crate::secret::check(self)).collect()
    }

    /// What templates see: Salt's defaults under what is set (`grains` and `pillar` come on top).
    pub(crate) fn for_templates(&self, id: &str) -> Value {
        let mut all = DEFAULTS.clone();
        all.insert("id".to_owned(), Value::from(id));
        all.extend(self.0.clone());
        Value::Object(all)
    }
}

/// What a masterless minion has where nobody says otherwise, Salt's own paths among them.
static DEFAULTS: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("opts/defaults.json")).unwrap_or_default());

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn templates_see_defaults_under_what_is_set() {
        let opts: Opts = serde_json::from_value(json!({"test": true, "own": 1})).unwrap();
        let seen = opts.for_templates("w1");
        assert_eq!((&seen["test"], &seen["own"]), (&json!(true), &json!(1)));
        assert_eq!(seen["id"], "w1");
        assert_eq!((&seen["hash_type"], &seen["__cli"]), (&json!("sha256"), &json!("salt-call")));
        assert_eq!(seen["optimization_order"], json!([0, 1, 2]));
    }

    #[test]
    fn what_needs_a_plugin_of_salts_is_refused_by_name() {
        let opts: Opts =
            serde_json::from_value(json!({"ext_pillar": [{"git": []}], "decrypt_pillar": []}))
                .unwrap();
        let errors = opts.check();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].reason.starts_with("the option 'ext_pillar' is not supported"));
    }

    #[test]
    fn the_top_file_may_have_another_name_and_form() {
        let top = |text: &str| {
            let mut opts = Opts::default();
            opts.set("state_top", text);
            opts.top_file().to_owned()
        };
        assert_eq!(Opts::default().top_file(), "top.sls");
        assert_eq!((top("salt://a/t.sls"), top("/t.sls")), ("a/t.sls".into(), "t.sls".into()));
    }
}
