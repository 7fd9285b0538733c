//! The functions of Salt's that take no arguments but their own: a state with another one ends
//! Salt's whole run when its turn comes.

/// By their full names; the others ignore what they do not know.
const STRICT: [&str; 59] = [
    "alternatives.auto",
    "alternatives.install",
    "alternatives.remove",
    "alternatives.set",
    "cron.env_absent",
    "cron.env_present",
    "cron.present",
    "environ.setenv",
    "event.wait",
    "file.append",
    "file.blockreplace",
    "file.cached",
    "file.comment",
    "file.decode",
    "file.keyvalue",
    "file.line",
    "file.mknod",
    "file.not_cached",
    "file.prepend",
    "file.pruned",
    "file.replace",
    "file.retention_schedule",
    "file.touch",
    "file.uncomment",
    "git.cloned",
    "git.present",
    "grains.absent",
    "grains.append",
    "grains.exists",
    "grains.list_absent",
    "grains.list_present",
    "grains.present",
    "group.absent",
    "group.present",
    "host.absent",
    "host.only",
    "host.present",
    "ini.options_absent",
    "ini.options_present",
    "ini.sections_absent",
    "ini.sections_present",
    "kmod.absent",
    "kmod.present",
    "locale.present",
    "locale.system",
    "mount.fstab_absent",
    "mount.fstab_present",
    "mount.swap",
    "service.masked",
    "service.unmasked",
    "ssh_auth.absent",
    "ssh_known_hosts.absent",
    "ssh_known_hosts.present",
    "sysctl.present",
    "test.check_pillar",
    "test.configurable_test_state",
    "timezone.system",
    "user.absent",
    "user.present",
];

/// Words that others ignore, or that concern commands: Salt takes them for arguments of a function.
const HANDED_ON: [&str; 6] =
    ["aggregate", "env", "provider", "shell", "success_retcodes", "timeout"];

/// Whether a word that the runner knows is an argument to a strict function.
pub(super) fn is_handed_on(name: &str) -> bool {
    HANDED_ON.contains(&name)
}

/// Whether a function is one of them.
pub(super) fn is(module: &str, name: &str) -> bool {
    STRICT.iter().any(|full| full.split_once('.') == Some((module, name)))
}

#[cfg(test)]
mod tests {
    use crate::function::find;

    #[test]
    fn words_of_commands_are_arguments_to_a_strict_function() {
        let knows = |module, name, word| find(module, name).is_some_and(|f| f.knows(word));
        assert!(knows("file", "managed", "shell") && !knows("file", "touch", "shell"));
        assert!(knows("file", "touch", "umask") && knows("file", "touch", "runas"));
        assert!(knows("ssh_known_hosts", "present", "timeout"));
    }
}
