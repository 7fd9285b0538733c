//! One event on one line.

use crate::output::{Output, Style, clean, clock, span};
use muster_protocol::event::{
    Alarm, Applied, CommandResult, Event, Executed, PhaseChanged, Started,
};
use muster_protocol::subject::EVENT_PREFIX;
use serde_json::Value;

/// Characters of an event's data; `-o json` shows all.
const DATA_CHARS_MAX: usize = 160;

/// Time, subject, and what there is to say.
pub(crate) fn line(output: &Output, subject: &str, event: &Event) -> String {
    let short = subject.strip_prefix(EVENT_PREFIX).unwrap_or(subject);
    let mut text = clean(&say(short, event)).replace(['\n', '\t'], " ");
    if text.chars().count() > DATA_CHARS_MAX {
        text = text.chars().take(DATA_CHARS_MAX - 3).chain("...".chars()).collect();
    }
    let time = output.paint(Style::Dim, &clock(event.at));
    let subject = output.paint(Style::Head, &clean(short));
    format!("{time}  {subject}  {}", output.paint(style(short), &text))
}

fn style(short: &str) -> Style {
    let (source, kind) = ends(short);
    match (source, kind) {
        ("security", _) | (_, "failed" | "lost" | "alarm" | "security") => Style::Bad,
        ("worker", "ready") => Style::Good,
        (_, _) => Style::Plain,
    }
}

fn ends(short: &str) -> (&str, &str) {
    let source = short.split('.').next().unwrap_or_default();
    (source, short.rsplit('.').next().unwrap_or_default())
}

/// In words for the kinds that are known, else the data as JSON.
fn say(short: &str, event: &Event) -> String {
    let words = match ends(short) {
        ("worker", "first_sample") => event.data["millis"].as_i64().map(after_launch),
        ("worker", _) => event.read().map(phase),
        ("agent", "started") => event.read().map(started),
        ("agent", "applied" | "failed") => event.read().map(applied),
        ("agent", "schema") => {
            event.data["metrics"].as_array().map(|metrics| format!("{} metrics", metrics.len()))
        }
        ("agent", "executed") => event.read().map(executed),
        ("api", "called") => called(&event.data),
        ("api", "result") => event.read().map(result),
        ("security", _) | ("agent", "alarm" | "security") => {
            event.read().map(|Alarm { who, what }| format!("{who}: {what}"))
        }
        (_, _) => None,
    };
    words.unwrap_or_else(|| event.data.to_string())
}

fn phase(change: PhaseChanged) -> String {
    let PhaseChanged { from, to, reason, millis, generation, .. } = change;
    let mut text = if from.is_empty() { to } else { format!("{from} -> {to}") };
    if generation > 1 {
        text.push_str(&format!(", generation {generation}"));
    }
    if let Some(millis) = millis.filter(|millis| *millis > 0) {
        text.push_str(&format!(", {}", after_launch(millis)));
    }
    match reason {
        Some(reason) => format!("{text}: {reason}"),
        None => text,
    }
}

fn after_launch(millis: i64) -> String {
    format!("{} after the launch", span(millis))
}

fn started(started: Started) -> String {
    let what = if started.fresh { "agent started" } else { "agent reconnected" };
    format!("{what}, release {}, desired state {}", started.version, started.revision)
}

fn applied(applied: Applied) -> String {
    if let Some(first) = applied.errors.first() {
        return format!("nothing was run: {first}");
    }
    let counts = crate::command::worker::counts(&applied.outcome);
    format!("{counts}, {}", millis(applied.outcome.duration_millis))
}

fn executed(executed: Executed) -> String {
    let end = match (executed.code, &executed.error) {
        (_, Some(error)) => error.clone(),
        (Some(code), None) => format!("exit code {code}"),
        (None, None) => "killed".to_owned(),
    };
    format!("{end}, {}", millis(executed.duration_millis))
}

/// `pool scale`, and why it was refused if it was.
fn called(data: &Value) -> Option<String> {
    let text = |name: &str| data[name].as_str();
    let call = format!("{} {}", text("noun")?, text("verb")?);
    Some(match (data["ok"].as_bool()?, text("error")) {
        (true, _) => call,
        (false, error) => format!("{call} was refused: {}", error.unwrap_or("no reason given")),
    })
}

fn result(result: CommandResult) -> String {
    let end = match (result.ok, result.answered, result.error) {
        (true, _, _) => "ok".to_owned(),
        (false, false, _) => "did not answer".to_owned(),
        (false, true, error) => error.unwrap_or_else(|| "failed".to_owned()),
    };
    format!("{}: {end}, {}", result.worker, millis(result.millis))
}

fn millis(millis: u64) -> String {
    span(i64::try_from(millis).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use muster_protocol::id::{Token, UnixMillis};
    use serde::Serialize;
    use serde_json::json;

    #[track_caller]
    fn check(subject: &str, data: impl Serialize, expected: &str) {
        let event = Event::new(Token::random([0; 26]), UnixMillis(1_000), &data);
        let text = line(&Output::new(Format::Table), subject, &event);
        let start = "1970-01-01 00:00:01.000Z  ";
        assert_eq!(text.strip_prefix(start), Some(expected), "{text}");
    }

    #[test]
    fn known_kinds_are_told_in_words() {
        let change = PhaseChanged {
            agent_id: "w-aaaaaaaaaaaa".into(),
            pool: "p".into(),
            generation: 2,
            from: "configuring".into(),
            to: "ready".into(),
            reason: None,
            millis: Some(1_512),
        };
        check(
            "muster.event.worker.w.ready",
            change,
            "worker.w.ready  configuring -> ready, generation 2, 1.5 s after the launch",
        );
        let alarm = Alarm { who: "w".into(), what: "other\nkeys".into() };
        check("muster.event.security.w.keys", alarm, "security.w.keys  w: other keys");
        let scaled = json!({"user": "a", "noun": "pool", "verb": "scale", "ok": true});
        check("muster.event.api.a.called", scaled, "api.a.called  pool scale");
    }

    #[test]
    fn others_are_told_as_they_are() {
        check("muster.event.job.7.begun", json!({"nodes": 2}), "job.7.begun  {\"nodes\":2}");
        check("muster.event.agent.w.applied", json!(3), "agent.w.applied  3");
    }
}
