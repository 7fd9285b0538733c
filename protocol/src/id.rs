//! Ids, each a validated newtype: what is no name never becomes part of a subject, a key or a JWT.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest name of a worker, pool, user or cluster, in bytes: a DNS label.
pub const NAME_BYTES_MAX: usize = 63;
/// The random part of an [`AgentId`], in characters of 5 bits each.
pub const AGENT_RANDOM_CHARS: usize = 12;
/// Letters and digits that cannot be mistaken for each other when read aloud.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A string that is not the name it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind}: {rule}")]
pub struct Invalid {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

const NAME_RULE: &str =
    "use 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit";

fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= NAME_BYTES_MAX
        && bytes.iter().all(|&byte| inner(byte) || byte == b'-')
        && inner(bytes[0])
        && inner(bytes[bytes.len() - 1])
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:expr, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text, which is safe as one token of a subject.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    return Ok(Self(text.to_owned()));
                }
                let shown: String = text.chars().take(80).collect();
                Err(Invalid { kind: $kind, text: shown, rule: $rule })
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str(&self.0)
            }
        }
    };
}

id!(
    /// The name of a worker, e.g. `compute-0007`; also its host name.
    WorkerName, "worker name", NAME_RULE, is_name
);
id!(
    /// The name of a pool, e.g. `compute`.
    PoolName, "pool name", NAME_RULE, is_name
);
id!(
    /// The name of a person or service that calls the API.
    UserName, "user name", NAME_RULE, is_name
);
id!(
    /// The name of a cluster, in the metadata of each of its servers.
    ClusterName, "cluster name", NAME_RULE, is_name
);
id!(
    /// One generation of a worker: `<worker>-<12 random characters>`; never reused.
    AgentId, "agent id", "it is a worker's name, '-', and 12 of a-z and 2-9", is_agent_id
);
id!(
    /// One token of a subject that Muster made: a verb, an event's kind, a source's id, a lease.
    Token, "token", "use 1 to 128 of A-Z, a-z, 0-9, '-' and '_'", is_token
);
id!(
    /// A SHA-256 in lower-case hex.
    Hash, "hash", "it is 64 digits of lower-case hex", is_hash
);

fn is_agent_id(text: &str) -> bool {
    let Some((worker, random)) = text.rsplit_once('-') else { return false };
    is_name(worker)
        && random.len() == AGENT_RANDOM_CHARS
        && random.bytes().all(|byte| ALPHABET.contains(&byte))
}

fn is_token(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= 128 && text.bytes().all(inner)
}

fn is_hash(text: &str) -> bool {
    text.len() == 64
        && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl AgentId {
    /// The id of a worker's new generation, from 12 random bytes.
    #[must_use]
    pub fn new(worker: &WorkerName, random: [u8; AGENT_RANDOM_CHARS]) -> AgentId {
        AgentId(format!("{worker}-{}", letters(&random)))
    }

    /// The worker that this generation belongs to.
    #[must_use]
    pub fn worker(&self) -> WorkerName {
        WorkerName(self.0[..self.0.len() - AGENT_RANDOM_CHARS - 1].to_owned())
    }
}

impl Token {
    /// A token of 26 characters from 128 random bits: unguessable.
    #[must_use]
    pub fn random(random: [u8; 26]) -> Token {
        Token(letters(&random))
    }
}

impl Hash {
    /// The SHA-256 of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Hash {
        use sha2::Digest;
        use std::fmt::Write;
        let digest = sha2::Sha256::digest(bytes);
        let mut text = String::with_capacity(64);
        for byte in digest {
            write!(text, "{byte:02x}").expect("a String takes any text");
        }
        Hash(text)
    }
}

fn letters(random: &[u8]) -> String {
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

/// `N` bytes from the operating system's generator.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel's generator works once it is seeded");
    bytes
}

/// How often a worker was launched or rebuilt, from 1.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Generation(pub u32);

impl fmt::Display for Generation {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(to)
    }
}

/// A point in time: milliseconds since 1970, UTC.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// What the machine's clock says.
    #[must_use]
    pub fn now() -> UnixMillis {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        UnixMillis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// The milliseconds from `earlier` to this, negative if it is the later one.
    #[must_use]
    pub fn since(self, earlier: UnixMillis) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time and `millis` more.
    #[must_use]
    pub fn plus(self, millis: i64) -> UnixMillis {
        UnixMillis(self.0.saturating_add(millis))
    }

    /// Whole seconds since 1970, as JWTs count.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(64);
        for text in ["", "*", ">", "a.b", "a b", "-a", "a-", "A", "ä", "а", "a\n", "$x", &long] {
            assert!(text.parse::<WorkerName>().is_err(), "{text:?}");
            assert!(text.parse::<UserName>().is_err(), "{text:?}");
        }
        assert!("compute-0007".parse::<WorkerName>().is_ok());
    }

    #[test]
    fn an_agent_id_names_its_worker() {
        let worker: WorkerName = "compute-0007".parse().unwrap();
        let id = AgentId::new(&worker, random());
        assert_eq!(id.as_str().parse::<AgentId>().unwrap().worker(), worker);
        for text in
            ["compute-0007", "compute-0007-", "-aaaaaaaaaaaa", "c-aaaaaaaaaaa1", "*-aaaaaaaaaaaa"]
        {
            assert!(text.parse::<AgentId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_hash_is_that_of_sha256sum() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Hash::of(b"").as_str(), empty);
        assert!("E3B0".parse::<Hash>().is_err());
    }

    #[test]
    fn a_name_that_is_no_name_does_not_come_off_the_wire() {
        assert!(serde_json::from_str::<AgentId>("\"a.b\"").is_err());
    }
}
