//! The calls about people: who may call, until when, and whose credential is void.

use super::{Message, Question};
use crate::id::{ClusterName, UnixMillis, UserName};
use crate::subject::Role;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How long a person's credential lives unless told.
pub const CREDENTIAL_DAYS: u32 = 30;
/// The longest that it may live.
pub const CREDENTIAL_DAYS_MAX: u32 = 365;

/// A role that a person can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PersonRole {
    /// Looks.
    Viewer,
    /// Looks and acts.
    Operator,
    /// Also manages people.
    Admin,
}

impl PersonRole {
    /// All of them, the least first.
    pub const ALL: [PersonRole; 3] = [PersonRole::Viewer, PersonRole::Operator, PersonRole::Admin];

    /// The role whose key signs the person's credential.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            PersonRole::Viewer => Role::Viewer,
            PersonRole::Operator => Role::Operator,
            PersonRole::Admin => Role::Admin,
        }
    }

    /// The person's role that this is; none if it is no person's.
    #[must_use]
    pub fn of(role: Role) -> Option<PersonRole> {
        PersonRole::ALL.into_iter().find(|each| each.role() == role)
    }
}

impl fmt::Display for PersonRole {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.pad(self.role().name())
    }
}

/// Asks for a credential for a new person. The key pair is made by the caller: only its public half
/// travels. The same question again gives the same person a credential again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAdd {
    /// Who; a name is free again when its last credential was revoked or has ended.
    pub name: UserName,
    /// What the person may do.
    pub role: PersonRole,
    /// The public half of the person's key.
    pub public_key: String,
    /// How long each credential lives: 1 to [`CREDENTIAL_DAYS_MAX`].
    pub days: u32,
    /// The person may renew it before it ends.
    pub renewable: bool,
}
question!(UserAdd, "api.user.add", "user", "add", UserAdded);

/// All that the person's context needs, but for the seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAdded {
    /// The cluster.
    pub cluster: ClusterName,
    /// `tls://host:port`, one or more.
    pub servers: Vec<String>,
    /// The certificate of the cluster's CA, in PEM.
    pub ca: String,
    /// The credential.
    pub jwt: String,
    /// When it ends.
    pub expires: UnixMillis,
}

/// Asks for a newer credential of the caller's own, for the same key, signed by the present keys.
/// One that its person may not renew ends when it would have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRenew {}
question!(UserRenew, "api.user.renew", "user", "renew", UserRenewed);

/// The newer credential; the older one lives until its own end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRenewed {
    /// The credential.
    pub jwt: String,
    /// When it ends.
    pub expires: UnixMillis,
    /// The certificate of the cluster's present CA, in PEM.
    pub ca: String,
}

/// Asks who may call, or once could.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserList {}
question!(UserList, "api.user.list", "user", "list", Vec<UserView>);

/// A person as others see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserView {
    /// The name.
    pub name: UserName,
    /// What the person may do.
    pub role: PersonRole,
    /// Whether the person can call.
    pub state: UserState,
    /// Who added the person; `init` for the cluster's first one.
    pub added_by: String,
    /// When.
    pub added: UnixMillis,
    /// When the newest credential ends; never if absent.
    pub expires: Option<UnixMillis>,
    /// Whether the person may renew it.
    pub renewable: bool,
    /// When it was revoked, and by whom.
    pub revoked: Option<(UnixMillis, String)>,
    /// The newest call that is stored as an event.
    pub last_call: Option<UnixMillis>,
}

/// Whether a person can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserState {
    /// Yes.
    Active,
    /// The last credential has ended.
    Expired,
    /// Revoked: the servers know it.
    Revoked,
    /// Revoked: the controllers refuse the person, the servers could not be told yet.
    Revoking,
}

/// Asks to make a person's credentials void, at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRevoke {
    /// Whose.
    pub name: UserName,
    /// Also the last admin's.
    #[serde(default)]
    pub force: bool,
}
question!(UserRevoke, "api.user.revoke", "user", "revoke", UserRevoked);

/// The person is kept out by the controllers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRevoked {
    /// The servers know it, too, and have cut the person's connections. If not, the controller that
    /// leads goes on trying.
    pub cut: bool,
}
