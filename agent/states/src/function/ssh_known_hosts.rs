//! Salt's `ssh_known_hosts`: keys of machines that users, or all, log in to.

mod entries;

use serde_json::{Value, json};

use super::{Context, Function, Plan, StateFunction};
use crate::outcome::{Changes, Outcome};
use entries::{Entry, Query};

/// This module's functions.
pub(super) const ALL: &[Function] = &[Function::of::<Present>(), Function::of::<Absent>()];

pub(super) struct Present;

impl StateFunction for Present {
    const MODULE: &'static str = "ssh_known_hosts";
    const NAME: &'static str = "present";
    const TAKES: &'static [&'static str] = &[
        "user",
        "fingerprint",
        "key",
        "port",
        "enc",
        "config",
        "hash_known_hosts",
        "timeout",
        "fingerprint_hash_type",
    ];
    type Step = ();

    fn check(ctx: &Context<'_>) -> Plan<()> {
        match Query::of(ctx) {
            Err(problem) => Plan::failed(problem),
            Ok(query) if ctx.test => dry(ctx, &query),
            Ok(query) if is_known(ctx, &query) => Plan::fine(known(ctx, &query)),
            Ok(_) => Plan::change("", Changes::new(), ()),
        }
    }

    fn apply(ctx: &Context<'_>, (): ()) -> Outcome {
        let query = match Query::of(ctx) {
            Ok(query) => query,
            Err(problem) => return Outcome::failed(problem),
        };
        match set(ctx, &query) {
            Err(problem) => Outcome::failed(problem),
            Ok(None) => Outcome::fine(known(ctx, &query)),
            Ok(Some((old, new))) => saved(ctx, &query, &old, &new),
        }
    }
}

fn known(ctx: &Context<'_>, query: &Query) -> String {
    format!("{} already exists in {}", ctx.name(), query.config)
}

/// Whether a key or a fingerprint is asked for, and is there: nobody else need be asked.
fn is_known(ctx: &Context<'_>, query: &Query) -> bool {
    let asked = ctx.value("key").is_some() || ctx.value("fingerprint").is_some();
    let other_port = query.port.is_some_and(|port| port != entries::PORT);
    asked
        && !(other_port && ctx.flag("hash_known_hosts", true))
        && query.stored(ctx).is_ok_and(|stored| !differs(ctx, &stored))
}

fn dry(ctx: &Context<'_>, query: &Query) -> Plan<()> {
    let (name, config) = (ctx.name(), &query.config);
    let (key, fingerprint) = (ctx.text("key"), ctx.text("fingerprint"));
    if key.is_some() && fingerprint.is_some() {
        return Plan::failed("Specify either \"key\" or \"fingerprint\", not both.");
    }
    if key.is_some() && ctx.value("enc").is_none() {
        return Plan::failed("Required argument \"enc\" if using \"key\" argument.");
    }
    let found = match query.stored(ctx) {
        Ok(found) => found,
        Err(problem) => return Plan::failed(format!("ssh.check_known_host error: {problem}")),
    };
    let known = |entry: &Entry| match (&key, &fingerprint) {
        (Some(key), _) => entry.key == *key,
        (None, Some(fingerprint)) => entry.fingerprint.as_ref() == Some(fingerprint),
        (None, None) => true,
    };
    if found.is_empty() {
        let comment = format!("Key for {name} is set to be added to {config}");
        return Plan::change(comment, Changes::new(), ());
    }
    if found.iter().any(known) {
        return Plan::fine(format!("Host {name} is already in {config}"));
    }
    Plan::change(format!("Key for {name} is set to be updated in {config}"), Changes::new(), ())
}

/// Whether what is stored is not what the state names.
fn differs(ctx: &Context<'_>, stored: &[Entry]) -> bool {
    let (key, enc, wanted) = (ctx.text("key"), ctx.text("enc"), ctx.text("fingerprint"));
    let keys = keys_of(enc.as_deref(), stored);
    let seen = |fingerprint: &String| {
        stored.iter().any(|entry| entry.fingerprint.as_ref() == Some(fingerprint))
    };
    stored.is_empty()
        || wanted.as_ref().is_some_and(|wanted| !seen(wanted))
        || key.as_ref().is_some_and(|key| !keys.contains(&key.as_str()))
}

/// The stored keys of a kind.
fn keys_of<'a>(enc: Option<&str>, stored: &'a [Entry]) -> Vec<&'a str> {
    let kind = |entry: &&Entry| enc.is_none() || entry.enc.as_deref() == enc;
    stored.iter().filter(kind).map(|entry| entry.key.as_str()).collect()
}

/// The entries that were there, and those that are.
type Changed = (Vec<Entry>, Vec<Entry>);

/// Puts the wanted keys into the file; what was there, and what is. `None`: all was well.
fn set(ctx: &Context<'_>, query: &Query) -> Result<Option<Changed>, String> {
    let (key, enc, wanted) = (ctx.text("key"), ctx.text("enc"), ctx.text("fingerprint"));
    let hash = ctx.flag("hash_known_hosts", true);
    if query.port.is_some_and(|port| port != entries::PORT) && hash {
        return Err("argument port can not be used in conjunction with argument hash_known_hosts"
            .to_owned());
    }
    let stored = query.stored(ctx)?;
    let keys = keys_of(enc.as_deref(), &stored);
    let update = differs(ctx, &stored);
    let compare = !update && key.is_none() && wanted.is_none();
    if !update && !compare {
        return Ok(None);
    }
    let mut new = match &key {
        Some(key) => vec![Entry {
            hostname: ctx.name().to_owned(),
            enc: enc.clone(),
            key: key.clone(),
            fingerprint: None,
            port: None,
        }],
        None => {
            let found = query.scanned(ctx, hash)?;
            if found.is_empty() {
                return Err("Unable to receive remote host keys".to_owned());
            }
            let matches = |entry: &Entry| entry.fingerprint == wanted;
            if wanted.is_some() && !found.iter().any(matches) {
                return Err(
                    "Remote host public keys found but none of their fingerprints match the one \
                     you have provided"
                        .to_owned(),
                );
            }
            let same = found.iter().all(|entry| keys.contains(&entry.key.as_str()))
                && keys.iter().all(|key| found.iter().any(|entry| entry.key == *key));
            if compare && same {
                return Ok(None);
            }
            found
        }
    };
    query.put(ctx, enc.as_deref(), &mut new, hash)?;
    if key.is_some() && hash {
        query.hash(ctx)?;
    }
    Ok(Some((stored, new)))
}

fn saved(ctx: &Context<'_>, query: &Query, old: &[Entry], new: &[Entry]) -> Outcome {
    let (name, config) = (ctx.name(), &query.config);
    let first = new.first();
    let shown = |part: fn(&Entry) -> &str| first.map(part).unwrap_or_default();
    let key = shown(|entry| entry.key.as_str());
    let print = shown(|entry| entry.fingerprint.as_deref().unwrap_or_default());
    let comment = if ctx.value("key").is_some() {
        format!("{name}'s key saved to {config} (key: {key})")
    } else if ctx.value("fingerprint").is_some() {
        format!("{name}'s key saved to {config} (fingerprint: {print})")
    } else if let Some(enc) = ctx.text("enc") {
        format!("{name}'s {enc} key saved to {config} (key: {key})")
    } else {
        format!("{name}'s key(s) saved to {config}")
    };
    Outcome::changed(comment, changes(old, Some(new)))
}

fn changes(old: &[Entry], new: Option<&[Entry]>) -> Changes {
    let list = |entries: &[Entry]| match entries {
        [] => Value::Null,
        entries => entries.iter().map(Entry::shown).collect(),
    };
    let changes = json!({"old": list(old), "new": new.map_or(Value::Null, list)});
    changes.as_object().cloned().unwrap_or_default()
}

pub(super) struct Absent;

impl StateFunction for Absent {
    const MODULE: &'static str = "ssh_known_hosts";
    const NAME: &'static str = "absent";
    const TAKES: &'static [&'static str] = &["user", "config"];
    type Step = Vec<Entry>;

    fn check(ctx: &Context<'_>) -> Plan<Vec<Entry>> {
        let query = match Query::of(ctx) {
            Ok(query) => query,
            Err(problem) => return Plan::failed(problem),
        };
        match query.stored(ctx) {
            Err(problem) => Plan::failed(problem),
            Ok(found) if found.is_empty() => Plan::fine("Host is already absent"),
            Ok(found) => {
                let comment =
                    format!("Key for {} is set to be removed from {}", ctx.name(), query.config);
                Plan::change(comment, Changes::new(), found)
            }
        }
    }

    fn apply(ctx: &Context<'_>, found: Vec<Entry>) -> Outcome {
        match Query::of(ctx).and_then(|query| query.remove(ctx)) {
            Ok(told) => Outcome::changed(told, changes(&found, None)),
            Err(problem) => Outcome::failed(problem),
        }
    }
}
