//! Hooks and membership on a real bus with real programs: what happens to workers reaches the head
//! node, once, and also after a controller was away.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

#[path = "hooks/follow.rs"]
mod follow;
#[path = "hooks/membership.rs"]
mod membership;
#[path = "hooks/namespace.rs"]
mod namespace;
#[path = "hooks/site.rs"]
mod site;
