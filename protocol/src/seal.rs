//! Signed envelopes, and pillar sealed to one agent.
//!
//! The root key signs a [`Certificate`] for the controller's command key; the command key signs
//! envelopes. A receiver knows only the root's public key. What is signed names its kind and its
//! audience, so a signature for one purpose or one agent is worth nothing for another.

use crate::id::UnixMillis;
use crate::wire::{self, Message};
use nkeys::{KeyPair, XKey};
use serde::{Deserialize, Serialize};
use std::fmt;

const CERTIFICATE_DOMAIN: &[u8] = b"muster command key 1\0";
const ENVELOPE_DOMAIN: &[u8] = b"muster envelope 1\0";

/// Why an envelope is not opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are no message.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// A key is none, or has no seed.
    #[error("using the {what}")]
    Key {
        /// Which key.
        what: &'static str,
        /// Why.
        #[source]
        source: nkeys::error::Error,
    },
    /// The root key has not signed this command key.
    #[error("the command key is not signed by the root key")]
    Certificate,
    /// The command key is no longer, or not yet, valid.
    #[error("the command key is valid from {from} to {until} (ms since 1970), and now is {now}")]
    Expired {
        /// Its begin.
        from: i64,
        /// Its end.
        until: i64,
        /// The time it was judged by.
        now: i64,
    },
    /// The command key has not signed these bytes for this purpose.
    #[error("the signature over {kind} for {audience} is wrong")]
    Signature {
        /// The expected message.
        kind: &'static str,
        /// The expected audience.
        audience: String,
    },
    /// It was sealed for another key, or was changed.
    #[error("opening what was sealed to this agent")]
    Unseal(#[source] nkeys::error::Error),
}

/// The root's word for a command key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The command key.
    pub public_key: String,
    /// Valid from then.
    pub from: UnixMillis,
    /// Valid until then.
    pub until: UnixMillis,
    /// By the root key.
    #[serde(with = "serde_bytes")]
    pub signature: Vec<u8>,
}

impl Message for Certificate {
    const NAME: &'static str = "certificate";
}

impl Certificate {
    /// Signs a command key with the root key.
    ///
    /// # Errors
    /// When the root key has no seed.
    pub fn sign(
        root: &KeyPair,
        public_key: String,
        from: UnixMillis,
        until: UnixMillis,
    ) -> Result<Certificate, Error> {
        let bytes = certificate_bytes(&public_key, from, until);
        let signature =
            root.sign(&bytes).map_err(|source| Error::Key { what: "root key", source })?;
        Ok(Certificate { public_key, from, until, signature })
    }

    /// The command key, if the root signed it. `now` is absent only where a fresh nonce stands for
    /// the time, as in an enrolment: then the answer's own time is judged afterwards.
    fn verify(&self, root_public_key: &str, now: Option<UnixMillis>) -> Result<KeyPair, Error> {
        let root = KeyPair::from_public_key(root_public_key)
            .map_err(|source| Error::Key { what: "root public key", source })?;
        let bytes = certificate_bytes(&self.public_key, self.from, self.until);
        root.verify(&bytes, &self.signature).map_err(|_| Error::Certificate)?;
        if let Some(now) = now {
            self.check_time(now)?;
        }
        KeyPair::from_public_key(&self.public_key)
            .map_err(|source| Error::Key { what: "command key", source })
    }

    /// Whether the command key is valid at a time.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_time(&self, now: UnixMillis) -> Result<(), Error> {
        if self.from <= now && now < self.until {
            return Ok(());
        }
        Err(Error::Expired { from: self.from.0, until: self.until.0, now: now.0 })
    }
}

fn certificate_bytes(public_key: &str, from: UnixMillis, until: UnixMillis) -> Vec<u8> {
    let times = [from.0.to_be_bytes(), until.0.to_be_bytes()].concat();
    [CERTIFICATE_DOMAIN, public_key.as_bytes(), b"\0", &times].concat()
}

/// A message that the controller signed for one audience.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The encoded message.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// The command key, by the root's word.
    pub certificate: Certificate,
    /// By the command key.
    #[serde(with = "serde_bytes")]
    pub signature: Vec<u8>,
}

impl Message for Signed {
    const NAME: &'static str = "signed";
}

impl Signed {
    /// The message, if the controller signed it for this audience.
    ///
    /// # Errors
    /// When the certificate, its time, or the signature is wrong, or the body is another message.
    pub fn open<M: Message>(
        &self,
        root_public_key: &str,
        audience: &str,
        now: Option<UnixMillis>,
    ) -> Result<M, Error> {
        let key = self.certificate.verify(root_public_key, now)?;
        let bytes = envelope_bytes(M::NAME, audience, &self.body);
        let wrong = |_| Error::Signature { kind: M::NAME, audience: audience.to_owned() };
        key.verify(&bytes, &self.signature).map_err(wrong)?;
        Ok(wire::decode(&self.body)?)
    }
}

fn envelope_bytes(kind: &str, audience: &str, body: &[u8]) -> Vec<u8> {
    [ENVELOPE_DOMAIN, kind.as_bytes(), b"\0", audience.as_bytes(), b"\0", body].concat()
}

/// The controller's command key with its certificate.
pub struct Signer {
    key: KeyPair,
    certificate: Certificate,
}

impl fmt::Debug for Signer {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Signer({})", self.certificate.public_key)
    }
}

impl Signer {
    /// A signer from the command key's pair and its certificate.
    #[must_use]
    pub fn new(key: KeyPair, certificate: Certificate) -> Signer {
        Signer { key, certificate }
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Signs a message for one audience.
    ///
    /// # Errors
    /// When the command key has no seed.
    pub fn sign<M: Message>(&self, audience: &str, message: &M) -> Result<Signed, Error> {
        let body = wire::encode(message);
        let bytes = envelope_bytes(M::NAME, audience, &body);
        let signature =
            self.key.sign(&bytes).map_err(|source| Error::Key { what: "command key", source })?;
        Ok(Signed { body, certificate: self.certificate.clone(), signature })
    }
}

/// Bytes that one curve key can read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(#[serde(with = "serde_bytes")] Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Sealed({} bytes)", self.0.len())
    }
}

impl Sealed {
    /// Seals bytes from one curve key to another's public half.
    ///
    /// # Errors
    /// When a key is none.
    pub fn seal(plain: &[u8], from: &XKey, to_public_key: &str) -> Result<Sealed, Error> {
        let key = |source| Error::Key { what: "curve key", source };
        let to = XKey::from_public_key(to_public_key).map_err(key)?;
        from.seal(plain, &to).map(Sealed).map_err(key)
    }

    /// The bytes, if they were sealed by `from` to this key.
    ///
    /// # Errors
    /// When they were not.
    pub fn open(&self, to: &XKey, from_public_key: &str) -> Result<Vec<u8>, Error> {
        let from = XKey::from_public_key(from_public_key)
            .map_err(|source| Error::Key { what: "curve key", source })?;
        to.open(&self.0, &from).map_err(Error::Unseal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Command, Verb};
    use crate::enrol::Answer;
    use crate::id::{AgentId, Token, random};

    const DAY: i64 = 86_400_000;

    fn signer(root: &KeyPair) -> Signer {
        let key = KeyPair::new_service();
        let (from, until) = (UnixMillis(0), UnixMillis(90 * DAY));
        let certificate = Certificate::sign(root, key.public_key(), from, until).unwrap();
        Signer::new(key, certificate)
    }

    fn command() -> Command {
        let agent_id = AgentId::new(&"w".parse().unwrap(), random());
        Command { id: Token::random(random()), agent_id, issued: UnixMillis(1), verb: Verb::Ping }
    }

    #[test]
    fn an_envelope_opens_for_its_kind_its_audience_and_in_its_time() {
        let (root, other) = (KeyPair::new_operator(), KeyPair::new_operator());
        let (command, now) = (command(), Some(UnixMillis(DAY)));
        let signed = signer(&root).sign("w", &command).unwrap();
        let root = root.public_key();
        assert_eq!(signed.open::<Command>(&root, "w", now).unwrap(), command);
        assert!(signed.open::<Command>(&root, "v", now).is_err());
        assert!(signed.open::<Answer>(&root, "w", now).is_err());
        assert!(signed.open::<Command>(&other.public_key(), "w", now).is_err());
        let late = signed.open::<Command>(&root, "w", Some(UnixMillis(90 * DAY)));
        assert!(matches!(late, Err(Error::Expired { .. })));
    }

    #[test]
    fn a_command_key_cannot_lengthen_its_own_life() {
        let root = KeyPair::new_operator();
        let mut signed = signer(&root).sign("w", &command()).unwrap();
        signed.certificate.until = UnixMillis(1000 * DAY);
        let opened = signed.open::<Command>(&root.public_key(), "w", Some(UnixMillis(DAY)));
        assert!(matches!(opened, Err(Error::Certificate)));
    }

    #[test]
    fn pillar_opens_for_one_agent_only() {
        let (controller, agent, thief) = (XKey::new(), XKey::new(), XKey::new());
        let sealed = Sealed::seal(b"secret", &controller, &agent.public_key()).unwrap();
        assert_eq!(sealed.open(&agent, &controller.public_key()).unwrap(), b"secret");
        assert!(sealed.open(&thief, &controller.public_key()).is_err());
        assert!(!format!("{sealed:?}").contains("secret"));
    }
}
