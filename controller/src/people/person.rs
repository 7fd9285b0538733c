//! One person's document, and what can become of it. Pure.

use muster_protocol::api::{PersonRole, UserState};
use muster_protocol::id::{Token, UnixMillis, UserName};
use muster_protocol::wire::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Keys whose credentials are void: up to when what was issued is void, and until when that lives.
pub type Void = BTreeMap<String, (UnixMillis, UnixMillis)>;

/// Keys of a name's earlier lives that are remembered: a name that is revoked and added again more
/// often, before those credentials have ended, needs another name.
pub const FORMER_MAX: usize = 100;

/// A person who may call, or once could.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The name in each call.
    pub name: UserName,
    /// What the person may do.
    pub role: PersonRole,
    /// The key of the person's credentials; a renewal keeps it, and no two lives share one.
    pub public_key: String,
    /// When the newest credential was issued.
    pub issued: UnixMillis,
    /// When the newest credential ends; never if absent.
    pub expires: Option<UnixMillis>,
    /// How long each credential lives.
    pub days: u32,
    /// The person may renew it.
    pub renewable: bool,
    /// Who added the person.
    pub added_by: String,
    /// When.
    pub added: UnixMillis,
    /// When the credential was made void, and by whom.
    pub revoked: Option<(UnixMillis, String)>,
    /// Keys of earlier lives of the name whose credentials could still live.
    pub former: Void,
    /// The servers know of all that is void.
    pub cut: bool,
    /// The write's own id.
    pub op_id: Token,
}

impl Message for Person {
    const NAME: &'static str = "person";
}

impl Person {
    /// Whether the newest credential has ended by itself.
    #[must_use]
    pub fn has_ended(&self, now: UnixMillis) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }

    /// Whether the person can call.
    #[must_use]
    pub fn state(&self, now: UnixMillis) -> UserState {
        match (&self.revoked, self.has_ended(now)) {
            (Some(_), _) if !self.cut && !self.void(now).is_empty() => UserState::Revoking,
            (Some(_), _) => UserState::Revoked,
            (None, true) => UserState::Expired,
            (None, false) => UserState::Active,
        }
    }

    /// The person without a right. What was issued by another controller, whose clock may be ahead,
    /// is void too.
    #[must_use]
    pub fn revoke(self, by: &str, now: UnixMillis) -> Person {
        let at = now.max(self.issued);
        Person { revoked: Some((at, by.to_owned())), cut: false, ..self }
    }

    /// What the servers must refuse, as long as it would live.
    #[must_use]
    pub fn void(&self, now: UnixMillis) -> Void {
        let mut void = self.former.clone();
        if let Some((at, _)) = self.revoked {
            void.insert(self.public_key.clone(), (at, self.until()));
        }
        void.retain(|_, (_, until)| *until > now);
        void
    }

    /// What is void when another life of the same name begins: all that this one had.
    #[must_use]
    pub fn leave(self, now: UnixMillis) -> Void {
        self.revoke("", now).void(now)
    }

    fn until(&self) -> UnixMillis {
        self.expires.unwrap_or(UnixMillis(i64::MAX))
    }
}

#[cfg(test)]
pub(crate) fn example(name: &str, role: PersonRole, public_key: &str) -> Person {
    Person {
        name: name.parse().unwrap(),
        role,
        public_key: public_key.to_owned(),
        issued: UnixMillis(1_000),
        expires: Some(UnixMillis(100_000)),
        days: 30,
        renewable: true,
        added_by: "anna".into(),
        added: UnixMillis(1_000),
        revoked: None,
        former: Void::new(),
        cut: true,
        op_id: "op".parse().unwrap(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vera() -> Person {
        example("vera", PersonRole::Viewer, "UVERA")
    }

    /// Guards: `max(self.issued)` in [`Person::revoke`].
    #[test]
    fn what_a_controller_with_a_clock_ahead_has_issued_is_void_too() {
        let revoked = vera().revoke("anna", UnixMillis(10));
        assert_eq!(revoked.revoked, Some((UnixMillis(1_000), "anna".into())));
        let expected = Void::from([("UVERA".into(), (UnixMillis(1_000), UnixMillis(100_000)))]);
        assert_eq!(revoked.void(UnixMillis(10)), expected);
        assert!(revoked.void(UnixMillis(100_000)).is_empty(), "it has ended by itself");
    }

    #[test]
    fn a_state_tells_whether_the_servers_know() {
        let now = UnixMillis(2_000);
        assert_eq!(vera().state(now), UserState::Active);
        assert_eq!(vera().state(UnixMillis(100_000)), UserState::Expired);
        let revoked = vera().revoke("anna", now);
        assert_eq!(revoked.state(now), UserState::Revoking);
        assert_eq!(revoked.state(UnixMillis(100_000)), UserState::Revoked);
        assert_eq!(Person { cut: true, ..revoked }.state(now), UserState::Revoked);
    }

    /// Guards: [`Person::leave`]: a name's new life does not bring the old key back.
    #[test]
    fn keys_of_former_lives_stay_void_until_they_end() {
        let now = UnixMillis(2_000);
        let first = vera().revoke("anna", now);
        let second = Person {
            public_key: "USECOND".into(),
            former: first.leave(UnixMillis(3_000)),
            cut: false,
            ..vera()
        };
        assert_eq!(second.void(now).keys().collect::<Vec<_>>(), ["UVERA"]);
        let third = second.leave(UnixMillis(4_000));
        assert_eq!(third.keys().collect::<Vec<_>>(), ["USECOND", "UVERA"]);
        let never = Person { expires: None, ..vera() }.leave(now);
        assert_eq!(never["UVERA"], (now, UnixMillis(i64::MAX)));
    }
}
