//! The part of each kind of JWT that is NATS' own, as it is serialised.

use super::{Error, PUSHER, PublicKeys, Revocations};
use crate::subject::{self, CROSSINGS, Crossing, Kind, Role, Template};
use serde::Serialize;
use std::collections::BTreeMap;

const VERSION: u8 = 2;
const UNLIMITED: i64 = -1;
const NANOS_PER_SEC: i64 = 1_000_000_000;
/// What users may connect with: plain NATS over TCP, no WebSocket, MQTT or leaf node.
const CONNECTION_TYPES: [&str; 1] = ["STANDARD"];

#[derive(Serialize)]
pub(super) struct Operator<'a> {
    system_account: &'a str,
    r#type: &'static str,
    version: u8,
}

impl<'a> Operator<'a> {
    pub(super) fn new(system_account: &'a str) -> Operator<'a> {
        Operator { system_account, r#type: "operator", version: VERSION }
    }
}

#[derive(Serialize)]
pub(super) struct Account {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    imports: Vec<Import>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exports: Vec<Export>,
    limits: Limits,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signing_keys: Vec<Scope>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    revocations: BTreeMap<String, i64>,
    default_permissions: Permissions,
    r#type: &'static str,
    version: u8,
}

impl Account {
    pub(super) fn new(
        account: subject::Account,
        keys: &PublicKeys,
        revocations: &Revocations,
    ) -> Result<Account, Error> {
        let imports = CROSSINGS.iter().filter(|crossing| crossing.importer == account);
        let exports = CROSSINGS.iter().filter(|crossing| crossing.exporter == account);
        let roles = Role::ALL.into_iter().filter(|role| role.account() == account);
        let revoked = revocations.iter().map(|(key, until)| (key.clone(), until.seconds()));
        Ok(Account {
            imports: imports.map(|each| Import::new(each, keys)).collect::<Result<_, _>>()?,
            exports: exports.map(Export::new).collect(),
            limits: Limits::of(account),
            signing_keys: scopes(roles, keys)?,
            revocations: revoked.collect(),
            default_permissions: Permissions::nothing(),
            r#type: "account",
            version: VERSION,
        })
    }
}

#[derive(Serialize)]
struct Export {
    name: &'static str,
    subject: &'static str,
    r#type: &'static str,
}

impl Export {
    fn new(crossing: &Crossing) -> Export {
        Export { name: crossing.subject, subject: crossing.subject, r#type: kind(crossing) }
    }
}

#[derive(Serialize)]
struct Import {
    name: &'static str,
    subject: &'static str,
    account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_subject: Option<&'static str>,
    r#type: &'static str,
    share: bool,
}

impl Import {
    fn new(crossing: &Crossing, keys: &PublicKeys) -> Result<Import, Error> {
        Ok(Import {
            name: crossing.subject,
            subject: crossing.subject,
            account: keys.account(crossing.exporter)?.to_owned(),
            local_subject: is_renamed(crossing).then_some(crossing.local),
            r#type: kind(crossing),
            share: matches!(crossing.kind, Kind::Service { share: true }),
        })
    }
}

/// Where the importer says the same, NATS wants no mapping.
fn is_renamed(crossing: &Crossing) -> bool {
    let is_wildcard = |token: &str| {
        token.strip_prefix('$').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let local = crossing.local.split('.').map(|token| if is_wildcard(token) { "*" } else { token });
    !local.eq(crossing.subject.split('.'))
}

fn kind(crossing: &Crossing) -> &'static str {
    match crossing.kind {
        Kind::Service { .. } => "service",
        Kind::Stream => "stream",
    }
}

/// Only BUS may store; the sizes are the server's and the streams' to limit. No leaf nodes.
#[derive(Serialize)]
struct Limits {
    subs: i64,
    data: i64,
    payload: i64,
    imports: i64,
    exports: i64,
    wildcards: bool,
    conn: i64,
    leaf: i64,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    storage: Option<Storage>,
}

#[derive(Serialize)]
struct Storage {
    mem_storage: i64,
    disk_storage: i64,
    streams: i64,
    consumer: i64,
}

impl Limits {
    fn of(account: subject::Account) -> Limits {
        let storage = Storage {
            mem_storage: UNLIMITED,
            disk_storage: UNLIMITED,
            streams: UNLIMITED,
            consumer: UNLIMITED,
        };
        Limits {
            subs: UNLIMITED,
            data: UNLIMITED,
            payload: UNLIMITED,
            imports: UNLIMITED,
            exports: UNLIMITED,
            wildcards: true,
            conn: UNLIMITED,
            leaf: 0,
            storage: (account == subject::Account::Bus).then_some(storage),
        }
    }
}

#[derive(Serialize)]
struct Scope {
    kind: &'static str,
    key: String,
    role: &'static str,
    template: User,
}

fn scopes(roles: impl Iterator<Item = Role>, keys: &PublicKeys) -> Result<Vec<Scope>, Error> {
    let mut all = Vec::new();
    for role in roles {
        all.extend(keys.role(role)?.iter().map(|key| Scope::new(role, key)));
    }
    Ok(all)
}

impl Scope {
    fn new(role: Role, key: &str) -> Scope {
        let template = User::template(subject::template(role));
        Scope { kind: "user_scope", key: key.to_owned(), role: role.name(), template }
    }
}

#[derive(Default, Serialize)]
struct Permissions {
    #[serde(rename = "pub")]
    publish: Rule,
    #[serde(rename = "sub")]
    subscribe: Rule,
    #[serde(skip_serializing_if = "Option::is_none")]
    resp: Option<Responses>,
}

impl Permissions {
    fn nothing() -> Permissions {
        let everything = || Rule { deny: vec![">".into()], ..Rule::default() };
        Permissions { publish: everything(), subscribe: everything(), resp: None }
    }
}

#[derive(Default, Serialize)]
struct Rule {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deny: Vec<String>,
}

#[derive(Serialize)]
struct Responses {
    max: u32,
    ttl: i64,
}

/// A user, or a role's template of one. Scoped users name their account and nothing else.
#[derive(Serialize)]
pub(super) struct User {
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    may: Option<May>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u8>,
}

#[derive(Serialize)]
struct May {
    #[serde(flatten)]
    permissions: Permissions,
    subs: i64,
    data: i64,
    payload: i64,
    allowed_connection_types: [&'static str; 1],
}

impl User {
    pub(super) fn scoped(issuer_account: &str) -> User {
        let issuer_account = Some(issuer_account.to_owned());
        User { may: None, issuer_account, r#type: Some("user"), version: Some(VERSION) }
    }

    pub(super) fn pusher() -> User {
        let may = May::new(Template {
            publish: vec![subject::CLAIMS_UPDATE.into(), subject::claims_of("*")],
            // It hears what others push: an older push would un-revoke.
            subscribe: vec![format!("_INBOX.{PUSHER}.>"), subject::CLAIMS_UPDATE.into()],
            responses: None,
            // A server that reads its files again counts them twice for a moment.
            subscriptions_max: 4,
            payload_bytes_max: 1 << 20,
        });
        User { may: Some(may), issuer_account: None, r#type: Some("user"), version: Some(VERSION) }
    }

    fn template(template: Template) -> User {
        User { may: Some(May::new(template)), issuer_account: None, r#type: None, version: None }
    }
}

impl May {
    fn new(template: Template) -> May {
        let responses = template
            .responses
            .map(|(max, seconds)| Responses { max, ttl: i64::from(seconds) * NANOS_PER_SEC });
        May {
            permissions: Permissions {
                publish: Rule { allow: template.publish, deny: vec![] },
                subscribe: Rule { allow: template.subscribe, deny: vec![] },
                resp: responses,
            },
            subs: i64::from(template.subscriptions_max),
            data: UNLIMITED,
            payload: i64::from(template.payload_bytes_max),
            allowed_connection_types: CONNECTION_TYPES,
        }
    }
}
