//! The style rules of one Rust source: lengths, columns, first line, and words that may not stand.
//!
//! Text is judged as rustfmt leaves it, which CI checks: an item ends at the first `}` in the
//! column where it began. That is all the parsing these rules need.

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;
const MAIN_LINES_MAX: usize = 80;
const COLUMNS_MAX: usize = 100;

/// Words that stand nowhere. Written in two halves, so that this file passes.
const NOWHERE: &[&str] = &[
    concat!("#[ig", "nore"),
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
    concat!("mpsc::unbounded", "_channel"),
];

/// What a test polls with a deadline instead of. The testkit has the one loop that waits.
const SLEEPS: &[&str] =
    &[concat!("time::sle", "ep"), concat!("thread::sle", "ep"), concat!("sle", "ep(Duration")];

/// Crates, as code names them, and the paths that alone may.
const HOMES: &[(&str, &[&str])] = &[
    (concat!("async", "_nats::"), &["protocol/src/bus", "tests/"]),
    (
        concat!("open", "stack::"),
        &["controller/src/provider/openstack", "controller/src/provider/kind.rs", "tests/"],
    ),
    (concat!("os", "auth::"), &["controller/src/provider/openstack", "tests/"]),
];

/// Checks the source `text` of the file at `path` (relative to the repository's root).
pub fn check(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let tests_from = if is_test_file(path) { 0 } else { start_of_tests(&lines) };
    let mut violations = Vec::new();
    violations.extend(shape(path, &lines));
    violations.extend(long_functions(&lines));
    for (number, line) in lines.iter().enumerate() {
        violations.extend(of_line(path, line, number >= tests_from).map(|v| (number + 1, v)));
    }
    violations.into_iter().map(|(line, what)| format!("{path}:{line}: {what}")).collect()
}

type Found = (usize, String);

fn shape(path: &str, lines: &[&str]) -> Vec<Found> {
    let mut found = Vec::new();
    if !lines.first().is_some_and(|line| line.starts_with("//! ")) {
        found.push((1, "the first line must say in `//!` what the file is about".to_owned()));
    }
    if path.ends_with("/mod.rs") {
        found.push((1, "write foo.rs beside foo/, not mod.rs".to_owned()));
    }
    let code = start_of_tests(lines);
    let max = if path.ends_with("src/main.rs") { MAIN_LINES_MAX } else { FILE_LINES_MAX };
    if code > max {
        found.push((max + 1, format!("{code} lines without tests, more than {max}: split it")));
    }
    found
}

fn of_line(path: &str, line: &str, in_tests: bool) -> Option<String> {
    let columns = line.chars().count();
    if columns > COLUMNS_MAX {
        return Some(format!("{columns} columns, more than {COLUMNS_MAX}"));
    }
    let code = line.trim_start();
    if code.starts_with("//") {
        return None;
    }
    if let Some(word) = NOWHERE.iter().find(|word| code.contains(*word)) {
        return Some(format!("`{word}` stands nowhere in this repository"));
    }
    let sleeps = SLEEPS.iter().any(|sleep| code.contains(sleep));
    if in_tests && sleeps && !path.starts_with("tests/src/") {
        return Some("a test never sleeps: poll with a deadline, or pause the clock".to_owned());
    }
    let strayed = |(name, homes): &&(&str, &[&str])| {
        code.contains(name) && !homes.iter().any(|home| path.starts_with(home))
    };
    let (name, homes) = HOMES.iter().find(strayed)?;
    Some(format!("`{name}` belongs in {} alone", homes[0]))
}

/// Whether the whole file is test code.
fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// The index of the line at which the unit tests begin, or the number of lines.
fn start_of_tests(lines: &[&str]) -> usize {
    let opens = |index: usize| {
        lines[index + 1..]
            .iter()
            .find(|line| !line.starts_with("#["))
            .is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    };
    (0..lines.len()).find(|&at| lines[at] == "#[cfg(test)]" && opens(at)).unwrap_or(lines.len())
}

/// Finds functions whose body has too many lines, blank and comment lines not counted (clippy's
/// `too_many_lines` counts the same, but can be allowed away).
fn long_functions(lines: &[&str]) -> Vec<Found> {
    let starts = (0..lines.len()).filter(|&at| is_function(lines[at]));
    starts
        .filter_map(|at| {
            let body = body_lines(&lines[at..]);
            (body > FUNCTION_LINES_MAX).then(|| {
                (at + 1, format!("{body} lines of function, more than {FUNCTION_LINES_MAX}"))
            })
        })
        .collect()
}

fn is_function(line: &str) -> bool {
    let qualifier = |word: &&str| {
        word.starts_with("pub") || ["async", "const", "unsafe", "extern", "\"C\""].contains(word)
    };
    line.split_whitespace().find(|word| !qualifier(word)) == Some("fn")
}

/// Counts the lines of the function that begins at `lines[0]`: up to the `}` in its column.
fn body_lines(lines: &[&str]) -> usize {
    let indent = indent(lines[0]);
    if lines[0].ends_with(['}', ';']) {
        return 0;
    }
    let ends = |line: &&&str| {
        let code = line.trim_start();
        let declared = code.starts_with(')') && code.ends_with(';');
        line.len() - code.len() <= indent && (code.starts_with('}') || declared)
    };
    let Some(last) = lines[1..].iter().position(|line| ends(&line)) else { return 0 };
    let counts = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    lines[1..=last].iter().filter(counts).count()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "//! A file.\n";

    #[track_caller]
    fn passes(path: &str, text: &str) {
        assert_eq!(check(path, text), Vec::<String>::new());
    }

    #[track_caller]
    fn refused(path: &str, text: &str, because: &str) {
        let violations = check(path, text);
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert!(violations[0].contains(because), "{violations:?}");
    }

    fn function(body: usize) -> String {
        format!("{HEAD}pub async fn f() {{\n{}}}\n", "    g();\n".repeat(body))
    }

    #[test]
    fn a_file_says_what_it_is_about_in_its_first_line() {
        refused("a/src/b.rs", "use std::fmt;\n", "first line");
        refused("a/src/b.rs", "", "first line");
    }

    #[test]
    fn length_counts_up_to_the_tests() {
        let code = format!("{HEAD}{}", "use a;\n".repeat(499));
        let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &"    use a;\n".repeat(99) + "}\n";
        passes("a/src/b.rs", &(code.clone() + &tests));
        refused("a/src/b.rs", &(code.clone() + "use a;\n" + &tests), "501 lines");
        refused("a/src/b.rs", &(code + "#[cfg(test)]\nmod tests;\n"), "502 lines");
        let main = format!("{HEAD}{}", "use a;\n".repeat(80));
        refused("a/src/main.rs", &main, "81 lines");
    }

    #[test]
    fn a_function_has_70_lines_at_most() {
        passes("a/src/b.rs", &function(70));
        refused("a/src/b.rs", &function(71), "71 lines of function");
        let method = function(71).replace('\n', "\n    ");
        refused("a/src/b.rs", &format!("{HEAD}impl A {{\n    {method}\n}}\n"), "71 lines");
        let spread = function(71).replace("f() {", "f(\n    a: A,\n) -> B\nwhere\n    A: C,\n{");
        assert_eq!(check("a/src/b.rs", &spread).len(), 1);
    }

    #[test]
    fn comments_blank_lines_and_declarations_are_no_function_lines() {
        passes("a/src/b.rs", &function(70).replacen("    g();", "\n    // why\n    g();", 3));
        let declared = "trait A {\n    fn f(\n        a: A,\n    );\n    fn g();\n";
        passes("a/src/b.rs", &format!("{HEAD}{declared}{}}}\n", "    fn h();\n".repeat(90)));
    }

    #[test]
    fn columns_are_characters() {
        passes("a/src/b.rs", &format!("{HEAD}// {}\n", "ä".repeat(97)));
        refused("a/src/b.rs", &format!("{HEAD}// {}\n", "a".repeat(98)), "101 columns");
    }

    #[test]
    fn mod_rs_is_refused() {
        refused("a/src/b/mod.rs", HEAD, "mod.rs");
    }

    #[test]
    fn stubs_and_ignored_tests_are_refused() {
        for word in NOWHERE {
            refused("a/src/b.rs", &format!("{HEAD}    {word}\n"), "nowhere");
            passes("a/src/b.rs", &format!("{HEAD}    // {word}\n"));
        }
    }

    #[test]
    fn tests_never_sleep_but_code_and_the_testkit_may() {
        for sleep in SLEEPS {
            let line = format!("    {sleep}(delay).await;\n");
            let code = format!("{HEAD}{line}");
            let test = format!("{HEAD}#[cfg(test)]\nmod tests {{\n{line}}}\n");
            passes("agent/src/b.rs", &code);
            passes("tests/src/poll.rs", &code);
            refused("agent/src/b.rs", &test, "never sleeps");
            refused("agent/tests/b.rs", &code, "never sleeps");
            refused("tests/tests/b.rs", &code, "never sleeps");
        }
    }

    #[test]
    fn a_crate_outside_its_home_is_refused() {
        for (name, homes) in HOMES {
            let code = format!("{HEAD}use {name}Client;\n");
            refused("controller/src/api.rs", &code, "alone");
            passes(&format!("{}.rs", homes[0]), &code);
        }
    }
}
