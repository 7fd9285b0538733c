//! Salt's `pkgrepo`: repositories of apt (lines and deb822 sections) and of yum and dnf.

mod apt;
mod key;
mod line;
mod ppa;
mod section;
mod sources;
mod yum;

use super::pkg::Manager;
use super::{Context, Function, Lint, Plan, StateFunction};
use crate::chunk::Chunk;
use crate::function::args::truth;
use crate::outcome::{Changes, Outcome, change};

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<Managed>(), Function::of::<Absent>()];

pub(super) struct Managed;

/// What applying needs, by package manager.
pub(super) enum Step {
    Apt(Box<apt::Step>),
    Ppa(ppa::Ppa),
    Yum(yum::Step),
    /// Why it cannot be: Salt's dry run does not look that far.
    Fail(String),
}

/// What a dry run foresees.
fn foreseen<S>(ctx: &Context<'_>, changes: Changes, step: S) -> Plan<S> {
    let comment = format!(
        "Package repo '{}' would be configured. This may cause pkg states to behave differently \
         than stated if this action is repeated without test=True, due to the differences in the \
         configured repositories.",
        ctx.name()
    );
    Plan::change(comment, changes, step)
}

/// What a dry run foresees of a repository that goes.
fn foreseen_absent<S>(name: &str, step: S) -> Plan<S> {
    let comment = format!(
        "Package repo '{name}' will be removed. This may cause pkg states to behave differently \
         than stated if this action is repeated without test=True, due to the differences in the \
         configured repositories."
    );
    Plan::change(comment, Changes::new(), step)
}

impl StateFunction for Managed {
    const MODULE: &'static str = "pkgrepo";
    const NAME: &'static str = "managed";
    const TAKES: &'static [&'static str] = &[
        // Both.
        "humanname",
        "enabled",
        "disabled",
        "comments",
        // apt.
        "file",
        "dist",
        "comps",
        "architectures",
        "key_url",
        "keyid",
        "keyserver",
        "key_text",
        "aptkey",
        "signedby",
        "trusted",
        "ppa",
        "consolidate",
        "clean_file",
        "refresh",
        "refresh_db",
        "type",
        "types",
        "uri",
        "uris",
        "suites",
        // yum and dnf: every setting goes into the file.
        "basedir",
        "baseurl",
        "mirrorlist",
        "metalink",
        "gpgcheck",
        "repo_gpgcheck",
        "gpgkey",
        "gpgautoimport",
        "priority",
        "exclude",
        "excludepkgs",
        "includepkgs",
        "sslverify",
        "sslcacert",
        "sslclientcert",
        "sslclientkey",
        "metadata_expire",
        "skip_if_unavailable",
        "module_hotfixes",
        "cost",
        "proxy",
        "proxy_username",
        "proxy_password",
        "username",
        "password",
        "failovermethod",
        "keepcache",
        "protect",
        "timeout",
        "type",
        "fastestmirror",
        "bandwidth",
        "throttle",
        "ip_resolve",
        "retries",
        "strict_config",
        "enabled_metadata",
        "countme",
        "deltarpm",
        "minrate",
        "copr",
        "name",
        "gpgcakey",
        "async",
        "http_caching",
        "mirrorlist_expire",
        "priority",
        "user_agent",
        "zchunk",
        "cachedir",
        "includepkgs",
    ];
    const TOLERATES: &'static [&'static str] = &["allow_insecure_key"];
    const REFUSES: &'static [&'static str] = &["ppa_auth"];
    type Step = Step;

    fn doubt(chunk: &Chunk) -> Vec<Lint> {
        doubt(chunk)
    }

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let mut faults = doubt(ctx.chunk);
        if let Some(at) = faults.iter().position(|(key, _)| ["enabled", "repo"].contains(key)) {
            return Plan::failed(faults.swap_remove(at).1);
        }
        if let Some(problem) = insecure(ctx) {
            return Plan::failed(problem);
        }
        let found = Manager::of(ctx).and_then(|manager| match manager {
            Manager::Apt => {
                let found = ppa::Ppa::of(ctx).and_then(|found| match found {
                    Some(ppa) => Ok(wrapped(ppa.check(ctx), Step::Ppa)),
                    None => {
                        apt::check(ctx).map(|plan| wrapped(plan, |step| Step::Apt(Box::new(step))))
                    }
                });
                let fail = |why| foreseen(ctx, change("repo", ctx.name()), Step::Fail(why));
                Ok(found.unwrap_or_else(fail))
            }
            Manager::Dnf => yum::check(ctx).map(|plan| wrapped(plan, Step::Yum)),
        });
        let mut plan = found.unwrap_or_else(Plan::failed);
        if let Plan::Change { foreseen, .. } = &mut plan {
            if let Some((_, problem)) = faults.iter().find(|(key, _)| *key == "clean_file") {
                return Plan::failed(problem.as_str());
            }
            // Of keys named in two ways Salt takes the first, though its dry run calls it a fault.
            if !faults.is_empty() {
                foreseen.result = Some(false);
            }
        }
        plan
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let done = match step {
            Step::Apt(step) => apt::apply(ctx, &step),
            Step::Ppa(ppa) => ppa.apply(ctx),
            Step::Yum(step) => yum::apply(ctx, &step),
            Step::Fail(why) => Err(why),
        };
        done.unwrap_or_else(Outcome::failed)
    }
}

fn insecure(ctx: &Context<'_>) -> Option<String> {
    let plain = ctx.text("key_url").is_some_and(|url| url.trim().starts_with("http:"));
    (plain && !ctx.flag("allow_insecure_key", true)).then(|| {
        "Cannot have 'key_url' using http with 'allow_insecure_key' set to True".to_owned()
    })
}

fn wrapped<A, B>(plan: Plan<A>, wrap: impl FnOnce(A) -> B) -> Plan<B> {
    match plan {
        Plan::Done(outcome) => Plan::Done(outcome),
        Plan::Change { foreseen, step } => Plan::Change { foreseen, step: wrap(step) },
    }
}

/// What cannot be together.
fn doubt(chunk: &Chunk) -> Vec<Lint> {
    let set = |key: &str| chunk.args.get(key).is_some_and(truth);
    let mut out = Vec::new();
    for (a, b, why) in [
        (
            "key_url",
            "keyid",
            "You may not use both \"keyid\"/\"keyserver\" and \"key_url\" argument.",
        ),
        (
            "key_text",
            "keyid",
            "You may not use both \"keyid\"/\"keyserver\" and \"key_text\" argument.",
        ),
        ("key_text", "key_url", "You may not use both \"key_url\" and \"key_text\" argument."),
        ("enabled", "disabled", "Only one of enabled/disabled is allowed"),
    ] {
        if chunk.args.get(a).is_some_and(|v| !v.is_null())
            && chunk.args.get(b).is_some_and(|v| !v.is_null())
        {
            out.push((a, why.to_owned()));
        }
    }
    if chunk.args.contains_key("repo") {
        let why = "'repo' is not a supported argument for this state. The 'name' argument is \
                   probably what was intended.";
        out.push(("repo", why.to_owned()));
    }
    if set("clean_file") && !set("file") {
        out.push(("clean_file", "clean_file needs 'file': name the file to clean".to_owned()));
    }
    out
}

pub(super) struct Absent;

pub(super) enum Gone {
    Apt(Box<apt::Gone>),
    Yum(String),
}

impl StateFunction for Absent {
    const MODULE: &'static str = "pkgrepo";
    const NAME: &'static str = "absent";
    const TAKES: &'static [&'static str] = &["keyid", "copr", "basedir", "ppa"];
    const TOLERATES: &'static [&'static str] = &["file", "humanname", "refresh", "refresh_db"];
    const REFUSES: &'static [&'static str] = &["ppa_auth", "keyid_ppa"];
    type Step = Gone;

    fn check(ctx: &Context<'_>) -> Plan<Gone> {
        let found = Manager::of(ctx).and_then(|manager| match manager {
            Manager::Apt => {
                apt::check_absent(ctx).map(|plan| wrapped(plan, |gone| Gone::Apt(Box::new(gone))))
            }
            Manager::Dnf => Ok(wrapped(yum::check_absent(ctx), Gone::Yum)),
        });
        found.unwrap_or_else(Plan::failed)
    }

    fn apply(ctx: &Context<'_>, gone: Gone) -> Outcome {
        let done = match gone {
            Gone::Apt(gone) => apt::apply_absent(ctx, &gone),
            Gone::Yum(repository) => yum::apply_absent(ctx, &repository),
        };
        done.unwrap_or_else(Outcome::failed)
    }
}
