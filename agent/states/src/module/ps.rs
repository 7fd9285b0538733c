//! ps: memory, processors and disks, as psutil tells of them.

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Value as Json, json};
use time::OffsetDateTime;

use super::status::proc;
use super::{Call, Function, reads};
use crate::render::python::from_json;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("ps.total_physical_memory", "", |_| Ok(Value::from(memory("MemTotal")))),
    reads("ps.virtual_memory", "", virtual_memory),
    reads("ps.swap_memory", "", swap_memory),
    reads("ps.num_cpus", "", |call| {
        Ok(call.scope.facts.get("num_cpus").map_or_else(|| Value::from(1), from_json))
    }),
    reads("ps.boot_time", "time_format=", boot_time),
    reads("ps.get_pid_list", "", |_| {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let mut all: Vec<u32> =
            entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        all.sort_unstable();
        Ok(from_json(&json!(all)))
    }),
    reads("ps.disk_usage", "path", |call| {
        space(call, &call.text("path")).map(|own| from_json(&own))
    }),
    reads("ps.disk_partitions", "all=", |call| Ok(from_json(&partitions(call).into()))),
    reads("ps.disk_partition_usage", "all=", |call| {
        let mut all = partitions(call);
        for one in &mut all {
            let own = space(call, one["mountpoint"].as_str().unwrap_or_default())?;
            for (name, value) in own.as_object().into_iter().flatten() {
                one[name] = value.clone();
            }
        }
        Ok(from_json(&all.into()))
    }),
];

/// A number of `/proc/meminfo`, in bytes.
fn memory(name: &str) -> u64 {
    let text = proc("meminfo");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// A share in percent with one place.
#[allow(clippy::cast_precision_loss, reason = "as psutil divides")]
fn percent(used: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { (used as f64 / total as f64 * 1000.0).round_ties_even() / 10.0 }
}

fn virtual_memory(_: &Call<'_>) -> Result<Value, Error> {
    let (total, available) = (memory("MemTotal"), memory("MemAvailable"));
    let used = total.saturating_sub(available);
    Ok(from_json(&json!({
        "total": total, "available": available, "percent": percent(used, total), "used": used,
        "free": memory("MemFree"), "active": memory("Active"), "inactive": memory("Inactive"),
        "buffers": memory("Buffers"), "cached": memory("Cached") + memory("SReclaimable"),
        "shared": memory("Shmem"), "slab": memory("Slab"),
    })))
}

fn swap_memory(_: &Call<'_>) -> Result<Value, Error> {
    let (total, free) = (memory("SwapTotal"), memory("SwapFree"));
    let used = total.saturating_sub(free);
    let text = proc("vmstat");
    let pages = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or_default() * 4096
    };
    Ok(from_json(&json!({
        "total": total, "used": used, "free": free, "percent": percent(used, total),
        "sin": pages("pswpin "), "sout": pages("pswpout "),
    })))
}

/// Bytes of a format of a time.
const FORMAT_MAX: usize = 4096;

fn boot_time(call: &Call<'_>) -> Result<Value, Error> {
    let text = proc("stat");
    let line = text.lines().find_map(|line| line.strip_prefix("btime "));
    let seconds = line.and_then(|line| line.trim().parse::<i64>().ok()).unwrap_or_default();
    let Some(format) = call.text_of("time_format").filter(|format| !format.is_empty()) else {
        return Ok(Value::from(seconds));
    };
    if format.len() > FORMAT_MAX {
        return Err(call.fail("ps.boot_time: the format is too long"));
    }
    let told = OffsetDateTime::from_unix_timestamp(seconds).ok().and_then(|time| {
        let format = time::format_description::parse_strftime_owned(&format).ok()?;
        time.format(&format).ok()
    });
    told.map(Value::from).ok_or_else(|| call.invalid(format!("Invalid format string: {format}")))
}

fn space(call: &Call<'_>, path: &str) -> Result<Json, Error> {
    let stat = nix::sys::statvfs::statvfs(call.scope.host.followed(path).as_path());
    let stat = stat.map_err(|error| {
        let path = crate::render::python::repr(&Value::from(path));
        call.raise(format!("[Errno {}] {}: {path}", error as i32, error.desc()))
    })?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.fragment_size());
    let used = bytes(stat.blocks()).saturating_sub(bytes(stat.blocks_free()));
    let free = bytes(stat.blocks_available());
    Ok(json!({
        "total": bytes(stat.blocks()), "used": used, "free": free,
        "percent": percent(used, used + free),
    }))
}

/// What is mounted; without `all`, of file systems that are on a device.
fn partitions(call: &Call<'_>) -> Vec<Json> {
    let (all, kinds) = (call.flag("all", false), proc("filesystems"));
    let physical = |kind: &str| {
        kind == "zfs" || kinds.lines().any(|line| line.strip_prefix('\t') == Some(kind))
    };
    let text = proc("self/mounts");
    let one = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [device, mountpoint, fstype, opts, ..] = words[..] else { return None };
        let device = if device == "none" { "" } else { device };
        if !all && (device.is_empty() || !physical(fstype)) {
            return None;
        }
        let mountpoint = mountpoint.replace("\\040", " ");
        Some(json!({
            "device": device, "mountpoint": mountpoint, "fstype": fstype, "opts": opts,
        }))
    };
    text.lines().filter_map(one).collect()
}
