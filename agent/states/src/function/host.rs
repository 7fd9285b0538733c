//! Salt's `host`: names in `/etc/hosts`.

mod table;

use serde_json::{Value, json};

use super::{Context, Function, Plan, StateFunction};
use crate::host::files::{Access, replace_keeping};
use crate::outcome::{Changes, Outcome, change};
use table::Table;

/// This module's functions.
pub(super) const ALL: &[Function] =
    &[Function::of::<Present>(), Function::of::<Absent>(), Function::of::<Only>()];

const HOSTS: &str = "/etc/hosts";

fn read(ctx: &Context<'_>) -> String {
    ctx.host.read_text(HOSTS).unwrap_or_default()
}

fn write(ctx: &Context<'_>, text: &str) -> Result<(), String> {
    let place = ctx.host.followed(HOSTS);
    let old = std::fs::metadata(&place).map(|meta| Access::of(&meta)).unwrap_or_default();
    replace_keeping(ctx.host, &place, text.as_bytes(), Access::default(), old)
        .map_err(|error| format!("cannot write {HOSTS}: {error}"))
}

pub(super) struct Present;

/// What is to be done for a name: each an address.
#[derive(Debug, Default)]
pub(super) struct Step {
    told: Vec<String>,
    add: Vec<String>,
    comment: Vec<String>,
    remove: Vec<String>,
    invalid: bool,
}

impl StateFunction for Present {
    const MODULE: &'static str = "host";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] = &["ip", "comment", "clean"];
    const NEEDS: &'static [&'static str] = &["ip"];
    type Step = Step;

    fn check(ctx: &Context<'_>) -> Plan<Step> {
        let step = plan(ctx, &Table::parse(&read(ctx)));
        let (name, comment) = (ctx.name(), ctx.text("comment").unwrap_or_default());
        let mut told = step.told.clone();
        told.extend(step.add.iter().map(|ip| format!("Host {name} ({ip}) would be added")));
        told.extend(
            step.comment.iter().map(|ip| format!("Comment for {ip} ({comment}) would be added")),
        );
        told.extend(step.remove.iter().map(|ip| format!("Host {name} ({ip}) would be removed")));
        let told = told.join("\n");
        let pending = !step.add.is_empty() || !step.remove.is_empty();
        if !pending && step.comment.is_empty() {
            return Plan::Done(Outcome { result: Some(!step.invalid), ..Outcome::fine(told) });
        }
        let result = if pending { None } else { Some(!step.invalid) };
        let foreseen = Outcome { result, ..Outcome::changed(told, changes(ctx, &step, &comment)) };
        Plan::Change { foreseen, step }
    }

    fn apply(ctx: &Context<'_>, step: Step) -> Outcome {
        let (name, comment) = (ctx.name(), ctx.text("comment").unwrap_or_default());
        let mut text = read(ctx);
        let mut told = step.told.clone();
        if !step.add.is_empty() || !step.comment.is_empty() {
            let mut table = Table::parse(&text);
            for ip in &step.add {
                table.add(ip, name);
                told.push(format!("Added host {name} ({ip})"));
            }
            for ip in &step.comment {
                table.set_comment(ip, &comment);
                told.push(format!("Set comment for host {ip} ({comment})"));
            }
            text = table.render();
        }
        for ip in &step.remove {
            text = table::without(&text, ip, name);
            told.push(format!("Removed host {name} ({ip})"));
        }
        match write(ctx, &text) {
            Err(error) => Outcome::failed(error),
            Ok(()) => Outcome {
                result: Some(!step.invalid),
                ..Outcome::changed(told.join("\n"), changes(ctx, &step, &comment))
            },
        }
    }
}

fn plan(ctx: &Context<'_>, table: &Table) -> Step {
    let (name, comment) = (ctx.name(), ctx.text("comment").unwrap_or_default());
    let ips = ctx.list("ip");
    let mut step = Step::default();
    for ip in &ips {
        if table.host(ip).is_none() && !step.add.contains(ip) {
            step.add.push(ip.clone());
            if !comment.is_empty() {
                step.comment.push(ip.clone());
            }
        }
    }
    for (ip, host) in table.hosts() {
        let has = host.aliases.iter().any(|alias| alias == name);
        if !ips.iter().any(|wanted| wanted == ip) {
            if has && ctx.flag("clean", false) {
                step.remove.push(ip.to_owned());
            } else if has {
                tracing::warn!(name, ip, "a name has another address too: set clean, or list it");
            }
        } else if has {
            if comment.is_empty() || host.comment.as_deref() == Some(comment.as_str()) {
                step.told.push(format!("Host {name} ({ip}) already present"));
            } else {
                step.comment.push(ip.to_owned());
            }
        } else if ip.parse::<std::net::IpAddr>().is_ok() {
            step.add.push(ip.to_owned());
            if !comment.is_empty() {
                step.comment.push(ip.to_owned());
            }
        } else {
            step.invalid = true;
            step.told.push(format!("Invalid IP Address for {name} ({ip})"));
        }
    }
    step
}

fn changes(ctx: &Context<'_>, step: &Step, comment: &str) -> Changes {
    let mut changes = Changes::new();
    let name = ctx.name();
    let kinds = [
        ("added", &step.add, name),
        ("comment_added", &step.comment, comment),
        ("removed", &step.remove, name),
    ];
    for (kind, ips, value) in kinds {
        if !ips.is_empty() {
            let map = ips.iter().map(|ip| (ip.clone(), json!([value]))).collect();
            changes.insert(kind.to_owned(), Value::Object(map));
        }
    }
    changes
}

pub(super) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "host";
    const NAME: &'static str = "absent";
    const TAKES: &'static [&'static str] = &["ip"];
    const NEEDS: &'static [&'static str] = &["ip"];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        let (name, table) = (ctx.name(), Table::parse(&read(ctx)));
        let mut result = None;
        let mut pending = false;
        let told: Vec<String> = ctx
            .list("ip")
            .iter()
            .map(|ip| {
                if table.has(ip, name) {
                    pending = true;
                    format!("Host {name} ({ip}) needs to be removed")
                } else {
                    result = Some(true);
                    format!("Host {name} ({ip}) already absent")
                }
            })
            .collect();
        let foreseen = Outcome { result, ..Outcome::foreseen(told.join("\n"), Changes::new()) };
        if pending { Plan::Change { foreseen, step: () } } else { Plan::Done(foreseen) }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let name = ctx.name();
        let mut text = read(ctx);
        let mut told = Vec::new();
        for ip in ctx.list("ip") {
            if Table::parse(&text).has(&ip, name) {
                text = table::without(&text, &ip, name);
                told.push(format!("Removed host {name} ({ip})"));
            } else {
                told.push(format!("Host {name} ({ip}) already absent"));
            }
        }
        match write(ctx, &text) {
            Ok(()) => Outcome::changed(told.join("\n"), change("host", name)),
            Err(error) => Outcome::failed(error),
        }
    }
}

pub(super) struct Only;

impl StateFunction for Only {
    const MODULE: &'static str = "host";
    const NAME: &'static str = "only";
    const TAKES: &'static [&'static str] = &["hostnames"];
    const NEEDS: &'static [&'static str] = &["hostnames"];
    /// The names as they are, and as they are to be.
    type Step = (String, String);

    fn check(ctx: &Context<'_>) -> Plan<(String, String)> {
        let ip = ctx.name();
        let table = Table::parse(&read(ctx));
        let old = table.host(ip).map(|host| host.aliases.join(" ")).unwrap_or_default();
        let names = ctx.list("hostnames");
        let new = names.iter().map(|name| name.trim()).collect::<Vec<_>>().join(" ");
        if old == new {
            return Plan::fine(format!("IP address {ip} already set to \"{new}\""));
        }
        let comment = format!("Would change {ip} from \"{old}\" to \"{new}\"");
        Plan::change(comment, Changes::new(), (old, new))
    }

    fn apply(ctx: &Context<'_>, (old, new): (String, String)) -> Outcome {
        let ip = ctx.name();
        match write(ctx, &table::only(&read(ctx), ip, &new)) {
            Ok(()) => Outcome::changed(
                format!("successfully changed {ip} from \"{old}\" to \"{new}\""),
                change(ip, json!({"old": old, "new": new})),
            ),
            Err(error) => Outcome::failed(format!(
                "hosts.set_host failed to change {ip} from \"{old}\" to \"{new}\": {error}"
            )),
        }
    }
}
