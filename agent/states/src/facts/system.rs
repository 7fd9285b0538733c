//! Facts of the operating system, the kernel, the processor and the process.

use nix::sys::utsname::uname;
use serde_json::Value;

use super::Facts;
use crate::host::Host;

pub(super) fn collect(host: &Host, facts: &mut Facts) {
    kernel(facts);
    names(host, facts);
    release(host, facts);
    machine(host, facts);
    process(host, facts);
}

fn kernel(facts: &mut Facts) {
    let Ok(uname) = uname() else { return };
    let text = |part: &std::ffi::OsStr| part.to_string_lossy().into_owned();
    facts.set("kernel", text(uname.sysname()));
    facts.set("kernelrelease", text(uname.release()));
    facts.set("kernelversion", text(uname.version()));
    facts.set("cpuarch", text(uname.machine()));
    facts.set("nodename", text(uname.nodename()));
}

fn names(host: &Host, facts: &mut Facts) {
    let node = facts.get("nodename").and_then(Value::as_str).unwrap_or("localhost").to_owned();
    let short = node.split('.').next().unwrap_or(&node).to_owned();
    let fqdn = if node.contains('.') { node.clone() } else { from_hosts(host, &node) };
    let domain = fqdn.split_once('.').map_or("", |(_, domain)| domain).to_owned();
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

fn release(host: &Host, facts: &mut Facts) {
    let text = host.read_text("/etc/os-release").or_else(|| host.read_text("/usr/lib/os-release"));
    let text = text.unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(|value| value.trim().trim_matches(['"', '\'']).to_owned()).unwrap_or_default()
    };
    let (os, full) = os_name(&field("ID"), &field("NAME"));
    let version = debian_point(host, &os).unwrap_or_else(|| field("VERSION_ID"));
    let major = version.split('.').next().unwrap_or_default().to_owned();
    let major_value = major.parse::<i64>().map_or_else(|_| Value::from(major.clone()), Value::from);
    let finger = if os == "Ubuntu" { version.clone() } else { major };
    facts.set("osfinger", format!("{full}-{finger}"));
    facts.set("os_family", family(&field("ID"), &field("ID_LIKE")));
    facts.set("osfullname", full);
    facts.set("oscodename", codename(&field("VERSION_CODENAME"), &field("PRETTY_NAME")));
    let parts = version
        .split('.')
        .map(|part| part.parse::<i64>().map_or_else(|_| Value::from(part), Value::from));
    facts.set("osrelease_info", parts.collect::<Vec<_>>());
    facts.set("osrelease", version);
    facts.set("osmajorrelease", major_value);
    facts.set("lsb_distrib_id", field("NAME"));
    facts.set("lsb_distrib_release", field("VERSION_ID"));
    facts.set("lsb_distrib_codename", field("VERSION_CODENAME"));
    facts.set("os", os);
    facts.set("osarch", osarch(facts));
}

/// Salt's `os` and `osfullname` for the ID and NAME of os-release.
fn os_name(id: &str, name: &str) -> (String, String) {
    let (os, full) = match id {
        "rhel" => ("RedHat", name),
        "rocky" => ("Rocky", name),
        "almalinux" => ("AlmaLinux", name),
        "centos" => (if name.contains("Stream") { "CentOS Stream" } else { "CentOS" }, name),
        "ol" => ("OEL", name),
        "fedora" => ("Fedora", "Fedora"),
        "amzn" => ("Amazon", name),
        "debian" => ("Debian", name),
        "ubuntu" => ("Ubuntu", "Ubuntu"),
        "opensuse-leap" | "opensuse-tumbleweed" | "sles" => ("SUSE", name),
        _ => (name, name),
    };
    (os.to_owned(), full.to_owned())
}

fn family(id: &str, like: &str) -> &'static str {
    let words: Vec<_> = std::iter::once(id).chain(like.split_whitespace()).collect();
    let any = |names: &[&str]| words.iter().any(|word| names.contains(word));
    if any(&["debian", "ubuntu"]) {
        "Debian"
    } else if any(&["rhel", "fedora", "centos", "rocky", "almalinux", "ol", "amzn"]) {
        "RedHat"
    } else if words.iter().any(|word| word.starts_with("opensuse") || word.starts_with("sles")) {
        "Suse"
    } else if any(&["arch"]) {
        "Arch"
    } else if any(&["alpine"]) {
        "Alpine"
    } else {
        "Linux"
    }
}

/// Debian's os-release has no point release; `/etc/debian_version` has.
fn debian_point(host: &Host, os: &str) -> Option<String> {
    if os != "Debian" {
        return None;
    }
    let version = host.read_text("/etc/debian_version")?.trim().to_owned();
    version.starts_with(|c: char| c.is_ascii_digit()).then_some(version)
}

/// The version's code name, or what stands in brackets in PRETTY_NAME.
fn codename(code: &str, pretty: &str) -> String {
    if !code.is_empty() {
        return code.to_owned();
    }
    let inner = pretty.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    inner.map_or_else(|| pretty.to_owned(), |(name, _)| name.to_owned())
}

/// Debian's name of the architecture, or the kernel's.
fn osarch(facts: &Facts) -> String {
    let machine = facts.get("cpuarch").and_then(Value::as_str).unwrap_or_default();
    let debian = facts.get("os_family").is_some_and(|family| family == "Debian");
    match machine {
        "x86_64" if debian => "amd64".to_owned(),
        "aarch64" if debian => "arm64".to_owned(),
        other => other.to_owned(),
    }
}

fn machine(host: &Host, facts: &mut Facts) {
    let info = host_proc("cpuinfo");
    let field = |names: &[&str]| {
        info.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            names.contains(&key.trim()).then(|| value.trim().to_owned())
        })
    };
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    facts.set("num_cpus", cpus);
    facts.set("cpu_model", field(&["model name", "Model", "Processor"]).unwrap_or_default());
    let flags = field(&["flags", "Features"]).unwrap_or_default();
    facts.set("cpu_flags", flags.split_whitespace().collect::<Vec<_>>());
    memory(facts);
    facts.set("virtual", virtual_kind(host, &flags));
    let dmi = |name: &str| host_sys(&format!("class/dmi/id/{name}"));
    for (fact, name) in [
        ("manufacturer", "sys_vendor"),
        ("productname", "product_name"),
        ("biosversion", "bios_version"),
        ("uuid", "product_uuid"),
    ] {
        if let Some(value) = dmi(name) {
            facts.set(fact, if fact == "uuid" { value.to_lowercase() } else { value });
        }
    }
    facts.set("init", init());
    facts.set("machine_id", host.read_text("/etc/machine-id").unwrap_or_default().trim());
    facts.set("num_gpus", 0);
}

fn memory(facts: &mut Facts) {
    let info = host_proc("meminfo");
    let mib = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
    };
    facts.set("mem_total", mib("MemTotal").unwrap_or_default());
    facts.set("swap_total", mib("SwapTotal").unwrap_or_default());
}

/// Salt's `virtual`: container, hypervisor or `physical`, as far as files tell.
fn virtual_kind(host: &Host, flags: &str) -> &'static str {
    let vendor = host_sys("class/dmi/id/sys_vendor").unwrap_or_default();
    let product = host_sys("class/dmi/id/product_name").unwrap_or_default();
    let container = host.read_text("/run/systemd/container").unwrap_or_default();
    if host.stat("/.dockerenv").is_some() || container.contains("docker") {
        "container"
    } else if !container.is_empty() {
        "LXC"
    } else if vendor.contains("QEMU") || product.contains("KVM") || product.contains("OpenStack") {
        "kvm"
    } else if vendor.contains("VMware") {
        "VMware"
    } else if vendor.contains("innotek") {
        "VirtualBox"
    } else if vendor.contains("Xen") {
        "xen"
    } else if vendor.contains("Microsoft") {
        "HyperV"
    } else if flags.split_whitespace().any(|flag| flag == "hypervisor") {
        "kvm"
    } else {
        "physical"
    }
}

fn init() -> String {
    if std::path::Path::new("/run/systemd/system").is_dir() {
        return "systemd".to_owned();
    }
    let comm = std::fs::read_to_string("/proc/1/comm").unwrap_or_default();
    if comm.is_empty() { "unknown".to_owned() } else { comm.trim().to_owned() }
}

fn process(host: &Host, facts: &mut Facts) {
    let accounts = host.accounts();
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    facts.set("uid", uid);
    facts.set("username", accounts.user_name(uid));
    facts.set("gid", gid);
    facts.set("groupname", accounts.group_name(gid));
    facts.set("pid", std::process::id());
    facts.set("shell", "/bin/sh");
    facts.set("pathsep", ":");
    let path = std::env::var("PATH").unwrap_or_default();
    facts.set("systempath", path.split(':').collect::<Vec<_>>());
    facts.set("path", path);
    facts.set("saltversion", "3008.5");
    facts.set("saltversioninfo", vec![3008, 5]);
    let zone = std::fs::read_link(host.path("/etc/localtime")).ok();
    let zone = zone.and_then(|path| {
        let path = path.to_string_lossy().into_owned();
        path.split_once("zoneinfo/").map(|(_, zone)| zone.to_owned())
    });
    facts.set("timezone", zone.unwrap_or_else(|| "UTC".to_owned()));
}

fn host_proc(name: &str) -> String {
    std::fs::read_to_string(format!("/proc/{name}")).unwrap_or_default()
}

fn host_sys(name: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/sys/{name}")).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(release: &str) -> Facts {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/os-release"), release).unwrap();
        super::super::collect(&Host::under(dir.path()))
    }

    #[test]
    fn distributions_have_salts_names() {
        let rocky = of("NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n\
                        VERSION_ID=\"9.4\"\nPRETTY_NAME=\"Rocky Linux 9.4 (Blue Onyx)\"\n");
        let get = |facts: &Facts, name: &str| facts.get(name).unwrap().clone();
        assert_eq!(get(&rocky, "os"), "Rocky");
        assert_eq!(get(&rocky, "os_family"), "RedHat");
        assert_eq!(get(&rocky, "osmajorrelease"), 9);
        assert_eq!(get(&rocky, "osfinger"), "Rocky Linux-9");
        assert_eq!(get(&rocky, "oscodename"), "Blue Onyx");
        let ubuntu = of("NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n\
                         VERSION_CODENAME=noble\n");
        assert_eq!(get(&ubuntu, "os_family"), "Debian");
        assert_eq!(get(&ubuntu, "osfinger"), "Ubuntu-24.04");
        assert_eq!(get(&ubuntu, "oscodename"), "noble");
    }
}
