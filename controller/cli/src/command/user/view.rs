//! People, for people and for programs.

use crate::output::{Cell, Rfc3339, Style, Table, span};
use muster_protocol::api::{PersonRole, UserState, UserView};
use muster_protocol::id::{UnixMillis, UserName};
use serde::Serialize;

/// A person with the times written out.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    name: &'a UserName,
    role: PersonRole,
    state: UserState,
    added_by: &'a str,
    added: Rfc3339,
    expires: Option<Rfc3339>,
    renewable: bool,
    revoked: Option<Rfc3339>,
    revoked_by: Option<&'a str>,
    last_call: Option<Rfc3339>,
}

impl<'a> Shown<'a> {
    /// The person as programs read it.
    pub(super) fn of(view: &'a UserView) -> Shown<'a> {
        Shown {
            name: &view.name,
            role: view.role,
            state: view.state,
            added_by: &view.added_by,
            added: Rfc3339(view.added),
            expires: view.expires.map(Rfc3339),
            renewable: view.renewable,
            revoked: view.revoked.as_ref().map(|(at, _)| Rfc3339(*at)),
            revoked_by: view.revoked.as_ref().map(|(_, by)| by.as_str()),
            last_call: view.last_call.map(Rfc3339),
        }
    }
}

/// People as a table.
pub(super) fn table(people: &[UserView], now: UnixMillis) -> Table {
    let head = ["USER", "ROLE", "STATE", "ENDS IN", "RENEWS", "LAST CALL", "ADDED BY"];
    let mut table = Table::new(&head);
    let ago = |at: UnixMillis| format!("{} ago", span(now.since(at).max(0)));
    for view in people {
        let active = view.state == UserState::Active;
        table.row([
            Cell::text(&view.name),
            Cell::text(view.role),
            state(view, now),
            match view.expires.filter(|_| active) {
                Some(end) => Cell::text(span(end.since(now).max(0))),
                None if active => Cell::text("never"),
                None => Cell::maybe(None::<&str>),
            },
            Cell::text(if view.renewable { "yes" } else { "no" }),
            Cell::maybe(view.last_call.map(ago)),
            Cell::text(&view.added_by),
        ]);
    }
    table
}

fn state(view: &UserView, now: UnixMillis) -> Cell {
    let revoked = match &view.revoked {
        Some((at, by)) => format!("revoked by {by} {} ago", span(now.since(*at).max(0))),
        None => String::new(),
    };
    match view.state {
        UserState::Active => Cell::text("active").styled(Style::Good),
        UserState::Expired => Cell::text("expired").styled(Style::Dim),
        UserState::Revoked => Cell::text(revoked).styled(Style::Dim),
        UserState::Revoking => Cell::text(revoked + ", not cut yet").styled(Style::Bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn people() -> [UserView; 3] {
        let anna = UserView {
            name: "anna".parse().unwrap(),
            role: PersonRole::Admin,
            state: UserState::Active,
            added_by: "init".into(),
            added: UnixMillis(0),
            expires: Some(UnixMillis(86_400_000)),
            renewable: true,
            revoked: None,
            last_call: Some(UnixMillis(60_000)),
        };
        let revoked = Some((UnixMillis(110_000), "anna".to_owned()));
        let (vera, otto) = ("vera".parse().unwrap(), "otto".parse().unwrap());
        let vera = UserView {
            name: vera,
            role: PersonRole::Viewer,
            state: UserState::Revoking,
            added_by: "anna".into(),
            renewable: false,
            revoked,
            last_call: None,
            ..anna.clone()
        };
        let otto =
            UserView { name: otto, state: UserState::Expired, revoked: None, ..vera.clone() };
        [anna, vera, otto]
    }

    #[test]
    fn people_are_shown_with_what_they_may_and_until_when() {
        let expected = "\
USER  ROLE    STATE                                      ENDS IN      RENEWS  LAST CALL  ADDED BY
anna  admin   active                                     23 h 58 min  yes     1 min ago  init
vera  viewer  revoked by anna 10.0 s ago, not cut yet  -            no      -          anna
otto  viewer  expired                                    -            no      -          anna
";
        let text = table(&people(), UnixMillis(120_000)).render(false);
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeeze(&text), squeeze(expected));
    }

    #[test]
    fn programs_read_times_and_states() {
        let [anna, vera, _] = people();
        let value = serde_json::to_value([Shown::of(&anna), Shown::of(&vera)]).unwrap();
        assert_eq!(value[0]["expires"], "1970-01-02T00:00:00.000Z");
        assert_eq!((&value[0]["state"], &value[0]["role"]), (&"active".into(), &"admin".into()));
        assert_eq!(
            (&value[1]["state"], &value[1]["revoked_by"]),
            (&"revoking".into(), &"anna".into())
        );
    }
}
