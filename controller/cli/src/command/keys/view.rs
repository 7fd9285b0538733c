//! The keys as people and programs read them.

use crate::output::{Cell, Rfc3339, Style, Table, clock, span};
use muster_protocol::api::{KeyKind, KeyState, KeyView, KeysView, RevocationsView};
use serde::Serialize;

/// So much of a public half tells it from others; `-o json` has all of it.
const PUBLIC_CHARS: usize = 16;
/// Nearer ends are marked.
const SOON_MILLIS: i64 = 14 * 86_400_000;

/// The keys as programs read them.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    serial: u64,
    now: Rfc3339,
    keys: Vec<ShownKey<'a>>,
    revocations: ShownRevocations,
    settled: bool,
    not_renewed: u32,
}

#[derive(Debug, Serialize)]
struct ShownKey<'a> {
    name: &'a str,
    kind: KeyKind,
    public: &'a str,
    state: KeyState,
    since: Option<Rfc3339>,
    until: Option<Rfc3339>,
}

#[derive(Debug, Serialize)]
struct ShownRevocations {
    count: u32,
    count_max: u32,
    bytes: u64,
    bytes_max: u64,
    everybody: Option<Rfc3339>,
}

impl<'a> Shown<'a> {
    pub(super) fn of(view: &'a KeysView) -> Shown<'a> {
        let RevocationsView { count, count_max, bytes, bytes_max, everybody } = view.revocations;
        let key = |key: &'a KeyView| ShownKey {
            name: &key.name,
            kind: key.kind,
            public: &key.public,
            state: key.state,
            since: key.since.map(Rfc3339),
            until: key.until.map(Rfc3339),
        };
        Shown {
            serial: view.serial,
            now: Rfc3339(view.now),
            keys: view.keys.iter().map(key).collect(),
            revocations: ShownRevocations {
                count,
                count_max,
                bytes,
                bytes_max,
                everybody: everybody.map(Rfc3339),
            },
            settled: view.settled,
            not_renewed: view.not_renewed,
        }
    }
}

/// A line a key.
pub(super) fn table(view: &KeysView) -> Table {
    let mut table = Table::new(&["KEY", "STATE", "PUBLIC", "SINCE", "UNTIL"]);
    for key in &view.keys {
        let public: String = key.public.chars().take(PUBLIC_CHARS).collect();
        let left = key.until.map(|until| until.since(view.now));
        let until = match key.until {
            Some(until) => Cell::text(clock(until)),
            None if key.state == KeyState::Replaced => Cell::text("dropped"),
            None => Cell::maybe(None::<&str>),
        };
        let soon = key.state == KeyState::Present && left.is_some_and(|left| left < SOON_MILLIS);
        table.row([
            Cell::text(&key.name),
            state(key.state),
            Cell::text(public),
            Cell::maybe(key.since.map(clock)),
            if soon { until.styled(Style::Bad) } else { until },
        ]);
    }
    table
}

fn state(state: KeyState) -> Cell {
    match state {
        KeyState::Present => Cell::text("present"),
        KeyState::Offline => Cell::text("kept elsewhere").styled(Style::Dim),
        KeyState::Coming => Cell::text("coming").styled(Style::Busy),
        KeyState::Replaced => Cell::text("replaced").styled(Style::Busy),
    }
}

/// What is no key.
pub(super) fn summary(view: &KeysView) -> Vec<String> {
    let RevocationsView { count, count_max, bytes, bytes_max, everybody } = view.revocations;
    let mut all =
        vec![format!("{count} of {count_max} revocations, {bytes} of {bytes_max} bytes of claims")];
    if let Some(upto) = everybody {
        let ago = span(view.now.since(upto));
        all.push(format!("all agents' credentials of {ago} ago and before are void"));
    }
    if !view.settled {
        all.push("the servers are being told of the last change".to_owned());
    }
    if view.keys.iter().any(|key| key.state == KeyState::Replaced && key.kind != KeyKind::Command) {
        all.push(match view.not_renewed {
            0 => "each live agent has a newer credential: muster keys drop-old".to_owned(),
            1 => "1 live agent has no newer credential yet".to_owned(),
            more => format!("{more} live agents have no newer credential yet"),
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::id::UnixMillis;

    fn view() -> KeysView {
        let key = |name: &str, state, since: Option<i64>, until: Option<i64>| KeyView {
            name: name.into(),
            kind: KeyKind::Role,
            public: "AABBCCDDEEFFGGHHIIJJ".into(),
            state,
            since: since.map(UnixMillis),
            until: until.map(UnixMillis),
        };
        KeysView {
            serial: 3,
            now: UnixMillis(120_000),
            keys: vec![
                key("root", KeyState::Offline, None, None),
                key("role-agent", KeyState::Present, Some(1_000), None),
                key("role-agent", KeyState::Replaced, None, Some(86_400_000)),
                key("role-admin", KeyState::Replaced, None, None),
            ],
            revocations: RevocationsView {
                count: 2,
                count_max: 10_000,
                bytes: 5_000,
                bytes_max: 1 << 20,
                everybody: Some(UnixMillis(60_000)),
            },
            settled: true,
            not_renewed: 2,
        }
    }

    #[test]
    fn keys_are_shown_with_their_ends() {
        let expected = "\
KEY         STATE           PUBLIC            SINCE                     UNTIL
root        kept elsewhere  AABBCCDDEEFFGGHH  -                         -
role-agent  present         AABBCCDDEEFFGGHH  1970-01-01 00:00:01.000Z  -
role-agent  replaced        AABBCCDDEEFFGGHH  -                         1970-01-02 00:00:00.000Z
role-admin  replaced        AABBCCDDEEFFGGHH  -                         dropped
";
        assert_eq!(table(&view()).render(false), expected);
        let expected = [
            "2 of 10000 revocations, 5000 of 1048576 bytes of claims",
            "all agents' credentials of 1 min ago and before are void",
            "2 live agents have no newer credential yet",
        ];
        assert_eq!(summary(&view()), expected);
    }

    #[test]
    fn programs_read_whole_keys_and_times() {
        let value = serde_json::to_value(Shown::of(&view())).unwrap();
        assert_eq!(value["keys"][2]["until"], "1970-01-02T00:00:00.000Z");
        assert_eq!(value["keys"][1]["public"], "AABBCCDDEEFFGGHHIIJJ");
        assert_eq!((&value["keys"][1]["state"], &value["serial"]), (&"present".into(), &3.into()));
    }
}
