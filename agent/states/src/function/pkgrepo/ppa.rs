//! Ubuntu's personal archives: `ppa:owner/name`, added by its own tool, which fetches their keys.

use super::foreseen;
use super::line::Line;
use super::sources::{Sources, find};
use crate::function::pkg::{ask, words};
use crate::function::{Context, Plan};
use crate::host::files::which;
use crate::outcome::{Outcome, change};

/// Where they are: as Salt has it, and as Ubuntu's tool writes it today.
const SITES: [&str; 2] = ["ppa.launchpad.net", "ppa.launchpadcontent.net"];
/// Who has them.
const SYSTEMS: [&str; 3] = ["Ubuntu", "Mint", "neon"];
const TOOL: &str = "apt-add-repository";

fn has_archives(ctx: &Context<'_>) -> bool {
    let is_one = |os: &serde_json::Value| SYSTEMS.iter().any(|one| os == one);
    ctx.view().facts.get("os").is_some_and(is_one)
}

pub(in crate::function) struct Ppa {
    /// `ppa:owner/name`.
    name: String,
    owner: String,
    archive: String,
}

impl Ppa {
    /// The archive that a state names, if it names one.
    pub(super) fn of(ctx: &Context<'_>) -> Result<Option<Ppa>, String> {
        let given = ctx.text("ppa");
        let given = given.map(|ppa| format!("ppa:{}", ppa.strip_prefix("ppa:").unwrap_or(&ppa)));
        let named = || Some(ctx.name().to_owned()).filter(|name| name.starts_with("ppa:"));
        let Some(name) = given.or_else(named) else { return Ok(None) };
        let failed = |why: &str| format!("Failed to configure repo '{}': {why}", ctx.name());
        if !has_archives(ctx) {
            let why = format!("cannot parse \"ppa:\" style repo definitions: {name}");
            return Err(failed(&why));
        }
        let Some((owner, archive)) = name[4..].split_once('/') else {
            let why = "an archive is named by its owner and its name: ppa:owner/name";
            return Err(failed(why));
        };
        let (owner, archive) = (owner.to_owned(), archive.to_owned());
        Ok(Some(Ppa { owner, archive, name }))
    }

    /// The archive that shall be gone; other systems than Ubuntu's heed the state's name alone.
    pub(super) fn gone(ctx: &Context<'_>) -> Result<Option<Ppa>, String> {
        if has_archives(ctx) { Ppa::of(ctx) } else { Ok(None) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The archive's repository, if the machine has it.
    pub(super) fn line(&self, ctx: &Context<'_>) -> Option<Line> {
        let suite = ctx.view().facts.get("oscodename").map(crate::function::args::text);
        let (suite, repositories) = (suite.unwrap_or_default(), Sources::load(ctx).repositories());
        let Ppa { owner, archive, .. } = self;
        let addresses = SITES.iter().flat_map(|site| ["http", "https"].map(|kind| (kind, site)));
        let mut lines = addresses.filter_map(|(kind, site)| {
            Line::parse(&format!("deb {kind}://{site}/{owner}/{archive}/ubuntu {suite} main"))
        });
        lines.find(|line| find(&repositories, line).is_some())
    }

    pub(super) fn check(self, ctx: &Context<'_>) -> Plan<Ppa> {
        let name = ctx.name();
        if self.line(ctx).is_some() {
            return Plan::fine(format!("Package repo '{name}' already configured"));
        }
        foreseen(ctx, change("repo", name), self)
    }

    pub(super) fn apply(&self, ctx: &Context<'_>) -> Result<Outcome, String> {
        let failed = |why: String| format!("Failed to configure repo '{}': {why}", ctx.name());
        if which(ctx.host, TOOL).is_none() {
            let words = "is missing: install software-properties-common, or give the \
                         repository's whole line as the name";
            return Err(failed(format!("{TOOL} {words}")));
        }
        let ran = ask(ctx, words(&[TOOL, "-y", &self.name]), &[]).map_err(failed)?;
        if ran.code != 0 {
            let (cmd, code, said) = (TOOL, ran.code, ran.stderr.trim_end());
            return Err(failed(format!(
                "Unable to add PPA '{}'. '['{cmd}', '-y', '{}']' exited with status {code}: \
                 '{said}'",
                &self.name[4..],
                self.name
            )));
        }
        super::apt::refresh(ctx).map_err(failed)?;
        let comment = format!("Configured package repo '{}'", ctx.name());
        Ok(Outcome::changed(comment, change("repo", self.name.as_str())))
    }
}
