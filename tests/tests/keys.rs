//! Keys made anew while agents are connected, and the list of revoked credentials: when it is too
//! long, when there are two controllers, and when others push.

#[path = "keys/controllers.rs"]
mod controllers;
#[path = "keys/copies.rs"]
mod copies;
#[path = "keys/many.rs"]
mod many;
#[path = "keys/rotations.rs"]
mod rotations;
#[path = "keys/stolen.rs"]
mod stolen;
