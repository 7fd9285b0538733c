//! Facts of the hardware: processor, memory, firmware, disks, and what it is a guest of.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::{Value, json};

use super::Facts;
use crate::host::Host;

pub(super) fn collect(host: &Host, facts: &mut Facts) {
    processor(facts);
    memory(facts);
    firmware(facts);
    disks(facts);
    let (kind, subtype) = guest(host, facts);
    facts.set("virtual", kind);
    if let Some(subtype) = subtype {
        facts.set("virtual_subtype", subtype);
    }
    facts.set("num_gpus", 0);
    facts.set("gpus", json!([]));
    facts.set("efi", Path::new("/sys/firmware/efi").exists());
}

fn proc(name: &str) -> String {
    fs::read_to_string(format!("/proc/{name}")).unwrap_or_default()
}

fn sys(name: &str) -> Option<String> {
    let data = fs::read(format!("/sys/{name}")).ok()?;
    Some(String::from_utf8_lossy(&data).trim().to_owned())
}

/// Salt's reading of cpuinfo: the last line of a name counts.
fn processor(facts: &mut Facts) {
    let (mut count, mut model, mut flags) = (0_u64, "Unknown".to_owned(), Vec::new());
    for line in proc("cpuinfo").lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.split(':').next().unwrap_or_default().trim();
        match key.trim() {
            "processor" => count += 1,
            "# processors" => count = value.parse().unwrap_or(count),
            "vendor_id" | "model name" | "cpu" => value.clone_into(&mut model),
            "Processor" => {
                value.split('-').next().unwrap_or_default().clone_into(&mut model);
                count = 1;
            }
            "flags" | "Features" => flags = value.split_whitespace().map(str::to_owned).collect(),
            _ => {}
        }
    }
    facts.set("num_cpus", count);
    facts.set("cpu_model", model);
    facts.set("cpu_flags", flags);
}

fn memory(facts: &mut Facts) {
    let info = proc("meminfo");
    let mib = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib / 1024)
    };
    facts.set("mem_total", mib("MemTotal").unwrap_or_default());
    facts.set("swap_total", mib("SwapTotal").unwrap_or_default());
}

fn firmware(facts: &mut Facts) {
    for (fact, name) in [
        ("biosversion", "bios_version"),
        ("biosvendor", "bios_vendor"),
        ("boardname", "board_name"),
        ("productname", "product_name"),
        ("manufacturer", "sys_vendor"),
        ("biosreleasedate", "bios_date"),
        ("uuid", "product_uuid"),
        ("serialnumber", "product_serial"),
    ] {
        if let Some(value) = sys(&format!("class/dmi/id/{name}")) {
            facts.set(fact, if fact == "uuid" { value.to_lowercase() } else { value });
        }
    }
}

/// Disks that turn, and those that do not; what the kernel made up itself is none.
fn disks(facts: &mut Facts) {
    let (mut disks, mut ssds) = (Vec::new(), Vec::new());
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let made_up = fs::read_link(entry.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with("../devices/virtual/"));
        match sys(&format!("block/{name}/queue/rotational")).as_deref() {
            Some("1") if !made_up => disks.push(name),
            Some("0") if !made_up => ssds.push(name),
            Some(_) | None => {}
        }
    }
    disks.sort();
    ssds.sort();
    facts.set("disks", disks);
    facts.set("ssds", ssds);
    let stat = proc("mdstat");
    let arrays = stat.lines().filter(|line| line.starts_with("md") && line.contains(" : active"));
    let names: Vec<String> =
        arrays.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    if Path::new("/proc/mdstat").exists() {
        facts.set("mdadm", names);
    }
}

type Guest = (String, Option<&'static str>);

/// Salt's `virtual` and `virtual_subtype`, as far as files tell; no program is asked.
fn guest(host: &Host, facts: &Facts) -> Guest {
    let (mut kind, mut subtype) = container(host).unwrap_or_else(|| machine(facts));
    let root = |path: &str| fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    if let (Some(own), Some(init)) = (root("/"), root("/proc/1/root/."))
        && own != init
    {
        subtype = Some("chroot");
    }
    let groups = proc("1/cgroup");
    if groups.contains(":/lxc/") || proc("1/environ").contains("container=lxc") {
        (kind, subtype) = ("container".to_owned(), Some("LXC"));
    } else if groups.contains(":/kubepods/") {
        subtype = Some("kubernetes");
    } else if groups.contains(":/libpod_parent/") {
        subtype = Some("libpod");
    } else if [":/system.slice/docker", ":/docker/", ":/docker-ce/"]
        .iter()
        .any(|g| groups.contains(g))
    {
        (kind, subtype) = ("container".to_owned(), Some("Docker"));
    }
    if subtype.is_some() && kind == "physical" {
        "virtual".clone_into(&mut kind);
    }
    (kind, subtype)
}

fn container(host: &Host) -> Option<Guest> {
    let told = host.read_text("/run/systemd/container").unwrap_or_default();
    let environ = proc("1/environ");
    let named = environ.split('\0').find_map(|entry| entry.strip_prefix("container="));
    let name = named.unwrap_or_else(|| told.trim()).to_owned();
    let subtype = if name.contains("lxc") {
        "LXC"
    } else if name.contains("podman") || host.stat("/run/.containerenv").is_some() {
        "Podman"
    } else if name.contains("docker") || host.stat("/.dockerenv").is_some() {
        "Docker"
    } else if name == "systemd-nspawn" {
        return Some((name, None));
    } else {
        return None;
    };
    Some(("container".to_owned(), Some(subtype)))
}

/// The hypervisor that the firmware's strings name.
fn machine(facts: &Facts) -> Guest {
    let text = |name: &str| facts.get(name).and_then(Value::as_str).unwrap_or_default();
    let product = text("productname");
    let all = [product, text("manufacturer"), text("biosvendor"), text("boardname")];
    let any = |words: &[&str]| all.iter().any(|own| words.iter().any(|word| own.contains(word)));
    let flags = facts.get("cpu_flags").and_then(Value::as_array);
    let hypervisor = flags.is_some_and(|flags| flags.iter().any(|flag| flag == "hypervisor"));
    let has = |path: &str| fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some());
    let (kind, subtype) = if any(&["VirtualBox", "innotek"]) {
        ("VirtualBox", None)
    } else if product.contains("RHEV Hypervisor") {
        ("kvm", Some("rhev"))
    } else if any(&["oVirt"]) {
        ("kvm", Some("ovirt"))
    } else if product.contains("Google") {
        ("gce", None)
    } else if any(&["Nutanix"]) {
        ("kvm", Some("Nutanix AHV"))
    } else if any(&["VMware"]) {
        ("VMware", None)
    } else if any(&["Amazon EC2"]) {
        ("Nitro", Some("Amazon EC2"))
    } else if any(&["Xen", "HVM domU"]) {
        ("xen", Some("Xen HVM DomU").filter(|_| product == "HVM domU"))
    } else if any(&["BHYVE"]) {
        ("bhyve", None)
    } else if any(&["Parallels"]) {
        ("Parallels", None)
    } else if any(&["Microsoft"]) && product.contains("Virtual Machine") {
        ("VirtualPC", None)
    } else if any(&["QEMU", "KVM", "OpenStack", "SeaBIOS", "Bochs"])
        || proc("cpuinfo").contains("QEMU Virtual CPU")
        || (hypervisor && has("/sys/bus/virtio/devices"))
    {
        ("kvm", None)
    } else {
        ("physical", None)
    };
    (kind.to_owned(), subtype)
}
