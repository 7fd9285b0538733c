//! Memory that a run of states has used goes back to the kernel: an agent is idle most of its life.
#![allow(unsafe_code, reason = "glibc's allocator is told what to do by these two calls only")]

/// Makes all threads share one heap: there are few, and each of its own keeps what it had.
pub(crate) fn share_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes two numbers, and no other thread runs yet.
    let _known = unsafe { nix::libc::mallopt(nix::libc::M_ARENA_MAX, 1) };
}

/// Gives back what is free.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes a number, and may be called at any time.
    let _given = unsafe { nix::libc::malloc_trim(0) };
}
