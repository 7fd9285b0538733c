//! Results as a person reads them: a line a state, what changed, a summary.

use muster_states::{Error, Report, StateReturn};
use serde_json::{Map, Value};

/// Lines of one state's changes that are shown; the JSON has them all.
const CHANGE_LINES_MAX: usize = 200;
/// How far comments and changes stand to the right.
const INDENT: &str = "         ";

/// A colour, as a terminal takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    Red,
    Green,
    Yellow,
    Cyan,
    Dim,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Colour::Red => "31",
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Cyan => "36",
            Colour::Dim => "2",
        }
    }
}

/// Whether the environment allows colours (https://no-color.org).
pub(super) fn colours_wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
}

/// What was asked to be shown: YAML, as Salt's trees are written.
pub(super) fn data(value: &Value) -> String {
    match value {
        Value::Array(items) if items.is_empty() => "[]\n".to_owned(),
        Value::Object(map) if map.is_empty() => "{}\n".to_owned(),
        value => muster_states::write_yaml(value),
    }
}

/// Why nothing was run.
pub(super) fn errors(shown: &Value, errors: &[Error]) -> String {
    let mut text: String = errors.iter().map(|error| format!("error    {error}\n")).collect();
    if errors.is_empty() {
        let first = shown.get(0).unwrap_or(shown);
        text.push_str(&format!("error    {}\n", first.as_str().unwrap_or_default()));
    }
    text.push_str("nothing was run\n");
    text
}

/// A run.
pub(super) fn report(report: &Report, test: bool, colours: bool) -> String {
    let mut page = Page { text: String::new(), colours };
    for (key, state) in report.states() {
        page.state(key, state);
    }
    page.summary(report, test);
    page.text
}

struct Page {
    text: String,
    colours: bool,
}

impl Page {
    fn line(&mut self, colour: Option<Colour>, text: &str) {
        match colour.filter(|_| self.colours && !text.is_empty()) {
            Some(colour) => {
                self.text.push_str(&format!("\x1b[{}m{text}\x1b[0m", colour.code()));
            }
            None => self.text.push_str(text),
        }
        self.text.push('\n');
    }

    /// `changed  file.managed /etc/motd  12.3 ms`; Salt's key is `module_|-id_|-name_|-function`.
    fn state(&mut self, key: &str, state: &StateReturn) {
        let parts: Vec<&str> = key.split("_|-").collect();
        let function = match parts.as_slice() {
            [module, .., function] => format!("{module}.{function}"),
            _ => key.to_owned(),
        };
        let (word, colour) = match (state.result, state.changes.is_empty()) {
            (Some(false), _) => ("failed", Colour::Red),
            (None, _) => ("would", Colour::Yellow),
            (Some(true), false) => ("changed", Colour::Cyan),
            (Some(true), true) => ("ok", Colour::Green),
        };
        let name = state.name.to_string();
        let id = if state.id == name { "" } else { &*format!(" ({})", state.id) };
        let head = format!("{word:8} {function} {name}{id}  {:.1} ms", state.duration);
        let head = head.replace('\n', "\\n");
        self.line(Some(colour), &head);
        if word == "ok" {
            return;
        }
        for line in state.comment.lines().filter(|line| !line.is_empty()) {
            self.line(None, &format!("{INDENT}{line}"));
        }
        self.changes(&state.changes);
    }

    fn changes(&mut self, changes: &Map<String, Value>) {
        let mut lines = Vec::new();
        for (name, change) in changes {
            lines.extend(change_lines(name, change));
        }
        let more = lines.len().saturating_sub(CHANGE_LINES_MAX);
        for line in lines.iter().take(CHANGE_LINES_MAX) {
            let colour = match line.chars().next() {
                Some(_) if line.starts_with("--- ") || line.starts_with("+++ ") => {
                    Some(Colour::Dim)
                }
                Some('+') => Some(Colour::Green),
                Some('-') => Some(Colour::Red),
                Some('@') => Some(Colour::Cyan),
                Some(_) | None => None,
            };
            self.line(colour, &format!("{INDENT}{line}"));
        }
        if more > 0 {
            self.line(Some(Colour::Dim), &format!("{INDENT}... and {more} lines more"));
        }
    }

    fn summary(&mut self, report: &Report, test: bool) {
        let summary = report.summary();
        if summary.total == 0 {
            self.line(Some(Colour::Red), "no state was selected: the SLS are empty or excluded");
        }
        let would = if test { "would change" } else { "changed" };
        let fine = summary.total - summary.failed;
        self.line(
            Some(Colour::Green),
            &format!("Succeeded: {fine:4} ({would}: {})", summary.changed),
        );
        let colour = if summary.failed > 0 { Colour::Red } else { Colour::Green };
        self.line(Some(colour), &format!("Failed:    {:4}", summary.failed));
        let seconds = summary.duration.as_secs_f64();
        self.line(None, &format!("Total:     {:4} states, run time {seconds:.3} s", summary.total));
    }
}

/// A diff as it is; anything else as `name: old -> new`, or as YAML.
fn change_lines(name: &str, change: &Value) -> Vec<String> {
    if let (true, Some(diff)) = (matches!(name, "diff" | "patch"), change.as_str()) {
        return diff.lines().map(str::to_owned).collect();
    }
    let short = |value: &Value| match value {
        Value::String(text) if text.is_empty() => Some("''".to_owned()),
        Value::String(text) if !text.contains('\n') => Some(text.clone()),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(items) if items.is_empty() => Some("[]".to_owned()),
        Value::Object(map) if map.is_empty() => Some("{}".to_owned()),
        Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    };
    if let Some(text) = short(change) {
        return vec![format!("{name}: {text}")];
    }
    if let (2, Some(old), Some(new)) =
        (change.as_object().map_or(0, Map::len), change.get("old"), change.get("new"))
        && let (Some(old), Some(new)) = (short(old), short(new))
    {
        return vec![format!("{name}: {old} -> {new}")];
    }
    let (nested, text): (Vec<(String, &Value)>, Option<&str>) = match change {
        Value::Object(map) => (map.iter().map(|(key, value)| (key.clone(), value)).collect(), None),
        Value::Array(items) => (items.iter().map(|value| ("-".to_owned(), value)).collect(), None),
        Value::String(text) => (Vec::new(), Some(text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => (Vec::new(), None),
    };
    let inner = nested.into_iter().flat_map(|(key, value)| change_lines(&key, value));
    let inner = inner.chain(text.into_iter().flat_map(str::lines).map(str::to_owned));
    std::iter::once(format!("{name}:")).chain(inner.map(|line| format!("  {line}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run() -> Report {
        let state = |id: &str, result: Value, changes: Value, comment: &str| {
            json!({"name": "/etc/motd", "__id__": id, "result": result, "changes": changes,
                "comment": comment, "__sls__": "a", "__run_num__": 0, "start_time": "",
                "duration": 1.25})
        };
        let diff = "--- \n+++ \n@@ -1 +1 @@\n-old\n+new\n";
        serde_json::from_value(json!({
            "file_|-/etc/motd_|-/etc/motd_|-managed":
                state("/etc/motd", json!(true), json!({}), "C"),
            "file_|-b_|-/etc/motd_|-managed":
                state("b", json!(true), json!({"diff": diff, "mode": "0644"}), "Updated"),
            "file_|-c_|-/etc/motd_|-managed": state("c", json!(false), json!({}), "Bad\nworse"),
            "file_|-d_|-/etc/motd_|-managed":
                state("d", json!(null), json!({"a": {"old": "", "new": 1}}), "Would"),
        }))
        .unwrap()
    }

    #[test]
    fn each_state_is_a_line_and_the_counts_are_the_last() {
        let wanted = "\
ok       file.managed /etc/motd  1.2 ms
changed  file.managed /etc/motd (b)  1.2 ms
         Updated
         ---\u{20}
         +++\u{20}
         @@ -1 +1 @@
         -old
         +new
         mode: 0644
failed   file.managed /etc/motd (c)  1.2 ms
         Bad
         worse
would    file.managed /etc/motd (d)  1.2 ms
         Would
         a: '' -> 1
Succeeded:    3 (changed: 2)
Failed:       1
Total:        4 states, run time 0.005 s
";
        assert_eq!(report(&run(), false, false), wanted);
    }

    #[test]
    fn a_run_of_nothing_says_so() {
        let text = report(&serde_json::from_value(json!({})).unwrap(), false, false);
        assert!(text.starts_with("no state was selected: "), "{text}");
    }

    #[test]
    fn colours_are_only_around_whole_lines() {
        let text = report(&run(), true, true);
        assert!(text.contains("\x1b[31mfailed   file.managed /etc/motd (c)  1.2 ms\x1b[0m\n"));
        assert!(text.contains("\x1b[32m         +new\x1b[0m\n"), "{text}");
        assert!(text.contains("(would change: 2)"));
    }
}
