//! One event on one line.

use crate::output::{Output, Style, clean, clock, span};
use muster_protocol::event::{
    Alarm, Applied, Called, CommandResult, Event, Executed, Fired, PhaseChanged, Started,
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
        ("security", _) | (_, "failed" | "lost" | "alarm" | "refused" | "security") => Style::Bad,
        ("api", "read") => Style::Dim,
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
        ("agent", "fired") => event.read().map(fired),
        ("api", "called" | "read" | "refused") => event.read().map(called),
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

/// `my/tag: {..}`, and that it was of a dry run.
fn fired(fired: Fired) -> String {
    let Fired { tag, data, test, .. } = fired;
    // Of a state's return, what came of it.
    let data = match data.get("comment").filter(|_| data.get("__run_num__").is_some()) {
        Some(comment) => plain(comment),
        None => data.to_string(),
    };
    let dry = if test { " (dry run)" } else { "" };
    format!("{tag}{dry}: {data}")
}

/// `pool scale (pool compute, size 8)`, how often, and why it was refused if it was.
fn called(called: Called) -> String {
    let Called { noun, verb, ok, error, about, count, .. } = called;
    let fields = about.as_object().into_iter().flatten();
    let fields: Vec<String> =
        fields.map(|(name, value)| format!("{name} {}", plain(value))).collect();
    let mut text = format!("{noun} {verb}");
    if !fields.is_empty() && (!ok || count == 1) {
        text.push_str(&format!(" ({})", fields.join(", ")));
    }
    if count > 1 {
        text.push_str(&format!(", {count} times"));
    }
    match ok {
        true => text,
        false => {
            let error = error.unwrap_or_else(|| "no reason given".to_owned());
            format!("{text} was refused: {error}")
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => fields.values().map(plain).collect::<Vec<_>>().join(" "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
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
        let fired = Fired {
            tag: "my/tag".into(),
            key: "event_|-a_|-my/tag_|-send".into(),
            revision: 3,
            test: false,
            data: json!({"a": 1}),
            cut: false,
        };
        check("muster.event.agent.w.fired", &fired, "agent.w.fired  my/tag: {\"a\":1}");
        let data = json!({"comment": "Success!", "__run_num__": 0});
        let fired = Fired { test: true, data, ..fired };
        check("muster.event.agent.w.fired", fired, "agent.w.fired  my/tag (dry run): Success!");
        let alarm = Alarm { who: "w".into(), what: "other\nkeys".into() };
        check("muster.event.security.w.keys", alarm, "security.w.keys  w: other keys");
        let scaled = Called {
            user: "a".into(),
            role: "operator".into(),
            host: "10.0.0.1".into(),
            noun: "pool".into(),
            verb: "scale".into(),
            ok: true,
            error: None,
            about: json!({"pool": "p", "size": 8}),
            count: 1,
        };
        check("muster.event.api.a.called", &scaled, "api.a.called  pool scale (pool p, size 8)");
        let about = json!({"target": {"names": "a,b"}});
        let (noun, verb) = ("worker".into(), "mark".into());
        let refused = Called { noun, verb, ok: false, error: Some("no".into()), about, ..scaled };
        let told = "api.a.refused  worker mark (target a,b) was refused: no";
        check("muster.event.api.a.refused", &refused, told);
        let read = Called { ok: true, count: 57, about: Value::Null, ..refused };
        check("muster.event.api.a.read", read, "api.a.read  worker mark, 57 times");
    }

    #[test]
    fn others_are_told_as_they_are() {
        check("muster.event.job.7.begun", json!({"nodes": 2}), "job.7.begun  {\"nodes\":2}");
        check("muster.event.agent.w.applied", json!(3), "agent.w.applied  3");
    }
}
