//! `/etc/fstab`: lines compared by their fields and replaced where they stand; comments stay.

use std::fs;
use std::io;

use crate::function::Context;
use crate::host::files::{Access, replace_keeping};

/// Kinds that many lines share the "device" of: known by their mount point.
const BY_NAME: [&str; 14] = [
    "none",
    "tmpfs",
    "sysfs",
    "proc",
    "fusectl",
    "debugfs",
    "securityfs",
    "devtmpfs",
    "cgroup",
    "nfs",
    "nfs4",
    "glusterfs",
    "btrfs",
    "ceph",
];
const FIELDS: [&str; 6] = ["device", "name", "fstype", "opts", "dump", "pass_num"];

/// One line, its fields in the file's order, spaces in names as `\040`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line([String; 6]);

impl Line {
    pub(crate) fn new(device: &str, name: &str, fstype: &str, opts: &[String]) -> Line {
        let zero = || "0".to_owned();
        let escaped = |text: &str| text.replace("\\ ", " ").replace(' ', "\\040");
        let opts = escaped(&opts.join(","));
        Line([escaped(device), escaped(name), fstype.to_owned(), opts, zero(), zero()])
    }

    pub(crate) fn numbers(mut self, dump: Option<String>, pass: Option<String>) -> Line {
        let [.., own_dump, own_pass] = &mut self.0;
        if let Some(dump) = dump {
            *own_dump = dump;
        }
        if let Some(pass) = pass {
            *own_pass = pass;
        }
        self
    }

    fn parse(line: &str) -> Option<Line> {
        if line.starts_with('#') {
            return None;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        if !(4..=6).contains(&words.len()) {
            return None;
        }
        let field = |at: usize| words.get(at).copied().unwrap_or("0").to_owned();
        Some(Line(std::array::from_fn(field)))
    }

    pub(super) fn device(&self) -> &str {
        &self.0[0]
    }

    pub(super) fn name(&self) -> &str {
        &self.0[1]
    }

    pub(super) fn fstype(&self) -> &str {
        &self.0[2]
    }

    pub(super) fn options(&self) -> impl Iterator<Item = &str> {
        self.0[3].split(',')
    }

    fn same(&self, other: &Line, fields: &[usize]) -> bool {
        fields.iter().all(|at| match at {
            3 => sorted(&self.0[3]) == sorted(&other.0[3]),
            at => self.0[*at] == other.0[*at],
        })
    }

    fn render(&self) -> String {
        let [device, name, fstype, opts, dump, pass] = &self.0;
        format!("{device}\t\t{name}\t{fstype}\t{opts}\t{dump} {pass}\n")
    }
}

fn sorted(opts: &str) -> Vec<&str> {
    let mut opts: Vec<&str> = opts.split(',').collect();
    opts.sort_unstable();
    opts
}

/// How a wanted line stands to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Present,
    New,
    Changed,
}

/// The lines of the file.
pub(super) fn lines(ctx: &Context<'_>, config: &str) -> Vec<Line> {
    let text = ctx.host.read_text(config).unwrap_or_default();
    text.lines().filter_map(Line::parse).collect()
}

/// The line of a mount point, if a state wrote it, which shows in how its fields are set apart:
/// what an installer wrote is not what somebody asked a state for.
pub(super) fn written(ctx: &Context<'_>, config: &str, name: &str) -> Option<Line> {
    written_in(&ctx.host.read_text(config).unwrap_or_default(), name)
}

fn written_in(text: &str, name: &str) -> Option<Line> {
    let name = name.replace(' ', "\\040");
    let of_state = |text: &str| {
        Line::parse(text).filter(|line| line.name() == name && line.render().trim_end() == text)
    };
    text.lines().rev().find_map(of_state)
}

/// Puts a line into the file, or in a dry run tells what it would do.
pub(crate) fn set(
    ctx: &Context<'_>,
    config: &str,
    line: &Line,
    match_on: &[String],
    keep: bool,
) -> Result<Status, String> {
    let fields = matching(match_on, line)?;
    if !ctx.host.stat(config).is_some_and(|meta| meta.is_file()) {
        return Err(format!("Bad config file \"{config}\""));
    }
    let text = ctx.host.read_text(config).unwrap_or_default();
    let (status, new) = merged(&text, line, &fields, keep);
    if status != Status::Present && !ctx.test {
        write(ctx, config, &new)?;
    }
    Ok(status)
}

/// The fields that a line is known by.
fn matching(match_on: &[String], line: &Line) -> Result<Vec<usize>, String> {
    match match_on {
        [] => Ok(vec![usize::from(BY_NAME.contains(&line.fstype()))]),
        [auto] if auto == "auto" => Ok(vec![usize::from(BY_NAME.contains(&line.fstype()))]),
        fields => fields
            .iter()
            .map(|name| {
                let at = FIELDS.iter().position(|field| field == name);
                at.ok_or_else(|| format!("Unrecognized keys in match_on: \"{name}\""))
            })
            .collect(),
    }
}

fn merged(text: &str, line: &Line, fields: &[usize], keep: bool) -> (Status, String) {
    let mut status = None;
    let mut out = String::new();
    for own in text.split_inclusive('\n') {
        let known = Line::parse(own).filter(|own| own.same(line, fields));
        let Some(known) = known else {
            out.push_str(own);
            continue;
        };
        if keep || known.same(line, &[0, 1, 2, 3, 4, 5]) {
            status = status.or(Some(Status::Present));
            out.push_str(own);
        } else {
            status = Some(Status::Changed);
            out.push_str(&line.render());
        }
    }
    let status = status.unwrap_or_else(|| {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&line.render());
        Status::New
    });
    (status, out)
}

/// Takes the lines of a mount point (and a device) out.
pub(crate) fn remove(
    ctx: &Context<'_>,
    config: &str,
    name: &str,
    device: Option<&str>,
) -> Result<(), String> {
    let place = ctx.host.followed(config);
    let text = fs::read_to_string(place)
        .map_err(|error| format!("Couldn't read from {config}: {error}"))?;
    let name = name.replace(' ', "\\040");
    let is =
        |line: &Line| line.name() == name && device.is_none_or(|device| line.device() == device);
    let kept =
        text.split_inclusive('\n').filter(|line| !Line::parse(line).as_ref().is_some_and(is));
    let new: String = kept.collect();
    if new == text { Ok(()) } else { write(ctx, config, &new) }
}

fn write(ctx: &Context<'_>, config: &str, text: &str) -> Result<(), String> {
    let place = ctx.host.followed(config);
    let old = fs::metadata(&place).map(|meta| Access::of(&meta)).unwrap_or_default();
    replace_keeping(ctx.host, &place, text.as_bytes(), Access::default(), old)
        .map_err(|error: io::Error| format!("File not writable {config}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# keep me\nUUID=1 / ext4 defaults 0 1\n/dev/sdb1 /data xfs noatime,rw 0 0\n";

    fn line(opts: &[&str]) -> Line {
        let opts: Vec<String> = opts.iter().map(|opt| (*opt).to_owned()).collect();
        Line::new("/dev/sdb1", "/data", "xfs", &opts)
    }

    #[test]
    fn a_line_of_a_state_is_known_from_an_installers() {
        assert_eq!(written_in(TEXT, "/data"), None);
        let text = format!("{TEXT}{}", line(&["ro"]).render());
        assert_eq!(written_in(&text, "/data"), Some(line(&["ro"])));
    }

    #[test]
    fn a_line_is_replaced_in_place_and_comments_stay() {
        let (status, same) = merged(TEXT, &line(&["rw", "noatime"]), &[0], false);
        assert_eq!((status, same.as_str()), (Status::Present, TEXT));
        let (status, text) = merged(TEXT, &line(&["ro"]), &[0], false);
        assert_eq!(status, Status::Changed);
        assert!(
            text.starts_with("# keep me\n") && text.ends_with("/dev/sdb1\t\t/data\txfs\tro\t0 0\n")
        );
        assert_eq!(merged(TEXT, &line(&["ro"]), &[0], true).0, Status::Present);
        let other = Line::new("tmpfs", "/a b", "tmpfs", &["size=1m".to_owned()]);
        let (status, text) = merged(TEXT.trim_end(), &other, &[1], false);
        assert_eq!(status, Status::New);
        assert!(text.ends_with("0 0\ntmpfs\t\t/a\\040b\ttmpfs\tsize=1m\t0 0\n"));
    }
}
