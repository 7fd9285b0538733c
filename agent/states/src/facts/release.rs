//! Facts of the distribution, by Salt's rules: from os-release, lsb-release and the older files.

use serde_json::{Map, Value};

use super::Facts;

/// Reads what the distribution says of itself; `read` gives the text of a file of the host.
pub(super) fn collect(read: &dyn Fn(&str) -> Option<String>, facts: &mut Facts) {
    let text = read("/etc/os-release").or_else(|| read("/usr/lib/os-release"));
    let release = fields(&text.unwrap_or_default());
    let field = |name: &str| release.get(name).and_then(Value::as_str);
    let mut lsb = lsb_release(&read("/etc/lsb-release").unwrap_or_default());
    let mut os = field("NAME").map(|name| os_name(name, field("ID").unwrap_or_default()));
    let mut full = field("NAME").map(|name| name.trim().to_owned());
    if !lsb.contains_key("lsb_distrib_id") {
        from_os_release(&field, &mut lsb);
        if let Some([vendor, _, version]) = field("CPE_NAME").and_then(cpe)
            && ["suse", "opensuse"].contains(&vendor.to_lowercase().as_str())
        {
            os = Some("SUSE".to_owned());
            if field("NAME") == Some("openSUSE Leap") {
                full = Some("Leap".to_owned());
            }
            if vendor == "opensuse" && !version.is_empty() {
                lsb.insert("lsb_distrib_release".to_owned(), version.into());
            }
        }
    }
    let (own_version, own_codename) = of_the_files(&field, read);
    let part = |lsb: &Map<String, Value>, name: &str| {
        lsb.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
    };
    let code = part(&lsb, "lsb_distrib_codename");
    if ["CentOS Linux 7", "CentOS Linux 8"].iter().any(|old| code.contains(old)) {
        lsb.remove("lsb_distrib_release");
    }
    let mut version = match lsb.get("lsb_distrib_release") {
        Some(_) => part(&lsb, "lsb_distrib_release"),
        None => own_version,
    };
    let os_known = os.clone().unwrap_or_default();
    if ["Rocky", "AlmaLinux"].iter().any(|name| os_known.contains(name))
        && let Some(inner) = in_brackets(&code)
    {
        lsb.insert("lsb_distrib_codename".to_owned(), inner.into());
    }
    let code = part(&lsb, "lsb_distrib_codename");
    let mut codename = if code.is_empty() { own_codename.clone() } else { code };
    if codename.contains("Red Hat") {
        codename = own_codename;
    }
    let full = full.unwrap_or_else(|| part(&lsb, "lsb_distrib_id"));
    let mut full = if full.is_empty() { "Linux".to_owned() } else { full };
    let os = os.unwrap_or_else(|| os_name(&full, ""));
    if let (Some(product), Some(number)) =
        (field("SUSE_SUPPORT_PRODUCT"), field("SUSE_SUPPORT_PRODUCT_VERSION"))
    {
        codename =
            field("SUSE_PRETTY_NAME").map_or_else(|| format!("{product} {number}"), str::to_owned);
        number.clone_into(&mut version);
        if product == "SUSE Linux Micro" {
            "SL-Micro".clone_into(&mut full);
        }
    }
    for (name, value) in lsb {
        facts.set(name, value);
    }
    facts.set("os_family", family(&os));
    facts.set("oscodename", codename);
    numbers(&os, &full, &version, facts);
    facts.set("osfullname", full);
    facts.set("os", os);
}

/// `NAME="value"` lines.
fn fields(text: &str) -> Map<String, Value> {
    let pair = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        let value = value.trim().trim_matches(['"', '\'']);
        (!name.starts_with('#')).then(|| (name.to_owned(), Value::from(value)))
    };
    text.lines().filter_map(pair).collect()
}

/// The `DISTRIB_*` lines of lsb-release.
fn lsb_release(text: &str) -> Map<String, Value> {
    const NAMES: [&str; 4] =
        ["DISTRIB_ID", "DISTRIB_RELEASE", "DISTRIB_CODENAME", "DISTRIB_DESCRIPTION"];
    let pair = |(name, value): (String, Value)| {
        NAMES.contains(&name.as_str()).then(|| (format!("lsb_{}", name.to_lowercase()), value))
    };
    let told = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    fields(text).into_iter().filter_map(pair).filter(|(_, value)| told(value)).collect()
}

/// What stands for lsb-release where there is none.
fn from_os_release<'a>(field: &dyn Fn(&str) -> Option<&'a str>, lsb: &mut Map<String, Value>) {
    let code = field("VERSION_CODENAME").or_else(|| field("PRETTY_NAME"));
    for (name, value) in [
        ("lsb_distrib_id", field("NAME").map(str::trim)),
        ("lsb_distrib_release", field("VERSION_ID")),
        ("lsb_distrib_codename", code),
    ] {
        if let Some(value) = value {
            lsb.insert(name.to_owned(), value.into());
        }
    }
}

/// Vendor, product and version of a `cpe:/o:vendor:product:version`.
fn cpe(name: &str) -> Option<[String; 3]> {
    let parts: Vec<&str> = name.split(':').collect();
    let at = match parts.as_slice() {
        ["cpe", part, _, _, _, ..] if part.starts_with('/') => 2,
        ["cpe", "2.3", _, _, _, _, ..] => 3,
        _ => return None,
    };
    let one =
        |at: usize| parts.get(at).filter(|part| **part != "*").map_or("", |part| *part).to_owned();
    Some([one(at), one(at + 1), one(at + 2)])
}

/// The exact version, and the name in brackets, that the distribution's own files tell.
fn of_the_files<'a>(
    field: &dyn Fn(&str) -> Option<&'a str>,
    read: &dyn Fn(&str) -> Option<String>,
) -> (String, String) {
    let version = field("VERSION_ID").unwrap_or_default().to_owned();
    let files = ["/etc/centos-release", "/etc/redhat-release", "/etc/system-release"];
    let told = files.iter().find_map(|path| read(path));
    let exact = told.as_deref().and_then(|text| text.split_once("release ")).map(|(_, rest)| {
        rest.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default()
    });
    let longer = exact.filter(|exact| exact.len() > version.len() && exact.starts_with(&version));
    let bracketed =
        field("VERSION").and_then(in_brackets).or_else(|| in_brackets(told.as_deref()?));
    let code = field("VERSION_CODENAME").map(str::to_owned).or(bracketed).unwrap_or_default();
    (longer.map_or(version, str::to_owned), code)
}

fn in_brackets(text: &str) -> Option<String> {
    let inner = text.split_once('(')?.1.split_once(')')?.0;
    Some(inner.to_owned())
}

/// Salt's `os` for the NAME of os-release.
fn os_name(name: &str, id: &str) -> String {
    if (id, name) == ("pop", "Pop!_OS") {
        return "Pop".to_owned();
    }
    let bare = without_linux(name);
    let short: String = bare.replace(' ', "").to_lowercase().chars().take(10).collect();
    let known = NAMES.iter().find(|(own, _)| *own == short);
    known.map_or(bare, |(_, os)| (*os).to_owned())
}

/// The name without `Linux` and `GNU/Linux` and the sign before them.
fn without_linux(name: &str) -> String {
    let mut out = name.to_owned();
    for word in ["gnu/linux", "linux"] {
        while let Some(at) = out.to_lowercase().find(word) {
            let before = out[..at].chars().next_back();
            let Some(sign) = before.filter(|c| !c.is_alphanumeric() && *c != '_') else { break };
            out.replace_range(at - sign.len_utf8()..at + word.len(), "");
        }
    }
    out.trim().to_owned()
}

/// The first ten letters of a name, and Salt's word for it.
const NAMES: [(&str, &str); 29] = [
    ("redhatente", "RedHat"),
    ("gentoobase", "Gentoo"),
    ("archarm", "Arch ARM"),
    ("arch", "Arch"),
    ("debian", "Debian"),
    ("raspbian", "Raspbian"),
    ("fedoraremi", "Fedora"),
    ("amazonami", "Amazon"),
    ("alt", "ALT"),
    ("enterprise", "OEL"),
    ("oracleserv", "OEL"),
    ("cloudserve", "CloudLinux"),
    ("cloudlinux", "CloudLinux"),
    ("virtuozzo", "Virtuozzo"),
    ("almalinux", "AlmaLinux"),
    ("almalinuxk", "AlmaLinux"),
    ("scientific", "ScientificLinux"),
    ("manjaro", "Manjaro"),
    ("manjarolin", "Manjaro"),
    ("univention", "Univention"),
    ("sles", "SUSE"),
    ("void", "Void"),
    ("slesexpand", "RES"),
    ("linuxmint", "Mint"),
    ("neon", "KDE neon"),
    ("pop", "Pop"),
    ("rocky", "Rocky"),
    ("alibabaclo", "Alinux"),
    ("photon", "VMware Photon OS"),
];

/// Salt's `os_family` of an `os`; one that is of no family is its own.
fn family(os: &str) -> &str {
    match os {
        "Ubuntu" | "Mint" | "Trisquel" | "Linaro" | "elementary OS" | "elementary"
        | "Univention" | "Raspbian" | "Devuan" | "antiX" | "Kali" | "Parrot OS" | "neon"
        | "Cumulus" | "Deepin" | "KDE neon" | "TurnKey" | "Pop" | "Mendel" | "OSMC" => "Debian",
        "Fedora" | "CentOS" | "CentOS Stream" | "Scientific" | "Amazon" | "CloudLinux"
        | "Virtuozzo" | "AlmaLinux" | "AlmaLinux Kitten" | "OVS" | "OEL" | "XCP" | "XCP-ng"
        | "XenServer" | "RES" | "Sangoma" | "VMware Photon OS" | "ALT" | "ScientificLinux"
        | "Rocky" | "Alinux" | "openEuler" | "RED OS" | "AlterOS" => "RedHat",
        "SLES"
        | "SLED"
        | "openSUSE"
        | "SUSE"
        | "openSUSE Leap"
        | "openSUSE Tumbleweed"
        | "SLES_SAP"
        | "SUSE Enterprise Server" => "Suse",
        "Arch ARM" | "Manjaro" | "Manjaro ARM" | "Antergos" | "EndeavourOS" => "Arch",
        "Funtoo" => "Gentoo",
        other => other,
    }
}

/// The version in parts, and `osfinger`.
fn numbers(os: &str, full: &str, version: &str, facts: &mut Facts) {
    facts.set("osrelease", version);
    if version.is_empty() {
        return;
    }
    let part = |part: &str| match part.parse::<i64>() {
        Ok(number) if part.chars().all(|c| c.is_ascii_digit()) => Value::from(number),
        Ok(_) | Err(_) => Value::from(part),
    };
    facts.set("osrelease_info", version.split('.').map(part).collect::<Vec<_>>());
    let major = version.split('.').next().unwrap_or_default();
    if let Ok(number) = major.parse::<i64>() {
        facts.set("osmajorrelease", number);
    }
    let name = if ["Debian", "Raspbian", "AlmaLinux"].contains(&os) { os } else { full };
    let whole = ["Ubuntu", "Pop", "NixOS"].contains(&os);
    let major = part(major);
    let major = major.as_str().map_or_else(|| major.to_string(), str::to_owned);
    facts.set("osfinger", format!("{name}-{}", if whole { version } else { &major }));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// tests/releases.json holds release files of distributions, and what Salt makes of them.
    #[test]
    fn distributions_have_salts_names() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/releases.json");
        let cases: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut wrong = Vec::new();
        for (name, case) in cases.as_object().unwrap() {
            let files = &case["files"];
            let mut facts = Facts::default();
            let read = |path: &str| files.get(path).and_then(Value::as_str).map(str::to_owned);
            collect(&read, &mut facts);
            let found = Value::Object(facts.as_map().clone());
            for (fact, wanted) in case["grains"].as_object().unwrap() {
                if found.get(fact) != Some(wanted) {
                    wrong.push(format!("{name} {fact}: {:?}, not {wanted}", found.get(fact)));
                }
            }
            for fact in found.as_object().unwrap().keys() {
                if case["grains"].get(fact).is_none() {
                    wrong.push(format!("{name} {fact}: Salt has none"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
