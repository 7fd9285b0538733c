//! The `umask` of the state in hand: what nobody may do with what it makes.
//!
//! The process's own is left alone: it belongs to all threads of the agent.

use std::cell::Cell;

/// What holds where a state asks for none.
const USUAL: u32 = 0o022;

thread_local! {
    static WANTED: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Does something under another mask.
pub(crate) fn with<T>(mask: Option<u32>, work: impl FnOnce() -> T) -> T {
    let before = WANTED.replace(mask);
    let done = work();
    WANTED.set(before);
    done
}

/// The mask that the state in hand asks for.
pub(crate) fn wanted() -> Option<u32> {
    WANTED.get()
}

/// The mode of a new file that asks for none.
pub(crate) fn new_file() -> u32 {
    0o666 & !wanted().unwrap_or(USUAL)
}

/// The mode of a new folder that asks for none.
pub(crate) fn new_folder() -> u32 {
    0o777 & !wanted().unwrap_or(USUAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_holds_for_the_work_that_asks_for_it() {
        assert_eq!((new_file(), new_folder()), (0o644, 0o755));
        assert_eq!(with(Some(0o077), || (new_file(), new_folder())), (0o600, 0o700));
        assert_eq!(wanted(), None);
    }
}
