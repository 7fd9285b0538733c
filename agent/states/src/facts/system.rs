//! Facts of the kernel, the host's names, its init, and the agent's own process.

use nix::sys::utsname::uname;
use serde_json::{Value, json};

use super::{Facts, release};
use crate::host::Host;

pub(super) fn collect(host: &Host, facts: &mut Facts) {
    kernel(facts);
    names(host, facts);
    release::collect(&|path| host.read_text(path), facts);
    facts.set("osarch", osarch(facts));
    facts.set("init", init());
    services(host, facts);
    facts.set("machine_id", host.read_text("/etc/machine-id").unwrap_or_default().trim());
    process(host, facts);
    locale(facts);
}

fn kernel(facts: &mut Facts) {
    let Ok(uname) = uname() else { return };
    let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
    facts.set("kernel", text(uname.sysname()));
    facts.set("kernelrelease", text(uname.release()));
    facts.set("kernelversion", text(uname.version()));
    facts.set("cpuarch", text(uname.machine()));
    facts.set("nodename", text(uname.nodename()));
    let line = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    // A word with two `=` has no value in Salt.
    let param = |word: &str| match word.split('=').collect::<Vec<_>>().as_slice() {
        [name, value] => json!([name, value.trim_matches('"')]),
        parts => json!([parts.first(), null]),
    };
    facts.set("kernelparams", line.split_whitespace().map(param).collect::<Vec<_>>());
}

fn names(host: &Host, facts: &mut Facts) {
    let node = facts.get("nodename").and_then(Value::as_str).unwrap_or("localhost").to_owned();
    let fqdn = if node.contains('.') { node.clone() } else { from_hosts(host, &node) };
    let (short, domain) = fqdn.split_once('.').unwrap_or((&fqdn, ""));
    facts.set("host", short);
    facts.set("domain", domain);
    facts.set("localhost", node);
    facts.set("id", fqdn.clone());
    facts.set("fqdn", fqdn);
}

/// The first name that `/etc/hosts` gives to the line with this host's name.
fn from_hosts(host: &Host, node: &str) -> String {
    let hosts = host.read_text("/etc/hosts").unwrap_or_default();
    let line = hosts.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let names: Vec<_> = line.split_whitespace().skip(1).collect();
        let full = names.iter().find(|name| name.starts_with(&format!("{node}.")));
        names.contains(&node).then(|| full.copied().unwrap_or(node).to_owned())
    });
    line.unwrap_or_else(|| node.to_owned())
}

/// Debian's name of the architecture, or the kernel's.
fn osarch(facts: &Facts) -> String {
    let machine = facts.get("cpuarch").and_then(Value::as_str).unwrap_or_default();
    let debian = facts.get("os_family").is_some_and(|family| family == "Debian");
    let name = match machine {
        "x86_64" if debian => "amd64",
        "aarch64" if debian => "arm64",
        "armv7l" if debian => "armhf",
        "i686" | "i586" | "i386" if debian => "i386",
        "ppc64le" if debian => "ppc64el",
        other => other,
    };
    name.to_owned()
}

/// The name of process 1's program, where Salt knows it.
fn init() -> String {
    if std::path::Path::new("/run/systemd/system").exists() {
        return "systemd".to_owned();
    }
    let line = std::fs::read("/proc/1/cmdline").unwrap_or_default();
    let words: Vec<String> = line
        .split(|byte| *byte == 0)
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let program = words.first().map(String::as_str).unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    if name == "init" {
        let target = std::fs::canonicalize("/sbin/init").unwrap_or_default();
        let target = target.to_string_lossy().into_owned();
        for kind in ["upstart", "sysvinit", "systemd"] {
            if target.contains(kind) {
                return kind.to_owned();
            }
        }
        return "sysvinit".to_owned();
    }
    let known = ["supervisord", "dumb-init", "tini"];
    match words
        .iter()
        .find_map(|w| known.iter().find(|known| w.rsplit('/').next() == Some(**known)))
    {
        Some(known) => (*known).to_owned(),
        None if name == "runit" || words.iter().any(|word| word == "/sbin/my_init") => {
            "runit".to_owned()
        }
        None => "unknown".to_owned(),
    }
}

/// systemd's version, and SELinux, from files: asking the programs costs milliseconds.
fn services(host: &Host, facts: &mut Facts) {
    let has = |name: &str| crate::host::files::which(host, name).is_some();
    if has("systemctl") && has("localectl") {
        facts.set("systemd", json!({"version": systemd_version(host)}));
    }
    if has("selinuxenabled") {
        let mode = host.read_text("/sys/fs/selinux/enforce");
        let mut shown = json!({"enabled": mode.is_some()});
        if has("getenforce") {
            let word = match mode.as_deref().map(str::trim) {
                Some("1") => "Enforcing",
                Some(_) => "Permissive",
                None => "Disabled",
            };
            shown["enforced"] = word.into();
        }
        facts.set("selinux", shown);
    }
    facts.set("transactional", has("transactional-update"));
    facts.set("ps", "ps -efHww");
}

/// `libsystemd-shared-252.so` stands beside the program of that version.
fn systemd_version(host: &Host) -> String {
    let number = |name: String| {
        let rest = name.strip_prefix("libsystemd-shared-")?.strip_suffix(".so")?.to_owned();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(digits).filter(|digits| !digits.is_empty())
    };
    let arch = std::env::consts::ARCH;
    let folders = [
        "/usr/lib/systemd".to_owned(),
        "/lib/systemd".to_owned(),
        format!("/usr/lib/{arch}-linux-gnu/systemd"),
    ];
    let found = folders.iter().find_map(|folder| {
        let entries = std::fs::read_dir(host.followed(folder)).ok()?.flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.find_map(number)
    });
    found.unwrap_or_else(|| "UNDEFINED".to_owned())
}

fn process(host: &Host, facts: &mut Facts) {
    let accounts = host.accounts();
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    facts.set("uid", uid);
    facts.set("username", accounts.user_name(uid));
    facts.set("gid", gid);
    facts.set("groupname", accounts.group_name(gid));
    facts.set("pid", std::process::id());
    let cwd = std::env::current_dir().unwrap_or_default();
    facts.set("cwd", cwd.to_string_lossy().into_owned());
    let shell = std::env::var("SHELL").ok().filter(|shell| !shell.is_empty());
    facts.set("shell", shell.unwrap_or_else(|| "/bin/sh".to_owned()));
    facts.set("pathsep", ":");
    let path = std::env::var("PATH").unwrap_or_default();
    facts.set("systempath", path.split(':').collect::<Vec<_>>());
    facts.set("path", path);
    // Trees choose by the version of Salt, and names of packages by that of its Python: they are
    // told of the release whose rules this engine follows.
    facts.set("saltversion", "3008.5");
    facts.set("saltversioninfo", vec![3008, 5]);
    facts.set("pythonversion", json!([3, 11, 0, "final", 0]));
    // Salt's own default: trees name it, and have none here.
    facts.set("master", "salt");
    let zone = std::fs::read_link(host.path("/etc/localtime")).ok();
    let zone = zone.and_then(|path| {
        let path = path.to_string_lossy().into_owned();
        path.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned())
    });
    facts.set("timezone", zone.unwrap_or_else(|| "UTC".to_owned()));
}

/// Python's view of the locale that the process was started with.
fn locale(facts: &mut Facts) {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let lang = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    let (language, encoding) = match lang.as_deref() {
        None | Some("C" | "POSIX") => (Value::Null, Value::Null),
        Some(lang) => {
            let (language, encoding) = lang.split_once('.').unwrap_or((lang, "ISO8859-1"));
            let language = if language == "C" { "en_US" } else { language };
            let utf = ["UTF-8", "UTF8", "UTF_8"].contains(&encoding.to_uppercase().as_str());
            (language.into(), if utf { "UTF-8" } else { encoding }.into())
        }
    };
    let zone = std::fs::read("/etc/localtime").unwrap_or_default();
    // The last line of a time zone file is the rule for the years to come: `CET-1CEST,..`.
    let rule =
        String::from_utf8_lossy(&zone).trim_end().rsplit('\n').next().unwrap_or("").to_owned();
    let name: String = rule.chars().take_while(|c| c.is_ascii_alphabetic()).collect();
    facts.set(
        "locale_info",
        json!({
            "defaultlanguage": language, "defaultencoding": encoding, "detectedencoding": "utf-8",
            "timezone": if name.is_empty() { "UTC" } else { &name },
        }),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_file_tells_the_whole_name() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let hosts = "127.0.0.1 localhost\n10.0.0.1 w1.example.org w1 # us\n";
        std::fs::write(dir.path().join("etc/hosts"), hosts).unwrap();
        let host = Host::under(dir.path());
        assert_eq!(from_hosts(&host, "w1"), "w1.example.org");
        assert_eq!(from_hosts(&host, "w2"), "w2");
    }
}
