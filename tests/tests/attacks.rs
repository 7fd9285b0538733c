//! Attacks on identity and on the bus, each on a real cluster: by machines that want to enrol, by
//! agents and people with credentials of their own, by whoever owns the NATS server.
//!
//! A module is a line of the attacks' list; a test's comment names the defence without which it
//! fails. Each says how many attacks it has tried (`--nocapture`).

#[path = "attacks/copies.rs"]
mod copies;
#[path = "attacks/enrolment.rs"]
mod enrolment;
#[path = "attacks/envelopes.rs"]
mod envelopes;
#[path = "attacks/flood.rs"]
mod flood;
#[path = "attacks/ground.rs"]
mod ground;
#[path = "attacks/machine.rs"]
mod machine;
#[path = "attacks/names.rs"]
mod names;
#[path = "accounts/person.rs"]
#[allow(dead_code, reason = "shared with the tests of accounts, which use all of it")]
mod person;
#[path = "attacks/reading.rs"]
mod reading;
#[path = "attacks/steering.rs"]
mod steering;
