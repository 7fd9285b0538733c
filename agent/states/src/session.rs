//! What the states of one run share.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use crate::outcome::Changes;

/// Shared between the states of one run.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The package lists are fresh.
    pub(crate) refreshed: Cell<bool>,
    /// Packages that the transaction of an earlier state installed for later ones.
    pub(crate) packages: RefCell<Changes>,
    /// Keys of the states that changed something.
    pub(crate) changed: RefCell<HashSet<String>>,
    /// Keys of the states that have run.
    pub(crate) done: RefCell<HashSet<String>>,
}
