//! Work that may only look: what would act is refused, and what was found so far counts for
//! nothing.
//!
//! It holds for the thread in hand. Commands that do not say that they only read, requests to
//! servers and the applying of states ask here before they begin.

use std::cell::Cell;

thread_local! {
    /// Whether the work in hand may only look, and if so whether something was refused it.
    static REFUSED: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Does something that may only look; `None` if it came to where it would have acted.
pub(crate) fn only<T>(work: impl FnOnce() -> T) -> Option<T> {
    let before = REFUSED.replace(Some(false));
    let found = work();
    (REFUSED.replace(before) == Some(false)).then_some(found)
}

/// Asked by what is about to act: whether it must not.
pub(crate) fn refuses() -> bool {
    let looks = REFUSED.get().is_some();
    if looks {
        REFUSED.set(Some(true));
    }
    looks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_to_acting_counts_for_nothing() {
        assert_eq!(only(|| 1), Some(1));
        assert_eq!(only(|| if refuses() { 2 } else { 3 }), None);
        assert!(!refuses(), "other work may act");
    }
}
