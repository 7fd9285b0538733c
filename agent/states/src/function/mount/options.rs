//! Which wanted options a live mount does not have.

use serde_json::Value;

use super::active::{Mount, with_ids};
use super::options;
use crate::function::Context;
use crate::function::args::{list, text};

/// Options that the kernel does not show.
const INVISIBLE: [&str; 23] = [
    "_netdev",
    "actimeo",
    "bg",
    "comment",
    "defaults",
    "delay_connect",
    "direct-io-mode",
    "intr",
    "loop",
    "nointr",
    "nobootwait",
    "nofail",
    "password",
    "reconnect",
    "retry",
    "soft",
    "auto",
    "users",
    "bind",
    "nonempty",
    "transform_symlinks",
    "port",
    "backup-volfile-servers",
];
/// Options whose value it does not show.
const INVISIBLE_KEYS: [&str; 8] = [
    "actimeo",
    "comment",
    "credentials",
    "direct-io-mode",
    "password",
    "port",
    "retry",
    "secretfile",
];

/// The options to remount for, in the words that Salt tells them.
pub(super) fn missing(
    ctx: &Context<'_>,
    fstype: &str,
    wanted: &[String],
    live: &Mount,
) -> Vec<String> {
    let rules = Rules::of(ctx, fstype);
    let accounts = ctx.host.accounts();
    let has: Vec<String> = live.opts.iter().chain(&live.superopts).map(|opt| in_kib(opt)).collect();
    let mut out = Vec::new();
    for opt in wanted {
        let opt = rules.translated(opt);
        let opt = with_ids(&in_kib(&opt), &accounts);
        let opt = if fstype == "tmpfs" { of_tmpfs(&opt, memory(ctx)) } else { opt };
        if fstype == "tmpfs" && is_default(&opt, &has, memory(ctx)) {
            continue;
        }
        let key = opt.split('=').next().unwrap_or_default();
        let systemd = key.starts_with("x-") || key.starts_with("X-");
        if !(systemd || rules.hides(key, &opt) || has.contains(&opt)) {
            out.push(opt);
        }
    }
    out.sort();
    out
}

struct Rules {
    hidden: Vec<String>,
    hidden_keys: Vec<String>,
    ignored: Vec<String>,
    translate: Vec<(String, String)>,
    cifs: bool,
}

impl Rules {
    fn of(ctx: &Context<'_>, fstype: &str) -> Rules {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut hidden = own(&INVISIBLE);
        hidden.extend(options(ctx, "hidden_opts"));
        hidden.extend(ctx.list("extra_mount_invisible_options"));
        let mut hidden_keys = own(&INVISIBLE_KEYS);
        hidden_keys.extend(ctx.list("extra_mount_invisible_keys"));
        let given = ctx.value("extra_mount_ignore_fs_keys").and_then(|map| map.get(fstype));
        let ignored = match given {
            Some(keys) => list(keys),
            None if fstype == "ramfs" => vec!["size".to_owned()],
            None => Vec::new(),
        };
        let mut translate = vec![
            ("tcp".to_owned(), "proto=tcp".to_owned()),
            ("udp".to_owned(), "proto=udp".to_owned()),
        ];
        let given = ctx.value("extra_mount_translate_options").and_then(Value::as_object);
        let given = given.into_iter().flatten();
        translate.extend(given.map(|(from, to)| (from.clone(), text(to))));
        Rules { hidden, hidden_keys, ignored, translate, cifs: fstype == "cifs" }
    }

    fn translated(&self, opt: &str) -> String {
        let found = self.translate.iter().rev().find(|(from, _)| from == opt);
        let opt = found.map_or(opt, |(_, to)| to);
        match opt.strip_prefix("user=").filter(|_| self.cifs) {
            Some(user) => format!("username={user}"),
            None => opt.to_owned(),
        }
    }

    fn hides(&self, key: &str, opt: &str) -> bool {
        let among = |names: &[String], name: &str| names.iter().any(|own| own == name);
        among(&self.hidden, opt) || among(&self.hidden_keys, key) || among(&self.ignored, key)
    }
}

/// `size=10m` as the kernel shows it.
pub(super) fn in_kib(opt: &str) -> String {
    let convert = || {
        let size = opt.strip_prefix("size=")?;
        let digits: u64 = size.get(..size.len().checked_sub(1)?)?.parse().ok()?;
        let factor = match size.chars().last()?.to_ascii_lowercase() {
            'k' => 1,
            'm' => 1024,
            'g' => 1024 * 1024,
            _ => return None,
        };
        Some(format!("size={}k", digits.checked_mul(factor)?))
    };
    convert().unwrap_or_else(|| opt.to_owned())
}

/// The machine's memory in KiB; 0 if it is not known.
fn memory(ctx: &Context<'_>) -> u64 {
    let text = ctx.host.read_text("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    total.and_then(|kib| kib.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// An option of a tmpfs as the kernel shows it: a size in KiB, a mode without zeros before it.
fn of_tmpfs(opt: &str, memory: u64) -> String {
    const PAGE: u64 = 4;
    let shown = || match opt.split_once('=')? {
        ("mode", digits) => Some(format!("mode={}", digits.trim_start_matches('0'))),
        ("size", size) => {
            let kib = match size.strip_suffix('%') {
                Some(percent) => {
                    let all = memory.checked_mul(percent.parse().ok()?)?;
                    all.div_ceil(100 * PAGE) * PAGE
                }
                None => size.parse::<u64>().ok()?.div_ceil(1024 * PAGE) * PAGE,
            };
            Some(format!("size={kib}k"))
        }
        _ => None,
    };
    shown().unwrap_or_else(|| opt.to_owned())
}

/// Whether an option of a tmpfs is what the kernel takes, and shows, without it.
fn is_default(opt: &str, has: &[String], memory: u64) -> bool {
    let (key, value) = opt.split_once('=').unwrap_or((opt, ""));
    let silent = !has.iter().any(|own| own.split('=').next() == Some(key));
    let size = || value.trim_end_matches('k').parse::<u64>().is_ok_and(|kib| kib / 4 == memory / 8);
    silent
        && match key {
            "mode" => value == "1777",
            "uid" | "gid" => value == "0",
            "size" => size(),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_compared_in_kib() {
        assert_eq!(in_kib("size=10m"), "size=10240k");
        assert_eq!(in_kib("size=1G"), "size=1048576k");
        assert_eq!(in_kib("size=50%"), "size=50%");
        assert_eq!(in_kib("ro"), "ro");
    }

    #[test]
    fn options_of_a_tmpfs_are_compared_as_the_kernel_shows_them() {
        for (opt, shown) in [
            ("size=50%", "size=12342048k"),
            ("size=1073741824", "size=1048576k"),
            ("mode=0755", "mode=755"),
            ("noexec", "noexec"),
        ] {
            assert_eq!(of_tmpfs(opt, 24_684_096), shown);
        }
        let none: Vec<String> = Vec::new();
        for (opt, default) in [
            ("mode=1777", true),
            ("mode=755", false),
            ("uid=0", true),
            ("size=12342048k", true),
            ("noexec", false),
        ] {
            assert_eq!(is_default(opt, &none, 24_684_096), default, "{opt}");
        }
        assert!(!is_default("mode=1777", &["mode=755".to_owned()], 0));
    }
}
