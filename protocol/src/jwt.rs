//! NATS JWTs (version 2): the operator, accounts with scoped signing keys, users.
//!
//! The accounts' claims are made from [`crate::subject::CROSSINGS`] and
//! [`crate::subject::template`]: what a role
//! may do is said there and nowhere else. A user's JWT is signed by its role's key and holds no
//! permissions of its own, so one push of an account's JWT changes all its users.
//!
//! The format has no specification beside its library; this follows `nats-io/jwt` v2.

mod claims;

use crate::id::{AgentId, Token, UnixMillis, UserName, random};
use crate::subject::{Account, Role};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// The name, and the inbox, of the one user of SYS.
pub const PUSHER: &str = "pusher";
/// The user of a revocation that means every user of the account.
pub const EVERYBODY: &str = "*";
const HEADER: &str = r#"{"typ":"JWT","alg":"ed25519-nkey"}"#;

/// Users' public keys, and the time up to which their JWTs are worth nothing; [`EVERYBODY`] is all
/// users. NATS counts in seconds: a JWT issued in the very second of the revocation is revoked too.
pub type Revocations = BTreeMap<String, UnixMillis>;

/// Why a JWT is not made, or not believed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name could widen a permission.
    #[error("the name of a {role} for its credential")]
    Name {
        /// The role that was asked for.
        role: &'static str,
        /// What is wrong with it.
        #[source]
        source: crate::id::Invalid,
    },
    /// A key of another kind, or none.
    #[error("{key:?} is not the public key of {what}")]
    Key {
        /// What it should be.
        what: &'static str,
        /// What was given.
        key: String,
    },
    /// The signer holds no seed.
    #[error("signing the JWT of {name}")]
    Sign {
        /// Whose JWT.
        name: String,
        /// Why.
        #[source]
        source: nkeys::error::Error,
    },
    /// Not three parts of base64 with claims and a signature by their issuer.
    #[error("the JWT is damaged or not signed by its issuer")]
    Damaged,
}

/// What makes two JWTs over the same claims differ.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// When it is issued.
    pub now: UnixMillis,
    /// Its id.
    pub jti: Token,
}

impl Stamp {
    /// Now, with a random id.
    #[must_use]
    pub fn fresh() -> Stamp {
        Stamp { now: UnixMillis::now(), jti: Token::random(random()) }
    }
}

/// The public keys of the accounts and of each role's signing key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys {
    /// Of each account.
    pub accounts: HashMap<Account, String>,
    /// Of each role's signing keys: the users of each are let in. One, but for a rotation.
    pub roles: BTreeMap<Role, Vec<String>>,
}

impl PublicKeys {
    /// The public key of an account.
    ///
    /// # Errors
    /// When it is missing.
    pub fn account(&self, account: Account) -> Result<&str, Error> {
        let key = self.accounts.get(&account).map(String::as_str);
        key.ok_or_else(|| Error::Key { what: account.name(), key: String::new() })
    }

    fn role(&self, role: Role) -> Result<&[String], Error> {
        let keys = self.roles.get(&role).map(Vec::as_slice).filter(|keys| !keys.is_empty());
        keys.ok_or_else(|| Error::Key { what: role.name(), key: String::new() })
    }
}

/// The operator's JWT, signed by itself.
///
/// # Errors
/// When a key is not of its kind.
pub fn operator(
    name: &str,
    operator: &KeyPair,
    system_account: &str,
    stamp: &Stamp,
) -> Result<String, Error> {
    check_key(system_account, 'A', "an account")?;
    let nats = claims::Operator::new(system_account);
    encode(operator, &operator.public_key(), name, None, nats, stamp)
}

/// An account's JWT: default deny, its exports and imports, its roles' scoped signing keys.
///
/// # Errors
/// When a key is missing or not of its kind.
pub fn account(
    account: Account,
    keys: &PublicKeys,
    revocations: &Revocations,
    operator: &KeyPair,
    stamp: &Stamp,
) -> Result<String, Error> {
    let public_key = keys.account(account)?;
    check_key(public_key, 'A', "an account")?;
    let nats = claims::Account::new(account, keys, revocations)?;
    encode(operator, public_key, account.name(), None, nats, stamp)
}

/// A user's JWT, signed by its role's key; never a bearer token. Ends at `expires`, if given.
///
/// # Errors
/// When the name is none of its role's kind, or a key is not of its kind.
pub fn user(
    role: Role,
    name: &str,
    public_key: &str,
    signer: &KeyPair,
    issuer_account: &str,
    expires: Option<UnixMillis>,
    stamp: &Stamp,
) -> Result<String, Error> {
    check_name(role, name)?;
    check_key(public_key, 'U', "a user")?;
    check_key(issuer_account, 'A', "an account")?;
    let nats = claims::User::scoped(issuer_account);
    encode(signer, public_key, name, expires, nats, stamp)
}

/// The JWT of SYS' one user: it pushes claims and does nothing else.
///
/// # Errors
/// When a key is not of its kind.
pub fn pusher(public_key: &str, sys: &KeyPair, stamp: &Stamp) -> Result<String, Error> {
    check_key(public_key, 'U', "a user")?;
    encode(sys, public_key, PUSHER, None, claims::User::pusher(), stamp)
}

/// What every JWT says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Registered {
    /// Whose it is: a public key.
    pub sub: String,
    /// Who signed it: a public key.
    pub iss: String,
    /// The user's, account's or operator's name.
    pub name: String,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970; never if absent.
    pub exp: Option<i64>,
}

/// Reads a JWT that is signed by the issuer it names; whether to trust that issuer is not asked.
///
/// # Errors
/// When it is damaged or its signature is wrong.
pub fn decode(jwt: &str) -> Result<Registered, Error> {
    let (text, signature) = jwt.rsplit_once('.').ok_or(Error::Damaged)?;
    let (_, body) = text.split_once('.').ok_or(Error::Damaged)?;
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Error::Damaged);
    let claims: Registered = serde_json::from_slice(&bytes(body)?).map_err(|_| Error::Damaged)?;
    let issuer = KeyPair::from_public_key(&claims.iss).map_err(|_| Error::Damaged)?;
    issuer.verify(text.as_bytes(), &bytes(signature)?).map_err(|_| Error::Damaged)?;
    Ok(claims)
}

fn check_name(role: Role, name: &str) -> Result<(), Error> {
    let checked = match role {
        Role::Bootstrap | Role::Agent => name.parse::<AgentId>().map(drop),
        Role::Viewer | Role::Operator | Role::Admin | Role::Controller => {
            name.parse::<UserName>().map(drop)
        }
    };
    checked.map_err(|source| Error::Name { role: role.name(), source })
}

fn check_key(key: &str, prefix: char, what: &'static str) -> Result<(), Error> {
    if key.starts_with(prefix) && KeyPair::from_public_key(key).is_ok() {
        return Ok(());
    }
    // A seed given by mistake must not reach a log.
    Err(Error::Key { what, key: key.chars().take(8).collect() })
}

#[derive(Serialize)]
struct Claims<'a, N> {
    jti: &'a Token,
    iat: i64,
    iss: String,
    name: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    nats: N,
}

fn encode<N: Serialize>(
    signer: &KeyPair,
    sub: &str,
    name: &str,
    expires: Option<UnixMillis>,
    nats: N,
    stamp: &Stamp,
) -> Result<String, Error> {
    let claims = Claims {
        jti: &stamp.jti,
        iat: stamp.now.seconds(),
        iss: signer.public_key(),
        name,
        sub,
        exp: expires.map(UnixMillis::seconds),
        nats,
    };
    let body = serde_json::to_vec(&claims).expect("claims hold nothing that JSON cannot say");
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(body));
    let signature = signer
        .sign(text.as_bytes())
        .map_err(|source| Error::Sign { name: name.to_owned(), source })?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nkeys::KeyPairType;

    const AGENT: &str = "compute-0007-abcdefghijkm";

    fn key(kind: KeyPairType, byte: u8) -> KeyPair {
        KeyPair::new_from_raw(kind, [byte; 32]).unwrap()
    }

    fn stamp() -> Stamp {
        Stamp { now: UnixMillis(1_700_000_000_999), jti: "fixed".parse().unwrap() }
    }

    fn keys() -> PublicKeys {
        let account = |byte| key(KeyPairType::Account, byte).public_key();
        let accounts = Account::ALL.iter().zip(1..).map(|(each, at)| (*each, account(at)));
        let roles = Role::ALL.iter().zip(11..).map(|(role, at)| (*role, vec![account(at)]));
        PublicKeys { accounts: accounts.collect(), roles: roles.collect() }
    }

    fn all() -> Vec<String> {
        let (keys, stamp, root) = (keys(), stamp(), key(KeyPairType::Operator, 9));
        let user_key = key(KeyPairType::User, 21).public_key();
        let revoked = Revocations::from([
            (user_key.clone(), UnixMillis(1_699_999_999_999)),
            (EVERYBODY.into(), UnixMillis(1_600_000_000_000)),
        ]);
        let mut all = vec![operator("demo", &root, keys.account(Account::Sys).unwrap(), &stamp)];
        for each in Account::ALL {
            let revoked = if each == Account::Agents { &revoked } else { &Revocations::new() };
            all.push(account(each, &keys, revoked, &root, &stamp));
        }
        let signer = key(KeyPairType::Account, 12);
        let issuer = keys.account(Account::Agents).unwrap();
        let expires = Some(UnixMillis(1_700_086_400_000));
        all.push(user(Role::Agent, AGENT, &user_key, &signer, issuer, expires, &stamp));
        all.push(pusher(&user_key, &key(KeyPairType::Account, 1), &stamp));
        all.into_iter().map(Result::unwrap).collect()
    }

    fn body(jwt: &str) -> serde_json::Value {
        let bytes = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Set `MUSTER_BLESS=1` to write the file anew, then read the difference.
    #[test]
    fn the_claims_are_those_of_the_golden_file() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/claims.json");
        let bodies: Vec<_> = all().iter().map(|jwt| body(jwt)).collect();
        let text = serde_json::to_string_pretty(&bodies).unwrap() + "\n";
        if std::env::var_os("MUSTER_BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(path).unwrap_or_default();
        assert!(golden == text, "the claims changed; see the comment of this test");
    }

    #[test]
    fn a_jwt_is_signed_over_every_character() {
        for jwt in all() {
            assert_eq!(decode(&jwt).unwrap().iat, 1_700_000_000);
        }
        let jwt = &all()[5];
        for at in 0..jwt.len() - 1 {
            let other = if jwt.as_bytes()[at] == b'A' { "B" } else { "A" };
            let bent = format!("{}{other}{}", &jwt[..at], &jwt[at + 1..]);
            assert!(decode(&bent).is_err(), "character {at}");
        }
    }

    #[test]
    fn a_name_that_could_widen_a_permission_is_refused() {
        let (signer, public_key) = (KeyPair::new_account(), KeyPair::new_user().public_key());
        for role in Role::ALL {
            for name in ["", "*", ">", "a.b", "a b", "a.>", "{{name()}}"] {
                let issuer = signer.public_key();
                let made = user(role, name, &public_key, &signer, &issuer, None, &stamp());
                assert!(matches!(made, Err(Error::Name { .. })), "{role:?} {name}");
            }
        }
    }

    #[test]
    fn a_key_of_another_kind_is_refused_and_a_seed_is_not_shown() {
        let (signer, wrong) = (KeyPair::new_account(), KeyPair::new_user());
        let issuer = signer.public_key();
        for given in [signer.public_key(), wrong.seed().unwrap(), String::new()] {
            let made = user(Role::Agent, AGENT, &given, &signer, &issuer, None, &stamp());
            let error = made.unwrap_err().to_string();
            assert!(given.is_empty() || !error.contains(&given), "{error}");
        }
        let of_user = user(
            Role::Agent,
            AGENT,
            &wrong.public_key(),
            &signer,
            &wrong.public_key(),
            None,
            &stamp(),
        );
        assert!(matches!(of_user, Err(Error::Key { .. })));
    }

    #[test]
    fn a_scoped_user_holds_no_permission_of_its_own() {
        let jwts = all();
        let agent = &body(&jwts[jwts.len() - 2])["nats"];
        let names: Vec<_> = agent.as_object().unwrap().keys().collect();
        assert_eq!(names, ["issuer_account", "type", "version"]);
    }
}
