//! What the states of one run share, on whatever thread they run.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;

use crate::function::file::Accumulated;
use crate::report::Fired;
use crate::view::Later;

/// Shared between the states of one run.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Somebody hears the events that states send.
    pub(crate) heard: bool,
    /// The views of the worker after the one that the run began with.
    pub(crate) views: Later,
    /// The package lists are fresh.
    pub(crate) refreshed: Flag,
    /// Packages that the transaction of an earlier state installed for later ones, by name.
    pub(crate) packages: Shared<BTreeMap<String, Brought>>,
    /// What `file.accumulated` states gathered, for states that come later.
    pub(crate) accumulated: Shared<Accumulated>,
    /// Events that states sent, by the state's ID and place among `names`, until its return takes
    /// them.
    pub(crate) sent: Shared<BTreeMap<(String, u32), Vec<Fired>>>,
    /// Names of the facts that a state took out.
    pub(crate) grains_gone: Shared<HashSet<String>>,
    /// Keys of the states that changed something.
    pub(crate) changed: Shared<HashSet<String>>,
    /// Keys of the states that have run.
    pub(crate) done: Shared<HashSet<String>>,
    /// What the last function or command of a condition left in Salt's `__context__['retcode']`.
    pub(crate) retcode: Shared<i32>,
}

/// A value that one state may leave for another. Nobody borrows it twice at a time.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(RwLock<T>);

impl<T> Shared<T> {
    pub(crate) fn borrow(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn borrow_mut(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fact that one state may leave for another.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, to: bool) {
        self.0.store(to, Ordering::SeqCst);
    }
}

/// What became of a package on behalf of a later state.
#[derive(Debug, Clone)]
pub(crate) struct Brought {
    /// `{new, old}`.
    pub(crate) change: Value,
    /// The package that the later state asks for: itself, or one that needs it.
    pub(crate) with: String,
}
