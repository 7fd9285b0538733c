//! Whether an archive must be unpacked: its names against what is on disk.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::contents::Contents;
use super::extract::{Archive, Owner, Step, ownership};
use super::work::Work;
use super::{Format, explanation, folder, stamp, tar, zip};
use crate::function::args::truth;
use crate::function::file::source::{self, Source};
use crate::function::{Context, Plan};
use crate::outcome::{Outcome, change};

/// The plan, or an outcome that ends the state here.
pub(super) fn planned(ctx: &Context<'_>) -> Result<Plan<Work>, Outcome> {
    let name = folder(ctx);
    paths(ctx, &name)?;
    let owner = owner(ctx).map_err(Outcome::failed)?;
    let value = ctx.value("source").ok_or_else(|| Outcome::failed("Invalid source \"None\""))?;
    if let Some(ended) = absent(ctx, value)? {
        return Err(ended);
    }
    let (found, hash) = source::find_with_hash(ctx, value).map_err(|problem| {
        // Salt's words here differ from those for a file's source.
        let path = problem.strip_prefix("Local file source ");
        Outcome::failed(match path.and_then(|rest| rest.strip_suffix(" does not exist")) {
            Some(path) => format!("Source file '{path}' does not exist"),
            None => problem,
        })
    })?;
    let shown = shown(ctx, &found);
    let format = format(ctx, &shown).map_err(Outcome::failed)?;
    options(ctx, format)?;
    let hash = hash.filter(|hash| !hash.is_empty());
    let sum = hash.map(|hash| source::sum(ctx, &shown, &hash)).transpose();
    let sum = sum.map_err(Outcome::failed)?;
    if ctx.flag("skip_files_list_verify", false)
        && let (Some(sum), Some(known)) = (&sum, stamp::read(ctx, &shown))
        && sum.digest == known
    {
        let result = if ctx.test { None } else { Some(true) };
        let comment = format!(
            "Archive {shown} existing source sum is the same as the expected one and \
             skip_files_list_verify argument was set to True. Extraction is not needed"
        );
        return Err(Outcome { result, ..Outcome::fine(comment) });
    }
    let local = matches!(found, Source::Local(_));
    if !local && ctx.test {
        return Err(Outcome::foreseen(
            format!(
                "Archive {shown} would be cached (if necessary) and checked to discover if \
                 extraction is needed"
            ),
            Default::default(),
        ));
    }
    let file = match source::file(ctx, &found, sum.as_ref()) {
        Ok(file) => file,
        Err(refused) => {
            return Ok(Plan::change("", Default::default(), Work::Refuse { shown, refused }));
        }
    };
    let archive = listed(ctx, format, file, &shown, sum.map(|sum| (sum, local)))?;
    decided(ctx, &name, archive, owner)
}

/// One source of the tree that is not there: Salt finds that out when it would copy it.
fn absent(ctx: &Context<'_>, value: &Value) -> Result<Option<Outcome>, Outcome> {
    let Some(address) = value.as_str().filter(|address| address.starts_with("salt://")) else {
        return Ok(None);
    };
    if source::find(ctx, value).is_ok() {
        return Ok(None);
    }
    let format = format(ctx, address).map_err(Outcome::failed)?;
    options(ctx, format)?;
    Ok(Some(if ctx.test {
        let comment = format!(
            "Archive {address} would be cached (if necessary) and checked to discover if \
             extraction is needed"
        );
        Outcome::foreseen(comment, Default::default())
    } else {
        let comment = format!("Failed to cache {address}, check minion log for more information");
        Outcome::failed(comment).called(address)
    }))
}

/// What the comments call the source.
fn shown(ctx: &Context<'_>, found: &Source) -> String {
    match found {
        Source::Local(path) => ctx
            .host
            .root()
            .is_none()
            .then(|| std::fs::canonicalize(path).ok())
            .flatten()
            .map_or_else(|| path.clone(), |path| path.to_string_lossy().into_owned()),
        Source::Tree { path, .. } => format!("salt://{path}"),
        Source::Remote(url) => source::redacted(url),
    }
}

fn paths(ctx: &Context<'_>, name: &str) -> Result<(), Outcome> {
    let fail = |text: String| Err(Outcome::failed(text));
    if ctx.flag("skip_files_list_verify", false) && ctx.flag("skip_verify", false) {
        return fail(
            "Only one of \"skip_files_list_verify\" and \"skip_verify\" can be set to True"
                .to_owned(),
        );
    }
    if !ctx.name().starts_with('/') {
        return fail(format!("{} is not an absolute path", ctx.name()));
    }
    let bare = name.trim_end_matches('/');
    if ctx.host.stat(bare).is_some_and(|meta| meta.is_file()) {
        return fail(format!("{bare} exists and is not a directory"));
    }
    for key in ["if_missing", "enforce_ownership_on"] {
        if ctx.text(key).is_some_and(|path| !path.starts_with('/')) {
            return fail(format!("Value for '{key}' is not an absolute path"));
        }
    }
    if let Some(path) = ctx.text("enforce_ownership_on")
        && !path.starts_with(name)
        && path != bare
    {
        return fail(format!("Value for 'enforce_ownership_on' must be within {name}"));
    }
    match ctx.text("if_missing").filter(|path| ctx.host.stat(path).is_some()) {
        Some(path) => Err(Outcome::fine(format!("Path {path} exists"))),
        None => Ok(()),
    }
}

fn owner(ctx: &Context<'_>) -> Result<Owner, String> {
    let accounts = ctx.host.accounts();
    let named = |key: &str| ctx.text(key).filter(|name| !name.is_empty());
    let id = |key: &str, title: &str, look: &dyn Fn(&str) -> Option<u32>| {
        let Some(name) = named(key) else { return Ok(None) };
        look(&name).map(Some).ok_or_else(|| format!("{title} {name} does not exist"))
    };
    Ok(Owner {
        uid: id("user", "User", &|name| accounts.uid(name))?,
        gid: id("group", "Group", &|name| accounts.gid(name))?,
    })
}

fn format(ctx: &Context<'_>, source: &str) -> Result<Format, String> {
    let given = ctx.text("archive_format").filter(|format| !format.is_empty());
    let source = source.split('?').next().unwrap_or(source).to_lowercase();
    const TARS: [&str; 12] = [
        ".tar",
        ".tar.gz",
        ".tgz",
        ".tar.bz2",
        ".tbz2",
        ".tbz",
        ".tar.xz",
        ".txz",
        ".tar.lzma",
        ".tlz",
        ".tar.zst",
        ".tzst",
    ];
    match given.map(|format| format.to_lowercase()).as_deref() {
        Some("tar") => Ok(Format::Tar),
        Some("zip") => Ok(Format::Zip),
        Some(other) => Err(format!(
            "Invalid archive_format '{other}'. Either set it to a supported value (tar, rar, zip) \
             or remove this argument and the archive format will be guessed based on file \
             extension."
        )),
        None if TARS.iter().any(|ending| source.ends_with(ending)) => Ok(Format::Tar),
        None if source.ends_with(".zip") => Ok(Format::Zip),
        None => Err("Could not guess archive_format from the value of the 'source' argument. \
                     Please set this archive_format to one of the following: tar, rar, zip"
            .to_owned()),
    }
}

fn options(ctx: &Context<'_>, format: Format) -> Result<(), Outcome> {
    let set = |key: &str| ctx.value(key).is_some_and(truth);
    let unzip = ctx.value("use_cmd_unzip").map(truth);
    if format == Format::Zip && set("options") && unzip == Some(false) {
        return Err(Outcome::failed(
            "'use_cmd_unzip' cannot be set to False if CLI options are being specified (via the \
             'options' argument). Either remove 'use_cmd_unzip', or set it to True.",
        ));
    }
    if format == Format::Tar && set("password") {
        return Err(Outcome::failed("The 'password' argument is only supported for zip archives"));
    }
    Ok(())
}

/// How many leading folders tar takes away.
fn strip(ctx: &Context<'_>, format: Format) -> usize {
    let Some(options) = ctx.text("options").filter(|_| format == Format::Tar) else { return 0 };
    let pattern = r#"--strip(?:-components)?(?:\s+|=)["']?(\d+)["']?"#;
    let regex = crate::regex::python_regex(pattern, false, false, false);
    let found =
        regex.ok().and_then(|regex| Some(regex.captures(&options)?.get(1)?.as_str().to_owned()));
    found.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Lists the archive and keeps what is known of it.
fn listed(
    ctx: &Context<'_>,
    format: Format,
    file: source::Fetched,
    shown: &str,
    sum: Option<(source::Sum, bool)>,
) -> Result<Archive, Outcome> {
    let path: PathBuf = file.path().to_path_buf();
    let contents = match format {
        Format::Tar => tar::list(ctx, &path, ctx.text("list_options").as_deref())
            .map_err(|problem| unlisted(ctx, format, &problem))?,
        Format::Zip => {
            let entries = zip::entries(&path)
                .map_err(|error| unlisted(ctx, format, &no_zip(&path, &error)))?;
            if entries.iter().any(|entry| entry.encrypted) && ctx.value("password").is_none() {
                return Err(Outcome::failed(format!(
                    "Archive {shown} is password-protected, but no password was specified. Please \
                     set the 'password' argument."
                )));
            }
            zip::contents(&entries)
        }
    };
    let contents = contents.finished(strip(ctx, format));
    Ok(Archive { format, file, shown: shown.to_owned(), contents, sum })
}

fn no_zip(path: &Path, error: &std::io::Error) -> String {
    let shown = path.display();
    tracing::debug!(%error, archive = %shown, "an archive cannot be listed");
    format!("{shown} is not a ZIP file. Additional info follows:\n\narchive location:\n    {shown}")
}

/// Salt's words for an archive whose names cannot be told.
fn unlisted(ctx: &Context<'_>, format: Format, problem: &str) -> Outcome {
    let mut needed = Vec::new();
    if ctx.value("if_missing").is_none() {
        needed.push("'if_missing' must be set");
    }
    if ctx.value("enforce_ownership_on").is_none()
        && (ctx.value("user").is_some() || ctx.value("group").is_some())
    {
        needed.push("Ownership cannot be managed without setting 'enforce_ownership_on'.");
    }
    let mut comment = problem.to_owned();
    if !needed.is_empty() {
        let (name, words) = if format == Format::Tar {
            (
                "tar",
                "If the source archive is a tar archive compressed using a compression type not \
                 natively supported by the tar command, then setting the 'list_options' argument \
                 may allow the contents to be listed. Otherwise, if Salt is unable to determine \
                 the files/directories in the archive, the following workaround(s) would need to \
                 be used for this state to proceed",
            )
        } else {
            ("zip", "The following workarounds must be used for this state to proceed")
        };
        comment.push_str(&format!(
            "\n\n{words} (assuming the source file is a valid {name} archive):\n"
        ));
        needed.iter().for_each(|item| comment.push_str(&format!("\n- {item}")));
    }
    Outcome::failed(comment)
}

/// Compares with the disk.
fn decided(
    ctx: &Context<'_>,
    name: &str,
    archive: Archive,
    owner: Owner,
) -> Result<Plan<Work>, Outcome> {
    let (clean, clean_parent) = (ctx.flag("clean", false), ctx.flag("clean_parent", false));
    top_level(ctx, name, &archive)?;
    if clean && clean_parent {
        return Err(Outcome::failed("Only one of 'clean' and 'clean_parent' can be set to True"));
    }
    let (missing, wrong) = compared(ctx, name, &archive.contents);
    let mut needed = ctx.flag("overwrite", false) || missing;
    if !wrong.is_empty() {
        in_the_way(ctx, name, &wrong, clean, clean_parent)?;
        // What force removes is extracted again.
        needed |= !clean;
    }
    let remove = if clean { Vec::new() } else { wrong };
    let known = stamp::read(ctx, &archive.shown);
    let current = stamp::of(archive.file.path()).unwrap_or_default();
    let update = ctx.flag("source_hash_update", false)
        && archive.sum.is_some()
        && !ctx.flag("skip_verify", false);
    let by_hash = !needed && update && known.as_ref().is_some_and(|known| *known != current);
    needed |= by_hash;
    if needed
        && let Some((sum, true)) = &archive.sum
        && !ctx.flag("skip_verify", false)
        && !sum.matches(archive.file.path())
    {
        return Err(Outcome::failed(format!(
            "{} does not match the desired source_hash {}",
            archive.shown, sum.digest
        )));
    }
    let mut comment = format!("Archive {} would be extracted to {name}", archive.shown);
    if clean {
        comment.push_str(", after cleaning destination path(s)");
    }
    comment.push_str(explanation(by_hash, missing));
    let stamp = update.then_some(current).filter(|current| known.as_ref() != Some(current));
    if needed {
        let step = Step { archive, owner, extract: true, remove, by_hash, missing, stamp };
        return Ok(Plan::change(comment, Default::default(), Work::extract(step)));
    }
    let step = Step { archive, owner, extract: false, remove, by_hash, missing, stamp };
    Ok(present(ctx, name, step))
}

/// All is there: its owner may still differ.
fn present(ctx: &Context<'_>, name: &str, step: Step) -> Plan<Work> {
    const PRESENT: &str = "All files in archive are already present";
    let found = ownership(ctx, name, &step.archive.contents, step.owner, true);
    if found.changed {
        let comment =
            format!("{PRESENT}. Ownership would be updated on one or more files/directories.");
        let work = Work::extract(step);
        return Plan::change(comment, change("updated ownership", true), work);
    }
    if step.stamp.is_some() && !ctx.test {
        return Plan::change(PRESENT, Default::default(), Work::extract(step));
    }
    let mut outcome = Outcome::fine(PRESENT);
    found.tell(ctx, &mut outcome);
    Plan::Done(outcome)
}

fn top_level(ctx: &Context<'_>, name: &str, archive: &Archive) -> Result<(), Outcome> {
    let contents = &archive.contents;
    if !ctx.flag("enforce_toplevel", true)
        || contents.top_dirs().len() <= 1 && contents.top_files().is_empty()
    {
        return Ok(());
    }
    let format = if archive.format == Format::Tar { "tar" } else { "zip" };
    Err(Outcome::failed(format!(
        "Archive does not have a single top-level directory. To allow this archive to be \
         extracted, set 'enforce_toplevel' to False. To avoid a '{format}-bomb' it may also be \
         advisable to set a top-level directory by adding it to the 'name' value (for example, \
         setting 'name' to {name}some_dir instead of {name})."
    )))
}

/// Whether anything is missing, and what is there but of another kind.
fn compared(ctx: &Context<'_>, name: &str, contents: &Contents) -> (bool, Vec<String>) {
    let (mut missing, mut wrong) = (false, Vec::new());
    let is_dir = |meta: &std::fs::Metadata| meta.is_dir();
    let is_file = |meta: &std::fs::Metadata| !meta.is_dir() && !meta.is_symlink();
    let is_link = |meta: &std::fs::Metadata| meta.is_symlink();
    type Fits<'f> = &'f dyn Fn(&std::fs::Metadata) -> bool;
    let kinds: [(&Vec<String>, Fits<'_>); 3] =
        [(&contents.dirs, &is_dir), (&contents.files, &is_file), (&contents.links, &is_link)];
    for (paths, fits) in kinds {
        for path in paths {
            let full = format!("{name}{path}");
            match ctx.host.lstat(full.trim_end_matches('/')) {
                None => missing = true,
                Some(meta) if !fits(&meta) => wrong.push(path.clone()),
                Some(_) => {}
            }
        }
    }
    (missing, wrong)
}

fn in_the_way(
    ctx: &Context<'_>,
    name: &str,
    wrong: &[String],
    clean: bool,
    clean_parent: bool,
) -> Result<(), Outcome> {
    let paths: Vec<String> = wrong.iter().map(|path| format!("- {path}")).collect();
    let paths = format!("\n\n{}", paths.join("\n"));
    let mut comment = format!(
        "The below paths (relative to {name}) exist, but are the incorrect type (file instead of \
         directory, symlink instead of file, etc.)."
    );
    if ctx.test && clean {
        comment.push_str(
            " Since the 'clean' option is enabled, the destination paths would be cleared and the \
             archive would be extracted.",
        );
        return Err(Outcome::foreseen(comment + &paths, Default::default()));
    }
    if ctx.test && clean_parent {
        comment.push_str(
            " Since the 'clean_parent' option is enabled, the destination parent directory would \
             be removed first and then re-created and the archive would be extracted",
        );
        return Err(Outcome::foreseen(comment, Default::default()));
    }
    if !clean && !ctx.flag("force", false) {
        comment.push_str(
            " To proceed with extraction, set 'force' to True. Note that this will remove these \
             paths before extracting.",
        );
        return Err(Outcome::failed(comment + &paths));
    }
    Ok(())
}
