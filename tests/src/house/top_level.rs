//! What may lie at the top of the repository: the rooms, the papers, and tool configuration.

const ROOMS: &[&str] =
    &["agent", "controller", "docs", "packaging", "protocol", "reactors", "tests"];

const PAPERS: &[&str] =
    &["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md"];

const TOOL_CONFIG: &[&str] = &[
    ".cargo",
    ".ci",
    ".config",
    ".editorconfig",
    ".gitattributes",
    ".github",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "clippy.toml",
    "rust-toolchain.toml",
    "rustfmt.toml",
];

/// Checks the names of the repository's top-level entries.
pub fn check(names: &[String]) -> Vec<String> {
    let known = |name: &str| [ROOMS, PAPERS, TOOL_CONFIG].iter().any(|list| list.contains(&name));
    let missing = ROOMS.iter().chain(PAPERS).filter(|room| !names.iter().any(|name| name == *room));
    names
        .iter()
        .filter(|name| !known(name))
        .map(|name| format!("{name}: not of the top level; which room does it belong to?"))
        .chain(missing.map(|room| format!("{room}: missing")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(extra: &[&str]) -> Vec<String> {
        ROOMS.iter().chain(PAPERS).chain(extra).map(ToString::to_string).collect()
    }

    #[test]
    fn the_rooms_the_papers_and_tool_config_pass() {
        assert!(check(&names(&["Cargo.toml", ".ci"])).is_empty());
    }

    #[test]
    fn a_stray_folder_and_a_missing_room_are_refused() {
        assert_eq!(check(&names(&["scripts"])).len(), 1);
        assert_eq!(check(&names(&[])[1..]), ["agent: missing"]);
    }
}
