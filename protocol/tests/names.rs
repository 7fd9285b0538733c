//! What no name may hold, whatever way it comes: read from text, from JSON, off the wire.

use muster_protocol::id::{AgentId, ClusterName, Hash, PoolName, Token, UserName, WorkerName};
use muster_protocol::wire::{self, Message};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt::{Debug, Display};
use std::str::FromStr;

/// The longest that any id may be, in bytes.
const ID_BYTES_MAX: usize = 128;

#[derive(Serialize, Deserialize)]
struct Held<T> {
    id: T,
}

impl<T: Serialize + DeserializeOwned> Message for Held<T> {
    const NAME: &'static str = "held";
}

/// Whether a text is such an id; every way in must say the same, and none may change the text.
fn is<T>(text: &str) -> bool
where
    T: FromStr + Serialize + DeserializeOwned + Display + TryFrom<String> + Debug,
{
    let parsed = text.parse::<T>().ok();
    let json = serde_json::to_string(text).expect("a text is JSON");
    let from_json = serde_json::from_str::<T>(&json).ok();
    let from_wire = wire::decode::<Held<T>>(&wire::encode(&Held { id: text.to_owned() })).ok();
    let from_wire = from_wire.map(|held| held.id);
    let from_string = T::try_from(text.to_owned()).ok();
    for way in [&from_json, &from_wire, &from_string] {
        assert_eq!(way.is_some(), parsed.is_some(), "{text:?}");
    }
    for id in [parsed.as_ref(), from_json.as_ref(), from_wire.as_ref(), from_string.as_ref()] {
        assert!(id.is_none_or(|id| id.to_string() == text), "{text:?} became {id:?}");
    }
    parsed.is_some()
}

/// As which ids a text is accepted.
fn accepted(text: &str) -> Vec<&'static str> {
    let all = [
        ("worker", is::<WorkerName>(text)),
        ("pool", is::<PoolName>(text)),
        ("user", is::<UserName>(text)),
        ("cluster", is::<ClusterName>(text)),
        ("agent", is::<AgentId>(text)),
        ("token", is::<Token>(text)),
        ("hash", is::<Hash>(text)),
    ];
    all.into_iter().filter_map(|(kind, is)| is.then_some(kind)).collect()
}

/// What would be more than one token of a subject, or another one than it looks.
fn is_harmless(text: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= ID_BYTES_MAX && text.bytes().all(harmless)
}

/// Ids with something in them that does harm, at every place.
fn spoilt() -> impl Strategy<Value = String> {
    let harm = prop_oneof![
        Just('*'),
        Just('>'),
        Just('.'),
        Just('$'),
        Just(' '),
        Just('\u{7f}'),
        proptest::char::range('\0', ' '),
        proptest::char::range('\u{80}', '\u{10ffff}'),
    ];
    let place = any::<prop::sample::Index>();
    ("[a-z0-9-]{0,40}", harm, place).prop_map(|(mut text, harm, place)| {
        text.insert(place.index(text.len() + 1), harm);
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Guards: `id!` in id.rs: its rules, and that serde has no other way in.
    #[test]
    fn what_is_accepted_is_one_harmless_token(text in any::<String>()) {
        prop_assert!(accepted(&text).is_empty() || is_harmless(&text), "{:?}", text);
    }

    /// Guards: `is_name`, `is_token`, `is_hash`, `is_agent_id` in id.rs.
    #[test]
    fn one_harmful_character_spoils_every_id(text in spoilt()) {
        prop_assert!(accepted(&text).is_empty(), "{:?}", text);
    }

    /// Guards: the lengths in id.rs.
    #[test]
    fn what_is_too_long_is_no_id(text in "[a-z0-9]{129,600}") {
        prop_assert!(accepted(&text).is_empty(), "{:?}", text);
    }

    /// No id is refused that should be accepted.
    #[test]
    fn plain_names_are_names(text in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?") {
        let names = ["worker", "pool", "user", "cluster"];
        let accepted = accepted(&text);
        prop_assert!(names.iter().all(|name| accepted.contains(name)), "{:?}", text);
    }
}

#[test]
fn look_alikes_of_letters_and_dots_are_none() {
    for text in ["cоmpute", "compute․1", "ｃompute", "compute\u{200b}", "＊", "compute\u{301}", "٠"]
    {
        assert!(accepted(text).is_empty(), "{text:?}");
    }
}
