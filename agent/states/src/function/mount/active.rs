//! What is mounted: the kernel's mountinfo, seen from the host's root.

use std::collections::HashMap;
use std::path::Path;

use crate::function::Context;
use crate::host::accounts::Accounts;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// One mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) device: String,
    pub(super) opts: Vec<String>,
    pub(super) superopts: Vec<String>,
}

/// All mounts by their points, spaces as `\040`; of several on one point the last one counts.
#[derive(Debug, Default)]
pub(super) struct Active(HashMap<String, Mount>);

impl Active {
    pub(super) fn read(ctx: &Context<'_>) -> Active {
        let text = std::fs::read_to_string(MOUNTINFO).unwrap_or_default();
        Active::parse(&text, ctx.host.root(), &ctx.host.accounts())
    }

    fn parse(text: &str, root: Option<&Path>, accounts: &Accounts) -> Active {
        let mut all = HashMap::new();
        let root = root.map(|root| root.to_string_lossy().replace(' ', "\\040"));
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(dash) = words.iter().position(|word| *word == "-") else { continue };
            let (Some(point), Some(opts)) = (words.get(4), words.get(5)) else { continue };
            let (Some(device), Some(supers)) = (words.get(dash + 2), words.get(dash + 3)) else {
                continue;
            };
            let point = match &root {
                None => (*point).to_owned(),
                Some(root) => match point.strip_prefix(root.as_str()) {
                    Some("") => "/".to_owned(),
                    Some(rest) if rest.starts_with('/') => rest.to_owned(),
                    Some(_) | None => continue,
                },
            };
            let list = |text: &str| text.split(',').map(|opt| with_ids(opt, accounts)).collect();
            let mount =
                Mount { device: unescaped(device), opts: list(opts), superopts: list(supers) };
            all.insert(point, mount);
        }
        Active(all)
    }

    pub(super) fn get(&self, point: &str) -> Option<&Mount> {
        self.0.get(&point.replace(' ', "\\040"))
    }
}

/// The kernel's octal escapes, undone.
fn unescaped(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

/// `uid=` and `gid=` by number.
pub(super) fn with_ids(opt: &str, accounts: &Accounts) -> String {
    let Some((key, value)) = opt.split_once('=') else { return opt.to_owned() };
    let id = match key {
        "uid" => accounts.uid(value),
        "gid" => accounts.gid(value),
        _ => None,
    };
    id.map_or_else(|| opt.to_owned(), |id| format!("{key}={id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_seen_from_the_root() {
        let text = "22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n\
                    23 22 0:22 / /srv/x/mnt\\040a rw - tmpfs tmpfs rw,size=64k\n";
        let all = Active::parse(text, None, &Accounts::default());
        assert_eq!(all.get("/").unwrap().device, "/dev/vda1");
        assert_eq!(all.get("/srv/x/mnt a").unwrap().superopts, ["rw", "size=64k"]);
        let some = Active::parse(text, Some(Path::new("/srv/x")), &Accounts::default());
        assert_eq!(some.get("/mnt a").unwrap().device, "tmpfs");
        assert!(some.get("/").is_none());
    }
}
