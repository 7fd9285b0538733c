//! The house rules, applied to this checkout: arrows, style, lock file, top level, papers.

use muster_tests::house;
use std::path::Path;
use std::process::Command;

const ROOMS: &[&str] = &["agent", "controller", "packaging", "protocol", "reactors", "tests"];

#[track_caller]
fn none(violations: &[String]) {
    assert!(violations.is_empty(), "house rules broken:\n{}", violations.join("\n"));
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(house::root()).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).expect("output is UTF-8"))
}

#[test]
fn dependencies_follow_the_arrows() {
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let metadata = output(env!("CARGO"), &arguments).expect("cargo metadata reads the manifests");
    let metadata = serde_json::from_str(&metadata).expect("cargo metadata prints JSON");
    none(&house::arrows::check(&metadata));
}

#[test]
fn sources_keep_the_style() {
    let root = house::root();
    let sources: Vec<String> =
        ROOMS.iter().flat_map(|room| house::files(&root, room, ".rs")).collect();
    assert!(sources.len() > 10, "the walk found only {sources:?}");
    let check = |path: &String| house::sources::check(path, &house::read(&root, path));
    none(&sources.iter().flat_map(check).collect::<Vec<_>>());
}

#[test]
fn the_lock_file_has_one_tls_stack() {
    none(&house::lockfile::check(&house::read(&house::root(), "Cargo.lock")));
}

/// What git tracks; in a tarball without git, what lies there and .gitignore does not name.
fn top_level_names() -> Vec<String> {
    let root = house::root();
    let mut names: Vec<String> = match output("git", &["ls-files"]) {
        Some(files) => {
            files.lines().filter_map(|f| f.split('/').next()).map(str::to_owned).collect()
        }
        None => {
            let ignored = house::read(&root, ".gitignore");
            let entries = root.read_dir().expect("the checkout is readable");
            let names = entries.map(|entry| entry.expect("the checkout is readable").file_name());
            names
                .map(|name| name.to_string_lossy().into_owned())
                .filter(|name| {
                    name != ".git" && !ignored.lines().any(|line| line.trim_matches('/') == name)
                })
                .collect()
        }
    };
    names.sort();
    names.dedup();
    names
}

#[test]
fn the_top_level_holds_the_rooms_and_nothing_else() {
    none(&house::top_level::check(&top_level_names()));
}

#[test]
fn the_papers_keep_their_promises() {
    let root = house::root();
    none(&house::docs::architecture(&house::read(&root, "ARCHITECTURE.md")));
    none(&house::docs::readme(&house::read(&root, "README.md")));
}

#[test]
fn links_and_paths_in_the_papers_lead_somewhere() {
    let root = house::root();
    let mut broken = Vec::new();
    for paper in house::files(&root, ".", ".md") {
        let paper = paper.trim_start_matches("./");
        let text = house::read(&root, paper);
        let folder = root.join(paper).parent().map(Path::to_path_buf).unwrap_or_default();
        let links = house::docs::local_links(&text).into_iter().map(|link| folder.join(link));
        let paths = house::docs::named_paths(&text, ROOMS).into_iter().map(|path| root.join(path));
        let dead = links.chain(paths).filter(|path| !path.exists());
        broken.extend(dead.map(|path| format!("{paper}: no such file: {}", path.display())));
    }
    none(&broken);
}

#[test]
fn the_tests_that_papers_name_are_there() {
    let root = house::root();
    let sources = ROOMS.iter().flat_map(|room| house::files(&root, room, ".rs"));
    let sources: Vec<String> = sources.map(|path| house::read(&root, &path)).collect();
    let names = house::docs::named_tests(&house::read(&root, "docs/security.md"));
    assert!(names.len() > 10, "the table was not found");
    let is_there =
        |name: &&String| sources.iter().any(|text| text.contains(&format!("fn {name}(")));
    let missing = names.iter().filter(|name| !is_there(name));
    none(&missing.map(|name| format!("docs/security.md: no test {name}")).collect::<Vec<_>>());
}

#[test]
fn the_example_configs_are_read_by_their_programs() {
    let examples = house::root().join("packaging/config");
    if let Err(error) = muster_controller::config::Config::load(&examples.join("controller.yaml")) {
        panic!("{error}");
    }
    match muster_reactors::rule::load(&examples.join("reactors")) {
        Ok(rules) => assert!(!rules.is_empty(), "no example of a rule"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn whatever_else_is_an_example_is_yaml() {
    let root = house::root();
    let examples = house::files(&root, "packaging/config", ".yaml");
    assert!(!examples.is_empty(), "packaging/config holds no example");
    for path in examples {
        let parsed: Result<serde_json::Value, _> =
            serde_saphyr::from_str(&house::read(&root, &path));
        if let Err(error) = parsed {
            panic!("{path}: {error}");
        }
    }
}
