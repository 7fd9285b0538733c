//! What a person sees of a call: each result as it comes, a progress line, and the summary.

use super::collect::Watcher;
use super::tally::{Report, Summary, Tally, UNTOLD, applied};
use crate::command::worker::counts;
use crate::failure::Result;
use crate::output::{Output, Progress, Style, clean, note, span};
use muster_protocol::command::{Reply, Verb};
use muster_protocol::event::{Applied, CommandResult, Executed};
use serde::Deserialize;
use serde_json::Value;

/// Missing workers that the progress line names.
const NAMED_MAX: usize = 3;

/// What is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Show {
    /// Every state of an apply.
    pub(crate) verbose: bool,
    /// These facts; all if empty.
    pub(crate) facts: Vec<String>,
}

impl Show {
    /// What writes it.
    pub(crate) fn printer(self, verb: &Verb, output: Output) -> Printer {
        let verb = verb.clone();
        Printer { show: self, verb, output, progress: Progress::new(), width: 0 }
    }
}

/// Writes results as they come; for programs, all of them at the end.
#[derive(Debug)]
pub(crate) struct Printer {
    show: Show,
    verb: Verb,
    output: Output,
    progress: Progress,
    width: usize,
}

impl Watcher for Printer {
    fn asked(&mut self, tally: &Tally) -> Result<()> {
        self.width = tally.missing().iter().map(String::len).max().unwrap_or(0);
        self.draw(tally);
        Ok(())
    }

    fn came(&mut self, result: &CommandResult, tally: &Tally) -> Result<()> {
        if self.output.is_table() {
            self.progress.clear();
            self.output.text(&self.block(result))?;
        }
        self.draw(tally);
        Ok(())
    }
}

impl Printer {
    /// Writes the summary, or for programs everything.
    pub(crate) fn finish(&mut self, report: &Report) -> Result<()> {
        self.progress.clear();
        if !self.output.is_table() {
            return self.output.value(report);
        }
        // Those that the controller told of were written as they came.
        let untold = |result: &&CommandResult| result.error.as_deref() == Some(UNTOLD);
        for result in report.results.iter().filter(untold) {
            self.output.text(&self.block(result))?;
        }
        self.output.line(&summary(&report.summary, &self.verb, &self.output))
    }

    /// Says that it goes on without us.
    pub(crate) fn interrupted(&mut self) {
        self.progress.clear();
        note("interrupted; what the workers were asked to do goes on");
    }

    fn draw(&mut self, tally: &Tally) {
        let (done, all) = tally.progress();
        if done == all {
            return self.progress.clear();
        }
        let missing = tally.missing();
        let named: Vec<&str> = missing.iter().take(NAMED_MAX).map(String::as_str).collect();
        let more = if missing.len() > NAMED_MAX { ", ..." } else { "" };
        let verb = self.verb.name();
        let named = named.join(", ");
        self.progress.draw(&format!("{verb}: {done} of {all}; waiting for {named}{more}"));
    }

    /// One worker's lines.
    fn block(&self, result: &CommandResult) -> String {
        let (word, style) = match (result.answered, result.ok) {
            (true, true) => ("ok", Style::Good),
            (true, false) => ("FAILED", Style::Bad),
            (false, _) => ("SILENT", Style::Busy),
        };
        let name = clean(&result.worker);
        let (first, rest) = self.says(result);
        let took = span(i64::try_from(result.millis).unwrap_or(i64::MAX));
        let word = self.output.paint(style, &format!("{word:<6}"));
        let width = self.width;
        let first = clean(&first).replace('\n', " ");
        let first = if first.is_empty() { String::new() } else { format!("{first}  ") };
        let took = self.output.paint(Style::Dim, &format!("({took})"));
        let mut text = format!("{name:<width$}  {word}  {first}{took}\n");
        for line in rest.iter().flat_map(|part| part.lines()) {
            text.push_str(&format!("    {}\n", self.safe(line)));
        }
        text
    }

    /// A worker's words are made harmless for a terminal, and left as they are in a file.
    fn safe(&self, line: &str) -> String {
        if self.output.is_terminal() { clean(line) } else { line.to_owned() }
    }

    fn says(&self, result: &CommandResult) -> (String, Vec<String>) {
        if let Some(applied) = applied(result) {
            return apply(&applied, result.error.as_deref(), self.show.verbose);
        }
        if let Ok(executed) = Executed::deserialize(&result.data) {
            return exec(&executed, result.error.as_deref());
        }
        let error = result.error.clone().unwrap_or_default();
        match Reply::deserialize(&result.data) {
            Ok(Reply::Pong { version, up_millis }) => {
                let up = span(i64::try_from(up_millis).unwrap_or(i64::MAX));
                (format!("agent {version}, up {up}"), vec![])
            }
            Ok(Reply::Facts(facts)) => {
                let wanted = &self.show.facts;
                let shown = |name: &String| wanted.is_empty() || wanted.contains(name);
                let lines = facts.iter().filter(|(name, _)| shown(name));
                (error, lines.map(|(name, value)| format!("{name}: {}", plain(value))).collect())
            }
            Ok(Reply::Refused(why)) if error.is_empty() => (why, vec![]),
            Ok(Reply::Refused(_) | Reply::Accepted) | Err(_) => (error, vec![]),
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn exec(executed: &Executed, error: Option<&str>) -> (String, Vec<String>) {
    let end = match (executed.code, executed.error.as_deref().or(error)) {
        (Some(code), None) => format!("exit code {code}"),
        (_, Some(error)) => error.to_owned(),
        (None, None) => "killed".to_owned(),
    };
    let end = if executed.truncated { format!("{end}, output cut") } else { end };
    (end, vec![executed.stdout.clone(), executed.stderr.clone()])
}

fn apply(applied: &Applied, error: Option<&str>, verbose: bool) -> (String, Vec<String>) {
    let first = match (applied.errors.is_empty(), error) {
        (false, _) => "nothing was run".to_owned(),
        (true, Some(error)) if applied.outcome.failed == 0 => error.to_owned(),
        (true, _) => counts(&applied.outcome),
    };
    let mut lines = applied.errors.clone();
    let none = serde_json::Map::new();
    let mut states: Vec<(&String, &Value)> =
        applied.states.as_object().unwrap_or(&none).iter().collect();
    states.sort_by_key(|(_, state)| state["__run_num__"].as_u64());
    for (key, state) in states {
        let failed = state["result"] == Value::Bool(false);
        if failed || verbose {
            lines.extend(one_state(key, state));
        }
    }
    (first, lines)
}

/// `FAILED  file.managed  /etc/motd: comment`, and below it what changed.
fn one_state(key: &str, state: &Value) -> Vec<String> {
    let changes = state["changes"].as_object().filter(|changes| !changes.is_empty());
    let word = match (&state["result"], changes) {
        (Value::Bool(false), _) => "FAILED",
        (Value::Null, _) => "would",
        (_, Some(_)) => "changed",
        (_, None) => "ok",
    };
    // Salt's key: module_|-id_|-name_|-function.
    let parts: Vec<&str> = key.split("_|-").collect();
    let (what, name) = match parts[..] {
        [module, _, name, function] => (format!("{module}.{function}"), name),
        _ => (key.to_owned(), ""),
    };
    let comment = state["comment"].as_str().unwrap_or_default();
    let mut comment = comment.lines();
    let mut lines = vec![format!("{word:<7}  {what}  {name}: {}", comment.next().unwrap_or(""))];
    lines.extend(comment.map(|line| format!("         {line}")));
    for (name, change) in changes.into_iter().flatten() {
        let text = plain(change);
        let mut text = text.lines();
        lines.push(format!("         {name}: {}", text.next().unwrap_or("")));
        lines.extend(text.map(|line| format!("           {line}")));
    }
    lines
}

/// `3 of 5 succeeded (2 changed), failed: c; did not answer: d, e`.
fn summary(summary: &Summary, verb: &Verb, output: &Output) -> String {
    let Summary { total, succeeded, changed, failed, did_not_answer } = summary;
    let changed = match verb {
        Verb::Apply { test: true, .. } => format!(" ({changed} would change)"),
        Verb::Apply { test: false, .. } => format!(" ({changed} changed)"),
        Verb::Ping | Verb::Facts | Verb::Renew | Verb::Exec { .. } => String::new(),
    };
    let style = if succeeded == total { Style::Good } else { Style::Plain };
    let mut text = output.paint(style, &format!("{succeeded} of {total} succeeded{changed}"));
    for (what, names, style) in
        [("failed", failed, Style::Bad), ("did not answer", did_not_answer, Style::Busy)]
    {
        if !names.is_empty() {
            let told = format!("; {} {what}: {}", names.len(), names.join(", "));
            text.push_str(&output.paint(style, &told));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tally::result;
    use super::*;
    use crate::output::Format;
    use muster_protocol::id::Token;
    use serde_json::json;

    fn printer(verb: Verb, verbose: bool) -> Printer {
        let show = Show { verbose, facts: vec![] };
        Printer { width: 4, ..show.printer(&verb, Output::new(Format::Table)) }
    }

    const APPLY: Verb = Verb::Apply { sls: vec![], test: false, revision: 0 };

    fn applied_data() -> Value {
        json!({
            "command": null, "revision": 1, "highstate": true, "errors": [],
            "outcome": {"total": 3, "changed": 1, "failed": 1, "duration_millis": 5},
            "states": {
                "cmd_|-go_|-/bin/false_|-run": {
                    "result": false, "comment": "exit code 1\nno more", "changes": {},
                    "__run_num__": 1,
                },
                "file_|-motd_|-/etc/motd_|-managed": {
                    "result": true, "comment": "updated", "changes": {"diff": "-a\n+b"},
                    "__run_num__": 0,
                },
                "user_|-u_|-u_|-present": {
                    "result": true, "comment": "is there", "changes": {}, "__run_num__": 2,
                },
            },
        })
    }

    #[test]
    fn an_apply_shows_what_failed() {
        let text = printer(APPLY, false).block(&result("w-1", false, applied_data()));
        let expected = "\
w-1   FAILED  3 states, 1 changed, 1 failed  (12 ms)
    FAILED   cmd.run  /bin/false: exit code 1
             no more
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_verbose_apply_shows_all_states_in_their_order() {
        let text = printer(APPLY, true).block(&result("w-1", false, applied_data()));
        let expected = "\
w-1   FAILED  3 states, 1 changed, 1 failed  (12 ms)
    changed  file.managed  /etc/motd: updated
             diff: -a
               +b
    FAILED   cmd.run  /bin/false: exit code 1
             no more
    ok       user.present  u: is there
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_tree_that_could_not_be_run_shows_its_errors() {
        let mut data = applied_data();
        data["errors"] = json!(["top.sls:3: no such file"]);
        data["states"] = json!({});
        let text = printer(APPLY, false).block(&result("w-1", false, data));
        assert_eq!(text, "w-1   FAILED  nothing was run  (12 ms)\n    top.sls:3: no such file\n");
    }

    #[test]
    fn answers_are_shown_by_verb() {
        let pong = serde_json::to_value(Reply::Pong { version: "0.1.0".into(), up_millis: 61_000 });
        let text = printer(Verb::Ping, false).block(&result("w-1", true, pong.unwrap()));
        assert_eq!(text, "w-1   ok      agent 0.1.0, up 1 min 1 s  (12 ms)\n");
        let facts =
            Reply::Facts([("os".into(), json!("Debian")), ("cpus".into(), json!(4))].into());
        let facts = serde_json::to_value(facts).unwrap();
        let text = printer(Verb::Facts, false).block(&result("w-1", true, facts));
        assert_eq!(text, "w-1   ok      (12 ms)\n    cpus: 4\n    os: Debian\n");
        let executed = Executed {
            command: Token::random([0; 26]),
            code: Some(3),
            stdout: "a\nb\n".into(),
            stderr: "c\n".into(),
            truncated: false,
            error: None,
            duration_millis: 4,
        };
        let verb = Verb::Exec { argv: vec![], timeout_secs: 1 };
        let data = serde_json::to_value(executed).unwrap();
        let failed = CommandResult { error: None, ..result("w-1", false, data) };
        let text = printer(verb, false).block(&failed);
        assert_eq!(text, "w-1   FAILED  exit code 3  (12 ms)\n    a\n    b\n    c\n");
    }

    #[test]
    fn the_summary_names_who_failed_and_who_is_silent() {
        let sum = Summary {
            total: 5,
            succeeded: 2,
            changed: 1,
            failed: vec!["c".into()],
            did_not_answer: vec!["d".into(), "e".into()],
        };
        let output = Output::new(Format::Table);
        assert_eq!(
            summary(&sum, &APPLY, &output),
            "2 of 5 succeeded (1 changed); 1 failed: c; 2 did not answer: d, e"
        );
        let all = Summary { total: 2, succeeded: 2, ..Summary::default() };
        assert_eq!(summary(&all, &Verb::Ping, &output), "2 of 2 succeeded");
    }
}
