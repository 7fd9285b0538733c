//! The modules that Salt 3008 has on Linux, and what to use instead of a function that is not here.
//!
//! Salt fails a function that no module has when it comes to it; one that Salt has and this engine
//! lacks is refused before anything runs.

use std::collections::HashMap;
use std::sync::LazyLock;

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

/// What Salt 3008.5 has on a plain Linux, by module; modules that need a program more are left out.
static FUNCTIONS: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let mut all: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut module = "";
    for word in include_str!("names.txt").split_whitespace() {
        match word.strip_suffix(':') {
            Some(name) => module = name,
            None => all.entry(module).or_default().push(word),
        }
    }
    all
});

/// Whether Salt has a function of this name wherever it runs.
pub(crate) fn is_function(name: &str) -> bool {
    let Some((module, fun)) = name.split_once('.') else { return false };
    FUNCTIONS.get(module).is_some_and(|functions| functions.contains(&fun))
}

/// Whether Salt has a function of this name, or may have it where some program is.
pub(crate) fn may_be_function(name: &str) -> bool {
    let Some((module, fun)) = name.split_once('.') else { return false };
    let known = FUNCTIONS.get(module).map(|functions| functions.contains(&fun));
    !fun.is_empty() && known.unwrap_or_else(|| is_module(module))
}

/// All functions that Salt has wherever it runs.
pub(crate) fn functions() -> impl Iterator<Item = String> {
    let names = |(module, functions): (&&'static str, &'static Vec<&str>)| {
        let module = *module;
        functions.iter().map(move |fun| format!("{module}.{fun}"))
    };
    FUNCTIONS.iter().flat_map(names)
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
            "state" => {
                "a state starts no other run: name the SLS under 'include', and what has to come \
                 before it under 'require'; values for it belong into the pillar"
            }
            "saltutil" | "publish" | "schedule" | "beacons" | "minion" => {
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

    #[test]
    fn functions_are_those_of_salts_modules() {
        assert!(FUNCTIONS.keys().all(|module| is_module(module)));
        assert!(is_function("pkg.install") && !is_function("pkg.nope") && !is_function("mysql.x"));
        assert!(may_be_function("mysql.user_create") && !may_be_function("file.nope"));
        assert!(functions().any(|name| name == "postgres.user_create"));
    }
}
