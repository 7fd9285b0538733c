//! `file.mknod`: a device or a pipe.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use nix::sys::stat::{Mode, SFlag, major, makedev, minor, mknod};

use super::parent;
use super::perms::Perms;
use crate::chunk::Chunk;
use crate::function::{Context, Lint, Plan, StateFunction};
use crate::host::files::{Access, make_folders};
use crate::outcome::{Outcome, change};

pub(in crate::function) struct Mknod;

/// What kind of node, and Salt's words for it.
#[derive(Debug, Clone, Copy)]
pub(in crate::function) struct Kind {
    flag: SFlag,
    words: &'static str,
    title: &'static str,
    is: fn(&Metadata) -> bool,
}

const KINDS: [(&str, Kind); 3] = [
    (
        "c",
        Kind {
            flag: SFlag::S_IFCHR,
            words: "a character device",
            title: "Character device",
            is: |meta| meta.file_type().is_char_device(),
        },
    ),
    (
        "b",
        Kind {
            flag: SFlag::S_IFBLK,
            words: "a block device",
            title: "Block device",
            is: |meta| meta.file_type().is_block_device(),
        },
    ),
    (
        "p",
        Kind {
            flag: SFlag::S_IFIFO,
            words: "a fifo pipe",
            title: "Fifo pipe",
            is: |meta| meta.file_type().is_fifo(),
        },
    ),
];

impl StateFunction for Mknod {
    const MODULE: &'static str = "file";
    const NAME: &'static str = "mknod";
    const TAKES: &'static [&'static str] = &["ntype", "major", "minor", "user", "group", "mode"];
    const NEEDS: &'static [&'static str] = &["ntype"];
    type Step = (Kind, Perms);

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        let ntype = chunk.args.get("ntype").map(crate::function::args::text);
        match ntype.filter(|ntype| kind(ntype).is_none()) {
            Some(ntype) => vec![("ntype", unknown(&ntype))],
            None => Vec::new(),
        }
    }

    fn check(ctx: &Context<'_>) -> Plan<(Kind, Perms)> {
        let (name, ntype) = (ctx.name(), ctx.text("ntype").unwrap_or_default());
        let Some(kind) = kind(&ntype) else { return Plan::failed(unknown(&ntype)) };
        let perms = match Perms::of(ctx, "mode") {
            Ok(perms) => Perms { mode: perms.mode.or(Some(0o600)), ..perms },
            Err(problem) => return Plan::failed(problem),
        };
        let (words, title) = (kind.words, kind.title);
        let Some(meta) = ctx.host.stat(name) else {
            let comment = format!("{title} {name} is set to be created");
            return Plan::change(comment, Default::default(), (kind, perms));
        };
        if !(kind.is)(&meta) {
            return Plan::failed(format!(
                "File {name} exists and is not {words}. Refusing to continue"
            ));
        }
        let (own_major, own_minor) = (major(meta.rdev()), minor(meta.rdev()));
        if ntype != "p" && (own_major, own_minor) != (number(ctx, "major"), number(ctx, "minor")) {
            return Plan::failed(format!(
                "{title} {name} exists and has a different major/minor {own_major}/{own_minor}. \
                 Refusing to continue"
            ));
        }
        let differences = perms.differences(ctx.host, &meta);
        if differences.is_empty() {
            return Plan::fine(format!("{title} {name} is in the correct state"));
        }
        Plan::change("", differences, (kind, perms))
    }

    fn apply(ctx: &Context<'_>, (kind, perms): (Kind, Perms)) -> Outcome {
        let name = ctx.name();
        match make(ctx, kind, &perms) {
            Ok(outcome) => outcome,
            Err(error) => Outcome::failed(format!("Failed to make {name}: {error}")),
        }
    }
}

fn kind(ntype: &str) -> Option<Kind> {
    KINDS.iter().find(|(name, _)| *name == ntype).map(|(_, kind)| *kind)
}

fn unknown(ntype: &str) -> String {
    format!(
        "Node type unavailable: '{ntype}'. Available node types are character ('c'), block ('b'), \
         and pipe ('p')"
    )
}

fn number(ctx: &Context<'_>, key: &str) -> u64 {
    ctx.text(key).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn make(ctx: &Context<'_>, kind: Kind, perms: &Perms) -> std::io::Result<Outcome> {
    let name = ctx.name();
    if ctx.host.stat(name).is_some() {
        return Ok(Outcome::changed("", perms.set(ctx.host, name, true)?));
    }
    let access = perms.access(ctx.host);
    make_folders(&ctx.host.followed(parent(name)), Access { mode: None, ..access })?;
    let mode = Mode::from_bits_truncate(access.mode.unwrap_or(0o600));
    let device = makedev(number(ctx, "major"), number(ctx, "minor"));
    let place = ctx.host.path(name);
    mknod(&place, kind.flag, mode, device).map_err(std::io::Error::from)?;
    crate::host::files::set_access(&place, access)?;
    let told = format!("{} {name} created.", kind.title);
    Ok(Outcome::changed("", change("new", told)))
}
