//! The functions of Salt's that take no arguments but their own: a state with another one ends
//! Salt's whole run when its turn comes.

/// By their full names; the others ignore what they do not know.
const STRICT: [&str; 44] = [
    "cron.env_absent",
    "cron.env_present",
    "cron.present",
    "environ.setenv",
    "file.append",
    "file.blockreplace",
    "file.cached",
    "file.comment",
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
    "user.absent",
    "user.present",
];

pub(super) fn is(module: &str, name: &str) -> bool {
    STRICT.iter().any(|full| full.split_once('.') == Some((module, name)))
}
