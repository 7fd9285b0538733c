//! Who may depend on whom: the arrows of ARCHITECTURE.md, checked on `cargo metadata`.

use serde_json::Value;

const PROTOCOL: &str = "muster-protocol";
const STATES: &str = "muster-states";
const REACTORS: &str = "muster-reactors";
const TESTS: &str = "muster-tests";

/// Every package, and the packages of ours that it may name. The tests may name all.
const ARROWS: &[(&str, &[&str])] = &[
    (PROTOCOL, &[]),
    (STATES, &[]),
    ("muster-agent", &[PROTOCOL, STATES]),
    (REACTORS, &[PROTOCOL]),
    ("muster-controller", &[PROTOCOL, STATES, REACTORS]),
    ("muster", &[PROTOCOL, STATES]),
];

/// The bus client has one home, so that its traps are handled once.
const BUS_CLIENT: (&str, &[&str]) = ("async-nats", &[PROTOCOL]);

/// Features of the protocol that whoever speaks from outside the BUS account never enables.
const INSIDE_FEATURES: &[&str] = &["issue", "jetstream"];
const OUTSIDERS: &[&str] = &["muster-agent", "muster"];

/// Checks the output of `cargo metadata --no-deps`.
pub fn check(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let names: Vec<&str> = packages.iter().map(|package| text(&package["name"])).collect();
    let mut violations: Vec<String> = ARROWS
        .iter()
        .filter(|(name, _)| !names.contains(name))
        .map(|(name, _)| format!("{name}: the arrows name a package that does not exist"))
        .collect();
    violations.extend(packages.iter().flat_map(of_package));
    violations
}

fn of_package(package: &Value) -> Vec<String> {
    let name = text(&package["name"]);
    if name == TESTS {
        return Vec::new();
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        return vec![format!("{name}: a package that the arrows do not know")];
    };
    let dependencies = package["dependencies"].as_array().map_or(&[][..], Vec::as_slice);
    dependencies.iter().filter_map(|dependency| of_dependency(name, allowed, dependency)).collect()
}

fn of_dependency(package: &str, allowed: &[&str], dependency: &Value) -> Option<String> {
    let name = text(&dependency["name"]);
    let ours = name == TESTS || ARROWS.iter().any(|(known, _)| *known == name);
    if ours && !allowed.contains(&name) {
        return Some(format!("{package} depends on {name}: no arrow goes there"));
    }
    if name == BUS_CLIENT.0 && !BUS_CLIENT.1.contains(&package) {
        return Some(format!("{package} depends on {name}: use the typed bus of {PROTOCOL}"));
    }
    let features = dependency["features"].as_array().map_or(&[][..], Vec::as_slice);
    let inside = features.iter().map(text).find(|feature| INSIDE_FEATURES.contains(feature));
    match inside {
        Some(feature) if name == PROTOCOL && OUTSIDERS.contains(&package) => {
            Some(format!("{package} enables {name}/{feature}: that is for the head node's daemons"))
        }
        _ => None,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A workspace with no violation, in which `package` also has `dependency`.
    fn workspace_with(package: &str, dependency: Value) -> Value {
        let packages: Vec<Value> = ARROWS
            .iter()
            .map(|(name, allowed)| {
                let mut dependencies: Vec<Value> =
                    allowed.iter().map(|name| json!({"name": name, "features": []})).collect();
                if *name == package {
                    dependencies.push(dependency.clone());
                }
                json!({"name": name, "dependencies": dependencies})
            })
            .collect();
        json!({"packages": packages})
    }

    #[track_caller]
    fn refused(package: &str, dependency: Value, because: &str) {
        let violations = check(&workspace_with(package, dependency));
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].contains(because), "{violations:?}");
    }

    #[test]
    fn the_arrows_themselves_pass() {
        assert_eq!(check(&workspace_with("", Value::Null)), Vec::<String>::new());
        let serde = json!({"name": "serde", "features": ["issue"]});
        assert_eq!(check(&workspace_with("muster", serde)), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_refused() {
        refused("muster-agent", json!({"name": "muster-controller"}), "no arrow");
        refused("muster", json!({"name": "muster-agent", "kind": "dev"}), "no arrow");
        refused(STATES, json!({"name": PROTOCOL}), "no arrow");
        refused(PROTOCOL, json!({"name": TESTS, "kind": "dev"}), "no arrow");
    }

    #[test]
    fn the_bus_client_outside_the_protocol_is_refused() {
        refused(REACTORS, json!({"name": "async-nats"}), "typed bus");
    }

    #[test]
    fn an_agent_that_could_issue_credentials_is_refused() {
        refused("muster-agent", json!({"name": PROTOCOL, "features": ["issue"]}), "head node");
        refused("muster", json!({"name": PROTOCOL, "features": ["jetstream"]}), "head node");
    }

    #[test]
    fn a_package_that_nobody_drew_is_refused() {
        let mut workspace = workspace_with("", Value::Null);
        workspace["packages"][0]["name"] = json!("muster-utils");
        let violations = check(&workspace);
        assert!(violations[0].contains("does not exist"), "{violations:?}");
        assert!(violations[1].contains("do not know"), "{violations:?}");
    }
}
