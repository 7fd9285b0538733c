//! The encoding of every message: MessagePack with named fields, inside a map with a version.
//!
//! Within a version messages only grow: a reader ignores fields it does not know, and a field that
//! came later has a default. A reader refuses a version above its own.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The largest message that is decoded, in bytes: NATS' own default limit of a payload.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// How deep maps and lists may nest in a message.
pub const DEPTH_MAX: usize = 48;

/// A message of the bus, with the version of its fields.
pub trait Message: Serialize + DeserializeOwned {
    /// What people call it, for errors and golden files, e.g. `enrol.request`.
    const NAME: &'static str;
    /// Grows when a field changes its meaning; a new field alone does not raise it.
    const VERSION: u16 = 1;
}

/// Why bytes are not the message that was expected.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// More bytes than its limit.
    #[error("{name} of {bytes} bytes is over the limit of {max}")]
    TooLarge {
        /// The message that was expected.
        name: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Not MessagePack, or not these fields.
    #[error("decoding {name}")]
    Decode {
        /// The message that was expected.
        name: &'static str,
        /// What the decoder says.
        #[source]
        source: rmp_serde::decode::Error,
    },
    /// From a newer release.
    #[error(
        "{name} has version {found}, this release reads up to {known}; upgrade this side first"
    )]
    Version {
        /// The message that was expected.
        name: &'static str,
        /// The sender's version.
        found: u16,
        /// The newest version known here.
        known: u16,
    },
}

#[derive(Serialize)]
struct Outgoing<'a, M> {
    v: u16,
    body: &'a M,
}

#[derive(Deserialize)]
struct Incoming<M> {
    body: M,
}

#[derive(Deserialize)]
struct Version {
    v: u16,
}

/// The bytes of a message.
#[must_use]
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    rmp_serde::to_vec_named(&Outgoing { v: M::VERSION, body: message })
        .expect("messages hold nothing that MessagePack cannot say")
}

/// Reads a message; unknown fields are ignored.
///
/// # Errors
/// When the bytes are too many, are not this message, or come from a newer version.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, Error> {
    decode_within(bytes, MESSAGE_BYTES_MAX)
}

/// Reads a message that does not travel as one, and may be larger than one that does.
///
/// # Errors
/// As [`decode`], with another limit.
pub fn decode_within<M: Message>(bytes: &[u8], max: usize) -> Result<M, Error> {
    let name = M::NAME;
    if bytes.len() > max {
        return Err(Error::TooLarge { name, bytes: bytes.len(), max });
    }
    let version: Version = read(bytes).map_err(|source| Error::Decode { name, source })?;
    if version.v > M::VERSION {
        return Err(Error::Version { name, found: version.v, known: M::VERSION });
    }
    let incoming: Incoming<M> = read(bytes).map_err(|source| Error::Decode { name, source })?;
    Ok(incoming.body)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, rmp_serde::decode::Error> {
    let mut from = rmp_serde::Deserializer::from_read_ref(bytes);
    from.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Small {
        name: String,
    }
    impl Message for Small {
        const NAME: &'static str = "small";
    }

    #[derive(Serialize, Deserialize)]
    struct Grown {
        name: String,
        later: Vec<u8>,
    }
    impl Message for Grown {
        const NAME: &'static str = "small";
    }

    #[derive(Serialize, Deserialize)]
    struct Newer {
        name: String,
    }
    impl Message for Newer {
        const NAME: &'static str = "small";
        const VERSION: u16 = 2;
    }

    #[test]
    fn a_field_that_came_later_is_ignored() {
        let bytes = encode(&Grown { name: "a".into(), later: vec![1] });
        assert_eq!(decode::<Small>(&bytes).unwrap(), Small { name: "a".into() });
    }

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let error = decode::<Small>(&encode(&Newer { name: "a".into() })).unwrap_err();
        assert!(error.to_string().contains("small has version 2"), "{error}");
    }

    #[test]
    fn bytes_that_are_no_message_are_an_error() {
        for bytes in [&b""[..], b"\xc1", b"{}", &[0x91; 4096], &vec![0; MESSAGE_BYTES_MAX + 1]] {
            assert!(decode::<Small>(bytes).is_err());
        }
    }
}
