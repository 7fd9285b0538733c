//! The modules that Salt 3008 has on Linux, and what to use instead of a function that is not here.
//!
//! Salt fails a function that no module has when it comes to it; one that Salt has and this engine
//! lacks is refused before anything runs.

/// Names of Salt's modules, in order.
static MODULES: &[&str] = &[
    "acl",
    "aliases",
    "alternatives",
    "ansible",
    "apache",
    "archive",
    "artifactory",
    "asymmetric",
    "at",
    "baredoc",
    "bcache",
    "beacons",
    "bridge",
    "celery",
    "chef",
    "chroot",
    "cloud",
    "cmd",
    "config",
    "cp",
    "cron",
    "cryptdev",
    "data",
    "debconf",
    "defaults",
    "devinfo",
    "devmap",
    "dig",
    "disk",
    "dnsutil",
    "environ",
    "etcd",
    "ethtool",
    "event",
    "extfs",
    "file",
    "firewalld",
    "git",
    "gpg",
    "grains",
    "group",
    "hashutil",
    "highstate_doc",
    "hosts",
    "http",
    "idem",
    "incron",
    "ini",
    "iosconfig",
    "ip",
    "ipset",
    "iptables",
    "iwtools",
    "jinja",
    "junos",
    "kernelpkg",
    "key",
    "keyboard",
    "kmod",
    "locale",
    "locate",
    "log",
    "logrotate",
    "lowpkg",
    "lvm",
    "match",
    "mine",
    "minion",
    "mount",
    "mysql",
    "nacl",
    "netaddress",
    "network",
    "nfs3",
    "nftables",
    "npm",
    "ntp",
    "osquery",
    "out",
    "pam",
    "partition",
    "pillar",
    "pip",
    "pkg",
    "pkg_resource",
    "pkgbuild",
    "postgres",
    "proxy",
    "ps",
    "publish",
    "puppet",
    "pyenv",
    "quota",
    "rabbitmq",
    "raid",
    "random",
    "restartcheck",
    "ret",
    "rsync",
    "salt_proxy",
    "salt_version",
    "saltcheck",
    "saltcloud",
    "saltutil",
    "schedule",
    "scp",
    "scsi",
    "sdb",
    "seed",
    "selinux",
    "service",
    "shadow",
    "slack",
    "slsutil",
    "smbios",
    "snapper",
    "sqlite3",
    "ssh",
    "ssh_pki",
    "state",
    "status",
    "supervisord",
    "sys",
    "sysctl",
    "sysfs",
    "syslog_ng",
    "system",
    "temp",
    "test",
    "textfsm",
    "timezone",
    "tls",
    "udev",
    "user",
    "vagrant",
    "virtualenv",
    "webutil",
    "x509",
    "xfs",
    "xml",
    "yaml",
    "zk_concurrency",
];

/// Whether Salt has a module of this name.
pub(crate) fn is_module(name: &str) -> bool {
    MODULES.binary_search(&name).is_ok()
}

/// What to do about a function that is not here.
pub(crate) fn advice(name: &str) -> String {
    let module = name.split('.').next().unwrap_or(name);
    let instead = match name {
        "cmd.exec_code" | "cmd.exec_code_all" | "cmd.script" | "cmd.script_retcode" => {
            "write the program into a file of the tree and run it by a cmd.script state"
        }
        "cp.push" | "cp.push_dir" => "a worker sends no files: let a state write them where needed",
        _ => match module {
            "state" | "saltutil" | "publish" | "schedule" | "beacons" | "minion" => {
                "states do not start runs or jobs here: use requisites, or the muster command"
            }
            "sdb" | "nacl" | "gpg" => "put the value into the worker's pillar",
            "http" | "slack" => "use curl in a cmd.run state",
            "x509" | "tls" => "use openssl in a cmd.run state, or ship the certificate in pillar",
            "mine" => "put the value into the worker's pillar",
            _ => "use a state, or a command in a cmd.run state",
        },
    };
    format!("the salt function '{name}' is not supported: {instead}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_in_order() {
        assert!(MODULES.is_sorted());
        assert!(is_module("cmd") && is_module("file") && !is_module("docker"));
    }
}
