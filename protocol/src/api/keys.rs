//! Calls about the controller's keys: what there are, new ones in their place, the end of old ones.

use super::Question;
use crate::id::UnixMillis;
use crate::wire::Message;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Asks which keys there are: public halves only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeysShow {}
question!(KeysShow, "api.keys.show", "keys", "show", KeysView);

/// The keys, as one controller has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeysView {
    /// Grows with each change of the keys.
    pub serial: u64,
    /// The controller's present time.
    pub now: UnixMillis,
    /// Present ones, each followed by those that it has replaced and that still count.
    pub keys: Vec<KeyView>,
    /// The list of revoked credentials.
    pub revocations: RevocationsView,
    /// Whether the servers know of all changes: until then the last one goes on.
    pub settled: bool,
    /// Live agents whose credential is older than the newest rotation that they must have
    /// followed before old keys can be dropped.
    pub not_renewed: u32,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyView {
    /// What it is called in the directory, e.g. `role-agent`.
    pub name: String,
    /// What it is for.
    pub kind: KeyKind,
    /// Its public half; of a certificate, the SHA-256 over its DER.
    pub public: String,
    /// Whether it signs.
    pub state: KeyState,
    /// When it began, or was made, if that is known.
    pub since: Option<UnixMillis>,
    /// When it ends: a certificate by itself, a replaced key since all that it signed has ended.
    pub until: Option<UnixMillis>,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Signs the accounts' claims.
    Operator,
    /// Signs command keys.
    Root,
    /// An account of the NATS server.
    Account,
    /// Signs the credentials of a role.
    Role,
    /// Signs commands, desired states and the registry.
    Command,
    /// Seals pillar.
    Curve,
    /// Signs the servers' certificate.
    Authority,
    /// The servers' certificate.
    Server,
}

/// Whether a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// It signs.
    Present,
    /// It is here with its public half alone, and signs when its file is put back.
    Offline,
    /// It was made and is not used yet: the servers do not know it.
    Coming,
    /// It signs nothing any more; what it has signed still counts.
    Replaced,
}

/// How full the list of revoked credentials is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationsView {
    /// Credentials in it.
    pub count: u32,
    /// With more, all agents' older credentials are revoked at once, and live agents get new ones.
    pub count_max: u32,
    /// Bytes of the claims that carry it.
    pub bytes: u64,
    /// Bytes that one message may have.
    pub bytes_max: u64,
    /// All agents' credentials up to then are revoked, if that was necessary.
    pub everybody: Option<UnixMillis>,
}

/// Asks for new keys in the place of the present ones. The answer comes before the servers are
/// told: that may cut off answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeysRotate {
    /// Which ones.
    pub what: Rotation,
}
question!(KeysRotate, "api.keys.rotate", "keys", "rotate", KeysView);

/// Which keys are made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// The command key.
    Command,
    /// The signing keys of all roles.
    Roles,
    /// The CA, and the servers' certificate.
    Ca,
    /// All three.
    All,
}

impl fmt::Display for Rotation {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Rotation::Command => "command",
            Rotation::Roles => "roles",
            Rotation::Ca => "ca",
            Rotation::All => "all",
        })
    }
}

/// Asks to end what replaced role keys and CAs have signed. It is refused while a live agent has
/// nothing newer. The answer comes before the servers are told, which cuts connections.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeysDrop {
    /// Also if agents are lost by it.
    pub force: bool,
}
question!(KeysDrop, "api.keys.drop", "keys", "drop", KeysView);
