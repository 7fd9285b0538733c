//! The first person, whom `init` has made on the head node: known by the context file in the keys'
//! directory, which nobody but its owner can write.

use super::{Person, Void};
use crate::init::{Context, Settings};
use crate::keys::Keys;
use crate::keys::files::Directory;
use muster_protocol::api::{CREDENTIAL_DAYS, PersonRole};
use muster_protocol::id::{Token, UnixMillis, UserName, random};
use muster_protocol::jwt;

/// Who adds the first person.
const BY: &str = "init";

/// The first person's credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct First {
    /// The name.
    pub name: UserName,
    /// What the person may do.
    pub role: PersonRole,
    /// The credential's key.
    pub public_key: String,
    /// When it was issued.
    pub issued: UnixMillis,
    /// When it ends.
    pub expires: Option<UnixMillis>,
}

impl First {
    /// Reads the context file; none if it is not there, as after it was moved to its person, or if
    /// it is damaged or not of these keys, which is told.
    #[must_use]
    pub fn read(keys: &Keys) -> Option<First> {
        let settings = Settings::read(keys.dir()).ok()?;
        let file = format!("{}.yaml", settings.user);
        let text = Directory::open(keys.dir()).and_then(|dir| dir.read(&file));
        let text = text
            .map_err(|error| {
                tracing::warn!(
                    file,
                    error = crate::chain(&error),
                    "the first person's context cannot be read"
                )
            })
            .ok()??;
        let first = First::of(&text, keys);
        if first.as_ref().is_none_or(|first| first.name != settings.user) {
            tracing::warn!(file, "the first person's context is not one that these keys have made");
            return None;
        }
        first
    }

    fn of(text: &str, keys: &Keys) -> Option<First> {
        let context: Context = serde_saphyr::from_str(text).ok()?;
        let claims = jwt::decode(&context.jwt).ok()?;
        let role = keys.role_of(&claims.iss).and_then(PersonRole::of)?;
        let millis = |seconds: i64| UnixMillis(seconds.saturating_mul(1000));
        Some(First {
            name: claims.name.parse().ok()?,
            role,
            public_key: claims.sub,
            issued: millis(claims.iat),
            expires: claims.exp.map(millis),
        })
    }

    /// The document, in the place of that of an earlier life.
    pub(super) fn person(&self, before: Option<Person>, now: UnixMillis) -> Person {
        let former = before.map(|person| person.leave(now)).unwrap_or_default();
        Person {
            name: self.name.clone(),
            role: self.role,
            public_key: self.public_key.clone(),
            issued: self.issued,
            expires: self.expires,
            days: CREDENTIAL_DAYS,
            renewable: true,
            added_by: BY.to_owned(),
            added: now,
            revoked: None,
            cut: former == Void::new(),
            former,
            op_id: Token::random(random()),
        }
    }
}
