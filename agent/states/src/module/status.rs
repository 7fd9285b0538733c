//! status, mount, disk: load, memory, file systems.

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Map, Value as Json, json};
use time::OffsetDateTime;

use super::service::printed;
use super::{Call, Function, reads};
use crate::render::python::{from_json, text};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("status.uptime", "", uptime),
    reads("status.loadavg", "", |_| {
        let text = proc("loadavg");
        let mut words = text.split_whitespace().map(|word| word.parse::<f64>().unwrap_or_default());
        let mut next = || words.next().unwrap_or_default();
        Ok(from_json(&json!({"1-min": next(), "5-min": next(), "15-min": next()})))
    }),
    reads("status.meminfo", "", |_| {
        let entry = |line: &str| {
            let (name, rest) = line.split_once(':')?;
            let mut words = rest.split_whitespace();
            let mut shown = json!({"value": words.next()?});
            if let Some(unit) = words.next() {
                shown["unit"] = unit.into();
            }
            Some((name.to_owned(), shown))
        };
        Ok(from_json(&Json::Object(proc("meminfo").lines().filter_map(entry).collect())))
    }),
    reads("status.nproc", "", |call| {
        Ok(call.scope.facts.get("num_cpus").map_or_else(|| Value::from(1), from_json))
    }),
    reads("status.cpuinfo", "", cpuinfo),
    reads("status.cpustats", "", cpustats),
    reads("status.netdev", "", netdev),
    reads("status.version", "", |_| Ok(Value::from(proc("version").trim()))),
    reads("status.time", "format=", |call| {
        let now = OffsetDateTime::now_utc();
        let format = call.text_or("format", "%A, %d. %B %Y %I:%M%p");
        let format = time::format_description::parse_strftime_owned(&format)
            .map_err(|error| call.fail(error.to_string()))?;
        now.format(&format).map(Value::from).map_err(|error| call.fail(error.to_string()))
    }),
    reads("status.pid", "sig", pid),
    reads("ps.pgrep", "pattern user=! full= pattern_is_regex=", pgrep),
    reads("mount.active", "extended=!", active),
    reads("mount.is_mounted", "name", |call| {
        let name = call.text("name");
        Ok(Value::from(mounts(call).iter().any(|mount| mount[1] == name)))
    }),
    reads("mount.get_mount_from_path", "path", |call| Ok(Value::from(mount_of(call)))),
    reads("mount.get_device_from_path", "path", |call| {
        let mount = mount_of(call);
        let found = mounts(call).into_iter().rev().find(|words| words[1] == mount);
        Ok(found.map_or_else(|| Value::from(()), |words| Value::from(words[0].as_str())))
    }),
    reads("mount.fstab", "config=", fstab),
    reads("mount.swaps", "", swaps),
    reads("disk.usage", "args=", |call| usage(call, false)),
    reads("disk.inodeusage", "args=", |call| usage(call, true)),
    reads("disk.percent", "args=", percent),
    reads("disk.blkid", "device= token=", block_devices),
];

pub(super) fn proc(name: &str) -> String {
    std::fs::read_to_string(format!("/proc/{name}")).unwrap_or_default()
}

/// What the kernel tells of the last processor.
fn cpuinfo(_: &Call<'_>) -> Result<Value, Error> {
    let text = proc("cpuinfo");
    let fields = text.lines().filter_map(|line| {
        let mut parts = line.split(':');
        let (name, value) = (parts.next()?.trim(), parts.next()?.trim());
        let value = match name {
            "flags" => value.split_whitespace().collect::<Json>(),
            _ => json!(value),
        };
        Some((name.to_owned(), value))
    });
    Ok(from_json(&Json::Object(fields.collect())))
}

fn number(word: &str) -> Json {
    word.parse::<u64>().map_or_else(|_| json!(word), |number| json!(number))
}

fn cpustats(_: &Call<'_>) -> Result<Value, Error> {
    let mut out = Map::new();
    for line in proc("stat").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = |at: usize| words.get(at).map_or(Json::Null, |word| number(word));
        let rest = || words.iter().skip(2).map(|word| number(word)).collect::<Json>();
        let Some(name) = words.first() else { continue };
        let shown = match *name {
            "cpu" => json!({
                "idle": at(4), "iowait": at(5), "irq": at(6), "nice": at(2), "softirq": at(7),
                "steal": at(8), "system": at(3), "user": at(1),
            }),
            "intr" => json!({"total": at(1), "irqs": rest()}),
            "softirq" => json!({"total": at(1), "softirqs": rest()}),
            _ => at(1),
        };
        out.insert((*name).to_owned(), shown);
    }
    Ok(from_json(&Json::Object(out)))
}

/// The counters of the network's interfaces, in the kernel's order.
const NETDEV: [&str; 16] = [
    "rx_bytes",
    "rx_packets",
    "rx_errs",
    "rx_drop",
    "rx_fifo",
    "rx_frame",
    "rx_compressed",
    "rx_multicast",
    "tx_bytes",
    "tx_packets",
    "tx_errs",
    "tx_drop",
    "tx_fifo",
    "tx_colls",
    "tx_carrier",
    "tx_compressed",
];

fn netdev(_: &Call<'_>) -> Result<Value, Error> {
    let text = proc("net/dev");
    let interfaces = text.lines().filter_map(|line| {
        let (name, counters) = line.split_once(':')?;
        let name = name.trim();
        let counters = counters.split_whitespace().map(number);
        let own = NETDEV.iter().map(|own| (*own).to_owned()).zip(counters);
        let own = own.chain([("iface".to_owned(), json!(name))]);
        Some((name.to_owned(), Json::Object(own.collect())))
    });
    Ok(from_json(&Json::Object(interfaces.collect())))
}

#[allow(clippy::cast_possible_truncation, reason = "Python cuts the fraction, too")]
fn uptime(_: &Call<'_>) -> Result<Value, Error> {
    let text = proc("uptime");
    let seconds = text.split('.').next().and_then(|whole| whole.parse::<i64>().ok()).unwrap_or(0);
    let now = OffsetDateTime::now_utc();
    let boot = now - time::Duration::seconds(seconds);
    let date = boot.date();
    let (hour, minute, second, micro) = boot.time().as_hms_micro();
    let rest = seconds % 86_400;
    Ok(from_json(&json!({
        "seconds": seconds,
        "since_iso": format!(
            "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}",
            date.year(), u8::from(date.month()), date.day()
        ),
        "since_t": boot.unix_timestamp(),
        "days": seconds / 86_400,
        "time": format!("{}:{}", rest / 3600, rest % 3600 / 60),
    })))
}

/// Ids and command lines of all processes but our own.
fn processes() -> Vec<(u32, String)> {
    let own = std::process::id();
    let folders = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut all: Vec<(u32, String)> = folders
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != own)
        .map(|pid: u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned();
            let name = || format!("[{}]", proc(&format!("{pid}/comm")).trim());
            (pid, if line.is_empty() { name() } else { line })
        })
        .collect();
    all.sort_unstable();
    all
}

/// The ids of the processes whose line a pattern is found in, a line each.
fn pid(call: &Call<'_>) -> Result<Value, Error> {
    let regex = crate::regex::python_regex(&call.text("sig"), false, false, false);
    let regex = regex.map_err(|error| call.fail(error.to_string()))?;
    let found: Vec<String> = processes()
        .into_iter()
        .filter(|(_, line)| regex.is_match(line))
        .map(|(pid, _)| pid.to_string())
        .collect();
    Ok(Value::from(found.join("\n")))
}

fn pgrep(call: &Call<'_>) -> Result<Value, Error> {
    let (pattern, full) = (call.text("pattern"), call.flag("full", false));
    let wanted =
        if call.flag("pattern_is_regex", false) { pattern } else { regex::escape(&pattern) };
    let regex = crate::regex::python_regex(&wanted, false, false, false);
    let regex = regex.map_err(|error| call.fail(error.to_string()))?;
    let name = |pid: u32| proc(&format!("{pid}/comm")).trim().to_owned();
    let hit = |(pid, line): &(u32, String)| {
        if full { regex.is_match(line) } else { regex.is_match(&name(*pid)) }
    };
    let found: Vec<Value> =
        processes().into_iter().filter(hit).map(|(pid, _)| Value::from(pid)).collect();
    Ok(if found.is_empty() { Value::from(()) } else { crate::render::python::list(found) })
}

/// The lines of the table of mounts, by words.
fn mounts(call: &Call<'_>) -> Vec<Vec<String>> {
    let path = if call.scope.host.root().is_some() { "/etc/mtab" } else { "/proc/self/mounts" };
    let table = call.scope.host.read_text(path).unwrap_or_default();
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    table.lines().map(words).filter(|words| words.len() >= 4).collect()
}

/// Where the file system is mounted that a path lies in.
fn mount_of(call: &Call<'_>) -> String {
    let path = call.text("path");
    let path = std::fs::canonicalize(call.scope.host.path(&path)).unwrap_or_else(|_| path.into());
    let all = mounts(call);
    let mounted = |path: &&std::path::Path| all.iter().any(|words| path.as_os_str() == &*words[1]);
    let found = path.ancestors().find(mounted);
    found.map_or_else(|| "/".to_owned(), |found| found.display().to_string())
}

fn active(call: &Call<'_>) -> Result<Value, Error> {
    let entry = |words: &Vec<String>| {
        let opts: Vec<String> =
            words[3].split(',').map(|opt| opt.replace("\\040", "\\ ")).collect();
        let shown = json!({
            "device": words[0], "alt_device": words[0], "fstype": words[2], "opts": opts,
        });
        (words[1].clone(), shown)
    };
    Ok(from_json(&Json::Object(mounts(call).iter().map(entry).collect())))
}

fn fstab(call: &Call<'_>) -> Result<Value, Error> {
    let table =
        call.scope.host.read_text(&call.text_or("config", "/etc/fstab")).unwrap_or_default();
    let mut out = Map::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !(4..=6).contains(&words.len()) {
            continue;
        }
        let or_zero = |at: usize| words.get(at).copied().unwrap_or("0");
        // A second entry of a name gets an underscore, as in Salt.
        let mut name = words[1].to_owned();
        while out.contains_key(&name) {
            name.push('_');
        }
        let opts: Vec<&str> = words[3].split(',').collect();
        let shown = json!({
            "device": words[0], "fstype": words[2], "opts": opts, "dump": or_zero(4),
            "pass": or_zero(5),
        });
        out.insert(name, shown);
    }
    Ok(from_json(&Json::Object(out)))
}

fn swaps(_: &Call<'_>) -> Result<Value, Error> {
    let entry = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, kind, size, used, priority] = words[..] else { return None };
        let shown = json!({"type": kind, "size": size, "used": used, "priority": priority});
        Some((name.to_owned(), shown))
    };
    Ok(from_json(&Json::Object(proc("swaps").lines().skip(1).filter_map(entry).collect())))
}

/// What `df` tells of the mounted file systems.
fn filesystems(call: &Call<'_>, inodes: bool) -> Vec<(String, Json)> {
    let mut out: Vec<(String, Json)> = Vec::new();
    for words in mounts(call) {
        let Ok(stat) = nix::sys::statvfs::statvfs(call.scope.host.followed(&words[1]).as_path())
        else {
            continue;
        };
        let unit = stat.fragment_size();
        let (total, free, left) = if inodes {
            (stat.files(), stat.files_free(), stat.files_free())
        } else {
            let kib = |blocks: u64| blocks.saturating_mul(unit) / 1024;
            (kib(stat.blocks()), kib(stat.blocks_free()), kib(stat.blocks_available()))
        };
        // File systems without blocks are the kernel's own: df does not show them.
        if stat.blocks() == 0 || out.iter().any(|(name, _)| *name == words[1]) {
            continue;
        }
        let used = total.saturating_sub(free);
        let whole = used + left;
        let share =
            if whole == 0 { "-".to_owned() } else { format!("{}%", (used * 100).div_ceil(whole)) };
        let shown = if inodes {
            json!({
                "inodes": total.to_string(), "used": used.to_string(), "free": free.to_string(),
                "use": share, "filesystem": words[0],
            })
        } else {
            json!({
                "filesystem": words[0], "1K-blocks": total.to_string(), "used": used.to_string(),
                "available": left.to_string(), "capacity": share,
            })
        };
        out.push((words[1].clone(), shown));
    }
    out
}

/// What `blkid` knows of devices: label, UUID, type.
fn block_devices(call: &Call<'_>) -> Result<Value, Error> {
    let given = |name: &str| call.text_of(name).filter(|text| !text.is_empty());
    let (device, token) = (given("device"), given("token"));
    let asked = match (&device, &token) {
        (Some(device), _) => vec![device.as_str()],
        (None, Some(token)) => vec!["-t", token],
        (None, None) => Vec::new(),
    };
    let argv: Vec<&str> = ["blkid"].into_iter().chain(asked).collect();
    let told = printed(call, &argv)?;
    Ok(from_json(&Json::Object(told.lines().filter_map(block_device).collect())))
}

/// One line of `blkid`: a device with `NAME="value"` behind it.
fn block_device(line: &str) -> Option<(String, Json)> {
    let (device, rest) = line.split_once(' ')?;
    let parts: Vec<&str> = rest.split('"').collect();
    let named = |pair: &[&str]| (pair[0].trim_matches(['=', ' ']).to_owned(), json!(pair[1]));
    let info: Map<String, Json> = parts.chunks_exact(2).map(named).collect();
    Some((device.strip_suffix(':').unwrap_or(device).to_owned(), Json::Object(info)))
}

fn usage(call: &Call<'_>, inodes: bool) -> Result<Value, Error> {
    if call.set("args").is_some_and(|args| args.is_true()) {
        return Err(
            call.fail(format!("{} with flags of df is not supported: leave them out", call.name()))
        );
    }
    Ok(from_json(&Json::Object(filesystems(call, inodes).into_iter().collect())))
}

fn percent(call: &Call<'_>) -> Result<Value, Error> {
    let shares = filesystems(call, false).into_iter();
    let shares: Map<String, Json> =
        shares.map(|(name, shown)| (name, shown["capacity"].clone())).collect();
    let Some(name) = call.set("args").filter(Value::is_true) else {
        return Ok(from_json(&Json::Object(shares)));
    };
    Ok(shares.get(&text(&name)).map_or_else(super::test::empty, from_json))
}
