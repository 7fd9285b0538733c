//! How a launched machine becomes an agent, and how it renews its credential.
//!
//! The machine holds a bootstrap key for one [`AgentId`]. It makes its own keys and claims them
//! with two signatures, both over every byte of the [`Claim`]. The controller's answer is signed.

use crate::id::{AgentId, Token, UnixMillis};
use crate::wire::{self, Message};
use nkeys::KeyPair;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many facts a claim may hold.
pub const FACTS_MAX: usize = 256;
const CLAIM_DOMAIN: &[u8] = b"muster enrolment claim 1\0";
const RENEW_DOMAIN: &[u8] = b"muster renewal 1\0";

/// What a machine claims.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// The generation it was launched as.
    pub agent_id: AgentId,
    /// The public half of the user key that it made.
    pub public_key: String,
    /// The public half of the curve key that it made; pillar is sealed to it.
    pub xkey: String,
    /// The instance's own id (DMI UUID, or what the provider gives), if it has one.
    pub server_id: Option<String>,
    /// What it knows of its host.
    pub facts: BTreeMap<String, serde_json::Value>,
    /// Fresh; the answer repeats it.
    pub nonce: Token,
    /// The agent's release.
    pub version: String,
}

impl Message for Claim {
    const NAME: &'static str = "enrol.claim";
}

/// A claim with its two signatures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The encoded [`Claim`].
    #[serde(with = "serde_bytes")]
    pub claim: Vec<u8>,
    /// By the bootstrap key.
    #[serde(with = "serde_bytes")]
    pub by_bootstrap: Vec<u8>,
    /// By the key that is claimed.
    #[serde(with = "serde_bytes")]
    pub by_key: Vec<u8>,
}

impl Message for Request {
    const NAME: &'static str = "enrol.request";
}

/// Why a claim or renewal is not what it says.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are no message.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// A public key that is none.
    #[error("{what} is no public key")]
    Key {
        /// Which one.
        what: &'static str,
        /// Why.
        #[source]
        source: nkeys::error::Error,
    },
    /// The signature is not by that key over these bytes.
    #[error("the signature by the {by} is wrong")]
    Signature {
        /// Whose it should be.
        by: &'static str,
    },
    /// More facts than [`FACTS_MAX`].
    #[error("the claim holds more than {FACTS_MAX} facts")]
    Facts,
    /// A key without its seed cannot sign.
    #[error("signing the {what}")]
    Sign {
        /// What was to be signed.
        what: &'static str,
        /// Why.
        #[source]
        source: nkeys::error::Error,
    },
}

impl Request {
    /// Claims with both keys.
    ///
    /// # Errors
    /// When one of the keys has no seed.
    pub fn sign(claim: &Claim, bootstrap: &KeyPair, key: &KeyPair) -> Result<Request, Error> {
        let claim = wire::encode(claim);
        let by_bootstrap = sign(bootstrap, CLAIM_DOMAIN, &claim, "claim")?;
        let by_key = sign(key, CLAIM_DOMAIN, &claim, "claim")?;
        Ok(Request { claim, by_bootstrap, by_key })
    }

    /// The claim, if it is signed by the bootstrap key that the registry holds and by its own key.
    ///
    /// # Errors
    /// When a signature or the claim is wrong.
    pub fn verify(&self, bootstrap_public_key: &str) -> Result<Claim, Error> {
        verify(
            bootstrap_public_key,
            CLAIM_DOMAIN,
            &self.claim,
            &self.by_bootstrap,
            "bootstrap key",
        )?;
        let claim: Claim = wire::decode(&self.claim)?;
        verify(&claim.public_key, CLAIM_DOMAIN, &self.claim, &self.by_key, "claimed key")?;
        if claim.facts.len() > FACTS_MAX {
            return Err(Error::Facts);
        }
        Ok(claim)
    }
}

/// What the controller answers to a claim or a renewal, inside a signed envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The nonce of the request.
    pub nonce: Token,
    /// The controller's time; the agent judges expiries by its offset to this.
    pub now: UnixMillis,
    /// Admitted, or why not.
    pub verdict: Verdict,
}

impl Message for Answer {
    const NAME: &'static str = "enrol.answer";
}

/// Admitted, or why not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The machine is the agent.
    Admitted(Admission),
    /// It is not, and asking again with these keys will not help.
    Refused(String),
    /// Not now; ask again.
    Later(String),
}

/// What an agent gets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Admission {
    /// Its NATS credential: a user JWT for the key it claimed.
    pub jwt: String,
    /// When the credential ends.
    pub expires: UnixMillis,
    /// The public key of account BUS: the mark of commands.
    pub bus_account: String,
    /// The public half of the controller's curve key: the sender of sealed pillar.
    pub controller_xkey: String,
    /// The certificates of the CAs to trust from now on, in PEM; the known ones if absent.
    #[serde(default)]
    pub ca: Option<String>,
}

/// Asks for a new credential for the same keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Renewal {
    /// Who asks.
    pub agent_id: AgentId,
    /// Fresh; the answer repeats it.
    pub nonce: Token,
}

impl Message for Renewal {
    const NAME: &'static str = "enrol.renewal";
}

/// A renewal signed by the agent's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignedRenewal {
    /// The encoded [`Renewal`].
    #[serde(with = "serde_bytes")]
    pub renewal: Vec<u8>,
    /// By the agent's key.
    #[serde(with = "serde_bytes")]
    pub by_key: Vec<u8>,
}

impl Message for SignedRenewal {
    const NAME: &'static str = "enrol.signed_renewal";
}

impl SignedRenewal {
    /// Signs a renewal.
    ///
    /// # Errors
    /// When the key has no seed.
    pub fn sign(renewal: &Renewal, key: &KeyPair) -> Result<SignedRenewal, Error> {
        let renewal = wire::encode(renewal);
        let by_key = sign(key, RENEW_DOMAIN, &renewal, "renewal")?;
        Ok(SignedRenewal { renewal, by_key })
    }

    /// The renewal, if the key that the registry holds has signed it.
    ///
    /// # Errors
    /// When the signature or the renewal is wrong.
    pub fn verify(&self, public_key: &str) -> Result<Renewal, Error> {
        verify(public_key, RENEW_DOMAIN, &self.renewal, &self.by_key, "agent's key")?;
        Ok(wire::decode(&self.renewal)?)
    }
}

fn sign(key: &KeyPair, domain: &[u8], body: &[u8], what: &'static str) -> Result<Vec<u8>, Error> {
    key.sign(&[domain, body].concat()).map_err(|source| Error::Sign { what, source })
}

fn verify(
    public_key: &str,
    domain: &[u8],
    body: &[u8],
    signature: &[u8],
    by: &'static str,
) -> Result<(), Error> {
    let key = KeyPair::from_public_key(public_key)
        .map_err(|source| Error::Key { what: "the signer", source })?;
    key.verify(&[domain, body].concat(), signature).map_err(|_| Error::Signature { by })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::random;

    fn claim(key: &KeyPair) -> Claim {
        Claim {
            agent_id: AgentId::new(&"w".parse().unwrap(), random()),
            public_key: key.public_key(),
            xkey: nkeys::XKey::new().public_key(),
            server_id: None,
            facts: BTreeMap::from([("os".into(), "Debian".into())]),
            nonce: Token::random(random()),
            version: "0.1.0".into(),
        }
    }

    #[test]
    fn a_claim_needs_both_keys_over_every_byte() {
        let (bootstrap, key, thief) =
            (KeyPair::new_user(), KeyPair::new_user(), KeyPair::new_user());
        let claim = claim(&key);
        let good = Request::sign(&claim, &bootstrap, &key).unwrap();
        assert_eq!(good.verify(&bootstrap.public_key()).unwrap(), claim);

        let other_bootstrap = Request::sign(&claim, &thief, &key).unwrap();
        assert!(other_bootstrap.verify(&bootstrap.public_key()).is_err());
        let other_key = Request::sign(&claim, &bootstrap, &thief).unwrap();
        assert!(other_key.verify(&bootstrap.public_key()).is_err());
        for at in 0..good.claim.len() {
            let mut bent = good.clone();
            bent.claim[at] ^= 1;
            assert!(bent.verify(&bootstrap.public_key()).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_renewal_is_no_claim() {
        let key = KeyPair::new_user();
        let claim = claim(&key);
        let body = wire::encode(&claim);
        let renewal =
            SignedRenewal { by_key: sign(&key, CLAIM_DOMAIN, &body, "x").unwrap(), renewal: body };
        assert!(renewal.verify(&key.public_key()).is_err());
    }
}
