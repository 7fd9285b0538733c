//! What the papers must hold: a short ARCHITECTURE, the README's two commands, links and paths that
//! lead somewhere.

const ARCHITECTURE_LINES_MAX: usize = 200;
const COMMANDS: &[&str] = &["make demo", "make test"];

/// Checks the length of ARCHITECTURE.md.
pub fn architecture(text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines <= ARCHITECTURE_LINES_MAX {
        return Vec::new();
    }
    vec![format!("ARCHITECTURE.md: {lines} lines, more than {ARCHITECTURE_LINES_MAX}")]
}

/// Checks that README.md shows each of the two commands on a line of its own.
pub fn readme(text: &str) -> Vec<String> {
    let shown = |command: &str| text.lines().any(|line| line.trim().starts_with(command));
    let missing = COMMANDS.iter().filter(|command| !shown(command));
    missing.map(|command| format!("README.md: does not show `{command}`")).collect()
}

/// Lists the targets of the Markdown links in `text` that point into the repository, without
/// their anchors.
pub fn local_links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .filter_map(|target| target.split('#').next())
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Lists the paths that `text` names in backquotes and that begin with one of `rooms`.
pub fn named_paths(text: &str, rooms: &[&str]) -> Vec<String> {
    let in_room = |span: &&str| {
        let room = span.split_once('/').map(|(room, _)| room);
        room.is_some_and(|room| rooms.contains(&room)) && !span.contains(['*', '<', ' '])
    };
    text.split('`').skip(1).step_by(2).filter(in_room).map(str::to_owned).collect()
}

/// Lists the names in backquotes in the last column of the tables of `text` below a heading that
/// ends with `tried by`: those are tests.
pub fn named_tests(text: &str) -> Vec<String> {
    let (mut names, mut inside) = (Vec::new(), false);
    for line in text.lines() {
        inside = line.ends_with("| tried by |") || inside && line.starts_with('|');
        let last = line.trim_end_matches('|').rsplit('|').next().filter(|_| inside);
        let spans = last.unwrap_or_default().split('`').skip(1).step_by(2);
        let is_name = |span: &&str| span.contains('_') && !span.contains(['/', '.', ' ']);
        names.extend(spans.filter(is_name).map(str::to_owned));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_architecture_of_201_lines_is_refused() {
        assert!(architecture(&"a line\n".repeat(200)).is_empty());
        assert_eq!(architecture(&"a line\n".repeat(201)).len(), 1);
    }

    #[test]
    fn a_readme_must_show_both_commands() {
        assert!(readme("    make demo\n    make test\n").is_empty());
        assert_eq!(readme("    make demo\nrun make test").len(), 1);
        assert_eq!(readme("").len(), 2);
    }

    #[test]
    fn paths_in_backquotes_are_those_of_rooms_and_without_a_pattern() {
        let text = "see `agent/src/up.rs`, agent/x, `/etc/muster`, `agent/src/*` and `tests/src/`";
        assert_eq!(named_paths(text, &["agent", "tests"]), ["agent/src/up.rs", "tests/src/"]);
    }

    #[test]
    fn tests_are_named_in_the_last_column_of_their_tables_alone() {
        let text = "| a | tried by |\n|---|---|\n| `x_y` | `a_b`, c, `d.rs`, `e_f` |\n\n| `g_h` |";
        assert_eq!(named_tests(text), ["a_b", "e_f"]);
    }

    #[test]
    fn links_out_of_the_repository_and_anchors_are_left_out() {
        let text = "[a](docs/a.md#b) [b](https://nats.io) [c](#here) ![d](d.svg)";
        assert_eq!(local_links(text), ["docs/a.md", "d.svg"]);
    }
}
