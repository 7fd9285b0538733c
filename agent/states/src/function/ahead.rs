//! Which checks may be done ahead of their state's turn.
//!
//! Those that read the host and nothing that states leave for one another in the session, but
//! what only acting changes. A check that comes to a command, a request or a state's applying is
//! stopped there, and done again at its turn. A module that is not named here is never checked
//! ahead, and whatever its check finds counts as an act.

/// Whether the check of a function reads only.
pub(super) fn only_reads(module: &str, name: &str) -> bool {
    match module {
        // What is gathered is for later states; a patch is tried by writing.
        "file" => !matches!(name, "accumulated" | "patch"),
        "module" => matches!(name, "wait" | "watch"),
        "alternatives" | "archive" | "cmd" | "cron" | "git" | "grains" | "group" | "host"
        | "ini" | "kmod" | "locale" | "mount" | "pkg" | "pkgrepo" | "service" | "ssh_auth"
        | "ssh_known_hosts" | "sysctl" | "test" | "timezone" | "user" => true,
        _ => false,
    }
}
