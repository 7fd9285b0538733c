//! Calls about people: who may call, a new credential, and the end of one.

use super::{Api, Done, refuse};
use crate::people::{self, Person};
use futures_util::{StreamExt, stream};
use muster_protocol::api::{
    CREDENTIAL_DAYS_MAX, PersonRole, RefusalKind, UserAdd, UserAdded, UserList, UserRenew,
    UserRenewed, UserRevoke, UserRevoked, UserState, UserView,
};
use muster_protocol::bus::stream::EVENTS;
use muster_protocol::event::Event;
use muster_protocol::id::{Token, UnixMillis, UserName, random};
use muster_protocol::jwt::Stamp;
use muster_protocol::subject::{self, Source};
use muster_protocol::wire;
use std::time::Duration;

const DAY_MILLIS: i64 = 86_400_000;
/// How long a revocation is waited for that another controller pushes.
const CUT_PATIENCE: Duration = Duration::from_secs(5);
/// People whose last calls are looked up at once.
const LOOKUPS_MAX: usize = 16;

impl Api {
    pub(super) async fn user_add(&self, by: &UserName, question: UserAdd) -> Done<UserAdded> {
        let now = UnixMillis::now();
        let UserAdd { name, role, public_key, days, renewable } = question;
        if !(1..=CREDENTIAL_DAYS_MAX).contains(&days) {
            let text = format!("a credential lives 1 to {CREDENTIAL_DAYS_MAX} days, not {days}");
            return Err(refuse(RefusalKind::Invalid, text));
        }
        let _judging = self.people.judging.lock().await;
        self.check_room(&name, &public_key)?;
        let (issued, expires) = (now, now.plus(i64::from(days) * DAY_MILLIS));
        let jwt = self.person_jwt(role, &name, &public_key, issued, expires)?;
        let added = self.people.change(&name, |before| {
            let fresh = Person {
                name: name.clone(),
                role,
                public_key: public_key.clone(),
                issued,
                expires: Some(expires),
                days,
                renewable,
                added_by: by.to_string(),
                added: now,
                revoked: None,
                former: people::Void::new(),
                cut: true,
                op_id: Token::random(random()),
            };
            match before {
                None => Ok(fresh),
                // The same question again, whose answer was lost.
                Some(before) if is_same(&before, &fresh) => {
                    Ok(Person { former: before.former, cut: before.cut, ..fresh })
                }
                Some(before) => match before.state(now) {
                    UserState::Active => Err(taken(&before)),
                    UserState::Expired | UserState::Revoked | UserState::Revoking => {
                        let former = before.leave(now);
                        if former.len() > people::FORMER_MAX {
                            return Err(worn_out(&name));
                        }
                        Ok(Person { cut: former.is_empty(), former, ..fresh })
                    }
                },
            }
        });
        added.await.map_err(unavailable)??;
        Ok(UserAdded {
            cluster: self.config.cluster.clone(),
            servers: self.servers.clone(),
            ca: self.keys.ca_pem(),
            jwt,
            expires,
        })
    }

    /// A key is one person's, once: whoever revokes it must know whom that cuts.
    fn check_room(&self, name: &UserName, public_key: &str) -> Done<()> {
        let all = self.people.all();
        let has_it = |person: &&Person| {
            person.public_key == public_key || person.former.contains_key(public_key)
        };
        if let Some(other) = all.iter().find(has_it)
            && (other.name != *name || other.revoked.is_some())
        {
            let text = format!("this key is or was {}'s: make a new one", other.name);
            return Err(refuse(RefusalKind::Conflict, text));
        }
        let known = all.iter().any(|person| person.name == *name);
        if !known && all.len() >= people::PEOPLE_MAX {
            let text = format!(
                "there are {} names already, with those that are revoked or have expired: use one \
                 of these again",
                people::PEOPLE_MAX
            );
            return Err(refuse(RefusalKind::Conflict, text));
        }
        Ok(())
    }

    fn person_jwt(
        &self,
        role: PersonRole,
        name: &UserName,
        public_key: &str,
        issued: UnixMillis,
        expires: UnixMillis,
    ) -> Done<String> {
        let stamp = Stamp { now: issued, jti: Token::random(random()) };
        let jwt = self.keys.person_jwt(role.role(), name, public_key, Some(expires), &stamp);
        jwt.map_err(|error| refuse(RefusalKind::Invalid, crate::chain(&error)))
    }

    pub(super) async fn user_list(&self, _: &UserList) -> Done<Vec<UserView>> {
        let now = UnixMillis::now();
        let views = stream::iter(self.people.all()).map(|person| self.user_view(person, now));
        Ok(views.buffered(LOOKUPS_MAX).collect().await)
    }

    async fn user_view(&self, person: Person, now: UnixMillis) -> UserView {
        UserView {
            state: person.state(now),
            last_call: self.last_call(&person.name).await,
            name: person.name,
            role: person.role,
            added_by: person.added_by,
            added: person.added,
            expires: person.expires,
            renewable: person.renewable,
            revoked: person.revoked,
        }
    }

    /// As far as events are kept; one that cannot be looked up is not told.
    async fn last_call(&self, name: &UserName) -> Option<UnixMillis> {
        let id: Token = name.as_str().parse().ok()?;
        let mut last = None;
        for kind in ["called", "read"] {
            let subject = subject::event(Source::Api, &id, &kind.parse().ok()?);
            let found = self.jetstream.last(EVENTS, &subject).await.ok().flatten();
            let event = found.and_then(|found| wire::decode::<Event>(&found.payload).ok());
            last = last.max(event.map(|event| event.at));
        }
        last
    }

    /// A newer credential for the caller's key. The key stays: a copy of the context on another
    /// machine goes on working until its own credential ends.
    pub(super) async fn user_renew(&self, name: &UserName, _: &UserRenew) -> Done<UserRenewed> {
        let now = UnixMillis::now();
        let renewed = self.people.change(name, |before| {
            let before = before.ok_or_else(|| gone(name))?;
            if before.revoked.is_some() || before.has_ended(now) {
                return Err(gone(name));
            }
            if !before.renewable {
                return Ok(Person { issued: before.issued.max(now), ..before });
            }
            let expires = now.plus(i64::from(before.days) * DAY_MILLIS);
            let expires = before.expires.map(|end| end.max(expires));
            Ok(Person { issued: before.issued.max(now), expires, ..before })
        });
        let renewed = renewed.await.map_err(unavailable)??;
        let Person { role, public_key, days, renewable, .. } = renewed;
        let longest = now.plus(i64::from(days) * DAY_MILLIS);
        let expires = renewed.expires.filter(|_| !renewable).unwrap_or(longest);
        let jwt = self.person_jwt(role, name, &public_key, now, expires)?;
        Ok(UserRenewed { jwt, expires, ca: self.keys.ca_pem() })
    }

    pub(super) async fn user_revoke(
        &self,
        by: &UserName,
        question: &UserRevoke,
    ) -> Done<UserRevoked> {
        let (now, name) = (UnixMillis::now(), &question.name);
        let mut changes = self.people.changes();
        let judging = self.people.judging.lock().await;
        if !question.force {
            self.check_admins(name, now)?;
        }
        let revoked = self.people.change(name, |before| match before {
            None => Err(self.no_person(name)),
            // Once is enough; whoever asks again learns whether the servers know.
            Some(before) if before.revoked.is_some() => Ok(before),
            Some(before) => Ok(before.revoke(by.as_str(), now)),
        });
        revoked.await.map_err(unavailable)??;
        drop(judging);
        let cut = async {
            while !self.people.person(name).is_some_and(|person| person.cut) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        let cut = tokio::time::timeout(CUT_PATIENCE, cut).await.is_ok();
        Ok(UserRevoked { cut })
    }

    /// Without an admin, only who rules the head node can add one.
    fn check_admins(&self, name: &UserName, now: UnixMillis) -> Done<()> {
        let is_admin = |person: &Person| {
            person.role == PersonRole::Admin && person.state(now) == UserState::Active
        };
        let all = self.people.all();
        let (of_it, others): (Vec<_>, Vec<_>) =
            all.into_iter().filter(is_admin).partition(|person| person.name == *name);
        if of_it.is_empty() || !others.is_empty() {
            return Ok(());
        }
        let text = format!(
            "{name} is the last admin: add another one first (muster user add NAME --role admin), \
             or say --force; then `muster init` on the head node makes the next one"
        );
        Err(refuse(RefusalKind::Conflict, text))
    }

    fn no_person(&self, name: &UserName) -> super::Refusal {
        refuse(RefusalKind::Missing, format!("there is no user {name}; see `muster user list`"))
    }
}

fn is_same(before: &Person, fresh: &Person) -> bool {
    before.revoked.is_none()
        && before.public_key == fresh.public_key
        && before.role == fresh.role
        && before.added_by == fresh.added_by
}

fn taken(before: &Person) -> super::Refusal {
    let Person { name, role, .. } = before;
    let text = format!(
        "there is a user {name} ({role}) already: take another name, or revoke that one first \
         (muster user revoke {name})"
    );
    refuse(RefusalKind::Conflict, text)
}

fn worn_out(name: &UserName) -> super::Refusal {
    let text = format!(
        "{name} was revoked and added again more than {} times in the life of a credential: take \
         another name",
        people::FORMER_MAX
    );
    refuse(RefusalKind::Conflict, text)
}

fn gone(name: &UserName) -> super::Refusal {
    let text = format!("the credential of {name} was revoked or has expired: ask an admin");
    refuse(RefusalKind::Forbidden, text)
}

fn unavailable(error: people::Error) -> super::Refusal {
    refuse(RefusalKind::Unavailable, crate::chain(&error))
}
